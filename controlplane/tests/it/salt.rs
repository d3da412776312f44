//! Minions, functions and states over HTTP, on a real Salt master with two minions, and on servers that play its faults.

mod arguments;
mod faults;
mod functions;
mod minions;
mod relay;
mod session;
mod states;

use std::env;

use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use crate::{databases::with_sqlite, http::Answer, plane::Plane};

/// The real server: its URL, the user and the file with the password. Without one the test is skipped, except where `CI` is set.
pub(crate) fn real() -> Option<Real> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let found = || {
        let password_file = variable("UTOPIA_TEST_SALT_PASSWORD_FILE")?;
        Some(Real { url: variable("UTOPIA_TEST_SALT_URL")?, user: variable("UTOPIA_TEST_SALT_USER")?, password_file })
    };
    let found = found();
    if found.is_none() {
        assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "there is no Salt to test on");
        eprintln!("SKIPPED: there is no Salt to test on, see UTOPIA_TEST_SALT_URL");
    }
    found
}

/// Where a Salt is, and as whom it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) password_file: String,
}

impl Real {
    /// The settings of a control plane that asks it.
    fn settings(&self) -> Vec<String> {
        let settings = ["--salt-url", &self.url, "--salt-user", &self.user, "--salt-password-file", &self.password_file];
        settings.into_iter().chain(["--salt-eauth", "sharedsecret"]).map(str::to_owned).collect()
    }

    /// The same server, reached elsewhere.
    fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }
}

/// One master and two minions answer to everybody here, each with a process for every question: whoever asks waits for the others.
static TURN: Semaphore = Semaphore::const_new(1);

/// Runs a test on a control plane that asks this Salt.
async fn with(salt: &Real, more: &[&str], test: impl AsyncFnOnce(&Plane)) {
    let _turn = TURN.acquire().await.unwrap();
    // Settings live as long as their process, in tests too.
    let settings = salt.settings().into_iter().chain(more.iter().map(ToString::to_string));
    let settings: &'static [&'static str] = settings.map(|text| &*text.leak()).collect::<Vec<_>>().leak();
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, settings).await;
        test(&plane).await;
        plane.stop().await;
    })
    .await;
}

/// Runs a test on the real Salt.
async fn with_real(test: impl AsyncFnOnce(&Plane)) {
    if let Some(salt) = real() {
        with(&salt, &[], test).await;
    }
}

async fn execute(plane: &Plane, body: &Json) -> Answer {
    plane.as_operator().post("/api/saltstack/execute", body).await
}

async fn deploy(plane: &Plane, body: &Json) -> Answer {
    plane.as_operator().post("/api/saltstack/deploy", body).await
}

/// What each minion returned, by name.
fn results(job: &Json) -> Json {
    let results = job["results"].as_array().unwrap().iter();
    results.map(|result| (result["minion"].as_str().unwrap().to_owned(), result["result"].clone())).collect()
}

#[tokio::test]
async fn without_a_setting_there_is_no_salt() {
    with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        let operator = plane.as_operator();
        let command = json!({"target": "node01", "function": "test.ping", "state": "motd"});
        for answer in [
            operator.get("/api/saltstack/minions").await,
            operator.get("/api/saltstack/minions/node01").await,
            operator.post("/api/saltstack/execute", &command).await,
            operator.post("/api/saltstack/deploy", &command).await,
            operator.get("/api/saltstack/jobs/20261120215136422127").await,
        ] {
            let sentence = answer.expect_error(503, "SaltNotConfigured");
            assert!(sentence.contains("UTOPIA_SALT_URL"), "{sentence}");
        }
        plane.stop().await;
    })
    .await;
}
