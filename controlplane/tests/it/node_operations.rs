//! The node API at the gateway: each request goes to the agent of the node it names, and back.

use http::Method;
use http_body_util::Full;
use serde_json::json;
use tonic::Code;
use utopia_proto::{
    link::v1::{
        CommandResult, agent_frame::Frame as Say, command::Action, command_result::Outcome, control_frame::Frame as Heard,
    },
    node::v1::{Container, CreateContainerResponse, Health, ListContainersResponse, NodeMetrics},
};

use crate::{
    agent::{Agent, action, failure, result},
    databases::on_both_databases,
    machine::{Machine, Node},
    plane::Plane,
};

on_both_databases!(
    operations_reach_the_node_that_is_named,
    a_list_in_parts_is_one_list,
    the_agents_errors_are_answered_as_they_are,
    operations_need_a_node_that_is_online_and_an_operator,
    a_client_that_hangs_up_cancels_the_command,
);

fn container(id: &str) -> Container {
    Container { id: id.into(), claim_id: "c1".into(), status: "running".into(), gpu_ids: vec![0], ..Container::default() }
}

/// The two ways to name a node.
fn paths(node: &Node, rest: &str) -> [String; 2] {
    [format!("/api/v1/{rest}?node_id={}", node.id), format!("/api/nodes/{}/{rest}", node.id)]
}

async fn operations_reach_the_node_that_is_named(plane: &Plane) {
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::scripted(plane, &node, |command| {
        let outcome = match command.action.as_ref().unwrap() {
            Action::ListContainers(_) => Outcome::Containers(ListContainersResponse { containers: vec![container("abc")] }),
            Action::CreateContainer(create) => {
                Outcome::Created(CreateContainerResponse { container_id: format!("{}-{}", create.claim_id, create.gpu_count) })
            }
            Action::GetContainer(get) => Outcome::Container(container(&get.id)),
            Action::GetMetrics(_) => Outcome::Metrics(NodeMetrics { cpu_usage_percent: 7.0, ..NodeMetrics::default() }),
            Action::GetHealth(_) => Outcome::Health(Health { status: "healthy".into(), timestamp: None }),
            Action::DeleteContainer(_) | Action::EnsureClaim(_) | Action::ReleaseClaim(_) | Action::StreamContainerLogs(_) => {
                Outcome::Done(())
            }
        };
        vec![result(command, outcome)]
    })
    .await;
    let operator = plane.as_operator();
    let create = json!({"claim_id": "c1", "image": "i", "gpu_count": 1, "volumes": {"/data": "/data"}});
    for at in 0..2 {
        let list = operator.get(&paths(&node, "containers")[at]).await.expect(200);
        assert_eq!((&list[0]["id"], &list[0]["gpu_ids"], list.as_array().unwrap().len()), (&json!("abc"), &json!([0]), 1));
        let created = operator.post(&paths(&node, "containers")[at], &create).await.expect(201);
        assert_eq!(created, json!({"container_id": "c1-1"}));
        assert_eq!(operator.get(&paths(&node, "containers/xyz")[at]).await.expect(200)["id"], "xyz");
        let deleted = operator.delete(&paths(&node, "containers/xyz")[at]).await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        assert_eq!(operator.get(&paths(&node, "metrics")[at]).await.expect(200)["cpu_usage_percent"], 7.0);
    }
    for path in [format!("/health?node_id={}", node.id), format!("/api/nodes/{}/health", node.id)] {
        assert_eq!(operator.get(&path).await.expect(200)["status"], "healthy");
        plane.http.get(&path).await.expect_error(401, "MissingToken");
    }
    // Without a node it is the control plane's own, for anybody.
    assert_eq!(plane.http.get("/health").await.expect(200)["status"], "healthy");
    let body = json!({"node_id": node.id, "claim_id": "c2", "image": "i"});
    assert_eq!(operator.post("/api/v1/containers", &body).await.expect(201)["container_id"], "c2-0");
    let asked = agent.hears("CreateContainer", |frame| match action(frame) {
        Some(Action::CreateContainer(create)) => Some(create.clone()),
        Some(_) | None => None,
    });
    let asked = asked.await;
    assert_eq!((asked.node_id, asked.volumes), (node.id, [("/data".to_owned(), "/data".to_owned())].into()));
}

async fn a_list_in_parts_is_one_list(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let _agent = Agent::scripted(plane, &node, |command| {
        let part = |ids: &[&str], more| {
            let containers = ids.iter().map(|id| container(id)).collect();
            let outcome = Some(Outcome::Containers(ListContainersResponse { containers }));
            Say::Result(CommandResult { id: command.id.clone(), more, outcome })
        };
        vec![part(&["a", "b"], true), part(&["c"], true), part(&[], false)]
    })
    .await;
    let list = plane.as_operator().get(&format!("/api/nodes/{}/containers", node.id)).await.expect(200);
    let ids = list.as_array().unwrap().iter().map(|container| container["id"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids, ["a", "b", "c"]);
}

async fn the_agents_errors_are_answered_as_they_are(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let mut errors = [
        (Code::NotFound, "NotFound", 404),
        (Code::AlreadyExists, "ClaimExists", 409),
        (Code::FailedPrecondition, "InsufficientGPUs", 409),
        (Code::InvalidArgument, "InvalidField", 400),
        (Code::Unavailable, "RuntimeUnavailable", 502),
    ]
    .into_iter()
    .cycle();
    let expected = errors.clone();
    let _agent = Agent::scripted(plane, &node, move |command| {
        let (code, reason, _) = errors.next().unwrap();
        vec![failure(command, code, reason, "the agent says why")]
    })
    .await;
    for (_, reason, status) in expected.take(5) {
        let answer = plane.as_operator().get(&format!("/api/nodes/{}/containers/abc", node.id)).await;
        assert_eq!(answer.expect_error(status, reason), "the agent says why");
    }
}

async fn operations_need_a_node_that_is_online_and_an_operator(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let operator = plane.as_operator();
    for path in paths(&node, "containers") {
        operator.get(&path).await.expect_error(409, "NodeNotOnline");
        plane.as_user().get(&path).await.expect_error(403, "PermissionDenied");
        plane.http.get(&path).await.expect_error(401, "MissingToken");
    }
    operator.get("/api/v1/containers").await.expect_error(400, "InvalidField");
    operator.get("/api/v1/containers?node_id=nowhere").await.expect_error(404, "NotFound");
}

async fn a_client_that_hangs_up_cancels_the_command(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let agent = Agent::scripted(plane, &node, |_| Vec::new()).await;
    let operator = plane.as_operator();
    let request = operator.request(Method::DELETE, &format!("/api/nodes/{}/containers/abc", node.id));
    let request = request.body(Full::default()).unwrap();
    let command = tokio::select! {
        _ = operator.open(request) => panic!("the agent has not answered"),
        command = agent.hears("a command", |frame| match frame {
            Heard::Command(command) => Some(command.id.clone()),
            Heard::Welcome(_) | Heard::Cancel(_) | Heard::Drain(_) | Heard::HeartbeatAck(_) | Heard::Grant(_) => None,
        }) => command,
    };
    let cancelled = agent.hears("the Cancel", |frame| match frame {
        Heard::Cancel(cancel) => Some(cancel.command_id.clone()),
        Heard::Welcome(_) | Heard::Command(_) | Heard::Drain(_) | Heard::HeartbeatAck(_) | Heard::Grant(_) => None,
    });
    assert_eq!(cancelled.await, command);
}
