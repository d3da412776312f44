//! Jobs of Slurm and who is told of them, across crashes of the control plane.

use serde_json::json;

use crate::system::receiver::Receiver;
use crate::system::server::Server;
use crate::system::slurm::Slurm;
use crate::system::until;

#[tokio::test]
async fn the_end_of_a_job_reaches_its_subscriber_across_two_crashes() {
    let Some(slurm) = Slurm::find() else { return };
    let Some(receiver) = Receiver::start().await else { return };
    let [clusters, users] = slurm.settings();
    let settings = [(clusters.0, &*clusters.1), (users.0, &*users.1), ("UTOPIA_WEBHOOK_ALLOW_PRIVATE", "127.0.0.0/8")];
    let mut control_plane = Server::control_plane_with(&settings).await;
    let admin = control_plane.admin().await;
    let webhook = admin.post("/api/webhooks", json!({"url": receiver.url, "events": ["job.completed"]})).await.expect(201);
    let (webhook, secret) = (webhook["id"].as_str().unwrap(), webhook["secret"].as_str().unwrap());
    let job = json!({"job_name": "two-crashes", "nodes": 1, "ntasks": 1, "script": "#!/bin/bash\nsleep 2\n"});
    let job = admin.post("/api/slurm/jobs", job).await.expect(201)["job_id"].as_i64().unwrap();
    let path = format!("/api/slurm/jobs/{job}");
    until("the job runs", async || (admin.get(&path).await.expect(200)["status"] == "running").then_some(())).await;

    // It ends while nobody watches.
    control_plane.process.kill().await;
    until("the job has ended", async || (slurm.state(job) == "COMPLETED").then_some(())).await;
    control_plane.start_again().await;
    let first = receiver.message(0).await;

    // The subscriber has it, but nobody has heard so.
    control_plane.process.kill().await;
    receiver.answer();
    control_plane.start_again().await;
    let again = receiver.message(1).await;
    assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
    assert_eq!((&again.body()["type"], &again.body()["data"]["job_id"]), (&json!("job.completed"), &json!(job)));
    for message in [&first, &again] {
        receiver.verify(message, secret);
    }
    let admin = control_plane.admin().await;
    let deliveries = format!("/api/webhooks/{webhook}/deliveries");
    until("the delivery is done", async || {
        let deliveries = admin.get(&deliveries).await.expect(200);
        assert_eq!(deliveries["total"], 1);
        (deliveries["deliveries"][0]["status"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(admin.get(&path).await.expect(200)["status"], "completed");
}
