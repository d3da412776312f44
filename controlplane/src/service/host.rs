//! `utopia.host.v1.HostService`.

mod input;
mod view;

use std::time::Duration;

use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, async_trait};
use utopia_certs::join_token::JoinToken;
use utopia_proto::host::v1::{
    CreateHostRequest, CreateHostResponse, DeleteHostRequest, EndMaintenanceRequest, GetHostRequest, Host as WireHost,
    HostStatus, ListHostGpusRequest, ListHostGpusResponse, ListHostsRequest, ListHostsResponse, Pagination,
    ReportHeartbeatRequest, RotateAgentTokenRequest, SetMaintenanceRequest, UpdateHostRequest, host_service_server::HostService,
};
use uuid::Uuid;

use super::{deletion::Deletion, finish::finish, validate};
use crate::{
    auth::{Identity, agent_token::AgentTokens},
    error::{Error, Result},
    link::{Hub, Reports},
    model::{Page, PageRequest, host::Host, selector::Selector},
    store::{HostEntry, NewAgentToken, Store},
};

/// The service.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Has the hosts.
    pub store: Store,
    /// Knows which of them are connected.
    pub hub: Hub,
    /// Knows what the others say of themselves.
    pub reports: Reports,
    /// Refuses tokens that were replaced.
    pub agent_tokens: AgentTokens,
    /// Ends them.
    pub deletion: Deletion,
    /// A host that was silent for so long is offline.
    pub offline_after: Duration,
    /// Has what must not stop halfway.
    pub tracker: TaskTracker,
}

#[async_trait]
impl HostService for Hosts {
    async fn create_host(&self, request: Request<CreateHostRequest>) -> Result<Response<CreateHostResponse>, Status> {
        let trail = Identity::trail(&request);
        let host = input::registration(request.into_inner())?;
        let (id, token) = (Uuid::new_v4(), agent_token()?);
        self.store.create_host(id, &host, to_keep(&token, &token.secret_hash()), self.hub.now(), &trail).await?;
        tracing::info!(host = %id, name = %host.name, "host registered");
        Ok(Response::new(CreateHostResponse {
            host_id: id.to_string(),
            name: host.name,
            status: HostStatus::Offline.into(),
            agent_token: token.to_string(),
        }))
    }

    async fn list_hosts(&self, request: Request<ListHostsRequest>) -> Result<Response<ListHostsResponse>, Status> {
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let status = HostStatus::try_from(query.status).map_err(|_| Error::invalid("status", "is no status of a host"))?;
        let os_type = input::os_type(&query.os_type, "")?;
        let selector = validate::selector("labels", &query.labels)?;
        let page = if status == HostStatus::Unspecified && selector.is_empty() {
            self.store.list_hosts(&os_type, window).await?
        } else {
            self.filtered(&os_type, status, &selector, window).await?
        };
        let pagination = Pagination {
            page: window.page,
            page_size: window.limit,
            total: page.total,
            total_pages: page.total.div_euclid(window.limit.into()) + i64::from(page.total.rem_euclid(window.limit.into()) > 0),
        };
        Ok(Response::new(ListHostsResponse { items: self.show(page.items).await?, pagination: Some(pagination) }))
    }

    async fn get_host(&self, request: Request<GetHostRequest>) -> Result<Response<WireHost>, Status> {
        let host = self.find(&request.get_ref().host_id).await?;
        self.answer(host).await
    }

