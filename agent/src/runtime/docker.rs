//! The Docker Engine over its unix socket.
//!
//! The connection is made when it is needed, so that an agent starts, and lives on, while Docker is stopped. What Docker
//! says is turned into our errors here and nowhere else.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bollard::{
    API_DEFAULT_VERSION, Docker as Client,
    errors::Error as DockerError,
    query_parameters::{
        CreateContainerOptions, CreateImageOptions, EventsOptions, InspectContainerOptions, ListContainersOptions,
        RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
    },
};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use tonic::async_trait;

use super::{
    ContainerSpec, LogEntry, LogRange, Observed, PullProgress, Runtime,
    docker::failure::{Failures, Step},
    progress::Layers,
};
use crate::error::{Error, Result};

mod convert;
mod failure;
mod logs;

/// How long a container may take to end by itself before it is killed.
const STOP_GRACE_S: i32 = 10;
/// Longer than any answer of Docker should take, the stop grace included.
const CALL_TIMEOUT_S: u64 = 120;
/// Within this Docker tells its version, or it is taken to be away.
const VERSION_TIMEOUT: Duration = Duration::from_secs(2);
/// How far back a watch begins.
const WATCH_OVERLAP_S: i64 = 2;
/// How many containers are looked at together.
const INSPECT_CONCURRENCY: usize = 8;
/// What happens to a container that matters here. Docker sends `die` for every end, also for one by a signal.
const EVENTS: [&str; 7] = ["create", "start", "die", "pause", "unpause", "rename", "destroy"];

/// The Docker Engine.
#[derive(Debug, Clone)]
pub struct Docker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    client: ArcSwapOption<Client>,
    failures: Failures,
}

impl Docker {
    /// The engine that listens on this unix socket. Nothing is connected yet.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        let failures = Failures::new(socket);
        Self { shared: Arc::new(Shared { socket: socket.to_owned(), client: ArcSwapOption::empty(), failures }) }
    }
}

impl Shared {
    /// The client, made and its API version agreed upon at first use. It holds no connection: each call opens its own.
    async fn client(&self, step: &Step<'_>) -> Result<Arc<Client>> {
        if let Some(client) = self.client.load_full() {
            return Ok(client);
        }
        let socket = self.socket.to_string_lossy();
        let connect =
            async { Client::connect_with_unix(&socket, CALL_TIMEOUT_S, API_DEFAULT_VERSION)?.negotiate_version().await };
        let client = tokio::time::timeout(VERSION_TIMEOUT, connect)
            .await
            .unwrap_or(Err(DockerError::RequestTimeoutError))
            .map_err(|error| self.failed(step, error))?;
        let client = Arc::new(client);
        self.client.store(Some(client.clone()));
        Ok(client)
    }

    /// Translates, and forgets a client whose engine is away: the one that comes back may be another version.
    fn failed(&self, step: &Step<'_>, error: DockerError) -> Error {
        let error = self.failures.translate(step, error);
        if super::is_unavailable(&error) {
            self.client.store(None);
        }
        error
    }

    async fn inspect(&self, id: &str) -> Result<Option<Observed>> {
        let step = Step::Inspect;
        let client = self.client(&step).await?;
        match client.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(answer) => convert::observed(answer).map(Some),
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.failed(&step, error)),
        }
    }
}

#[async_trait]
impl Runtime for Docker {
    async fn version(&self) -> Result<String> {
        let step = Step::Version;
        let client = self.shared.client(&step).await?;
        let answer = tokio::time::timeout(VERSION_TIMEOUT, client.version())
            .await
            .unwrap_or(Err(DockerError::RequestTimeoutError))
            .map_err(|error| self.shared.failed(&step, error))?;
        Ok(format!("Docker {}", answer.version.unwrap_or_else(|| "of unknown version".to_owned())))
    }

