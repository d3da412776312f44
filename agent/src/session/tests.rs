//! Sessions against a real server whose part the test plays.

use std::sync::Mutex;

use jiff::SignedDuration;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::command::Action;
use utopia_proto::link::v1::command_result::Outcome;
use utopia_proto::link::v1::control_frame::Frame as ToAgent;
use utopia_proto::link::v1::{
    Cancel, Command, CommandResult, ContainerPhase, Drain, EnsureClaim, Failure, HeartbeatAck, MachineFacts,
};
use utopia_proto::node::v1::{
    Container, GetHealthRequest, GetMetricsRequest, Health, ListContainersRequest, ListContainersResponse,
};

use super::*;
use crate::error::Error;
use crate::identity::fixture::{ControlPlane, DAY, ServerSession};

mod parts;

/// Long enough that a test never sees the second heartbeat, and no session counts as silent.
const NEVER_MS: u32 = 3_600_000;

/// An agent whose containers are what the test says.
struct Agent {
    containers: Mutex<Vec<ContainerState>>,
    hostname: Mutex<String>,
    events: broadcast::Sender<ContainerState>,
    /// Commands that began and ended, by name.
    log: mpsc::Sender<&'static str>,
    placed: Notify,
}

impl Link for Agent {
    async fn hello(&self) -> Hello {
        let facts = MachineFacts { hostname: self.hostname.lock().unwrap().clone(), ..MachineFacts::default() };
        Hello { facts: Some(facts), ..Hello::default() }
    }

    async fn inventory(&self) -> Vec<ContainerState> {
        self.containers.lock().unwrap().clone()
    }

    async fn heartbeat(&self) -> Heartbeat {
        Heartbeat { runtime_ready: true, ..Heartbeat::default() }
    }

    async fn execute(&self, action: Action, parts: Parts, cancel: CancellationToken) -> Result<Outcome, Error> {
        match action {
            Action::GetHealth(_) => Ok(Outcome::Health(Health { status: "ok".into(), ..Health::default() })),
            Action::ListContainers(_) => {
                let containers = (0..150).map(|id| Container { id: id.to_string(), ..Container::default() }).collect();
                Ok(Outcome::Containers(ListContainersResponse { containers }))
            }
            // Ends only when it is called off.
            Action::GetMetrics(_) => {
                self.log.send("metrics begun").await.unwrap();
                cancel.cancelled().await;
                self.log.send("metrics called off").await.unwrap();
                Err(Error::Cancelled)
            }
            Action::EnsureClaim(_) => {
                self.log.send("placing").await.unwrap();
                tokio::select! {
                    () = self.placed.notified() => self.log.send("placed").await.unwrap(),
                    () = cancel.cancelled() => self.log.send("placing called off").await.unwrap(),
                }
                Ok(Outcome::Done(()))
            }
            Action::ReleaseClaim(release) => Err(Error::NotFound { kind: "claim", name: release.claim_id }),
            Action::StreamContainerLogs(request) => parts::write(&request, &parts, &cancel, &self.log).await,
            Action::CreateContainer(_) | Action::DeleteContainer(_) | Action::GetContainer(_) => unreachable!(),
        }
    }

    fn events(&self) -> broadcast::Receiver<ContainerState> {
        self.events.subscribe()
    }
}

/// A control plane, and an agent that keeps a session to it.
struct Stage {
    plane: ControlPlane,
    agent: Arc<Agent>,
    identity: Arc<Identity>,
    log: mpsc::Receiver<&'static str>,
    status: watch::Receiver<SessionStatus>,
    cancel: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), Fatal>>,
}

impl Stage {
    async fn set() -> Self {
        Self::with(ControlPlane::start().await, SessionSettings::default()).await
    }

    async fn with(plane: ControlPlane, settings: SessionSettings) -> Self {
        let identity = plane.joined().await;
        let (log_sender, log) = mpsc::channel(128);
        let agent = Arc::new(Agent {
            containers: Mutex::default(),
            hostname: Mutex::default(),
            events: broadcast::channel(4).0,
            log: log_sender,
            placed: Notify::new(),
        });
        let (status_sender, status) = watch::channel(SessionStatus::default());
        let cancel = CancellationToken::new();
        let session = run(Arc::clone(&agent), Arc::clone(&identity), settings, status_sender, cancel.clone());
        let ended = TaskTracker::new().spawn(session);
        Self { plane, agent, identity, log, status, cancel, ended }
    }

