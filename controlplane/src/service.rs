//! The gRPC services, one file each. They check what was sent, call the store, the hub or the reconciler, and answer.

pub mod access_key;
pub mod account;
pub mod api_token;
pub mod audit;
pub mod backend;
pub mod claim;
pub mod convert;
pub mod deletion;
pub mod enrolment;
pub mod event;
pub mod finish;
pub mod gpu;
pub mod host;
pub mod iam;
pub mod join_token;
pub mod jupyterhub;
mod logs;
pub mod machine;
pub mod monitoring;
pub mod node;
pub mod node_agent;
pub mod salt;
pub mod slurm;
pub mod storage;
pub mod user;
pub mod validate;
pub mod webhook;
