//! A control plane in this process.

use clap::Parser as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utopia_controlplane::{Config, Started};

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

pub(crate) struct Plane {
    started: Started,
    directory: TempDir,
    cancel: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let addresses = ["--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0"];
        let arguments = ["x", "--limits", "off", "--data-dir", data_dir.to_str().unwrap()].into_iter().chain(addresses);
        let (started, ready) = oneshot::channel();
        let (cancel, mut task) = (CancellationToken::new(), JoinSet::new());
        let run = utopia_controlplane::run(Arguments::parse_from(arguments).config, Some(started), cancel.clone());
        task.spawn(Box::pin(run));
        Self { started: ready.await.expect("the control plane starts"), directory, cancel, task }
    }

    /// How the swarm is told of it.
    pub(crate) fn arguments(&self) -> [String; 8] {
        let password_file = self.directory.path().join("data").join("admin-password");
        [
            "--server".to_owned(),
            self.started.grpc_addr.to_string(),
            "--api".to_owned(),
            self.started.http_addr.to_string(),
            "--server-pid".to_owned(),
            std::process::id().to_string(),
            "--password-file".to_owned(),
            password_file.to_str().unwrap().to_owned(),
        ]
    }

    pub(crate) async fn stop(mut self) {
        self.cancel.cancel();
        self.task.join_next().await.unwrap().unwrap().expect("the control plane ends in order");
    }
}
