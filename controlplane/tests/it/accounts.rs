//! Registration, log-in and what roles allow.

use http::Method;
use serde_json::json;

use crate::{
    databases::on_both_databases,
    plane::{Plane, claim, text},
};

on_both_databases!(
    a_user_registers_and_logs_in,
    a_registration_that_breaks_a_rule_is_refused,
    an_unknown_user_and_a_wrong_password_are_answered_alike,
    the_policy_of_a_role_is_data,
);

async fn a_user_registers_and_logs_in(plane: &Plane) {
    let credentials = json!({"username": "newuser", "password": "password123"});
    let user = plane.http.post("/api/auth/register", &credentials).await.expect(201);
    assert_eq!((&user["username"], &user["role"]), (&json!("newuser"), &json!("user")));
    assert!(user["id"].is_i64());
    plane.http.post("/api/auth/register", &credentials).await.expect(409);
    let again = json!({"username": "NewUser", "password": "password456"});
    plane.http.post("/api/auth/register", &again).await.expect(409);

    let session = plane.http.post("/api/auth/login", &credentials).await.expect(200);
    assert_eq!(session["user"], user);
    let mine = claim(&plane.http.with_token(text(&session, "token")), 1).await;
    assert_eq!(mine["user_id"], user["id"]);
}

async fn a_registration_that_breaks_a_rule_is_refused(plane: &Plane) {
    for (body, field) in [
        (r#"{"username": "newuser", "password": "short"}"#, "password"),
        (r#"{"username": "a b", "password": "password123"}"#, "username"),
        (r#"{"username": "admin", "password": "admin123"}"#, "password"),
        (r#"{"password": "password123"}"#, "username"),
        (r#"{"username": 7, "password": "password123"}"#, "username"),
    ] {
        let answer = plane.http.send_json(Method::POST, "/api/auth/register", body.to_owned()).await;
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["error"].to_string();
        assert!(message.contains(field), "{body}: {message}");
        assert!(!message.contains("short") && !message.contains("123"), "a password is repeated: {message}");
    }
    let malformed = plane.http.send_json(Method::POST, "/api/auth/register", "{".to_owned()).await;
    assert_eq!(malformed.status, 400);
}

async fn an_unknown_user_and_a_wrong_password_are_answered_alike(plane: &Plane) {
    let register = json!({"username": "newuser", "password": "password123"});
    plane.http.post("/api/auth/register", &register).await.expect(201);
    let wrong = plane.http.post("/api/auth/login", &json!({"username": "newuser", "password": "password124"})).await;
    let unknown = plane.http.post("/api/auth/login", &json!({"username": "nobody", "password": "password123"})).await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.text, unknown.text);
    assert_eq!(wrong.headers["www-authenticate"], "Bearer");
}

async fn the_policy_of_a_role_is_data(plane: &Plane) {
    let (admin, user) = (plane.as_admin(), plane.as_user());
    let roles = admin.get("/api/roles").await.expect(200);
    let names = roles["roles"].as_array().unwrap().iter().map(|role| text(role, "name")).collect::<Vec<_>>();
    assert_eq!(names, ["admin", "operator", "readonly", "user"]);

    let spec = |gpus| json!({"image": "i", "resources": {"gpuCount": gpus}});
    user.post("/api/gpu-claims", &spec(3)).await.expect_error(403, "QuotaExceeded");
    let changed = admin.put("/api/roles/user/policy", &json!({"max_gpu_count": 3})).await.expect(200);
    assert_eq!(changed, json!({"name": "user", "policy": {"allow_all": false, "max_gpu_count": 3}}));
    user.post("/api/gpu-claims", &spec(3)).await.expect(202);
    user.post("/api/gpu-claims", &spec(1)).await.expect_error(403, "QuotaExceeded");
    admin.put("/api/roles/user/policy", &json!({"allow_all": true})).await.expect(200);
    user.post("/api/gpu-claims", &spec(8)).await.expect(202);

    plane.as_operator().put("/api/roles/user/policy", &json!({})).await.expect_error(403, "PermissionDenied");
    admin.put("/api/roles/nobody/policy", &json!({})).await.expect_error(404, "NotFound");
    admin.put("/api/roles/user/policy", &json!({"max_gpu_count": -1})).await.expect_error(400, "InvalidField");
    admin.put("/api/roles/admin/policy", &json!({"max_gpu_count": 1})).await.expect_error(400, "InvalidField");
}