    async fn update_host(&self, request: Request<UpdateHostRequest>) -> Result<Response<WireHost>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let id = validate::id("host", &request.host_id)?;
        let change = input::change(request)?;
        let host = self.store.update_host(id, change, self.hub.now(), &trail).await?;
        let host = host.ok_or_else(|| Error::not_found("host", id))?;
        tracing::info!(host = %id, name = %host.name(), "host changed");
        self.answer(host).await
    }

    async fn delete_host(&self, request: Request<DeleteHostRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let DeleteHostRequest { host_id, force } = request.into_inner();
        let host = self.find(&host_id).await?;
        self.deletion.delete("host", host.node.id, force, trail).await?;
        Ok(Response::new(()))
    }

    async fn list_host_gpus(&self, request: Request<ListHostGpusRequest>) -> Result<Response<ListHostGpusResponse>, Status> {
        let id = validate::id("host", &request.get_ref().host_id)?;
        let gpus = self.store.host_gpus(id).await?.ok_or_else(|| Error::not_found("host", id))?;
        Ok(Response::new(ListHostGpusResponse { items: self.show_gpus(id, gpus) }))
    }

    async fn report_heartbeat(&self, request: Request<ReportHeartbeatRequest>) -> Result<Response<()>, Status> {
        let host = Identity::of(&request).host()?;
        let request = request.into_inner();
        if Uuid::try_parse(&request.host_id).ok() != Some(host) {
            let message = "the agent token is another host's".to_owned();
            return Err(Error::Denied { reason: "AgentTokenForOtherHost", message }.into());
        }
        self.reports.note(host, input::report(&request, self.hub.now())?);
        Ok(Response::new(()))
    }

    async fn rotate_agent_token(
        &self,
        request: Request<RotateAgentTokenRequest>,
    ) -> Result<Response<CreateHostResponse>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("host", &request.get_ref().host_id)?;
        let token = agent_token()?;
        let (this, new) = (self.clone(), token.clone());
        let replacing = async move {
            let host = this.store.set_agent_token(id, to_keep(&new, &new.secret_hash()), this.hub.now(), &trail).await?;
            this.agent_tokens.revoke(id);
            Ok(host)
        };
        let host = finish(&self.tracker, replacing).await?.ok_or_else(|| Error::not_found("host", id))?;
        tracing::info!(host = %id, "agent token replaced");
        Ok(Response::new(CreateHostResponse {
            host_id: id.to_string(),
            name: host.name().to_owned(),
            status: self.presence(id, host.node.stage, host.node.last_seen_at).status(host.node.in_maintenance).into(),
            agent_token: token.to_string(),
        }))
    }

    async fn set_maintenance(&self, request: Request<SetMaintenanceRequest>) -> Result<Response<WireHost>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let id = validate::id("host", &request.host_id)?;
        let maintenance = input::maintenance(&request)?;
        let host = self.store.set_maintenance(id, Some(maintenance), self.hub.now(), &trail).await?;
        let host = host.ok_or_else(|| Error::not_found("host", id))?;
        tracing::info!(host = %id, claims = maintenance.1.as_str(), "host is in maintenance");
        self.hub.changed();
        self.answer(host).await
    }

    async fn end_maintenance(&self, request: Request<EndMaintenanceRequest>) -> Result<Response<WireHost>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("host", &request.get_ref().host_id)?;
        let host = self.store.set_maintenance(id, None, self.hub.now(), &trail).await?;
        let host = host.ok_or_else(|| Error::not_found("host", id))?;
        tracing::info!(host = %id, "host is in maintenance no more");
        self.hub.changed();
        self.answer(host).await
    }
}

impl Hosts {
    async fn find(&self, id: &str) -> Result<Host> {
        let id = validate::id("host", id)?;
        self.store.host(id).await?.ok_or_else(|| Error::not_found("host", id))
    }

    async fn answer(&self, host: Host) -> Result<Response<WireHost>, Status> {
        let id = host.node.id;
        let shown = self.show(vec![host]).await?.pop();
        Ok(Response::new(shown.ok_or_else(|| Error::not_found("host", id))?))
    }

    /// A page of the hosts in one state or with certain labels. Who is connected is known in memory, so the page is cut here.
    async fn filtered(&self, os_type: &str, status: HostStatus, selector: &Selector, window: PageRequest) -> Result<Page<Host>> {
        let is_asked_for = |host: &HostEntry| {
            let found = || self.presence(host.id, host.stage, host.last_seen_at).status(host.in_maintenance);
            let fits = status == HostStatus::Unspecified || found() == status;
            Ok::<_, Error>(fits && (selector.is_empty() || selector.matches(&host.labels()?)))
        };
        let mut ids = Vec::new();
        for host in self.store.host_index(os_type).await? {
            if is_asked_for(&host)? {
                ids.push(host.id);
            }
        }
        let Page { items: ids, total } = window.cut(ids);
        Ok(Page { items: self.store.hosts_by_id(&ids).await?, total })
    }
}

fn agent_token() -> Result<JoinToken> {
    JoinToken::generate_agent().map_err(|error| Error::internal("make an agent token", error))
}

fn to_keep<'a>(token: &'a JoinToken, secret_hash: &'a [u8]) -> NewAgentToken<'a> {
    NewAgentToken { id: &token.id, secret_hash }
}
