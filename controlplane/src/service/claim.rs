//! `utopia.claim.v1.ClaimService`.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::claim::v1::{
    Claim as WireClaim, ClaimExplanation, ClaimPhase, CreateClaimRequest, DeleteClaimRequest, ExplainClaimRequest,
    GetClaimRequest, ListClaimsRequest, ListClaimsResponse, StreamClaimLogsRequest, WatchClaimRequest,
    claim_service_server::ClaimService,
};
use utopia_proto::node::v1::StreamContainerLogsRequest;
use uuid::Uuid;

use super::{
    convert,
    logs::{self, Logs},
    validate,
};
use crate::{
    admission::Admission,
    auth::{Identity, Person},
    clock::Clock,
    error::{Error, Result},
    link::Hub,
    model::{Claim, PageRequest, is_final},
    reconcile::{self, changes::Changes, forecast::Forecast},
    store::{NewClaim, Store},
};

/// The service.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Has the claims.
    pub store: Store,
    /// Admits them.
    pub admission: Admission,
    /// Knows the nodes.
    pub hub: Hub,
    /// Tells who watches claims.
    pub changes: Changes,
    /// Knows why claims wait.
    pub forecast: Forecast,
    /// Places claims; explains why it does not.
    pub settings: reconcile::plan::Settings,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl ClaimService for Claims {
    type WatchClaimStream = Pin<Box<dyn Stream<Item = Result<WireClaim, Status>> + Send>>;
    type StreamClaimLogsStream = Logs;

    async fn create_claim(&self, request: Request<CreateClaimRequest>) -> Result<Response<WireClaim>, Status> {
        let person = Identity::of(&request).person()?;
        let trail = Identity::trail(&request);
        let CreateClaimRequest { spec, request_id } = request.into_inner();
        let spec = spec.ok_or_else(|| Error::invalid("spec", "must be given"))?;
        validate::claim_spec(&spec)?;
        validate::text("request_id", &request_id, 128)?;
        let new = NewClaim {
            id: Uuid::new_v4(),
            user_id: person.id,
            role: person.role,
            request_id: (!request_id.is_empty()).then_some(request_id),
            refusal: self.forecast.of(&spec).unwrap_or_default(),
            spec,
            trail,
            now: self.clock.now(),
        };
        let admitted = self.admission.admit(new).await.map_err(Error::from)?;
        if admitted.created {
            tracing::info!(claim = %admitted.claim.id, user = %person.username, gpus = admitted.claim.gpu_count(), "claim accepted");
            self.hub.changed();
        }
        Ok(Response::new(self.show(admitted.claim)))
    }

    async fn list_claims(&self, request: Request<ListClaimsRequest>) -> Result<Response<ListClaimsResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let phase = Some(query.phase()).filter(|phase| *phase != ClaimPhase::Unspecified);
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let page = self.store.list_claims(person.scope(), phase, window).await?;
        Ok(Response::new(ListClaimsResponse {
            claims: page.items.into_iter().map(|claim| self.show(claim)).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_claim(&self, request: Request<GetClaimRequest>) -> Result<Response<WireClaim>, Status> {
        let person = Identity::of(&request).person()?;
        let claim = self.find(&person, &request.get_ref().id).await?;
        Ok(Response::new(self.show(claim)))
    }

    async fn delete_claim(&self, request: Request<DeleteClaimRequest>) -> Result<Response<()>, Status> {
        let person = Identity::of(&request).person()?;
        let id = validate::id("claim", &request.get_ref().id)?;
        let trail = Identity::trail(&request);
        if !self.store.delete_claim(id, person.scope(), self.clock.now(), &trail).await? {
            return Err(Error::not_found("claim", id).into());
        }
        tracing::info!(claim = %id, user = %person.username, "claim deleted");
        self.changes.publish(id);
        self.hub.changed();
        Ok(Response::new(()))
    }

    async fn explain_claim(&self, request: Request<ExplainClaimRequest>) -> Result<Response<ClaimExplanation>, Status> {
        let person = Identity::of(&request).person()?;
        let claim = self.find(&person, &request.get_ref().id).await?;
        let claims = self.store.unsettled_claims().await?;
        let ledger = self.store.ledger().await?;
        let nodes = reconcile::observe::nodes(&self.hub, &self.store).await?;
        let snapshot = reconcile::plan::Snapshot {
            claims: &claims,
            nodes: &nodes,
            ledger: &ledger,
            now: self.clock.now(),
            settings: &self.settings,
        };
        Ok(Response::new(reconcile::plan::explain(&claim, &snapshot)))
    }

    async fn watch_claim(&self, request: Request<WatchClaimRequest>) -> Result<Response<Self::WatchClaimStream>, Status> {
        let person = Identity::of(&request).person()?;
        let watch = self.changes.watch();
        let first = self.find(&person, &request.get_ref().id).await?;
        let id = first.id;
        let service = self.clone();
        let states = stream::unfold(Some((Some(first), watch)), move |state| {
            let service = service.clone();
            async move {
                let (first, mut watch) = state?;
                let claim = match first {
                    Some(claim) => claim,
                    None => {
                        watch.changed(id).await;
                        match service.store.claim(id).await {
                            Ok(claim) => claim?,
                            Err(error) => return Some((Err(error.into()), None)),
                        }
                    }
                };
                let next = if is_final(claim.phase) { None } else { Some((None, watch)) };
                Some((Ok(service.show(claim)), next))
            }
        });
        Ok(Response::new(Box::pin(states)))
    }

    async fn stream_claim_logs(&self, request: Request<StreamClaimLogsRequest>) -> Result<Response<Logs>, Status> {
        let person = Identity::of(&request).person()?;
        let StreamClaimLogsRequest { id, follow, tail, since } = request.into_inner();
        let claim = self.find(&person, &id).await?;
        let container = claim.node_id.zip(Some(claim.container_id).filter(|id| !id.is_empty()));
        let (node_id, container_id) = container.ok_or_else(|| Error::FailedPrecondition {
            reason: "NoContainer".into(),
            message: format!("claim {id} has no container"),
        })?;
        let wanted = StreamContainerLogsRequest { node_id: node_id.to_string(), id: container_id, follow, tail, since };
        Ok(Response::new(logs::stream(&self.hub, node_id, wanted).await?))
    }
}

impl Claims {
    /// A claim the person may see.
    async fn find(&self, person: &Person, id: &str) -> Result<Claim> {
        let id = validate::id("claim", id)?;
        let claim = self.store.claim(id).await?;
        let visible = claim.filter(|claim| person.scope().is_none_or(|owner| owner == claim.user_id));
        visible.ok_or_else(|| Error::not_found("claim", id))
    }

    fn show(&self, claim: Claim) -> WireClaim {
        let node = claim.node_id.and_then(|id| self.hub.node(id));
        convert::claim(claim, node.map(|node| node.hostname.to_string()).unwrap_or_default())
    }
}
