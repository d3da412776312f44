//! `aiinfra up`: control plane, gateway and one agent in this process.
//!
//! The agent joins over TLS like any other, with a token of its own. A machine without an NVIDIA driver gets simulated
//! GPUs here and only here, so that claims can be tried anywhere.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, anyhow};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use utopia_agent::config::Options;
use utopia_agent::gpu::{GpuMode, nvml::NvmlGpus};
use utopia_controlplane::Started;
use utopia_gateway::{listener, process, telemetry};

use crate::args::Up;
use crate::output::Output;

const SIMULATED_GPUS: u32 = 2;

/// The settings that the agent takes from the environment; what is typed reaches it through [`Up`].
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct AgentEnvironment {
    #[command(flatten)]
    options: Options,
}

/// Runs everything until a signal comes or a part ends.
pub(crate) async fn run(output: Output, settings: Up) -> anyhow::Result<()> {
    let agent = AgentEnvironment::parse_from([""; 0]).options;
    telemetry::init(settings.control_plane.log_format, "info,s3s=off");
    let cancel = CancellationToken::new();
    let everything = everything(output, settings, agent, cancel.clone());
    tokio::pin!(everything);
    tokio::select! {
        result = &mut everything => return result,
        signal = process::cancel_on_signal(cancel) => signal.context("wait for signals")?,
    }
    everything.await
}

/// The control plane around the agent: the agent starts when the other is ready, and ends before it.
async fn everything(output: Output, settings: Up, agent: Options, cancel: CancellationToken) -> anyhow::Result<()> {
    // The error's sentence holds its cause already.
    let listener = listener::bind(settings.agent_http_addr).map_err(|error| anyhow!("{error}"))?;
    let (started, ready) = oneshot::channel();
    let end_control_plane = CancellationToken::new();
    let control_plane = utopia_controlplane::run(settings.control_plane.clone(), Some(started), end_control_plane.clone());
    let end_agent = cancel.child_token();
    let agent = async {
        tokio::select! {
            Ok(started) = ready => local_agent(output, &settings, agent, listener, started, end_agent.clone()).await,
            () = end_agent.cancelled() => Ok(()),
        }
    };
    tokio::pin!(control_plane, agent);
    tokio::select! {
        result = &mut agent => {
            end_control_plane.cancel();
            result.and(control_plane.await)
        }
        result = &mut control_plane => {
            end_agent.cancel();
            result.and(agent.await)
        }
    }
}

/// The agent of this machine, once there is a control plane that it can join.
async fn local_agent(
    output: Output,
    settings: &Up,
    mut agent: Options,
    listener: TcpListener,
    started: Started,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    agent.gpus = gpus(settings.gpus, agent.nvml_library.clone()).await?;
    agent.data_dir = settings.control_plane.data_dir.clone();
    agent.http_addr = listener.local_addr().context("find the node API's address")?;
    output.done(&welcome(settings, &started, &agent))?;
    agent.server = format!("https://{}", dialable(started.grpc_addr)).parse()?;
    agent.join_token = Some(started.local_join_token);
    agent.join_token_file = None;
    agent.ca_hash = Some(started.ca_hash);
    utopia_agent::run_on(listener, agent.into_config()?, cancel).await
}

/// What the agent takes for GPUs: where it would find no driver, simulated ones.
async fn gpus(mode: GpuMode, library: Option<OsString>) -> anyhow::Result<GpuMode> {
    if mode != GpuMode::Auto {
        return Ok(mode);
    }
    let driver =
        tokio::task::spawn_blocking(move || NvmlGpus::open(library).is_ok()).await.context("look for an NVIDIA driver")?;
    Ok(if driver { GpuMode::Auto } else { GpuMode::Simulated(SIMULATED_GPUS) })
}

/// An address to dial on this machine for one that is listened on.
fn dialable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn welcome(settings: &Up, started: &Started, agent: &Options) -> String {
    let url = format!("http://{}", dialable(started.http_addr));
    let data_dir = &settings.control_plane.data_dir;
    let password = match &settings.control_plane.admin_password {
        Some(_) => "the one that was given at the first start".to_owned(),
        None => format!("in {}", settings.control_plane.admin_password_file().display()),
    };
    let gpus = match agent.gpus {
        GpuMode::Auto => "those of the NVIDIA driver".to_owned(),
        GpuMode::None => "none".to_owned(),
        GpuMode::Simulated(count) => format!("{count} simulated"),
    };
    format!(
        r#"
Utopia is up. Ctrl-C ends it; everything is kept in {data_dir}.

  JSON API    {url}   documented at {url}/api/docs
  gRPC        https://{grpc}
  Node API    http://{agent}   token in {token}
  GPUs        {gpus}
  User admin  password {password}

Make a user, log in, and claim a GPU:

  curl -s {url}/api/auth/register -H 'content-type: application/json' -d '{{"username":"alice","password":"password123"}}'
  TOKEN=$(curl -s {url}/api/auth/login -H 'content-type: application/json' -d '{{"username":"alice","password":"password123"}}' | sed 's/.*"token":"\([^"]*\).*/\1/')
  curl -s {url}/api/gpu-claims -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{{"spec":{{"image":"busybox","command":["sleep","600"],"resources":{{"gpuCount":1}}}}}}'
"#,
        data_dir = data_dir.display(),
        grpc = dialable(started.grpc_addr),
        agent = dialable(agent.http_addr),
        token = data_dir.join("agent/api-token").display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_all_interfaces_is_dialled_on_loopback() {
        for (listened, dialled) in
            [("0.0.0.0:8443", "127.0.0.1:8443"), ("[::]:8443", "[::1]:8443"), ("192.0.2.1:8443", "192.0.2.1:8443")]
        {
            assert_eq!(dialable(listened.parse().unwrap()).to_string(), dialled);
        }
    }
}
