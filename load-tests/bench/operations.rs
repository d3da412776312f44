//! The operations that are asked for: over gRPC, and as JSON.

use serde_json::json;
use utopia_proto::claim::v1::WatchClaimRequest;
use utopia_proto::host::v1::{GetHostRequest, HostHealth, ReportHeartbeatRequest};
use utopia_proto::iam::v1::GetProfileRequest;

use crate::load::Question;
use crate::servers::Product;

/// The claim that is watched; only bare servers and peers are asked for it.
const CLAIM_ID: &str = "018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10";

/// All that REST tells of one's own account.
const PROFILE_QUERY: &str = "{accountGetProfile{id username email role created_at updated_at last_login_at}}";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operation {
    /// Reads one's own account; the control plane answers from memory.
    GetProfile,
    /// A heartbeat of a host; the control plane keeps it in memory.
    ReportHeartbeat,
    /// Reads a host; the control plane asks its database.
    GetHost,
}

impl Operation {
    /// Its name in the contract.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GetProfile => "GetProfile",
            Self::ReportHeartbeat => "ReportHeartbeat",
            Self::GetHost => "GetHost",
        }
    }
}

/// As whom it is asked. Bare servers and peers look at neither token, but are sent the same bytes.
#[derive(Debug)]
pub(crate) struct Client {
    token: String,
    agent_token: String,
    host_id: String,
}

impl Client {
    /// Somebody who is known to a control plane.
    pub(crate) fn of(product: &Product) -> Self {
        let Product { token, agent_token, host_id, .. } = product;
        Self { token: token.clone(), agent_token: agent_token.clone(), host_id: host_id.clone() }
    }

    /// An operation over gRPC.
    pub(crate) fn grpc(&self, operation: Operation) -> anyhow::Result<Question> {
        let host_id = self.host_id.clone();
        match operation {
            Operation::GetProfile => {
                Question::grpc("/utopia.iam.v1.AccountService/GetProfile", &GetProfileRequest {}, 1).token(&self.token)
            }
            Operation::GetHost => {
                Question::grpc("/utopia.host.v1.HostService/GetHost", &GetHostRequest { host_id }, 1).token(&self.token)
            }
            Operation::ReportHeartbeat => {
                let heartbeat = ReportHeartbeatRequest {
                    host_id,
                    status: "online".to_owned(),
                    health_status: HostHealth::Healthy.into(),
                    used_cpu: 12.5,
                    used_memory: 180 << 30,
                    used_gpu: 3,
                };
                Question::grpc("/utopia.host.v1.HostService/ReportHeartbeat", &heartbeat, 1).token(&self.agent_token)
            }
        }
    }

    /// Reads one's own account by GraphQL.
    pub(crate) fn graphql_profile(&self) -> anyhow::Result<Question> {
        Question::post("/api/graphql", &json!({"query": PROFILE_QUERY})).token(&self.token)
    }

    /// An operation as JSON, with the word of the server's JSON for a healthy host.
    pub(crate) fn rest(&self, operation: Operation, healthy: &str) -> anyhow::Result<Question> {
        let host = format!("/api/v1/hosts/{}", self.host_id);
        match operation {
            Operation::GetProfile => Question::get("/api/v1/auth/profile").token(&self.token),
            Operation::GetHost => Question::get(&host).token(&self.token),
            Operation::ReportHeartbeat => {
                let heartbeat = json!({
                    "status": "online", "health_status": healthy, "used_cpu": 12.5, "used_memory": 180_u64 << 30, "used_gpu": 3,
                });
                Question::post(&format!("{host}/heartbeat"), &heartbeat).token(&self.agent_token)
            }
        }
    }
}

/// How a claim is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Watch {
    /// Over gRPC.
    Grpc,
    /// As JSON, a line for each message.
    Lines,
    /// As JSON, an event for each message.
    Events,
}

impl Watch {
    /// The question whose answer has so many messages.
    pub(crate) fn question(self, messages: u64) -> Question {
        let path = format!("/api/gpu-claims/{CLAIM_ID}/watch");
        match self {
            Self::Grpc => {
                let request = WatchClaimRequest { id: CLAIM_ID.to_owned() };
                Question::grpc("/utopia.claim.v1.ClaimService/WatchClaim", &request, messages)
            }
            Self::Lines => Question::lines(&path, messages),
            Self::Events => Question::events(&path, messages),
        }
    }
}
