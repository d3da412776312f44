//! Claims as documented: what is accepted, what is refused and how, whose they are, and the lists.

use bytes::Bytes;
use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};

use crate::{
    databases::on_both_databases,
    plane::{Plane, claim, claim_with, reaches, text},
};

on_both_databases!(
    a_claim_is_accepted_nested_and_bare,
    a_claim_that_joins_a_queue_says_what_it_waits_for,
    a_claim_that_cannot_be_read_is_refused_by_field,
    bodies_must_be_json_of_reasonable_size,
    the_quota_counts_all_live_claims,
    the_same_key_answers_the_same_claim,
    lists_are_paged_and_filtered,
    anothers_claim_does_not_exist,
    a_deleted_claim_is_gone,
);

const CLAIMS: &str = "/api/gpu-claims";

async fn a_claim_is_accepted_nested_and_bare(plane: &Plane) {
    let user = plane.as_user();
    let spec = json!({"image": "nvidia/cuda:11.8.0-base-ubuntu22.04", "resources": {"gpuCount": 1}});
    for body in [json!({ "spec": spec }), spec] {
        let mut claim = user.post(CLAIMS, &body).await.expect(202);
        assert_eq!(claim["user_id"], plane.people.user.id);
        assert_eq!(claim["spec"]["image"], "nvidia/cuda:11.8.0-base-ubuntu22.04");
        assert_eq!(claim["spec"]["resources"]["gpuCount"], 1);
        // Whether it says why it waits is up to those before it.
        for because in ["reason", "message"] {
            assert!(claim["status"][because].take().is_string(), "{claim}");
        }
        let status = json!({
            "phase": "Pending", "nodeName": "", "containerID": "", "reason": null, "message": null, "nodeID": "", "gpuUUIDs": [],
        });
        assert_eq!(claim["status"], status);
        assert!(text(&claim, "created_at").ends_with('Z') && text(&claim, "updated_at").ends_with('Z'));
        assert!(uuid::Uuid::try_parse(text(&claim, "id")).is_ok());
    }
    let cpu_only = claim(&user, 0).await;
    assert_eq!(cpu_only["spec"]["resources"]["gpuCount"], 0);
}

async fn a_claim_that_joins_a_queue_says_what_it_waits_for(plane: &Plane) {
    let user = plane.as_user();
    let first = claim(&user, 1).await;
    let waiting = reaches(&user, text(&first, "id"), "Pending", "NoNodes").await;
    let second = claim(&user, 0).await;
    assert_eq!(second["status"], waiting["status"]);
}

