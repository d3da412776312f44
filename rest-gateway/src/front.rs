//! What the world reaches over HTTP, the same for the gateway within a control plane and for the one of its own.

use axum::Router;
use bytes::Bytes;
use clap::Args;
use http_body::Body;
use prost_reflect::DescriptorPool;
use tower::{BoxError, Service};

use crate::{Config, RouteError, TrustedProxies, call};

/// Settings of an HTTP listener that the world reaches.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Networks of proxies whose X-Forwarded-For is believed, e.g. 10.0.0.0/8,::1; of nobody when empty
    #[arg(long, env = "UTOPIA_TRUSTED_PROXIES", default_value = "", hide_default_value = true, value_name = "CIDR,…")]
    pub trusted_proxies: TrustedProxies,
}

/// Routes for every service of the pool.
///
/// # Errors
/// When a binding is wrong or contradicts another.
pub fn router<S, B>(pool: &DescriptorPool, upstream: S, settings: &Settings) -> Result<Router, RouteError>
where
    S: Service<http::Request<tonic::body::Body>, Response = http::Response<B>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // Methods without a binding have no route anyway.
    let services = pool.services().map(|service| service.full_name().to_owned()).collect::<Vec<_>>();
    let services = services.iter().map(String::as_str).collect::<Vec<_>>();
    let config = Config { trusted_proxies: settings.trusted_proxies.clone(), ..Config::default() };
    call::router(pool, &services, upstream, config)
}
