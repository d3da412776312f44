//! One simulated agent: it enrols with a key of its own, and keeps one connection and one session open.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;
use utopia_agent::backoff::Backoff;
use utopia_agent::dial::{self, Server};
use utopia_certs::tls;
use utopia_load_tests::peer::Join;
use utopia_proto::codec::MAX_FRAME_BYTES;
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::agent_link_client::AgentLinkClient;
use utopia_proto::link::v1::enrolment_service_client::EnrolmentServiceClient;
use utopia_proto::link::v1::{AgentFrame, ControlFrame, EnrolRequest, control_frame};

use crate::machine::Machine;
use crate::meter::Meter;

/// Frames on their way out; an agent seldom has more than one to say.
const OUTGOING_CAPACITY: usize = 8;
const BACKOFF_BASE: Duration = Duration::from_millis(200);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// A share of the interval by which heartbeats vary, either way, as with the real agent.
const HEARTBEAT_JITTER: f64 = 0.1;
/// No run is longer.
const NEVER: Duration = Duration::from_hours(24);

/// How often agents report.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As the server wishes.
    Asked,
    /// At an interval of the run's.
    Every(Duration),
    /// After the first time, not at all.
    Quiet,
}

/// What all agents of a fleet share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: Server,
    /// One permit for each agent that is connecting.
    pub(crate) dialling: Semaphore,
    pub(crate) meter: Meter,
    pub(crate) pace: watch::Sender<Pace>,
}

/// How machines become agents of a server: over one connection, with TLS settings whose parts are shared by all.
pub(crate) struct Enrolment {
    channel: Channel,
    token: String,
    tls: std::sync::OnceLock<Arc<ClientConfig>>,
}

impl Enrolment {
    pub(crate) async fn open(join: &Join) -> anyhow::Result<Self> {
        let channel = dial::connect(&join.server, tls::pinned_client_config(&join.ca_hash)?).await?;
        Ok(Self { channel, token: join.token.clone(), tls: std::sync::OnceLock::new() })
    }

    /// Gets a certificate with the join token.
    pub(crate) async fn enrol(&self, index: u32) -> anyhow::Result<Agent> {
        let machine = Machine::new(index);
        let key = utopia_certs::generate_key()?;
        let request = EnrolRequest {
            token: self.token.clone(),
            csr: key.csr()?,
            machine_id: machine.id.clone(),
            node_id: String::new(),
            facts: Some(machine.facts()),
        };
        let answer = EnrolmentServiceClient::new(self.channel.clone()).enrol(request).await;
        let answer = answer.with_context(|| format!("agent {index} could not enrol"))?.into_inner();
        let known = match self.tls.get() {
            Some(known) => known,
            None => {
                let made = tls::client_config(&answer.ca_certificate.into(), None)?;
                self.tls.get_or_init(|| made)
            }
        };
        let tls = with_identity(known, answer.certificate, key.to_der())?;
        Ok(Agent { node_id: answer.node_id, tls, machine })
    }
}

fn with_identity(known: &ClientConfig, certificate: Vec<u8>, key: PrivateKeyDer<'static>) -> anyhow::Result<Arc<ClientConfig>> {
    let certified = CertifiedKey::from_der(vec![certificate.into()], key, known.crypto_provider())?;
    let mut tls = known.clone();
    tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    Ok(Arc::new(tls))
}

/// An agent with its certificate.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) node_id: String,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) machine: Machine,
}

/// An open session.
pub(crate) struct Session {
    pub(crate) say: mpsc::Sender<AgentFrame>,
    pub(crate) inbound: Streaming<ControlFrame>,
    /// What the server wishes.
    interval: Duration,
}

impl Session {
    pub(crate) async fn say(&self, frame: Frame) -> anyhow::Result<()> {
        self.say.send(AgentFrame { frame: Some(frame) }).await.context("the stream has ended")
    }

    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<control_frame::Frame>> {
        Ok(self.inbound.message().await?.context("the server ended the session")?.frame)
    }
}

impl Agent {
    /// Keeps a session open until cancelled; is there to come back then.
    pub(crate) async fn run(mut self, shared: Arc<Shared>, cancel: CancellationToken) -> Self {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        loop {
            let mut counted = Counted::new(&shared.meter);
            let session = Box::pin(self.session(&shared, &mut counted));
            let Some(ended) = cancel.run_until_cancelled(session).await else { break };
            if counted.online {
                backoff.reset();
                shared.meter.lost();
            } else {
                shared.meter.failed();
            }
            drop(counted);
            if let Err(error) = ended {
                tracing::info!(node = %self.node_id, error = %format!("{error:#}"), "a session was lost");
            }
            if cancel.run_until_cancelled(tokio::time::sleep(backoff.next_delay())).await.is_none() {
                break;
            }
        }
        self
    }

