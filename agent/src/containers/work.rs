//! Making and removing one container, as tracked tasks that outlive the call that began them.
//!
//! Invariant: whoever sets an entry's activity ends it, and an entry becomes idle or leaves the book only under the
//! observation lock, so that no older look at the runtime overwrites what a task did.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use utopia_proto::link::v1::ContainerPhase;
use uuid::Uuid;

use super::{
    Containers,
    book::Failure,
    ledger::{LOCAL, Placement, Record},
    spec::{GPU_UUIDS, VISIBLE_DEVICES, Wish},
    volumes,
};
use crate::{
    error::{Error, Result},
    runtime::{self, ContainerSpec, IMAGE_PULL_FAILED, PullProgress, START_FAILED, Status},
};

/// A pull that tells nothing for this long is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Progress is told no more often than this.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Somebody is busy with an entry.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    /// Tells activities apart.
    pub(super) id: u64,
    /// It is being removed, else made.
    pub(super) removing: bool,
    cancel: CancellationToken,
    /// Callers who wait for it hold this; when the last one goes the work is called off. Nobody waits for claims.
    interest: Weak<DropGuard>,
    done: Done,
}

/// Becomes the id of the container when the work has ended well.
pub(super) type Done = watch::Receiver<Option<Result<String>>>;

/// What to make.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: Record,
    pub(super) task: Task,
}

/// How much is left to do.
#[derive(Debug)]
pub(super) enum Task {
    /// Everything, once the older containers are gone.
    Make { wish: Box<Wish>, older: Vec<Done> },
    /// The container was made and has this id.
    Start { id: String },
}

impl Activity {
    /// Joins those who wait for it; none when it is being called off.
    pub(super) fn join(&self) -> Option<Arc<DropGuard>> {
        self.interest.upgrade()
    }

    pub(super) fn done(&self) -> Done {
        self.done.clone()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// Waits for the end of an activity.
pub(super) async fn outcome(mut done: Done) -> Result<String> {
    match done.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Err(Error::Cancelled)),
        // The task ended without a word: the agent is stopping.
        Err(_) => Err(Error::Cancelled),
    }
}

impl Containers {
    /// Begins a job and sets the entry's activity. The guard calls the work off when it is dropped; claims forget theirs.
    pub(super) fn begin(self: &Arc<Self>, book: &mut super::Book, node: Uuid, job: Job) -> (Activity, Arc<DropGuard>) {
        let cancel = self.shutdown.child_token();
        let guard = Arc::new(cancel.clone().drop_guard());
        let (sender, done) = watch::channel(None);
        let id = self.next_activity();
        let activity = Activity { id, removing: false, cancel: cancel.clone(), interest: Arc::downgrade(&guard), done };

        let entry = book.entry(&job.record);
        entry.record = job.record.clone();
        entry.failure = None;
        entry.progress = "Preparing the container".to_owned();
        entry.activity = Some(activity.clone());
        self.tell(book, &job.record.placement);

        let containers = self.clone();
        self.tasks.spawn(async move {
            let placement = job.record.placement.clone();
            let made = containers.make(node, job, &cancel).await;
            let outcome = containers.settle(&placement, id, made).await;
            // Nobody may be waiting.
            let _ = sender.send(Some(outcome));
        });
        (activity, guard)
    }

    async fn make(&self, node: Uuid, job: Job, cancel: &CancellationToken) -> Result<String> {
        let Job { record, task } = job;
        let (id, status) = match task {
            Task::Start { id } => (id, Status::Created),
            Task::Make { wish, older } => self.make_container(node, &record, *wish, older, cancel).await?,
        };
        if status != Status::Created {
            return Ok(id);
        }
        let started = if cancel.is_cancelled() { Err(Error::Cancelled) } else { self.runtime.start(&id).await };
        if let Err(error) = started {
            // An engine that is away tells nothing of the container: it may run.
            if !runtime::is_unavailable(&error)
                && let Err(error) = self.runtime.remove(&id).await
            {
                tracing::warn!(container = id, %error, "a container that does not start could not be removed");
            }
            return Err(error);
        }
        Ok(id)
    }

