//! One session, from dialling to its end.
//!
//! Three things run side by side and share nothing but the way out: reading, heartbeats, and reports of containers.
//! Heartbeats have a queue of their own that goes first, so that no result and no inventory holds them up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::{Code, Status, Streaming};
use tracing::Instrument as _;
use utopia_proto::codec::MAX_FRAME_BYTES;
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::agent_link_client::AgentLinkClient;
use utopia_proto::link::v1::{AgentFrame, ControlFrame, Drain, Heartbeat, Hello, Welcome, control_frame};

use super::commands::{Commands, QueueFull, SessionCommands};
use super::{Link, PROTOCOL, SessionSettings, SessionState, SessionStatus, frames};
use crate::dial;
use crate::identity::{Fatal, Identity, RefreshError};

const BULK_CAPACITY: usize = 64;
const URGENT_CAPACITY: usize = 4;
const DEFAULT_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// A share of the interval by which heartbeats vary, either way.
const HEARTBEAT_JITTER: f64 = 0.1;
/// Intervals without an answer after which a server counts as gone.
const SILENT_INTERVALS: f64 = 3.0;

/// Everything a session needs.
pub(super) struct Connection<L> {
    pub(super) link: Arc<L>,
    pub(super) identity: Arc<Identity>,
    pub(super) commands: Commands<L>,
    pub(super) settings: SessionSettings,
    pub(super) status: watch::Sender<SessionStatus>,
}

/// How a session ended, or why there was none.
pub(super) enum End {
    /// It broke.
    Lost(String),
    /// The server asked to connect again.
    Drained {
        /// Not sooner than this.
        reconnect_after: Duration,
        /// Why.
        reason: String,
    },
    /// The server does not want this agent.
    Refused(Fatal),
}

impl<L: Link> Connection<L> {
    /// Opens a session and holds it until it ends.
    pub(super) async fn open(&self) -> End {
        match self.begin().await {
            Ok((session, epoch)) => {
                let span = tracing::info_span!("connected", epoch);
                session.hold(self).instrument(span).await
            }
            Err(end) => end,
        }
    }

    /// Says where the session is.
    pub(super) fn set_state(&self, state: SessionState) {
        self.status.send_modify(|status| {
            if status.state != state {
                status.state = state;
                status.since = jiff::Timestamp::now();
            }
        });
    }

    /// Says that there is no session, and why.
    pub(super) fn set_ended(&self, reason: String) {
        self.set_state(SessionState::Disconnected);
        self.status.send_modify(|status| status.last_end = reason);
    }

    fn set_connected(&self, epoch: u64) {
        self.status.send_modify(|status| {
            if status.session_epoch != 0 {
                status.reconnects += 1;
            }
            status.session_epoch = epoch;
        });
        self.set_state(SessionState::Connected);
    }

