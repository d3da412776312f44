//! A real control plane in this process, with people of every role.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use utopia_certs::{Authority, tls};
use utopia_controlplane::{
    Config, Started,
    auth::{jwt::Tokens, keys::KeyRing},
    clock::Clock,
    model::{Role, audit::Trail, people::NewUser},
    seal::Sealer,
    store::{Options, Store},
};

use crate::{
    dial::dial,
    http::Http,
    wait::{eventually, soon},
};

/// A person with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) uuid: String,
    pub(crate) token: String,
}

/// One person of each role, and a second user.
#[derive(Debug, Clone)]
pub(crate) struct People {
    pub(crate) admin: Person,
    pub(crate) operator: Person,
    pub(crate) user: Person,
    pub(crate) other: Person,
    pub(crate) readonly: Person,
}

impl People {
    /// Makes them in a database that no control plane has open. Only the control plane's own log-in could be told apart from this,
    /// and it has tests of its own.
    async fn new(database_url: &str) -> Self {
        let store = Store::open(database_url, Options::default()).await.unwrap();
        let clock = Clock::system();
        let keys = KeyRing::load(store.clone(), sealer(), clock.clone()).await.unwrap();
        let tokens = Tokens::new(keys, clock);
        let person = async |username, role| {
            let new = NewUser { username, email: "", password_hash: "no password fits this", role };
            let user = store.create_user(new, Timestamp::now(), &Trail::system("user", "Register")).await.unwrap();
            Person { id: user.id, uuid: user.uuid.to_string(), token: tokens.issue(&user).unwrap().token }
        };
        let people = Self {
            admin: person("admin", Role::Admin).await,
            operator: person("olga", Role::Operator).await,
            user: person("uma", Role::User).await,
            other: person("otto", Role::User).await,
            readonly: person("rita", Role::Readonly).await,
        };
        store.close().await;
        people
    }
}

/// The key that seals secrets in every control plane here, in base64.
pub(crate) const SEAL_KEY: &str = "c2VjcmV0cyBvZiB0ZXN0cyBhcmUgc2VhbGVkIGhlcmU=";

/// Seals as the control planes here do.
pub(crate) fn sealer() -> Sealer {
    Sealer::from_base64(SEAL_KEY, "SEAL_KEY").unwrap()
}

/// Lets a control plane ask backends how they are.
pub(crate) const CHECKS: [&str; 2] = ["--backend-check-seconds", "30"];

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// The settings of a control plane on ports of the system's choice.
pub(crate) fn config(directory: &TempDir, more: &[&str]) -> Config {
    let data_dir = directory.path().join("data");
    let fixed = ["controlplane", "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--data-dir"];
    // Tests call more often than people do; those of the limits set their own.
    let limits: &[&str] = if more.contains(&"--limits") { &[] } else { &["--limits", "off"] };
    // Who plays a backend is asked by the test only.
    let checks: &[&str] = if more.contains(&CHECKS[0]) { &[] } else { &[CHECKS[0], "0"] };
    let arguments = fixed.into_iter().chain([data_dir.to_str().unwrap()]).chain(limits.iter().chain(checks).chain(more).copied());
    Arguments::parse_from(arguments).config
}

/// A control plane without people and clients.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) started: Started,
    cancel: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Running {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(config: Config) -> Self {
        let (started, ready) = oneshot::channel();
        let cancel = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(Box::pin(utopia_controlplane::run(config, Some(started), cancel.clone())));
        match soon("the start", ready).await {
            Ok(started) => Self { started, cancel, task },
            Err(_) => panic!("the control plane does not start: {:?}", task.join_next().await),
        }
    }

    /// Asks it to stop, as a signal would.
    pub(crate) fn begin_stop(&self) {
        self.cancel.cancel();
    }

    /// Asks it to stop, and waits until it has, which must be in order.
    pub(crate) async fn stop(mut self) {
        self.begin_stop();
        soon("the end", self.task.join_next()).await.unwrap().unwrap().expect("the control plane ends in order");
    }
}

/// A running control plane.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) people: People,
    /// The JSON API without credentials.
    pub(crate) http: Http,
    pub(crate) running: Running,
    directory: TempDir,
    database_url: String,
    settings: Vec<String>,
}

/// A control plane that is stopped, with what it keeps.
#[derive(Debug)]
pub(crate) struct Paused {
    people: People,
    directory: TempDir,
    database_url: String,
    settings: Vec<String>,
}

impl Paused {
    /// Starts it again.
    pub(crate) async fn resume(self) -> Plane {
        let Self { people, directory, database_url, settings } = self;
        Plane::start_with(people, directory, database_url, settings).await
    }
}

impl Plane {
    /// Starts a control plane on an empty database.
    pub(crate) async fn start(database_url: &str) -> Self {
        Self::start_as(database_url, &[]).await
    }

    /// Starts a control plane with settings of its own on an empty database.
    pub(crate) async fn start_as(database_url: &str, settings: &[&str]) -> Self {
        let settings = settings.iter().map(ToString::to_string).collect();
        let people = People::new(database_url).await;
        Self::start_with(people, tempfile::tempdir().unwrap(), database_url.to_owned(), settings).await
    }

