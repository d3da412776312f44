//! `utopia.iam.v1.IamService`: registration, log-in and role policies.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::iam::v1::{
    ListRolesRequest, ListRolesResponse, LoginRequest, LoginResponse, RegisterRequest, Role as WireRole, SetRolePolicyRequest,
    User, iam_service_server::IamService,
};

use super::convert;
use crate::{
    accounts::{Accounts, Registration},
    auth::{Identity, limits::Limits},
    clock::Clock,
    error::{Error, Result},
    model::{Role, RolePolicy},
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Iam {
    /// Registers people and logs them in.
    pub accounts: Accounts,
    /// Has the roles.
    pub store: Store,
    /// How often a user name may be tried.
    pub limits: Limits,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl IamService for Iam {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<User>, Status> {
        let trail = Identity::trail(&request);
        let RegisterRequest { username, password } = request.into_inner();
        self.limits.username(&username)?;
        let new = Registration { username, email: String::new(), password, role: Role::User };
        let user = self.accounts.register(new, trail).await?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let trail = Identity::trail(&request);
        let LoginRequest { username, password } = request.into_inner();
        self.limits.username(&username)?;
        let (issued, user) = self.accounts.log_in(&username, &password, trail).await?;
        Ok(Response::new(LoginResponse { token: issued.token, user: Some(convert::user(&user)) }))
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
