//! The containers of this agent: the one owner of what it has made.
//!
//! Claims of the control plane and requests of the node API come in here, and GPUs are given out here. The labels on the
//! containers are the ledger (`ledger.rs`): after any crash the book (`book.rs`) is read back from them, and doing a command
//! again has no further effect. Containers without the own node's label are never touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utopia_proto::{
    link::v1::{ContainerState, EnsureClaim},
    node::v1,
};
use uuid::Uuid;

use self::{
    book::{Book, Create, Ensure, Failure},
    ledger::{LOCAL, Placement, Record},
    probe::Probe,
    work::{Activity, Done, Job, Task, outcome},
};
use crate::{
    error::{Error, Result},
    runtime::Runtime,
};

mod book;
mod image;
pub mod ledger;
mod logs;
mod node_api;
mod probe;
mod spec;
mod volumes;
mod watching;
mod work;

pub use volumes::VOLUME_NOT_ALLOWED;

/// How many events a slow receiver may lag behind. One that lags further reads the inventory instead.
const EVENT_CAPACITY: usize = 1024;

/// Reason of an error: the agent has no node id yet.
pub const NOT_ENROLLED: &str = "NotEnrolled";
/// Reason of an error: a newer placement of the claim was seen, or this one was released.
pub const STALE_PLACEMENT: &str = "StalePlacement";
/// Reason of a failed claim: another container has the GPU.
pub const GPU_BUSY: &str = "GpuBusy";
/// Reason of a failed claim: the machine has no such GPU.
pub const GPU_NOT_FOUND: &str = "GpuNotFound";
/// Reason of an error: too few GPUs are free.
pub const INSUFFICIENT_GPUS: &str = "InsufficientGPUs";
/// Reason of an error: the key belongs to a container made from another specification.
pub const SPEC_DIFFERS: &str = "SpecDiffers";

/// A GPU of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its key.
    pub uuid: String,
    /// For display.
    pub index: u32,
    /// It does not exist: containers are told of it, the runtime is not.
    pub simulated: bool,
}

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directories that containers may see; none when empty.
    pub volume_allow_list: Vec<PathBuf>,
    /// A pull that takes longer is given up.
    pub pull_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { volume_allow_list: Vec::new(), pull_timeout: Duration::from_secs(600) }
    }
}

/// Who has a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The claim, or the key given to the node API.
    pub claim_id: String,
    /// It was given through the node API.
    pub local: bool,
    /// The runtime's id; none while the container is being made.
    pub container_id: Option<String>,
}

