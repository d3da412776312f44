//! A subscriber of webhooks, which answers when it is told to.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::{skip, until};

/// A subscriber with all that has reached it.
pub(crate) struct Receiver {
    pub(crate) url: String,
    arrived: Arc<Mutex<Vec<Message>>>,
    answers: watch::Sender<bool>,
    serving: AbortHandle,
    python: String,
}

/// What has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) headers: BTreeMap<String, String>,
    body: String,
}

impl Message {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Desk {
    arrived: Arc<Mutex<Vec<Message>>>,
    answers: watch::Receiver<bool>,
}

impl Receiver {
    /// None, said visibly, when nobody could check its messages.
    pub(crate) async fn start() -> Option<Self> {
        let Ok(python) = std::env::var("UTOPIA_TEST_WEBHOOK_PYTHON") else {
            skip("there is no library of Standard Webhooks; `.ci/test-tools.sh` installs it");
            return None;
        };
        let (answers, may_answer) = watch::channel(false);
        let arrived = Arc::<Mutex<Vec<Message>>>::default();
        let desk = Desk { arrived: arrived.clone(), answers: may_answer };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().route("/hook", post(receive)).with_state(desk);
        let serving = TaskTracker::new().spawn(axum::serve(listener, app).into_future()).abort_handle();
        Some(Self { url, arrived, answers, serving, python })
    }

    /// Answers what has arrived and what will.
    pub(crate) fn answer(&self) {
        self.answers.send_replace(true);
    }

    /// Waits for the message with this number, from 0.
    pub(crate) async fn message(&self, number: usize) -> Message {
        until(&format!("message {number} has arrived"), async || self.arrived.lock().unwrap().get(number).cloned()).await
    }

    /// Has the public library check the signature.
    pub(crate) fn verify(&self, message: &Message, secret: &str) {
        const CHECK: &str = "import json, sys, standardwebhooks; m = json.load(sys.stdin); \
                             standardwebhooks.Webhook(m['secret']).verify(m['body'], m['headers'])";
        let mut check = Command::new(&self.python).args(["-c", CHECK]).stdin(Stdio::piped()).spawn().unwrap();
        let given = json!({"secret": secret, "body": message.body, "headers": message.headers});
        check.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        assert!(check.wait().unwrap().success());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(State(mut desk): State<Desk>, headers: HeaderMap, body: String) -> StatusCode {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    desk.arrived.lock().unwrap().push(Message { headers: headers.collect(), body });
    // It fails only when the test is over.
    let _ = desk.answers.wait_for(|may| *may).await;
    StatusCode::NO_CONTENT
}
