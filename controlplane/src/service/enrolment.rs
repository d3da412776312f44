//! `utopia.link.v1.EnrolmentService`.

use std::sync::Arc;

use jiff::SignedDuration;
use tonic::{Request, Response, Status, async_trait};
use utopia_certs::{
    authority::{Authority, IssuedCertificate},
    csr::Csr,
    join_token::{JoinToken, TokenKind},
};
use utopia_proto::link::v1::{
    EnrolRequest, EnrolResponse, RecoverRequest, RenewRequest, enrolment_service_server::EnrolmentService,
};
use uuid::Uuid;

use super::{convert, validate};
use crate::{
    auth::{Caller, Identity},
    error::{Error, Result},
    link::Hub,
    model::{
        NodeStage,
        audit::{AuditResult, Change, Trail},
    },
    store::{EnrolError, EnrolNode, Store},
};

/// For how long after its expiry a certificate can be recovered.
const RECOVERY_GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The service.
#[derive(Clone)]
pub struct Enrolment {
    /// Has the nodes and the join tokens.
    pub store: Store,
    /// Learns of new nodes.
    pub hub: Hub,
    /// Signs.
    pub authority: Arc<Authority>,
    /// How long certificates live.
    pub lifetime: SignedDuration,
}

#[async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let trail = Identity::trail(&request);
        let EnrolRequest { token, csr, machine_id, node_id, facts } = request.into_inner();
        let token: JoinToken = token.parse().map_err(|_| Error::from(EnrolError::TokenInvalid))?;
        // Before the token is used up.
        let csr = parse(&csr)?;
        let facts = facts.unwrap_or_default();
        validate::hostname("facts.hostname", &facts.hostname)?;
        if machine_id.is_empty() {
            return Err(Error::invalid("machine_id", "must not be empty").into());
        }
        validate::text("machine_id", &machine_id, 128)?;
        let node_id = if node_id.is_empty() { None } else { Some(validate::id("node", &node_id)?) };
        let enrol = EnrolNode {
            token_kind: token.kind,
            token_id: &token.id,
            token_secret_hash: &token.secret_hash(),
            machine_id: &machine_id,
            node_id,
            facts: &facts,
            now: self.hub.now(),
            new_id: Uuid::new_v4(),
        };
        let trail = Trail { user: by_token(&token), ..trail };
        let node_id = self.store.enrol(enrol, &trail).await.map_err(Error::from)?;
        let node = self.store.node(node_id).await?.ok_or_else(|| Error::not_found("node", node_id))?;
        tracing::info!(node = %node_id, hostname = %node.hostname, token = %token.id, "node enrolled");
        self.hub.learn([node]);
        Ok(Response::new(self.issue(&csr, node_id)?))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let node_id = Identity::of(&request).node()?;
        let csr = parse(&request.get_ref().csr)?;
        self.enrolled(node_id).await?;
        tracing::info!(node = %node_id, "certificate renewed");
        Ok(Response::new(self.issue(&csr, node_id)?))
    }

    async fn recover(&self, request: Request<RecoverRequest>) -> Result<Response<EnrolResponse>, Status> {
        let trail = Identity::trail(&request);
        let RecoverRequest { csr, expired_certificate } = request.into_inner();
        let csr = parse(&csr)?;
        let verified = self.authority.verify_expired(&expired_certificate, &csr, self.hub.now(), RECOVERY_GRACE);
        let node_id = verified.map_err(|error| {
            tracing::warn!(%error, "recovery of a certificate refused");
            let message = "the certificate is not one that can be recovered by this key";
            Error::Unauthenticated { reason: "CertificateNotRecoverable", message }
        })?;
        self.enrolled(node_id).await?;
        let issued = self.issue(&csr, node_id)?;
        let trail = Trail { user: Caller::Node(node_id).to_string(), ..trail };
        self.store.record(&trail, Change::touched(node_id), AuditResult::Success, self.hub.now()).await?;
        tracing::info!(node = %node_id, "expired certificate recovered");
        Ok(Response::new(issued))
    }
}

impl Enrolment {
    async fn enrolled(&self, node_id: Uuid) -> Result<(), Status> {
        let node = self.store.node(node_id).await?;
        if node.is_some_and(|node| node.stage == NodeStage::Enrolled) { Ok(()) } else { Err(crate::link::hub::deleted()) }
    }

    fn issue(&self, csr: &Csr, node_id: Uuid) -> Result<EnrolResponse> {
        let issued = self.authority.issue_node(csr, node_id, self.hub.now(), self.lifetime);
        let IssuedCertificate { der, not_after } = issued.map_err(|error| Error::internal("issue a certificate", error))?;
        Ok(EnrolResponse {
            node_id: node_id.to_string(),
            certificate: der.to_vec(),
            ca_certificate: self.authority.certificate_der().to_vec(),
            not_after: Some(convert::timestamp(not_after)),
        })
    }
}

/// As the audit log names whoever enrols: nothing but the token is known of them.
fn by_token(token: &JoinToken) -> String {
    match token.kind {
        TokenKind::Join => format!("join_token:{}", token.id),
        TokenKind::Agent => format!("agent_token:{}", token.id),
    }
}

fn parse(csr: &[u8]) -> Result<Csr, Status> {
    Csr::parse(csr).map_err(|error| {
        let message = format!("csr: {error}");
        utopia_proto::status::status(tonic::Code::InvalidArgument, "CsrInvalid", &message, Some("csr"))
    })
}
