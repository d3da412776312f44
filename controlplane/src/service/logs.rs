//! What containers wrote, from the nodes that run them.

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tonic::Status;
use utopia_proto::{
    link::v1::{LogPart, command::Action, command_result::Outcome},
    node::v1::{LogEntry, StreamContainerLogsRequest},
};
use uuid::Uuid;

use super::node_agent::{QUERY_TIMEOUT, unexpected};
use crate::{error::Result, link::Hub};

/// Entries as the node sends them, at the pace at which they are taken.
pub(super) type Logs = BoxStream<'static, Result<LogEntry, Status>>;

/// What a container of a node wrote.
///
/// # Errors
/// As [`Hub::command`]; and in the stream.
pub(super) async fn stream(hub: &Hub, node_id: Uuid, request: StreamContainerLogsRequest) -> Result<Logs> {
    let parts = hub.command_in_parts(node_id, Action::StreamContainerLogs(request), QUERY_TIMEOUT).await?;
    let parts = stream::unfold(parts, async |mut parts| {
        let part = parts.next().await?;
        Some((part, parts))
    });
    let entries = parts.flat_map(|part| {
        let entries: Vec<Result<LogEntry, Status>> = match part {
            Ok(Outcome::Logs(LogPart { entries })) => entries.into_iter().map(Ok).collect(),
            Ok(_) => vec![Err(unexpected().into())],
            Err(error) => vec![Err(error.into())],
        };
        stream::iter(entries)
    });
    Ok(entries.boxed())
}
