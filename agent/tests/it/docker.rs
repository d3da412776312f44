//! Against a real Docker Engine and registry: images are really pulled, containers really run.
//!
//! Every test is a node of its own, with an image of its own, and clears both away. Without Docker or the registry the
//! tests are skipped with a line on stderr, except on CI.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{collections::BTreeMap, io::Write as _, net::TcpListener, path::Path, process::Command, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::broadcast,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Code;
use utopia_agent::{
    containers::{Containers, Gpu, Settings},
    error::Error,
    runtime::docker::Docker,
};
use utopia_proto::{
    claim::v1::ClaimSpec,
    link::v1::{ContainerPhase, ContainerState, EnsureClaim},
    node::v1::{CreateContainerRequest, LogEntry, LogStream, PortMapping, StreamContainerLogsRequest},
};
use uuid::Uuid;

const SOCKET: &str = "/var/run/docker.sock";
const REGISTRY: &str = "127.0.0.1:5000";
const BUSYBOX: &str = "/bin/busybox";
const PATIENCE: Duration = Duration::from_secs(120);

/// One agent on the real engine.
struct Node {
    id: Uuid,
    image: String,
    containers: Arc<Containers>,
    shutdown: CancellationToken,
    dir: tempfile::TempDir,
}

impl Node {
    /// An agent and an image that is in the registry only; none where there is no engine.
    fn new() -> Option<Self> {
        if let Err(missing) = available() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must have {missing}");
            #[expect(clippy::explicit_write, reason = "the test harness keeps what eprintln! says to itself")]
            writeln!(std::io::stderr(), "SKIPPED: {missing} is missing").unwrap();
            return None;
        }
        let id = Uuid::new_v4();
        let dir = tempfile::tempdir().unwrap();
        let image = publish_image(id, dir.path());
        let (containers, shutdown) = agent(id, dir.path());
        Some(Self { id, image, containers, shutdown, dir })
    }

    fn request(&self, claim_id: &str, command: &[&str]) -> CreateContainerRequest {
        CreateContainerRequest {
            claim_id: claim_id.to_owned(),
            image: self.image.clone(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..CreateContainerRequest::default()
        }
    }

    async fn create(&self, request: &CreateContainerRequest) -> Result<String, Error> {
        let created = self.containers.create(request.clone(), CancellationToken::new()).await?;
        Ok(created.container_id)
    }

    /// Ids of this node's containers, asked of Docker itself.
    fn ids(&self) -> Vec<String> {
        let filter = format!("label=utopia.node={}", self.id);
        let ids = docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
        ids.lines().map(str::to_owned).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
        for id in self.ids() {
            docker(&["rm", "-f", "-v", &id]);
        }
        // Where a test pulled nothing there is no image.
        let _ = Command::new("docker").args(["rmi", "-f", &self.image]).output();
    }
}

fn agent(id: Uuid, allowed: &Path) -> (Arc<Containers>, CancellationToken) {
    let shutdown = CancellationToken::new();
    let gpu = Gpu { uuid: format!("GPU-SIM-{id}"), index: 0, simulated: true };
    let settings = Settings { volume_allow_list: vec![allowed.to_owned()], ..Settings::default() };
    let runtime = Arc::new(Docker::new(Path::new(SOCKET)));
    let tasks = TaskTracker::new();
    let containers = Containers::new(runtime, vec![gpu], settings, tasks.clone(), shutdown.clone());
    containers.set_node_id(id);
    tasks.spawn(containers.clone().run(shutdown.clone()));
    (containers, shutdown)
}

fn available() -> Result<(), &'static str> {
    let docker = Command::new("docker").arg("version").output();
    if !docker.is_ok_and(|output| output.status.success()) {
        return Err("the Docker Engine");
    }
    if std::net::TcpStream::connect(REGISTRY).is_err() {
        return Err("the registry at 127.0.0.1:5000");
    }
    if !Path::new(BUSYBOX).exists() {
        return Err("a static /bin/busybox");
    }
    Ok(())
}

