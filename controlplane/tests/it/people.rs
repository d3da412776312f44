//! People with passwords, and the envelope in which their APIs answer.

use serde_json::{Value as Json, json};

use crate::{
    http::{Answer, Http},
    plane::{Plane, text},
};

/// The first password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse";

/// Somebody who is logged in.
#[derive(Debug)]
pub(crate) struct Member {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) token: String,
    /// The JSON API as they see it.
    pub(crate) http: Http,
}

impl Member {
    /// Made by an administrator, then logged in.
    pub(crate) async fn new(plane: &Plane, username: &str, role: &str) -> Self {
        let new = json!({"username": username, "password": PASSWORD, "role": role, "email": format!("{username}@example.com")});
        let account = data(plane.as_admin().post("/api/v1/users", &new).await, 201);
        assert_eq!(account["role"], role);
        let token = log_in(plane, username, PASSWORD).await;
        let http = plane.http.with_token(&token);
        Self { id: text(&account, "id").to_owned(), username: username.to_owned(), token, http }
    }

    /// Where the account is.
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/users/{}", self.id)
    }

    /// Whether the token still holds.
    pub(crate) async fn is_in(&self) -> bool {
        holds(&self.http).await
    }
}

/// Whether a client's token holds.
pub(crate) async fn holds(http: &Http) -> bool {
    let answer = http.get("/api/v1/auth/profile").await;
    assert!(matches!(answer.status, 200 | 401), "{} {}", answer.status, answer.text);
    answer.status == 200
}

/// A token for a name and a password.
pub(crate) async fn log_in(plane: &Plane, username: &str, password: &str) -> String {
    let answer = plane.http.post("/api/v1/auth/login", &json!({"username": username, "password": password})).await;
    text(&data(answer, 200), "token").to_owned()
}

/// The data of a success.
#[track_caller]
pub(crate) fn data(answer: Answer, status: u16) -> Json {
    let mut json = answer.expect(status);
    assert_eq!((&json["code"], &json["message"]), (&json!(0), &json!("success")));
    json["data"].take()
}

/// The sentence of a refusal.
#[track_caller]
pub(crate) fn refusal(answer: Answer, status: u16) -> String {
    let json = answer.expect(status);
    assert_eq!((&json["code"], &json["data"]), (&json!(status), &Json::Null));
    text(&json, "message").to_owned()
}
