//! Accounts, users and API tokens.

use serde_json::json;

use super::{SECRETS, Tour};
use crate::plane::text;

impl Tour<'_> {
    pub(super) async fn accounts(&mut self) {
        let http = &self.plane.http;
        let password = SECRETS[1];
        let zoe = json!({"username": "zoe", "email": "zoe@example.com", "password": password});
        http.post("/api/auth/register", &zoe).await.expect(201);
        self.left("/utopia.iam.v1.IamService/Register", "zoe", "").await;
        let session = http.post("/api/auth/login", &zoe).await.expect(200);
        self.secrets.push(text(&session, "token").to_owned());
        self.left("/utopia.iam.v1.IamService/Login", "zoe", "").await;

        let yan = json!({"username": "yan", "email": "yan@example.com", "password": password});
        let made = http.post("/api/v1/auth/register", &yan).await.expect(201);
        let event = self.left("/utopia.iam.v1.AccountService/Register", "yan", text(&made["data"], "id")).await;
        assert_eq!(event["new_value"]["email"], "yan@example.com");
        let session = http.post("/api/v1/auth/login", &yan).await.expect(200)["data"].clone();
        let token = text(&session, "token").to_owned();
        let begun = self.left("/utopia.iam.v1.AccountService/Login", "yan", "").await;
        let session = http.post("/api/v1/auth/refresh", &json!({"token": token})).await.expect(200)["data"].clone();
        let renewed = text(&session, "token").to_owned();
        let event = self.left("/utopia.iam.v1.AccountService/Refresh", "yan", text(&begun, "resource_id")).await;
        let successor = text(&event["new_value"], "id");
        http.with_token(&renewed).post("/api/v1/auth/logout", &json!({})).await.expect(200);
        self.left("/utopia.iam.v1.AccountService/Logout", "yan", successor).await;
        // The first one also makes the user it stands for.
        http.get("/api/v1/auth/token").await.expect(200);
        assert_eq!(self.log.news().await.len(), 2);
        let test = http.get("/api/v1/auth/token").await.expect(200)["data"].clone();
        self.left("/utopia.iam.v1.AccountService/CreateTestToken", "developer", "").await;
        self.secrets.extend([token, renewed, text(&test, "token").to_owned()]);
    }

    pub(super) async fn users(&mut self) {
        let admin = self.plane.as_admin();
        let [_, first, second, _] = SECRETS;
        let body = json!({"username": "xia", "email": "xia@example.com", "password": first, "role": "readonly"});
        let user = admin.post("/api/v1/users", &body).await.expect(201)["data"].clone();
        let id = text(&user, "id");
        self.left("/utopia.iam.v1.UserService/CreateUser", "admin", id).await;
        admin.put(&format!("/api/v1/users/{id}"), &json!({"role": "operator"})).await.expect(200);
        let event = self.left("/utopia.iam.v1.UserService/UpdateUser", "admin", id).await;
        assert_eq!((&event["old_value"]["role"], &event["new_value"]["role"]), (&json!("readonly"), &json!("operator")));
        admin.put(&format!("/api/v1/users/{id}/password"), &json!({"new_password": second})).await.expect(200);
        let event = self.left("/utopia.iam.v1.UserService/ChangePassword", "admin", id).await;
        assert_eq!(event["new_value"]["password"], "***");
        admin.post(&format!("/api/v1/users/{id}/unlock"), &json!({})).await.expect(200);
        self.left("/utopia.iam.v1.UserService/UnlockUser", "admin", id).await;
        admin.delete(&format!("/api/v1/users/{id}")).await.expect(200);
        let event = self.left("/utopia.iam.v1.UserService/DeleteUser", "admin", id).await;
        assert_eq!((&event["old_value"]["username"], &event["new_value"]), (&json!("xia"), &json!({})));
    }

    pub(super) async fn api_tokens(&mut self) {
        let user = self.plane.as_user();
        let token = user.post("/api/v1/tokens", &json!({"name": "nightly"})).await.expect(201)["data"].clone();
        self.secrets.push(text(&token, "token").to_owned());
        let id = text(&token, "id");
        let event = self.left("/utopia.iam.v1.ApiTokenService/CreateApiToken", "uma", id).await;
        assert_eq!(event["new_value"]["name"], "nightly");
        user.delete(&format!("/api/v1/tokens/{id}")).await.expect(200);
        self.left("/utopia.iam.v1.ApiTokenService/RevokeApiToken", "uma", id).await;
    }

    pub(super) async fn access_keys(&mut self) {
        let user = self.plane.as_user();
        let key = user.post("/api/access-keys", &json!({"name": "backups"})).await.expect(201);
        self.secrets.push(text(&key, "secret").to_owned());
        let id = text(&key, "id");
        let event = self.left("/utopia.storage.v1.AccessKeyService/CreateAccessKey", "uma", id).await;
        assert_eq!((&event["new_value"]["name"], &event["new_value"]["secret"]), (&json!("backups"), &json!("***")));
        let path = format!("/api/access-keys/{id}");
        let rotated = user.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
        self.secrets.push(text(&rotated, "secret").to_owned());
        self.left("/utopia.storage.v1.AccessKeyService/RotateAccessKey", "uma", id).await;
        user.delete(&path).await.expect(200);
        self.left("/utopia.storage.v1.AccessKeyService/RevokeAccessKey", "uma", id).await;
    }
}
