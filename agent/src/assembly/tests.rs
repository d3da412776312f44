//! Whole agents against a control plane in process, without Docker.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Status;
use utopia_proto::{
    link::v1::{Command, agent_frame::Frame, command::Action, command_result::Outcome, control_frame},
    node::v1::{GetHealthRequest, GetMetricsRequest},
};

use super::*;
use crate::{config::Secret, gpu::GpuMode, identity::fixture::ControlPlane};

/// A running agent with a directory of its own.
struct Running {
    address: SocketAddr,
    cancel: CancellationToken,
    run: JoinHandle<anyhow::Result<()>>,
    dir: TempDir,
    _tracker: TaskTracker,
}

impl Running {
    async fn start(settings: &IdentitySettings) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    async fn start_in(dir: TempDir, settings: &IdentitySettings) -> Self {
        let config = Config {
            join: settings.join.clone(),
            api_token: Some(Secret::from("letmein")),
            gpus: GpuMode::Simulated(2),
            docker_socket: dir.path().join("no-docker.sock"),
            labels: [("rack".to_owned(), "7".to_owned())].into(),
            ..Config::new(dir.path().to_path_buf(), settings.server.clone())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let tracker = TaskTracker::new();
        let run = tracker.spawn(run_on(listener, config, cancel.clone()));
        Self { address, cancel, run, dir, _tracker: tracker }
    }

    /// Status line and body of a GET.
    async fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer letmein\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    async fn stop(self) -> TempDir {
        self.cancel.cancel();
        self.run.await.unwrap().unwrap();
        self.dir
    }

    /// How a run that ends by itself ends.
    async fn failure(self) -> String {
        format!("{:#}", self.run.await.unwrap().unwrap_err())
    }
}

fn command(id: &str, action: Action) -> control_frame::Frame {
    control_frame::Frame::Command(Command { id: id.to_owned(), timeout_ms: 5000, action: Some(action) })
}

fn result_of(id: &'static str) -> impl FnMut(Frame) -> Option<Outcome> {
    move |frame| match frame {
        Frame::Result(result) if result.id == id => result.outcome,
        Frame::Result(_) | Frame::Hello(_) | Frame::Inventory(_) | Frame::Heartbeat(_) | Frame::Container(_) => None,
    }
}

#[tokio::test]
async fn an_agent_joins_tells_of_its_machine_and_carries_out_commands() {
    let control = ControlPlane::start().await;
    let agent = Running::start(&control.settings()).await;
    let greeting = control.next_session().await;
    let hello = greeting.hello.clone();
    assert_eq!(hello.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>(), ["Simulated GPU 0", "Simulated GPU 1"]);
    let facts = hello.facts.unwrap();
    assert_eq!(facts.labels["utopia.dev/simulated-gpus"], "true");
    assert_eq!(facts.labels["rack"], "7");
    assert!(!facts.hostname.is_empty() && facts.cpu_count > 0 && facts.memory_bytes > 0);
    assert_eq!(facts.runtime, "", "there is no Docker");

    let mut session = greeting.welcome(1, 50).await;
    let heartbeat = session.find(|frame| if let Frame::Heartbeat(heartbeat) = frame { Some(heartbeat) } else { None }).await;
    assert_eq!(heartbeat.gpus.len(), 2);
    assert!(!heartbeat.runtime_ready);
    assert!(heartbeat.memory_used_bytes > 0);

    session.send(command("a", Action::GetMetrics(GetMetricsRequest { node_id: hello.node_id.clone() }))).await;
    let Outcome::Metrics(metrics) = session.find(result_of("a")).await else { panic!("no metrics") };
    assert_eq!(metrics.node_id, hello.node_id);
    assert_eq!(metrics.gpus[1].uuid, hello.gpus[1].uuid);

    session.send(command("b", Action::GetMetrics(GetMetricsRequest { node_id: "another".to_owned() }))).await;
    let Outcome::Failure(failure) = session.find(result_of("b")).await else { panic!("another node's metrics") };
    assert_eq!(failure.reason, "NotFound");

    session.send(command("c", Action::GetHealth(GetHealthRequest::default()))).await;
    let Outcome::Failure(failure) = session.find(result_of("c")).await else { panic!("healthy without a runtime") };
    assert_eq!(failure.reason, "RuntimeUnavailable");

    assert_eq!(agent.get("/ready").await.0, "HTTP/1.1 200 OK");
    let (_, metrics) = agent.get("/metrics").await;
    for line in [
        "utopia_agent_session_connected 1.0",
        "utopia_agent_commands_total{kind=\"get_metrics\",outcome=\"Ok\"} 1",
        "utopia_agent_commands_total{kind=\"get_health\",outcome=\"Unavailable\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn the_node_api_answers_while_the_control_plane_is_away() {
    let control = ControlPlane::start().await;
    let agent = Running::start(&control.settings()).await;
    control.welcome(1, 1000).await.find(|_| Some(())).await;
    let dir = agent.stop().await;
    let mut settings = control.settings();
    drop(control);

    // It knows who it is without a token and without anybody to ask.
    settings.join = None;
    let agent = Running::start_in(dir, &settings).await;
    let (status, body) = agent.get("/api/v1/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("\"gpus\":[{\"id\":0,"), "{body}");
    assert_eq!(agent.get("/health").await.0, "HTTP/1.1 503 Service Unavailable", "there is no Docker");
    let (status, body) = agent.get("/ready").await;
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 503 Service Unavailable", "not connected to the control plane\n"));
    agent.stop().await;
}

#[tokio::test]
async fn a_machine_that_cannot_join_says_so_and_ends() {
    let control = ControlPlane::start().await;
    let unjoined = IdentitySettings { join: None, ..control.settings() };
    assert!(Running::start(&unjoined).await.failure().await.contains("has not joined a control plane yet"));

    control.state.failures.lock().unwrap().push(Status::unauthenticated("the join token has expired"));
    let failure = Running::start(&control.settings()).await.failure().await;
    assert_eq!(failure, "the control plane did not let this machine join: the join token has expired");
}

#[tokio::test]
async fn an_agent_whose_node_was_deleted_ends() {
    let control = ControlPlane::start().await;
    let agent = Running::start(&control.settings()).await;
    control.next_session().await.refuse(Status::permission_denied("the node was deleted"));
    let failure = agent.failure().await;
    assert!(failure.starts_with("the control plane refused this agent: the node was deleted"), "{failure}");
}

#[tokio::test]
async fn a_taken_address_is_one_clear_sentence() {
    let control = ControlPlane::start().await;
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let config = Config { http_addr: address, ..Config::new(dir.path().to_path_buf(), control.settings().server) };
    let error = run(config, CancellationToken::new()).await.unwrap_err();
    assert_eq!(format!("{error:#}"), format!("cannot listen on {address}: address already in use"));
}