    async fn start_with(people: People, directory: TempDir, database_url: String, settings: Vec<String>) -> Self {
        let arguments = ["--database-url", &*database_url, "--seal-key", SEAL_KEY]
            .into_iter()
            .chain(settings.iter().map(String::as_str))
            .collect::<Vec<_>>();
        let running = Running::start(config(&directory, &arguments)).await;
        Self { people, http: Http::new(running.started.http_addr), running, directory, database_url, settings }
    }

    /// Starts another beside it, on the same database.
    pub(crate) async fn beside(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start_with(self.people.clone(), directory, self.database_url.clone(), self.settings.clone()).await
    }

    /// Stops it and starts another on the same database and data directory.
    pub(crate) async fn restart(self) -> Self {
        let settings = self.settings.clone();
        self.restart_with(settings).await
    }

    /// The same, with other settings.
    pub(crate) async fn restart_as(self, settings: &[&str]) -> Self {
        self.restart_with(settings.iter().map(ToString::to_string).collect()).await
    }

    async fn restart_with(self, settings: Vec<String>) -> Self {
        Paused { settings, ..self.pause().await }.resume().await
    }

    /// Stops it for a while.
    pub(crate) async fn pause(self) -> Paused {
        let Self { people, running, directory, database_url, settings, .. } = self;
        running.stop().await;
        Paused { people, directory, database_url, settings }
    }

    /// Stops it, which must be in order.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// Where gRPC is.
    pub(crate) fn grpc_addr(&self) -> SocketAddr {
        self.running.started.grpc_addr
    }

    /// The JSON API as a person.
    pub(crate) fn as_person(&self, person: &Person) -> Http {
        self.http.with_token(&person.token)
    }

    pub(crate) fn as_admin(&self) -> Http {
        self.as_person(&self.people.admin)
    }

    pub(crate) fn as_operator(&self) -> Http {
        self.as_person(&self.people.operator)
    }

    pub(crate) fn as_user(&self) -> Http {
        self.as_person(&self.people.user)
    }

    pub(crate) fn as_other(&self) -> Http {
        self.as_person(&self.people.other)
    }

    /// gRPC without a client certificate.
    pub(crate) async fn channel(&self) -> Channel {
        let tls = tls::pinned_client_config(&self.running.started.ca_hash).unwrap();
        dial(self.grpc_addr(), tls).await.expect("TLS without a client certificate")
    }

    /// The CA, from its files.
    pub(crate) fn authority(&self) -> Authority {
        Authority::open_or_create(&self.directory.path().join("data/ca"), Timestamp::now()).unwrap()
    }

    /// gRPC as a gateway, at the internal address, which the settings must open.
    pub(crate) async fn gateway_channel(&self) -> Channel {
        let authority = self.authority();
        let gateway = authority.issue_gateway("edge", Timestamp::now(), SignedDuration::from_hours(1)).unwrap();
        let tls = tls::client_config(authority.certificate_der(), Some((gateway.chain, gateway.key))).unwrap();
        dial(self.running.started.internal_addr.unwrap(), tls).await.expect("TLS with a gateway's certificate")
    }

    /// The URL of the database.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The database, beside the control plane.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.database_url, Options::default()).await.unwrap()
    }

    /// Where the database lies; empty unless it is SQLite.
    pub(crate) fn database_files(&self) -> Vec<PathBuf> {
        let Some(path) = self.database_url.strip_prefix("sqlite://") else { return Vec::new() };
        [path.to_owned(), format!("{path}-wal")].map(PathBuf::from).to_vec()
    }

    /// Where files are kept beside the database.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Makes a join token over the API; answers the whole of it.
    pub(crate) async fn join_token(&self, max_uses: i32) -> Json {
        self.as_admin().post("/api/join-tokens", &json!({"max_uses": max_uses})).await.expect(201)
    }
}

/// Makes a claim for so many GPUs, and answers it.
pub(crate) async fn claim(http: &Http, gpu_count: i32) -> Json {
    claim_with(http, json!({"image": "train:1", "resources": {"gpuCount": gpu_count}})).await
}

/// Makes a claim, and answers it.
pub(crate) async fn claim_with(http: &Http, spec: Json) -> Json {
    http.post("/api/gpu-claims", &json!({"spec": spec})).await.expect(202)
}

/// The claim as it is now.
pub(crate) async fn look(http: &Http, id: &str) -> Json {
    http.get(&format!("/api/gpu-claims/{id}")).await.expect(200)
}

/// Waits until a claim is in a phase for a reason; answers it.
pub(crate) async fn reaches(http: &Http, id: &str, phase: &str, reason: &str) -> Json {
    let mut last = Json::Null;
    let what = format!("claim {id} in {phase}({reason})");
    let found = eventually(&what, async || {
        let claim = look(http, id).await;
        let there = claim["status"]["phase"] == phase && claim["status"]["reason"] == reason;
        if claim["status"] != last["status"] {
            println!("claim {id}: {}", claim["status"]);
            last = claim.clone();
        }
        there.then_some(claim)
    });
    found.await
}

/// The text under a key.
#[track_caller]
pub(crate) fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("no text under `{key}` in {json}"))
}
