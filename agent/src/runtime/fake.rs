//! A runtime in memory for tests, with faults scripted at named steps.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::sync::{broadcast, oneshot};
use tokio_stream::wrappers::BroadcastStream;
use tonic::async_trait;

use super::{
    ContainerSpec, IMAGE_PULL_FAILED, LogEntry, LogRange, NAME_CONFLICT, Observed, PullProgress, RUNTIME_UNAVAILABLE, Runtime,
    Status,
};
use crate::error::{Error, Result};

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Pull,
    Create,
    Start,
    Remove,
    Inspect,
}

/// What goes wrong, once.
#[derive(Debug)]
enum Fault {
    /// The call fails and has no effect.
    Fails(Error),
    /// The call has its effect, but its answer is lost.
    AnswerLost,
    /// The call waits to be let go on.
    Held { reached: oneshot::Sender<()>, go_on: oneshot::Receiver<()> },
}

/// A step that waits.
pub(crate) struct Held {
    reached: oneshot::Receiver<()>,
    go_on: oneshot::Sender<()>,
}

impl Held {
    /// Waits until somebody is at the step.
    pub(crate) async fn reached(&mut self) {
        (&mut self.reached).await.unwrap();
    }

    pub(crate) fn go_on(self) {
        // The one that waited may have been dropped.
        let _ = self.go_on.send(());
    }
}

#[derive(Debug, Default)]
struct World {
    away: bool,
    images: BTreeSet<String>,
    /// Images that a registry has.
    published: BTreeSet<String>,
    containers: Vec<(ContainerSpec, Observed)>,
    /// What containers wrote, by id.
    logs: HashMap<String, Vec<LogEntry>>,
    faults: HashMap<Step, VecDeque<Fault>>,
    calls: HashMap<Step, usize>,
    made: u64,
}

/// The fake.
pub(crate) struct Fake {
    world: Mutex<World>,
    events: broadcast::Sender<Result<String>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let world = World { published: ["registry/a:1".to_owned(), "registry/b:1".to_owned()].into(), ..World::default() };
        Self { world: Mutex::new(world), events: broadcast::Sender::new(256) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Stops or starts the engine. Containers go on.
    pub(crate) fn set_away(&self, away: bool) {
        self.world().away = away;
        if away {
            let _ = self.events.send(Err(gone()));
        }
    }

    pub(crate) fn fail(&self, step: Step, error: Error) {
        self.world().faults.entry(step).or_default().push_back(Fault::Fails(error));
    }

    pub(crate) fn lose_answer(&self, step: Step) {
        self.world().faults.entry(step).or_default().push_back(Fault::AnswerLost);
    }

    pub(crate) fn hold(&self, step: Step) -> Held {
        let (reached_sender, reached) = oneshot::channel();
        let (go_on, go_on_receiver) = oneshot::channel();
        let fault = Fault::Held { reached: reached_sender, go_on: go_on_receiver };
        self.world().faults.entry(step).or_default().push_back(fault);
        Held { reached, go_on }
    }

    /// How often a step was called.
    pub(crate) fn calls(&self, step: Step) -> usize {
        self.world().calls.get(&step).copied().unwrap_or_default()
    }

    pub(crate) fn containers(&self) -> Vec<Observed> {
        self.world().containers.iter().map(|(_, container)| container.clone()).collect()
    }

    pub(crate) fn specs(&self) -> Vec<ContainerSpec> {
        self.world().containers.iter().map(|(spec, _)| spec.clone()).collect()
    }

    /// Ends a container from inside.
    pub(crate) fn exit(&self, id: &str, exit_code: i32) {
        for (_, container) in &mut self.world().containers {
            if container.id == id {
                container.status = Status::Exited;
                container.exit_code = exit_code;
            }
        }
        let _ = self.events.send(Ok(id.to_owned()));
    }

    /// Removes a container behind the agent's back.
    pub(crate) fn remove_behind(&self, id: &str) {
        self.world().containers.retain(|(_, container)| container.id != id);
        let _ = self.events.send(Ok(id.to_owned()));
    }

    /// Lets a container write.
    pub(crate) fn write(&self, id: &str, entry: LogEntry) {
        self.world().logs.entry(id.to_owned()).or_default().push(entry);
    }

    /// Makes a container that no agent made.
    pub(crate) fn add_foreign(&self, name: &str) -> String {
        let spec = ContainerSpec { name: name.to_owned(), image: "registry/a:1".to_owned(), ..ContainerSpec::default() };
        let mut world = self.world();
        let id = add(&mut world, &spec);
        set_running(&mut world, &id);
        id
    }

    /// The script of a step: whether its answer is lost.
    async fn at(&self, step: Step) -> Result<bool> {
        let fault = {
            let mut world = self.world();
            *world.calls.entry(step).or_default() += 1;
            if world.away {
                return Err(gone());
            }
            world.faults.get_mut(&step).and_then(VecDeque::pop_front)
        };
        match fault {
            None => Ok(false),
            Some(Fault::Fails(error)) => Err(error),
            Some(Fault::AnswerLost) => Ok(true),
            Some(Fault::Held { reached, go_on }) => {
                let _ = reached.send(());
                // A test that forgets the handle lets the step wait for ever.
                if go_on.await.is_err() {
                    std::future::pending::<()>().await;
                }
                if self.world().away { Err(gone()) } else { Ok(false) }
            }
        }
    }
}

fn gone() -> Error {
    Error::Unavailable { reason: RUNTIME_UNAVAILABLE, message: "the fake is away".to_owned() }
}

fn add(world: &mut World, spec: &ContainerSpec) -> String {
    world.made += 1;
    let id = format!("{:04x}{}", world.made, "c".repeat(60));
    let observed = Observed {
        id: id.clone(),
        name: spec.name.clone(),
        image: spec.image.clone(),
        status: Status::Created,
        exit_code: 0,
        out_of_memory: false,
        created_s: 1_700_000_000 + i64::try_from(world.made).unwrap(),
        started_s: 0,
        ports: std::collections::BTreeMap::new(),
        labels: spec.labels.clone(),
    };
    world.containers.push((spec.clone(), observed));
    id
}

fn set_running(world: &mut World, id: &str) {
    for (spec, container) in &mut world.containers {
        if container.id == id {
            container.status = Status::Running;
            container.started_s = container.created_s + 1;
            let port = |port: &super::Port| {
                let host = port.host.unwrap_or(32768);
                (format!("{}/{}", port.container, port.protocol.as_str()), host.to_string())
            };
            container.ports = spec.ports.iter().map(port).collect();
        }
    }
}

#[async_trait]
impl Runtime for Fake {
    async fn version(&self) -> Result<String> {
        if self.world().away { Err(gone()) } else { Ok("Fake 1".to_owned()) }
    }