/// The containers of this agent.
pub struct Containers {
    runtime: Arc<dyn Runtime>,
    gpus: ArcSwap<Vec<Gpu>>,
    settings: Settings,
    node: watch::Sender<Option<Uuid>>,
    book: Mutex<Book>,
    /// Held while the runtime is looked at and what was seen is written into the book: looks take effect in their order.
    observing: tokio::sync::Mutex<()>,
    adopted: watch::Sender<bool>,
    /// The event watch is connected, so the book is true.
    watching: AtomicBool,
    unfit: Mutex<BTreeSet<String>>,
    events: broadcast::Sender<ContainerState>,
    probe: Probe,
    activities: AtomicU64,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Containers {
    /// Nothing is read from the runtime yet. Work is spawned on `tasks` and called off by `shutdown`.
    #[must_use]
    pub fn new(
        runtime: Arc<dyn Runtime>,
        gpus: Vec<Gpu>,
        settings: Settings,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            probe: Probe::new(runtime.clone()),
            runtime,
            gpus: ArcSwap::from_pointee(by_index(gpus)),
            settings,
            node: watch::Sender::new(None),
            book: Mutex::default(),
            observing: tokio::sync::Mutex::default(),
            adopted: watch::Sender::new(false),
            watching: AtomicBool::new(false),
            unfit: Mutex::default(),
            events: broadcast::Sender::new(EVENT_CAPACITY),
            activities: AtomicU64::new(0),
            tasks,
            shutdown,
        })
    }

    /// Says as which node the agent is enrolled. Containers are made, and recognized, from then on.
    pub fn set_node_id(&self, node_id: Uuid) {
        self.node.send_replace(Some(node_id));
    }

    /// The node the agent is enrolled as.
    #[must_use]
    pub fn node_id(&self) -> Option<Uuid> {
        *self.node.borrow()
    }

    /// Says which GPUs the machine has: one that was broken at the start may answer later.
    pub fn set_gpus(&self, gpus: Vec<Gpu>) {
        self.gpus.store(Arc::new(by_index(gpus)));
    }

    /// Says which GPUs are not to be given out by the node API: faulty ones, and those that somebody else uses.
    pub fn set_unfit_gpus(&self, uuids: BTreeSet<String>) {
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner) = uuids;
    }

    /// How long a pull may take.
    #[must_use]
    pub fn pull_timeout(&self) -> Duration {
        self.settings.pull_timeout
    }

    /// Makes the container of a placement. It answers at once where that stands; the work goes on as a task, and its
    /// progress and outcome come as events.
    ///
    /// # Errors
    /// [`STALE_PLACEMENT`]; [`SPEC_DIFFERS`]; a field that breaks its rule; the runtime is away and was since the start.
    pub async fn ensure_claim(self: &Arc<Self>, wanted: EnsureClaim) -> Result<ContainerState> {
        let node = self.ready().await?;
        spec::claim_id(&wanted.claim_id)?;
        if wanted.epoch == LOCAL {
            return Err(spec::invalid("epoch", "must be at least 1"));
        }
        let wish = spec::from_claim(&wanted.spec.unwrap_or_default())?;
        let record = Record {
            placement: Placement { claim_id: wanted.claim_id, epoch: wanted.epoch },
            spec_hash: wish.spec_hash.clone(),
            gpu_uuids: wanted.gpu_uuids,
        };

        let mut book = self.book();
        match book.ensure(&record) {
            Ensure::Stale { newest } => {
                let message = format!(
                    "placement {} of claim {} is not the newest: {newest} is",
                    record.placement.epoch, record.placement.claim_id
                );
                return Err(Error::FailedPrecondition { reason: STALE_PLACEMENT, message });
            }
            Ensure::Differs => return Err(differs(&record.placement.claim_id)),
            Ensure::Present => {}
            Ensure::Make { older } => match self.gpu_fault(&book, &record) {
                Some(failure) => {
                    book.entry(&record).failure = Some(failure);
                    self.tell(&mut book, &record.placement);
                }
                None => {
                    let older = older.iter().filter_map(|placement| self.begin_removal(&mut book, node, placement));
                    let older: Vec<Done> = older.collect();
                    let made = book.get(&record.placement).and_then(|entry| Some(entry.container.as_ref()?.id.clone()));
                    let task = match made {
                        Some(id) if older.is_empty() => Task::Start { id },
                        Some(_) | None => Task::Make { wish: Box::new(wish), older },
                    };
                    let (_, guard) = self.begin(&mut book, node, Job { record: record.clone(), task });
                    self.keep(guard);
                }
            },
        }
        let entry = book.entry(&record);
        Ok(entry.state())
    }

    /// Removes the containers of a claim that were made for this placement or an older one, and gives up making them.
    ///
    /// # Errors
    /// The runtime is away; the placements stay released, so calling again finishes the work.
    pub async fn release_claim(self: &Arc<Self>, claim_id: &str, epoch: u64) -> Result<()> {
        let node = self.ready().await?;
        let removals: Vec<Done> = {
            let mut book = self.book();
            let placements = book.release(claim_id, epoch);
            placements.iter().filter_map(|placement| self.begin_removal(&mut book, node, placement)).collect()
        };
        for done in removals {
            outcome(done).await?;
        }
        Ok(())
    }

    /// Every container of this agent, those being made and failures included, from memory. It waits until the runtime was
    /// read for the first time: before that an empty answer would be a lie.
    pub async fn inventory(&self) -> Vec<ContainerState> {
        let mut adopted = self.adopted.subscribe();
        // The sender lives as long as `self`.
        let _ = adopted.wait_for(|adopted| *adopted).await;
        self.book().entries().map(book::Entry::state).collect()
    }

    /// What happens to the containers from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<ContainerState> {
        self.events.subscribe()
    }

    /// Which GPUs are held, and by whom. Containers that have ended hold none.
    #[must_use]
    pub fn allocations(&self) -> BTreeMap<String, Allocation> {
        let book = self.book();
        let allocation = |entry: &book::Entry| Allocation {
            claim_id: entry.record.placement.claim_id.clone(),
            local: entry.record.placement.epoch == LOCAL,
            container_id: entry.container.as_ref().map(|container| container.id.clone()),
        };
        book.held_gpus().into_iter().map(|(uuid, entry)| (uuid.to_owned(), allocation(entry))).collect()
    }

    /// How many containers are in each state, in the runtime's words, for metrics.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for container in self.book().entries().filter_map(|entry| entry.container.as_ref()) {
            *counts.entry(container.status.as_str()).or_default() += 1;
        }
        counts
    }

    /// Name and version of the runtime; none while it does not answer. The answer may be two seconds old.
    pub async fn runtime_version(&self) -> Option<String> {
        self.probe.version().await.ok()
    }

    /// Whether the runtime answers. The answer may be two seconds old.
    pub async fn runtime_ready(&self) -> bool {
        self.probe.version().await.is_ok()
    }

    /// Why a placement cannot have its GPUs.
    fn gpu_fault(&self, book: &Book, wanted: &Record) -> Option<Failure> {
        let gpus = self.gpus.load();
        let unknown = wanted.gpu_uuids.iter().find(|uuid| gpus.iter().all(|gpu| gpu.uuid != **uuid));
        if let Some(uuid) = unknown {
            let message = format!("this machine has no GPU {uuid}");
            return Some(Failure { reason: GPU_NOT_FOUND.to_owned(), message });
        }
        let (uuid, holder) = book.conflict(wanted)?;
        let message = format!("the container of {} has GPU {uuid}", holder.record.placement.claim_id);
        Some(Failure { reason: GPU_BUSY.to_owned(), message })
    }

    /// The node, once the runtime was read.
    async fn ready(self: &Arc<Self>) -> Result<Uuid> {
        let Some(node) = self.node_id() else {
            let message = "the agent has not joined a control plane yet".to_owned();
            return Err(Error::Unavailable { reason: NOT_ENROLLED, message });
        };
        if !*self.adopted.borrow() {
            self.adopt().await?;
        }
        Ok(node)
    }

    /// Work for a claim goes on although nobody waits for it.
    fn keep(&self, guard: Arc<tokio_util::sync::DropGuard>) {
        if let Some(guard) = Arc::into_inner(guard) {
            // The token stays a child of `shutdown`.
            let _ = guard.disarm();
        }
    }

    /// Tells the state of a placement if it differs from what was told last.
    fn tell(&self, book: &mut Book, placement: &Placement) {
        let Some(entry) = book.get_mut(placement) else { return };
        let state = entry.state();
        if entry.told.as_ref() != Some(&state) {
            entry.told = Some(state.clone());
            // Without receivers there is nobody to tell.
            let _ = self.events.send(state);
        }
    }

    fn next_activity(&self) -> u64 {
        self.activities.fetch_add(1, Ordering::Relaxed)
    }

    /// The book stays consistent at every step, so a panic elsewhere does not spoil it.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_index(mut gpus: Vec<Gpu>) -> Vec<Gpu> {
    gpus.sort_by_key(|gpu| gpu.index);
    gpus
}

fn differs(claim_id: &str) -> Error {
    let message = format!("a container of {claim_id} exists already and was made from another specification");
    Error::AlreadyExists { reason: SPEC_DIFFERS, message }
}

#[cfg(test)]
mod tests;
