//! `utopia.storage.v1.AccessKeyService`: people's credentials for the S3 interface.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::storage::v1::{
    AccessKey as WireAccessKey, CreateAccessKeyRequest, ListAccessKeysRequest, ListAccessKeysResponse, RevokeAccessKeyRequest,
    RevokeAccessKeyResponse, RotateAccessKeyRequest, access_key_service_server::AccessKeyService,
};

use super::{api_token::check_name, convert};
use crate::{
    auth::{Identity, Person},
    clock::Clock,
    error::Error,
    model::{PageRequest, Role, storage::AccessKey},
    s3,
    seal::Sealer,
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct AccessKeys {
    /// Has the keys.
    pub store: Store,
    /// Seals their secrets.
    pub sealer: Sealer,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl AccessKeyService for AccessKeys {
    async fn create_access_key(&self, request: Request<CreateAccessKeyRequest>) -> Result<Response<WireAccessKey>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        person.session()?;
        let CreateAccessKeyRequest { name } = request.into_inner();
        check_name(&name)?;
        let (id, secret, sealed) = s3::new_key(&self.sealer, None)?;
        let key = AccessKey {
            id,
            user_id: person.id,
            username: person.username,
            name,
            created_at: self.clock.now(),
            rotated_at: None,
            last_used_at: None,
        };
        self.store.create_access_key(&key, &sealed, &trail).await?;
        tracing::info!(user = %key.username, key = %key.id, "access key created");
        Ok(Response::new(WireAccessKey { secret, ..convert::access_key(key) }))
    }

    async fn list_access_keys(
        &self,
        request: Request<ListAccessKeysRequest>,
    ) -> Result<Response<ListAccessKeysResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, 0);
        let page = self.store.list_access_keys(owner(&person), window).await?;
        Ok(Response::new(ListAccessKeysResponse {
            access_keys: page.items.into_iter().map(convert::access_key).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn rotate_access_key(&self, request: Request<RotateAccessKeyRequest>) -> Result<Response<WireAccessKey>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        person.session()?;
        let id = &request.get_ref().id;
        let (_, secret, sealed) = s3::new_key(&self.sealer, Some(id))?;
        let key = self.store.rotate_access_key(id, person.id, &sealed, self.clock.now(), &trail).await?;
        let key = key.ok_or_else(|| Error::not_found("access key", id))?;
        tracing::info!(user = %key.username, key = %key.id, "access key rotated");
        Ok(Response::new(WireAccessKey { secret, ..convert::access_key(key) }))
    }

    async fn revoke_access_key(
        &self,
        request: Request<RevokeAccessKeyRequest>,
    ) -> Result<Response<RevokeAccessKeyResponse>, Status> {
        let (trail, person) = (Identity::trail(&request), Identity::of(&request).person()?);
        let id = &request.get_ref().id;
        if !self.store.revoke_access_key(id, owner(&person), self.clock.now(), &trail).await? {
            return Err(Error::not_found("access key", id).into());
        }
        tracing::info!(user = %person.username, key = %id, "access key revoked");
        Ok(Response::new(RevokeAccessKeyResponse { message: "Access key revoked".to_owned() }))
    }
}

/// Whose keys the person reaches: their own, or as an administrator everybody's.
fn owner(person: &Person) -> Option<i64> {
    if person.role == Role::Admin { None } else { Some(person.id) }
}
