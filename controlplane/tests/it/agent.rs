//! A scripted agent: a real session over mutual TLS, whose answers a test writes.

use std::sync::{Arc, Mutex};

use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use utopia_proto::link::v1::{
    AgentFrame, Command, CommandResult, ContainerPhase, ContainerState, ControlFrame, EnsureClaim, Failure, GpuReading,
    Heartbeat, Hello, Inventory, agent_frame::Frame as Say, agent_link_client::AgentLinkClient, command::Action,
    command_result::Outcome, control_frame::Frame as Heard,
};

use crate::{machine::Node, plane::Plane, wait::soon};

/// What an agent says to a command.
pub(crate) type Script = Box<dyn FnMut(&Command) -> Vec<Say> + Send>;

/// An agent with an open session. Dropping it breaks the connection.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) session_epoch: u64,
    say: mpsc::Sender<AgentFrame>,
    heard: Arc<Log>,
    _reader: JoinSet<()>,
}

/// What was heard in the session.
#[derive(Debug, Default)]
struct Log {
    session: Mutex<Session>,
    grew: Notify,
}

#[derive(Debug, Default)]
struct Session {
    frames: Vec<Heard>,
    ended: Option<Status>,
}

impl Log {
    fn change(&self, change: impl FnOnce(&mut Session)) {
        change(&mut self.session.lock().unwrap());
        self.grew.notify_waiters();
    }

    async fn wait<T>(&self, what: &str, look: impl Fn(&Session) -> Option<T>) -> T {
        let found = async {
            loop {
                let grown = self.grew.notified();
                let found = look(&self.session.lock().unwrap());
                match found {
                    Some(found) => return found,
                    None => grown.await,
                }
            }
        };
        soon(what, found).await
    }
}

impl Agent {
    /// Opens a session, reports no containers, and does what it is told.
    pub(crate) async fn obedient(plane: &Plane, node: &Node) -> Self {
        Self::open(plane, node, Vec::new(), Box::new(obey)).await
    }

    /// Opens a session, reports no containers, and answers by the script.
    pub(crate) async fn scripted(plane: &Plane, node: &Node, script: impl FnMut(&Command) -> Vec<Say> + Send + 'static) -> Self {
        Self::open(plane, node, Vec::new(), Box::new(script)).await
    }

    /// Opens a session, reports these containers, and answers by the script.
    pub(crate) async fn open(plane: &Plane, node: &Node, containers: Vec<ContainerState>, script: Script) -> Self {
        let agent = Self::connect(plane, node, hello(node), script).await.unwrap();
        agent.say(Say::Inventory(Inventory { containers, more: false })).await;
        agent.say(Say::Heartbeat(heartbeat(node))).await;
        agent
    }

    /// Opens a session and says nothing but Hello.
    pub(crate) async fn connect(plane: &Plane, node: &Node, hello: Hello, mut script: Script) -> Result<Self, Status> {
        let channel = node.channel(plane).await;
        let (say, frames) = mpsc::channel(64);
        let answers = say.clone();
        say.send(AgentFrame { frame: Some(Say::Hello(hello)) }).await.unwrap();
        let mut link = AgentLinkClient::new(channel);
        let mut inbound = soon("the session", link.connect(ReceiverStream::new(frames))).await?.into_inner();
        let Some(ControlFrame { frame: Some(Heard::Welcome(welcome)) }) = soon("the Welcome", inbound.message()).await? else {
            panic!("the first frame is not a Welcome");
        };
        let heard = Arc::new(Log::default());
        let mut reader = JoinSet::new();
        let log = heard.clone();
        reader.spawn(async move {
            let ended = loop {
                match inbound.message().await {
                    Ok(Some(ControlFrame { frame })) => {
                        let frame = frame.expect("a frame says something");
                        let said = if let Heard::Command(command) = &frame { script(command) } else { Vec::new() };
                        for say in said {
                            // The session may have ended meanwhile, which the next message tells.
                            let _ = answers.send(AgentFrame { frame: Some(say) }).await;
                        }
                        // Last, so that what a test says when it has heard this comes after the answer.
                        log.change(|session| session.frames.push(frame));
                    }
                    Ok(None) => break Status::ok("the stream ended"),
                    Err(status) => break status,
                }
            };
            log.change(|session| session.ended = Some(ended));
        });
        Ok(Self { session_epoch: welcome.session_epoch, say, heard, _reader: reader })
    }

    /// Says something unasked.
    pub(crate) async fn say(&self, say: Say) {
        self.say.send(AgentFrame { frame: Some(say) }).await.expect("the session is open");
    }

    /// Reports where a container stands.
    pub(crate) async fn report(&self, state: ContainerState) {
        self.say(Say::Container(state)).await;
    }

    /// Waits until a frame was heard of which this finds something.
    pub(crate) async fn hears<T>(&self, what: &str, find: impl Fn(&Heard) -> Option<T>) -> T {
        self.heard.wait(what, |session| session.frames.iter().find_map(&find)).await
    }

