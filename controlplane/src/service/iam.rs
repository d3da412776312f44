//! `utopia.iam.v1.IamService`: registration, log-in and role policies.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::iam::v1::{
    ListRolesRequest, ListRolesResponse, LoginRequest, LoginResponse, RegisterRequest, Role as WireRole, SetRolePolicyRequest,
    User, iam_service_server::IamService,
};

use super::{convert, validate};
use crate::{
    auth::{Identity, jwt::Tokens, limits::Limits, password::Passwords},
    clock::Clock,
    error::{Error, Result},
    model::{Role, RolePolicy},
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Iam {
    /// Has the users.
    pub store: Store,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Makes tokens.
    pub tokens: Tokens,
    /// How often a user name may be tried.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Clock,
    /// Well-known pairs of name and password are accepted.
    pub development: bool,
}

#[async_trait]
impl IamService for Iam {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<User>, Status> {
        let RegisterRequest { username, password } = request.into_inner();
        self.limits.username(&username)?;
        validate::username(&username)?;
        validate::password(&username, &password, self.development)?;
        let hash = self.passwords.hash(&password).await?;
        let user = self.store.create_user(&username, &hash, Role::User, self.clock.now()).await?;
        tracing::info!(user = %user.username, id = user.id, "user registered");
        Ok(Response::new(convert::user(&user)))
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let LoginRequest { username, password } = request.into_inner();
        self.limits.username(&username)?;
        let user = self.store.user_by_name(&username).await?;
        // For an unknown user a hash is checked all the same, so that the time taken tells nothing.
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matches = self.passwords.verify(&password, hash).await?;
        let Some(user) = user.filter(|_| matches) else {
            let message = "the user name or the password is wrong";
            return Err(Error::Unauthenticated { reason: "InvalidCredentials", message }.into());
        };
        let token = self.tokens.issue(&user)?;
        Ok(Response::new(LoginResponse { token, user: Some(convert::user(&user)) }))
    }

    async fn list_roles(&self, _: Request<ListRolesRequest>) -> Result<Response<ListRolesResponse>, Status> {
        let policies = self.store.role_policies().await?;
        let roles = policies.into_iter().map(|(role, policy)| convert::role(role, policy)).collect();
        Ok(Response::new(ListRolesResponse { roles }))
    }

    async fn set_role_policy(&self, request: Request<SetRolePolicyRequest>) -> Result<Response<WireRole>, Status> {
        let trail = Identity::trail(&request);
        let SetRolePolicyRequest { role, policy } = request.into_inner();
        let role: Role = role.parse().map_err(|_| Error::not_found("role", &role))?;
        let policy = policy.ok_or_else(|| Error::invalid("policy", "must be given"))?;
        if policy.max_gpu_count.is_some_and(|count| count < 0) {
            return Err(Error::invalid("max_gpu_count", "must not be negative").into());
        }
        if role == Role::Admin && !policy.allow_all {
            return Err(Error::invalid("allow_all", "must be true for the role admin").into());
        }
        let policy = RolePolicy { allow_all: policy.allow_all, max_gpu_count: policy.max_gpu_count };
        self.store.set_role_policy(role, policy, self.clock.now(), &trail).await?;
        tracing::info!(%role, ?policy, "role policy set");
        Ok(Response::new(convert::role(role, policy)))
    }
}
