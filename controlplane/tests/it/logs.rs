//! What containers wrote: sent by their agent in parts, at the pace of whoever reads.

use http::Method;
use http_body_util::Full;
use serde_json::{Value as Json, json};
use tonic::Code;
use utopia_proto::{
    link::v1::{
        Command, CommandResult, LogPart, agent_frame::Frame as Say, command::Action, command_result::Outcome,
        control_frame::Frame as Heard,
    },
    node::v1::{LogEntry, LogStream, StreamContainerLogsRequest},
};

use crate::{
    agent::{Agent, action, failure, obey, result},
    databases::on_both_databases,
    http::{Http, Opened},
    machine::Machine,
    plane::{Plane, claim, reaches, text},
    wait::eventually,
};

on_both_databases!(
    parts_arrive_as_they_are_sent_and_further_ones_are_granted,
    a_reader_that_hangs_up_cancels_the_command,
    a_node_that_goes_away_ends_the_logs_with_an_error,
    what_the_agent_refuses_is_an_answer_of_its_own,
    a_claims_logs_are_those_of_its_container,
);

fn entry(text: &str) -> LogEntry {
    let time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 });
    LogEntry { stream: LogStream::Stderr.into(), time, text: text.to_owned() }
}

fn part(id: &str, texts: &[&str]) -> Say {
    let entries = texts.iter().map(|text| entry(text)).collect();
    Say::Result(CommandResult { id: id.to_owned(), more: true, outcome: Some(Outcome::Logs(LogPart { entries })) })
}

/// Says that the container is there, and obeys otherwise.
fn begin(command: &Command) -> Vec<Say> {
    match command.action {
        Some(Action::StreamContainerLogs(_)) => vec![part(&command.id, &[])],
        Some(_) | None => obey(command),
    }
}

async fn hears_logs(agent: &Agent) -> (String, StreamContainerLogsRequest) {
    let logs = agent.hears("StreamContainerLogs", |frame| match (frame, action(frame)) {
        (Heard::Command(command), Some(Action::StreamContainerLogs(logs))) => Some((command.id.clone(), logs.clone())),
        _ => None,
    });
    logs.await
}

async fn open(http: &Http, path: &str) -> Opened {
    http.open(http.request(Method::GET, path).body(Full::default()).unwrap()).await
}

async fn line(opened: &mut Opened) -> Json {
    serde_json::from_str(&opened.line().await.expect("there is more")).unwrap()
}

async fn parts_arrive_as_they_are_sent_and_further_ones_are_granted(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let agent = Agent::scripted(plane, &node, begin).await;
    let path = format!("/api/nodes/{}/containers/abc/logs?follow=true&tail=7&since=2026-01-01T00:00:00Z", node.id);
    let mut opened = open(&plane.as_operator(), &path).await;
    assert_eq!((opened.status, opened.headers["content-type"].to_str().unwrap()), (200, "application/x-ndjson"));
    let (id, asked) = hears_logs(&agent).await;
    let since = Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 0 });
    let expected = StreamContainerLogsRequest { node_id: node.id, id: "abc".into(), follow: true, tail: 7, since };
    assert_eq!(asked, expected);
    // Two at first, and one for the part that was taken.
    agent.is_granted(3).await;

    agent.say(part(&id, &["one\n", "tw"])).await;
    let shown = |text| json!({"stream": "stderr", "time": "2023-11-14T22:13:20.000000005Z", "text": text});
    assert_eq!(line(&mut opened).await, shown("one\n"));
    assert_eq!(line(&mut opened).await, shown("tw"));
    agent.is_granted(4).await;
    agent.say(part(&id, &["o\n"])).await;
    agent.say(Say::Result(CommandResult { id, more: false, outcome: Some(Outcome::Done(())) })).await;
    assert_eq!(line(&mut opened).await, shown("o\n"));
    assert_eq!(opened.line().await, None);
}

async fn a_reader_that_hangs_up_cancels_the_command(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let agent = Agent::scripted(plane, &node, begin).await;
    let opened = open(&plane.as_operator(), &format!("/api/nodes/{}/containers/abc/logs?follow=true", node.id)).await;
    let (id, _) = hears_logs(&agent).await;
    drop(opened);
    let cancelled = |frame: &Heard| if let Heard::Cancel(cancel) = frame { Some(cancel.command_id.clone()) } else { None };
    assert_eq!(agent.hears("the Cancel", cancelled).await, id);
}

async fn a_node_that_goes_away_ends_the_logs_with_an_error(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let agent = Agent::scripted(plane, &node, begin).await;
    let mut opened = open(&plane.as_operator(), &format!("/api/nodes/{}/containers/abc/logs?follow=true", node.id)).await;
    let (id, _) = hears_logs(&agent).await;
    agent.say(part(&id, &["one\n"])).await;
    assert_eq!(line(&mut opened).await["text"], "one\n");
    drop(agent);
    assert_eq!(line(&mut opened).await["code"], "NodeDisconnected");
    assert_eq!(opened.line().await, None);
}

async fn what_the_agent_refuses_is_an_answer_of_its_own(plane: &Plane) {
    let node = Machine::new("n1", 0).join(plane).await;
    let _agent = Agent::scripted(plane, &node, |command| {
        let Some(Action::StreamContainerLogs(logs)) = &command.action else { return Vec::new() };
        match logs.id.as_str() {
            "strange" => vec![result(command, Outcome::Done(()))],
            "late" => vec![part(&command.id, &[]), failure(command, Code::Unavailable, "RuntimeUnavailable", "Docker is away")],
            _ => vec![failure(command, Code::NotFound, "NotFound", "container abc does not exist")],
        }
    })
    .await;
    let operator = plane.as_operator();
    let logs = |id: &str| format!("/api/nodes/{}/containers/{id}/logs", node.id);
    operator.get(&logs("abc")).await.expect_error(404, "NotFound");
    let empty = operator.get(&logs("strange")).await;
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    let mut opened = open(&operator, &logs("late")).await;
    assert_eq!(line(&mut opened).await["code"], "RuntimeUnavailable");
}

async fn a_claims_logs_are_those_of_its_container(plane: &Plane) {
    let user = plane.as_user();
    let accepted = claim(&user, 1).await;
    let id = text(&accepted, "id");
    let path = format!("/api/gpu-claims/{id}/logs?tail=3");
    user.get(&path).await.expect_error(409, "NoContainer");
    let node = Machine::new("n1", 1).join(plane).await;
    let agent = Agent::scripted(plane, &node, begin).await;
    reaches(&user, id, "Running", "").await;
    let mut opened = open(&user, &path).await;
    let (command, asked) = hears_logs(&agent).await;
    assert_eq!((asked.node_id, asked.id.as_str(), asked.follow, asked.tail), (node.id, "c-1", false, 3));
    agent.say(part(&command, &["mine\n"])).await;
    assert_eq!(line(&mut opened).await["text"], "mine\n");

    plane.as_other().get(&path).await.expect_error(404, "NotFound");
    plane.http.get(&path).await.expect_error(401, "MissingToken");
    user.get(&format!("/api/gpu-claims/{id}/logs?since=yesterday")).await.expect_error(400, "InvalidField");
    drop(agent);
    assert_eq!(line(&mut opened).await["code"], "NodeDisconnected");
    let is_away = async || (user.get(&path).await.outcome() == (409, "NodeNotOnline".to_owned())).then_some(());
    eventually("the node to be offline", is_away).await;
}
