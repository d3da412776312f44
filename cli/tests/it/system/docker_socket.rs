//! A socket before Docker's own, which can go away and withhold answers. To the agent behind it, Docker is what fails.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::PATIENCE;

const DOCKER: &str = "/var/run/docker.sock";

/// A way to Docker that tests can break. All of its connections end with it.
pub(crate) struct DockerSocket {
    directory: TempDir,
    withheld: Arc<Withheld>,
    serving: Option<AbortOnDropHandle<()>>,
}

/// The answer that does not arrive.
#[derive(Default)]
struct Withheld {
    /// A part of the request line of the POST that is not answered next.
    request: Mutex<Option<String>>,
    /// Docker has answered it.
    reached: Notify,
}

impl DockerSocket {
    /// A socket that works.
    pub(crate) fn open() -> Self {
        let mut socket = Self { directory: tempfile::tempdir().unwrap(), withheld: Arc::default(), serving: None };
        socket.reopen();
        socket
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Has Docker gone: connections break, and there are no new ones.
    pub(crate) fn close(&mut self) {
        self.serving = None;
        std::fs::remove_file(self.path()).unwrap();
    }

    /// Has Docker come back.
    pub(crate) fn reopen(&mut self) {
        let listener = UnixListener::bind(self.path()).unwrap();
        let serve = serve(listener, Arc::clone(&self.withheld));
        #[expect(clippy::disallowed_methods, reason = "the handle ends the task with the socket")]
        let serving = AbortOnDropHandle::new(tokio::spawn(serve));
        self.serving = Some(serving);
    }

    /// Withholds the answer to the next POST with this in its request line. Docker carries it out all the same.
    pub(crate) fn withhold_answer_to(&self, request: &str) {
        *self.withheld.request.lock().unwrap() = Some(request.to_owned());
    }

    /// Waits until Docker has given the answer that is withheld.
    pub(crate) async fn has_withheld(&self) {
        let reached = tokio::time::timeout(PATIENCE, self.withheld.reached.notified()).await;
        reached.unwrap_or_else(|_| panic!("not asked within {PATIENCE:?}: {:?}", self.withheld.request.lock().unwrap()));
    }
}

async fn serve(listener: UnixListener, withheld: Arc<Withheld>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(pass_on(client, Arc::clone(&withheld)));
        while connections.try_join_next().is_some() {}
    }
}

async fn pass_on(client: UnixStream, withheld: Arc<Withheld>) {
    let Ok(docker) = UnixStream::connect(DOCKER).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_docker, to_docker) = docker.into_split();
    let (mute, muted) = watch::channel(false);
    // Neither side goes on without the other.
    tokio::select! {
        () = requests(from_client, to_docker, &withheld, mute) => {}
        () = answers(from_docker, to_client, &withheld, muted) => {}
    }
}

async fn requests(mut client: OwnedReadHalf, mut docker: OwnedWriteHalf, withheld: &Withheld, mute: watch::Sender<bool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        if withheld.takes(&buffer[..read]) {
            mute.send_replace(true);
        }
        if docker.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut docker: OwnedReadHalf, mut client: OwnedWriteHalf, withheld: &Withheld, muted: watch::Receiver<bool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = docker.read(&mut buffer).await {
        if *muted.borrow() {
            withheld.reached.notify_one();
            // The client waits until it gives up.
            return std::future::pending().await;
        }
        if client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Withheld {
    /// Whether these bytes begin the request whose answer is withheld. It is so once.
    fn takes(&self, bytes: &[u8]) -> bool {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let is_wanted = |request: &mut String| line.starts_with("POST ") && line.contains(request.as_str());
        self.request.lock().unwrap().take_if(is_wanted).is_some()
    }
}
