//! The methods that change something in Slurm, which is played here: what it does is looked at elsewhere.

use serde_json::json;

use super::{SECRETS, Tour};

impl Tour<'_> {
    pub(super) async fn slurm(&mut self) {
        let user = self.plane.as_user();
        let body = json!({"job_name": "train", "script": "#!/bin/sh\n", "environment": {"PASSWORD": SECRETS[0]}});
        let job = user.post("/api/slurm/jobs", &body).await.expect(201);
        let id = format!("default/{}", job["job_id"]);
        let event = self.left("/utopia.slurm.v1.SlurmService/SubmitJob", "uma", &id).await;
        assert_eq!((&event["new_value"]["job_name"], &event["new_value"]["user"]), (&json!("train"), &json!("uma")));
        user.delete(&format!("/api/slurm/jobs/{}", job["job_id"])).await.expect(200);
        let event = self.left("/utopia.slurm.v1.SlurmService/CancelJob", "uma", &id).await;
        assert_eq!((&event["old_value"]["status"], &event["new_value"]["status"]), (&json!("pending"), &json!("cancelled")));
    }
}
