//! `utopia.iam.v1.AccountService`: log-in and what people do with their own account.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::iam::v1::{
    Account, AccountLoginRequest, AccountRegisterRequest, CreateTestTokenRequest, GetProfileRequest, LogoutRequest,
    LogoutResponse, RefreshRequest, Session, TestToken, account_service_server::AccountService,
};

use super::{convert, validate};
use crate::{
    accounts::{Accounts, Registration},
    auth::{
        Caller, Credential, Identity,
        jwt::{self, Issued},
        limits::Limits,
    },
    error::{Error, Result},
    model::{Role, User},
};

/// The service.
#[derive(Debug, Clone)]
pub struct AccountServer {
    /// Does it.
    pub accounts: Accounts,
    /// How often a user name may be tried.
    pub limits: Limits,
}

#[async_trait]
impl AccountService for AccountServer {
    async fn login(&self, request: Request<AccountLoginRequest>) -> Result<Response<Session>, Status> {
        let trail = Identity::trail(&request);
        let AccountLoginRequest { username, password } = request.into_inner();
        self.limits.username(&username)?;
        let (issued, user) = self.accounts.log_in(&username, &password, trail).await?;
        Ok(Response::new(session(issued, &user)))
    }

    async fn register(&self, request: Request<AccountRegisterRequest>) -> Result<Response<Account>, Status> {
        let (trail, caller) = (Identity::trail(&request), Identity::of(&request).caller);
        let AccountRegisterRequest { username, email, password, role } = request.into_inner();
        self.limits.username(&username)?;
        let role = if may_name_roles(&caller) && !role.is_empty() { validate::role("role", &role)? } else { Role::User };
        let user = self.accounts.register(Registration { username, email, password, role }, trail).await?;
        Ok(Response::new(convert::account(&user)))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<Session>, Status> {
        let trail = Identity::trail(&request);
        let (issued, user) = self.accounts.refresh(&request.get_ref().token, trail).await?;
        Ok(Response::new(session(issued, &user)))
    }

    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Result<Response<Account>, Status> {
        let person = Identity::of(&request).person()?;
        Ok(Response::new(convert::account(&*self.accounts.own(&person).await?)))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let session = match person.credential {
            Credential::Session(session) => session,
            Credential::ApiToken(_) => {
                let message = "an API token is no session: revoke it instead".to_owned();
                return Err(Error::FailedPrecondition { reason: "NotASession".into(), message }.into());
            }
        };
        self.accounts.log_out(session, &Identity::trail(&request)).await?;
        tracing::info!(user = %person.username, "logged out");
        Ok(Response::new(LogoutResponse { message: "Logged out".to_owned() }))
    }

    async fn create_test_token(&self, request: Request<CreateTestTokenRequest>) -> Result<Response<TestToken>, Status> {
        let issued = self.accounts.test_token(Identity::trail(&request)).await?;
        Ok(Response::new(TestToken { token: issued.token }))
    }
}

fn may_name_roles(caller: &Caller) -> bool {
    match caller {
        Caller::Person(person) => person.role == Role::Admin,
        Caller::Anonymous | Caller::Node(_) | Caller::Host(_) | Caller::Gateway => false,
    }
}

fn session(issued: Issued, user: &User) -> Session {
    Session { token: issued.token, expires_in: jwt::LIFETIME.as_secs(), user: Some(convert::account(user)) }
}
