//! A server of the load tests in a process of its own: a bare one of ours, or a peer in Go.
//!
//! It says on the first line of its standard output, as JSON, where it listens, and ends with its standard input or when it is killed.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use utopia_agent::dial::Server;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// What a server says once it listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// Where.
    pub address: SocketAddr,
    /// With what agents may enrol; empty where there is no enrolment.
    #[serde(default)]
    pub token: String,
    /// The hash of its CA; empty without TLS.
    #[serde(default)]
    pub ca_hash: String,
    /// Where commands to agents can be asked for over HTTP, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<SocketAddr>,
}

impl Ready {
    /// Says so, as the first line of the standard output.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn announce(&self) -> anyhow::Result<()> {
        let line = serde_json::to_string(self)?;
        Ok(writeln!(std::io::stdout(), "{line}")?)
    }
}

/// How to join a control plane, or a server that plays one.
#[derive(Debug, Clone)]
pub struct Join {
    /// Where it is.
    pub server: Server,
    /// The join token.
    pub token: String,
    /// The hash of the CA to pin.
    pub ca_hash: String,
}

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub struct Peer {
    /// What it said.
    pub ready: Ready,
    /// Its process.
    pub pid: u32,
    program: PathBuf,
    arguments: Vec<String>,
    process: Child,
}

impl Peer {
    /// Starts a program, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start, ends, or says nothing in time.
    pub async fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let arguments: Vec<String> = arguments.iter().copied().map(str::to_owned).collect();
        let (ready, process) = spawn(program, &arguments).await?;
        let pid = process.id().with_context(|| format!("{} has ended", program.display()))?;
        Ok(Self { ready, pid, program: program.to_owned(), arguments, process })
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.with_context(|| format!("{} cannot be killed", self.program.display()))
    }

    /// Starts it again with the same arguments, and waits until it listens.
    ///
    /// # Errors
    /// As at the first start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        (self.ready, self.process) = spawn(&self.program, &self.arguments).await?;
        self.pid = self.process.id().with_context(|| format!("{} has ended", self.program.display()))?;
        Ok(())
    }

    /// How agents join it.
    ///
    /// # Errors
    /// When its address is none.
    pub fn join(&self) -> anyhow::Result<Join> {
        let Ready { address, token, ca_hash, trigger: _ } = self.ready.clone();
        Ok(Join { server: dial_address(address)?, token, ca_hash })
    }
}

async fn spawn(program: &Path, arguments: &[String]) -> anyhow::Result<(Ready, Child)> {
    let name = || format!("{} {}", program.display(), arguments.join(" "));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().with_context(|| format!("cannot start {}", name()))?;
    let output = process.stdout.take().with_context(|| format!("{} has no output", name()))?;
    let mut lines = BufReader::new(output).lines();
    let line = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
    let line = line.with_context(|| format!("{} does not start", name()))??;
    let line = line.with_context(|| format!("{} has ended", name()))?;
    let ready = serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", name()))?;
    Ok((ready, process))
}

/// The gRPC address as agents dial it.
///
/// # Errors
/// When it is none.
pub fn dial_address(address: SocketAddr) -> anyhow::Result<Server> {
    Ok(format!("https://{address}").parse()?)
}

/// The program of this name beside the running one.
///
/// # Errors
/// When it is not there: it has to be built first.
pub fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?.with_file_name(name);
    anyhow::ensure!(program.exists(), "{} is missing: build it with the same profile", program.display());
    Ok(program)
}

/// The program with the peers in Go and the starter of Envoy; none where it was not built by `make -C load-tests/peers all`.
#[must_use]
pub fn peers() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.parent()?.with_file_name("peers").join("utopia-peers");
    program.exists().then_some(program)
}
