//! The documented node API over the containers.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Activity, Book, Containers, Create, Done, Error, INSUFFICIENT_GPUS, Job, LOCAL, Placement, Record, Result, Task, book::Entry,
    differs, outcome, spec, v1,
};

/// The shortest beginning of an id that names a container.
const MIN_ID_PREFIX: usize = 12;

/// What is waited for.
enum Step {
    /// The work on the container; the guard keeps it going.
    Work(Activity, Arc<DropGuard>),
    /// Somebody else's work, after which to look again.
    Others(Done),
    /// The container is there.
    Found(String),
}

impl Containers {
    /// Makes and starts a container; answers when it runs. `claim_id` is the key: the same key with the same specification
    /// answers the same container. When `cancel` is called, or this future is dropped, and nobody else waits for the same
    /// container, making it is called off and nothing is left of it.
    ///
    /// # Errors
    /// A field breaks its rule; [`super::SPEC_DIFFERS`]; [`INSUFFICIENT_GPUS`]; what the runtime says; cancelled.
    pub async fn create(
        self: &Arc<Self>,
        request: v1::CreateContainerRequest,
        cancel: CancellationToken,
    ) -> Result<v1::CreateContainerResponse> {
        let (wish, gpu_count) = spec::from_request(&request)?;
        let node = self.ready().await?;
        // A host path that is not allowed is the caller's mistake.
        if let Err(error) = super::volumes::resolve(&wish.binds, &self.settings.volume_allow_list).await {
            return Err(spec::invalid("volumes", error.to_string()));
        }
        let record = Record {
            placement: Placement { claim_id: request.claim_id, epoch: LOCAL },
            spec_hash: wish.spec_hash.clone(),
            gpu_uuids: Vec::new(),
        };
        loop {
            let step = {
                let mut book = self.book();
                match book.create(&record) {
                    Create::Differs => return Err(differs(&record.placement.claim_id)),
                    Create::Found { id } => Step::Found(id),
                    Create::Busy(activity) => match activity.join() {
                        Some(guard) => Step::Work(activity, guard),
                        None => Step::Others(activity.done()),
                    },
                    Create::Make => {
                        let job = self.local_job(&book, &record, &wish, gpu_count)?;
                        let (activity, guard) = self.begin(&mut book, node, job);
                        Step::Work(activity, guard)
                    }
                }
            };
            match step {
                Step::Found(container_id) => return Ok(v1::CreateContainerResponse { container_id }),
                Step::Others(done) => {
                    let ended = cancel.run_until_cancelled(outcome(done)).await;
                    // Whatever came of it, the book says what is there now.
                    if ended.is_none() || self.shutdown.is_cancelled() {
                        return Err(Error::Cancelled);
                    }
                }
                Step::Work(activity, guard) => {
                    let Some(made) = cancel.run_until_cancelled(outcome(activity.done())).await else {
                        drop(guard);
                        if activity.is_cancelled() {
                            // Called off: the answer is given when nothing is left.
                            let _ = outcome(activity.done()).await;
                        }
                        return Err(Error::Cancelled);
                    };
                    return made.map(|container_id| v1::CreateContainerResponse { container_id });
                }
            }
        }
    }

    fn local_job(&self, book: &Book, wanted: &Record, wish: &spec::Wish, gpu_count: usize) -> Result<Job> {
        if let Some(Entry { record, container: Some(made), .. }) = book.get(&wanted.placement) {
            return Ok(Job { record: record.clone(), task: Task::Start { id: made.id.clone() } });
        }
        let unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
        let gpus = self.gpus.load();
        let uuids = gpus.iter().map(|gpu| gpu.uuid.as_str());
        let gpu_uuids = book.pick(uuids, &unfit, gpu_count).map_err(|free| Error::FailedPrecondition {
            reason: INSUFFICIENT_GPUS,
            message: format!("{gpu_count} GPUs are wanted and {free} of {} are free", gpus.len()),
        })?;
        let task = Task::Make { wish: Box::new(wish.clone()), older: Vec::new() };
        Ok(Job { record: Record { gpu_uuids, ..wanted.clone() }, task })
    }

    /// Stops and removes a container that this agent made, of whichever claim.
    ///
    /// # Errors
    /// No such container; the runtime is away.
    pub async fn delete(self: &Arc<Self>, id: &str) -> Result<()> {
        let node = self.current().await?;
        let removal = {
            let mut book = self.book();
            let placement = find(&book, id)?.record.placement.clone();
            self.begin_removal(&mut book, node, &placement)
        };
        match removal {
            Some(done) => outcome(done).await.map(drop),
            None => Ok(()),
        }
    }

    /// The containers that this agent made, oldest first.
    ///
    /// # Errors
    /// The runtime is away.
    pub async fn list(self: &Arc<Self>) -> Result<Vec<v1::Container>> {
        self.current().await?;
        let mut containers: Vec<_> = self.book().entries().filter_map(|entry| self.show(entry)).collect();
        containers.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(containers)
    }

    /// One container that this agent made, by its id or an unambiguous beginning of 12 characters or more.
    ///
    /// # Errors
    /// No such container; the runtime is away.
    pub async fn get(self: &Arc<Self>, id: &str) -> Result<v1::Container> {
        self.current().await?;
        let book = self.book();
        self.show(find(&book, id)?).ok_or_else(|| not_found(id))
    }

    /// The node, once the book is true: while events are not followed everything is looked at.
    async fn current(self: &Arc<Self>) -> Result<uuid::Uuid> {
        let node = self.ready().await?;
        if !self.watching.load(Ordering::Acquire) {
            self.adopt().await?;
        }
        Ok(node)
    }

    fn show(&self, entry: &Entry) -> Option<v1::Container> {
        let container = entry.container.as_ref()?;
        let gpus = self.gpus.load();
        let index = |uuid: &String| gpus.iter().find(|gpu| gpu.uuid == *uuid).map(|gpu| gpu.index);
        let indexes = entry.record.gpu_uuids.iter().filter_map(index);
        Some(v1::Container {
            id: container.id.clone(),
            claim_id: entry.record.placement.claim_id.clone(),
            image: container.image.clone(),
            status: container.status.as_str().to_owned(),
            gpu_ids: indexes.filter_map(|index| i32::try_from(index).ok()).collect(),
            ports: container.ports.clone(),
            created: container.created_s,
            started: container.started_s,
            labels: container.labels.clone(),
        })
    }
}

fn find<'a>(book: &'a Book, id: &str) -> Result<&'a Entry> {
    if id.len() < MIN_ID_PREFIX {
        return Err(not_found(id));
    }
    let mut found = book.with_prefix(id);
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        _ => Err(not_found(id)),
    }
}

fn not_found(id: &str) -> Error {
    Error::NotFound { kind: "container", name: id.to_owned() }
}
