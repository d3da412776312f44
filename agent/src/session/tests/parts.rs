//! Results in parts, at the pace of who reads them.

use utopia_proto::link::v1::{Grant, LogPart};
use utopia_proto::node::v1::{LogEntry, StreamContainerLogsRequest};

use super::*;

/// Writes as many lines as `tail` says, a part for each; then waits to be called off if the container is followed.
pub(super) async fn write(
    request: &StreamContainerLogsRequest,
    parts: &Parts,
    cancel: &CancellationToken,
    log: &mpsc::Sender<&'static str>,
) -> Result<Outcome, Error> {
    for line in 0..request.tail {
        parts.send_logs(vec![LogEntry { text: line.to_string(), ..LogEntry::default() }]).await?;
    }
    if request.follow {
        log.send("following").await.unwrap();
        cancel.cancelled().await;
        log.send("following called off").await.unwrap();
        return Err(Error::Cancelled);
    }
    Ok(Outcome::Done(()))
}

fn logs(tail: i32, follow: bool) -> Action {
    Action::StreamContainerLogs(StreamContainerLogsRequest { tail, follow, ..StreamContainerLogsRequest::default() })
}

impl ServerSession {
    async fn grant(&self, id: &str, parts: u32) {
        self.send(ToAgent::Grant(Grant { command_id: id.to_owned(), parts })).await;
    }

    /// The lines of a part that is not the last.
    async fn lines(&mut self, id: &str) -> Vec<String> {
        match self.result().await {
            CommandResult { id: of, more: true, outcome: Some(Outcome::Logs(LogPart { entries })) } if of == id => {
                entries.into_iter().map(|entry| entry.text).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn no_part_comes_that_was_not_granted() {
    let stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    session.command("logs", logs(3, false)).await;
    session.grant("another", 5).await;
    session.command("health", health()).await;
    assert_eq!(session.result().await.id, "health", "the reader of the logs holds up nobody else");
    session.grant("logs", 2).await;
    assert_eq!(session.lines("logs").await, ["0"]);
    assert_eq!(session.lines("logs").await, ["1"]);
    session.command("more health", health()).await;
    assert_eq!(session.result().await.id, "more health");
    session.grant("logs", 1).await;
    assert_eq!(session.lines("logs").await, ["2"]);
    let last = session.result().await;
    assert!(!last.more && last.outcome == Some(Outcome::Done(())), "{last:?}");
    stage.stop().await;
}

#[tokio::test]
async fn those_that_follow_leave_room_for_other_commands() {
    let mut stage = Stage::set().await;
    let mut session = stage.plane.welcome(1, NEVER_MS).await;
    for id in 0..16 {
        session.command(&id.to_string(), logs(0, true)).await;
        assert_eq!(stage.log.recv().await, Some("following"));
    }
    session.command("one more", logs(0, true)).await;
    let (id, failure) = session.failure().await;
    assert_eq!((id.as_str(), failure.reason.as_str()), ("one more", "AgentBusy"));
    session.command("health", health()).await;
    assert_eq!(session.result().await.id, "health");

    session.send(ToAgent::Cancel(Cancel { command_id: "3".to_owned() })).await;
    assert_eq!(stage.log.recv().await, Some("following called off"));
    assert_eq!(session.failure().await.0, "3");
    session.end(Status::unavailable("stopping")).await;
    for _ in 0..15 {
        assert_eq!(stage.log.recv().await, Some("following called off"), "nobody can hear them any more");
    }
    stage.stop().await;
}
