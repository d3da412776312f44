//! Protobuf wire format to JSON text and back, driven by flat tables made from descriptors.
//!
//! Both directions are one pass over the input without a tree in between. No input makes them panic: what is malformed
//! is an error that says where.

mod calendar;
pub(crate) mod request;
pub(crate) mod response;
mod scan;
pub(crate) mod table;
mod wire;
