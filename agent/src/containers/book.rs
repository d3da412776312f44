//! What is known of the containers of this agent, in memory, and every decision over it. No I/O.
//!
//! The truth is in the runtime: the book is rebuilt from labels at start. Beside that it holds what no label can say: work
//! in flight, failures, and which placements were released.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use utopia_proto::link::v1::{ContainerPhase, ContainerState};

use super::{
    ledger::{LOCAL, Placement, Record},
    work::Activity,
};
use crate::runtime::{Observed, Status};

/// How many released claims are remembered. It only has to outlast commands that are under way.
const MAX_RELEASED: usize = 4096;

/// The book.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<Placement, Entry>,
    released: Released,
}

/// One container: made, being made, or failed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) container: Option<Observed>,
    /// Whoever is busy with it. An entry without is changed by observation only.
    pub(super) activity: Option<Activity>,
    pub(super) failure: Option<Failure>,
    /// Of the present step.
    pub(super) progress: String,
    /// What was last told, so that nothing is told twice.
    pub(super) told: Option<ContainerState>,
}

/// Why a container could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) message: String,
}

/// What to do about a placement that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ensure {
    /// A newer placement was seen, or this one was released.
    Stale { newest: u64 },
    /// It is there, or being made or removed: nothing to do.
    Present,
    /// It is there, made from another specification.
    Differs,
    /// Make it, or start what was made, once these older placements are removed.
    Make { older: Vec<Placement> },
}

/// What to do about a container that is wanted through the node API.
#[derive(Debug)]
pub(super) enum Create {
    /// The key belongs to another specification.
    Differs,
    /// It is there.
    Found { id: String },
    /// Somebody is busy with it: wait for them.
    Busy(Activity),
    /// Make it, or start what was made.
    Make,
}

impl Entry {
    pub(super) fn new(record: Record) -> Self {
        Self { record, container: None, activity: None, failure: None, progress: String::new(), told: None }
    }

    /// Whether it keeps its GPUs from others.
    pub(super) fn holds_gpus(&self) -> bool {
        match self.activity {
            Some(Activity { removing: false, .. }) => true,
            Some(_) | None => self.container.as_ref().is_some_and(|container| container.status.holds_resources()),
        }
    }

    /// How it is shown to the control plane.
    pub(super) fn state(&self) -> ContainerState {
        let (phase, exit_code, reason, message) = self.standing();
        ContainerState {
            claim_id: self.record.placement.claim_id.clone(),
            epoch: self.record.placement.epoch,
            container_id: self.container.as_ref().map(|container| container.id.clone()).unwrap_or_default(),
            phase: phase.into(),
            exit_code,
            reason,
            message,
            gpu_uuids: self.record.gpu_uuids.clone(),
        }
    }

    fn standing(&self) -> (ContainerPhase, i32, String, String) {
        let quiet = |phase| (phase, 0, String::new(), String::new());
        if self.activity.as_ref().is_some_and(|activity| !activity.removing) {
            return (ContainerPhase::Preparing, 0, String::new(), self.progress.clone());
        }
        match (&self.container, &self.failure) {
            (Some(container), _) => match container.status {
                Status::Created => quiet(ContainerPhase::Preparing),
                Status::Running | Status::Paused | Status::Restarting => quiet(ContainerPhase::Running),
                Status::Exited | Status::Dead | Status::Removing if container.out_of_memory => {
                    let message = "the container used more memory than it may and was ended".to_owned();
                    (ContainerPhase::Exited, container.exit_code, "OutOfMemory".to_owned(), message)
                }
                Status::Exited | Status::Dead | Status::Removing => {
                    (ContainerPhase::Exited, container.exit_code, String::new(), String::new())
                }
            },
            (None, Some(failure)) => (ContainerPhase::Failed, 0, failure.reason.clone(), failure.message.clone()),
            (None, None) => quiet(ContainerPhase::Preparing),
        }
    }
}

impl Book {
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn get(&self, placement: &Placement) -> Option<&Entry> {
        self.entries.get(placement)
    }

    pub(super) fn get_mut(&mut self, placement: &Placement) -> Option<&mut Entry> {
        self.entries.get_mut(placement)
    }

    /// The entry of a placement, made anew when there is none.
    pub(super) fn entry(&mut self, record: &Record) -> &mut Entry {
        self.entries.entry(record.placement.clone()).or_insert_with(|| Entry::new(record.clone()))
    }

    pub(super) fn remove(&mut self, placement: &Placement) -> Option<Entry> {
        self.entries.remove(placement)
    }

    /// The placement of a container, by its id.
    pub(super) fn find(&self, container_id: &str) -> Option<&Placement> {
        let is_it = |entry: &&Entry| entry.container.as_ref().is_some_and(|container| container.id == container_id);
        self.entries().find(is_it).map(|entry| &entry.record.placement)
    }

