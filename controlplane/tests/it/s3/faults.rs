//! What is left when something ends that should not: nothing that can be seen.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value as Json, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{begin, key, python, settings, suite};
use crate::{
    databases,
    http::Http,
    plane::{Plane, text},
    wait::eventually,
};

/// The files with content under a data directory.
fn files(data: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(data.join("s3/blobs")).unwrap().map(|shard| shard.unwrap().path());
    shards.flat_map(|shard| fs::read_dir(shard).unwrap()).map(|file| file.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_midway_leaves_no_file() {
    let Some(python) = python() else { return };
    databases::on_sqlite(async |plane| {
        suite(&python, &settings(plane).await, &["interrupted"]).await.unwrap_or_else(|error| panic!("{error}"));
        eventually("the file to be removed", async || files(&plane.data_dir()).is_empty().then_some(())).await;
    })
    .await;
}

/// A small file system under a directory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None without the right to mount one, except where `CI` is set.
    async fn at(directory: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(directory).output().await.unwrap();
        if output.status.success() {
            return Some(Self(directory.to_owned()));
        }
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(env::var("CI").is_err(), "there is no small disk: {error}");
        eprintln!("SKIPPED: there is no small disk: {error}");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_leaves_nothing() {
    let Some(python) = python() else { return };
    databases::with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        let (settings, data) = (settings(&plane).await, plane.data_dir());
        let paused = plane.pause().await;
        let Some(disk) = SmallDisk::at(&data.join("s3")).await else { return };
        let plane = paused.resume().await;
        let mut settings = settings;
        settings["endpoint"] = json!(super::endpoint(&plane));
        suite(&python, &settings, &["overflows"]).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(files(&data).len(), 1);
        plane.stop().await;
        drop(disk);
    })
    .await;
}

/// A control plane of its own process, which can be killed.
struct Process {
    child: Child,
    http: Http,
    address: String,
}

impl Process {
    async fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-controlplane"));
        let log = data.with_extension("log");
        command.env_clear().kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        command.env("UTOPIA_ADMIN_PASSWORD", "a password of the test").args(["--log-format", "json", "--limits", "off"]);
        command.args(["--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--data-dir"]).arg(data);
        let child = command.spawn().unwrap();
        let address = eventually("the binary to be ready", async || {
            let said = fs::read_to_string(&log).unwrap();
            let ready = said.lines().find(|line| line.contains("control plane is ready"))?;
            let event = serde_json::from_str::<Json>(ready).ok()?;
            Some(text(&event, "http").to_owned())
        })
        .await;
        Self { child, http: Http::new(address.parse().unwrap()), address }
    }

    /// The settings of the suite, with the administrator's key.
    fn settings(&self, key: &Json) -> Json {
        json!({"endpoint": format!("http://{}/minio", self.address), "owner": key})
    }
}

/// Whether somebody has written something to the file.
fn is_written(file: &PathBuf) -> bool {
    File::open(file).and_then(|file| file.metadata()).is_ok_and(|file| file.len() > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_comes_to_its_end_while_the_control_plane_stops() {
    let Some(python) = python() else { return };
    databases::with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        let (mut settings, data, directory) = (settings(&plane).await, plane.data_dir(), tempfile::tempdir().unwrap());
        let gate = directory.path().join("gate");
        settings["gate"] = json!(gate);
        let client = begin(&python, &settings, &["hesitates"]).await;
        eventually("content to be written", async || files(&data).iter().any(is_written).then_some(())).await;
        plane.running.begin_stop();
        let address = plane.running.started.http_addr;
        eventually("nobody to be let in", async || TcpStream::connect(address).await.is_err().then_some(())).await;
        File::create(&gate).unwrap();
        let output = client.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let plane = plane.pause().await.resume().await;
        settings["endpoint"] = json!(super::endpoint(&plane));
        suite(&python, &settings, &["completed"]).await.unwrap_or_else(|error| panic!("{error}"));
        plane.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_an_upload_leaves_no_object() {
    let Some(python) = python() else { return };
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut first = Process::start(&data).await;
    let credentials = json!({"username": "admin", "password": "a password of the test"});
    let login = first.http.post("/api/auth/login", &credentials).await.expect(200);
    let key = key(&first.http.with_token(text(&login, "token")), "suite").await;
    // It sends half of an object, and waits.
    let mut client = begin(&python, &first.settings(&key), &["stalls"]).await;
    eventually("content to be written", async || files(&data).iter().any(is_written).then_some(())).await;
    first.child.kill().await.unwrap();
    client.kill().await.unwrap();

    let second = Process::start(&data).await;
    suite(&python, &second.settings(&key), &["stalled"]).await.unwrap_or_else(|error| panic!("{error}"));
}
