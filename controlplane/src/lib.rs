//! The control plane: users, nodes, claims and the agents' link behind one gRPC surface.

pub mod clock;
pub mod error;
pub mod model;
pub mod reconcile;