/// Makes an image of nothing but a busybox of its own, and leaves it in the registry only. It is imported, not built: images
/// from one build share what other tests remove meanwhile.
fn publish_image(id: Uuid, dir: &Path) -> String {
    let context = dir.join("image");
    std::fs::create_dir_all(context.join("bin")).unwrap();
    // The binary itself differs for every image: appended bytes do no harm to it.
    let mut busybox = std::fs::read(BUSYBOX).unwrap();
    busybox.extend_from_slice(id.as_bytes());
    let path = context.join("bin/busybox");
    std::fs::write(&path, busybox).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let archive = dir.join("image.tar");
    let packed = Command::new("tar").arg("-C").arg(&context).arg("-cf").arg(&archive).arg("bin").status().unwrap();
    assert!(packed.success());
    let image = format!("{REGISTRY}/utopia-test/{}:1", id.simple());
    docker(&["import", "--change", "CMD [\"/bin/busybox\", \"true\"]", archive.to_str().unwrap(), &image]);
    docker(&["push", "-q", &image]);
    docker(&["rmi", "-f", &image]);
    image
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn until(events: &mut broadcast::Receiver<ContainerState>, fits: impl Fn(&ContainerState) -> bool) -> ContainerState {
    let found = async {
        loop {
            let state = events.recv().await.unwrap();
            if fits(&state) {
                return state;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("the event comes")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[tokio::test]
async fn a_claim_is_pulled_run_and_released() {
    let Some(node) = Node::new() else { return };
    let gpu = format!("GPU-SIM-{}", node.id);
    let wanted = EnsureClaim {
        claim_id: "train".to_owned(),
        epoch: 1,
        spec: Some(ClaimSpec {
            image: node.image.clone(),
            command: words(&["/bin/busybox", "sleep", "600"]),
            ..ClaimSpec::default()
        }),
        gpu_uuids: vec![gpu.clone()],
    };
    let mut events = node.containers.events();
    node.containers.ensure_claim(wanted.clone()).await.unwrap();
    until(&mut events, |state| state.message.starts_with("Pulling image")).await;
    let running = until(&mut events, |state| state.phase() != ContainerPhase::Preparing).await;
    assert_eq!(running.phase(), ContainerPhase::Running, "{running:?}");
    assert_eq!(node.ids(), std::slice::from_ref(&running.container_id));
    let env = docker(&["inspect", "-f", "{{json .Config.Env}}", &running.container_id]);
    assert!(env.contains(&format!("UTOPIA_GPU_UUIDS={gpu}")), "{env}");

    // An agent that starts anew finds it, and doing it again has no effect.
    let (restarted, shutdown) = agent(node.id, node.dir.path());
    assert_eq!(restarted.ensure_claim(wanted).await.unwrap(), running);
    shutdown.cancel();

    node.containers.release_claim("train", 1).await.unwrap();
    assert!(node.ids().is_empty());
}

#[tokio::test]
async fn exit_codes_environment_and_working_directory() {
    let Some(node) = Node::new() else { return };
    let mut events = node.containers.events();
    let script = "[ \"$A\" = 'b c' ] && [ \"$PWD\" = /work ] && exit 7; exit 1";
    let wanted = EnsureClaim {
        claim_id: "job".to_owned(),
        epoch: 3,
        spec: Some(ClaimSpec {
            image: node.image.clone(),
            command: words(&["/bin/busybox", "sh", "-c", script]),
            env: words(&["A=b c"]),
            working_dir: "/work".to_owned(),
            ..ClaimSpec::default()
        }),
        gpu_uuids: Vec::new(),
    };
    node.containers.ensure_claim(wanted).await.unwrap();
    let exited = until(&mut events, |state| state.phase() == ContainerPhase::Exited).await;
    assert_eq!(exited.exit_code, 7, "{exited:?}");
}

#[tokio::test]
async fn ports_volumes_and_limits_work() {
    let Some(node) = Node::new() else { return };
    let data = node.dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("hello"), "from the machine").unwrap();
    let wanted = CreateContainerRequest {
        port_mappings: vec![PortMapping { host_port: 0, container_port: 80, protocol: "tcp".to_owned() }],
        volumes: BTreeMap::from([(data.to_str().unwrap().to_owned(), "/data".to_owned())]),
        memory_limit_mb: 64,
        cpu_limit: 0.5,
        gpu_count: 1,
        ..node.request("web", &["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/data"])
    };
    let id = node.create(&wanted).await.unwrap();
    let shown = node.containers.get(&id[..12]).await.unwrap();
    assert_eq!((shown.status.as_str(), shown.gpu_ids.as_slice()), ("running", &[0][..]));
    assert!(shown.created > 0 && shown.started >= shown.created, "{shown:?}");
    assert_eq!(node.create(&wanted).await.unwrap(), id, "the key answers the same container");

    let port: u16 = shown.ports["80/tcp"].parse().unwrap();
    assert!(fetch(port, "/hello").await.ends_with("from the machine"));
    let limits = docker(&["inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", &id]);
    assert_eq!(limits, "67108864 500000000");

    node.containers.delete(&id).await.unwrap();
    assert!(node.ids().is_empty());
    assert!(node.containers.list().await.unwrap().is_empty());
}

/// Asks until the server in the container listens.
async fn fetch(port: u16, path: &str) -> String {
    let fetched = async {
        loop {
            let mut answer = String::new();
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await
                && stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.is_ok()
                && stream.read_to_string(&mut answer).await.is_ok()
                && answer.contains("200 OK")
            {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, fetched).await.expect("the container answers")
}

#[tokio::test]
async fn an_image_that_is_nowhere() {
    let Some(node) = Node::new() else { return };
    let missing = format!("{REGISTRY}/utopia-test/missing-{}:1", node.id.simple());
    let wanted = CreateContainerRequest { image: missing.clone(), ..node.request("missing", &[]) };
    let error = node.create(&wanted).await.unwrap_err();
    assert_eq!((error.parts().0, error.parts().1), (Code::FailedPrecondition, "ImagePullFailed"), "{error}");
    assert!(error.to_string().contains(&missing), "{error}");
    assert!(node.ids().is_empty());
}

#[tokio::test]
async fn a_taken_port_and_a_wrong_command_leave_nothing() {
    let Some(node) = Node::new() else { return };
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let host_port = i32::from(taken.local_addr().unwrap().port());
    let wanted = CreateContainerRequest {
        port_mappings: vec![PortMapping { host_port, container_port: 80, protocol: String::new() }],
        ..node.request("web", &["/bin/busybox", "sleep", "600"])
    };
    let error = node.create(&wanted).await.unwrap_err();
    assert_eq!((error.parts().0, error.parts().1), (Code::FailedPrecondition, "PortInUse"), "{error}");
    assert!(node.ids().is_empty());

    let error = node.create(&node.request("wrong", &["/nope"])).await.unwrap_err();
    assert_eq!((error.parts().0, error.parts().1), (Code::FailedPrecondition, "StartFailed"), "{error}");
    assert!(node.ids().is_empty());
}

#[tokio::test]
async fn removal_by_hand_is_noticed_and_foreign_containers_are_left_alone() {
    let Some(node) = Node::new() else { return };
    let sleeper = node.request("sleeper", &["/bin/busybox", "sleep", "600"]);
    let own = node.create(&sleeper).await.unwrap();
    let foreign_name = format!("foreign-{}", node.id.simple());
    let foreign = docker(&["run", "-d", "--name", &foreign_name, &node.image, "/bin/busybox", "sleep", "600"]);

    let listed = node.containers.list().await.unwrap();
    assert_eq!(listed.iter().map(|container| container.id.as_str()).collect::<Vec<_>>(), [own.as_str()]);
    let refused = node.containers.delete(&foreign).await.unwrap_err();
    let mut events = node.containers.events();
    docker(&["rm", "-f", &own]);
    until(&mut events, |state| state.phase() == ContainerPhase::Removed && state.container_id == own).await;
    let status = docker(&["inspect", "-f", "{{.State.Status}}", &foreign]);
    docker(&["rm", "-f", &foreign]);
    assert_eq!(refused.parts().0, Code::NotFound);
    assert_eq!(status, "running");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_named() {
    let runtime = Arc::new(Docker::new(Path::new("/nonexistent/docker.sock")));
    let containers = Containers::new(runtime, Vec::new(), Settings::default(), TaskTracker::new(), CancellationToken::new());
    containers.set_node_id(Uuid::new_v4());
    assert!(!containers.runtime_ready().await);
    let error = containers.list().await.unwrap_err();
    assert_eq!((error.parts().0, error.parts().1), (Code::Unavailable, "RuntimeUnavailable"));
    assert_eq!(error.to_string(), "Docker is not there: /nonexistent/docker.sock does not exist");
}

#[tokio::test]
async fn what_a_container_writes_is_read_as_it_was_written() {
    let Some(node) = Node::new() else { return };
    let script = "echo one; echo two >&2; printf 'a\\377b'; /bin/busybox head -c 20000 /dev/zero | /bin/busybox tr '\\0' x; echo";
    let id = node.create(&node.request("writer", &["/bin/busybox", "sh", "-c", script])).await.unwrap();
    let logs = async |request: StreamContainerLogsRequest| {
        let request = StreamContainerLogsRequest { id: id.clone(), ..request };
        let entries = node.containers.logs(&request).await.unwrap().try_collect::<Vec<_>>();
        timeout(PATIENCE, entries).await.expect("the container ends").unwrap()
    };
    let all = logs(StreamContainerLogsRequest { follow: true, ..StreamContainerLogsRequest::default() }).await;
    let of = |stream: LogStream| all.iter().filter(move |entry| entry.stream() == stream).map(|entry| entry.text.as_str());
    assert_eq!(of(LogStream::Stderr).collect::<String>(), "two\n");
    let out = of(LogStream::Stdout).collect::<String>();
    assert_eq!(out, format!("one\na\u{fffd}b{}\n", "x".repeat(20_000)));
    assert!(all.iter().all(|entry| entry.text.len() <= 16_384 + 2 && entry.time.is_some()));

    let last = logs(StreamContainerLogsRequest { tail: 1, ..StreamContainerLogsRequest::default() }).await;
    assert_eq!(last.iter().map(|entry| entry.text.clone()).collect::<String>().chars().last(), Some('\n'));
    let time = |entry: &LogEntry| entry.time.map(|time| (time.seconds, time.nanos)).unwrap();
    let newest = all.last().unwrap();
    let late = logs(StreamContainerLogsRequest { since: newest.time, ..StreamContainerLogsRequest::default() }).await;
    assert!(!late.is_empty() && late.iter().all(|entry| time(entry) >= time(newest)), "{late:?}");

    node.containers.delete(&id).await.unwrap();
    let gone = StreamContainerLogsRequest { id, ..StreamContainerLogsRequest::default() };
    assert!(matches!(node.containers.logs(&gone).await, Err(error) if error.parts().0 == Code::NotFound));
}