    async fn has_image(&self, image: &str) -> Result<bool> {
        let world = self.world();
        if world.away { Err(gone()) } else { Ok(world.images.contains(image)) }
    }

    fn pull(&self, image: &str) -> BoxStream<'static, Result<PullProgress>> {
        // The script is taken at once and the waiting is done in the stream, which must not borrow.
        let fault = {
            let mut world = self.world();
            *world.calls.entry(Step::Pull).or_default() += 1;
            let known = world.published.contains(image);
            match world.faults.get_mut(&Step::Pull).and_then(VecDeque::pop_front) {
                _ if world.away => Some(Fault::Fails(gone())),
                Some(fault) => Some(fault),
                None if known => {
                    world.images.insert(image.to_owned());
                    None
                }
                None => Some(Fault::Fails(Error::FailedPrecondition {
                    reason: IMAGE_PULL_FAILED,
                    message: format!("the image {image} cannot be pulled: manifest unknown"),
                })),
            }
        };
        let progress = |done_bytes| Ok(PullProgress { done_bytes, total_bytes: 65_000_000 });
        match fault {
            Some(Fault::Fails(error)) => stream::iter([Err(error)]).boxed(),
            Some(Fault::Held { reached, go_on }) => stream::iter([progress(12_300_000)])
                .chain(stream::once(async move {
                    let _ = reached.send(());
                    if go_on.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    Ok(PullProgress { done_bytes: 65_000_000, total_bytes: 65_000_000 })
                }))
                .boxed(),
            Some(Fault::AnswerLost) | None => stream::iter([progress(12_300_000), progress(65_000_000)]).boxed(),
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        let lost = self.at(Step::Create).await?;
        let mut world = self.world();
        if world.containers.iter().any(|(_, container)| container.name == spec.name) {
            let message = format!("a container named {} exists already", spec.name);
            return Err(Error::AlreadyExists { reason: NAME_CONFLICT, message });
        }
        let id = add(&mut world, spec);
        if lost { Err(gone()) } else { Ok(id) }
    }

    async fn start(&self, id: &str) -> Result<()> {
        let lost = self.at(Step::Start).await?;
        set_running(&mut self.world(), id);
        let _ = self.events.send(Ok(id.to_owned()));
        if lost { Err(gone()) } else { Ok(()) }
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let lost = self.at(Step::Remove).await?;
        self.remove_behind(id);
        if lost { Err(gone()) } else { Ok(()) }
    }

    async fn inspect(&self, id: &str) -> Result<Option<Observed>> {
        self.at(Step::Inspect).await?;
        let world = self.world();
        let found = world.containers.iter().find(|(_, container)| container.id == id || container.name == id);
        Ok(found.map(|(_, container)| container.clone()))
    }

    async fn list(&self, label: &str, value: &str) -> Result<Vec<Observed>> {
        let world = self.world();
        if world.away {
            return Err(gone());
        }
        let labelled = world.containers.iter().map(|(_, container)| container.clone());
        Ok(labelled.filter(|container| container.labels.get(label).is_some_and(|found| found == value)).collect())
    }

    async fn watch(&self, _label: &str, _value: &str) -> Result<BoxStream<'static, Result<String>>> {
        if self.world().away {
            return Err(gone());
        }
        Ok(BroadcastStream::new(self.events.subscribe()).map(|event| event.unwrap_or_else(|_| Err(gone()))).boxed())
    }
    /// Its containers write nothing while they are followed, and do not end by themselves.
    fn logs(&self, id: &str, range: LogRange) -> BoxStream<'static, Result<LogEntry>> {
        let entries = self.world().logs.get(id).cloned().unwrap_or_default();
        let skipped = range.tail.map_or(0, |tail| entries.len().saturating_sub(tail as usize));
        let written = entries.into_iter().skip(skipped).filter(move |entry| range.since.is_none_or(|since| entry.at >= since));
        let written = stream::iter(written.map(Ok).collect::<Vec<_>>());
        if range.follow { written.chain(stream::pending()).boxed() } else { written.boxed() }
    }
}
