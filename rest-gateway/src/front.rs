//! What the world reaches over HTTP, the same for the gateway within a control plane and for the one of its own.

use axum::{Router, extract::Request};
use bytes::Bytes;
use clap::Args;
use http_body::Body;
use prost_reflect::DescriptorPool;
use tower::{BoxError, Service};

use crate::{Config, CorsOrigins, RouteError, TrustedProxies, call, docs, graphql, grpc_web, openapi};

/// Settings of an HTTP listener that the world reaches.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Networks of proxies whose X-Forwarded-For is believed, e.g. 10.0.0.0/8,::1; of nobody when empty
    #[arg(long, env = "UTOPIA_TRUSTED_PROXIES", default_value = "", hide_default_value = true, value_name = "CIDR,…")]
    pub trusted_proxies: TrustedProxies,

    /// Origins whose pages may call, e.g. https://console.example, or * for any; none when empty
    #[arg(long, env = "UTOPIA_CORS_ORIGINS", default_value = "", hide_default_value = true, value_name = "ORIGIN,…")]
    pub cors_origins: CorsOrigins,
}

/// Routes for every service of the pool, as JSON, GraphQL and gRPC-Web, with the documents that tell of them.
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
    let names = services.iter().map(String::as_str).collect::<Vec<_>>();
    let proxies = settings.trusted_proxies.clone();
    let config = Config { trusted_proxies: proxies.clone(), ..Config::default() };
    let json = call::Gateway::new(pool, &names, upstream.clone(), config)?;
    let graphql = graphql::router(pool, std::sync::Arc::clone(&json), settings.cors_origins.clone());
    let api = Router::new().fallback(move |request: Request| async move {
        if grpc_web::is_grpc_web(request.headers()) {
            grpc_web::handle(upstream, proxies, request).await
        } else {
            json.handle(request).await
        }
    });
    let pool = pool.clone();
    let documents = docs::router(move || openapi::document(&pool, &services));
    Ok(settings.cors_origins.admit(api.merge(documents).merge(graphql)))
}
