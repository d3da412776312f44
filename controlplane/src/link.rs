//! The agents' link: who is connected, what they last said, and commands to them.
//!
//! All of it is in memory. What must outlive the process (facts, when a node was last seen) is written by
//! [`liveness`] and at the start of a session; nothing is written per heartbeat.

pub mod call;
pub mod commands;
pub mod hub;
pub mod liveness;
pub mod mailbox;
pub mod reports;
pub mod service;
pub mod session;

pub use hub::Hub;
pub use reports::Reports;
pub use session::Session;
