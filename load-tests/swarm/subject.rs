//! The servers that are measured: the control plane, and what it is compared with.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use utopia_load_tests::api::Api;
use utopia_load_tests::control_plane::{ControlPlane, free_address};
use utopia_load_tests::peer::{Join, Peer, peers, sibling};
use utopia_load_tests::usage::Usage;

use crate::args::Target;

/// The product.
pub(crate) const CONTROL_PLANE: &str = "control plane";
/// The same stream by tonic, with nothing behind it.
pub(crate) const BARE: &str = "bare tonic";
/// The same stream by grpc-go, with nothing behind it.
pub(crate) const GO: &str = "grpc-go";

/// A server that is measured.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    server: Server,
}

enum Server {
    Own(Box<ControlPlane>),
    Given { server: SocketAddr, api: Arc<Api>, pid: u32 },
    Peer(Box<Peer>),
}

impl Subject {
    /// The control plane: the given one, or one of this run's own.
    pub(crate) async fn control_plane(target: &Target) -> anyhow::Result<Self> {
        let given = &target.given;
        let server = match (given.server, given.api, given.server_pid) {
            (Some(server), Some(api), Some(pid)) => {
                let api = Arc::new(Api::log_in(api, &given.username, &given.password_file).await?);
                Server::Given { server, api, pid }
            }
            (Some(_) | None, _, _) => return Self::own(&[]).await,
        };
        Ok(Self { name: CONTROL_PLANE, server })
    }

    /// A control plane of this run's own.
    pub(crate) async fn own(arguments: &[&str]) -> anyhow::Result<Self> {
        Ok(Self { name: CONTROL_PLANE, server: Server::Own(Box::new(ControlPlane::start(arguments).await?)) })
    }

    /// The same, logging as well when a node goes offline and why.
    pub(crate) async fn own_saying_why() -> anyhow::Result<Self> {
        let own = ControlPlane::start_logging(&[], "warn,utopia_controlplane::link::hub=info").await?;
        Ok(Self { name: CONTROL_PLANE, server: Server::Own(Box::new(own)) })
    }

    /// The bare server in Rust.
    pub(crate) async fn bare(name: &'static str, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments: Vec<_> = ["link"].iter().chain(arguments).copied().collect();
        let peer = Peer::start(&sibling("utopia-bare")?, &arguments).await?;
        Ok(Self { name, server: Server::Peer(Box::new(peer)) })
    }

    /// The bare server in Go; none where it was not built.
    pub(crate) async fn go() -> anyhow::Result<Option<Self>> {
        let Some(program) = peers() else {
            tracing::warn!("skipped: {GO} was not built; make -C load-tests/peers does it");
            return Ok(None);
        };
        let peer = Peer::start(&program, &["link"]).await?;
        Ok(Some(Self { name: GO, server: Server::Peer(Box::new(peer)) }))
    }

    /// The control plane, and beside it the bare servers unless it is to stand alone.
    pub(crate) async fn all(target: &Target) -> anyhow::Result<Vec<Self>> {
        let mut subjects = vec![Self::control_plane(target).await?];
        if !target.alone {
            subjects.push(Self::bare(BARE, &[]).await?);
            subjects.extend(Self::go().await?);
        }
        Ok(subjects)
    }

    /// The control plane, where it is one of this run's own.
    pub(crate) fn as_own(&self) -> anyhow::Result<&ControlPlane> {
        match &self.server {
            Server::Own(own) => Ok(own),
            Server::Given { .. } | Server::Peer(_) => anyhow::bail!("{} is not of this run's own", self.name),
        }
    }

    /// How agents join it.
    pub(crate) async fn join(&self, agents: u32) -> anyhow::Result<Join> {
        match &self.server {
            Server::Own(own) => own.join(agents).await,
            Server::Given { server, api, .. } => api.join_token(agents, *server).await,
            Server::Peer(peer) => peer.join(),
        }
    }

    /// The JSON API of a control plane.
    pub(crate) async fn api(&self) -> anyhow::Result<Arc<Api>> {
        match &self.server {
            Server::Own(own) => Ok(Arc::new(own.api().await?)),
            Server::Given { api, .. } => Ok(Arc::clone(api)),
            Server::Peer(_) => anyhow::bail!("{} has no API", self.name),
        }
    }

    /// What it uses now.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid()?)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        match &self.server {
            Server::Own(own) => own.pid(),
            Server::Given { pid, .. } => Ok(*pid),
            Server::Peer(peer) => Ok(peer.pid),
        }
    }

    /// Where commands to agents can be asked for, `{}` standing for the node, and with which token.
    pub(crate) async fn commands(&self) -> anyhow::Result<(String, Option<String>)> {
        let of = |address: SocketAddr, token: &str| (format!("http://{address}/api/nodes/{{}}/health"), Some(token.to_owned()));
        Ok(match &self.server {
            Server::Own(own) => of(own.http, own.api().await?.token()),
            Server::Given { api, .. } => of(api.address(), api.token()),
            Server::Peer(peer) => {
                let trigger = peer.ready.trigger.with_context(|| format!("{} takes no commands", self.name))?;
                (format!("http://{trigger}/health/{{}}"), None)
            }
        })
    }

    /// Where a command to all agents can be asked for.
    pub(crate) fn fan_out(&self) -> Option<String> {
        match &self.server {
            Server::Own(_) | Server::Given { .. } => None,
            Server::Peer(peer) => peer.ready.trigger.map(|trigger| format!("http://{trigger}/fan-out")),
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        match &mut self.server {
            Server::Own(own) => own.kill().await,
            Server::Given { .. } => anyhow::bail!("a control plane that was given is not killed"),
            Server::Peer(peer) => peer.kill().await,
        }
    }

    /// Starts it again, and waits until it listens.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        match &mut self.server {
            Server::Own(own) => own.start_again().await,
            Server::Given { .. } => anyhow::bail!("a control plane that was given is not started"),
            Server::Peer(peer) => peer.start_again().await,
        }
    }
}

/// The bare server at an address and with a CA that outlive it, so that its agents find it again.
pub(crate) async fn lasting_bare(ca_dir: &std::path::Path) -> anyhow::Result<Subject> {
    let address = free_address()?.to_string();
    let ca_dir = ca_dir.to_str().context("the directory's name is no text")?;
    Subject::bare(BARE, &["--listen", &address, "--ca-dir", ca_dir]).await
}
