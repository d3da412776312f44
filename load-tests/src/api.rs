//! The JSON API, as far as a run needs it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::peer::{Join, dial_address};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_LINE_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[derive(Deserialize)]
struct JoinToken {
    token: String,
    ca_hash: String,
}

#[derive(Deserialize)]
struct Claim {
    id: String,
    status: ClaimStatus,
}

#[derive(Deserialize)]
struct ClaimStatus {
    phase: String,
    message: String,
}

/// The API, as somebody who has logged in.
#[derive(Debug)]
pub struct Api {
    http: reqwest::Client,
    address: SocketAddr,
    token: String,
}

impl Api {
    /// A client of the loopback.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn client() -> anyhow::Result<reqwest::Client> {
        // The client wants its provider named although nothing here is TLS.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(REQUEST_TIMEOUT).build()?)
    }

    /// Logs in with the password that the file holds.
    ///
    /// # Errors
    /// When the file cannot be read or the server refuses.
    pub async fn log_in(address: SocketAddr, username: &str, password_file: &Path) -> anyhow::Result<Self> {
        let password = std::fs::read_to_string(password_file);
        let password = password.with_context(|| format!("cannot read the password from {}", password_file.display()))?;
        let mut api = Self { http: Self::client()?, address, token: String::new() };
        let credentials = json!({"username": username, "password": password.trim_end()});
        let login: Login = api.post("/api/auth/login", &credentials).await.context("cannot log in")?;
        api.token = login.token;
        Ok(api)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token of who has logged in.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A join token for so many agents.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn join_token(&self, agents: u32, server: SocketAddr) -> anyhow::Result<Join> {
        let wanted = json!({"max_uses": agents, "description": "load test"});
        let JoinToken { token, ca_hash } = self.post("/api/join-tokens", &wanted).await.context("cannot make a join token")?;
        Ok(Join { server: dial_address(server)?, token, ca_hash })
    }

    /// Makes a claim for one GPU and waits until it runs; answers its id and how long that took.
    ///
    /// # Errors
    /// When the server refuses, or the claim ends before it runs.
    pub async fn place_claim(&self) -> anyhow::Result<(String, Duration)> {
        self.place(&json!({"image": "simulated:1", "resources": {"gpuCount": 1}})).await
    }

    /// Makes a claim and waits until it runs; answers its id and how long that took.
    ///
    /// # Errors
    /// When the server refuses, or the claim ends before it runs.
    pub async fn place(&self, spec: &Value) -> anyhow::Result<(String, Duration)> {
        let begun = Instant::now();
        let claim: Claim = self.post("/api/gpu-claims", &json!({ "spec": spec })).await?;
        let mut states = self.send(Method::GET, &format!("/api/gpu-claims/{}/watch", claim.id), None).await?;
        let mut buffer = Vec::new();
        while let Some(chunk) = states.chunk().await? {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let state: Claim = serde_json::from_slice(&buffer[..end])?;
                match state.status.phase.as_str() {
                    "Running" => return Ok((claim.id, begun.elapsed())),
                    "Failed" | "Completed" => bail!("claim {} has ended: {}", claim.id, state.status.message),
                    _ => drop(buffer.drain(..=end)),
                }
            }
            if buffer.len() > MAX_LINE_BYTES {
                bail!("a state of claim {} is too long", claim.id);
            }
        }
        bail!("claim {} is not watched any more", claim.id)
    }

    /// Deletes a claim.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete_claim(&self, id: &str) -> anyhow::Result<()> {
        self.send(Method::DELETE, &format!("/api/gpu-claims/{id}"), None).await.map(drop)
    }

    /// Asks for something, and reads the answer as JSON.
    ///
    /// # Errors
    /// When the server refuses, or answers something else.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.send(Method::GET, path, None).await?.json().await?)
    }

    /// Posts JSON, and reads the answer as JSON.
    ///
    /// # Errors
    /// When the server refuses, or answers something else.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        Ok(self.send(Method::POST, path, Some(body)).await?.json().await?)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When the server refuses, with its reason.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Response> {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        request = request.header("accept", "application/x-ndjson, application/json");
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: Value = response.json().await.unwrap_or_default();
        bail!("{path} answered {status}: {}", problem["error"].as_str().unwrap_or("no reason"))
    }
}
