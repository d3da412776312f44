//! Does the planner's steps: changes of rows in groups, commands to nodes beside each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tracing::Instrument as _;
use utopia_proto::{
    claim::v1::ClaimPhase,
    link::v1::{ContainerPhase, ContainerState, EnsureClaim, ReleaseClaim, command::Action, command_result::Outcome},
};
use uuid::Uuid;

use super::{changes::Changes, plan::Step, retry::Retries};
use crate::{
    error::{Error, Result},
    link::Hub,
    model::Claim,
    store::{PlaceOutcome, Placement, StatusChange, Store, Waiting},
};

/// How many commands are on their way at a time.
const MAX_COMMANDS: usize = 256;

/// How long a node may take to accept a placement; the work itself is reported later.
const ENSURE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node may take to stop and remove containers.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Does steps.
pub struct Executor {
    store: Store,
    hub: Hub,
    changes: Changes,
    tracker: TaskTracker,
    slots: Arc<Semaphore>,
    retries: Mutex<Retries<Key>>,
    /// Deleted claims of which no container is left.
    released: Mutex<Vec<Uuid>>,
}

/// What a pass changes in the store, claim by claim.
#[derive(Default)]
struct Rows {
    statuses: Vec<StatusChange>,
    placements: Vec<Placement>,
    forgotten: Vec<Uuid>,
    waiting: Vec<Waiting>,
}

/// What a command is about; two with the same key are never under way together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Ensure { claim: Uuid, epoch: i64 },
    Release { node: Uuid, claim_id: String, epoch: u64 },
}

/// The outcome of one command.
type Sent = Result<(), Error>;

