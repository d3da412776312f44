//! The control plane: users, nodes, claims and the agents' link behind one gRPC surface.

pub mod accounts;
pub mod admission;
pub mod auth;
mod authority;
pub mod backend;
mod bootstrap;
pub mod checks;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod link;
pub mod model;
pub mod monitoring;
pub mod reconcile;
mod run;
pub mod s3;
pub mod seal;
mod server;
pub mod service;
pub mod ssh;
pub mod store;
pub mod telemetry;
mod upkeep;
mod watcher;
pub mod webhooks;

pub use authority::issue_gateway_certificate;
pub use config::Config;
pub use run::{Started, run};
