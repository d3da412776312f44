//! Who there is.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{execute, real, with, with_real};
use crate::{plane::text, wait::eventually};

#[tokio::test]
async fn minions_are_listed_with_what_they_are() {
    with_real(async |plane| {
        let reader = plane.as_person(&plane.people.readonly);
        let list = reader.get("/api/saltstack/minions?status=up&limit=100").await.expect(200);
        let minions = list["minions"].as_array().unwrap();
        let named = |name: &str| minions.iter().find(|minion| minion["id"] == name).unwrap_or_else(|| panic!("{list}"));
        let (first, second) = (named("node01"), named("node02"));
        for minion in [first, second] {
            assert_eq!(minion["status"], "up");
            assert!(minion["os"] != "" && minion["os_release"] != "" && minion["salt_version"] != "", "{minion}");
            assert!(minion["cpus"].as_i64().unwrap() > 0 && minion["memory_mb"].as_i64().unwrap() > 0, "{minion}");
            assert!(minion["ip_addresses"].as_array().unwrap().contains(&json!("127.0.0.1")), "{minion}");
            assert_eq!(minion["grains"], json!({}));
        }
        assert_eq!((&list["page"], &list["limit"]), (&json!(1), &json!(100)));
        assert_eq!(list["total"].as_u64().unwrap(), minions.len() as u64);
        let page = reader.get("/api/saltstack/minions?status=up&page=2&page_size=1").await.expect(200);
        assert_eq!((&page["minions"][0]["id"], page["minions"].as_array().unwrap().len()), (&minions[1]["id"], 1));
        let one = reader.get("/api/saltstack/minions/node02").await.expect(200);
        assert_eq!((&one["grains"]["id"], &one["grains"]["rack"]), (&json!("node02"), &json!("r2")));
        let known = |minion: &Json| ["id", "os", "cpus", "memory_mb", "salt_version"].map(|key| minion[key].clone());
        assert_eq!(known(&one), known(second));
        for none in ["node99", "*", "node0[1]", "node01%00", "node01%20"] {
            reader.get(&format!("/api/saltstack/minions/{none}")).await.expect_error(404, "NotFound");
        }
    })
    .await;
}

/// A minion that the master knows and that never was: it is down, and missing from results.
#[tokio::test]
async fn a_minion_that_is_down_is_said_to_be() {
    let Some(salt) = real() else { return };
    let gone = format!("gone-{}", Uuid::new_v4().simple());
    let master = Master::log_in(&salt).await;
    master.wheel("key.gen_accept", json!({ "id_": gone })).await;
    let outcome = AssertUnwindSafe(with(&salt, &[], async |plane| {
        let list = plane.as_user().get("/api/saltstack/minions?status=down&limit=100").await.expect(200);
        let down = list["minions"].as_array().unwrap().iter().find(|minion| minion["id"] == *gone);
        let down = down.unwrap_or_else(|| panic!("{list}"));
        assert_eq!((&down["status"], &down["os"], &down["cpus"]), (&json!("down"), &json!(""), &json!(0)));
        let target = format!("node01,{gone}");
        let command = json!({"target": target, "target_type": "list", "function": "test.ping", "timeout_seconds": 1});
        let begun = execute(plane, &command).await.expect(200);
        assert_eq!(begun["complete"], false);
        let path = format!("/api/saltstack/jobs/{}", text(&begun, "job_id"));
        let look = async || Some(plane.as_operator().get(&path).await.expect(200)).filter(|job| job["missing"] == json!([gone]));
        let job = eventually("the one that is there to answer", look).await;
        assert_eq!((&job["complete"], &job["success"], &job["missing"]), (&json!(false), &json!(false), &json!([gone])));
        assert_eq!(text(&job, "target"), target);
    }))
    .catch_unwind()
    .await;
    master.wheel("key.delete", json!({ "match": gone })).await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// salt-api without the control plane, for what a test prepares.
struct Master {
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Master {
    async fn log_in(salt: &super::Real) -> Self {
        let client = utopia_controlplane::backend::client::http_client().unwrap();
        let password = std::fs::read_to_string(&salt.password_file).unwrap();
        let login = json!({"username": salt.user, "password": password.trim(), "eauth": "sharedsecret"});
        let url = format!("{}/login", salt.url);
        let answer = client.post(url).header("accept", "application/json").json(&login).send().await.unwrap();
        let answer: Json = answer.json().await.unwrap();
        let token = answer["return"][0]["token"].as_str().unwrap().to_owned();
        Self { url: salt.url.clone(), token, client }
    }

    async fn wheel(&self, function: &str, arguments: Json) {
        let mut call = json!({"client": "wheel", "fun": function});
        call.as_object_mut().unwrap().extend(arguments.as_object().cloned().unwrap());
        let request = self.client.post(&self.url).header("accept", "application/json").header("x-auth-token", &self.token);
        let answer: Json = request.json(&[call]).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["return"][0]["data"]["success"], true, "{function}: {answer}");
    }
}
