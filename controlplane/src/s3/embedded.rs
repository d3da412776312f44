//! The embedded store: which objects there are is in the database, their content in files.
//!
//! An object is seen when its row is committed, which is after its content is on disk: never in part. Copies and completed uploads
//! share files and move no content. What S3 has beyond that (versions, tags, policies, locks) is refused as not implemented.

mod buckets;
mod listing;
mod multipart;
mod objects;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto, s3_error};

use super::{
    blobs::{Blobs, WriteError, Written},
    front::{answer, source_failed},
    gate::Caller,
};
use crate::{
    clock::Clock,
    error::Error,
    model::storage::{Condition, Match},
    store::{Attempt, Refusal, Store},
};

/// The most bytes of one upload, or of one part.
const MAX_PUT_BYTES: u64 = 5 << 30;

/// The embedded store.
#[derive(Debug, Clone)]
pub(super) struct Embedded {
    store: Store,
    blobs: Blobs,
    clock: Clock,
    region: Arc<str>,
}

impl Embedded {
    pub(super) fn new(store: Store, blobs: Blobs, clock: Clock, region: &str) -> Self {
        Self { store, blobs, clock, region: region.into() }
    }
}

/// Implements operations by the methods of the same names.
macro_rules! operations {
    ($($method:ident: $input:ident -> $output:ident),* $(,)?) => {
        #[async_trait]
        impl S3 for Embedded {
            $(async fn $method(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                self.$method(request).await.map(S3Response::new)
            })*

            async fn get_object(&self, request: S3Request<dto::GetObjectInput>) -> S3Result<S3Response<dto::GetObjectOutput>> {
                self.get_object(request).await
            }

            async fn head_object(&self, request: S3Request<dto::HeadObjectInput>) -> S3Result<S3Response<dto::HeadObjectOutput>> {
                self.head_object(request).await
            }
        }
    };
}

operations! {
    list_buckets: ListBucketsInput -> ListBucketsOutput,
    create_bucket: CreateBucketInput -> CreateBucketOutput,
    head_bucket: HeadBucketInput -> HeadBucketOutput,
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput,
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput,
    get_bucket_versioning: GetBucketVersioningInput -> GetBucketVersioningOutput,
    list_objects: ListObjectsInput -> ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
    put_object: PutObjectInput -> PutObjectOutput,
    copy_object: CopyObjectInput -> CopyObjectOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput,
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput,
    upload_part: UploadPartInput -> UploadPartOutput,
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput,
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput,
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput,
    list_parts: ListPartsInput -> ListPartsOutput,
    list_multipart_uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput,
}

/// Who asks. The gate lets nobody through who is not known.
fn caller<T>(request: &S3Request<T>) -> S3Result<&Caller> {
    request.extensions.get().ok_or_else(|| s3_error!(AccessDenied, "The request is not signed"))
}

/// What a client is told of a change that was not made.
fn attempted<T>(attempt: Attempt<T>) -> S3Result<T> {
    attempt.map_err(answer)?.map_err(|refusal| match refusal {
        Refusal::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
        Refusal::NoSuchObject => no_such_key(),
        Refusal::NoSuchUpload => no_such_upload(),
        Refusal::PartChanged => s3_error!(InvalidPart, "One or more of the specified parts could not be found"),
        Refusal::Condition => s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"),
    })
}

/// What a client is told of content that something refers to now, or that was refused. Only the latter is removed: of a change that
/// failed halfway nobody knows whether it holds.
fn settled<T>(written: Written, attempt: Attempt<T>) -> S3Result<T> {
    if !matches!(attempt, Ok(Err(_))) {
        written.blob.keep();
    }
    attempted(attempt)
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist")
}

fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified upload does not exist. It may have been aborted or completed")
}

/// What a client is told of content that could not be written.
fn write_failed(error: WriteError) -> S3Error {
    match error {
        WriteError::TooLarge => s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size"),
        WriteError::Disk(error)
            if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) =>
        {
            tracing::error!(%error, "an upload is refused: see UTOPIA_DATA_DIR");
            let mut full =
                S3Error::with_message(S3ErrorCode::Custom("InsufficientStorage".into()), "There is no room left for the upload");
            full.set_status_code(http::StatusCode::INSUFFICIENT_STORAGE);
            full
        }
        WriteError::Disk(error) => answer(Error::internal("write an upload", error)),
        WriteError::Source(error) => source_failed(&error.to_string()),
    }
}

/// The content of a request, which must be as long as was said.
fn content(body: Option<dto::StreamingBlob>) -> dto::StreamingBlob {
    body.unwrap_or_else(|| s3s::Body::empty().into())
}

/// The condition of a change.
fn condition(over: Option<dto::ETagCondition>, unless: Option<dto::ETagCondition>) -> Condition {
    let wanted = |condition| match condition {
        dto::ETagCondition::Any => Match::Any,
        dto::ETagCondition::ETag(etag) => Match::Etag(etag.into_value()),
    };
    Condition { over: over.map(wanted), unless: unless.map(wanted) }
}

fn strong(etag: &str) -> dto::ETag {
    dto::ETag::Strong(etag.to_owned())
}

fn timestamp(at: Timestamp) -> dto::Timestamp {
    std::time::SystemTime::from(at).into()
}

/// A size as messages have it.
fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
