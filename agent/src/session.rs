//! The agent's session: one stream to the control plane, kept open for as long as the agent runs.
//!
//! ```text
//! Disconnected ──▶ Connecting ──▶ Connected
//!       ▲ delay        │ lost         │ lost, drained
//!       └──────────────┴──────────────┘            refused: the run ends
//! ```
//!
//! The session knows frames, not containers: what it says comes from a [`Link`], and commands go there. Only a refused
//! identity ends it; everything else is tried again with full jitter.

mod commands;
mod connection;
mod frames;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use utopia_proto::link::v1::{ContainerState, Heartbeat, Hello, command, command_result};

pub use self::commands::Parts;

use self::commands::Commands;
use self::connection::{Connection, End};
use crate::backoff::Backoff;
use crate::identity::{Fatal, Identity};

/// The version of the link's protocol.
pub const PROTOCOL: u32 = 1;

/// What the session asks of the agent.
pub trait Link: Send + Sync + 'static {
    /// The machine as it is now. The session fills in the node's id and the protocol.
    fn hello(&self) -> impl Future<Output = Hello> + Send;

    /// All containers that the agent made or is making.
    fn inventory(&self) -> impl Future<Output = Vec<ContainerState>> + Send;

    /// Readings. The session fills in the sequence.
    fn heartbeat(&self) -> impl Future<Output = Heartbeat> + Send;

    /// Carries out a command. What comes in parts goes out before the outcome. When the token is cancelled nobody waits for the outcome any more; what is left to tidy up may
    /// take a moment, after which the future is dropped.
    fn execute(
        &self,
        action: command::Action,
        parts: Parts,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<command_result::Outcome, crate::error::Error>> + Send;

    /// Containers as they change. A receiver that lags gets an inventory instead.
    fn events(&self) -> broadcast::Receiver<ContainerState>;
}

/// The times of a session.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// How long the control plane may take for its Welcome.
    pub welcome_timeout: Duration,
    /// Between inventories.
    pub inventory_interval: Duration,
    /// The longest delay after the first failure; doubles with each further one.
    pub backoff_base: Duration,
    /// The longest delay ever.
    pub backoff_cap: Duration,
    /// A session that held this long makes earlier failures forgotten.
    pub stable_after: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            welcome_timeout: Duration::from_secs(10),
            inventory_interval: Duration::from_secs(60),
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(10),
            stable_after: Duration::from_secs(30),
        }
    }
}

/// How the session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStatus {
    /// Where it is.
    pub state: SessionState,
    /// Since when.
    pub since: Timestamp,
    /// How many sessions have been opened after the first one.
    pub reconnects: u64,
    /// The number of the present or last session; 0 before the first.
    pub session_epoch: u64,
    /// Why the last session or attempt ended; empty when none has.
    pub last_end: String,
}

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Waiting for the next attempt.
    Disconnected,
    /// Dialling, or waiting for the Welcome.
    Connecting,
    /// Frames flow.
    Connected,
}

impl SessionStatus {
    /// Whether frames flow.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == SessionState::Connected
    }
}

impl Default for SessionStatus {
    fn default() -> Self {
        Self {
            state: SessionState::Disconnected,
            since: Timestamp::now(),
            reconnects: 0,
            session_epoch: 0,
            last_end: String::new(),
        }
    }
}

/// Keeps a session open until it is cancelled or the control plane refuses the identity. Returns when the last command has
/// wound up.
pub async fn run<L: Link>(
    link: Arc<L>,
    identity: Arc<Identity>,
    settings: SessionSettings,
    status: watch::Sender<SessionStatus>,
    cancel: CancellationToken,
) -> Result<(), Fatal> {
    // A fatal end too must stop the commands.
    let cancel = cancel.child_token();
    let commands = Commands::new(Arc::clone(&link), cancel.clone());
    let connection = Connection { link, identity, commands: commands.clone(), settings, status };
    let span = tracing::info_span!("session", node = %connection.identity.node_id());
    let ended = keep_open(&connection, &cancel).instrument(span).await;
    connection.set_state(SessionState::Disconnected);
    cancel.cancel();
    commands.wound_up().await;
    ended
}

async fn keep_open<L: Link>(connection: &Connection<L>, cancel: &CancellationToken) -> Result<(), Fatal> {
    let settings = &connection.settings;
    let mut backoff = Backoff::new(settings.backoff_base, settings.backoff_cap);
    loop {
        connection.set_state(SessionState::Connecting);
        let begun = Instant::now();
        let end = tokio::select! {
            end = connection.open() => end,
            () = cancel.cancelled() => return Ok(()),
        };
        if begun.elapsed() >= settings.stable_after {
            backoff.reset();
        }
        let (delay, reason) = match end {
            End::Refused(fatal) => return Err(fatal),
            End::Lost(reason) => {
                let delay = backoff.next_delay();
                tracing::warn!(%reason, ?delay, "no session with the control plane, trying again");
                (delay, reason)
            }
            End::Drained { reconnect_after, reason } => {
                let delay = with_jitter(reconnect_after);
                tracing::info!(%reason, ?delay, "the control plane asked to connect again");
                (delay, reason)
            }
        };
        connection.set_ended(reason);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = cancel.cancelled() => return Ok(()),
        }
    }
}

/// The server's hint is a minimum; the fleet is spread over half as long again, or a second.
fn with_jitter(hint: Duration) -> Duration {
    let spread = (hint / 2).max(Duration::from_secs(1));
    hint + spread.mul_f64(rand::random())
}
