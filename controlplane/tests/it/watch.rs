//! A claim watched over HTTP.

use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};
use utopia_proto::link::v1::ContainerPhase;

use crate::{
    agent::{Agent, hesitate, state},
    databases::on_both_databases,
    http::{Http, Opened},
    machine::Machine,
    plane::{Plane, claim, text},
};

on_both_databases!(
    a_watch_shows_every_phase_and_ends,
    a_watch_ends_when_the_claim_is_deleted,
    a_watch_ends_with_the_credentials_of_who_watches,
);

async fn watch(http: &Http, id: &str, accept: &str) -> Opened {
    let request = http.request(Method::GET, &format!("/api/gpu-claims/{id}/watch")).header(header::ACCEPT, accept);
    let opened = http.open(request.body(Full::default()).unwrap()).await;
    assert_eq!(opened.status, 200);
    opened
}

/// The next phase that is not the last one seen.
async fn next_phase(stream: &mut Opened, prefix: &str, seen: &str) -> Option<String> {
    loop {
        let line = stream.line().await?;
        if line.is_empty() || line.starts_with(':') {
            continue;
        }
        let claim: Json = serde_json::from_str(line.strip_prefix(prefix).expect("a message")).unwrap();
        let phase = text(&claim["status"], "phase");
        if phase != seen {
            return Some(phase.to_owned());
        }
    }
}

async fn a_watch_shows_every_phase_and_ends(plane: &Plane) {
    let user = plane.as_user();
    let id = text(&claim(&user, 1).await, "id").to_owned();
    let mut lines = watch(&user, &id, "application/x-ndjson").await;
    let mut events = watch(&user, &id, "text/event-stream").await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    assert_eq!(events.headers["content-type"], "text/event-stream");
    for (stream, prefix) in [(&mut lines, ""), (&mut events, "data: ")] {
        assert_eq!(next_phase(stream, prefix, "").await.as_deref(), Some("Pending"));
    }

    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::scripted(plane, &node, hesitate).await;
    let ensure = agent.hears_ensure(&id).await;
    for (container, before, phase) in [
        (None, "Pending", "Scheduled"),
        (Some(ContainerPhase::Running), "Scheduled", "Running"),
        (Some(ContainerPhase::Exited), "Running", "Completed"),
    ] {
        if let Some(container) = container {
            agent.report(state(&ensure, container)).await;
        }
        for (stream, prefix) in [(&mut lines, ""), (&mut events, "data: ")] {
            assert_eq!(next_phase(stream, prefix, before).await.as_deref(), Some(phase));
        }
    }
    for (stream, prefix) in [(&mut lines, ""), (&mut events, "data: ")] {
        assert_eq!(next_phase(stream, prefix, "Completed").await, None);
    }
}

async fn a_watch_ends_when_the_claim_is_deleted(plane: &Plane) {
    let user = plane.as_user();
    let id = text(&claim(&user, 1).await, "id").to_owned();
    let mut lines = watch(&user, &id, "*/*").await;
    assert_eq!(next_phase(&mut lines, "", "").await.as_deref(), Some("Pending"));
    user.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
    assert_eq!(next_phase(&mut lines, "", "Pending").await, None);
}

async fn a_watch_ends_with_the_credentials_of_who_watches(plane: &Plane) {
    let user = plane.as_user();
    let id = text(&claim(&user, 1).await, "id").to_owned();
    let token = user.post("/api/v1/tokens", &json!({"name": "script"})).await.expect(201)["data"].clone();
    let script = plane.http.with_token(text(&token, "token"));
    let mut by_script = watch(&script, &id, "application/x-ndjson").await;
    let mut by_user = watch(&user, &id, "application/x-ndjson").await;
    for stream in [&mut by_script, &mut by_user] {
        assert_eq!(next_phase(stream, "", "").await.as_deref(), Some("Pending"));
    }
    user.delete(&format!("/api/v1/tokens/{}", text(&token, "id"))).await.expect(200);
    assert_eq!(refusal(&mut by_script).await, "InvalidToken");
    user.post("/api/v1/auth/logout", &json!({})).await.expect(200);
    assert_eq!(refusal(&mut by_user).await, "TokenRevoked");
}

/// The reason with which a stream ends.
async fn refusal(stream: &mut Opened) -> String {
    loop {
        let line = stream.line().await.expect("an error before the end");
        let message = serde_json::from_str::<Json>(&line).unwrap();
        // The claim may have been told of once more before.
        if message.get("error").is_some() {
            assert_eq!(stream.line().await, None);
            return text(&message, "code").to_owned();
        }
    }
}