impl Executor {
    /// An executor whose commands are tracked.
    #[must_use]
    pub fn new(store: Store, hub: Hub, changes: Changes, tracker: TaskTracker) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(MAX_COMMANDS));
        Arc::new(Self { store, hub, changes, tracker, slots, retries: Mutex::default(), released: Mutex::default() })
    }

    /// Does the steps, and says whether rows changed. Commands go on after this returns, and wake the driver when they are done.
    ///
    /// # Errors
    /// When the store fails; the steps left are done by the next pass.
    pub async fn run(self: &Arc<Self>, steps: Vec<Step>, claims: &[Claim]) -> Result<bool> {
        let by_id = claims.iter().map(|claim| (claim.id, claim)).collect::<HashMap<_, _>>();
        let before = |id| by_id.get(&id).map_or(ClaimPhase::Unspecified, |claim: &&Claim| claim.phase);
        let mut rows = Rows::default();
        for step in steps {
            match step {
                Step::Ensure { claim, node } => {
                    if let Some(claim) = by_id.get(&claim) {
                        self.ensure(claim, node);
                    }
                }
                Step::Release { node, claim_id, epoch, forget } => self.release(node, claim_id, epoch, forget),
                Step::Wait { claim: id, generation, reason, message } => {
                    rows.waiting.push(Waiting { id, generation, reason: reason.to_owned(), message });
                }
                Step::Place { claim: id, generation, node: node_id, gpus: gpu_uuids } => {
                    rows.placements.push(Placement { id, generation, node_id, gpu_uuids });
                }
                Step::SetStatus { claim: id, generation, phase, reason, message, container_id, free_gpus } => {
                    let (before, reason) = (before(id), reason.into_owned());
                    rows.statuses.push(StatusChange { id, generation, before, phase, reason, message, container_id, free_gpus });
                }
                Step::Unplace { claim: id, generation, reason, message } => {
                    let (before, phase) = (before(id), ClaimPhase::Pending);
                    let (reason, container_id, free_gpus) = (reason.to_owned(), String::new(), true);
                    rows.statuses.push(StatusChange { id, generation, before, phase, reason, message, container_id, free_gpus });
                }
                Step::Forget { claim, .. } => rows.forgotten.push(claim),
            }
        }
        let progress = self.write(&rows).await?;
        self.lock().prune(self.hub.now());
        Ok(progress)
    }

    /// Changes rows, and says whether the next pass may have more to do. A row that has changed since is left to that.
    async fn write(&self, rows: &Rows) -> Result<bool> {
        let now = self.hub.now();
        let changed = self.store.set_claim_statuses(&rows.statuses, now).await?;
        for change in rows.statuses.iter().filter(|change| changed.contains(&change.id)) {
            tell(change);
            self.changes.publish(change.id);
        }
        let outcomes = self.store.place_claims(&rows.placements, now).await?;
        for (Placement { id, node_id, gpu_uuids, .. }, outcome) in rows.placements.iter().zip(outcomes) {
            if let PlaceOutcome::Placed { epoch } = outcome {
                tracing::info!(claim = %id, node = %node_id, epoch, gpus = gpu_uuids.len(), "claim placed");
            }
            self.changes.publish(*id);
        }
        let forgotten = self.store.forget_claims(&rows.forgotten).await?;
        self.store.set_waiting(&rows.waiting, now).await?;
        rows.waiting.iter().for_each(|waiting| self.changes.publish(waiting.id));
        // A placement that was not made is progress too: a row or a GPU that is gone makes the next pass look again.
        Ok(!changed.is_empty() || !rows.placements.is_empty() || forgotten > 0)
    }

    /// Forgets the deleted claims whose containers were removed since the last time: before a pass, which would have them removed again.
    ///
    /// # Errors
    /// When the store fails; the containers are then found removed once more.
    pub async fn forget_released(&self) -> Result<()> {
        let released = std::mem::take(&mut *self.released.lock().unwrap_or_else(PoisonError::into_inner));
        self.store.forget_claims(&released).await?;
        released.iter().for_each(|claim| tracing::info!(%claim, "claim's container is gone"));
        Ok(())
    }

    fn ensure(self: &Arc<Self>, claim: &Claim, node: Uuid) {
        let key = Key::Ensure { claim: claim.id, epoch: claim.epoch };
        let epoch = u64::try_from(claim.epoch).unwrap_or_default();
        let command = EnsureClaim {
            claim_id: claim.id.to_string(),
            epoch,
            spec: Some(claim.spec.clone()),
            gpu_uuids: claim.gpu_uuids.clone(),
        };
        let (this, claim_id) = (self.clone(), claim.id.to_string());
        let span = tracing::info_span!("ensure", %node, claim = %claim.id, epoch);
        let command = async move {
            let outcome = this.hub.command(node, Action::EnsureClaim(command), ENSURE_TIMEOUT).await;
            match outcome {
                // The session has taken note of it.
                Ok(Outcome::Claim(state)) if state.phase() != ContainerPhase::Failed => Ok(()),
                Ok(Outcome::Claim(state)) => {
                    Err(Error::FailedPrecondition { reason: state.reason.into(), message: state.message })
                }
                Ok(other) => Err(unexpected(&other)),
                Err(Error::Node(status)) => {
                    if let Some(session) = this.hub.node(node).and_then(|known| known.session) {
                        session.note_container(refused(claim_id, epoch, &status));
                    }
                    Err(Error::Node(status))
                }
                Err(error) => Err(error),
            }
        };
        self.send(key, command.instrument(span));
    }

    fn release(self: &Arc<Self>, node: Uuid, claim_id: String, epoch: u64, forget: Option<(Uuid, i64)>) {
        let key = Key::Release { node, claim_id: claim_id.clone(), epoch };
        let this = self.clone();
        let span = tracing::info_span!("release", %node, claim = %claim_id, epoch);
        let command = async move {
            let command = ReleaseClaim { claim_id: claim_id.clone(), epoch };
            let outcome = this.hub.command(node, Action::ReleaseClaim(command), RELEASE_TIMEOUT).await?;
            if outcome != Outcome::Done(()) {
                return Err(unexpected(&outcome));
            }
            if let Some(session) = this.hub.node(node).and_then(|known| known.session) {
                session.note_released(&claim_id, epoch);
            }
            if let Some((claim, _)) = forget {
                this.released.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
            }
            Ok(())
        };
        self.send(key, command.instrument(span));
    }

    /// Runs a command unless the same is under way or has just failed.
    fn send(self: &Arc<Self>, key: Key, command: impl Future<Output = Sent> + Send + 'static) {
        if !self.lock().begin(key.clone(), self.hub.now()) {
            return;
        }
        let this = self.clone();
        self.tracker.spawn(async move {
            let _slot = this.slots.acquire().await;
            match command.await {
                Ok(()) => this.lock().succeed(&key),
                Err(error) => {
                    let wait = this.lock().fail(key.clone(), this.hub.now(), rand::random());
                    tracing::warn!(?key, %error, retry_in = ?wait, "a command to a node failed");
                }
            }
            this.hub.changed();
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Retries<Key>> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says in the log how a claim fares.
fn tell(StatusChange { id, phase, reason, message, .. }: &StatusChange) {
    match phase {
        ClaimPhase::Pending => tracing::info!(claim = %id, reason, detail = %message, "claim's placement is taken back"),
        ClaimPhase::Scheduled if reason.is_empty() => tracing::debug!(claim = %id, "claim progress: {message}"),
        ClaimPhase::Unspecified | ClaimPhase::Scheduled | ClaimPhase::Running | ClaimPhase::Failed | ClaimPhase::Completed => {
            tracing::info!(claim = %id, phase = phase.as_str_name(), %reason, detail = %message, "claim status");
        }
    }
}

/// Where a container stands that its node refuses to make.
fn refused(claim_id: String, epoch: u64, status: &Status) -> ContainerState {
    ContainerState {
        claim_id,
        epoch,
        phase: ContainerPhase::Failed.into(),
        reason: utopia_proto::status::reason(status),
        message: status.message().to_owned(),
        ..ContainerState::default()
    }
}

fn unexpected(outcome: &Outcome) -> Error {
    tracing::warn!(?outcome, "a node answered something else than was asked");
    Error::Unavailable { reason: "UnexpectedAnswer".into(), message: "the node answered something else than was asked".into() }
}
