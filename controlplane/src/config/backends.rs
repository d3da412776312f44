//! The settings of backends: where the servers of others are, and how this control plane shows who it is.
//!
//! Secrets are in files, never in settings themselves. What is not set is not there, and says so when it is asked for.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;
use reqwest::Url;

use super::slurm;

/// The settings of backends.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "Backends")]
pub struct Settings {
    /// How often the servers below are asked how they are, in seconds; 0 for never
    #[arg(long, env = "UTOPIA_BACKEND_CHECK_SECONDS", default_value_t = 30, value_name = "SECONDS")]
    pub backend_check_seconds: u32,

    /// Slurm's REST servers: NAME=URL, then `key-file=FILE` (the HS256 key of Slurm's tokens) or `token-file=FILE` (a token), and `user=NAME` (as whom jobs and nodes are read, else root); several are separated by `;`
    #[arg(long, env = "UTOPIA_SLURM", value_delimiter = ';', value_name = "NAME=URL key-file=FILE")]
    pub slurm: Vec<slurm::Server>,

    /// Slurm's users by ours: NAME=SLURM_NAME; with `*` whoever is not named has the same name there, but nobody is root or a service so
    #[arg(long, env = "UTOPIA_SLURM_USERS", value_delimiter = ',', value_name = "NAME=SLURM_NAME,…")]
    pub slurm_users: Vec<slurm::UserMapping>,

    /// Seconds between two looks at Slurm's jobs
    #[arg(long, env = "UTOPIA_SLURM_POLL_SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "SECONDS")]
    pub slurm_poll_seconds: u32,

    /// Where salt-api is
    #[arg(long, env = "UTOPIA_SALT_URL", value_name = "URL")]
    pub salt_url: Option<Url>,

    /// Who this control plane is to salt-api
    #[arg(long, env = "UTOPIA_SALT_USER", default_value = "utopia", value_name = "NAME")]
    pub salt_user: String,

    /// The file with the password of that user, or with the shared secret
    #[arg(long, env = "UTOPIA_SALT_PASSWORD_FILE", value_name = "FILE")]
    pub salt_password_file: Option<PathBuf>,

    /// How salt-api checks it: `pam`, `sharedsecret`, `file`, …
    #[arg(long, env = "UTOPIA_SALT_EAUTH", default_value = "pam", value_name = "NAME")]
    pub salt_eauth: String,

    /// Functions that may run on minions; `grains.*` is all of a module, but for what runs anything itself, as `test.cross_test`
    #[arg(
        long,
        env = "UTOPIA_SALT_ALLOW",
        value_delimiter = ',',
        value_name = "FUNCTION,…",
        default_value = "test.*,grains.*,status.*,disk.usage,network.interfaces,pkg.list_pkgs,pkg.version,service.status,service.restart,state.apply,state.show_sls,saltutil.refresh_pillar,saltutil.sync_all"
    )]
    pub salt_allow: Vec<String>,

    /// Where JupyterHub is, without `/hub`
    #[arg(long, env = "UTOPIA_JUPYTERHUB_URL", value_name = "URL")]
    pub jupyterhub_url: Option<Url>,

    /// The file with the token of a service of the hub
    #[arg(long, env = "UTOPIA_JUPYTERHUB_TOKEN_FILE", value_name = "FILE")]
    pub jupyterhub_token_file: Option<PathBuf>,

    /// A server of Prometheus's interface that keeps the history of metrics; the control plane's own database does when absent
    #[arg(long, env = "UTOPIA_PROMETHEUS_URL", value_name = "URL")]
    pub prometheus_url: Option<Url>,

    /// Private networks into which webhooks may lead
    #[arg(long, env = "UTOPIA_WEBHOOK_ALLOW_PRIVATE", value_delimiter = ',', value_name = "CIDR,…")]
    pub webhook_allow_private: Vec<IpNet>,
}
