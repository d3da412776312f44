//! `utopia.iam.v1.ApiTokenService`: people's credentials for scripts.

use jiff::SignedDuration;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::iam::v1::{
    ApiToken as WireApiToken, CreateApiTokenRequest, ListApiTokensRequest, ListApiTokensResponse, RevokeApiTokenRequest,
    RevokeApiTokenResponse, api_token_service_server::ApiTokenService,
};

use super::{convert, validate};
use crate::{
    auth::{Identity, Person, api_token::ApiTokenSecret, sessions::Sessions},
    clock::Clock,
    error::{Error, Result},
    model::{PageRequest, Role, people::ApiToken},
    store::Store,
};

/// How long a token lives when nothing is said, in seconds.
const DEFAULT_TTL_SECONDS: i64 = 30 * 86_400;

/// How long a token may live, in seconds.
const MAX_TTL_SECONDS: i64 = 365 * 86_400;

/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// The service.
#[derive(Debug, Clone)]
pub struct ApiTokens {
    /// Has the tokens.
    pub store: Store,
    /// Knows which tokens hold.
    pub sessions: Sessions,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl ApiTokenService for ApiTokens {
    async fn create_api_token(&self, request: Request<CreateApiTokenRequest>) -> Result<Response<WireApiToken>, Status> {
        const CONTEXT: &str = "create an API token";
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        person.session()?;
        let CreateApiTokenRequest { name, role, ttl_seconds } = request.into_inner();
        check_name(&name)?;
        let role = if role.is_empty() { person.role } else { validate::role("role", &role)? };
        let ttl_seconds = if ttl_seconds == 0 { DEFAULT_TTL_SECONDS } else { ttl_seconds };
        if !(1..=MAX_TTL_SECONDS).contains(&ttl_seconds) {
            return Err(Error::invalid("ttl_seconds", format!("must be 1 to {MAX_TTL_SECONDS}")).into());
        }
        if role > person.role {
            let message = format!("the role `{role}` is above yours, `{}`", person.role);
            return Err(Error::Denied { reason: "RoleTooHigh", message }.into());
        }
        let secret = ApiTokenSecret::generate()?;
        let now = self.clock.now();
        let expires_at =
            now.checked_add(SignedDuration::from_secs(ttl_seconds)).map_err(|error| Error::internal(CONTEXT, error))?;
        let token = ApiToken {
            id: secret.id,
            user_id: person.id,
            username: person.username,
            name,
            role,
            expires_at,
            created_at: now,
            last_used_at: None,
        };
        self.store.create_api_token(&token, &secret.hash(), &trail).await?;
        tracing::info!(user = %token.username, token = %token.id, role = %token.role, "API token created");
        Ok(Response::new(WireApiToken { token: secret.to_string(), ..convert::api_token(token) }))
    }

    async fn list_api_tokens(&self, request: Request<ListApiTokensRequest>) -> Result<Response<ListApiTokensResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, 0);
        let page = self.store.list_api_tokens(owner(&person), window, self.clock.now()).await?;
        Ok(Response::new(ListApiTokensResponse {
            tokens: page.items.into_iter().map(convert::api_token).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<RevokeApiTokenRequest>,
    ) -> Result<Response<RevokeApiTokenResponse>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        let id = validate::id("API token", &request.get_ref().id)?;
        let revoking = self.sessions.revoking_api_token(id);
        if !self.store.revoke_api_token(id, owner(&person), self.clock.now(), &trail).await? {
            return Err(Error::not_found("API token", id).into());
        }
        drop(revoking);
        tracing::info!(user = %person.username, token = %id, "API token revoked");
        Ok(Response::new(RevokeApiTokenResponse { message: "Token revoked".to_owned() }))
    }
}

/// Whose tokens the person reaches: their own, or as an administrator everybody's.
fn owner(person: &Person) -> Option<i64> {
    if person.role == Role::Admin { None } else { Some(person.id) }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::missing("name"));
    }
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) || name.trim() != name {
        return Err(Error::invalid("name", "must be 1 to 64 printable characters, without white space around them"));
    }
    Ok(())
}
