//! One simulated agent: it enrols with a key of its own, and keeps one connection and one session open.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::ClientConfig;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
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

const OUTGOING_CAPACITY: usize = 32;
const BACKOFF_BASE: Duration = Duration::from_millis(200);
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// A share of the interval by which heartbeats vary, either way, as with the real agent.
const HEARTBEAT_JITTER: f64 = 0.1;

/// What all agents share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: Server,
    /// One permit for each agent that is connecting.
    pub(crate) dialling: Semaphore,
    pub(crate) meter: Meter,
    /// Between heartbeats; the server's wish when absent.
    pub(crate) interval: Option<Duration>,
    pub(crate) cancel: CancellationToken,
}

/// An agent with its certificate.
#[derive(Debug)]
pub(crate) struct Agent {
    node_id: String,
    tls: Arc<ClientConfig>,
    machine: Machine,
}

impl Agent {
    /// Gets a certificate with the join token, over a connection that is pinned to the CA.
    pub(crate) async fn enrol(index: u32, join: &Join) -> anyhow::Result<Self> {
        let machine = Machine::new(index);
        let key = utopia_certs::generate_key()?;
        let request = EnrolRequest {
            token: join.token.clone(),
            csr: key.csr()?,
            machine_id: machine.id.clone(),
            node_id: String::new(),
            facts: Some(machine.facts()),
        };
        let channel = dial::connect(&join.server, tls::pinned_client_config(&join.ca_hash)?).await?;
        let answer = EnrolmentServiceClient::new(channel).enrol(request).await;
        let answer = answer.with_context(|| format!("agent {index} could not enrol"))?.into_inner();
        let identity = (vec![answer.certificate.into()], key.to_der());
        let tls = tls::client_config(&answer.ca_certificate.into(), Some(identity))?;
        Ok(Self { node_id: answer.node_id, tls, machine })
    }

    /// Keeps a session open until cancelled.
    pub(crate) async fn run(mut self, shared: Arc<Shared>) {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        loop {
            let mut counted = Counted::new(&shared.meter);
            let session = Box::pin(self.session(&shared, &mut counted));
            let Some(ended) = shared.cancel.run_until_cancelled(session).await else { return };
            if counted.online {
                backoff.reset();
            }
            drop(counted);
            shared.meter.lost();
            if let Err(error) = ended {
                tracing::info!(node = %self.node_id, error = %format!("{error:#}"), "a session was lost");
            }
            if shared.cancel.run_until_cancelled(tokio::time::sleep(backoff.next_delay())).await.is_none() {
                return;
            }
        }
    }

    async fn session(&mut self, shared: &Shared, counted: &mut Counted<'_>) -> anyhow::Result<()> {
        let connecting = shared.dialling.acquire().await?;
        let channel = dial::connect(&shared.server, Arc::clone(&self.tls)).await?;
        let (say, frames) = mpsc::channel(OUTGOING_CAPACITY);
        send(&say, self.machine.hello(&self.node_id)).await?;
        let mut client = AgentLinkClient::new(channel).max_decoding_message_size(MAX_FRAME_BYTES);
        let mut inbound = client.connect(ReceiverStream::new(frames)).await?.into_inner();
        let Some(control_frame::Frame::Welcome(welcome)) = next(&mut inbound).await? else {
            bail!("the first frame is no Welcome");
        };
        drop(connecting);
        let interval = shared.interval.unwrap_or(Duration::from_millis(welcome.heartbeat_interval_ms.into()));
        send(&say, self.machine.inventory()).await?;
        counted.containers(self.machine.container_count());

        let mut sequence = 0;
        let mut sent_at = Instant::now();
        let mut beat = pin!(tokio::time::sleep_until(sent_at));
        loop {
            tokio::select! {
                frame = next(&mut inbound) => match frame? {
                    Some(control_frame::Frame::HeartbeatAck(ack)) if ack.sequence == sequence => {
                        shared.meter.answered(sent_at.elapsed());
                        counted.online();
                    }
                    Some(control_frame::Frame::Command(command)) => {
                        for frame in self.machine.obey(command) {
                            send(&say, frame).await?;
                        }
                        counted.containers(self.machine.container_count());
                    }
                    Some(control_frame::Frame::Drain(drain)) => bail!("drained: {}", drain.reason),
                    Some(
                        control_frame::Frame::HeartbeatAck(_) | control_frame::Frame::Cancel(_) | control_frame::Frame::Welcome(_),
                    )
                    | None => {}
                },
                () = &mut beat => {
                    sequence += 1;
                    sent_at = Instant::now();
                    send(&say, self.machine.heartbeat(sequence)).await?;
                    // The second heartbeat comes anywhere in the interval, so that agents that connected together do not stay together.
                    let share = if sequence == 1 { 0.0..1.0 } else { 1.0 - HEARTBEAT_JITTER..1.0 + HEARTBEAT_JITTER };
                    beat.as_mut().reset(sent_at + interval.mul_f64(rand::random_range(share)));
                }
            }
        }
    }
}

async fn send(say: &mpsc::Sender<AgentFrame>, frame: Frame) -> anyhow::Result<()> {
    say.send(AgentFrame { frame: Some(frame) }).await.context("the stream has ended")
}

async fn next(inbound: &mut Streaming<ControlFrame>) -> anyhow::Result<Option<control_frame::Frame>> {
    Ok(inbound.message().await?.context("the server ended the session")?.frame)
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
