//! The agent's settings: what `utopia-agent` takes as flags and environment, and the same as a plain struct for whoever
//! embeds the agent.
//!
//! Invariant: reading settings touches no file but the join token's; secrets are never shown.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use utopia_gateway::telemetry::LogFormat;

use crate::{dial::Server, gpu::GpuMode, identity::Join};

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The settings of an agent.
#[derive(Debug, Clone)]
pub struct Config {
    /// The agent keeps its files in `agent` under this directory.
    pub data_dir: PathBuf,
    /// The control plane.
    pub server: Server,
    /// Joins the machine when it has no certificate yet.
    pub join: Option<Join>,
    /// Where the node API listens.
    pub http_addr: SocketAddr,
    /// The node API's bearer token; without it a random one is kept in the data directory.
    pub api_token: Option<Secret>,
    /// Where the GPUs come from.
    pub gpus: GpuMode,
    /// Replaces the places where NVML is looked for.
    pub nvml_library: Option<OsString>,
    /// Use of a GPU that nobody was given, in percent, from which it counts as busy.
    pub gpu_busy_percent: f32,
    /// Docker's socket.
    pub docker_socket: PathBuf,
    /// Directories of the machine that containers may mount.
    pub volume_allow: Vec<PathBuf>,
    /// The longest that pulling an image may take.
    pub pull_timeout: Duration,
    /// Labels that the node shows.
    pub labels: BTreeMap<String, String>,
}

impl Config {
    /// The settings of an agent that was given nothing but its data directory and its control plane.
    #[must_use]
    pub fn new(data_dir: PathBuf, server: Server) -> Self {
        Self {
            data_dir,
            server,
            join: None,
            http_addr: SocketAddr::from(([127, 0, 0, 1], 8090)),
            api_token: None,
            gpus: GpuMode::Auto,
            nvml_library: None,
            gpu_busy_percent: 10.0,
            docker_socket: default_docker_socket(None),
            volume_allow: Vec::new(),
            pull_timeout: Duration::from_secs(600),
            labels: BTreeMap::new(),
        }
    }

    /// Where the agent keeps its files.
    #[must_use]
    pub fn agent_dir(&self) -> PathBuf {
        self.data_dir.join("agent")
    }
}

