//! The commands. Each file calls the API and says how people see the answer, none knows HTTP or files; `up` is the server itself.

mod audit;
mod backends;
mod claims;
mod config;
mod gpus;
mod hosts;
mod join_token;
mod jupyter;
mod listing;
mod login;
mod machines;
mod metrics;
mod nodes;
mod s3;
mod salt;
mod secret;
mod slurm;
mod tokens;
mod up;
mod users;
mod watch;
mod webhooks;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use serde_json::{Map, Value};

use crate::args::{Cli, Command, Global, Label};
use crate::client::Client;
use crate::config::Config;
use crate::output::Output;

/// After this time a stream that broke is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Tries in a row that bring nothing new.
const MOST_TRIES: u32 = 30;

/// Does what was typed.
pub(crate) async fn run(Cli { global, command }: Cli) -> anyhow::Result<()> {
    match command {
        Command::Up(settings) => up::run(Output::new(global.output), *settings).await,
        Command::Register(credentials) => login::register(&Context::new(global)?, credentials).await,
        Command::Login(credentials) => login::login(Context::new(global)?, credentials).await,
        Command::Logout => login::logout(Context::new(global)?).await,
        Command::Whoami => login::whoami(&Context::new(global)?).await,
        Command::Claims(command) => claims::run(&Context::new(global)?, command).await,
        Command::Nodes(command) => nodes::run(&Context::new(global)?, command).await,
        Command::JoinToken(command) => join_token::run(&Context::new(global)?, command).await,
        Command::Hosts(command) => hosts::run(&Context::new(global)?, command).await,
        Command::Machines(command) => machines::run(&Context::new(global)?, command).await,
        Command::Users(command) => users::run(Context::new(global)?, command).await,
        Command::Tokens(command) => tokens::run(&Context::new(global)?, command).await,
        Command::Gpus(list) => gpus::run(&Context::new(global)?, list).await,
        Command::Slurm(command) => slurm::run(&Context::new(global)?, command).await,
        Command::Salt(command) => salt::run(&Context::new(global)?, command).await,
        Command::Backends => backends::run(&Context::new(global)?).await,
        Command::Jupyter(command) => jupyter::run(&Context::new(global)?, command).await,
        Command::S3(command) => s3::run(&Context::new(global)?, command).await,
        Command::Watch(watch) => watch::run(&Context::new(global)?, watch).await,
        Command::Webhooks(command) => webhooks::run(&Context::new(global)?, command).await,
        Command::Metrics(show) => metrics::run(&Context::new(global)?, show).await,
        Command::Audit(command) => audit::run(&Context::new(global)?, command).await,
        Command::Config(command) => config::run(Context::new(global)?, command),
    }
}

/// What every command that talks to a server starts from.
struct Context {
    output: Output,
    /// The server.
    url: Url,
    server_ca: Option<PathBuf>,
    /// The file of settings, and what is in it.
    config_path: PathBuf,
    config: Config,
}

impl Context {
    fn new(global: Global) -> anyhow::Result<Self> {
        let config_path = crate::config::path()?;
        let config = Config::load(&config_path)?;
        let url = config.server(global.url.as_deref())?;
        Ok(Self { output: Output::new(global.output), url, server_ca: global.server_ca, config_path, config })
    }

    /// The API as the user that is logged in, if one is: the server says what needs that.
    fn client(&self) -> anyhow::Result<Client> {
        let token = environment("UTOPIA_TOKEN")?.or_else(|| self.config.session(&self.url).map(|session| session.token.clone()));
        self.client_with(token)
    }

    /// The API as nobody.
    fn anonymous_client(&self) -> anyhow::Result<Client> {
        self.client_with(None)
    }

    fn client_with(&self, token: Option<String>) -> anyhow::Result<Client> {
        Ok(Client::new(self.url.clone(), token, self.server_ca.as_deref())?)
    }
}

/// A secret from the environment; an empty one counts as none.
fn environment(name: &str) -> anyhow::Result<Option<String>> {
    match std::env::var_os(name) {
        Some(value) if !value.is_empty() => {
            let value = value.into_string().ok().with_context(|| format!("{name} is not valid UTF-8"))?;
            Ok(Some(value))
        }
        Some(_) | None => Ok(None),
    }
}

/// The word by which the server knows a choice.
fn word(choice: impl clap::ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Labels as the server takes them.
fn labels(labels: Vec<Label>) -> Value {
    labels.into_iter().map(|label| (label.key, Value::from(label.value))).collect::<Map<_, _>>().into()
}

/// An object of the members that were typed; the rest is left to the server.
fn typed<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>().into()
}
