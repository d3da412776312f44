//! `aiinfra roles`.

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn roles_are_listed_and_limited() {
    let api = FakeApi::start().await;
    let role = |name: &str, policy| json!({"name": name, "policy": policy});
    let roles = [role("admin", json!({"allow_all": true})), role("user", json!({"max_gpu_count": 2}))];
    api.answer("GET /api/roles", 200, json!({"roles": roles}));
    api.answer("PUT /api/roles/user/policy", 200, role("user", json!({"max_gpu_count": 4})));
    let shell = Shell::at(&api.url);
    let listed = shell.run(&["roles", "list"]).await.ok();
    assert_eq!(listed, "ROLE   GPUS OF ONE USER\nadmin  any number\nuser   at most 2\n");
    let set = shell.run(&["roles", "set", "user", "--max-gpus", "4"]).await.ok();
    assert_eq!(set, "ROLE  GPUS OF ONE USER\nuser  at most 4\n");
    assert_eq!(api.asked()[1].body, json!({"allow_all": false, "max_gpu_count": 4}));
}