/// The settings as flags and environment.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Directory for the agent's key, certificate and API token; they lie in `agent` under it.
    #[arg(long, env = "UTOPIA_DATA_DIR", default_value = "./data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// The control plane. The agent dials out to it, so the machine may be behind NAT.
    #[arg(long, env = "UTOPIA_SERVER", default_value = "https://127.0.0.1:8443", value_name = "URL")]
    pub server: Server,

    /// Token with which the machine joins; needed only the first time. Make one with `aiinfra join-token create`, or use the agent
    /// token of a host that was registered.
    #[arg(long, env = "UTOPIA_JOIN_TOKEN", hide_env_values = true, value_name = "TOKEN", conflicts_with = "join_token_file")]
    pub join_token: Option<String>,

    /// File that holds the join token, which other users of the machine then cannot see in the list of processes.
    #[arg(long, env = "UTOPIA_JOIN_TOKEN_FILE", value_name = "FILE")]
    pub join_token_file: Option<PathBuf>,

    /// Hash of the control plane's CA (`sha256:…`), which comes with the join token: the agent trusts no other.
    #[arg(long, env = "UTOPIA_CA_HASH", value_name = "HASH", value_parser = ca_hash)]
    pub ca_hash: Option<String>,

    /// Address of the node API, /health, /ready and /metrics. Port 0 takes any free port.
    #[arg(long, env = "UTOPIA_AGENT_HTTP_ADDR", default_value = "127.0.0.1:8090", value_name = "ADDR")]
    pub http_addr: SocketAddr,

    /// Bearer token of the node API. Default: a random one, kept in DATA_DIR/agent/api-token.
    #[arg(long, env = "UTOPIA_AGENT_API_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub api_token: Option<String>,

    /// `auto` takes the GPUs that the NVIDIA driver lists and is content without; `none` takes none; `simulated:N` invents N
    /// GPUs, which say so in their names.
    #[arg(long, env = "UTOPIA_GPUS", default_value_t = GpuMode::Auto, value_name = "MODE")]
    pub gpus: GpuMode,

    /// NVML library to load instead of the one the driver installed.
    #[arg(long, env = "UTOPIA_NVML_LIBRARY", value_name = "FILE")]
    pub nvml_library: Option<OsString>,

    /// A GPU that nobody was given counts as busy from this use on, in percent.
    #[arg(long, env = "UTOPIA_GPU_BUSY_PERCENT", default_value_t = 10.0, value_name = "PERCENT", value_parser = percent)]
    pub gpu_busy_percent: f32,

    /// Docker's socket. Default: the one DOCKER_HOST names when it begins with unix://, else /var/run/docker.sock.
    #[arg(long, env = "UTOPIA_DOCKER_SOCKET", value_name = "FILE")]
    pub docker_socket: Option<PathBuf>,

    /// Directory of this machine that containers may mount, with all below it; repeat it for several, or separate them
    /// with colons in the environment. Default: containers mount nothing.
    #[arg(long, env = "UTOPIA_VOLUME_ALLOW", value_delimiter = ':', value_name = "DIR")]
    pub volume_allow: Vec<PathBuf>,

    /// The longest that pulling an image may take, in seconds.
    #[arg(long = "pull-timeout", env = "UTOPIA_PULL_TIMEOUT", default_value_t = 600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub pull_timeout_s: u64,

    /// Label that the node shows; repeat it for several.
    #[arg(long = "label", env = "UTOPIA_LABELS", value_delimiter = ',', value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// How log lines look: `text` for people, `json` for one object per line. What is logged is set with RUST_LOG.
    #[arg(long, env = "UTOPIA_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

impl Options {
    /// The settings. Reads the join token's file.
    pub fn into_config(self) -> anyhow::Result<Config> {
        let token = match (self.join_token, self.join_token_file) {
            (Some(token), _) => Some(token),
            (None, Some(file)) => Some(read_token(&file)?),
            (None, None) => None,
        };
        let token = token.filter(|token| !token.trim().is_empty()).map(|token| token.parse()).transpose()?;
        let join = match (token, self.ca_hash) {
            (Some(token), Some(ca_hash)) => Some(Join { token, ca_hash }),
            (Some(_), None) => bail!("a join token needs the CA's hash as well: add --ca-hash, which was shown with the token"),
            (None, _) => None,
        };
        Ok(Config {
            join,
            http_addr: self.http_addr,
            api_token: self.api_token.filter(|token| !token.is_empty()).map(Secret::from),
            gpus: self.gpus,
            nvml_library: self.nvml_library,
            gpu_busy_percent: self.gpu_busy_percent,
            docker_socket: self
                .docker_socket
                .unwrap_or_else(|| default_docker_socket(std::env::var("DOCKER_HOST").ok().as_deref())),
            volume_allow: self.volume_allow.into_iter().filter(|path| !path.as_os_str().is_empty()).collect(),
            pull_timeout: Duration::from_secs(self.pull_timeout_s),
            labels: self.labels.into_iter().collect(),
            ..Config::new(self.data_dir, self.server)
        })
    }
}

fn read_token(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read the join token from {}", file.display()))
}

fn default_docker_socket(docker_host: Option<&str>) -> PathBuf {
    docker_host.and_then(|host| host.strip_prefix("unix://")).unwrap_or("/var/run/docker.sock").into()
}

fn ca_hash(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected `sha256:` and 64 hexadecimal digits".to_owned())
    }
}

fn percent(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|value| (0.0..=100.0).contains(value)).ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

