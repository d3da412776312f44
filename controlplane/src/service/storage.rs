//! `utopia.storage.v1.StorageService`: what is kept in object storage.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::storage::v1::{ListBucketsRequest, ListBucketsResponse, Usage, storage_service_server::StorageService};

use super::convert;
use crate::{
    auth::Identity,
    model::{PageRequest, Role},
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Knows the buckets.
    pub store: Store,
}

#[async_trait]
impl StorageService for Storage {
    async fn list_buckets(&self, request: Request<ListBucketsRequest>) -> Result<Response<ListBucketsResponse>, Status> {
        let person = Identity::of(&request).person()?;
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, 0);
        let owner = if person.role == Role::Admin { None } else { Some(person.id) };
        let (page, usage) = self.store.list_buckets(owner, window).await?;
        Ok(Response::new(ListBucketsResponse {
            buckets: page.items.into_iter().map(convert::bucket).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
            usage: Some(Usage { buckets: usage.buckets, objects: usage.objects, bytes: usage.bytes }),
        }))
    }
}
