//! Commands that wait for their results.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot};
use utopia_proto::link::v1::{CommandResult, command_result::Outcome};

/// How many commands of one session may wait at a time.
const MAX_PENDING: usize = 128;

/// The most containers that a result in parts may add up to.
const MAX_CONTAINERS: usize = 10_000;

/// How many parts of a result may be on their way or wait for their reader.
pub const WINDOW: u32 = 2;

/// The commands of one session that have been sent and not answered.
#[derive(Debug, Default)]
pub struct Commands(Mutex<HashMap<String, Pending>>);

#[derive(Debug)]
enum Pending {
    /// The result is wanted when it is complete.
    Whole { parts: Option<Outcome>, reply: oneshot::Sender<Outcome> },
    /// Each part is wanted as it comes.
    Parts(mpsc::Sender<CommandResult>),
}

/// As many commands as may wait are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Commands {
    /// Expects the result of a command. The receiver fails when the session ends first.
    ///
    /// # Errors
    /// [`TooMany`] commands wait already.
    pub fn expect(&self, id: &str) -> Result<oneshot::Receiver<Outcome>, TooMany> {
        let (reply, receiver) = oneshot::channel();
        self.insert(id, Pending::Whole { parts: None, reply })?;
        Ok(receiver)
    }

    /// Expects the result of a command in parts, of which [`WINDOW`] may be under way. The receiver ends without a last part when the
    /// session ends first, or the agent sends more than it was granted.
    ///
    /// # Errors
    /// [`TooMany`] commands wait already.
    pub fn expect_parts(&self, id: &str) -> Result<mpsc::Receiver<CommandResult>, TooMany> {
        // The last part needs no grant.
        let (sender, receiver) = mpsc::channel(WINDOW as usize + 1);
        self.insert(id, Pending::Parts(sender))?;
        Ok(receiver)
    }

    fn insert(&self, id: &str, command: Pending) -> Result<(), TooMany> {
        let mut pending = self.lock();
        if pending.len() >= MAX_PENDING {
            return Err(TooMany);
        }
        pending.insert(id.to_owned(), command);
        Ok(())
    }

    /// Takes a result, or a part of one. Results that nobody waits for are dropped.
    pub fn finish(&self, result: CommandResult) {
        let mut pending = self.lock();
        match pending.remove(&result.id) {
            None => {}
            Some(Pending::Whole { parts, reply }) => {
                let parts = merge(parts, result.outcome);
                if result.more {
                    pending.insert(result.id, Pending::Whole { parts, reply });
                } else if let Some(outcome) = parts {
                    // The caller may have given up.
                    let _ = reply.send(outcome);
                }
            }
            Some(Pending::Parts(parts)) => {
                let (id, more) = (result.id.clone(), result.more);
                if parts.try_send(result).is_ok() && more {
                    pending.insert(id, Pending::Parts(parts));
                }
            }
        }
    }

    /// Waits for a result no longer, and says whether it was still expected.
    pub fn forget(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Fails everything that waits.
    pub fn fail_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins the parts of a result. Only lists come in parts.
fn merge(before: Option<Outcome>, part: Option<Outcome>) -> Option<Outcome> {
    match (before, part) {
        (Some(Outcome::Containers(mut list)), Some(Outcome::Containers(more))) => {
            let room = MAX_CONTAINERS.saturating_sub(list.containers.len());
            list.containers.extend(more.containers.into_iter().take(room));
            Some(Outcome::Containers(list))
        }
        (before, part) => part.or(before),
    }
}

#[cfg(test)]
mod tests {
    use utopia_proto::node::v1::{Container, ListContainersResponse};

    use super::*;

    fn part(ids: &[&str], more: bool) -> CommandResult {
        let containers = ids.iter().map(|id| Container { id: (*id).into(), ..Container::default() }).collect();
        CommandResult { id: "1".into(), more, outcome: Some(Outcome::Containers(ListContainersResponse { containers })) }
    }

    #[test]
    fn parts_of_a_list_are_joined() {
        let commands = Commands::default();
        let mut receiver = commands.expect("1").unwrap();
        commands.finish(part(&["a", "b"], true));
        assert!(receiver.try_recv().is_err());
        commands.finish(part(&["c"], false));
        let Outcome::Containers(list) = receiver.try_recv().unwrap() else { panic!() };
        assert_eq!(list.containers.iter().map(|container| container.id.as_str()).collect::<String>(), "abc");
    }

    #[test]
    fn parts_come_one_by_one_and_no_more_than_fit() {
        let commands = Commands::default();
        let mut receiver = commands.expect_parts("1").unwrap();
        commands.finish(part(&["a"], true));
        assert_eq!(receiver.try_recv().unwrap(), part(&["a"], true));
        commands.finish(part(&["b"], false));
        assert_eq!(receiver.try_recv().unwrap(), part(&["b"], false));
        assert!(!commands.forget("1"), "the last part has come");

        let mut receiver = commands.expect_parts("1").unwrap();
        for _ in 0..WINDOW + 2 {
            commands.finish(part(&["a"], true));
        }
        assert!(!commands.forget("1"), "the agent sent more than it was granted");
        for _ in 0..=WINDOW {
            assert!(receiver.try_recv().unwrap().more);
        }
        assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn the_end_of_a_session_fails_what_waits() {
        let commands = Commands::default();
        let mut receiver = commands.expect("1").unwrap();
        commands.fail_all();
        assert_eq!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn waiting_commands_are_bounded() {
        let commands = Commands::default();
        let receivers = (0..MAX_PENDING).map(|id| commands.expect(&id.to_string()).unwrap()).collect::<Vec<_>>();
        assert_eq!(commands.expect("one more").unwrap_err(), TooMany);
        assert!(commands.forget("0"));
        assert!(commands.expect("one more").is_ok());
        drop(receivers);
    }
}
