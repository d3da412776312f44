//! A server under test: `aiinfra up`, or a control plane in a process of its own.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::agent::remove_containers;
use super::api::Api;
use super::ports::free_port;
use super::process::Process;
use super::{PATIENCE, within};

const TRIES: u32 = 5;

/// A running server with a data directory and ports of its own.
pub(crate) struct Server {
    /// Before its directory: it ends first.
    pub(crate) process: Process,
    program: Program,
    directory: TempDir,
    settings: Vec<(String, String)>,
}

/// What to start.
#[derive(Clone, Copy)]
enum Program {
    Up,
    ControlPlane,
}

impl Program {
    fn start(self, directory: &TempDir, settings: &[(String, String)]) -> Process {
        match self {
            Self::Up => Process::start("aiinfra", directory.path(), ["up"], settings),
            Self::ControlPlane => Process::start("utopia-controlplane", directory.path(), [""; 0], settings),
        }
    }
}

impl Server {
    /// Starts `aiinfra up` with two simulated GPUs, and waits until it is ready.
    pub(crate) async fn up() -> Self {
        Self::up_with(&[("UTOPIA_GPUS", "simulated:2")]).await
    }

    /// The same with these settings, by their environment names.
    pub(crate) async fn up_with(settings: &[(&str, &str)]) -> Self {
        Self::start(Program::Up, settings).await
    }

    /// Starts a control plane, and waits until it is ready.
    pub(crate) async fn control_plane() -> Self {
        Self::control_plane_with(&[]).await
    }

    /// The same with these settings, by their environment names.
    pub(crate) async fn control_plane_with(settings: &[(&str, &str)]) -> Self {
        Self::start(Program::ControlPlane, settings).await
    }

    async fn start(program: Program, settings: &[(&str, &str)]) -> Self {
        for _ in 1..TRIES {
            if let Some(server) = Self::try_start(program, settings).await {
                return server;
            }
        }
        panic!("other processes took the ports {TRIES} times");
    }

    /// None when another process took a port in between.
    async fn try_start(program: Program, settings: &[(&str, &str)]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let [http, grpc, agent] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let common = [
            ("UTOPIA_DATA_DIR", "data"),
            ("UTOPIA_HTTP_ADDR", &http),
            ("UTOPIA_GRPC_ADDR", &grpc),
            ("UTOPIA_AGENT_HTTP_ADDR", &agent),
            ("UTOPIA_HEARTBEAT_INTERVAL_MS", "500"),
            ("UTOPIA_LIMITS", "off"),
        ];
        let settings = common.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = settings.collect::<Vec<_>>();
        let process = program.start(&directory, &settings);
        let mut server = Self { process, program, directory, settings };
        server.is_ready().await.then_some(server)
    }

    /// Starts it again on the same data and ports, after it has ended.
    pub(crate) async fn start_again(&mut self) {
        self.process = self.program.start(&self.directory, &self.settings);
        assert!(self.is_ready().await, "{}", self.process.log());
    }

    /// Starts the control plane's program with further arguments on the same data.
    pub(crate) fn command(&self, arguments: &[&str]) -> Process {
        let data = [("UTOPIA_DATA_DIR".to_owned(), "data".to_owned())];
        Process::start("utopia-controlplane", self.directory.path(), arguments, &data)
    }

    /// The API as nobody.
    pub(crate) fn api(&self) -> Api {
        Api::new(&format!("http://{}", self.setting("UTOPIA_HTTP_ADDR")))
    }

    /// The API as the administrator.
    pub(crate) async fn admin(&self) -> Api {
        self.api().log_in("admin", &self.secret("admin-password")).await
    }

    /// The node API of the agent of `aiinfra up`.
    pub(crate) fn agent_api(&self) -> Api {
        Api::new(&format!("http://{}", self.setting("UTOPIA_AGENT_HTTP_ADDR"))).with_token(&self.secret("agent/api-token"))
    }

    /// What it wrote to this file of its data directory.
    pub(crate) fn secret(&self, file: &str) -> String {
        fs::read_to_string(self.data_dir().join(file)).unwrap().trim().to_owned()
    }

    /// What it was started with.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let found = self.settings.iter().rev().find(|(setting, _)| setting == name);
        &found.unwrap_or_else(|| panic!("{name} is not set")).1
    }

    /// Its SQLite database.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite://{}", self.data_dir().join("utopia.db").display())
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Waits until it is ready. Answers false when it could not have its ports.
    async fn is_ready(&mut self) -> bool {
        let api = self.api();
        within(PATIENCE, "the server is ready", async || {
            if let Some(status) = self.process.ended() {
                let log = self.process.log();
                assert!(log.contains("address already in use"), "the server ended with {status}:\n{log}");
                return Some(false);
            }
            (api.status("/ready").await == Some(200)).then_some(true)
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.abandon();
        remove_containers(&self.data_dir());
    }
}