    /// Waits for the order to make a claim's container.
    pub(crate) async fn hears_ensure(&self, claim: &str) -> EnsureClaim {
        let find = |frame: &Heard| match action(frame) {
            Some(Action::EnsureClaim(ensure)) if ensure.claim_id == claim => Some(ensure.clone()),
            Some(_) | None => None,
        };
        self.hears(&format!("EnsureClaim of {claim}"), find).await
    }

    /// Waits for the order to remove a claim's containers; answers up to which placement.
    pub(crate) async fn hears_release(&self, claim: &str) -> u64 {
        self.hears(&format!("ReleaseClaim of {claim}"), |frame| released(frame, claim)).await
    }

    /// Waits until it was granted so many parts of results altogether.
    pub(crate) async fn is_granted(&self, parts: u32) {
        let granted = |frame: &Heard| if let Heard::Grant(grant) = frame { grant.parts } else { 0 };
        let all = |session: &Session| session.frames.iter().map(granted).sum::<u32>();
        self.heard.wait(&format!("{parts} grants"), |session| (all(session) == parts).then_some(())).await;
    }

    /// Whether it was told to remove containers of this claim.
    pub(crate) fn was_told_to_release(&self, claim: &str) -> bool {
        self.heard.session.lock().unwrap().frames.iter().any(|frame| released(frame, claim).is_some())
    }

    /// Waits until the server has ended the session; answers with what.
    pub(crate) async fn is_cut(&self) -> Status {
        self.heard.wait("the end of the session", |session| session.ended.clone()).await
    }
}

fn released(frame: &Heard, claim: &str) -> Option<u64> {
    let Some(Action::ReleaseClaim(release)) = action(frame) else { return None };
    (release.claim_id == claim).then_some(release.epoch)
}

/// What a frame commands.
pub(crate) fn action(frame: &Heard) -> Option<&Action> {
    match frame {
        Heard::Command(command) => command.action.as_ref(),
        Heard::Welcome(_) | Heard::Cancel(_) | Heard::Drain(_) | Heard::HeartbeatAck(_) | Heard::Grant(_) => None,
    }
}

/// What a node's agent says first.
pub(crate) fn hello(node: &Node) -> Hello {
    Hello { node_id: node.id.clone(), protocol: 1, facts: Some(node.machine.facts.clone()), gpus: node.machine.gpus.clone() }
}

/// A sign of life of a node whose runtime answers and whose GPUs are free.
pub(crate) fn heartbeat(node: &Node) -> Heartbeat {
    let gpus = vec![GpuReading { temperature_c: 40, ..GpuReading::default() }; node.machine.gpus.len()];
    Heartbeat { sequence: 1, runtime_ready: true, gpus, ..Heartbeat::default() }
}

/// Where the container of a placement stands.
pub(crate) fn state(ensure: &EnsureClaim, phase: ContainerPhase) -> ContainerState {
    let container_id = if phase == ContainerPhase::Preparing { String::new() } else { format!("c-{}", ensure.epoch) };
    ContainerState {
        claim_id: ensure.claim_id.clone(),
        epoch: ensure.epoch,
        container_id,
        phase: phase.into(),
        gpu_uuids: ensure.gpu_uuids.clone(),
        ..ContainerState::default()
    }
}

/// The result of a command.
pub(crate) fn result(command: &Command, outcome: Outcome) -> Say {
    Say::Result(CommandResult { id: command.id.clone(), more: false, outcome: Some(outcome) })
}

/// The failure of a command.
pub(crate) fn failure(command: &Command, code: Code, reason: &str, message: &str) -> Say {
    let failure = Failure { code: code.into(), reason: reason.into(), message: message.into(), field: String::new() };
    result(command, Outcome::Failure(failure))
}

/// Accepts a placement, and says nothing of its outcome.
pub(crate) fn accept(command: &Command, ensure: &EnsureClaim) -> Vec<Say> {
    vec![result(command, Outcome::Claim(state(ensure, ContainerPhase::Preparing)))]
}

/// Does what it is told: containers run at once, and are gone at once.
pub(crate) fn obey(command: &Command) -> Vec<Say> {
    let action = command.action.as_ref().expect("a command commands something");
    if let Action::EnsureClaim(ensure) = action {
        let mut said = accept(command, ensure);
        said.push(Say::Container(state(ensure, ContainerPhase::Running)));
        said
    } else if let Action::ReleaseClaim(_) = action {
        vec![result(command, Outcome::Done(()))]
    } else {
        vec![failure(command, Code::Unimplemented, "NotScripted", &format!("{action:?}"))]
    }
}

/// Accepts placements and waits to be told what becomes of them; does everything else.
pub(crate) fn hesitate(command: &Command) -> Vec<Say> {
    match command.action.as_ref() {
        Some(Action::EnsureClaim(ensure)) => accept(command, ensure),
        Some(_) | None => obey(command),
    }
}
