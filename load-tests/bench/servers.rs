//! The servers that are compared: the product with everything on, bare ones, and peers in Go where they were built.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::json;
use tokio::process::{Child, Command};
use utopia_load_tests::api::Api;
use utopia_load_tests::control_plane::{ControlPlane, free_address};
use utopia_load_tests::peer::{Peer, sibling};

use crate::load::Target;

const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A control plane with a host, as somebody sees it who has logged in.
#[derive(Debug)]
pub(crate) struct Product {
    control_plane: ControlPlane,
    ca_hash: String,
    /// The administrator's token.
    pub(crate) token: String,
    /// The host.
    pub(crate) host_id: String,
    /// The token with which the host sends heartbeats.
    pub(crate) agent_token: String,
}

#[derive(Deserialize)]
struct Created {
    data: Host,
}

#[derive(Deserialize)]
struct Host {
    host_id: String,
    agent_token: String,
}

impl Product {
    /// Starts one, and registers a host.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let control_plane = ControlPlane::start(&[]).await?;
        let api = control_plane.api().await?;
        let host = json!({
            "name": "gpu-server-01", "ip_address": "192.168.1.10", "os_version": "Debian GNU/Linux 12",
            "deployment_mode": "container", "total_cpu": 128, "total_memory": 1_u64 << 40, "total_disk": 4_u64 << 40,
            "labels": {"rack": "r17", "region": "us-west", "zone": "b"},
        });
        let Created { data: Host { host_id, agent_token } } = api.post("/api/v1/hosts", &host).await?;
        let ca_hash = api.join_token(1, control_plane.grpc).await?.ca_hash;
        Ok(Self { ca_hash, token: api.token().to_owned(), host_id, agent_token, control_plane })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.control_plane.pid()
    }

    /// Its gRPC.
    pub(crate) fn grpc(&self) -> Target {
        Target::Secured(self.control_plane.grpc, self.ca_hash.clone())
    }

    /// Its JSON API.
    pub(crate) fn rest(&self) -> Target {
        Target::Http1(self.control_plane.http)
    }
}

/// A bare server of ours.
pub(crate) async fn bare(arguments: &[&str]) -> anyhow::Result<Peer> {
    Peer::start(&sibling("utopia-bare")?, arguments).await
}

/// A peer in Go; nothing, and a line that says so, where it was not built or does not start.
pub(crate) async fn peer(arguments: &[&str]) -> Option<Peer> {
    match start_peer(arguments).await {
        Ok(peer) => Some(peer),
        Err(error) => {
            tracing::warn!("skipped: utopia-peers {}: {error:#}", arguments.join(" "));
            None
        }
    }
}

async fn start_peer(arguments: &[&str]) -> anyhow::Result<Peer> {
    // Its makefile puts it beside the directories of the profiles.
    let program = std::env::current_exe()?;
    let program = program.parent().and_then(|profile| profile.parent()).context("this program lies nowhere")?;
    let program = program.join("peers/utopia-peers");
    anyhow::ensure!(program.exists(), "{} is missing: see load-tests/peers", program.display());
    Peer::start(&program, arguments).await
}

/// How a server is reached that said where it listens.
pub(crate) fn grpc(peer: &Peer) -> Target {
    let address = peer.ready.address;
    if peer.ready.ca_hash.is_empty() { Target::Cleartext(address) } else { Target::Secured(address, peer.ready.ca_hash.clone()) }
}

/// How its JSON is reached.
pub(crate) fn rest(peer: &Peer) -> Target {
    Target::Http1(peer.ready.address)
}

/// The product's gateway in a process of its own, before a backend without TLS.
#[derive(Debug)]
pub(crate) struct Gateway {
    address: SocketAddr,
    process: Child,
}

impl Gateway {
    /// Starts it, and waits until it reaches the backend.
    pub(crate) async fn start(backend: SocketAddr) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(sibling("utopia-gateway")?);
        command.args(["--http-addr", &address.to_string(), "--upstream", &format!("http://{backend}")]);
        command.env("RUST_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().context("cannot start utopia-gateway")?;
        let client = Api::client()?;
        let ask = async {
            loop {
                if let Some(status) = process.try_wait()? {
                    bail!("utopia-gateway ended with {status}");
                }
                let answer = client.get(format!("http://{address}/ready")).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, ask).await.context("utopia-gateway is not ready")??;
        Ok(Self { address, process })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("utopia-gateway has ended")
    }

    /// Its JSON API.
    pub(crate) fn rest(&self) -> Target {
        Target::Http1(self.address)
    }
}
