//! One cluster: its calls, and the version of the API that they speak.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Method, StatusCode};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::Value;

use super::{
    SETTING,
    refusal::{self, Failure},
    shape::{FoundJob, FoundNode, Head, JobList, NodeList, Submitted},
    submission::Submission,
    token::Tokens,
};
use crate::{
    backend::client::{Answer, Backend, Place, Repeat},
    clock::Clock,
    config::slurm::Server,
    error::{Error, Result},
};

/// How long Slurm may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// A version of the API: the last of its three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion(pub(super) u16);

impl ApiVersion {
    const OLDEST: Self = Self(38);
    /// The newest that was there when this was written. Of those that are newer, the oldest is the likeliest to be understood.
    const NEWEST: Self = Self(44);

    /// The best of those that a server has.
    fn choose(versions: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (known, newer): (Vec<_>, Vec<_>) =
            versions.into_iter().filter(|version| *version >= Self::OLDEST).partition(|version| *version <= Self::NEWEST);
        known.into_iter().max().or_else(|| newer.into_iter().min())
    }

    pub(super) fn has_node_range(self) -> bool {
        self.0 <= 38
    }

    /// The key of generic resources, and what stands before them.
    pub(super) fn gres(self) -> (&'static str, &'static str) {
        match self.0 {
            ..=38 => ("gres", ""),
            39 => ("tres_per_node", "gres:"),
            40.. => ("tres_per_node", "gres/"),
        }
    }

    pub(super) fn has_set_numbers(self) -> bool {
        self.0 >= 40
    }

    pub(super) fn has_environment_list(self) -> bool {
        self.0 >= 40
    }

    pub(super) fn has_script_inside(self) -> bool {
        self.0 >= 40
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v0.0.{}", self.0)
    }
}

/// One cluster. Clones are the same.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    tokens: Tokens,
    reader: String,
    version: Mutex<Option<ApiVersion>>,
}

impl Cluster {
    pub(super) fn open(server: &Server, http: reqwest::Client, clock: Clock) -> anyhow::Result<Self> {
        let place = Place { product: "Slurm", name: server.name.clone(), setting: SETTING, url: server.url.clone() };
        let tokens = Tokens::open(&server.credentials, clock.clone())?;
        let backend = Backend::new(place, http, clock);
        Ok(Self(Arc::new(Inner { backend, tokens, reader: server.reader.clone(), version: Mutex::default() })))
    }

