//! Bare tonic: hosts, accounts and claims with prepared answers, over the control plane's TLS or in clear text for proxies.

use std::net::SocketAddr;

use clap::Args;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use utopia_gateway::listener;
use utopia_load_tests::peer::Ready;

use crate::{secured, services};

/// What is served, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Without TLS
    #[arg(long)]
    cleartext: bool,

    /// How many messages a watched claim sends
    #[arg(long, default_value_t = 1_000)]
    messages: usize,
}

/// Serves until cancelled.
pub(crate) async fn serve(address: SocketAddr, options: Options, cancel: CancellationToken) -> anyhow::Result<()> {
    let listener = listener::bind(address)?;
    let mut ready = Ready { address: listener.local_addr()?, token: String::new(), ca_hash: String::new(), trigger: None };
    let server = secured::server().add_routes(services::routes(options.messages));
    let cancelled = cancel.cancelled_owned();
    if options.cleartext {
        ready.announce()?;
        // The backlog is the listener's; the rest is as with TLS.
        let incoming = tokio_stream::StreamExt::map(TcpListenerStream::new(listener), |stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        });
        server.serve_with_incoming_shutdown(incoming, cancelled).await?;
    } else {
        let authority = secured::authority()?;
        ready.ca_hash = authority.hash();
        let incoming = secured::incoming(listener, &authority)?;
        ready.announce()?;
        server.serve_with_incoming_shutdown(incoming, cancelled).await?;
    }
    Ok(())
}
