//! The agent of one machine: it enrols, keeps one link to the control plane open, runs containers and reports GPUs.
//!
//! Invariant: nothing listens but the local node API on its own address; the control plane is always dialled. The node API
//! works while the control plane is away, and containers outlive the agent.

pub mod api;
pub mod backoff;
pub mod config;
pub mod containers;
pub mod dial;
pub mod error;
pub mod gpu;
pub mod host;
pub mod identity;
pub mod readings;
pub mod runtime;
pub mod session;

mod assembly;
mod metrics;
mod node;
mod token_file;

pub use assembly::{run, run_on};
pub use config::Config;
