//! `utopia.jupyterhub.v1.JupyterHubService`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, async_trait, metadata::MetadataValue};
use utopia_proto::jupyterhub::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, HubServer, HubUser, ListUsersRequest, ListUsersResponse,
    Progress as WireProgress, ServerStatus, StartServerRequest, StopServerRequest, WatchProgressRequest,
    jupyter_hub_service_server::JupyterHubService,
};

use super::{convert, finish::finish};
use crate::{
    auth::{Identity, Person},
    backend::{
        Backends,
        jupyterhub::{Progress, Server, Start, State, Stop, User},
    },
    clock::Clock,
    error::{Error, Result},
    model::{
        PageRequest,
        audit::{AuditResult, Change, Trail},
    },
    store::Store,
};

/// By this metadata REST learns which success it was.
const HTTP_STATUS: &str = "x-http-status";

/// The service.
#[derive(Debug, Clone)]
pub struct Hubs {
    /// Reach the hub.
    pub backends: Backends,
    /// Has the audit log.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    /// Ends what was begun: the hub does it, whether or not the caller waits.
    pub tracker: TaskTracker,
}

#[async_trait]
impl JupyterHubService for Hubs {
    type WatchProgressStream = Pin<Box<dyn Stream<Item = Result<WireProgress, Status>> + Send>>;

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let hub = self.backends.jupyterhub()?;
        let page = if person.sees_all() {
            hub.users(window).await?
        } else {
            let own = match hub.user(&person.username).await {
                Ok(user) => vec![user],
                Err(Error::NotFound { .. }) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            window.cut(own)
        };
        Ok(Response::new(ListUsersResponse {
            users: page.items.into_iter().map(show_user).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<HubUser>, Status> {
        let username = reachable(&request, &request.get_ref().username)?;
        Ok(Response::new(show_user(self.backends.jupyterhub()?.user(&username).await?)))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<HubUser>, Status> {
        let trail = Identity::trail(&request);
        let CreateUserRequest { username, admin } = request.into_inner();
        check_new_name(&username)?;
        let hub = self.backends.jupyterhub()?.clone();
        let create = async move { hub.create(&username, admin).await };
        let user = self.done(trail, create, |user| Change::created(&user.name, json!({ "admin": user.admin }))).await?;
        Ok(Response::new(show_user(user)))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let username = reachable(&request, &request.get_ref().username)?;
        let hub = self.backends.jupyterhub()?.clone();
        let change = Change::deleted(&username, json!({}));
        self.done(trail, async move { hub.delete(&username).await }, move |()| change).await?;
        Ok(Response::new(()))
    }

    async fn start_server(&self, request: Request<StartServerRequest>) -> Result<Response<HubServer>, Status> {
        let trail = Identity::trail(&request);
        let username = reachable(&request, &request.get_ref().username)?;
        let server_name = request.into_inner().server_name;
        let hub = self.backends.jupyterhub()?.clone();
        let change = Change { new: Some(audit_value(&server_name)), ..Change::touched(&username) };
        let start = {
            let username = username.clone();
            async move { hub.start(&username, &server_name).await }
        };
        let (start, server) = self.done(trail, start, move |_| change).await?;
        let status = match start {
            Start::Ready => "201",
            Start::Pending => "202",
            Start::WasReady => "200",
        };
        Ok(with_status(Response::new(show_server(&username, server)), status))
    }

    async fn stop_server(&self, request: Request<StopServerRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let username = reachable(&request, &request.get_ref().username)?;
        let StopServerRequest { server_name, remove, .. } = request.into_inner();
        if remove && server_name.is_empty() {
            return Err(Error::invalid("remove", "is only for a server with a name").into());
        }
        let hub = self.backends.jupyterhub()?.clone();
        let change = Change { old: Some(audit_value(&server_name)), ..Change::touched(&username) };
        let stop = async move { hub.stop(&username, &server_name, remove).await };
        let status = match self.done(trail, stop, move |_| change).await? {
            Stop::Gone => "204",
            Stop::Pending => "202",
        };
        Ok(with_status(Response::new(()), status))
    }

    async fn watch_progress(
        &self,
        request: Request<WatchProgressRequest>,
    ) -> Result<Response<Self::WatchProgressStream>, Status> {
        let username = reachable(&request, &request.get_ref().username)?;
        let progress = self.backends.jupyterhub()?.progress(&username, &request.get_ref().server_name).await?;
        let progress = progress.map(|progress| progress.map(show_progress).map_err(Status::from));
        Ok(Response::new(progress.boxed()))
    }
}

impl Hubs {
    /// Lets the hub do something, to its end and with its entry in the audit log, also when whoever asked for it hangs up.
    async fn done<T: Send + 'static>(
        &self,
        trail: Trail,
        work: impl Future<Output = Result<T>> + Send + 'static,
        change: impl FnOnce(&T) -> Change + Send + 'static,
    ) -> Result<T> {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let work = async move {
            let done = work.await?;
            let change = change(&done);
            let resource_id = change.resource_id.clone();
            // The hub did it: that it could not be written down is for our log, not for the caller.
            if let Err(error) = store.record(&trail, change, AuditResult::Success, clock.now()).await {
                let Trail { action, user, .. } = &trail;
                tracing::error!(%error, %action, %user, resource_id, "what was done could not be written to the audit log");
            }
            Ok(done)
        };
        finish(&self.tracker, work).await
    }
}

/// The name of a hub user whom the caller reaches: their own, and as an operator everybody.
fn reachable<T>(request: &Request<T>, username: &str) -> Result<String, Status> {
    let person: Person = Identity::of(request).person()?;
    if username.is_empty() {
        return Err(Error::missing("username").into());
    }
    if !person.sees_all() && person.username != username {
        let shown = username.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
        return Err(Error::not_found("hub user", shown).into());
    }
    Ok(username.to_owned())
}

/// The names that are made through us; the hub has its own rule beside it.
fn check_new_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::missing("username"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let fits = name.len() <= 64 && name.chars().all(allowed) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rule = "must be at most 64 letters, digits, `-`, `_`, `.` or `@`, and begin with a letter or digit";
    if fits { Ok(()) } else { Err(Error::invalid("username", rule)) }
}

fn audit_value(server_name: &str) -> Value {
    json!({ "server_name": server_name })
}

fn with_status<T>(mut response: Response<T>, status: &'static str) -> Response<T> {
    response.metadata_mut().insert(HTTP_STATUS, MetadataValue::from_static(status));
    response
}

fn show_user(user: User) -> HubUser {
    let User { name, admin, groups, servers, created_at, last_activity } = user;
    HubUser {
        servers: servers.into_iter().map(|server| show_server(&name, server)).collect(),
        username: name,
        admin,
        groups,
        created_at: created_at.map(convert::timestamp),
        last_activity: last_activity.map(convert::timestamp),
    }
}

fn show_server(username: &str, server: Server) -> HubServer {
    let Server { name, state, url, started_at, last_activity } = server;
    let status = match state {
        State::Stopped => ServerStatus::Unspecified,
        State::Starting => ServerStatus::Starting,
        State::Ready => ServerStatus::Ready,
        State::Stopping => ServerStatus::Stopping,
    };
    HubServer {
        username: username.to_owned(),
        server_name: name,
        status: status.into(),
        url,
        started_at: started_at.map(convert::timestamp),
        last_activity: last_activity.map(convert::timestamp),
    }
}

fn show_progress(progress: Progress) -> WireProgress {
    let Progress { percent, message, ready, failed, url } = progress;
    WireProgress { progress: percent, message, ready, failed, url }
}