    /// Everything up to the made container.
    async fn make_container(
        &self,
        node: Uuid,
        record: &Record,
        wish: Wish,
        older: Vec<Done>,
        cancel: &CancellationToken,
    ) -> Result<(String, Status)> {
        let prepare = async {
            for done in older {
                outcome(done).await?;
            }
            let binds = volumes::resolve(&wish.binds, &self.settings.volume_allow_list).await?;
            if !self.runtime.has_image(&wish.image).await? {
                self.pull(&record.placement, &wish.image).await?;
            }
            Ok(binds)
        };
        let binds = cancel.run_until_cancelled(prepare).await.unwrap_or(Err(Error::Cancelled))?;
        let spec = self.container_spec(node, record, Wish { binds, ..wish });
        self.progress(&record.placement, "Starting the container");
        // From here on calls run to their end: one that is dropped may still have its effect.
        match self.runtime.create(&spec).await {
            Ok(id) => Ok((id, Status::Created)),
            Err(error) if runtime::is_name_conflict(&error) => self.take_over(node, record, &spec.name, error).await,
            Err(error) => Err(error),
        }
    }

    /// The container is there already. When an earlier attempt made it, it is what is wanted.
    async fn take_over(&self, node: Uuid, record: &Record, name: &str, conflict: Error) -> Result<(String, Status)> {
        let Some(found) = self.runtime.inspect(name).await? else { return Err(conflict) };
        let theirs = Record::read(node, &found);
        if !theirs.is_some_and(|theirs| theirs.placement == record.placement && theirs.spec_hash == record.spec_hash) {
            return Err(conflict);
        }
        tracing::info!(container = found.id, "took over the container that an earlier attempt made");
        Ok((found.id, found.status))
    }

