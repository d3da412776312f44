//! Frames that fit: lists in parts, and nothing above the link's limit.
//!
//! A decode buffer on the other side never shrinks again, so a frame that is too large is never sent, whatever is in it.

use prost::Message;
use tonic::Code;
use utopia_proto::codec::MAX_FRAME_BYTES;
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::command_result::Outcome;
use utopia_proto::link::v1::{AgentFrame, CommandResult, ContainerState, Failure, Inventory, LogPart};
use utopia_proto::node::v1::{Container, ListContainersResponse, LogEntry};

const MAX_INVENTORY_PART: usize = 200;
const MAX_LIST_PART: usize = 100;
const MAX_LOG_PART: usize = 1000;
/// Leaves room for what surrounds the items of a part.
const MAX_PART_BYTES: usize = MAX_FRAME_BYTES - 1024;
/// Key and length of an item in its list.
const ITEM_OVERHEAD_BYTES: usize = 8;
const MAX_MESSAGE_BYTES: usize = 4096;

/// A frame, unless it is too large.
pub(super) fn frame(frame: Frame) -> Option<AgentFrame> {
    let frame = AgentFrame { frame: Some(frame) };
    let bytes = frame.encoded_len();
    if bytes > MAX_FRAME_BYTES {
        tracing::error!(bytes, limit = MAX_FRAME_BYTES, "a frame is too large and was not sent");
        return None;
    }
    Some(frame)
}

/// A container's state; a message that would not fit is cut.
pub(super) fn container(state: ContainerState) -> Option<AgentFrame> {
    frame(Frame::Container(shortened(state)))
}

/// An inventory in as many parts as it needs, at least one.
pub(super) fn inventory(states: Vec<ContainerState>) -> Vec<AgentFrame> {
    let parts = parts(states.into_iter().map(shortened), MAX_INVENTORY_PART);
    let last = parts.len() - 1;
    let part = |(index, containers)| frame(Frame::Inventory(Inventory { containers, more: index < last }));
    parts.into_iter().enumerate().filter_map(part).collect()
}

/// A command's result in as many parts as it needs; a failure when a part of it cannot be sent.
pub(super) fn result(id: &str, outcome: Outcome) -> Vec<AgentFrame> {
    let outcomes = if let Outcome::Containers(list) = outcome {
        parts(list.containers.into_iter(), MAX_LIST_PART).into_iter().map(list_part).collect()
    } else {
        vec![outcome]
    };
    let last = outcomes.len() - 1;
    let part =
        |(index, outcome)| frame(Frame::Result(CommandResult { id: id.to_owned(), more: index < last, outcome: Some(outcome) }));
    outcomes.into_iter().enumerate().map(part).collect::<Option<Vec<_>>>().unwrap_or_else(|| vec![too_large(id)])
}

/// Parts of the logs of a container, at least one; others follow.
pub(super) fn logs(id: &str, entries: Vec<LogEntry>) -> Vec<AgentFrame> {
    let part = |entries| {
        let outcome = Some(Outcome::Logs(LogPart { entries }));
        frame(Frame::Result(CommandResult { id: id.to_owned(), more: true, outcome }))
    };
    parts(entries.into_iter(), MAX_LOG_PART).into_iter().filter_map(part).collect()
}

fn list_part(containers: Vec<Container>) -> Outcome {
    Outcome::Containers(ListContainersResponse { containers })
}

fn too_large(id: &str) -> AgentFrame {
    let failure = Failure {
        code: Code::ResourceExhausted.into(),
        reason: "ResultTooLarge".to_owned(),
        message: "the result is larger than the link allows".to_owned(),
        field: String::new(),
    };
    let result = CommandResult { id: id.to_owned(), more: false, outcome: Some(Outcome::Failure(failure)) };
    AgentFrame { frame: Some(Frame::Result(result)) }
}

/// Cuts a list by number and by size. There is always one part, possibly empty.
fn parts<T: Message>(items: impl Iterator<Item = T>, max_items: usize) -> Vec<Vec<T>> {
    let mut parts = vec![Vec::new()];
    let mut part_bytes = 0;
    for item in items {
        let bytes = item.encoded_len() + ITEM_OVERHEAD_BYTES;
        match parts.last_mut() {
            Some(part) if part.is_empty() || (part.len() < max_items && part_bytes + bytes <= MAX_PART_BYTES) => {
                part.push(item);
                part_bytes += bytes;
            }
            Some(_) | None => {
                parts.push(vec![item]);
                part_bytes = bytes;
            }
        }
    }
    parts
}

fn shortened(mut state: ContainerState) -> ContainerState {
    if state.message.len() > MAX_MESSAGE_BYTES {
        state.message.truncate(state.message.floor_char_boundary(MAX_MESSAGE_BYTES));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(count: usize, message: &str) -> Vec<ContainerState> {
        let state = |index| ContainerState {
            claim_id: format!("claim-{index}"),
            message: message.to_owned(),
            ..ContainerState::default()
        };
        (0..count).map(state).collect()
    }

    fn inventories(frames: Vec<AgentFrame>) -> Vec<Inventory> {
        let inventory = |frame: AgentFrame| match frame.frame {
            Some(Frame::Inventory(inventory)) => inventory,
            other => panic!("{other:?}"),
        };
        frames.into_iter().map(inventory).collect()
    }

    #[test]
    fn an_inventory_comes_in_parts_of_which_only_the_last_says_that_it_is() {
        for (count, sizes) in [(0, vec![0]), (1, vec![1]), (200, vec![200]), (201, vec![200, 1]), (450, vec![200, 200, 50])] {
            let parts = inventories(inventory(states(count, "")));
            assert_eq!(parts.iter().map(|part| part.containers.len()).collect::<Vec<_>>(), sizes);
            assert!(parts.iter().rev().enumerate().all(|(from_end, part)| part.more == (from_end > 0)));
        }
    }

    #[test]
    fn parts_are_cut_by_size_too_and_nothing_is_lost() {
        let long = "ü".repeat(3000);
        let frames = inventory(states(100, &long));
        assert!(frames.iter().all(|frame| frame.encoded_len() <= MAX_FRAME_BYTES));
        let parts = inventories(frames);
        assert!(parts.len() > 1);
        assert_eq!(parts.iter().map(|part| part.containers.len()).sum::<usize>(), 100);
        assert!(parts[0].containers[0].message.len() <= MAX_MESSAGE_BYTES);
    }

    #[test]
    fn a_long_list_of_containers_is_split() {
        let containers = (0..250).map(|index| Container { id: index.to_string(), ..Container::default() }).collect();
        let frames = result("1", Outcome::Containers(ListContainersResponse { containers }));
        let part = |frame: &AgentFrame| match &frame.frame {
            Some(Frame::Result(CommandResult { more, outcome: Some(Outcome::Containers(list)), .. })) => {
                (*more, list.containers.len())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(frames.iter().map(part).collect::<Vec<_>>(), [(true, 100), (true, 100), (false, 50)]);
    }

    #[test]
    fn what_does_not_fit_into_a_frame_becomes_a_failure() {
        let container = Container { image: "x".repeat(MAX_FRAME_BYTES), ..Container::default() };
        for outcome in [Outcome::Container(container.clone()), list_part(vec![Container::default(), container])] {
            let frames = result("1", outcome);
            let [AgentFrame { frame: Some(Frame::Result(result)) }] = &frames[..] else { panic!("{frames:?}") };
            let Some(Outcome::Failure(failure)) = &result.outcome else { panic!("{result:?}") };
            assert_eq!((result.id.as_str(), failure.reason.as_str()), ("1", "ResultTooLarge"));
        }
    }
}
