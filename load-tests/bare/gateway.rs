//! The product's transcoder in one process with the bare services, and nothing before them: neither credentials nor limits.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use utopia_gateway::{Config, listener, serve};
use utopia_load_tests::peer::Ready;

use crate::services;

/// How long requests may go on after the end.
const GRACE: Duration = Duration::from_secs(1);

/// What is served.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many messages a watched claim sends
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
}

/// Serves until cancelled.
pub(crate) async fn serve(address: SocketAddr, options: Options, cancel: CancellationToken) -> anyhow::Result<()> {
    let pool = utopia_proto::descriptor_pool();
    let router = utopia_gateway::router(&pool, &services::NAMES, services::routes(options.messages), Config::default())?;
    let listener = listener::bind(address)?;
    Ready { address: listener.local_addr()?, token: String::new(), ca_hash: String::new(), trigger: None }.announce()?;
    Ok(serve::http(listener, router, cancel, GRACE).await?)
}
