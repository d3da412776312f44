//! `utopia.node.v1.JoinTokenService`.

use jiff::SignedDuration;
use tonic::{Request, Response, Status, async_trait};
use utopia_certs::join_token::JoinToken as Secret;
use utopia_proto::node::v1::{
    CreateJoinTokenRequest, JoinToken, ListJoinTokensRequest, ListJoinTokensResponse, RevokeJoinTokenRequest,
    join_token_service_server::JoinTokenService,
};
use uuid::Uuid;

use super::{convert, validate};
use crate::{
    auth::Identity,
    clock::Clock,
    error::{Error, Result},
    model::{self, PageRequest, audit::Trail},
    store::{NewJoinToken, Store},
};

/// How long a token lives when nothing is said, in seconds.
const DEFAULT_TTL_SECONDS: i64 = 3_600;

/// How long a token may live, in seconds.
const MAX_TTL_SECONDS: i64 = 30 * 86_400;

/// The service.
#[derive(Debug, Clone)]
pub struct JoinTokens {
    /// Has the tokens.
    pub store: Store,
    /// The CA that agents pin.
    pub ca_hash: String,
    /// `https://HOST:PORT` under which agents reach the control plane.
    pub server: String,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl JoinTokenService for JoinTokens {
    async fn create_join_token(&self, request: Request<CreateJoinTokenRequest>) -> Result<Response<JoinToken>, Status> {
        let trail = Identity::trail(&request);
        let CreateJoinTokenRequest { ttl_seconds, max_uses, description } = request.into_inner();
        let ttl_seconds = if ttl_seconds == 0 { DEFAULT_TTL_SECONDS } else { ttl_seconds };
        if !(1..=MAX_TTL_SECONDS).contains(&ttl_seconds) {
            return Err(Error::invalid("ttl_seconds", format!("must be 1 to {MAX_TTL_SECONDS}")).into());
        }
        if max_uses < 0 {
            return Err(Error::invalid("max_uses", "must not be negative").into());
        }
        validate::text("description", &description, 200)?;
        let token = self.create(SignedDuration::from_secs(ttl_seconds), max_uses, description, None, &trail).await?;
        tracing::info!(token = %token.id, "join token created");
        Ok(Response::new(token))
    }

    async fn list_join_tokens(
        &self,
        request: Request<ListJoinTokensRequest>,
    ) -> Result<Response<ListJoinTokensResponse>, Status> {
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, 0);
        let page = self.store.list_join_tokens(window, self.clock.now()).await?;
        Ok(Response::new(ListJoinTokensResponse {
            join_tokens: page.items.into_iter().map(|token| convert::join_token(token, self.ca_hash.clone())).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn revoke_join_token(&self, request: Request<RevokeJoinTokenRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let id = request.into_inner().id;
        if !self.store.revoke_join_token(&id, self.clock.now(), &trail).await? {
            return Err(Error::not_found("join token", id).into());
        }
        tracing::info!(token = %id, "join token revoked");
        Ok(Response::new(()))
    }
}

impl JoinTokens {
    /// Makes a token and the command that uses it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn create(
        &self,
        lifetime: SignedDuration,
        max_uses: i32,
        description: String,
        node_id: Option<Uuid>,
        trail: &Trail,
    ) -> Result<JoinToken> {
        let secret = Secret::generate().map_err(|error| Error::internal("make a join token", error))?;
        let now = self.clock.now();
        let stored =
            model::JoinToken { id: secret.id.clone(), node_id, max_uses, uses: 0, description, expires_at: now + lifetime };
        let new = NewJoinToken {
            id: &stored.id,
            secret_hash: &secret.secret_hash(),
            node_id,
            max_uses,
            description: &stored.description,
            expires_at: stored.expires_at,
            created_by: None,
        };
        self.store.create_join_token(new, now, trail).await?;
        let token = secret.to_string();
        let command = format!("utopia-agent --server {} --ca-hash {} --join-token {token}", self.server, self.ca_hash);
        Ok(JoinToken { token, command, ..convert::join_token(stored, self.ca_hash.clone()) })
    }
}