    /// Says Hello over a connection, and is welcomed.
    pub(crate) async fn greet(&self, channel: Channel) -> anyhow::Result<Session> {
        let (say, frames) = mpsc::channel(OUTGOING_CAPACITY);
        say.send(AgentFrame { frame: Some(self.machine.hello(&self.node_id)) }).await?;
        let mut client = AgentLinkClient::new(channel).max_decoding_message_size(MAX_FRAME_BYTES);
        let inbound = client.connect(ReceiverStream::new(frames)).await?.into_inner();
        let mut session = Session { say, inbound, interval: Duration::ZERO };
        let Some(control_frame::Frame::Welcome(welcome)) = session.next().await? else {
            bail!("the first frame is no Welcome");
        };
        session.interval = Duration::from_millis(welcome.heartbeat_interval_ms.into());
        session.say(self.machine.inventory()).await?;
        Ok(session)
    }

    async fn session(&mut self, shared: &Shared, counted: &mut Counted<'_>) -> anyhow::Result<()> {
        let connecting = shared.dialling.acquire().await?;
        let channel = dial::connect(&shared.server, Arc::clone(&self.tls)).await?;
        let mut session = self.greet(channel).await?;
        drop(connecting);
        counted.containers(self.machine.container_count());

        let mut pace = shared.pace.subscribe();
        let mut sequence = 0;
        let mut sent_at = Instant::now();
        let mut beat = pin!(tokio::time::sleep_until(sent_at));
        loop {
            tokio::select! {
                frame = session.next() => match frame? {
                    Some(control_frame::Frame::HeartbeatAck(ack)) if ack.sequence == sequence => {
                        shared.meter.answered(sent_at.elapsed());
                        counted.online();
                    }
                    Some(control_frame::Frame::Command(command)) => {
                        for frame in self.machine.obey(command) {
                            session.say(frame).await?;
                        }
                        counted.containers(self.machine.container_count());
                    }
                    Some(control_frame::Frame::Drain(drain)) => bail!("drained: {}", drain.reason),
                    Some(
                        control_frame::Frame::HeartbeatAck(_)
                        | control_frame::Frame::Cancel(_)
                        | control_frame::Frame::Grant(_)
                        | control_frame::Frame::Welcome(_),
                    )
                    | None => {}
                },
                () = &mut beat => {
                    sequence += 1;
                    sent_at = Instant::now();
                    session.say(self.machine.heartbeat(sequence)).await?;
                    // The second heartbeat comes anywhere in the interval, so that agents that connected together do not stay together.
                    let share = if sequence == 1 { 0.0..1.0 } else { 1.0 - HEARTBEAT_JITTER..1.0 + HEARTBEAT_JITTER };
                    beat.as_mut().reset(sent_at + interval(*pace.borrow(), session.interval).mul_f64(rand::random_range(share)));
                }
                Ok(()) = pace.changed(), if sequence > 0 => {
                    let next = interval(*pace.borrow_and_update(), session.interval).mul_f64(rand::random_range(0.0..1.0));
                    beat.as_mut().reset(Instant::now() + next);
                }
            }
        }
    }
}

fn interval(pace: Pace, asked: Duration) -> Duration {
    match pace {
        Pace::Asked => asked,
        Pace::Every(interval) => interval,
        Pace::Quiet => NEVER,
    }
}

/// What an agent adds to the counts while its session is open.
struct Counted<'a> {
    meter: &'a Meter,
    online: bool,
    containers: u32,
}

impl<'a> Counted<'a> {
    fn new(meter: &'a Meter) -> Self {
        Self { meter, online: false, containers: 0 }
    }

    fn online(&mut self) {
        if !self.online {
            self.online = true;
            self.meter.present.send_modify(|present| present.online += 1);
        }
    }

    fn containers(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.containers, count);
        if before != count {
            self.meter.present.send_modify(|present| present.containers = present.containers - before + count);
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.containers(0);
        if self.online {
            self.meter.present.send_modify(|present| present.online -= 1);
        }
    }
}
