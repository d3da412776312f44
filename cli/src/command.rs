//! The commands. Each file calls the API and says how people see the answer, none knows HTTP; `up` is the server itself.

mod audit;
mod backends;
mod call;
mod claims;
mod completion;
mod config;
mod container;
mod gpus;
mod hosts;
mod join_token;
mod jupyter;
mod listing;
mod login;
mod logs;
mod machines;
mod man;
mod metrics;
mod nodes;
mod roles;
mod s3;
mod salt;
mod secret;
mod slurm;
mod tokens;
mod up;
mod users;
mod watch;
mod watching;
mod webhooks;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::ArgMatches;
use reqwest::Url;
use serde_json::{Map, Value};

pub(crate) use self::completion::complete;
use crate::args::{self, Cli, Command, ConfigCommand, Global, Label};
use crate::client::{Client, Manner};
use crate::config::{Config, KeyPair, Session};
use crate::failure::Failure;
use crate::objects::Store;
use crate::output::Output;

/// After this time a stream that broke is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Tries in a row that bring nothing new.
const MOST_TRIES: u32 = 30;

/// What the object storage is signed for, unless its server has another setting.
const REGION: &str = "us-east-1";

/// Does what was typed.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other commands need a server, and `call` names each of them")]
pub(crate) async fn run(Cli { global, command }: Cli, matches: &ArgMatches) -> anyhow::Result<()> {
    if let Some(watch) = args::watched(matches) {
        return watching::run(watch, matches).await;
    }
    match command {
        Command::Up(settings) => up::run(Output::new(&global), *settings).await,
        Command::Completions { shell } => completion::write_script(shell),
        Command::Man(man) => man::write_pages(Output::new(&global), &man.dir),
        Command::Config(ConfigCommand::Show) => config::show(&Context::new(global)?),
        Command::Config(command) => config::run(&global, args::typed_server(&global, matches), command),
        command => call(Context::new(global)?, command).await,
    }
}

/// Does what needs a server.
async fn call(context: Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Register(credentials) => login::register(&context, credentials).await,
        Command::Login(credentials) => login::login(context, credentials).await,
        Command::Logout => login::logout(context).await,
        Command::Refresh => login::refresh(context).await,
        Command::Whoami => login::whoami(&context).await,
        Command::Claims(command) => claims::run(&context, command).await,
        Command::Nodes(command) => nodes::run(&context, command).await,
        Command::JoinToken(command) => join_token::run(&context, command).await,
        Command::Hosts(command) => hosts::run(&context, command).await,
        Command::Machines(command) => machines::run(&context, command).await,
        Command::Users(command) => users::run(context, command).await,
        Command::Tokens(command) => tokens::run(&context, command).await,
        Command::Gpus(list) => gpus::run(&context, list).await,
        Command::Slurm(command) => slurm::run(&context, command).await,
        Command::Salt(command) => salt::run(&context, command).await,
        Command::Backends => backends::run(&context).await,
        Command::Jupyter(command) => jupyter::run(&context, command).await,
        Command::S3(command) => s3::run(context, command).await,
        Command::Watch(watch) => watch::run(&context, watch).await,
        Command::Webhooks(command) => webhooks::run(&context, command).await,
        Command::Metrics(show) => metrics::run(&context, show).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Roles(command) => roles::run(&context, command).await,
        Command::Api(call) => call::run(&context, call).await,
        Command::Up(_) | Command::Completions { .. } | Command::Man(_) | Command::Config(_) => Ok(()),
    }
}

/// What every command that talks to a server starts from.
struct Context {
    output: Output,
    /// What the settings of the server are called.
    name: String,
    /// The server.
    url: Url,
    server_ca: Option<PathBuf>,
    manner: Manner,
    /// The file of settings, and what is in it.
    config_path: PathBuf,
    config: Config,
}

impl Context {
    fn new(global: Global) -> anyhow::Result<Self> {
        let output = Output::new(&global);
        let config_path = crate::config::path()?;
        let config = Config::load(&config_path)?;
        let name = config.chosen(global.context.as_deref())?.to_owned();
        let url = config.server(&name, global.url.as_deref())?;
        let server_ca = global.server_ca.or_else(|| config.context(&name)?.server_ca.clone());
        let timeout = global.request_timeout.map(|timeout| Duration::from_secs(timeout.0.into()));
        let manner = Manner { timeout, quiet: global.quiet, verbose: global.verbose };
        Ok(Self { output, name, url, server_ca, manner, config_path, config })
    }

    /// The log-in that is kept for the server.
    fn session(&self) -> Option<&Session> {
        self.config.session(&self.name, &self.url)
    }

    fn keep_session(&mut self, session: Session) -> anyhow::Result<()> {
        self.config.keep_session(&self.name, &self.url, session);
        self.config.save(&self.config_path)
    }

    /// Whether there was one.
    fn forget_session(&mut self) -> anyhow::Result<bool> {
        let was_there = self.config.forget_session(&self.name, &self.url);
        if was_there {
            self.config.save(&self.config_path)?;
        }
        Ok(was_there)
    }

    /// The access key that is kept for the server.
    fn s3_key(&self) -> Option<&KeyPair> {
        self.config.s3_key(&self.name, &self.url)
    }

    fn keep_s3_key(&mut self, key: KeyPair) -> anyhow::Result<()> {
        self.config.keep_s3_key(&self.name, &self.url, key);
        self.config.save(&self.config_path)
    }

    fn forget_s3_key(&mut self) -> anyhow::Result<()> {
        self.config.forget_s3_key(&self.name, &self.url);
        self.config.save(&self.config_path)
    }

    /// The object storage with the key of the environment, else with the one that is kept for the server.
    fn store(&self) -> anyhow::Result<Store> {
        let key = match (environment("AWS_ACCESS_KEY_ID")?, environment("AWS_SECRET_ACCESS_KEY")?) {
            (Some(id), Some(secret)) => KeyPair { id, secret },
            (None, None) => self.s3_key().cloned().ok_or_else(|| {
                let server = &self.url;
                let sentence = format!("there is no access key for {server}; make one with `aiinfra s3 keys create NAME --save`");
                Failure::NotLoggedIn(sentence)
            })?,
            (Some(_), None) | (None, Some(_)) => {
                let sentence = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set both, or neither";
                return Err(Failure::NotLoggedIn(sentence.to_owned()).into());
            }
        };
        let region = environment("AWS_REGION")?.or(environment("AWS_DEFAULT_REGION")?);
        let region = region.unwrap_or_else(|| REGION.to_owned());
        Ok(Store::new(self.url.clone(), self.server_ca.as_deref(), key, region, self.manner)?)
    }

    /// The API as the user that is logged in, if one is: the server says what needs that.
    fn client(&self) -> anyhow::Result<Client> {
        let token = environment("UTOPIA_TOKEN")?.or_else(|| self.session().map(|session| session.token.clone()));
        self.client_with(token)
    }

    /// The API as nobody.
    fn anonymous_client(&self) -> anyhow::Result<Client> {
        self.client_with(None)
    }

    fn client_with(&self, token: Option<String>) -> anyhow::Result<Client> {
        Ok(Client::new(self.url.clone(), token, self.server_ca.as_deref(), self.manner)?)
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
