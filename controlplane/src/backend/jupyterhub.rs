//! JupyterHub, through its REST API, as a service of the hub.
//!
//! Names become segments of paths, and whatever is in them stays in its segment. Who may reach whom is for the service to say.

mod model;
mod progress;

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use futures_util::{Stream, future::try_join_all};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use serde_json::{Value, json};

pub use model::{Server, State, User};
pub use progress::Progress;

use super::client::{self, Answer, Backend, Place, Repeat};
use crate::{
    clock::Clock,
    config::backends::Settings,
    error::{Error, Result},
    model::{Page, PageRequest},
};
use model::{ErrorBody, UserPage, WireUser};

/// What it is called; reasons begin with it.
pub const PRODUCT: &str = "JupyterHub";

/// The settings.
pub const URL_SETTING: &str = "UTOPIA_JUPYTERHUB_URL";
const TOKEN_SETTING: &str = "UTOPIA_JUPYTERHUB_TOKEN_FILE";

/// How long the hub may take to tell what it knows.
const QUERY_DEADLINE: Duration = Duration::from_secs(8);

/// How long the hub may take to change something: it waits ten seconds for servers before it says that it still waits.
const CHANGE_DEADLINE: Duration = Duration::from_secs(20);

/// How long a page of ours may take, however many of the hub's it is made of.
const LIST_DEADLINE: Duration = Duration::from_secs(20);

/// The longest name that is asked for, in bytes: the hub keeps no longer ones.
const MAX_NAME_BYTES: usize = 255;

/// The longest sentence of the hub's that is passed on, in characters.
const MAX_SENTENCE: usize = 500;

/// The hub will not do it as things stand.
const DECLINED: &str = "JupyterHubDeclined";

/// A page of users comes only to who asks for one so.
const PAGED: HeaderValue = HeaderValue::from_static("application/jupyterhub-pagination+json");

/// The hub. Clones are the same.
#[derive(Debug, Clone)]
pub struct JupyterHub {
    backend: Backend,
    /// All of the header, marked as a secret.
    authorization: HeaderValue,
}

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The server was there already.
    WasReady,
    /// It is there now.
    Ready,
    /// It will be.
    Pending,
}

/// What became of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The server is gone.
    Gone,
    /// It will be.
    Pending,
}

