//! Operations on buckets.

use s3s::{S3Request, S3Result, dto::*, s3_error};

use super::{super::front::answer, Embedded, caller, timestamp};
use crate::store::BucketRemoval;

/// The most buckets of one answer.
const MAX_BUCKETS: i32 = 1_000;

impl Embedded {
    pub(super) async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
        let caller = caller(&request)?.clone();
        let ListBucketsInput { prefix, continuation_token, max_buckets, .. } = request.input;
        let limit = max_buckets.unwrap_or(MAX_BUCKETS).clamp(1, MAX_BUCKETS);
        let after = continuation_token.unwrap_or_default();
        let wanted = prefix.as_deref().unwrap_or_default();
        let found = self.store.buckets_after(caller.scope(), wanted, &after, i64::from(limit) + 1).await.map_err(answer)?;
        let is_more = found.len() > usize::try_from(limit).unwrap_or_default();
        let buckets = found.into_iter().take(usize::try_from(limit).unwrap_or_default()).collect::<Vec<_>>();
        let continuation_token = buckets.last().filter(|_| is_more).map(|bucket| bucket.name.clone());
        let buckets = buckets.into_iter().map(|bucket| Bucket {
            name: Some(bucket.name),
            creation_date: Some(timestamp(bucket.created_at)),
            bucket_region: Some(self.region.to_string()),
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            owner: Some(Owner { id: Some(caller.id.to_string()), display_name: Some(caller.name.to_string()) }),
            continuation_token,
            prefix,
        })
    }

    pub(super) async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<CreateBucketOutput> {
        let caller = caller(&request)?;
        let name = &request.input.bucket;
        if !self.store.create_bucket(name, caller.id, self.clock.now()).await.map_err(answer)? {
            let there = self.store.bucket(name).await.map_err(answer)?;
            return Err(if there.is_some_and(|there| there.owner_id == caller.id) {
                s3_error!(BucketAlreadyOwnedByYou, "You have a bucket of this name already")
            } else {
                s3_error!(BucketAlreadyExists, "Somebody has a bucket of this name")
            });
        }
        tracing::info!(user = %caller.name, bucket = %name, "bucket created");
        Ok(CreateBucketOutput { location: Some(format!("/{name}")) })
    }

    /// The gate has found the bucket.
    pub(super) async fn head_bucket(&self, _: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
        std::future::ready(Ok(HeadBucketOutput { bucket_region: Some(self.region.to_string()), ..Default::default() })).await
    }

    pub(super) async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<DeleteBucketOutput> {
        let name = &request.input.bucket;
        match self.store.delete_bucket(name, self.clock.now()).await.map_err(answer)? {
            BucketRemoval::Done => {
                tracing::info!(user = %caller(&request)?.name, bucket = %name, "bucket deleted");
                Ok(DeleteBucketOutput::default())
            }
            BucketRemoval::NotEmpty => Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")),
            BucketRemoval::NoSuchBucket => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")),
        }
    }

    pub(super) async fn get_bucket_location(&self, _: S3Request<GetBucketLocationInput>) -> S3Result<GetBucketLocationOutput> {
        // S3 says nothing of its first region.
        let region = (&*self.region != "us-east-1").then(|| BucketLocationConstraint::from(self.region.to_string()));
        std::future::ready(Ok(GetBucketLocationOutput { location_constraint: region })).await
    }

    /// There are no versions.
    pub(super) async fn get_bucket_versioning(
        &self,
        _: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        std::future::ready(Ok(GetBucketVersioningOutput::default())).await
    }
}
