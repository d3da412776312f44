//! An agent in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::api::Api;
use super::docker::Docker;
use super::nat::Nat;
use super::ports::free_port;
use super::process::Process;

const PROGRAM: &str = "utopia-agent";

/// A running `utopia-agent`. Its containers are removed when it is dropped.
pub(crate) struct Agent {
    /// Before its directory: it ends first.
    pub(crate) process: Process,
    nat: Option<Arc<Nat>>,
    directory: TempDir,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Agent {
    /// Joins a machine with the command that a join token comes with, and these settings.
    pub(crate) fn join(command: &str, settings: &[(&str, &str)]) -> Self {
        Self::join_at(None, command, settings)
    }

    /// Makes a join token as the administrator, and joins a machine with it.
    pub(crate) async fn join_as(admin: &Api, settings: &[(&str, &str)]) -> Self {
        Self::join(&join_command(admin).await, settings)
    }

    /// Makes a join token as the administrator, and joins the machine behind this NAT with it.
    pub(crate) async fn join_behind(nat: &Arc<Nat>, admin: &Api, settings: &[(&str, &str)]) -> Self {
        Self::join_at(Some(Arc::clone(nat)), &join_command(admin).await, settings)
    }

    fn join_at(nat: Option<Arc<Nat>>, command: &str, settings: &[(&str, &str)]) -> Self {
        let mut words = command.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap();
        assert!(program.ends_with(PROGRAM), "{command}");
        let directory = tempfile::tempdir().unwrap();
        let mut all = vec![
            ("UTOPIA_DATA_DIR".to_owned(), "data".to_owned()),
            ("UTOPIA_AGENT_HTTP_ADDR".to_owned(), format!("127.0.0.1:{}", free_port())),
            ("UTOPIA_GPUS".to_owned(), "simulated:2".to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let arguments = words.collect::<Vec<_>>();
        let process = Process::start_at(nat.as_deref(), PROGRAM, directory.path(), &arguments, &all);
        Self { process, nat, directory, settings: all, arguments }
    }

    /// Starts it again on the same data, after it was ended.
    pub(crate) fn start_again(&mut self) {
        self.process = Process::start_at(self.nat.as_deref(), PROGRAM, self.directory.path(), &self.arguments, &self.settings);
    }

    /// Its own node API as nobody.
    pub(crate) fn api(&self) -> Api {
        let (_, address) = self.settings.iter().rfind(|(name, _)| name == "UTOPIA_AGENT_HTTP_ADDR").unwrap();
        Api::new(&format!("http://{address}"))
    }

    /// Its certificate; none before it has joined.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        fs::read(self.data_dir().join("agent/certificate.der")).ok()
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

async fn join_command(admin: &Api) -> String {
    let token = admin.post("/api/join-tokens", json!({"max_uses": 1})).await.expect(201);
    token["command"].as_str().unwrap().to_owned()
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process.abandon();
        remove_containers(&self.data_dir());
    }
}

/// Removes what the agent with this data directory left in Docker.
pub(crate) fn remove_containers(data_dir: &Path) {
    if let Ok(node) = fs::read_to_string(data_dir.join("agent/node-id")) {
        Docker::remove_containers_of_node(node.trim());
    }
}
