//! What stands behind the gateway in these tests.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::Notify;
use tonic::{Request, Response, Status, metadata::MetadataValue, service::Routes};
use utopia_gateway::ClientAddress;
use utopia_proto::{
    claim::v1::{
        Claim, ClaimExplanation, ClaimPhase, ClaimSpec, ClaimStatus, CreateClaimRequest, DeleteClaimRequest, ExplainClaimRequest,
        GetClaimRequest, ListClaimsRequest, ListClaimsResponse, StreamClaimLogsRequest, WatchClaimRequest,
        claim_service_server::{ClaimService, ClaimServiceServer},
    },
    node::v1::LogEntry,
    status::status,
};

/// The claim service of the contract. What it does depends on the id that is asked for.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// Calls that were dropped before they ended.
    pub(crate) cancelled: AtomicUsize,
    /// Told when a call that never ends has begun, and when one was dropped.
    pub(crate) began: Notify,
    pub(crate) dropped: Notify,
}

struct Guard(Arc<Claims>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancelled.fetch_add(1, Ordering::SeqCst);
        self.0.dropped.notify_one();
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Service(pub(crate) Arc<Claims>);

impl Service {
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(ClaimServiceServer::new(self.clone())).prepare()
    }
}

pub(crate) fn claim(id: &str, phase: ClaimPhase) -> Claim {
    Claim {
        id: id.to_owned(),
        user_id: 7,
        status: Some(ClaimStatus { phase: phase.into(), ..ClaimStatus::default() }),
        ..Claim::default()
    }
}

fn text(request: &Request<impl Sized>, name: &str) -> String {
    request.metadata().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
}

#[tonic::async_trait]
impl ClaimService for Service {
    type WatchClaimStream = Pin<Box<dyn Stream<Item = Result<Claim, Status>> + Send>>;
    type StreamClaimLogsStream = stream::Empty<Result<LogEntry, Status>>;

    async fn create_claim(&self, request: Request<CreateClaimRequest>) -> Result<Response<Claim>, Status> {
        let spec = request.into_inner().spec;
        Ok(Response::new(Claim { spec, ..claim("new", ClaimPhase::Pending) }))
    }

    async fn list_claims(&self, request: Request<ListClaimsRequest>) -> Result<Response<ListClaimsResponse>, Status> {
        let request = request.into_inner();
        let claims = vec![claim("listed", request.phase())];
        let mut response = Response::new(ListClaimsResponse { claims, total: 1, page: request.page, limit: request.limit });
        response.metadata_mut().insert("x-ratelimit-remaining", MetadataValue::from_static("9"));
        Ok(response)
    }

    async fn get_claim(&self, request: Request<GetClaimRequest>) -> Result<Response<Claim>, Status> {
        match request.get_ref().id.as_str() {
            "metadata" => {
                let address = request.extensions().get::<ClientAddress>();
                let address = address.map_or_else(|| text(&request, "x-forwarded-for"), |address| address.0.to_string());
                let command = ["authorization", "x-agent-token", "traceparent", "x-request-id", "cookie"];
                let command = command.map(|name| text(&request, name)).into_iter().chain([address]).collect();
                Ok(Response::new(Claim { spec: Some(ClaimSpec { command, ..ClaimSpec::default() }), ..Claim::default() }))
            }
            "never" => {
                let _guard = Guard(Arc::clone(&self.0));
                self.0.began.notify_one();
                std::future::pending().await
            }
            "large" => Ok(Response::new(Claim { id: "x".repeat(64 * 1024), ..Claim::default() })),
            code if code.parse::<i32>().is_ok() => {
                let code = tonic::Code::from_i32(code.parse().unwrap());
                let mut status = status(code, "SpecialReason", "a sentence", None);
                status.metadata_mut().insert("retry-after", MetadataValue::from_static("3"));
                status.metadata_mut().insert("x-internal", MetadataValue::from_static("hidden"));
                Err(status)
            }
            id => Ok(Response::new(claim(id, ClaimPhase::Running))),
        }
    }

    async fn delete_claim(&self, request: Request<DeleteClaimRequest>) -> Result<Response<()>, Status> {
        match request.into_inner().id.as_str() {
            "missing" => Err(Status::not_found("claim missing does not exist")),
            _ => Ok(Response::new(())),
        }
    }

    async fn explain_claim(&self, _request: Request<ExplainClaimRequest>) -> Result<Response<ClaimExplanation>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn stream_claim_logs(
        &self,
        _request: Request<StreamClaimLogsRequest>,
    ) -> Result<Response<Self::StreamClaimLogsStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn watch_claim(&self, request: Request<WatchClaimRequest>) -> Result<Response<Self::WatchClaimStream>, Status> {
        let id = request.into_inner().id;
        let two = stream::iter([ClaimPhase::Pending, ClaimPhase::Running]).map(|phase| Ok(claim("w", phase)));
        match id.as_str() {
            "refused" => Err(Status::permission_denied("not yours")),
            "broken" => {
                let error = status(tonic::Code::Unavailable, "NodeLost", "the node is gone", None);
                Ok(Response::new(two.chain(stream::iter([Err(error)])).boxed()))
            }
            "never" => {
                let guard = Guard(Arc::clone(&self.0));
                let rest = stream::once(async move {
                    let _guard = guard;
                    std::future::pending().await
                });
                Ok(Response::new(two.chain(rest).boxed()))
            }
            _ => Ok(Response::new(two.boxed())),
        }
    }
}
