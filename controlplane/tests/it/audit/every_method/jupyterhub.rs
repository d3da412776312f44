//! The methods that change something at JupyterHub, which is played here: what it does is looked at elsewhere.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use super::Tour;
use crate::stand_in::{Asked, StandIn, json};

/// A hub, and what the control plane is told of it.
pub(super) struct Settings {
    hub: StandIn,
    token_file: String,
    _directory: TempDir,
}

impl Settings {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("token");
        std::fs::write(&token_file, "a-token-of-the-hub").unwrap();
        let token_file = token_file.to_str().unwrap().to_owned();
        Self { hub: StandIn::start(answer).await, token_file, _directory: directory }
    }

    pub(super) fn arguments(&self) -> [&str; 4] {
        ["--jupyterhub-url", &self.hub.url, "--jupyterhub-token-file", &self.token_file]
    }
}

fn answer(asked: &Asked) -> Response {
    match (&asked.method, asked.path()) {
        (&Method::POST, "/hub/api/users") => json(201, &json!([{"name": "uma", "admin": false}])),
        (&Method::GET, "/hub/api/users/uma") => {
            json(200, &json!({"name": "uma", "servers": {"": {"ready": true, "url": "/user/uma/"}}}))
        }
        (&Method::POST, "/hub/api/users/uma/server") => StatusCode::CREATED.into_response(),
        (&Method::DELETE, _) => StatusCode::NO_CONTENT.into_response(),
        _ => json(404, &json!({"status": 404, "message": null})),
    }
}

impl Tour<'_> {
    pub(super) async fn jupyterhub(&mut self) {
        self.secrets.push("a-token-of-the-hub".to_owned());
        let (operator, user) = (self.plane.as_operator(), self.plane.as_user());
        operator.post("/api/jupyterhub/users", &json!({"username": "uma"})).await.expect(201);
        let event = self.left("/utopia.jupyterhub.v1.JupyterHubService/CreateUser", "olga", "uma").await;
        assert_eq!(event["new_value"], json!({"admin": false}));
        user.post("/api/jupyterhub/users/uma/server", &json!({})).await.expect(201);
        let event = self.left("/utopia.jupyterhub.v1.JupyterHubService/StartServer", "uma", "uma").await;
        assert_eq!((&event["old_value"], &event["new_value"]), (&json!({}), &json!({"server_name": ""})));
        user.delete("/api/jupyterhub/users/uma/servers/gpu").await.expect(204);
        let event = self.left("/utopia.jupyterhub.v1.JupyterHubService/StopServer", "uma", "uma").await;
        assert_eq!((&event["old_value"], &event["new_value"]), (&json!({"server_name": "gpu"}), &json!({})));
        operator.delete("/api/jupyterhub/users/uma").await.expect(204);
        self.left("/utopia.jupyterhub.v1.JupyterHubService/DeleteUser", "olga", "uma").await;
    }
}