    async fn pull(&self, placement: &Placement, image: &str) -> Result<()> {
        let failed = |what: String| Error::FailedPrecondition { reason: IMAGE_PULL_FAILED, message: what };
        let limit = self.settings.pull_timeout;
        let pull = async {
            let mut told: Option<Instant> = None;
            self.progress(placement, "Pulling image");
            let mut steps = self.runtime.pull(image);
            while let Some(step) = timeout(STALL_TIMEOUT, steps.next())
                .await
                .map_err(|_| failed(format!("the pull of {image} stood still for {} s", STALL_TIMEOUT.as_secs())))?
            {
                let step = step?;
                if step.total_bytes > 0 && told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL) {
                    told = Some(Instant::now());
                    self.progress(placement, &pull_message(step));
                }
            }
            Ok(())
        };
        let stopped = || failed(format!("the pull of {image} took longer than {} s", limit.as_secs()));
        timeout(limit, pull).await.unwrap_or_else(|_| Err(stopped()))
    }

    fn container_spec(&self, node: Uuid, record: &Record, wish: Wish) -> ContainerSpec {
        let uuids = &record.gpu_uuids;
        let visible = if uuids.is_empty() { "void".to_owned() } else { uuids.join(",") };
        let mut env = wish.env;
        // Without this an image may ask for all GPUs where the NVIDIA runtime is Docker's default.
        env.push(format!("{VISIBLE_DEVICES}={visible}"));
        env.push(format!("{GPU_UUIDS}={}", uuids.join(",")));
        let gpus = self.gpus.load();
        let is_real = |uuid: &&String| gpus.iter().any(|gpu| gpu.uuid == **uuid && !gpu.simulated);
        ContainerSpec {
            name: record.placement.container_name(node),
            image: wish.image,
            command: wish.command,
            env,
            working_dir: wish.working_dir,
            ports: wish.ports,
            binds: wish.binds,
            gpu_uuids: uuids.iter().filter(is_real).cloned().collect(),
            memory_bytes: wish.memory_bytes,
            nano_cpus: wish.nano_cpus,
            labels: record.labels(node),
        }
    }

    fn progress(&self, placement: &Placement, message: &str) {
        let mut book = self.book();
        let Some(entry) = book.get_mut(placement) else { return };
        message.clone_into(&mut entry.progress);
        self.tell(&mut book, placement);
    }

    /// Ends a job: looks at the container once more and frees the entry, unless a removal took it over meanwhile.
    async fn settle(&self, placement: &Placement, id: u64, made: Result<String>) -> Result<String> {
        let _observing = self.observing.lock().await;
        let (outcome, container) = match made {
            Ok(id) => match self.runtime.inspect(&id).await {
                Ok(Some(container)) => (Ok(id), Some(container)),
                Ok(None) => (Err(vanished()), None),
                Err(error) => (Err(error), None),
            },
            Err(error) => (Err(error), None),
        };
        let mut book = self.book();
        let Some(entry) = book.get_mut(placement) else { return outcome };
        entry.container = container;
        if entry.activity.as_ref().is_none_or(|activity| activity.id != id) {
            return outcome;
        }
        entry.activity = None;
        match &outcome {
            Ok(container) => tracing::info!(%placement, container, "the container is there"),
            Err(Error::Cancelled) => tracing::info!(%placement, "making the container was called off"),
            Err(error) => tracing::warn!(%placement, %error, "the container could not be made"),
        }
        match &outcome {
            Ok(_) => self.tell(&mut book, placement),
            // Callers of the node API were told; a claim's failure is remembered until the claim is released.
            Err(error) if placement.epoch != LOCAL && !matches!(error, Error::Cancelled) => {
                entry.failure = Some(error.into());
                self.tell(&mut book, placement);
            }
            Err(_) => self.forget(&mut book, placement),
        }
        outcome
    }

    /// Begins to remove the container of a placement, calling off the work on it; answers the removal that is under way if
    /// there is one, and nothing for a placement without an entry.
    pub(super) fn begin_removal(self: &Arc<Self>, book: &mut super::Book, node: Uuid, placement: &Placement) -> Option<Done> {
        let entry = book.get_mut(placement)?;
        if let Some(activity) = entry.activity.as_ref().filter(|activity| activity.removing) {
            return Some(activity.done());
        }
        let former = entry.activity.take();
        if let Some(former) = &former {
            former.cancel.cancel();
        }
        let (sender, done) = watch::channel(None);
        let id = self.next_activity();
        let activity =
            Activity { id, removing: true, cancel: self.shutdown.child_token(), interest: Weak::new(), done: done.clone() };
        entry.activity = Some(activity);

        let containers = self.clone();
        let placement = placement.clone();
        self.tasks.spawn(async move {
            if let Some(former) = former {
                // However it ended, what it left is removed now.
                let _ = outcome(former.done).await;
            }
            let removed = containers.remove_container(node, &placement).await;
            let _observing = containers.observing.lock().await;
            let mut book = containers.book();
            match &removed {
                Ok(container) => {
                    tracing::info!(%placement, container, "the container is removed");
                    containers.forget(&mut book, &placement);
                }
                Err(error) => {
                    tracing::warn!(%placement, %error, "the container could not be removed");
                    if let Some(entry) = book.get_mut(&placement) {
                        entry.activity = None;
                    }
                }
            }
            drop(book);
            // Nobody may be waiting.
            let _ = sender.send(Some(removed));
        });
        Some(done)
    }

    /// Removes the container of a placement, also one that was made without the agent having learnt of it.
    async fn remove_container(&self, node: Uuid, placement: &Placement) -> Result<String> {
        let known = self.book().get(placement).and_then(|entry| Some(entry.container.as_ref()?.id.clone()));
        let id = match known {
            Some(id) => id,
            None => {
                let found = self.runtime.inspect(&placement.container_name(node)).await?;
                let ours = found.filter(|found| Record::read(node, found).is_some_and(|record| record.placement == *placement));
                match ours {
                    Some(found) => found.id,
                    None => return Ok(String::new()),
                }
            }
        };
        self.runtime.remove(&id).await?;
        Ok(id)
    }

    /// Takes an entry out of the book and says so.
    pub(super) fn forget(&self, book: &mut super::Book, placement: &Placement) {
        let Some(entry) = book.remove(placement) else { return };
        let mut state = entry.state();
        state.phase = ContainerPhase::Removed.into();
        state.message = String::new();
        // Without receivers there is nobody to tell.
        let _ = self.events.send(state);
    }
}

fn vanished() -> Error {
    Error::FailedPrecondition {
        reason: START_FAILED,
        message: "the container was removed by somebody else while it was started".to_owned(),
    }
}

/// Progress for people, in units of a million bytes as Docker shows them.
fn pull_message(step: PullProgress) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    format!("Pulling image: {:.1} of {:.1} MB", megabytes(step.done_bytes), megabytes(step.total_bytes))
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let (_, reason, _) = error.parts();
        Self { reason: reason.to_owned(), message: error.to_string() }
    }
}
