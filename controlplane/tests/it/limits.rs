//! How often callers may call, over REST and gRPC.

use http::HeaderMap;
use serde_json::json;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use utopia_proto::{
    claim::v1::{GetClaimRequest, ListClaimsRequest, claim_service_client::ClaimServiceClient},
    iam::v1::{LoginRequest, iam_service_client::IamServiceClient},
    status::reason,
};

use crate::{
    databases::{on_both_databases, with_postgres, with_sqlite},
    dial::as_bearer,
    http::Answer,
    machine::{Machine, enrol},
    plane::{Plane, config},
    wait::eventually,
};

on_both_databases!(urls:
    every_answer_says_how_the_caller_stands,
    one_request_too_many_is_refused_for_a_while,
    the_same_holds_over_grpc,
    log_ins_are_counted_by_address_and_by_user_name,
    who_guesses_tokens_is_counted_by_address,
    agents_health_and_metrics_are_not_counted,
    limits_can_be_off,
);

async fn on(url: &str, settings: &'static [&'static str], test: impl AsyncFnOnce(&Plane)) {
    let plane = Plane::start_as(url, settings).await;
    test(&plane).await;
    plane.stop().await;
}

/// The limit, what remains, and after how many seconds it is whole.
fn standing(headers: &HeaderMap) -> Option<[u64; 3]> {
    let number = |name| headers.get(name)?.to_str().ok()?.parse().ok();
    Some([number("x-ratelimit-limit")?, number("x-ratelimit-remaining")?, number("x-ratelimit-reset")?])
}

/// After how many seconds it is worth another try.
#[track_caller]
fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text);
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

async fn every_answer_says_how_the_caller_stands(url: &str) {
    on(url, &["--limits", "general=5,admin=4,login=3"], async |plane| {
        let user = plane.as_user();
        // Successes, errors of services and refusals alike; each call takes one, the class by the method.
        let found = user.get("/api/gpu-claims").await;
        assert_eq!((found.status, standing(&found.headers)), (200, Some([5, 4, 12])));
        let missing = user.get("/api/gpu-claims/00000000-0000-4000-8000-000000000000").await;
        assert_eq!((missing.status, standing(&missing.headers).unwrap()[..2] == [5, 3]), (404, true));
        let denied = user.get("/api/roles").await;
        assert_eq!((denied.status, standing(&denied.headers)), (403, Some([4, 3, 15])));
        let refused = plane.http.get("/api/gpu-claims").await;
        assert_eq!((refused.status, standing(&refused.headers)), (401, Some([5, 4, 12])));
        let wrong = plane.http.post("/api/auth/login", &json!({"username": "nobody", "password": "password1"})).await;
        assert_eq!((wrong.status, standing(&wrong.headers)), (401, Some([3, 2, 20])));
    })
    .await;
}

async fn one_request_too_many_is_refused_for_a_while(url: &str) {
    on(url, &["--limits", "general=2,admin=1"], async |plane| {
        let (user, other) = (plane.as_user(), plane.as_other());
        for _ in 0..2 {
            user.get("/api/gpu-claims").await.expect(200);
        }
        let refused = user.get("/api/gpu-claims").await;
        assert!((1..=30).contains(&retry_after(&refused)));
        let [limit, remaining, reset] = standing(&refused.headers).unwrap();
        assert_eq!((limit, remaining), (2, 0));
        assert!((31..=60).contains(&reset), "{reset}");
        let sentence = refused.expect_error(429, "RateLimited");
        assert!(sentence.contains("2 a minute"), "{sentence}");
        // Another user is not concerned, nor another class; a class by itself is.
        other.get("/api/gpu-claims").await.expect(200);
        plane.as_admin().get("/api/roles").await.expect(200);
        plane.as_admin().get("/api/roles").await.expect_error(429, "RateLimited");
        plane.as_operator().get("/api/roles").await.expect(200);
        // The style is the route's.
        let envelope = plane.as_admin().get("/api/v1/audit").await;
        assert!(retry_after(&envelope) >= 1);
        assert_eq!((&envelope.json()["code"], &envelope.json()["data"]), (&json!(429), &json!(null)));

        let metrics = plane.http.get("/metrics").await.text;
        for line in [r#"utopia_requests_limited_total{class="general"} 1"#, r#"utopia_requests_limited_total{class="admin"} 2"#] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }
    })
    .await;
}

async fn the_same_holds_over_grpc(url: &str) {
    on(url, &["--limits", "general=2"], async |plane| {
        let mut claims = ClaimServiceClient::new(plane.channel().await);
        let token = &plane.people.user.token;
        let answer = claims.list_claims(as_bearer(token, ListClaimsRequest::default())).await.unwrap();
        assert_eq!(standing(&answer.metadata().clone().into_headers()), Some([2, 1, 30]));
        let missing = claims.get_claim(as_bearer(token, GetClaimRequest::default())).await.unwrap_err();
        assert_eq!(standing(&missing.metadata().clone().into_headers()).unwrap()[..2], [2, 0]);
        let refused = claims.list_claims(as_bearer(token, ListClaimsRequest::default())).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, "RateLimited".to_owned()));
        let headers = refused.metadata().clone().into_headers();
        let seconds = headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
        assert!((1..=30).contains(&seconds) && standing(&headers).is_some(), "{headers:?}");
        // Both ways to call count together.
        plane.as_user().get("/api/gpu-claims").await.expect_error(429, "RateLimited");
    })
    .await;
}