    async fn begin(&self) -> Result<(Session<L>, u64), End> {
        if self.identity.is_expired() {
            self.refresh().await?;
        }
        let channel = self.identity.dial().await.map_err(|error| End::Lost(error.to_string()))?;
        let mut client = AgentLinkClient::new(channel).max_decoding_message_size(MAX_FRAME_BYTES);
        let hello = self.hello().await;
        let first = frames::frame(Frame::Hello(hello.clone()));
        let first = first.ok_or_else(|| End::Lost("what the machine is does not fit into a frame".to_owned()))?;

        let (urgent_sender, urgent) = mpsc::channel(URGENT_CAPACITY);
        let (bulk_sender, bulk) = mpsc::channel(BULK_CAPACITY);
        bulk_sender.try_send(first).map_err(|_| queue_full())?;
        let greeting = async {
            let mut inbound = client.connect(Outgoing { urgent, bulk }).await?.into_inner();
            let first = inbound.message().await?;
            Ok((inbound, first))
        };
        let greeted = tokio::time::timeout(self.settings.welcome_timeout, greeting).await;
        let (inbound, first) = match greeted {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(status)) => return Err(self.refused(&status).await),
            Err(_) => return Err(End::Lost("the control plane did not answer the Hello".to_owned())),
        };
        let Some(ControlFrame { frame: Some(control_frame::Frame::Welcome(welcome)) }) = first else {
            return Err(match first {
                Some(ControlFrame { frame: Some(control_frame::Frame::Drain(drain)) }) => drained(drain),
                Some(_) | None => End::Lost("the control plane did not answer the Hello with a Welcome".to_owned()),
            });
        };
        let Welcome { session_epoch, heartbeat_interval_ms } = welcome;
        self.set_connected(session_epoch);
        tracing::info!(epoch = session_epoch, heartbeat_interval_ms, "connected");
        let heartbeat_interval = match heartbeat_interval_ms {
            0 => DEFAULT_HEARTBEAT_INTERVAL,
            interval_ms => Duration::from_millis(interval_ms.into()),
        };
        let commands = self.commands.session(bulk_sender.clone());
        let session = Session { inbound, commands, urgent: urgent_sender, bulk: bulk_sender, hello, heartbeat_interval };
        Ok((session, session_epoch))
    }

    async fn hello(&self) -> Hello {
        Hello { node_id: self.identity.node_id().to_string(), protocol: PROTOCOL, ..self.link.hello().await }
    }

    /// A call that failed: a refusal is final, unless the certificate has merely expired.
    async fn refused(&self, status: &Status) -> End {
        let unauthenticated = status.code() == Code::Unauthenticated;
        if dial::says_expired(status) || (unauthenticated && self.identity.is_expired()) {
            return match self.refresh().await {
                Ok(()) => End::Lost("the certificate had expired".to_owned()),
                Err(end) => end,
            };
        }
        ended(status)
    }

    async fn refresh(&self) -> Result<(), End> {
        self.identity.refresh(true).await.map_err(|error| match error {
            RefreshError::Fatal(fatal) => End::Refused(fatal),
            RefreshError::Retry(reason) => End::Lost(reason),
        })
    }
}

/// A session that the server welcomed.
struct Session<L> {
    inbound: Streaming<ControlFrame>,
    commands: SessionCommands<L>,
    urgent: mpsc::Sender<AgentFrame>,
    bulk: mpsc::Sender<AgentFrame>,
    hello: Hello,
    heartbeat_interval: Duration,
}

impl<L: Link> Session<L> {
    async fn hold(self, connection: &Connection<L>) -> End {
        let Self { inbound, commands, urgent, bulk, hello, heartbeat_interval } = self;
        tokio::select! {
            end = read(inbound, &commands, heartbeat_interval) => end,
            end = beat(&*connection.link, &urgent, heartbeat_interval) => end,
            end = report(connection, &bulk, hello) => end,
        }
    }
}

/// Reads frames until the stream ends or falls silent.
async fn read<L: Link>(mut inbound: Streaming<ControlFrame>, commands: &SessionCommands<L>, interval: Duration) -> End {
    let patience = interval.mul_f64(SILENT_INTERVALS * (1.0 + HEARTBEAT_JITTER));
    let mut deadline = Instant::now() + patience;
    loop {
        let frame = tokio::select! {
            frame = inbound.message() => frame,
            () = tokio::time::sleep_until(deadline) => {
                return End::Lost(format!("the control plane has not answered heartbeats for {patience:?}"));
            }
        };
        let frame = match frame {
            Ok(Some(frame)) => frame.frame,
            Ok(None) => return End::Lost("the control plane ended the session".to_owned()),
            Err(status) => return ended(&status),
        };
        match frame {
            Some(control_frame::Frame::HeartbeatAck(_)) => deadline = Instant::now() + patience,
            Some(control_frame::Frame::Command(command)) => match commands.start(command) {
                Ok(()) => {}
                Err(QueueFull) => return queue_full(),
            },
            Some(control_frame::Frame::Cancel(cancel)) => commands.cancel(&cancel.command_id),
            Some(control_frame::Frame::Grant(grant)) => commands.grant(&grant.command_id, grant.parts),
            Some(control_frame::Frame::Drain(drain)) => return drained(drain),
            Some(control_frame::Frame::Welcome(_)) => tracing::warn!("a second Welcome was ignored"),
            // A frame of a later protocol.
            None => {}
        }
    }
}

