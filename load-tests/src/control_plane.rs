//! A control plane of a run's own: a process with a data directory that is gone afterwards.

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::peer::{Join, sibling};

/// How long it may take to be ready, also with the rows of many nodes.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Below the ephemeral ports, which storms of connections take.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// As in production, but with the highest limits that there are: 100,000 requests a second of each class.
const LIMITS: &str = "login=6000000,general=6000000,admin=6000000";

/// A control plane.
#[derive(Debug)]
pub struct ControlPlane {
    /// Where gRPC is.
    pub grpc: SocketAddr,
    /// Where the JSON API is.
    pub http: SocketAddr,
    /// Where gRPC is for gateways of their own processes.
    pub internal: SocketAddr,
    program: PathBuf,
    arguments: Vec<OsString>,
    filter: &'static str,
    directory: TempDir,
    process: Child,
}

impl ControlPlane {
    /// Starts the program beside this one, with further arguments, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_logging(arguments, "warn").await
    }

    /// The same with a filter for its log, in the words of `RUST_LOG`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_logging(arguments: &[&str], filter: &'static str) -> anyhow::Result<Self> {
        let program = sibling("utopia-controlplane")?;
        let directory = tempfile::tempdir()?;
        let (grpc, http, internal) = (free_address()?, free_address()?, free_address()?);
        let mut all: Vec<OsString> = vec!["--data-dir".into(), directory.path().join("data").into()];
        for (name, address) in [("--grpc-addr", grpc), ("--http-addr", http), ("--internal-addr", internal)] {
            all.extend([name.into(), address.to_string().into()]);
        }
        all.extend(["--limits".into(), LIMITS.into()]);
        all.extend(arguments.iter().map(OsString::from));
        let process = spawn(&program, &all, &log_file(&directory), filter)?;
        let mut control_plane = Self { grpc, http, internal, program, arguments: all, filter, directory, process };
        control_plane.wait_ready().await?;
        Ok(control_plane)
    }

    /// Its process.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the control plane has ended")
    }

    /// The file that holds the administrator's password.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.data_dir().join("admin-password")
    }

    /// Where its data are.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it has logged since its first start.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_file(&self.directory)).unwrap_or_default()
    }

    /// Its JSON API, as the administrator.
    ///
    /// # Errors
    /// When the log-in fails.
    pub async fn api(&self) -> anyhow::Result<Api> {
        Api::log_in(self.http, "admin", &self.password_file()).await
    }

    /// A join token for so many agents.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn join(&self, agents: u32) -> anyhow::Result<Join> {
        self.api().await?.join_token(agents, self.grpc).await
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("the control plane cannot be killed")
    }

    /// Starts it again with the same data and addresses, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process = spawn(&self.program, &self.arguments, &log_file(&self.directory), self.filter)?;
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("http://{}/ready", self.http);
        let ask = async {
            loop {
                if let Some(status) = self.process.try_wait()? {
                    bail!("the control plane ended with {status}: {}", self.log().trim_end());
                }
                let answer = Api::client()?.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, ask).await.context("the control plane is not ready")?
    }
}

/// The log goes to a file: some runs look there for what an operator would have seen.
fn spawn(program: &Path, arguments: &[OsString], log: &Path, filter: &str) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(log).context("cannot keep the control plane's log")?;
    let mut command = Command::new(program);
    command.args(arguments).env("RUST_LOG", filter).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot start {}", program.display()))
}

fn log_file(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

/// An address of the loopback that nobody uses now.
///
/// # Errors
/// When there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1_000).unwrap_or(0) * 10;
    for _ in PORTS {
        let offset = (first + NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + offset));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of {PORTS:?} is free")
}
