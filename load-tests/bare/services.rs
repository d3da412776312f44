//! Services of the contract with nothing behind them: they answer with what was prepared. Methods that no bench calls are refused.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, stream};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::claim::v1::claim_service_server::{ClaimService, ClaimServiceServer};
use utopia_proto::claim::v1::{
    Claim, ClaimExplanation, CreateClaimRequest, DeleteClaimRequest, ExplainClaimRequest, GetClaimRequest, ListClaimsRequest,
    ListClaimsResponse, StreamClaimLogsRequest, WatchClaimRequest,
};
use utopia_proto::host::v1::host_service_server::{HostService, HostServiceServer};
use utopia_proto::host::v1::{
    CreateHostRequest, CreateHostResponse, DeleteHostRequest, EndMaintenanceRequest, GetHostRequest, Host, ListHostGpusRequest,
    ListHostGpusResponse, ListHostsRequest, ListHostsResponse, ReportHeartbeatRequest, RotateAgentTokenRequest,
    SetMaintenanceRequest, UpdateHostRequest,
};
use utopia_proto::iam::v1::account_service_server::{AccountService, AccountServiceServer};
use utopia_proto::iam::v1::{
    Account, AccountLoginRequest, AccountRegisterRequest, CreateTestTokenRequest, GetProfileRequest, LogoutRequest,
    LogoutResponse, RefreshRequest, Session, TestToken,
};
use utopia_proto::node::v1::LogEntry;

use crate::answers;

/// The services, by their full names.
pub(crate) const NAMES: [&str; 3] =
    ["utopia.host.v1.HostService", "utopia.iam.v1.AccountService", "utopia.claim.v1.ClaimService"];

/// The services; a watched claim sends so many messages, as fast as they are read.
pub(crate) fn routes(messages: usize) -> Routes {
    Routes::new(HostServiceServer::new(Hosts(answers::host())))
        .add_service(AccountServiceServer::new(Accounts(answers::account())))
        .add_service(ClaimServiceServer::new(Claims { claim: Arc::new(answers::claim()), messages }))
        .prepare()
}

/// A service some of whose methods are refused.
macro_rules! service {
    (impl $service:ident for $server:ident { $($served:tt)* } refuse { $($method:ident: $request:ty => $response:ty,)* }) => {
        #[async_trait]
        impl $service for $server {
            $($served)*

            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(Status::unimplemented("the bare server has no such method"))
            })*
        }
    };
}

struct Hosts(Host);

service! {
    impl HostService for Hosts {
        async fn get_host(&self, _: Request<GetHostRequest>) -> Result<Response<Host>, Status> {
            Ok(Response::new(self.0.clone()))
        }

        async fn report_heartbeat(&self, _: Request<ReportHeartbeatRequest>) -> Result<Response<()>, Status> {
            Ok(Response::new(()))
        }
    }
    refuse {
        create_host: CreateHostRequest => CreateHostResponse,
        list_hosts: ListHostsRequest => ListHostsResponse,
        update_host: UpdateHostRequest => Host,
        delete_host: DeleteHostRequest => (),
        list_host_gpus: ListHostGpusRequest => ListHostGpusResponse,
        rotate_agent_token: RotateAgentTokenRequest => CreateHostResponse,
        set_maintenance: SetMaintenanceRequest => Host,
        end_maintenance: EndMaintenanceRequest => Host,
    }
}

struct Accounts(Account);

service! {
    impl AccountService for Accounts {
        async fn get_profile(&self, _: Request<GetProfileRequest>) -> Result<Response<Account>, Status> {
            Ok(Response::new(self.0.clone()))
        }
    }
    refuse {
        login: AccountLoginRequest => Session,
        register: AccountRegisterRequest => Account,
        refresh: RefreshRequest => Session,
        logout: LogoutRequest => LogoutResponse,
        create_test_token: CreateTestTokenRequest => TestToken,
    }
}

struct Claims {
    claim: Arc<Claim>,
    messages: usize,
}

service! {
    impl ClaimService for Claims {
        type WatchClaimStream = Pin<Box<dyn Stream<Item = Result<Claim, Status>> + Send>>;
        type StreamClaimLogsStream = stream::Empty<Result<LogEntry, Status>>;

        async fn watch_claim(&self, _: Request<WatchClaimRequest>) -> Result<Response<Self::WatchClaimStream>, Status> {
            let claim = self.claim.clone();
            let messages = (0..self.messages).map(move |_| Ok(Claim::clone(&claim)));
            Ok(Response::new(Box::pin(stream::iter(messages))))
        }
    }
    refuse {
        create_claim: CreateClaimRequest => Claim,
        list_claims: ListClaimsRequest => ListClaimsResponse,
        get_claim: GetClaimRequest => Claim,
        delete_claim: DeleteClaimRequest => (),
        explain_claim: ExplainClaimRequest => ClaimExplanation,
        stream_claim_logs: StreamClaimLogsRequest => Self::StreamClaimLogsStream,
    }
}