/// Sends heartbeats. Readings that do not come in time are replaced by the last ones: the agent is alive all the same.
async fn beat<L: Link>(link: &L, urgent: &mpsc::Sender<AgentFrame>, interval: Duration) -> End {
    let mut last = Heartbeat::default();
    let mut due = Instant::now();
    loop {
        match tokio::time::timeout(interval, link.heartbeat()).await {
            Ok(heartbeat) => last = Heartbeat { sequence: last.sequence + 1, ..heartbeat },
            Err(_) => {
                tracing::warn!("the readings did not come in time, the last ones are sent again");
                last.sequence += 1;
            }
        }
        if let Some(frame) = frames::frame(Frame::Heartbeat(last.clone()))
            && urgent.send(frame).await.is_err()
        {
            return End::Lost("the stream to the control plane has ended".to_owned());
        }
        let jitter = rand::random_range(1.0 - HEARTBEAT_JITTER..=1.0 + HEARTBEAT_JITTER);
        due = (due + interval.mul_f64(jitter)).max(Instant::now());
        tokio::time::sleep_until(due).await;
    }
}

/// Sends the inventory now, from time to time and when events were missed; events as they come; facts when they changed.
async fn report<L: Link>(connection: &Connection<L>, bulk: &mpsc::Sender<AgentFrame>, mut hello: Hello) -> End {
    let link = &*connection.link;
    // Before the inventory, so that nothing falls in between.
    let mut events = link.events();
    let mut interval = tokio::time::interval(connection.settings.inventory_interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outgoing = tokio::select! {
            event = events.recv() => match event {
                Ok(state) => frames::container(state).into_iter().collect(),
                Err(RecvError::Lagged(missed)) => {
                    tracing::info!(missed, "events came too fast, an inventory replaces them");
                    frames::inventory(link.inventory().await)
                }
                // The agent is stopping.
                Err(RecvError::Closed) => std::future::pending().await,
            },
            _ = interval.tick() => {
                let mut outgoing = Vec::new();
                let present = connection.hello().await;
                if present != hello {
                    outgoing.extend(frames::frame(Frame::Hello(present.clone())));
                    hello = present;
                }
                outgoing.extend(frames::inventory(link.inventory().await));
                outgoing
            }
        };
        for frame in outgoing {
            if bulk.send(frame).await.is_err() {
                return End::Lost("the stream to the control plane has ended".to_owned());
            }
        }
    }
}

/// What is sent: heartbeats first, then the rest in order.
struct Outgoing {
    urgent: mpsc::Receiver<AgentFrame>,
    bulk: mpsc::Receiver<AgentFrame>,
}

impl Stream for Outgoing {
    type Item = AgentFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AgentFrame>> {
        if let Poll::Ready(Some(frame)) = self.urgent.poll_recv(cx) {
            return Poll::Ready(Some(frame));
        }
        self.bulk.poll_recv(cx)
    }
}

fn ended(status: &Status) -> End {
    if matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated) {
        return End::Refused(Fatal::Refused(status.message().to_owned()));
    }
    End::Lost(dial::describe_status(status))
}

fn drained(drain: Drain) -> End {
    let Drain { reconnect_after_ms, reason } = drain;
    End::Drained { reconnect_after: Duration::from_millis(reconnect_after_ms.into()), reason }
}

fn queue_full() -> End {
    End::Lost("the control plane does not read what this agent sends".to_owned())
}