    /// Its name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.backend.place().name
    }

    /// How it is reached, and how it was found.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// The version of the API that is spoken; none before the first call.
    #[must_use]
    pub fn api_version(&self) -> Option<ApiVersion> {
        *self.version()
    }

    /// Asks whether it is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::DeadlineExceeded`].
    pub async fn check(&self) -> Result<()> {
        let reader = &self.0.reader;
        let asked = self.ask::<IgnoredAny>(reader, Repeat::Allowed, Method::GET, "ping").await;
        asked.map(drop).map_err(|failure| self.error(failure, reader, 0))
    }

    /// All jobs that it knows.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::DeadlineExceeded`].
    pub async fn jobs(&self) -> Result<Vec<FoundJob>> {
        let reader = &self.0.reader;
        let jobs = self.ask::<JobList>(reader, Repeat::Allowed, Method::GET, "jobs").await;
        Ok(jobs.map_err(|failure| self.error(failure, reader, 0))?.into_jobs(self.name()))
    }

    /// A job; none when it knows none with this number.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::DeadlineExceeded`].
    pub async fn job(&self, id: i64) -> Result<Option<FoundJob>> {
        // Slurm's numbers have 32 bits; others are cut to them there.
        let Some(id) = u32::try_from(id).ok().filter(|id| *id > 0) else { return Ok(None) };
        let reader = &self.0.reader;
        let jobs = self.ask::<JobList>(reader, Repeat::Allowed, Method::GET, &format!("job/{id}")).await;
        let jobs = refusal::found(jobs).map_err(|failure| self.error(failure, reader, id.into()))?;
        let jobs = jobs.map(|jobs| jobs.into_jobs(self.name())).unwrap_or_default();
        Ok(jobs.into_iter().find(|found| found.job.job_id == i64::from(id)))
    }

    /// All its nodes, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::DeadlineExceeded`].
    pub async fn nodes(&self) -> Result<Vec<FoundNode>> {
        let reader = &self.0.reader;
        let nodes = self.ask::<NodeList>(reader, Repeat::Allowed, Method::GET, "nodes").await;
        let mut nodes = nodes.map_err(|failure| self.error(failure, reader, 0))?.into_nodes(self.name());
        nodes.sort_by(|a, b| a.node.name.cmp(&b.node.name));
        Ok(nodes)
    }

    /// Submits a job as a user, and answers its number.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what Slurm refuses; [`Error::Denied`] (`NoSlurmUser`, `SlurmDenied`); [`Error::Unavailable`],
    /// [`Error::DeadlineExceeded`].
    pub async fn submit(&self, user: &str, submission: &Submission) -> Result<i64> {
        let submitted = async {
            let version = self.negotiate(user).await?;
            let body = submission.body(version);
            let (answer, head) = self.exchange(user, Repeat::Never, Method::POST, "job/submit", Some(&body)).await?;
            // A job that cannot run for now has a number, and an error that says so: it waits.
            match answer.json::<Submitted>().ok().and_then(|submitted| submitted.job_id()) {
                Some(job_id) => Ok(job_id),
                None => Err(self.refusal(&head).unwrap_or_else(|| self.unusable("it does not say which job it accepted").into())),
            }
        };
        submitted.await.map_err(|failure| self.error(failure, user, 0))
    }

    /// Cancels a job as a user. One that has ended stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] (`SlurmDenied`); [`Error::Unavailable`], [`Error::DeadlineExceeded`].
    pub async fn cancel(&self, user: &str, id: i64) -> Result<()> {
        // Whoever cancels twice has cancelled.
        match self.ask::<IgnoredAny>(user, Repeat::Allowed, Method::DELETE, &format!("job/{id}")).await {
            Ok(_) | Err(Failure::Over) => Ok(()),
            Err(failure) => Err(self.error(failure, user, id)),
        }
    }

    /// Takes back a job that was accepted for a user whom Slurm does not know, and says so: older versions do not look.
    pub async fn disown(&self, user: &str, id: i64) -> Error {
        match self.cancel(&self.0.reader, id).await {
            Ok(()) => self.error(Failure::NoSuchUser, user, id),
            Err(error) => error,
        }
    }

    /// Calls a method of the version that is spoken, which must do it.
    async fn ask<T: DeserializeOwned>(&self, user: &str, repeat: Repeat, method: Method, path: &str) -> Result<T, Failure> {
        let (answer, head) = self.exchange(user, repeat, method, path, None).await?;
        match self.refusal(&head) {
            Some(failure) => Err(failure),
            None => answer.json().map_err(|cause| self.0.backend.unintelligible(&answer, &cause).into()),
        }
    }

    /// Calls a method of the version that is spoken, and answers what it says.
    async fn exchange(
        &self,
        user: &str,
        repeat: Repeat,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Answer, Head), Failure> {
        let version = self.negotiate(user).await?;
        let answer = self.send(user, repeat, method, &format!("slurm/{version}/{path}"), body).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Failure::Credentials);
        }
        let head = match answer.json::<Head>() {
            Ok(head) => head,
            Err(cause) => {
                // A server that was replaced by another version does not know the path.
                *self.version() = None;
                return Err(self.0.backend.unintelligible(&answer, &cause).into());
            }
        };
        if !head.release().is_empty() {
            self.0.backend.note_version(head.release());
        }
        Ok((answer, head))
    }

    /// Why it was not done.
    fn refusal(&self, head: &Head) -> Option<Failure> {
        let refusals = head.errors.as_deref().filter(|refusals| !refusals.is_empty())?;
        let unknown = || self.unusable(&format!("it says: {}", refusals.first().map(refusal::sentence).unwrap_or_default()));
        Some(Failure::of(refusals).unwrap_or_else(|| unknown().into()))
    }

    /// The version that is spoken, which is asked for once.
    async fn negotiate(&self, user: &str) -> Result<ApiVersion, Failure> {
        #[derive(Deserialize)]
        struct Specification {
            paths: HashMap<String, IgnoredAny>,
        }
        if let Some(version) = *self.version() {
            return Ok(version);
        }
        let mut answer = self.send(user, Repeat::Allowed, Method::GET, "openapi/v3", None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            answer = self.send(user, Repeat::Allowed, Method::GET, "openapi", None).await?;
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Failure::Credentials);
        }
        let specification = answer.json::<Specification>().map_err(|cause| self.0.backend.unintelligible(&answer, &cause))?;
        let number = |path: &String| path.strip_prefix("/slurm/v0.0.")?.split('/').next()?.parse().ok();
        let version = ApiVersion::choose(specification.paths.keys().filter_map(number).map(ApiVersion));
        let version = version.ok_or_else(|| self.unusable(&format!("it has no API from {} on", ApiVersion::OLDEST)))?;
        tracing::info!(cluster = self.name(), %version, "Slurm's API is found");
        *self.version() = Some(version);
        Ok(version)
    }

    async fn send(&self, user: &str, repeat: Repeat, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let token = self.0.tokens.token(user).await?;
        let url = self.url(path);
        let body = body.map(Value::to_string);
        self.0
            .backend
            .call(DEADLINE, repeat, |http| {
                let request = http.request(method.clone(), url.clone()).header("x-slurm-user-name", user);
                let request = request.header("x-slurm-user-token", &token);
                match &body {
                    Some(body) => request.header("content-type", "application/json").body(body.clone()),
                    None => request,
                }
            })
            .await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.0.backend.place().url.clone();
        let path = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    fn unusable(&self, cause: &str) -> Error {
        let message = format!("{} cannot be used: {cause}; see {SETTING}", self.0.backend.place());
        Error::Unavailable { reason: "SlurmUnreachable".into(), message }
    }

    fn error(&self, failure: Failure, user: &str, job_id: i64) -> Error {
        failure.into_error(&self.0.backend, user, job_id)
    }

    fn version(&self) -> std::sync::MutexGuard<'_, Option<ApiVersion>> {
        self.0.version.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_chosen_that_is_known() {
        let choose = |versions: &[u16]| ApiVersion::choose(versions.iter().copied().map(ApiVersion)).map(|version| version.0);
        assert_eq!(choose(&[36, 37, 38]), Some(38));
        assert_eq!(choose(&[41, 42, 43, 40]), Some(43));
        assert_eq!(choose(&[43, 44, 45]), Some(44));
        assert_eq!(choose(&[46, 45]), Some(45));
        assert_eq!(choose(&[36, 37]), None);
        assert_eq!(ApiVersion(40).to_string(), "v0.0.40");
    }
}
