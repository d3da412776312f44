//! SaltStack through salt-api: minions, functions and jobs.
//!
//! A function is begun as a job and asked for by its id, so that no connection to salt-api waits for minions. Arguments are sent as
//! `arg` and `kwarg` only, beside a target and a function of their own: nothing that a caller sends can become another key of the call.

mod allowed;
mod answer;
mod session;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use self::{
    allowed::{AllowList, is_function, reserved_argument},
    answer::{Job, MinionOutcome, Part, StateOutcome, state_outcome},
};
use self::{answer::RawJob, session::Session};
use super::client::{self, Answer, Backend, Place, Repeat};
use crate::{
    clock::Clock,
    config::backends::Settings,
    error::{Error, Result},
};

/// How long salt-api may take to begin a job: it asks nobody but the master.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the master may take to look something up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the master may take to find out who answers: it waits for those who do not.
const PING_TIMEOUT: Duration = Duration::from_secs(25);

/// salt-api. Clones share one session.
#[derive(Debug, Clone)]
pub struct Salt {
    backend: Backend,
    session: Session,
    /// Who this control plane is there, which is whose jobs it knows.
    user: String,
    allowed: AllowList,
}

/// What a function runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A shell pattern of names.
    Glob(String),
    /// Names.
    List(Vec<String>),
    /// A grain and a pattern of its value, `name:pattern`.
    Grain(String),
}

/// A function with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Where it runs.
    pub target: Target,
    /// `module.function`.
    pub function: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: Map<String, Value>,
}

/// A job that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Salt's id.
    pub id: String,
    /// The minions that the target names.
    pub minions: BTreeSet<String>,
}

/// Who answers, and who does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Status {
    /// Minions that answer.
    pub up: BTreeSet<String>,
    /// Minions that do not.
    pub down: BTreeSet<String>,
}

/// The facts of minions, by name.
pub type Grains = BTreeMap<String, Map<String, Value>>;

impl Target {
    /// What Salt calls this kind of target, and the target as it takes it.
    fn lowstate(&self) -> (&'static str, Value) {
        match self {
            Self::Glob(pattern) => ("glob", json!(pattern)),
            Self::List(names) => ("list", json!(names)),
            Self::Grain(pattern) => ("grain", json!(pattern)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(pattern) | Self::Grain(pattern) => f.write_str(pattern),
            Self::List(names) => f.write_str(&names.join(",")),
        }
    }
}

impl Salt {
    /// The client of what the settings name, if they name one.
    ///
    /// # Errors
    /// When the password cannot be read, or the allow-list makes no sense.
    pub fn open(settings: &Settings, http: &reqwest::Client, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let allowed = AllowList::parse(&settings.salt_allow).context("UTOPIA_SALT_ALLOW")?;
        let Some(url) = settings.salt_url.clone() else { return Ok(None) };
        let file = settings.salt_password_file.clone().context("UTOPIA_SALT_URL needs UTOPIA_SALT_PASSWORD_FILE beside it")?;
        session::read(&file).context("UTOPIA_SALT_PASSWORD_FILE")?;
        let place = Place { product: "Salt", name: "salt".into(), setting: "UTOPIA_SALT_URL", url: as_directory(url) };
        let backend = Backend::new(place, http.clone(), clock.clone());
        let user = settings.salt_user.clone();
        let session = Session::new(backend.clone(), user.clone(), settings.salt_eauth.clone(), PathBuf::clone(&file));
        Ok(Some(Self { backend, session, user, allowed }))
    }

    /// The server.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Which functions may run.
    #[must_use]
    pub fn allowed(&self) -> &AllowList {
        &self.allowed
    }

    /// Asks the master for its version.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn check(&self) -> Result<()> {
        let version: String = self.run("salt.cmd", &json!({ "fun": "test.version" }), LOOK_UP_TIMEOUT).await?;
        self.backend.note_version(&version);
        Ok(())
    }

