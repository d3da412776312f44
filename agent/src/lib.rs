//! The agent of one machine: it enrols, keeps one link to the control plane open, runs containers and reports GPUs.
//!
//! Invariant: nothing listens but the local node API on its own address; the control plane is always dialled.

pub mod config;
pub mod error;
pub mod gpu;
pub mod host;
pub mod runtime;
