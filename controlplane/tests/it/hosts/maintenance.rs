//! Maintenance: nothing new comes to a host, and what is there stays or leaves.

use serde_json::json;
use tonic::Code;
use utopia_proto::link::v1::{Command, ContainerPhase, command::Action};

use super::{data, path, refused, shown};
use crate::{
    agent::{Agent, failure, obey, state},
    databases::on_both_databases,
    machine::Machine,
    plane::{Plane, claim, look, reaches, text},
    wait::eventually,
};

on_both_databases!(
    a_host_in_maintenance_takes_no_claims_and_keeps_those_it_has,
    a_host_that_is_emptied_gives_its_claims_to_others,
    an_operator_may_and_a_user_may_not,
);

async fn a_host_in_maintenance_takes_no_claims_and_keeps_those_it_has(plane: &Plane) {
    let (operator, user) = (plane.as_operator(), plane.as_user());
    let node = Machine::new("n1", 2).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    let kept = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &kept, "Running", "").await;

    let host = json!({"host_id": node.id});
    let maintenance = format!("{}/maintenance", path(&host));
    let answer = data(operator.put(&maintenance, &json!({"reason": "new power supply"})).await, 200);
    assert_eq!((&answer["status"], &answer["agent_connected"]), (&json!("maintenance"), &json!(true)));
    let shown_as = &answer["maintenance"];
    assert_eq!((&shown_as["reason"], &shown_as["claims"]), (&json!("new power supply"), &json!("keep")));
    assert_eq!(shown_as["remaining_claims"], 1);
    let shown_node = user.get(&format!("/api/nodes/{}", node.id)).await.expect(200);
    assert_eq!((&shown_node["status"], &shown_node["in_maintenance"]), (&json!("Online"), &json!(true)));

    let waits = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &waits, "Pending", "NodeInMaintenance").await;
    let explained = user.get(&format!("/api/gpu-claims/{waits}/explain")).await.expect(200);
    assert_eq!(explained["nodes"][0]["reason"], "NodeInMaintenance", "{explained}");
    assert_eq!(look(&user, &kept).await["status"]["phase"], "Running");
    assert!(!agent.was_told_to_release(&kept));

    // A second call changes the reason, not the beginning.
    let again = data(operator.put(&maintenance, &json!({"reason": "and new fans"})).await, 200);
    assert_eq!((&again["maintenance"]["reason"], &again["maintenance"]["since"]), (&json!("and new fans"), &shown_as["since"]));
    let ended = data(operator.delete(&maintenance).await, 200);
    assert_eq!((&ended["status"], &ended["maintenance"]), (&json!("online"), &json!(null)));
    reaches(&user, &waits, "Running", "").await;
    assert_eq!(data(operator.delete(&maintenance).await, 200)["status"], "online");
}

async fn a_host_that_is_emptied_gives_its_claims_to_others(plane: &Plane) {
    let (operator, user) = (plane.as_operator(), plane.as_user());
    let (first, second) = (Machine::new("n1", 1).join(plane).await, Machine::new("n2", 1).join(plane).await);
    // Does what it is told but for releases, which it refuses for as long as the test wants.
    let (allow, allowed) = tokio::sync::watch::channel(false);
    let slow = move |command: &Command| match &command.action {
        Some(Action::ReleaseClaim(_)) if !*allowed.borrow() => vec![failure(command, Code::Unavailable, "Slow", "not yet")],
        Some(_) | None => obey(command),
    };
    let agent = Agent::scripted(plane, &first, slow).await;
    let id = text(&claim(&user, 1).await, "id").to_owned();
    assert_eq!(reaches(&user, &id, "Running", "").await["status"]["nodeName"], "n1");
    let other = Agent::obedient(plane, &second).await;
    eventually("the second node", async || (user.get("/api/nodes?status=Online").await.expect(200)["total"] == 2).then_some(()))
        .await;

    let host = json!({"host_id": first.id});
    let maintenance = format!("{}/maintenance", path(&host));
    data(operator.put(&maintenance, &json!({"claims": "move"})).await, 200);
    let moving = reaches(&user, &id, "Pending", "NodeInMaintenance").await;
    assert_eq!(moving["status"]["nodeName"], "");
    assert_eq!(agent.hears_release(&id).await, 1);
    // Another claim passes, this one waits for its old container to be gone.
    let passes = text(&claim(&plane.as_other(), 0).await, "id").to_owned();
    assert_eq!(reaches(&plane.as_other(), &passes, "Running", "").await["status"]["nodeName"], "n2");
    assert_eq!(look(&user, &id).await["status"]["phase"], "Pending");
    let remaining = async || shown(&operator, &host).await["maintenance"]["remaining_claims"].as_i64().unwrap();
    assert_eq!(remaining().await, 1, "its container still runs");

    allow.send(true).unwrap();
    eventually("an empty host", async || (remaining().await == 0).then_some(())).await;
    let ensure = other.hears_ensure(&id).await;
    assert_eq!((ensure.epoch, &ensure.gpu_uuids), (2, &second.gpu_uuids()));
    assert_eq!(reaches(&user, &id, "Running", "").await["status"]["nodeName"], "n2");
    assert!(!other.was_told_to_release(&id));

    // What has ended on its own in the meantime has ended.
    let host = json!({"host_id": second.id});
    other.report(state(&ensure, ContainerPhase::Exited)).await;
    reaches(&user, &id, "Completed", "").await;
    data(operator.put(&format!("{}/maintenance", path(&host)), &json!({"claims": "move"})).await, 200);
    assert_eq!(look(&user, &id).await["status"]["phase"], "Completed");
}

async fn an_operator_may_and_a_user_may_not(plane: &Plane) {
    let host = super::register(plane, "h").await;
    let maintenance = format!("{}/maintenance", path(&host));
    refused(plane.http.put(&maintenance, &json!({})).await, 401);
    for person in [plane.as_user(), plane.as_person(&plane.people.readonly)] {
        refused(person.put(&maintenance, &json!({})).await, 403);
        refused(person.delete(&maintenance).await, 403);
    }
    // Of a host that has no agent yet; its agent finds it in maintenance.
    data(plane.as_operator().put(&maintenance, &json!({"claims": "keep"})).await, 200);
    let node = Machine::new("n1", 1).enrol(plane, text(&host, "agent_token")).await.unwrap();
    let _agent = Agent::obedient(plane, &node).await;
    let user = plane.as_user();
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Pending", "NodeInMaintenance").await;
    data(plane.as_admin().delete(&maintenance).await, 200);
    reaches(&user, &id, "Running", "").await;
}