    /// Who answers, of the minions whose names fit a shell pattern.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn status(&self, pattern: &str) -> Result<Status> {
        self.run("manage.status", &json!({ "tgt": pattern, "tgt_type": "glob" }), PING_TIMEOUT).await
    }

    /// What the master remembers of these minions; those of which it knows nothing are missing.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn grains(&self, minions: &[String]) -> Result<Grains> {
        if minions.is_empty() {
            return Ok(Grains::new());
        }
        let grains: BTreeMap<String, Option<Map<String, Value>>> =
            self.run("cache.grains", &json!({ "tgt": minions, "tgt_type": "list" }), LOOK_UP_TIMEOUT).await?;
        Ok(grains.into_iter().filter_map(|(minion, grains)| Some((minion, grains?))).collect())
    }

    /// Begins a job.
    ///
    /// # Errors
    /// `Denied` for a function that is not allowed, `Absent` when the target names no minion, `Unavailable` or `DeadlineExceeded`.
    pub async fn begin(&self, command: &Command) -> Result<Begun> {
        let Command { target, function, args, kwargs } = command;
        if !self.allowed.admits(function) {
            let message = format!("{function} is none of the functions that may run on minions; see UTOPIA_SALT_ALLOW");
            return Err(Error::Denied { reason: "FunctionNotAllowed", message });
        }
        let (kind, tgt) = target.lowstate();
        let call =
            json!({ "client": "local_async", "tgt": tgt, "tgt_type": kind, "fun": function, "arg": args, "kwarg": kwargs });
        let answer = self.call("local_async", &call, BEGIN_TIMEOUT, Repeat::Never).await?;
        // Without minions Salt makes no job.
        #[derive(serde::Deserialize)]
        struct Published {
            jid: Option<String>,
            #[serde(default)]
            minions: BTreeSet<String>,
        }
        let Published { jid, minions } = self.returned(&answer, "local_async")?;
        match jid {
            Some(id) if !minions.is_empty() => Ok(Begun { id, minions }),
            Some(_) | None => Err(Error::Absent { reason: "NoSuchMinion", message: format!("{target} names no minion") }),
        }
    }

    /// A job that was begun here, with the results that have come so far; none for any other.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn job(&self, id: &str) -> Result<Option<Job>> {
        let raw: RawJob = self.run("jobs.list_job", &json!({ "jid": id }), LOOK_UP_TIMEOUT).await?;
        // The master keeps everybody's jobs, those of its administrators among them, and our own questions.
        Ok(raw.job(id).filter(|job| job.user == self.user && is_function(&job.function)))
    }

    /// Asks the master; none of these functions changes anything.
    async fn run<T: DeserializeOwned>(&self, function: &str, kwargs: &Value, deadline: Duration) -> Result<T> {
        let call = json!({ "client": "runner", "fun": function, "kwarg": kwargs });
        let answer = self.call("runner", &call, deadline, Repeat::Allowed).await?;
        self.returned(&answer, function)
    }

    /// Makes a call, with a new session if the present one has ended. What salt-api refuses for its session it has not begun.
    async fn call(&self, client: &str, call: &Value, deadline: Duration, repeat: Repeat) -> Result<Answer> {
        let mut token = self.session.token().await?;
        let mut answer = self.post(&token, call, deadline, repeat).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            token = self.session.renewed(&token).await?;
            answer = self.post(&token, call, deadline, repeat).await?;
        }
        // A master that is short of time fails to look up what it knows a moment later.
        if answer.status == StatusCode::INTERNAL_SERVER_ERROR && repeat == Repeat::Allowed {
            answer = self.post(&token, call, deadline, repeat).await?;
        }
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED => Err(self.forbidden(call)),
            StatusCode::BAD_REQUEST if is_disabled(&answer) => Err(self.disabled(client)),
            _ => Err(self.backend.unintelligible(&answer, "it is no result")),
        }
    }

    async fn post(&self, token: &session::Token, call: &Value, deadline: Duration, repeat: Repeat) -> Result<Answer> {
        let url = &self.backend.place().url;
        let request = |http: &reqwest::Client| {
            let request = http.post(url.clone()).header("accept", "application/json").header("x-auth-token", token.text());
            request.json(&[call])
        };
        self.backend.call(deadline, repeat, request).await
    }

    /// What a call returned. What does not fit is not repeated to the caller: it may be a trace of the master's.
    fn returned<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T> {
        let mut body = answer.json::<Value>().map_err(|cause| self.backend.unintelligible(answer, &cause))?;
        let value = body.pointer_mut("/return/0").map(Value::take).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|_| self.backend.unintelligible(answer, &format!("{what} returned what it never does")))
    }

    fn forbidden(&self, call: &Value) -> Error {
        let (place, user) = (self.backend.place(), &self.user);
        let function = call["fun"].as_str().unwrap_or_default();
        let client = call["client"].as_str().unwrap_or_default();
        let message = format!(
            "{place} lets {user} log in, but not call {function} with the client {client}; see UTOPIA_SALT_USER, and external_auth in \
             the master's configuration"
        );
        Error::Unavailable { reason: "SaltRefused".into(), message }
    }

    fn disabled(&self, client: &str) -> Error {
        let message = format!(
            "{} has the client {client} disabled; add it to netapi_enable_clients in the master's configuration",
            self.backend.place()
        );
        Error::Unavailable { reason: "SaltClientDisabled".into(), message }
    }
}

/// Says that no setting names salt-api.
#[must_use]
pub fn not_configured() -> Error {
    client::not_configured("Salt", "UTOPIA_SALT_URL")
}

/// Whether salt-api says that the client of a call is none of those that it offers.
fn is_disabled(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("Client disabled")
}

/// The URL to which names can be added.
fn as_directory(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}
