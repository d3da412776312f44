//! What containers wrote.

use futures_util::{StreamExt as _, TryStreamExt as _};
use utopia_proto::node::v1::{LogEntry, LogStream, StreamContainerLogsRequest};

use super::*;
use crate::runtime::{self, Output};

/// An agent with a container that wrote three lines, a second after each other.
async fn agent() -> (Agent, StreamContainerLogsRequest) {
    let agent = Agent::new();
    let id = agent.create(&request("train", 0)).await.unwrap();
    for (second, output, text) in [(1, Output::Standard, "one\n"), (2, Output::Error, "two\n"), (3, Output::Standard, "three\n")]
    {
        let at = jiff::Timestamp::from_second(second).unwrap();
        agent.fake.write(&id, runtime::LogEntry { output, at, text: text.to_owned() });
    }
    (agent, StreamContainerLogsRequest { id, ..StreamContainerLogsRequest::default() })
}

async fn texts(agent: &Agent, request: &StreamContainerLogsRequest) -> Vec<String> {
    let entries = agent.containers.logs(request).await.unwrap();
    entries.map_ok(|entry| entry.text).try_collect().await.unwrap()
}

#[tokio::test]
async fn all_or_the_last_or_those_since_a_time_are_sent() {
    let (agent, request) = agent().await;
    assert_eq!(texts(&agent, &request).await, ["one\n", "two\n", "three\n"]);
    assert_eq!(texts(&agent, &StreamContainerLogsRequest { tail: 1, ..request.clone() }).await, ["three\n"]);
    let since = Some(prost_types::Timestamp { seconds: 2, nanos: 0 });
    assert_eq!(texts(&agent, &StreamContainerLogsRequest { since, ..request.clone() }).await, ["two\n", "three\n"]);

    let second: Vec<LogEntry> = agent.containers.logs(&request).await.unwrap().skip(1).take(1).try_collect().await.unwrap();
    let time = Some(prost_types::Timestamp { seconds: 2, nanos: 0 });
    assert_eq!(second, [LogEntry { stream: LogStream::Stderr.into(), time, text: "two\n".to_owned() }]);
}

#[tokio::test]
async fn nonsense_and_containers_of_others_are_refused() {
    let (agent, request) = agent().await;
    let code = async |request: StreamContainerLogsRequest| match agent.containers.logs(&request).await {
        Ok(_) => panic!("{request:?}"),
        Err(error) => error.parts().0,
    };
    assert_eq!(code(StreamContainerLogsRequest { tail: -1, ..request.clone() }).await, Code::InvalidArgument);
    let since = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    assert_eq!(code(StreamContainerLogsRequest { since, ..request.clone() }).await, Code::InvalidArgument);
    let foreign = agent.fake.add_foreign("somebody-elses");
    assert_eq!(code(StreamContainerLogsRequest { id: foreign, ..request.clone() }).await, Code::NotFound);
    assert_eq!(code(StreamContainerLogsRequest { id: request.id[..4].to_owned(), ..request }).await, Code::NotFound);
}

#[tokio::test]
async fn who_follows_is_told_that_the_agent_stops() {
    let (agent, request) = agent().await;
    let mut entries = agent.containers.logs(&StreamContainerLogsRequest { follow: true, ..request }).await.unwrap();
    for text in ["one\n", "two\n", "three\n"] {
        assert_eq!(entries.next().await.unwrap().unwrap().text, text);
    }
    agent.shutdown.cancel();
    assert_eq!(entries.next().await.unwrap().unwrap_err().parts().0, Code::Cancelled);
    assert!(entries.next().await.is_none());
}
