//! A server that answers what it is told and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A scripted server on a port of its own; it stops when dropped.
pub(crate) struct FakeApi {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    _server: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Script {
    /// By method and path with query, in the order in which they are given; the last one stays.
    answers: HashMap<String, VecDeque<Answer>>,
    asked: Vec<Asked>,
    /// What is answered where nothing is scripted, in place of a refusal.
    otherwise: Option<String>,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    body: String,
    /// Seconds.
    retry_after: Option<u32>,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path with query.
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

impl FakeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let serve = async { axum::serve(listener, router).await.unwrap() };
        #[expect(clippy::disallowed_methods, reason = "the handle ends the task with the test")]
        let server = AbortOnDropHandle::new(tokio::spawn(serve));
        Self { url, script, _server: server }
    }

    /// Answers the request line with this status and body; several answers for one line are given in turn.
    pub(crate) fn answer(&self, line: &str, status: u16, body: impl ToString) -> &Self {
        self.push(line, Answer { status, body: body.to_string(), retry_after: None })
    }

    /// Answers that there were too many calls, and that the next one may come after so many seconds.
    pub(crate) fn answer_later(&self, line: &str, body: impl ToString, retry_after: u32) -> &Self {
        self.push(line, Answer { status: 429, body: body.to_string(), retry_after: Some(retry_after) })
    }

    /// Answers the request line with this result in an envelope.
    pub(crate) fn answer_data(&self, line: &str, status: u16, data: impl Into<Value>) -> &Self {
        self.answer(line, status, json!({"code": 0, "message": "success", "data": data.into()}))
    }

    /// Answers everything else with this.
    pub(crate) fn answer_otherwise(&self, body: impl ToString) -> &Self {
        self.script.lock().unwrap().otherwise = Some(body.to_string());
        self
    }

    fn push(&self, line: &str, answer: Answer) -> &Self {
        self.script.lock().unwrap().answers.entry(line.to_owned()).or_default().push_back(answer);
        self
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }

    /// The one request it was asked.
    pub(crate) fn asked_once(&self) -> Asked {
        let [asked] = self.asked().try_into().unwrap();
        asked
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let line = format!("{method} {uri}");
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut script = script.lock().unwrap();
    script.asked.push(Asked { line: line.clone(), authorization, body });
    let otherwise = script.otherwise.clone();
    let answer = match script.answers.get_mut(&line) {
        Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
        Some(answers) => answers.front().unwrap().clone(),
        None => {
            let refusal = format!(r#"{{"error":"nothing is scripted for {line}","code":"NotFound"}}"#);
            let status = if otherwise.is_some() { 200 } else { 404 };
            Answer { status, body: otherwise.unwrap_or(refusal), retry_after: None }
        }
    };
    let headers = answer.retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
    let kind = if answer.body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    let response = (StatusCode::from_u16(answer.status).unwrap(), [("content-type", kind)], answer.body);
    match headers {
        Some(headers) => (headers, response).into_response(),
        None => response.into_response(),
    }
}