async fn log_ins_are_counted_by_address_and_by_user_name(url: &str) {
    on(url, &["--limits", "login=2", "--internal-addr", "127.0.0.1:0"], async |plane| {
        let mut iam = IamServiceClient::new(plane.gateway_channel().await);
        let mut log_in = async |address: &str, username: &str| -> Status {
            let message = LoginRequest { username: username.to_owned(), password: "password1".to_owned() };
            let mut request = Request::new(message);
            request.metadata_mut().insert("x-forwarded-for", address.parse().unwrap());
            iam.login(request).await.expect_err("nobody has this password")
        };
        let wrong = Code::Unauthenticated;
        let limited = Code::ResourceExhausted;
        for (address, username, code) in [
            ("10.0.0.1", "ann", wrong),
            ("10.0.0.1", "bob", wrong),
            // The address is used up, for every name.
            ("10.0.0.1", "cid", limited),
            ("10.0.0.2", "ann", wrong),
            // The name is used up, however it is written and wherever it comes from.
            ("10.0.0.3", "Ann", limited),
            ("10.0.0.3", "dora", wrong),
            ("2001:db8::1", "eve", wrong),
            ("2001:db8::2", "fay", wrong),
            ("2001:db8::3", "gus", limited),
            ("2001:db8:0:1::3", "gus", wrong),
        ] {
            let status = log_in(address, username).await;
            assert_eq!(status.code(), code, "{address} {username}: {status:?}");
            let [limit, remaining, _] = standing(&status.metadata().clone().into_headers()).unwrap();
            assert_eq!(limit, 2);
            assert!(code == wrong || remaining == 0);
            assert_eq!(code == limited, status.metadata().contains_key("retry-after"));
        }
    })
    .await;
}

async fn who_guesses_tokens_is_counted_by_address(url: &str) {
    on(url, &["--limits", "general=2"], async |plane| {
        let guess = plane.http.with_token("guessed");
        for _ in 0..2 {
            guess.get("/api/gpu-claims").await.expect_error(401, "InvalidToken");
        }
        guess.get("/api/gpu-claims").await.expect_error(429, "RateLimited");
        plane.http.get("/api/gpu-claims").await.expect_error(429, "RateLimited");
        plane.as_user().get("/api/gpu-claims").await.expect(200);
    })
    .await;
}

async fn agents_health_and_metrics_are_not_counted(url: &str) {
    on(url, &["--limits", "login=1,general=1,admin=10"], async |plane| {
        let token = plane.join_token(0).await;
        let machine = Machine::new("n1", 1);
        for _ in 0..3 {
            enrol(plane, machine.enrolment(token["token"].as_str().unwrap())).await.unwrap();
        }
        let node = machine.enrol(plane, token["token"].as_str().unwrap()).await.unwrap();
        let mut health = HealthClient::new(plane.channel().await);
        for _ in 0..3 {
            node.renew(plane).await.unwrap();
            health.check(HealthCheckRequest::default()).await.unwrap();
            for path in ["/health", "/ready", "/metrics"] {
                let answer = plane.http.get(path).await;
                assert_eq!((answer.status, standing(&answer.headers)), (200, None), "{path}");
            }
        }
    })
    .await;
}

async fn limits_can_be_off(url: &str) {
    on(url, &["--limits", "off"], async |plane| {
        let answer = plane.as_user().get("/api/gpu-claims").await;
        assert_eq!((answer.status, standing(&answer.headers)), (200, None));
    })
    .await;
}

/// What the user may still do, by the answer of a call that takes one.
async fn remaining(plane: &Plane) -> u64 {
    standing(&plane.as_user().get("/api/gpu-claims").await.headers).unwrap()[1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_planes_on_one_postgres_count_together() {
    with_postgres(async |url| {
        let first = Plane::start_as(url, &["--limits", "general=600", "--limits-shared"]).await;
        let second = first.beside().await;
        for _ in 0..400 {
            first.as_user().get("/api/gpu-claims").await.expect(200);
        }
        let mut mine = 0;
        let told = eventually("the second to know", async || {
            // Each look takes one as well; what is gone beyond that was told.
            mine += 1;
            (remaining(&second).await + mine < 300).then_some(())
        });
        told.await;
        // Another user is not concerned.
        second.as_other().get("/api/gpu-claims").await.expect(200);
        second.stop().await;
        first.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_control_planes_on_postgres_can_count_together() {
    with_sqlite(async |url| {
        let directory = tempfile::tempdir().unwrap();
        let config = config(&directory, &["--database-url", url, "--limits-shared"]);
        let cancel = tokio_util::sync::CancellationToken::new();
        let refused = Box::pin(utopia_controlplane::run(config, None, cancel)).await.unwrap_err();
        assert!(refused.to_string().contains("UTOPIA_LIMITS_SHARED needs PostgreSQL"), "{refused}");
    })
    .await;
}
