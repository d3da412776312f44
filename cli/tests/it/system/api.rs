//! The JSON API as curl sees it.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::docker::Docker;
use super::until;

/// A good password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The API as one user.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Null when there is none.
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer with this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }

    /// The reason of a refusal with this status.
    pub(crate) fn refused(self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }
}

impl Api {
    /// The API as nobody.
    pub(crate) fn new(url: &str) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        Self { http, url: url.to_owned(), token: None }
    }

    /// The same API with this token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// The status of a GET; none when nobody answers.
    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await;
        response.ok().map(|response| response.status().as_u16())
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    /// The API as this user.
    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Self {
        let answer = self.post("/api/auth/login", json!({"username": username, "password": password})).await.expect(200);
        self.with_token(answer["token"].as_str().unwrap())
    }

    /// The API as a new user.
    pub(crate) async fn new_user(&self, username: &str) -> Self {
        self.post("/api/auth/register", json!({"username": username, "password": PASSWORD})).await.expect(201);
        self.log_in(username, PASSWORD).await
    }

    /// Makes a claim; answers its id.
    pub(crate) async fn claim(&self, spec: Value) -> String {
        let claim = self.post("/api/gpu-claims", json!({"spec": spec})).await.expect(202);
        claim["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the claim is in this phase, which it must not pass by.
    pub(crate) async fn claim_in_phase(&self, id: &str, phase: &str) -> Value {
        until(&format!("claim {id} is {phase}"), async || {
            let claim = self.get(&format!("/api/gpu-claims/{id}")).await.expect(200);
            let now = claim["status"]["phase"].as_str().unwrap();
            let ended = matches!(now, "Failed" | "Completed");
            assert!(now == phase || !ended, "claim {id} is {now}: {claim:#}");
            (now == phase).then_some(claim)
        })
        .await
    }

    /// Waits until the claim has this reason.
    pub(crate) async fn claim_with_reason(&self, id: &str, reason: &str) -> Value {
        until(&format!("claim {id} has the reason {reason}"), async || {
            let claim = self.get(&format!("/api/gpu-claims/{id}")).await.expect(200);
            (claim["status"]["reason"] == reason).then_some(claim)
        })
        .await
    }

    /// Deletes a claim and waits until its containers are gone.
    pub(crate) async fn delete_claim(&self, docker: &Docker, id: &str) {
        self.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
        until("the container is removed", async || docker.containers(id).is_empty().then_some(())).await;
    }

    /// Whether a node is connected, as people see it.
    pub(crate) async fn node_status(&self, id: &str) -> String {
        self.get(&format!("/api/nodes/{id}")).await.expect(200)["status"].as_str().unwrap().to_owned()
    }

    /// Waits until this many nodes are connected.
    pub(crate) async fn nodes_online(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} nodes are online"), async || {
            let mut list = self.get("/api/nodes?status=Online").await.expect(200);
            let nodes = list["nodes"].take().as_array().unwrap().clone();
            (nodes.len() == count).then_some(nodes)
        })
        .await
    }
}
