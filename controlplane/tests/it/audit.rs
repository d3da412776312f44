//! The audit log: what every audited method leaves in it, what attempts that came to nothing leave, and that the chain can be proved.

use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tonic::Code;
use utopia_controlplane::model::audit::{AuditResult, Change, Event, Trail};
use utopia_proto::{
    audit::v1::{AuditLink, ExportAuditChainRequest, audit_service_client::AuditServiceClient},
    chain::verify,
    claim::v1::{DeleteClaimRequest, claim_service_client::ClaimServiceClient},
    iam::v1::{LoginRequest, iam_service_client::IamServiceClient},
    status::reason,
};
use uuid::Uuid;

use self::every_method::every_audited_method_leaves_one_event;
use crate::{
    authorization::call,
    databases::on_both_databases,
    dial::as_bearer,
    http::Http,
    plane::{Plane, claim, text},
    wait::eventually,
};

mod every_method;

mod running {
    use super::{
        failures_and_denials_name_what_was_tried, strangers_are_written_down_only_where_they_try_to_get_in,
        the_chain_can_be_exported_and_proved, the_log_is_shown_to_administrators_by_filter_and_page,
    };

    crate::databases::on_both_databases!(
        failures_and_denials_name_what_was_tried,
        strangers_are_written_down_only_where_they_try_to_get_in,
        the_chain_can_be_exported_and_proved,
        the_log_is_shown_to_administrators_by_filter_and_page,
    );
}

on_both_databases!(urls: every_audited_method_leaves_one_event, who_is_refused_for_calling_too_often_is_not_written_down, what_was_refused_before_a_stop_is_written_down);

/// A reader of the log, who takes each event once.
struct Log {
    admin: Http,
    read: i64,
}

impl Log {
    /// A reader of what comes from now on.
    async fn new(plane: &Plane) -> Self {
        let mut log = Self { admin: plane.as_admin(), read: 0 };
        log.news().await;
        log
    }

    /// The events since the last look, oldest first.
    async fn news(&mut self) -> Vec<Json> {
        let page = self.admin.get("/api/v1/audit?limit=100").await.expect(200);
        let mut events = page["data"]["events"].as_array().unwrap().clone();
        events.reverse();
        events.retain(|event| event["sequence"].as_i64().unwrap() > self.read);
        if let Some(last) = events.last() {
            self.read = last["sequence"].as_i64().unwrap();
        }
        events
    }