    async fn until(&mut self, condition: impl FnMut(&SessionStatus) -> bool) -> SessionStatus {
        self.status.wait_for(condition).await.unwrap().clone()
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

impl ServerSession {
    async fn command(&self, id: &str, action: Action) {
        let command = Command { id: id.to_owned(), timeout_ms: 60_000, action: Some(action) };
        self.send(ToAgent::Command(command)).await;
    }

    async fn result(&mut self) -> CommandResult {
        self.find(|frame| if let Frame::Result(result) = frame { Some(result) } else { None }).await
    }

    async fn failure(&mut self) -> (String, Failure) {
        match self.result().await {
            CommandResult { id, outcome: Some(Outcome::Failure(failure)), .. } => (id, failure),
            other => panic!("{other:?}"),
        }
    }

    async fn inventory(&mut self) -> Vec<ContainerState> {
        self.find(|frame| if let Frame::Inventory(inventory) = frame { Some(inventory.containers) } else { None }).await
    }
}

fn state(claim_id: &str) -> ContainerState {
    ContainerState { claim_id: claim_id.to_owned(), phase: ContainerPhase::Running.into(), ..ContainerState::default() }
}

fn health() -> Action {
    Action::GetHealth(GetHealthRequest::default())
}

fn metrics() -> Action {
    Action::GetMetrics(GetMetricsRequest::default())
}

#[tokio::test]
async fn a_session_says_hello_then_reports_what_there_is() {
    let mut stage = Stage::set().await;
    stage.agent.containers.lock().unwrap().push(state("a"));
    let greeting = stage.plane.next_session().await;
    assert_eq!(greeting.hello.node_id, stage.identity.node_id().to_string());
    assert_eq!(greeting.hello.protocol, PROTOCOL);
    assert!(!stage.status.borrow().is_connected());

    let mut session = greeting.welcome(7, NEVER_MS).await;
    let (mut heartbeat, mut inventory) = (None, None);
    while heartbeat.is_none() || inventory.is_none() {
        match session.frame().await.unwrap() {
            Frame::Heartbeat(beat) => heartbeat = Some(beat),
            Frame::Inventory(all) => inventory = Some(all),
            other @ (Frame::Hello(_) | Frame::Container(_) | Frame::Result(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!(heartbeat.unwrap(), Heartbeat { sequence: 1, runtime_ready: true, ..Heartbeat::default() });
    assert_eq!(inventory.unwrap().containers, [state("a")]);
    let status = stage.until(SessionStatus::is_connected).await;
    assert_eq!((status.session_epoch, status.reconnects), (7, 0));

    stage.agent.events.send(state("b")).unwrap();
    assert_eq!(session.find(|frame| if let Frame::Container(state) = frame { Some(state) } else { None }).await, state("b"));
    stage.stop().await;
    assert!(session.frame().await.is_none(), "a stopped agent ends its session");
}

#[tokio::test]
async fn events_that_come_too_fast_become_an_inventory() {
    let stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    session.inventory().await;
    stage.agent.containers.lock().unwrap().push(state("all"));
    // More than the receiver holds, without letting the session run in between.
    for _ in 0..100 {
        stage.agent.events.send(state("one")).unwrap();
    }
    assert_eq!(session.inventory().await, [state("all")]);
    stage.stop().await;
}

#[tokio::test]
async fn heartbeats_go_on_and_facts_that_changed_are_said_again() {
    let settings = SessionSettings { inventory_interval: Duration::from_millis(20), ..SessionSettings::default() };
    let stage = Stage::with(ControlPlane::start().await, settings).await;
    let mut session = stage.plane.welcome(1, 300).await;
    for expected in 1..=4 {
        let sequence = session.find(|frame| if let Frame::Heartbeat(beat) = frame { Some(beat.sequence) } else { None }).await;
        assert_eq!(sequence, expected);
        session.send(ToAgent::HeartbeatAck(HeartbeatAck { sequence })).await;
    }
    *stage.agent.hostname.lock().unwrap() = "renamed".to_owned();
    // Without further answers the session would soon count as silent: keep it alive while looking for the Hello.
    loop {
        match session.frame().await.unwrap() {
            Frame::Hello(hello) => break assert_eq!(hello.facts.unwrap().hostname, "renamed"),
            Frame::Heartbeat(Heartbeat { sequence, .. }) => {
                session.send(ToAgent::HeartbeatAck(HeartbeatAck { sequence })).await;
            }
            Frame::Inventory(_) => {}
            other @ (Frame::Container(_) | Frame::Result(_)) => panic!("{other:?}"),
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_heartbeats_is_left() {
    let mut stage = Stage::set().await;
    let silent = stage.plane.welcome(1, 20).await;
    let _next = stage.plane.welcome(2, NEVER_MS).await;
    let status = stage.until(|status| status.session_epoch == 2).await;
    assert!(status.last_end.contains("has not answered heartbeats"), "{status:?}");
    assert_eq!(status.reconnects, 1);
    drop(silent);
    stage.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_welcome_is_left() {
    let settings = SessionSettings { welcome_timeout: Duration::from_millis(500), ..SessionSettings::default() };
    let mut stage = Stage::with(ControlPlane::start().await, settings).await;
    let unanswered = stage.plane.next_session().await;
    let status = stage.until(|status| !status.last_end.is_empty()).await;
    assert_eq!(status.last_end, "the control plane did not answer the Hello");
    drop(unanswered);
    stage.stop().await;
}

#[tokio::test]
async fn a_lost_session_is_followed_by_another() {
    let mut stage = Stage::set().await;
    for epoch in 1..=3 {
        let mut session = stage.plane.welcome(epoch, NEVER_MS).await;
        session.inventory().await;
        session.end(Status::unavailable("stopping")).await;
    }
    let _open = stage.plane.welcome(4, NEVER_MS).await;
    let status = stage.until(|status| status.session_epoch == 4).await;
    assert_eq!((status.reconnects, status.last_end.as_str()), (3, "stopping"));
    stage.stop().await;
}

#[tokio::test]
async fn a_drained_agent_comes_back_when_it_is_told() {
    // Only the hint can be what keeps the agent away: by itself it would be back at once.
    let settings = SessionSettings { backoff_base: Duration::ZERO, ..SessionSettings::default() };
    let mut stage = Stage::with(ControlPlane::start().await, settings).await;
    let session = stage.plane.welcome(1, NEVER_MS).await;
    let drained = Instant::now();
    session.send(ToAgent::Drain(Drain { reconnect_after_ms: 300, reason: "upgrade".to_owned() })).await;
    let _next = stage.plane.welcome(2, NEVER_MS).await;
    assert!(drained.elapsed() >= Duration::from_millis(300));
    let status = stage.until(|status| status.session_epoch == 2).await;
    assert_eq!(status.last_end, "upgrade");
    stage.stop().await;
}

#[test]
fn a_hint_is_never_undercut_and_spreads_the_fleet() {
    for hint in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(30)] {
        let delays = (0..200).map(|_| with_jitter(hint)).collect::<Vec<_>>();
        assert!(delays.iter().all(|delay| *delay >= hint && *delay <= hint + (hint / 2).max(Duration::from_secs(1))));
        assert!(delays.iter().max() > delays.iter().min());
    }
}

#[tokio::test]
async fn a_node_that_was_deleted_stops_for_good() {
    for status in [Status::permission_denied("this node was deleted"), Status::unauthenticated("who are you")] {
        let stage = Stage::set().await;
        let message = status.message().to_owned();
        stage.plane.next_session().await.refuse(status);
        let fatal = stage.ended.await.unwrap().unwrap_err();
        assert!(matches!(&fatal, Fatal::Refused(reason) if *reason == message), "{fatal}");
    }

    let mut stage = Stage::set().await;
    let session = stage.plane.welcome(1, NEVER_MS).await;
    session.command("1", metrics()).await;
    assert_eq!(stage.log.recv().await, Some("metrics begun"));
    session.end(Status::permission_denied("this node was deleted")).await;
    assert_eq!(stage.log.recv().await, Some("metrics called off"));
    assert!(matches!(stage.ended.await.unwrap(), Err(Fatal::Refused(_))));
}

#[tokio::test]
async fn an_expired_certificate_is_recovered_before_connecting() {
    let plane = ControlPlane::start().await;
    plane.backdate(DAY * 2);
    let identity = plane.joined().await;
    assert!(identity.is_expired());
    plane.backdate(SignedDuration::ZERO);
    let mut stage = Stage::with(plane, SessionSettings::default()).await;
    let _session = stage.plane.welcome(1, NEVER_MS).await;
    stage.until(SessionStatus::is_connected).await;
    assert!(!stage.identity.is_expired());
    stage.stop().await;
}

#[tokio::test]
async fn commands_are_answered() {
    let stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    session.command("1", health()).await;
    let result = session.result().await;
    assert!(matches!(result.outcome, Some(Outcome::Health(Health { status, .. })) if status == "ok"));
    assert_eq!((result.id.as_str(), result.more), ("1", false));

    session.command("2", Action::ListContainers(ListContainersRequest::default())).await;
    assert!(session.result().await.more);
    assert!(!session.result().await.more);

    session.command("3", Action::ReleaseClaim(utopia_proto::link::v1::ReleaseClaim::default())).await;
    let (id, failure) = session.failure().await;
    assert_eq!((id.as_str(), failure.code, failure.reason.as_str()), ("3", Code::NotFound.into(), "NotFound"));

    session.send(ToAgent::Command(Command { id: "4".to_owned(), timeout_ms: 0, action: None })).await;
    assert_eq!(session.failure().await.1.reason, "UnknownCommand");
    stage.stop().await;
}

#[tokio::test]
async fn a_command_ends_when_it_is_called_off_or_too_late() {
    let mut stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    session.command("1", metrics()).await;
    assert_eq!(stage.log.recv().await, Some("metrics begun"));
    session.send(ToAgent::Cancel(Cancel { command_id: "1".to_owned() })).await;
    let (id, failure) = session.failure().await;
    assert_eq!((id.as_str(), failure.code), ("1", Code::Cancelled.into()));
    assert_eq!(stage.log.recv().await, Some("metrics called off"));

    session.send(ToAgent::Command(Command { id: "2".to_owned(), timeout_ms: 20, action: Some(metrics()) })).await;
    let (id, failure) = session.failure().await;
    assert_eq!((id.as_str(), failure.code), ("2", Code::DeadlineExceeded.into()));
    assert_eq!(failure.message, "not done within 20ms");
    stage.stop().await;
}

#[tokio::test]
async fn the_same_command_twice_is_done_once() {
    let mut stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    for _ in 0..2 {
        session.command("1", Action::EnsureClaim(EnsureClaim::default())).await;
    }
    session.command("2", health()).await;
    assert_eq!(session.result().await.id, "2");
    stage.agent.placed.notify_one();
    assert_eq!(session.result().await.id, "1");
    assert_eq!((stage.log.recv().await, stage.log.recv().await), (Some("placing"), Some("placed")));
    assert!(stage.log.try_recv().is_err());
    stage.stop().await;
}

#[tokio::test]
async fn more_commands_than_an_agent_can_do_are_refused() {
    let mut stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    for index in 0..64 {
        session.command(&index.to_string(), Action::EnsureClaim(EnsureClaim::default())).await;
    }
    for _ in 0..64 {
        assert_eq!(stage.log.recv().await, Some("placing"));
    }
    session.command("one more", health()).await;
    let (id, failure) = session.failure().await;
    assert_eq!((id.as_str(), failure.code), ("one more", Code::ResourceExhausted.into()));
    assert_eq!(failure.reason, "AgentBusy");
    stage.agent.placed.notify_one();
    session.result().await;
    stage.stop().await;
}

#[tokio::test]
async fn placing_outlives_the_session_and_its_late_result_is_dropped() {
    let mut stage = Stage::set().await;
    let session = stage.plane.welcome(1, NEVER_MS).await;
    session.command("1", Action::EnsureClaim(EnsureClaim::default())).await;
    assert_eq!(stage.log.recv().await, Some("placing"));
    session.command("2", metrics()).await;
    assert_eq!(stage.log.recv().await, Some("metrics begun"));
    session.end(Status::unavailable("stopping")).await;
    assert_eq!(stage.log.recv().await, Some("metrics called off"));

    let mut session = stage.plane.welcome(2, NEVER_MS).await;
    stage.agent.placed.notify_one();
    assert_eq!(stage.log.recv().await, Some("placed"));
    session.command("3", health()).await;
    assert_eq!(session.result().await.id, "3", "nobody waits for the first result any more");
    stage.stop().await;
}

#[tokio::test]
async fn a_certificate_that_was_renewed_serves_the_next_session() {
    let stage = Stage::set().await;
    let before = stage.identity.not_after();
    let session = stage.plane.welcome(1, NEVER_MS).await;
    stage.plane.backdate(-SignedDuration::from_mins(1));
    stage.identity.refresh(false).await.unwrap();
    assert!(stage.identity.not_after() > before);
    session.end(Status::unavailable("stopping")).await;
    let mut session = stage.plane.welcome(2, NEVER_MS).await;
    session.inventory().await;
    stage.stop().await;
}
