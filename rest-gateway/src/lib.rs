//! JSON over HTTP for gRPC services, from their descriptors alone.
//!
//! [`router`] turns the `google.api.http` bindings of a descriptor pool into an axum router over any gRPC service: the
//! services of the same process, or a channel to a remote one. Bodies are transcoded by tables, in one pass and without
//! an intermediate tree. The remaining modules are what every server of the product needs around it: logs, listening,
//! serving, metrics.
//!
//! The gateway names no resource. What it knows of an operation stands in the contract, as an option of a method, a
//! field or an enum value.

mod call;
mod client;
mod cors;
mod docs;
mod expect;
mod graphql;
mod grpc_web;
mod openapi;
mod percent;
mod routes;
mod stream;
mod style;
mod template;
pub mod transcode;
mod upstream;

pub mod front;
pub mod listener;
pub mod metrics;
pub mod objects;
pub mod observe;
pub mod process;
pub mod remote;
pub mod serve;
pub mod telemetry;

pub use call::{Config, router};
pub use client::{ClientAddress, NetworkError, TrustedProxies};
pub use cors::{CorsOrigins, OriginError};
pub use graphql::graphql_schema;
pub use routes::RouteError;
pub use upstream::client_timeout;
