//! The settings of a control plane: flags with environment names.

pub mod backends;
pub mod s3;
pub mod slurm;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;
use utopia_gateway::{front, telemetry::LogFormat};

use crate::{auth::limits::Settings as Limits, reconcile::plan::Placement};

/// The settings of a control plane.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where the database, the CA and the administrator's first password are kept
    #[arg(long, env = "UTOPIA_DATA_DIR", default_value = "./data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Address of the JSON API over HTTP
    #[arg(long, env = "UTOPIA_HTTP_ADDR", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub http_addr: SocketAddr,

    /// Address of gRPC over TLS, for agents and clients
    #[arg(long, env = "UTOPIA_GRPC_ADDR", default_value = "127.0.0.1:8443", value_name = "ADDR")]
    pub grpc_addr: SocketAddr,

    /// Address of gRPC for gateways of their own processes, over mutual TLS; off when absent
    #[arg(long, env = "UTOPIA_INTERNAL_ADDR", value_name = "ADDR")]
    pub internal_addr: Option<SocketAddr>,

    /// HOST:PORT under which agents reach the gRPC address; it is printed in join commands and is a name of the server's certificate
    #[arg(long, env = "UTOPIA_ADVERTISE_ADDR", value_name = "HOST:PORT")]
    pub advertise_addr: Option<String>,

    /// A further DNS name or IP address of the server's certificate (repeatable)
    #[arg(long = "server-name", env = "UTOPIA_SERVER_NAMES", value_delimiter = ',', value_name = "NAME")]
    pub server_names: Vec<String>,

    /// sqlite://FILE or postgres://…; SQLite in the data directory when absent
    #[arg(long, env = "UTOPIA_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// The administrator's first password; when absent, a random one is written to DATA_DIR/admin-password
    #[arg(long, env = "UTOPIA_ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<String>,

    /// Certificate (PEM) of a CA of your own; one is made in the data directory when absent
    #[arg(long, env = "UTOPIA_CA_CERTIFICATE", requires = "ca_key", value_name = "FILE")]
    pub ca_certificate: Option<PathBuf>,

    /// Key (PEM) of the CA of your own
    #[arg(long, env = "UTOPIA_CA_KEY", requires = "ca_certificate", value_name = "FILE")]
    pub ca_key: Option<PathBuf>,

    /// Key that seals secrets in the database: 32 bytes in base64; when absent, one is made in DATA_DIR/seal-key
    #[arg(long, env = "UTOPIA_SEAL_KEY", hide_env_values = true, value_name = "KEY")]
    pub seal_key: Option<String>,

    /// Seconds between two checks of a machine over SSH; 0 for checks on demand and after changes only
    #[arg(long, env = "UTOPIA_MACHINE_CHECK_INTERVAL_SECONDS", default_value_t = 300, value_name = "SECONDS")]
    pub machine_check_interval_seconds: u32,

    /// Lifetime of agents' certificates in seconds; they are renewed at half of it
    #[arg(long, env = "UTOPIA_CERTIFICATE_LIFETIME", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(10..=31_536_000), value_name = "SECONDS")]
    pub certificate_lifetime_seconds: u32,

    /// Milliseconds between an agent's heartbeats
    #[arg(long, env = "UTOPIA_HEARTBEAT_INTERVAL_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=60_000), value_name = "MS")]
    pub heartbeat_interval_ms: u32,

    /// Milliseconds between two samples of what nodes and GPUs do, for the history
    #[arg(long, env = "UTOPIA_METRICS_INTERVAL_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=60_000), value_name = "MS")]
    pub metrics_interval_ms: u32,

    /// Seconds after which a host without an agent is offline when it has sent no heartbeat
    #[arg(long, env = "UTOPIA_HOST_OFFLINE_AFTER_SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub host_offline_after_seconds: u32,

    /// Which of the nodes with room gets a claim
    #[arg(long, env = "UTOPIA_PLACEMENT", default_value = "pack", value_enum)]
    pub placement: Placement,

    /// Seconds for which a node must be lost before its claims with `reschedule` are placed elsewhere
    #[arg(long, env = "UTOPIA_RESCHEDULE_AFTER", default_value_t = 30, value_name = "SECONDS")]
    pub reschedule_after_seconds: u32,

    /// Requests per minute: log-in by address and user name, ordinary operations and administrators' by user; some of them, or `off`
    #[arg(long, env = "UTOPIA_LIMITS", default_value = Limits::DEFAULT, value_name = "CLASS=N,…|off")]
    pub limits: Limits,

    /// Count requests together with the other control planes on the same PostgreSQL
    #[arg(long, env = "UTOPIA_LIMITS_SHARED")]
    pub limits_shared: bool,

    /// Days for which events stay in the audit log; 0 for ever
    #[arg(long, env = "UTOPIA_AUDIT_RETENTION_DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(0..=36_500), value_name = "DAYS")]
    pub audit_retention_days: u32,

    /// Days for which events can be watched again, and webhooks retried
    #[arg(long, env = "UTOPIA_EVENT_RETENTION_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(4..=365), value_name = "DAYS")]
    pub event_retention_days: u32,

    /// Accept well-known pairs of name and password such as admin/admin: for development only
    #[arg(long, env = "UTOPIA_DEVELOPMENT")]
    pub development: bool,

    /// Where the servers of others are
    #[command(flatten)]
    pub backends: backends::Settings,

    /// Object storage
    #[command(flatten)]
    pub s3: s3::Settings,

    /// How the world reaches the JSON API
    #[command(flatten)]
    pub front: front::Settings,

    /// Shape of the log lines on standard error
    #[arg(long, env = "UTOPIA_LOG_FORMAT", default_value = "text", value_name = "text|json")]
    pub log_format: LogFormat,
}

impl Config {
    /// The database, with its default in the data directory.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("utopia.db").display()))
    }

    /// Where the administrator's first password is written when none is given.
    #[must_use]
    pub fn admin_password_file(&self) -> PathBuf {
        self.data_dir.join("admin-password")
    }

    /// How long events stay in the audit log; none for ever.
    #[must_use]
    pub fn audit_retention(&self) -> Option<SignedDuration> {
        (self.audit_retention_days > 0).then(|| SignedDuration::from_hours(24 * i64::from(self.audit_retention_days)))
    }

    /// How long events can be watched again.
    #[must_use]
    pub fn event_retention(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.event_retention_days))
    }

    /// Where the key that seals secrets is kept when none is given.
    #[must_use]
    pub fn seal_key_file(&self) -> PathBuf {
        self.data_dir.join("seal-key")
    }

    /// The time between two checks of a machine; none for no checks by interval.
    #[must_use]
    pub fn machine_check_interval(&self) -> Option<Duration> {
        let seconds = u64::from(self.machine_check_interval_seconds);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// The time between two samples for the history.
    #[must_use]
    pub fn metrics_interval(&self) -> Duration {
        Duration::from_millis(self.metrics_interval_ms.into())
    }

    /// How long agents' certificates live.
    #[must_use]
    pub fn certificate_lifetime(&self) -> SignedDuration {
        SignedDuration::from_secs(self.certificate_lifetime_seconds.into())
    }
}