    /// The one event since the last look, as soon as it is there.
    async fn one(&mut self) -> Json {
        let mut events = eventually("an event", async || Some(self.news().await).filter(|events| !events.is_empty())).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

/// All links, over gRPC.
async fn chain(plane: &Plane, after_sequence: i64) -> Vec<AuditLink> {
    let mut audit = AuditServiceClient::new(plane.channel().await);
    let request = as_bearer(&plane.people.admin.token, ExportAuditChainRequest { after_sequence });
    let mut links = audit.export_audit_chain(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(link) = links.message().await.unwrap() {
        all.push(link);
    }
    all
}

async fn failures_and_denials_name_what_was_tried(plane: &Plane) {
    let mut log = Log::new(plane).await;
    let nowhere = Uuid::new_v4().to_string();
    let seen = |event: &Json| {
        ["user", "action", "event_type", "resource_id", "result"].map(|key| event[key].as_str().unwrap().to_owned())
    };

    // In the service: there is no such claim.
    plane.as_user().delete(&format!("/api/gpu-claims/{nowhere}")).await.expect_error(404, "NotFound");
    let event = log.one().await;
    assert_eq!(seen(&event), ["uma", "DeleteClaim", "claim", &nowhere, "failure"]);
    assert_eq!(event["details"]["reason"], "NotFound");
    assert_eq!(event["details"]["method"], "/utopia.claim.v1.ClaimService/DeleteClaim");
    assert_eq!(event["ip_address"], "127.0.0.1");
    assert_eq!((&event["old_value"], &event["new_value"]), (&json!({}), &json!({})));

    // Before the service: a user may not.
    plane.as_user().delete("/api/join-tokens/abc").await.expect_error(403, "PermissionDenied");
    let event = log.one().await;
    assert_eq!(seen(&event), ["uma", "RevokeJoinToken", "join_token", "abc", "denied"]);
    assert!(event["details"]["message"].as_str().unwrap().contains("admin"), "{event}");

    // The service denies it: over the quota.
    plane.as_user().post("/api/gpu-claims", &json!({"image": "i", "resources": {"gpuCount": 9}})).await.expect(403);
    let event = log.one().await;
    assert_eq!(seen(&event), ["uma", "CreateClaim", "claim", "", "denied"]);
    assert_eq!(event["details"]["reason"], "QuotaExceeded");

    // The same over gRPC, with the request's id.
    let mut claims = ClaimServiceClient::new(plane.channel().await);
    let delete = DeleteClaimRequest { id: nowhere.clone() };
    let mut request = as_bearer(&plane.people.readonly.token, delete.clone());
    request.metadata_mut().insert("x-request-id", "r-17".parse().unwrap());
    assert_eq!(claims.delete_claim(request).await.unwrap_err().code(), Code::PermissionDenied);
    let event = log.one().await;
    assert_eq!(seen(&event), ["rita", "DeleteClaim", "claim", &nowhere, "denied"]);
    assert_eq!(event["details"]["request_id"], "r-17");
    let failed = claims.delete_claim(as_bearer(&plane.people.user.token, delete)).await.unwrap_err();
    assert_eq!(reason(&failed), "NotFound");
    assert_eq!(seen(&log.one().await), ["uma", "DeleteClaim", "claim", &nowhere, "failure"]);

    // A request that is no message names nothing, and is written down all the same.
    let path = "/utopia.claim.v1.ClaimService/DeleteClaim";
    call(&plane.channel().await, Some(&plane.people.user.token), path, Bytes::from_static(&[255])).await.unwrap_err();
    assert_eq!(seen(&log.one().await), ["uma", "DeleteClaim", "claim", "", "failure"]);

    // What reads, and what repeats a request, leaves nothing.
    plane.as_user().get("/api/gpu-claims").await.expect(200);
    plane.as_user().get(&format!("/api/gpu-claims/{nowhere}")).await.expect(404);
    let body = json!({"spec": {"image": "i"}, "request_id": "once"});
    plane.as_user().post("/api/gpu-claims", &body).await.expect(202);
    plane.as_user().post("/api/gpu-claims", &body).await.expect(202);
    assert_eq!(seen(&log.one().await)[4], "success");
}

async fn strangers_are_written_down_only_where_they_try_to_get_in(plane: &Plane) {
    let mut log = Log::new(plane).await;
    plane.http.delete(&format!("/api/gpu-claims/{}", Uuid::new_v4())).await.expect_error(401, "MissingToken");
    plane.http.with_token("guessed").post("/api/gpu-claims", &json!({"image": "i"})).await.expect_error(401, "InvalidToken");

    let credentials = json!({"username": "Nobody", "password": "a-wrong-password"});
    plane.http.post("/api/auth/login", &credentials).await.expect(401);
    let event = log.one().await;
    assert_eq!((&event["user"], &event["resource_id"], &event["result"]), (&json!(""), &json!("Nobody"), &json!("failure")));
    assert_eq!((&event["event_type"], &event["action"]), (&json!("session"), &json!("Login")));
    assert_eq!(event["ip_address"], "127.0.0.1");

    let mut iam = IamServiceClient::new(plane.channel().await);
    let login = LoginRequest { username: "nobody".into(), password: "a-wrong-password".into() };
    iam.login(login).await.unwrap_err();
    assert_eq!(log.one().await["resource_id"], "nobody");

    plane.http.post("/api/auth/register", &json!({"username": "uma", "password": "a-wrong-password"})).await.expect(409);
    let event = log.one().await;
    assert_eq!((&event["action"], &event["resource_id"]), (&json!("Register"), &json!("uma")));
    for link in chain(plane, 0).await {
        assert!(!link.payload.contains("a-wrong-password"), "{}", link.payload);
    }
}

async fn the_chain_can_be_exported_and_proved(plane: &Plane) {
    for _ in 0..3 {
        claim(&plane.as_operator(), 0).await;
    }
    let links = chain(plane, 0).await;
    let proved = verify(&links).unwrap();
    assert_eq!(proved.first(), Some(1));
    let newest = plane.as_admin().get("/api/v1/audit?limit=1").await.expect(200)["data"]["events"][0].clone();
    assert_eq!(proved.head(), Some((newest["sequence"].as_i64().unwrap(), text(&newest, "hash"))));
    assert_eq!(chain(plane, 2).await, links[2..]);
    assert_eq!(chain(plane, 1_000_000).await, []);

    // Over REST it is one link a line, and links beyond one batch come as well.
    let store = plane.store().await;
    let trail = Trail::system("test", "Test");
    let event = Event { trail, change: Change::touched("x"), result: AuditResult::Success, at: Timestamp::now() };
    store.record_all(&vec![event; 1200]).await.unwrap();
    store.close().await;
    let request = plane.as_admin().request(http::Method::GET, "/api/v1/audit/chain").body(Full::default()).unwrap();
    let mut answer = plane.as_admin().open(request).await;
    assert_eq!(answer.status, 200);
    let mut links = Vec::new();
    while let Some(line) = answer.line().await {
        let link: Json = serde_json::from_str(&line).unwrap();
        links.push(AuditLink {
            sequence: link["sequence"].as_i64().unwrap(),
            previous_hash: text(&link, "previous_hash").to_owned(),
            payload: text(&link, "payload").to_owned(),
            hash: text(&link, "hash").to_owned(),
        });
    }
    assert!(links.len() > 1200);
    verify(&links).unwrap();
    assert_eq!(links.len(), chain(plane, 0).await.len());

    plane.as_operator().get("/api/v1/audit/chain").await.expect(403);
    plane.as_admin().get("/api/v1/audit/chain?after_sequence=-1").await.expect(400);
}

async fn the_log_is_shown_to_administrators_by_filter_and_page(plane: &Plane) {
    let admin = plane.as_admin();
    let mine = claim(&plane.as_user(), 1).await;
    let id = text(&mine, "id");
    plane.as_user().delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
    plane.as_operator().delete(&format!("/api/gpu-claims/{id}")).await.expect(404);
    let find = async |query: &str| {
        let page = admin.get(&format!("/api/v1/audit?{query}")).await.expect(200)["data"].clone();
        let actions = page["events"].as_array().unwrap().iter().map(|event| text(event, "action").to_owned());
        (page["total"].as_i64().unwrap(), actions.collect::<Vec<_>>())
    };
    let of_claim = format!("event_type=claim&resource_id={id}");
    eventually("the failure", async || (find(&of_claim).await.0 == 3).then_some(())).await;
    assert_eq!(find(&of_claim).await.1, ["DeleteClaim", "DeleteClaim", "CreateClaim"]);
    assert_eq!(find(&format!("{of_claim}&result=failed")).await.0, 1);
    assert_eq!(find(&format!("{of_claim}&result=success&action=DeleteClaim&user=uma")).await.0, 1);
    assert_eq!(find(&format!("{of_claim}&user=nobody")).await.0, 0);
    assert_eq!(find(&format!("{of_claim}&limit=1&page=3")).await, (3, vec!["CreateClaim".to_owned()]));
    assert_eq!(find(&format!("{of_claim}&start_time=2000-01-01T00:00:00Z&end_time=2001-01-01T00:00:00Z")).await.0, 0);
    assert_eq!(find(&format!("{of_claim}&start_time=2000-01-01T00:00:00Z")).await.0, 3);
    for bad in ["result=maybe", "start_time=yesterday", "start_time=2001-01-01T00:00:00Z&end_time=2000-01-01T00:00:00Z"] {
        assert_eq!(admin.get(&format!("/api/v1/audit?{bad}")).await.status, 400, "{bad}");
    }

    let page = admin.get(&format!("/api/v1/audit?{of_claim}&action=CreateClaim")).await.expect(200);
    let event = &page["data"]["events"][0];
    let one = admin.get(&format!("/api/v1/audit/{}", text(event, "id"))).await.expect(200);
    assert_eq!(&one["data"], event);
    assert_eq!(event["new_value"]["spec"]["gpu_count"], 1);
    admin.get(&format!("/api/v1/audit/{}", Uuid::new_v4())).await.expect(404);
    for other in [plane.as_operator(), plane.as_user()] {
        other.get("/api/v1/audit").await.expect(403);
    }
    plane.http.get("/api/v1/audit").await.expect(401);
}

async fn who_is_refused_for_calling_too_often_is_not_written_down(url: &str) {
    let plane = Plane::start_as(url, &["--limits", "general=1,login=1"]).await;
    let mut log = Log::new(&plane).await;
    plane.as_user().delete("/api/gpu-claims/x").await.expect(404);
    plane.as_user().delete("/api/gpu-claims/x").await.expect_error(429, "RateLimited");
    let login = json!({"username": "nobody", "password": "password1"});
    plane.http.post("/api/auth/login", &login).await.expect(401);
    plane.http.post("/api/auth/login", &login).await.expect_error(429, "RateLimited");
    plane.as_other().delete("/api/gpu-claims/y").await.expect(404);
    // They are written in the order in which they were answered.
    let mut events = Vec::new();
    while events.len() < 3 {
        events.extend(eventually("events", async || Some(log.news().await).filter(|news| !news.is_empty())).await);
    }
    let ids = events.iter().map(|event| text(event, "resource_id")).collect::<Vec<_>>();
    assert_eq!(ids, ["x", "nobody", "y"]);
    plane.stop().await;
}

async fn what_was_refused_before_a_stop_is_written_down(url: &str) {
    let plane = Plane::start(url).await;
    for number in 0..20 {
        plane.as_user().delete(&format!("/api/join-tokens/t{number}")).await.expect(403);
    }
    let plane = plane.restart().await;
    let page = plane.as_admin().get("/api/v1/audit?result=denied&limit=100").await.expect(200);
    assert_eq!(page["data"]["total"], 20);
    plane.stop().await;
}