    /// Entries with a container whose id begins so.
    pub(super) fn with_prefix<'a, 'p>(&'a self, prefix: &'p str) -> impl Iterator<Item = &'a Entry> + use<'a, 'p> {
        self.entries().filter(move |entry| entry.container.as_ref().is_some_and(|container| container.id.starts_with(prefix)))
    }

    /// Decides about a placement of the control plane.
    pub(super) fn ensure(&self, wanted: &Record) -> Ensure {
        let Placement { claim_id, epoch } = &wanted.placement;
        let newest = self.placements(claim_id).map(|entry| entry.record.placement.epoch).max();
        let released = self.released.get(claim_id);
        if released.is_some_and(|released| released >= *epoch) || newest.is_some_and(|newest| newest > *epoch) {
            return Ensure::Stale { newest: newest.max(released).unwrap_or_default() };
        }
        if let Some(entry) = self.get(&wanted.placement) {
            let made = entry.container.is_some() || entry.activity.is_some();
            if made && entry.record.spec_hash != wanted.spec_hash {
                return Ensure::Differs;
            }
            let unfinished = entry.container.as_ref().is_none_or(|container| container.status == Status::Created);
            if entry.activity.is_some() || !unfinished {
                return Ensure::Present;
            }
        }
        let older = self.placements(claim_id).map(|entry| &entry.record.placement).filter(|other| other.epoch < *epoch);
        Ensure::Make { older: older.cloned().collect() }
    }

    /// Decides about a container of the node API.
    pub(super) fn create(&self, wanted: &Record) -> Create {
        let Some(entry) = self.get(&wanted.placement) else { return Create::Make };
        let differs = entry.record.spec_hash != wanted.spec_hash;
        match (&entry.activity, &entry.container) {
            (Some(activity), _) if activity.removing || !differs => Create::Busy(activity.clone()),
            _ if differs => Create::Differs,
            (_, Some(container)) if container.status != Status::Created => Create::Found { id: container.id.clone() },
            _ => Create::Make,
        }
    }

    /// Remembers that the placements of a claim up to this one are not wanted, and answers those that are there.
    pub(super) fn release(&mut self, claim_id: &str, epoch: u64) -> Vec<Placement> {
        self.released.set(claim_id, epoch);
        let released = self.placements(claim_id).map(|entry| &entry.record.placement).filter(|other| other.epoch <= epoch);
        released.cloned().collect()
    }

    /// Made containers that nobody started and nobody is busy with, each the newest of its claim. They are left over when
    /// the agent is killed at the wrong moment.
    pub(super) fn left_unstarted(&self) -> Vec<Placement> {
        let idle = self.entries().filter(|entry| entry.activity.is_none());
        let unstarted = idle.filter(|entry| entry.container.as_ref().is_some_and(|made| made.status == Status::Created));
        let placements = unstarted.map(|entry| &entry.record.placement).filter(|placement| placement.epoch != LOCAL);
        let newest = placements.filter(|placement| {
            self.placements(&placement.claim_id).all(|other| other.record.placement.epoch <= placement.epoch)
        });
        newest.cloned().collect()
    }

    /// Which GPUs are held, and by whom.
    pub(super) fn held_gpus(&self) -> BTreeMap<&str, &Entry> {
        let holders = self.entries().filter(|entry| entry.holds_gpus());
        holders.flat_map(|entry| entry.record.gpu_uuids.iter().map(move |uuid| (uuid.as_str(), entry))).collect()
    }

    /// A GPU of the list that an entry of someone else holds. Older placements of the claim do not count: they go first.
    pub(super) fn conflict(&self, wanted: &Record) -> Option<(&str, &Entry)> {
        let held = self.held_gpus();
        let mut conflicts = wanted.gpu_uuids.iter().filter_map(|uuid| held.get_key_value(uuid.as_str()));
        conflicts
            .find(|(_, holder)| {
                let holder = &holder.record.placement;
                holder.claim_id != wanted.placement.claim_id || (holder.epoch == LOCAL) != (wanted.placement.epoch == LOCAL)
            })
            .map(|(uuid, holder)| (*uuid, *holder))
    }

    /// The first `count` GPUs that nobody holds; none when there are too few. `gpus` are in order of preference.
    pub(super) fn pick<'a>(
        &self,
        gpus: impl Iterator<Item = &'a str>,
        unfit: &BTreeSet<String>,
        count: usize,
    ) -> Result<Vec<String>, usize> {
        let held = self.held_gpus();
        let free = gpus.filter(|uuid| !held.contains_key(uuid) && !unfit.contains(*uuid));
        let free: Vec<String> = free.take(count).map(str::to_owned).collect();
        if free.len() < count { Err(free.len()) } else { Ok(free) }
    }

    /// The entries of a claim that the control plane placed.
    fn placements<'a>(&'a self, claim_id: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let first = Placement { claim_id: claim_id.to_owned(), epoch: LOCAL + 1 };
        let last = Placement { claim_id: claim_id.to_owned(), epoch: u64::MAX };
        self.entries.range(first..=last).map(|(_, entry)| entry)
    }
}

/// The newest released placement of each claim; the claims released longest ago are forgotten first.
#[derive(Debug, Default)]
struct Released {
    epochs: HashMap<String, u64>,
    order: VecDeque<String>,
}

impl Released {
    fn get(&self, claim_id: &str) -> Option<u64> {
        self.epochs.get(claim_id).copied()
    }

    fn set(&mut self, claim_id: &str, epoch: u64) {
        if let Some(known) = self.epochs.get_mut(claim_id) {
            *known = epoch.max(*known);
            return;
        }
        if self.order.len() >= MAX_RELEASED
            && let Some(oldest) = self.order.pop_front()
        {
            self.epochs.remove(&oldest);
        }
        self.epochs.insert(claim_id.to_owned(), epoch);
        self.order.push_back(claim_id.to_owned());
    }
}

#[cfg(test)]
mod tests;
