//! What the agent asks of a container runtime, in terms of its own.
//!
//! Everything above this module sees containers as [`ContainerSpec`] going in and [`Observed`] coming out. It must not know
//! whose container is whose: that is read from labels by `containers`.

use std::collections::BTreeMap;

use futures_util::stream::BoxStream;
use jiff::Timestamp;
use tonic::async_trait;

use crate::error::{Error, Result};

pub mod docker;
#[cfg(test)]
pub(crate) mod fake;
mod progress;

/// Reason of an error: the runtime does not answer.
pub const RUNTIME_UNAVAILABLE: &str = "RuntimeUnavailable";
/// Reason of an error: the image is not there and could not be pulled.
pub const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
/// Reason of an error: another process or container has the port.
pub const PORT_IN_USE: &str = "PortInUse";
/// Reason of an error: a container of that name exists.
pub const NAME_CONFLICT: &str = "NameConflict";
/// Reason of an error: the runtime refuses to make such a container.
pub const CREATE_FAILED: &str = "CreateFailed";
/// Reason of an error: the container was made but does not start.
pub const START_FAILED: &str = "StartFailed";
/// Reason of an error: the runtime does not keep what the container writes where it can be read.
pub const LOGS_UNAVAILABLE: &str = "LogsUnavailable";

/// A container runtime. Calls may be dropped at any time; a mutating call that is dropped may still have its effect.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Name and version, e.g. `Docker 27.1.1`. Fails with [`RUNTIME_UNAVAILABLE`] within a few seconds when it does not answer.
    async fn version(&self) -> Result<String>;

    /// Whether the image is on the machine.
    async fn has_image(&self, image: &str) -> Result<bool>;

    /// Pulls the image; each item is the state so far, and an end without an error means that it is there. Dropping the
    /// stream stops the pull.
    fn pull(&self, image: &str) -> BoxStream<'static, Result<PullProgress>>;

    /// Makes a container and answers its id. Fails with [`NAME_CONFLICT`] when the name is taken.
    async fn create(&self, spec: &ContainerSpec) -> Result<String>;

    /// Starts a container; one that runs already is left as it is.
    async fn start(&self, id: &str) -> Result<()>;

    /// Stops a container gracefully, kills it when that takes too long, and removes it. None there is no fault.
    async fn remove(&self, id: &str) -> Result<()>;

    /// Looks at one container, by id or name.
    async fn inspect(&self, id: &str) -> Result<Option<Observed>>;

    /// Looks at all containers with this value of a label, running or not.
    async fn list(&self, label: &str, value: &str) -> Result<Vec<Observed>>;

    /// Ids of containers with this value of a label, each when something happened to it. It ends with an error when the
    /// runtime goes away. Once this returned, no later change is missed.
    async fn watch(&self, label: &str, value: &str) -> Result<BoxStream<'static, Result<String>>>;

    /// What a container wrote, oldest first. Dropping the stream stops it.
    fn logs(&self, id: &str, range: LogRange) -> BoxStream<'static, Result<LogEntry>>;
}

/// A container to make.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerSpec {
    /// Its name, unique on the runtime.
    pub name: String,
    /// A complete image reference, with tag or digest.
    pub image: String,
    /// Replaces the image's CMD when not empty.
    pub command: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    /// Absolute path; the image's when empty.
    pub working_dir: String,
    /// Ports to open on the machine.
    pub ports: Vec<Port>,
    /// Directories and files of the machine that it sees.
    pub binds: Vec<Bind>,
    /// GPUs that the runtime hands in; simulated ones are not among them.
    pub gpu_uuids: Vec<String>,
    /// Memory limit.
    pub memory_bytes: Option<i64>,
    /// CPU limit, in billionths of a core.
    pub nano_cpus: Option<i64>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A port of a container, made reachable on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// On the machine; none lets the runtime choose.
    pub host: Option<u16>,
    /// In the container.
    pub container: u16,
    /// Of both.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A path of the machine and where the container sees it. Neither contains a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute and resolved.
    pub host: String,
    /// Absolute.
    pub container: String,
}

/// A part of what a container wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogRange {
    /// And what it writes from now on, until it ends.
    pub follow: bool,
    /// Only the last so many entries.
    pub tail: Option<u32>,
    /// Only what was written then or later.
    pub since: Option<Timestamp>,
}

/// Something that a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where to.
    pub output: Output,
    /// When.
    pub at: Timestamp,
    /// A line with its end, or a part of a long one.
    pub text: String,
}

/// Where a container writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Standard,
    /// Standard error.
    Error,
}

/// How far a pull is, over all layers whose size is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are there.
    pub done_bytes: u64,
    /// Bytes altogether; 0 when not known yet.
    pub total_bytes: u64,
}

/// A container as the runtime shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The runtime's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image it was made from, as it was named then.
    pub image: String,
    /// Where it stands.
    pub status: Status,
    /// Of the last run; 0 before it ended.
    pub exit_code: i32,
    /// The last run ended because it used more memory than it may.
    pub out_of_memory: bool,
    /// When it was made, in Unix seconds.
    pub created_s: i64,
    /// When it was last started, in Unix seconds; 0 when never.
    pub started_s: i64,
    /// Container port with protocol (`80/tcp`) to port on the machine.
    pub ports: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Where a container stands, in the runtime's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Made, never started.
    Created,
    /// Runs.
    Running,
    /// Runs, but stands still.
    Paused,
    /// Between two runs.
    Restarting,
    /// Is being removed.
    Removing,
    /// Ended.
    Exited,
    /// Ended, and could not be removed.
    Dead,
}

impl Status {
    /// The runtime's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether the container holds its GPUs and ports, now or as soon as it is started.
    #[must_use]
    pub fn holds_resources(self) -> bool {
        match self {
            Self::Created | Self::Running | Self::Paused | Self::Restarting => true,
            Self::Removing | Self::Exited | Self::Dead => false,
        }
    }
}

/// Whether an error says that the name is taken.
#[must_use]
pub fn is_name_conflict(error: &Error) -> bool {
    matches!(error, Error::AlreadyExists { reason: NAME_CONFLICT, .. })
}

/// The same for a runtime that does not answer.
#[must_use]
pub fn is_unavailable(error: &Error) -> bool {
    matches!(error, Error::Unavailable { reason: RUNTIME_UNAVAILABLE, .. })
}
