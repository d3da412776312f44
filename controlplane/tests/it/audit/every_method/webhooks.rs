//! Webhooks.

use serde_json::json;

use super::{SECRETS, Tour};
use crate::plane::text;

impl Tour<'_> {
    pub(super) async fn webhooks(&mut self) {
        let operator = self.plane.as_operator();
        // Nobody is there.
        let body = json!({"url": "https://receiver.invalid/", "events": ["job.*"], "secret": SECRETS[0]});
        let webhook = operator.post("/api/webhooks", &body).await.expect(201);
        let id = text(&webhook, "id");
        let path = format!("/api/webhooks/{id}");
        let event = self.left("/utopia.webhook.v1.WebhookService/CreateWebhook", "olga", id).await;
        assert_eq!((&event["new_value"]["events"], &event["new_value"]["secret"]), (&json!(["job.*"]), &json!("***")));
        let body = json!({"url": "https://receiver.invalid/", "events": ["job.failed"], "paused": true});
        operator.put(&path, &body).await.expect(200);
        let event = self.left("/utopia.webhook.v1.WebhookService/UpdateWebhook", "olga", id).await;
        assert_eq!((&event["old_value"]["active"], &event["new_value"]["active"]), (&json!(true), &json!(false)));
        let delivery = operator.post(&format!("{path}/test"), &json!({})).await.expect(200);
        self.left("/utopia.webhook.v1.WebhookService/TestWebhook", "olga", id).await;
        let delivery = text(&delivery, "id");
        operator.post(&format!("{path}/deliveries/{delivery}/redeliver"), &json!({})).await.expect(202);
        self.left("/utopia.webhook.v1.WebhookService/Redeliver", "olga", id).await;
        operator.delete(&path).await.expect(204);
        self.left("/utopia.webhook.v1.WebhookService/DeleteWebhook", "olga", id).await;
    }
}
