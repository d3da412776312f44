//! `utopia.iam.v1.UserService`: everybody's accounts for administrators, and one's own. To anybody else an account does not exist.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::iam::v1::{
    Account, ChangePasswordRequest, ChangePasswordResponse, CreateUserRequest, DeleteUserRequest, DeleteUserResponse,
    GetUserRequest, ListUsersRequest, ListUsersResponse, UnlockUserRequest, UpdateUserRequest, user_service_server::UserService,
};

use super::{convert, validate};
use crate::{
    accounts::{Accounts, Proof, Registration},
    auth::{Identity, Person},
    error::{Error, Result},
    link::Hub,
    model::{
        PageRequest, Role, User,
        people::{UserChange, UserFilter},
    },
    reconcile::changes::Changes,
    store::Store,
};

/// The longest text to search for, in bytes.
const MAX_SEARCH: usize = 254;

/// The service.
#[derive(Debug, Clone)]
pub struct Users {
    /// Does it.
    pub accounts: Accounts,
    /// Has the users.
    pub store: Store,
    /// Learns that a deleted user's claims are to be released.
    pub hub: Hub,
    /// Tells who watches these claims.
    pub changes: Changes,
}

#[async_trait]
impl UserService for Users {
    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let ListUsersRequest { page, limit, page_size, role, search } = request.into_inner();
        validate::text("search", &search, MAX_SEARCH)?;
        let role = if role.is_empty() { None } else { Some(validate::role("role", &role)?) };
        let window = PageRequest::new(page, limit, page_size);
        let page = self.store.list_users(&UserFilter { role, search }, window).await?;
        Ok(Response::new(ListUsersResponse {
            users: page.items.iter().map(convert::account).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<Account>, Status> {
        let trail = Identity::trail(&request);
        let CreateUserRequest { username, email, password, role } = request.into_inner();
        let role = if role.is_empty() { Role::User } else { validate::role("role", &role)? };
        let user = self.accounts.register(Registration { username, email, password, role }, trail).await?;
        Ok(Response::new(convert::account(&user)))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<Account>, Status> {
        let person = Identity::of(&request).person()?;
        let user = self.find(&person, &request.get_ref().id).await?;
        Ok(Response::new(convert::account(&user)))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<Account>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        let UpdateUserRequest { id, email, role } = request.into_inner();
        let user = self.find(&person, &id).await?;
        let role = role.map(|word| validate::role("role", &word)).transpose()?;
        let role = if person.id == user.id { own_role(&user, role)? } else { role };
        let updated = self.accounts.update(&user, UserChange { email, role }, &trail).await?;
        Ok(Response::new(convert::account(&updated)))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<DeleteUserResponse>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        let DeleteUserRequest { id, force } = request.into_inner();
        let user = self.find(&person, &id).await?;
        let deleted = self.accounts.delete(&user, force, &trail).await?;
        for claim in &deleted.claims {
            self.changes.publish(*claim);
        }
        self.hub.changed();
        Ok(Response::new(DeleteUserResponse { message: "User deleted successfully".to_owned() }))
    }

    async fn change_password(&self, request: Request<ChangePasswordRequest>) -> Result<Response<ChangePasswordResponse>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        person.session()?;
        let ChangePasswordRequest { id, old_password, new_password } = request.into_inner();
        let user = self.find(&person, &id).await?;
        let proof = if person.id == user.id { Proof::OldPassword(&old_password) } else { Proof::Administrator };
        self.accounts.change_password(&user, proof, &new_password, &trail).await?;
        Ok(Response::new(ChangePasswordResponse { message: "Password updated successfully".to_owned() }))
    }

    async fn unlock_user(&self, request: Request<UnlockUserRequest>) -> Result<Response<Account>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        let user = self.find(&person, &request.get_ref().id).await?;
        self.accounts.unlock(&user, &trail).await?;
        Ok(Response::new(convert::account(&user)))
    }
}

impl Users {
    /// A user whom the person may know of: themselves, or anybody for an administrator.
    async fn find(&self, person: &Person, id: &str) -> Result<User> {
        let id = validate::id("user", id)?;
        let user = self.store.user_by_uuid(id).await?;
        let visible = user.filter(|user| user.id == person.id || person.role == Role::Admin);
        visible.ok_or_else(|| Error::not_found("user", id))
    }
}

/// Nobody changes their own role; to name the present one changes nothing.
fn own_role(user: &User, role: Option<Role>) -> Result<Option<Role>> {
    if role.is_none_or(|role| role == user.role) {
        return Ok(None);
    }
    Err(Error::Denied { reason: "OwnRole", message: "nobody can change their own role".to_owned() })
}
