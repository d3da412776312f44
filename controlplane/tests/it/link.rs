//! The rules of a session between an agent and the control plane.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use http_body_util::Full;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use utopia_proto::{
    link::v1::{
        AgentFrame, GpuFacts, Heartbeat, Hello, agent_frame::Frame as Say, agent_link_client::AgentLinkClient,
        control_frame::Frame as Heard,
    },
    status::reason,
};

use crate::{
    agent::{Agent, heartbeat, hello, obey},
    databases::on_both_databases,
    machine::Machine,
    plane::{Plane, claim, reaches, text},
    wait::eventually,
};

on_both_databases!(
    a_hello_that_breaks_a_rule_is_refused,
    a_newer_session_replaces_the_older_one,
    heartbeats_are_answered,
    an_agent_that_does_not_read_loses_its_session_and_no_other_does,
    facts_that_change_are_shown,
    a_node_whose_runtime_does_not_answer_gets_no_claims,
);

async fn a_hello_that_breaks_a_rule_is_refused(plane: &Plane) {
    let (node, other) = (Machine::new("n1", 2).join(plane).await, Machine::new("n2", 0).join(plane).await);
    let twins = vec![GpuFacts { uuid: "GPU-1".into(), ..GpuFacts::default() }; 2];
    for (hello, code, word) in [
        (Hello { node_id: other.id.clone(), ..hello(&node) }, Code::PermissionDenied, "NodeIdMismatch"),
        (Hello { node_id: String::new(), ..hello(&node) }, Code::PermissionDenied, "NodeIdMismatch"),
        (Hello { protocol: 0, ..hello(&node) }, Code::FailedPrecondition, "ProtocolMismatch"),
        (Hello { gpus: twins, ..hello(&node) }, Code::InvalidArgument, "InvalidField"),
    ] {
        let status = Agent::connect(plane, &node, hello, Box::new(obey)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (code, word.to_owned()), "{}", status.message());
    }
    let online = plane.as_user().get("/api/nodes?status=Online").await.expect(200);
    assert_eq!(online["total"], 0);
}

async fn a_newer_session_replaces_the_older_one(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 1).join(plane).await;
    let older = Agent::obedient(plane, &node).await;
    let newer = Agent::obedient(plane, &node).await;
    assert!(newer.session_epoch > older.session_epoch);
    let status = older.is_cut().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "SessionReplaced"));
    drop(older);
    let id = text(&claim(&user, 1).await, "id").to_owned();
    reaches(&user, &id, "Running", "").await;
    newer.hears_ensure(&id).await;
}

async fn heartbeats_are_answered(plane: &Plane) {
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    for sequence in [2, 3] {
        let mut heartbeat = heartbeat(&node);
        heartbeat.sequence = sequence;
        agent.say(Say::Heartbeat(heartbeat)).await;
        let answered = |frame: &Heard| matches!(frame, Heard::HeartbeatAck(ack) if ack.sequence == sequence).then_some(());
        agent.hears("the answer to a heartbeat", answered).await;
    }
}

/// Nobody reads the frames of its stream, whose window is so small that the server cannot send them.
async fn an_agent_that_does_not_read_loses_its_session_and_no_other_does(plane: &Plane) {
    let deaf = Machine::new("deaf", 0).join(plane).await;
    let reading = Machine::new("reading", 0).join(plane).await;
    let other = Agent::obedient(plane, &reading).await;
    let mut link = AgentLinkClient::new(deaf.narrow_channel(plane).await);
    let (say, frames) = mpsc::channel(1);
    say.send(AgentFrame { frame: Some(Say::Hello(hello(&deaf))) }).await.unwrap();
    let unread = link.connect(ReceiverStream::new(frames)).await.unwrap();

    let operator = plane.as_operator();
    // A request that is given up leaves a command and its cancellation for the agent.
    let given_up = async |_| {
        let request = operator.request(Method::GET, &format!("/api/nodes/{}/containers", deaf.id));
        let request = operator.open(request.body(Full::default()).unwrap());
        tokio::time::timeout(Duration::from_millis(200), request).await.is_err()
    };
    let is_offline = async || {
        join_all((0..100).map(given_up)).await;
        let shown = operator.get(&format!("/api/nodes/{}", deaf.id)).await.expect(200);
        (shown["status"] == "Offline").then_some(())
    };
    eventually("the node to be offline", is_offline).await;

    let heartbeat = Heartbeat { sequence: 7, ..heartbeat(&reading) };
    other.say(Say::Heartbeat(heartbeat)).await;
    let answered = |frame: &Heard| matches!(frame, Heard::HeartbeatAck(ack) if ack.sequence == 7).then_some(());
    other.hears("the answer to a heartbeat", answered).await;
    drop(unread);
}

async fn facts_that_change_are_shown(plane: &Plane) {
    let user = plane.as_user();
    let mut node = Machine::new("n1", 2).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    "n1-renamed".clone_into(&mut node.machine.facts.hostname);
    node.machine.gpus.truncate(1);
    agent.say(Say::Hello(hello(&node))).await;
    let shown = async || {
        let shown = user.get(&format!("/api/nodes/{}", node.id)).await.expect(200);
        (shown["hostname"] == "n1-renamed" && shown["gpus"].as_array().unwrap().len() == 1).then_some(())
    };
    eventually("the new facts", shown).await;

    let mut heartbeat = heartbeat(&node);
    heartbeat.gpus[0].foreign_use = true;
    agent.say(Say::Heartbeat(heartbeat)).await;
    let busy = async || {
        let shown = user.get(&format!("/api/nodes/{}", node.id)).await.expect(200);
        (shown["gpus"][0]["unavailable"] == "Busy").then_some(())
    };
    eventually("the GPU to be busy", busy).await;
}

async fn a_node_whose_runtime_does_not_answer_gets_no_claims(plane: &Plane) {
    let user = plane.as_user();
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::obedient(plane, &node).await;
    let mut broken = heartbeat(&node);
    broken.runtime_ready = false;
    agent.say(Say::Heartbeat(broken)).await;
    let explained = async || {
        let id = text(&claim(&user, 0).await, "id").to_owned();
        let waiting = user.get(&format!("/api/gpu-claims/{id}/explain")).await.expect(200);
        (waiting["nodes"][0]["reason"] == "RuntimeUnavailable").then_some(id)
    };
    let id = eventually("the runtime to be seen as away", explained).await;
    reaches(&user, &id, "Pending", "RuntimeUnavailable").await;
    agent.say(Say::Heartbeat(heartbeat(&node))).await;
    reaches(&user, &id, "Running", "").await;
}