/// Keys under `utopia.dev/` are the product's own.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    if key.is_empty() || key.len() > 253 || value.len() > 253 || key.chars().any(char::is_whitespace) {
        return Err("expected KEY=VALUE, the key without spaces, both at most 253 bytes long".to_owned());
    }
    if key.starts_with("utopia.dev/") {
        return Err("keys under `utopia.dev/` are set by the agent itself".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    const TOKEN: &str = "utj_abcdefghij_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const HASH: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn config(flags: &[&str]) -> anyhow::Result<Config> {
        Cli::try_parse_from(std::iter::once(&"utopia-agent").chain(flags))?.options.into_config()
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = config(&[]).unwrap();
        assert_eq!(config.data_dir, Path::new("./data"));
        assert_eq!(config.agent_dir(), Path::new("./data/agent"));
        assert_eq!(config.server, "https://127.0.0.1:8443".parse().unwrap());
        assert_eq!(config.http_addr.to_string(), "127.0.0.1:8090");
        assert_eq!(config.gpus, GpuMode::Auto);
        assert_eq!(config.pull_timeout, Duration::from_secs(600));
        assert!(
            config.join.is_none() && config.api_token.is_none() && config.volume_allow.is_empty() && config.labels.is_empty()
        );
    }

    #[test]
    fn every_flag_reaches_the_settings() {
        let config = config(&[
            "--server=https://control.example:9443/",
            "--join-token",
            TOKEN,
            "--ca-hash",
            HASH,
            "--gpus=simulated:2",
            "--docker-socket=/run/d.sock",
            "--volume-allow=/data:/scratch",
            "--volume-allow=/home",
            "--label=rack=7",
            "--label=note=a=b",
            "--pull-timeout=30",
            "--api-token=letmein",
        ])
        .unwrap();
        assert_eq!(config.server, "https://control.example:9443".parse().unwrap());
        let join = config.join.as_ref().unwrap();
        assert_eq!((join.token.to_string().as_str(), join.ca_hash.as_str()), (TOKEN, HASH));
        assert_eq!(config.gpus, GpuMode::Simulated(2));
        assert_eq!(config.docker_socket, Path::new("/run/d.sock"));
        assert_eq!(config.volume_allow, [Path::new("/data"), Path::new("/scratch"), Path::new("/home")]);
        assert_eq!(config.labels["rack"], "7");
        assert_eq!(config.labels["note"], "a=b");
        assert_eq!(config.pull_timeout, Duration::from_secs(30));
        assert!(!format!("{config:?}").contains("letmein") && !format!("{config:?}").contains("AAAA"), "secrets are not shown");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for flags in [
            &["--server=http://control:8443"][..],
            &["--server=https://control/path"],
            &["--ca-hash=sha256:12"],
            &["--gpus=two"],
            &["--label=rack"],
            &["--label=utopia.dev/simulated-gpus=false"],
            &["--pull-timeout=0"],
            &["--gpu-busy-percent=101"],
            &["--join-token=a", "--join-token-file=b"],
            &["--join-token=a", "--ca-hash", HASH],
            &["--join-token", TOKEN],
            &["--join-token-file=/nowhere/at/all"],
        ] {
            assert!(config(flags).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn the_join_token_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
        let config = config(&["--join-token-file", file.path().to_str().unwrap(), "--ca-hash", HASH]).unwrap();
        assert_eq!(config.join.unwrap().token.to_string(), TOKEN);
    }

    #[test]
    fn the_agent_token_of_a_host_will_do() {
        let token = TOKEN.replace("utj_", "uta_");
        let config = config(&["--join-token", &token, "--ca-hash", HASH]).unwrap();
        assert_eq!(config.join.unwrap().token.to_string(), token);
    }

    #[test]
    fn docker_host_counts_only_when_it_is_a_socket() {
        assert_eq!(default_docker_socket(Some("unix:///run/user/1000/docker.sock")), Path::new("/run/user/1000/docker.sock"));
        assert_eq!(default_docker_socket(Some("tcp://127.0.0.1:2375")), Path::new("/var/run/docker.sock"));
        assert_eq!(default_docker_socket(None), Path::new("/var/run/docker.sock"));
    }
}