async fn a_claim_that_cannot_be_read_is_refused_by_field(plane: &Plane) {
    for (body, field) in [
        (r#"{"spec": {"image": "i", "resources": {"gpuCount": -1}}}"#, "spec.resources.gpuCount"),
        (r#"{"spec": {"image": "i", "resources": {"gpuCount": "two"}}}"#, "spec.resources.gpuCount"),
        (r#"{"spec": {"image": "i", "resources": {"gpuCount": 1.5}}}"#, "spec.resources.gpuCount"),
        (r#"{"image": "i", "resources": {"gpuCount": true}}"#, "resources.gpuCount"),
        (r#"{"spec": {"resources": {"gpuCount": 1}}}"#, "spec.image"),
        (r#"{"spec": {"image": ["i"]}}"#, "spec.image"),
        (r#"{"spec": {"image": "i", "env": ["A=1", "B"]}}"#, "spec.env[1]"),
        (r#"{"spec": {"image": "i", "onNodeLoss": "panic"}}"#, "spec.onNodeLoss"),
        (r#"{"spec": 7}"#, "spec"),
        ("{}", "spec"),
    ] {
        let answer = plane.as_user().send_json(Method::POST, CLAIMS, body.to_owned()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        let message = text(&answer.json(), "error").to_owned();
        assert!(message.contains(field), "{body}: {message}");
    }
    for malformed in ["{", "", "[]", r#"{"spec": {"image": "i"}} trailing"#] {
        let answer = plane.as_user().send_json(Method::POST, CLAIMS, malformed.to_owned()).await;
        assert_eq!(answer.status, 400, "{malformed}: {}", answer.text);
        assert!(!text(&answer.json(), "code").is_empty());
    }
    plane.http.post(CLAIMS, &json!({"spec": {"image": "i"}})).await.expect_error(401, "MissingToken");
}

async fn bodies_must_be_json_of_reasonable_size(plane: &Plane) {
    let user = plane.as_user();
    let form = user.request(Method::POST, CLAIMS).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let form = form.body(Full::new(Bytes::from_static(b"image=i"))).unwrap();
    user.send(form).await.expect_error(415, "UnsupportedMediaType");
    let large = json!({"spec": {"image": "i", "command": ["x".repeat(2 << 20)]}}).to_string();
    // The server need not read all of it before it answers, and then the rest cannot be sent.
    user.send_json(Method::POST, CLAIMS, large).await.expect_error(413, "RequestTooLarge");
    let method = user.send_json(Method::PATCH, CLAIMS, "{}".to_owned()).await;
    assert_eq!(method.status, 405);
    assert!(method.headers["allow"].to_str().unwrap().contains("POST"));
}

async fn the_quota_counts_all_live_claims(plane: &Plane) {
    let user = plane.as_user();
    let first = claim(&user, 1).await;
    claim(&user, 1).await;
    let more = json!({"spec": {"image": "i", "resources": {"gpuCount": 1}}});
    let message = user.post(CLAIMS, &more).await.expect_error(403, "QuotaExceeded");
    assert!(message.contains('2'), "{message}");
    claim(&user, 0).await;
    claim(&plane.as_other(), 2).await;
    claim(&plane.as_operator(), 64).await;
    plane.as_person(&plane.people.readonly).post(CLAIMS, &more).await.expect_error(403, "PermissionDenied");

    user.delete(&format!("{CLAIMS}/{}", text(&first, "id"))).await.expect(204);
    claim(&user, 1).await;
}

async fn the_same_key_answers_the_same_claim(plane: &Plane) {
    let body = json!({"spec": {"image": "i", "resources": {"gpuCount": 2}}, "request_id": "run-42"});
    let (first, second) = tokio::join!(async { plane.as_user().post(CLAIMS, &body).await.expect(202) }, async {
        plane.as_user().post(CLAIMS, &body).await.expect(202)
    });
    assert_eq!(first["id"], second["id"]);
    let others = plane.as_other().post(CLAIMS, &body).await.expect(202);
    assert_ne!(first["id"], others["id"]);
    let list = plane.as_user().get(CLAIMS).await.expect(200);
    assert_eq!(list["total"], 1);
}

fn ids(list: &Json) -> Vec<&str> {
    list["claims"].as_array().unwrap().iter().map(|claim| text(claim, "id")).collect()
}

async fn lists_are_paged_and_filtered(plane: &Plane) {
    let user = plane.as_user();
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(text(&claim(&user, 0).await, "id").to_owned());
    }
    claim(&plane.as_other(), 0).await;
    mine.reverse();

    let list = user.get(CLAIMS).await.expect(200);
    assert_eq!(ids(&list), mine, "newest first");
    assert_eq!((&list["total"], &list["page"], &list["limit"]), (&json!(3), &json!(1), &json!(20)));
    let page = user.get(&format!("{CLAIMS}?page=2&limit=2")).await.expect(200);
    assert_eq!(ids(&page), mine[2..]);
    assert_eq!((&page["total"], &page["page"], &page["limit"]), (&json!(3), &json!(2), &json!(2)));
    let clamped = user.get(&format!("{CLAIMS}?page=-3&page_size=5000")).await.expect(200);
    assert_eq!((&clamped["page"], &clamped["limit"]), (&json!(1), &json!(100)));
    assert_eq!(ids(&user.get(&format!("{CLAIMS}?phase=running")).await.expect(200)), Vec::<&str>::new());
    assert_eq!(ids(&user.get(&format!("{CLAIMS}?phase=Pending")).await.expect(200)), mine);
    assert_eq!(user.get(&format!("{CLAIMS}?phase=Sleeping")).await.status, 400);

    for (person, total) in [(&plane.people.operator, 4), (&plane.people.admin, 4), (&plane.people.readonly, 0)] {
        assert_eq!(plane.as_person(person).get(CLAIMS).await.expect(200)["total"], total);
    }
}

async fn anothers_claim_does_not_exist(plane: &Plane) {
    let path = format!("{CLAIMS}/{}", text(&claim(&plane.as_user(), 0).await, "id"));
    let other = plane.as_other();
    for path in [path.clone(), format!("{path}/explain"), format!("{path}/watch")] {
        other.get(&path).await.expect_error(404, "NotFound");
    }
    other.delete(&path).await.expect_error(404, "NotFound");
    for person in [&plane.people.user, &plane.people.operator, &plane.people.admin] {
        plane.as_person(person).get(&path).await.expect(200);
        plane.as_person(person).get(&format!("{path}/explain")).await.expect(200);
    }
    plane.as_operator().delete(&path).await.expect(204);
    for unknown in ["00000000-0000-4000-8000-000000000000", "no-uuid"] {
        plane.as_admin().get(&format!("{CLAIMS}/{unknown}")).await.expect_error(404, "NotFound");
    }
}

async fn a_deleted_claim_is_gone(plane: &Plane) {
    let user = plane.as_user();
    let id = text(&claim_with(&user, json!({"image": "i"})).await, "id").to_owned();
    reaches(&user, &id, "Pending", "NoNodes").await;
    let path = format!("{CLAIMS}/{id}");
    let deleted = user.delete(&path).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    user.get(&path).await.expect_error(404, "NotFound");
    user.delete(&path).await.expect_error(404, "NotFound");
    assert_eq!(user.get(CLAIMS).await.expect(200)["total"], 0);
}
