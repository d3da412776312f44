//! The log of events, watched over HTTP.

use http::{Method, header};
use http_body_util::Full;
use serde_json::Value as Json;
use utopia_proto::link::v1::ContainerPhase;

use crate::{
    agent::{Agent, hesitate, state},
    databases::on_both_databases,
    http::{Http, Opened},
    machine::Machine,
    plane::{Plane, claim, text},
};

on_both_databases!(
    a_claim_is_followed_from_its_beginning_to_its_end,
    a_cursor_goes_on_where_it_was_left,
    people_see_what_is_theirs,
    nodes_come_and_go,
    a_bad_cursor_is_refused_and_an_expired_one_is_gone,
    administrators_watch_the_audit_log,
);

async fn watch(http: &Http, query: &str) -> Opened {
    let request = http.request(Method::GET, &format!("/api/events{query}")).header(header::ACCEPT, "application/x-ndjson");
    let mut opened = http.open(request.body(Full::default()).unwrap()).await;
    assert_eq!(opened.status, 200);
    assert_eq!(text(&next(&mut opened).await, "type"), "bookmark");
    opened
}

async fn next(stream: &mut Opened) -> Json {
    let line = stream.line().await.expect("an event before the end");
    serde_json::from_str(&line).unwrap()
}

/// All events that there are now.
async fn present(http: &Http, query: &str) -> Vec<Json> {
    let mut stream = watch(http, &format!("?once=true&{query}")).await;
    let mut events = Vec::new();
    while let Some(line) = stream.line().await {
        events.push(serde_json::from_str(&line).unwrap());
    }
    events
}

fn ids(events: &[Json]) -> Vec<&str> {
    events.iter().map(|event| text(event, "id")).collect()
}

fn types(events: &[Json]) -> Vec<&str> {
    events.iter().map(|event| text(event, "type")).collect()
}

async fn a_claim_is_followed_from_its_beginning_to_its_end(plane: &Plane) {
    let user = plane.as_user();
    let mut events = watch(&user, "?types=claim.*").await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::scripted(plane, &node, hesitate).await;
    let ensure = agent.hears_ensure(&id).await;
    agent.report(state(&ensure, ContainerPhase::Running)).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| kind != "claim.running") {
        let event = next(&mut events).await;
        assert_eq!((text(&event, "resource"), text(&event, "resource_id")), ("claim", &*id));
        assert_eq!(text(&event["data"], "id"), id);
        seen.push(text(&event, "type").to_owned());
    }
    seen.retain(|kind| kind != "claim.updated");
    assert_eq!(seen, ["claim.pending", "claim.scheduled", "claim.running"]);

    user.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
    assert_eq!(text(&next(&mut events).await, "type"), "claim.deleted");
}

async fn a_cursor_goes_on_where_it_was_left(plane: &Plane) {
    let user = plane.as_user();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(text(&claim(&user, 0).await, "id").to_owned());
    }
    let all = present(&user, "cursor=0&types=claim.pending").await;
    assert_eq!(all.iter().map(|event| text(event, "resource_id")).collect::<Vec<_>>(), ids);
    for (place, event) in all.iter().enumerate() {
        let rest = present(&user, &format!("cursor={}&types=claim.pending", text(event, "cursor"))).await;
        assert_eq!(rest, all[place + 1..]);
    }
    let beyond = user.get(&format!("/api/events?cursor={}", i64::MAX)).await.expect(410);
    assert_eq!(text(&beyond, "code"), "CursorExpired");
    let one = present(&user, &format!("cursor=0&types=claim.pending&resource_id={}", ids[1])).await;
    assert_eq!(one, [all[1].clone()]);
}

async fn people_see_what_is_theirs(plane: &Plane) {
    let id = text(&claim(&plane.as_user(), 1).await, "id").to_owned();
    let query = format!("cursor=0&resource_id={id}&types=claim.pending");
    for (who, sees) in [
        (plane.as_user(), true),
        (plane.as_operator(), true),
        (plane.as_admin(), true),
        (plane.as_other(), false),
        (plane.http.with_token(&plane.people.readonly.token), false),
    ] {
        assert_eq!(present(&who, &query).await.len(), usize::from(sees));
    }
}

async fn nodes_come_and_go(plane: &Plane) {
    let readonly = plane.http.with_token(&plane.people.readonly.token);
    let mut events = watch(&readonly, "?types=node.*&types=host.deleted").await;
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::scripted(plane, &node, hesitate).await;
    let up = next(&mut events).await;
    assert_eq!((text(&up, "type"), text(&up["data"], "hostname")), ("node.up", "n1"));
    drop(agent);
    let down = next(&mut events).await;
    let id = text(&up, "resource_id");
    assert_eq!((text(&down, "type"), text(&down, "resource_id")), ("node.down", id));
    plane.as_admin().delete(&format!("/api/v1/hosts/{id}")).await.expect(204);
    for kind in ["host.deleted", "node.deleted"] {
        let deleted = next(&mut events).await;
        assert_eq!((text(&deleted, "type"), text(&deleted, "resource_id")), (kind, id));
    }
}

async fn administrators_watch_the_audit_log(plane: &Plane) {
    let id = text(&claim(&plane.as_user(), 0).await, "id").to_owned();
    let admin = plane.as_admin();
    let query = format!("cursor=0&resource_id={id}&types=audit.*&types=claim.pending");
    // The two logs are in no order to each other, but what was read for one watcher is there for the next.
    present(&admin, &format!("cursor=0&resource_id={id}&types=claim.pending")).await;
    let seen = present(&admin, &query).await;
    assert_eq!(types(&seen), ["claim.pending", "audit.claim"]);
    assert_eq!((text(&seen[1], "resource"), text(&seen[1]["data"], "action")), ("audit", "CreateClaim"));
    // Each cursor goes on behind its event, in both logs.
    for (place, event) in seen.iter().enumerate() {
        let rest = present(&admin, &format!("{}&cursor={}", query.replace("cursor=0&", ""), text(event, "cursor"))).await;
        assert_eq!(ids(&rest), ids(&seen[place + 1..]), "{rest:?}");
    }
    // A type has to be named as one of the audit log, and nobody else may name it.
    assert_eq!(types(&present(&admin, &format!("cursor=0&resource_id={id}&types=*")).await)[..1], ["claim.pending"]);
    let refused = plane.as_operator().get("/api/events?types=audit.claim").await.expect(403);
    assert_eq!(text(&refused, "code"), "AdministratorsOnly");

    let mut follow = watch(&admin, "?types=audit.user").await;
    let body = serde_json::json!({"username": "watched", "password": "a good password", "role": "user"});
    admin.post("/api/v1/users", &body).await;
    let event = next(&mut follow).await;
    assert_eq!((text(&event, "type"), text(&event["data"], "user")), ("audit.user", "admin"));
    let gone = admin.get(&format!("/api/events?types=audit.*&cursor=0.{}", i64::MAX)).await.expect(410);
    assert_eq!(text(&gone, "code"), "CursorExpired");
}

async fn a_bad_cursor_is_refused_and_an_expired_one_is_gone(plane: &Plane) {
    let user = plane.as_user();
    for bad in ["-1", "x", "1.x", "99999999999999999999"] {
        assert_eq!(text(&user.get(&format!("/api/events?cursor={bad}")).await.expect(400), "code"), "InvalidField");
    }
    assert_eq!(text(&user.get("/api/events?cursor=1000000").await.expect(410), "code"), "CursorExpired");
    let all = present(&user, "cursor=0").await;
    assert_eq!(types(&all), [""; 0]);
}