impl JupyterHub {
    /// The hub that the settings name, if they do.
    ///
    /// # Errors
    /// When its address makes no sense, or the token cannot be read.
    pub fn open(settings: &Settings, http: &reqwest::Client, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let Some(url) = &settings.jupyterhub_url else { return Ok(None) };
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https") && is_plain,
            "{URL_SETTING} must be an http or https URL without credentials and query"
        );
        let file = settings.jupyterhub_token_file.as_deref();
        let file = file.with_context(|| format!("{URL_SETTING} needs {TOKEN_SETTING}"))?;
        let name = PRODUCT.to_ascii_lowercase();
        let place = Place { product: PRODUCT, name, setting: URL_SETTING, url: url.clone() };
        Ok(Some(Self { backend: Backend::new(place, http.clone(), clock.clone()), authorization: authorization(file)? }))
    }

    /// The server as such.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Asks for what most operations need, and notes the version.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn check(&self) -> Result<()> {
        self.page(0, 1).await.map(drop)
    }

    /// A page of the users, by name.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded`.
    pub async fn users(&self, window: PageRequest) -> Result<Page<User>> {
        let all = async {
            let wanted = usize::try_from(window.limit).unwrap_or_default();
            let (mut items, mut offset) = (Vec::new(), window.offset());
            loop {
                // The hub's pages may be smaller than ours.
                let page = self.page(offset, wanted - items.len()).await?;
                let total = page.pagination.total;
                let is_empty = page.items.is_empty();
                items.extend(page.items.into_iter().map(User::from).take(wanted - items.len()));
                match page.pagination.next {
                    Some(next) if next.offset > offset && !is_empty && items.len() < wanted => offset = next.offset,
                    Some(_) | None => return Ok(Page { items, total }),
                }
            }
        };
        let too_slow =
            |_| Error::DeadlineExceeded { message: format!("{PRODUCT} did not list its users within {LIST_DEADLINE:?}") };
        tokio::time::timeout(LIST_DEADLINE, all).await.map_err(too_slow)?
    }

    /// One user.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable` or `DeadlineExceeded`.
    pub async fn user(&self, name: &str) -> Result<User> {
        let mut url = self.url_of_user(name, &[])?;
        url.query_pairs_mut().append_pair("include_stopped_servers", "1");
        let answer = self.call(Method::GET, &url, QUERY_DEADLINE, Repeat::Allowed, None).await?;
        match answer.status {
            StatusCode::OK => self.understand::<WireUser>(&answer).map(User::from),
            _ => Err(self.refusal(&answer, name)),
        }
    }

    /// Adds a user; the hub may write the name in another way than it was given.
    ///
    /// # Errors
    /// `AlreadyExists`, `Invalid`, `Unavailable` or `DeadlineExceeded`.
    pub async fn create(&self, name: &str, admin: bool) -> Result<User> {
        let url = self.url(&["users"])?;
        // Only this way does the hub look whether the name is one.
        let body = json!({ "usernames": [name], "admin": admin });
        let answer = self.call(Method::POST, &url, CHANGE_DEADLINE, Repeat::Never, Some(&body)).await?;
        match answer.status {
            StatusCode::CREATED => {
                let users: Vec<WireUser> = self.understand(&answer)?;
                let user = users.into_iter().next().map(User::from);
                user.ok_or_else(|| self.backend.unintelligible(&answer, "it made nobody"))
            }
            StatusCode::CONFLICT => {
                let message = format!("hub user {name} exists already");
                Err(Error::AlreadyExists { reason: "HubUserExists", message })
            }
            StatusCode::BAD_REQUEST => Err(Error::invalid("username", format!("the hub says: {}", self.sentence(&answer)?))),
            _ => Err(self.refusal(&answer, name)),
        }
    }

    /// Removes a user with all servers.
    ///
    /// # Errors
    /// `NotFound`, `FailedPrecondition`, `Unavailable` or `DeadlineExceeded`.
    pub async fn delete(&self, name: &str) -> Result<()> {
        // The hub itself stops only the server without a name, and fails over the others.
        let servers = self.user(name).await?.servers;
        let running = servers.iter().filter(|server| server.state != State::Stopped);
        let stops = try_join_all(running.map(|server| self.stop(name, &server.name, false))).await?;
        if stops.contains(&Stop::Pending) {
            let message = format!("the servers of {name} are still stopping; try again");
            return Err(Error::FailedPrecondition { reason: DECLINED.into(), message });
        }
        let url = self.url_of_user(name, &[])?;
        let answer = self.call(Method::DELETE, &url, CHANGE_DEADLINE, Repeat::Never, None).await?;
        if answer.status == StatusCode::NO_CONTENT { Ok(()) } else { Err(self.refusal(&answer, name)) }
    }

    /// Starts a server, if it does not run already; answers how it stands.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `FailedPrecondition`, `Exhausted`, `Unavailable` or `DeadlineExceeded`.
    pub async fn start(&self, name: &str, server: &str) -> Result<(Start, Server)> {
        let url = self.url_of_server(name, server, &[])?;
        let answer = self.call(Method::POST, &url, CHANGE_DEADLINE, Repeat::Allowed, None).await?;
        let was_refused = match answer.status {
            StatusCode::CREATED | StatusCode::ACCEPTED => false,
            // Among other things it may run already.
            StatusCode::BAD_REQUEST => true,
            StatusCode::INTERNAL_SERVER_ERROR => return Err(self.failed_start(name, server).await),
            _ => return Err(self.refusal(&answer, name)),
        };
        let found = self.user(name).await?.servers.into_iter().find(|found| found.name == server);
        match found {
            Some(found) if found.state == State::Ready => Ok((if was_refused { Start::WasReady } else { Start::Ready }, found)),
            Some(found) if found.state == State::Starting => Ok((Start::Pending, found)),
            Some(_) | None if !was_refused => Err(self.failed_start(name, server).await),
            Some(_) | None => {
                let sentence = self.sentence(&answer)?;
                if !server.is_empty() && sentence.starts_with("Invalid ") {
                    return Err(Error::invalid("server_name", format!("the hub says: {sentence}")));
                }
                Err(self.refusal(&answer, name))
            }
        }
    }

    /// Stops a server; one with a name can also be forgotten.
    ///
    /// # Errors
    /// `NotFound`, `FailedPrecondition`, `Unavailable` or `DeadlineExceeded`.
    pub async fn stop(&self, name: &str, server: &str, remove: bool) -> Result<Stop> {
        let url = self.url_of_server(name, server, &[])?;
        let body = remove.then(|| json!({ "remove": true }));
        // What is forgotten is not found when it is asked for again.
        let repeat = if remove { Repeat::Never } else { Repeat::Allowed };
        let answer = self.call(Method::DELETE, &url, CHANGE_DEADLINE, repeat, body.as_ref()).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Stop::Gone),
            StatusCode::ACCEPTED => Ok(Stop::Pending),
            _ => Err(self.refusal(&answer, name)),
        }
    }

    /// Follows the start of a server: the last of the stream is ready or failed, or an error.
    ///
    /// # Errors
    /// `NotFound`, `FailedPrecondition`, `Unavailable` or `DeadlineExceeded`.
    pub async fn progress(&self, name: &str, server: &str) -> Result<impl Stream<Item = Result<Progress>> + Send + use<>> {
        let url = self.url_of_server(name, server, &["progress"])?;
        let opened = self.backend.open(QUERY_DEADLINE, |http| {
            let request = http.get(url.clone()).header(header::AUTHORIZATION, self.authorization.clone());
            request.header(header::ACCEPT, "text/event-stream")
        });
        let opened = opened.await?;
        if opened.status() == StatusCode::OK {
            return progress::follow(opened);
        }
        Err(self.refusal(&opened.rest(QUERY_DEADLINE).await?, name))
    }

    /// Why a server did not start: the hub tells only who follows the start, also afterwards.
    async fn failed_start(&self, name: &str, server: &str) -> Error {
        let told = async {
            let mut progress = std::pin::pin!(self.progress(name, server).await.ok()?);
            let first = futures_util::StreamExt::next(&mut progress).await?.ok()?;
            first.failed.then_some(first.message)
        };
        let message = tokio::time::timeout(QUERY_DEADLINE, told).await.ok().flatten();
        let message = message.unwrap_or_else(|| "its log may say why".to_owned());
        let message = format!("{PRODUCT} could not start the server of {name}: {message}");
        Error::Unavailable { reason: "JupyterHubStartFailed".into(), message }
    }

    /// One page as the hub cuts them.
    async fn page(&self, offset: i64, limit: usize) -> Result<UserPage> {
        let mut url = self.url(&["users"])?;
        let (offset, limit) = (offset.to_string(), limit.to_string());
        let query = [("offset", &*offset), ("limit", &*limit), ("sort", "name"), ("include_stopped_servers", "1")];
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.call(Method::GET, &url, QUERY_DEADLINE, Repeat::Allowed, None).await?;
        match answer.status {
            StatusCode::OK => self.understand(&answer),
            _ => Err(self.refusal(&answer, "")),
        }
    }

    async fn call(&self, method: Method, url: &Url, deadline: Duration, repeat: Repeat, body: Option<&Value>) -> Result<Answer> {
        let request = |http: &reqwest::Client| {
            let request = http.request(method.clone(), url.clone()).header(header::AUTHORIZATION, self.authorization.clone());
            let request = request.header(header::ACCEPT, PAGED);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        let answer = self.backend.call(deadline, repeat, request).await?;
        if let Some(version) = answer.headers.get("x-jupyterhub-version").and_then(|version| version.to_str().ok()) {
            self.backend.note_version(version);
        }
        Ok(answer)
    }

    /// What an answer means that is no success.
    fn refusal(&self, answer: &Answer, name: &str) -> Error {
        if answer.status == StatusCode::UNAUTHORIZED {
            return self.backend.refused(TOKEN_SETTING);
        }
        let sentence = match self.sentence(answer) {
            Ok(sentence) => sentence,
            Err(_) if answer.status == StatusCode::FORBIDDEN => return self.backend.refused(TOKEN_SETTING),
            Err(error) => return error,
        };
        match answer.status {
            StatusCode::FORBIDDEN if sentence.starts_with("Missing or invalid credentials") => {
                self.backend.refused(TOKEN_SETTING)
            }
            // The token is good, and what it stands for may not do this.
            StatusCode::FORBIDDEN => {
                let message = format!("{} refuses the control plane: {sentence}; see {TOKEN_SETTING}", self.backend.place());
                Error::Unavailable { reason: "JupyterHubRefused".into(), message }
            }
            StatusCode::NOT_FOUND if sentence.contains("no server") => Error::not_found("hub server of", name),
            StatusCode::NOT_FOUND => Error::not_found("hub user", name),
            StatusCode::TOO_MANY_REQUESTS => {
                let after = answer.headers.get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
                Error::Exhausted { reason: "JupyterHubBusy", message: sentence, retry_after: after.map(Duration::from_secs) }
            }
            status if status.is_client_error() => {
                let message = format!("{PRODUCT} declines: {sentence}");
                Error::FailedPrecondition { reason: DECLINED.into(), message }
            }
            status if status.is_server_error() => {
                let message = format!("{} failed: {sentence}; its log may say why", self.backend.place());
                Error::Unavailable { reason: "JupyterHubFailed".into(), message }
            }
            status => self.backend.unintelligible(answer, &format!("nobody expects {status}")),
        }
    }

    /// What the hub says of an error.
    fn sentence(&self, answer: &Answer) -> Result<String> {
        let ErrorBody { message } = self.understand(answer)?;
        Ok(sentence(message.as_deref().unwrap_or_default()))
    }

    fn understand<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T> {
        answer.json().map_err(|cause| self.backend.unintelligible(answer, &cause))
    }

    fn url_of_user(&self, name: &str, rest: &[&str]) -> Result<Url> {
        self.url(&[&["users", name], rest].concat())
    }

    fn url_of_server(&self, name: &str, server: &str, rest: &[&str]) -> Result<Url> {
        match server {
            "" => self.url_of_user(name, &[&["server"], rest].concat()),
            server => self.url_of_user(name, &[&["servers", server], rest].concat()),
        }
    }

    /// A path of the hub's API. What cannot be a segment of one names nothing.
    fn url(&self, segments: &[&str]) -> Result<Url> {
        let is_name =
            |name: &str| !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control);
        if let Some(impossible) = segments.iter().find(|segment| !is_name(segment)) {
            return Err(Error::not_found("hub user or server", sentence(impossible).chars().take(64).collect::<String>()));
        }
        let mut url = self.backend.place().url.clone();
        let has_path = url.path_segments_mut().map(|mut path| {
            path.pop_if_empty().extend(["hub", "api"]).extend(segments);
        });
        has_path.map_err(|()| Error::internal("make a URL of the hub", "its address has no path"))?;
        Ok(url)
    }
}

fn authorization(file: &Path) -> anyhow::Result<HeaderValue> {
    let token = fs::read_to_string(file).with_context(|| format!("{TOKEN_SETTING}: cannot read {}", file.display()))?;
    let token = token.trim();
    anyhow::ensure!(!token.is_empty(), "{TOKEN_SETTING}: {} is empty", file.display());
    let value = HeaderValue::try_from(format!("token {token}"));
    let mut value = value.ok().with_context(|| format!("{TOKEN_SETTING}: {} has no token", file.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Says that there is no hub.
#[must_use]
pub fn not_configured() -> Error {
    client::not_configured(PRODUCT, URL_SETTING)
}

/// What the hub says, fit to be passed on.
fn sentence(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SENTENCE).collect()
}

#[cfg(test)]
mod tests;
