//! A server between the control plane and Salt, or in place of it, that answers as a test wants.

use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::Request,
    response::{Html, IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) token: String,
    /// The body: of a log-in the log-in, else the one call in it.
    pub(super) body: Json,
}

impl Asked {
    /// The function of a call; empty for a log-in.
    pub(super) fn function(&self) -> &str {
        self.body["fun"].as_str().unwrap_or_default()
    }

    pub(super) fn is_login(&self) -> bool {
        self.path == "/login"
    }
}

/// The server, as long as the test runs.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Relay {
    /// A server that answers what `answer` says, else what the server at `onward` says, else nothing good. `answer` is told how often
    /// the same was asked before.
    pub(super) async fn start(
        onward: Option<String>,
        answer: impl Fn(&Asked, usize) -> Option<Response> + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let seen = asked.clone();
        let client = utopia_controlplane::backend::client::http_client().unwrap();
        let handle = move |request: Request| {
            let (seen, answer, onward, client) = (seen.clone(), answer.clone(), onward.clone(), client.clone());
            async move {
                let (asked, headers, body) = take(request).await;
                let before = {
                    let mut seen = seen.lock().unwrap();
                    let same = |other: &&Asked| (&other.path, other.function()) == (&asked.path, asked.function());
                    let before = seen.iter().filter(same).count();
                    seen.push(asked.clone());
                    before
                };
                match (answer(&asked, before), onward) {
                    (Some(answer), _) => answer,
                    (None, Some(onward)) => forward(&client, &format!("{onward}{}", asked.path), headers, body).await,
                    (None, None) => StatusCode::NOT_FOUND.into_response(),
                }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        TaskTracker::new().spawn(axum::serve(listener, Router::new().fallback(handle)).into_future());
        Self { url, asked }
    }

    /// Everything that was asked, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often there was a log-in.
    pub(super) fn logins(&self) -> usize {
        self.asked().iter().filter(|asked| asked.is_login()).count()
    }
}

async fn take(request: Request) -> (Asked, HeaderMap, Bytes) {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let json: Json = serde_json::from_slice(&body).unwrap_or_default();
    let call = json.get(0).cloned().unwrap_or(json);
    let token = head.headers.get("x-auth-token").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    (Asked { path: head.uri.path().to_owned(), token, body: call }, head.headers, body)
}

async fn forward(client: &reqwest::Client, url: &str, headers: HeaderMap, body: Bytes) -> Response {
    let mut request = client.post(url).body(body);
    for name in ["accept", "content-type", "x-auth-token"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let body = answer.bytes().await.unwrap();
    let mut response = (status, body).into_response();
    kind.into_iter().for_each(|kind| drop(response.headers_mut().insert("content-type", kind)));
    response
}

/// A page as salt-api answers its errors.
pub(super) fn page(status: u16, sentence: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let page = format!(
        "<!DOCTYPE html PUBLIC\n\"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\
         \n<html>\n<head>\n    <title>{status}</title>\n</head>\n    <body>\n        <h2>{status}</h2>\n        <p>{sentence}</p>\n        \
         <pre id=\"traceback\"></pre>\n    </body>\n</html>\n"
    );
    (status, Html(page)).into_response()
}

/// What a log-in with a token of so many seconds answers.
pub(super) fn granted(token: &str, seconds: f64) -> Response {
    let start = 1_795_211_487.545_108;
    let grant = json!({"token": token, "start": start, "expire": start + seconds, "user": "utopia", "eauth": "sharedsecret", "perms": []});
    returned(&grant)
}

/// What a call that returns this answers.
pub(super) fn returned(value: &Json) -> Response {
    ([("content-type", "application/json")], json!({ "return": [value] }).to_string()).into_response()
}