    async fn has_image(&self, image: &str) -> Result<bool> {
        let step = Step::InspectImage { image };
        let client = self.shared.client(&step).await?;
        match client.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(self.shared.failed(&step, error)),
        }
    }

    fn pull(&self, image: &str) -> BoxStream<'static, Result<PullProgress>> {
        let shared = self.shared.clone();
        let image = image.to_owned();
        let lines = async move {
            let client = shared.client(&Step::Pull { image: &image }).await?;
            let options = CreateImageOptions { from_image: Some(image.clone()), ..CreateImageOptions::default() };
            let mut layers = Layers::default();
            let lines = client.create_image(Some(options), None, None).map(move |line| match line {
                Ok(line) => Ok(layers.add(&line)),
                Err(error) => Err(shared.failed(&Step::Pull { image: &image }, error)),
            });
            Ok::<_, Error>(lines)
        };
        stream::once(lines).try_flatten().boxed()
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        let step = Step::Create { name: &spec.name, image: &spec.image };
        let client = self.shared.client(&step).await?;
        let options = CreateContainerOptions { name: Some(spec.name.clone()), ..CreateContainerOptions::default() };
        let answer = client.create_container(Some(options), convert::body(spec)).await;
        Ok(answer.map_err(|error| self.shared.failed(&step, error))?.id)
    }

    async fn start(&self, id: &str) -> Result<()> {
        let step = Step::Start { id };
        let client = self.shared.client(&step).await?;
        let answer = client.start_container(id, None::<StartContainerOptions>).await;
        answer.map_err(|error| self.shared.failed(&step, error))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let step = Step::Remove;
        let client = self.shared.client(&step).await?;
        let stop = StopContainerOptions { t: Some(STOP_GRACE_S), ..StopContainerOptions::default() };
        match client.stop_container(id, Some(stop)).await {
            Ok(()) => {}
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
            // A container that cannot be stopped is killed by the forced removal below.
            Err(DockerError::DockerResponseServerError { message, .. }) => {
                tracing::warn!(container = id, message, "the container could not be stopped");
            }
            Err(error) => return Err(self.shared.failed(&step, error)),
        }
        let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        match client.remove_container(id, Some(options)).await {
            // 409 means that another removal of it is under way.
            Ok(()) | Err(DockerError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(self.shared.failed(&step, error)),
        }
    }

    async fn inspect(&self, id: &str) -> Result<Option<Observed>> {
        self.shared.inspect(id).await
    }

    async fn list(&self, label: &str, value: &str) -> Result<Vec<Observed>> {
        let step = Step::List;
        let client = self.shared.client(&step).await?;
        let filters = HashMap::from([("label".to_owned(), vec![format!("{label}={value}")])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
        let rows = client.list_containers(Some(options)).await.map_err(|error| self.shared.failed(&step, error))?;
        // A row has neither exit code nor start time. A container that goes away in between is left out.
        let shared = &self.shared;
        let ids = rows.into_iter().filter_map(|row| row.id);
        let looks = ids.map(|id| async move { shared.inspect(&id).await });
        stream::iter(looks).buffered(INSPECT_CONCURRENCY).try_filter_map(|seen| std::future::ready(Ok(seen))).try_collect().await
    }

    async fn watch(&self, label: &str, value: &str) -> Result<BoxStream<'static, Result<String>>> {
        let step = Step::Watch;
        let client = self.shared.client(&step).await?;
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), EVENTS.map(str::to_owned).to_vec()),
            ("label".to_owned(), vec![format!("{label}={value}")]),
        ]);
        // Docker subscribes a moment after it has answered: with a start in the past it tells what happened meanwhile.
        let since = Some(jiff::Timestamp::now().as_second().saturating_sub(WATCH_OVERLAP_S).to_string());
        let options = EventsOptions { filters: Some(filters), since, ..EventsOptions::default() };
        let shared = self.shared.clone();
        let events = client.events(Some(options)).map(move |event| match event {
            Ok(event) => Ok(event.actor.and_then(|actor| actor.id)),
            Err(error) => Err(shared.failed(&Step::Watch, error)),
        });
        Ok(events.try_filter_map(|id| std::future::ready(Ok(id))).boxed())
    }

    fn logs(&self, id: &str, range: LogRange) -> BoxStream<'static, Result<LogEntry>> {
        let shared = self.shared.clone();
        let id = id.to_owned();
        let entries = async move {
            let client = shared.client(&Step::Logs { id: &id }).await?;
            let entries = client.logs(&id, Some(logs::options(range))).map(move |output| match output {
                Ok(output) => Ok(logs::entry(&output)),
                Err(error) => Err(shared.failed(&Step::Logs { id: &id }, error)),
            });
            Ok::<_, Error>(entries)
        };
        let is_wanted = move |entry: &LogEntry| std::future::ready(range.since.is_none_or(|since| entry.at >= since));
        stream::once(entries).try_flatten().try_filter(is_wanted).boxed()
    }
}
