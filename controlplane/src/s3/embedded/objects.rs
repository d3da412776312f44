//! Operations on objects.

use std::ops::Range as Span;

use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::StreamBody;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto, dto::*, s3_error};
use uuid::Uuid;

use super::{
    super::{
        front::answer,
        gate::sayable,
        sums::{Fields, Promise, kind},
    },
    Embedded, MAX_PUT_BYTES, attempted, condition, content, no_such_key, settled, size, strong, timestamp, write_failed,
};
use crate::{
    error::Error,
    model::storage::{self, Attributes, Condition, Segment},
    store::NewObject,
};

/// Reads what is kept with an object from a message that has it.
macro_rules! attributes {
    ($input:expr) => {
        Attributes {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires_ms: $input.expires.take().and_then($crate::s3::embedded::objects::milliseconds),
            redirect: $input.website_redirect_location.take(),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
            checksum: None,
            algorithm: None,
            sums_whole: false,
        }
    };
}
pub(super) use attributes;

/// Reads the sums in a message that has them.
macro_rules! sums {
    ($input:expr) => {
        Fields {
            crc32: $input.checksum_crc32.take(),
            crc32c: $input.checksum_crc32c.take(),
            crc64nvme: $input.checksum_crc64nvme.take(),
            sha1: $input.checksum_sha1.take(),
            sha256: $input.checksum_sha256.take(),
        }
    };
}
pub(super) use sums;

/// Reads what a message says of the content that comes with it.
macro_rules! promise {
    ($request:expr) => {{
        let input = &mut $request.input;
        let fields = sums!(input);
        let (md5, asked) = (input.content_md5.as_deref(), input.checksum_algorithm.as_ref());
        Promise::read(fields, md5, asked, &$request.headers, &$request.extensions)
    }};
}
pub(super) use promise;

/// Writes what is known of an object into a message that has it.
macro_rules! describe {
    ($output:ident, $object:expr, $shows_checksum:expr) => {{
        let object = $object;
        let checksum = object.attributes.checksum.as_ref().filter(|_| $shows_checksum);
        let fields = Fields::from(checksum);
        $output {
            accept_ranges: Some("bytes".to_owned()),
            checksum_type: checksum.map(kind),
            checksum_crc32: fields.crc32,
            checksum_crc32c: fields.crc32c,
            checksum_crc64nvme: fields.crc64nvme,
            checksum_sha1: fields.sha1,
            checksum_sha256: fields.sha256,
            content_type: Some(object.attributes.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())),
            content_encoding: object.attributes.content_encoding.clone(),
            content_disposition: object.attributes.content_disposition.clone(),
            content_language: object.attributes.content_language.clone(),
            cache_control: object.attributes.cache_control.clone(),
            expires: object.attributes.expires_ms.and_then(expires),
            website_redirect_location: object.attributes.redirect.clone(),
            metadata: Some(object.attributes.metadata.clone().into_iter().collect()),
            e_tag: Some(strong(&object.etag)),
            last_modified: Some(timestamp(object.modified_at)),
            ..Default::default()
        }
    }};
}

/// When a reader wants an object.
struct Wanted {
    matches: Option<ETagCondition>,
    differs: Option<ETagCondition>,
    since: Option<dto::Timestamp>,
    until: Option<dto::Timestamp>,
}

/// Which part of an object a reader wants.
struct Slice {
    range: Span<u64>,
    /// `Content-Range`, when it is not everything.
    shown: Option<String>,
    parts: Option<i32>,
}

impl Embedded {
    pub(super) async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let promise = promise!(request)?;
        let mut input = request.input;
        let condition = condition(input.if_match.take(), input.if_none_match.take());
        // Who cannot succeed need not send anything: the change itself looks again.
        if condition != Condition::default() {
            let there = self.store.object(&input.bucket, &input.key).await.map_err(answer)?;
            if !condition.holds(there.as_ref().map(|there| &*there.etag)) {
                return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
            }
        }
        let mut attributes = attributes!(input);
        let written = self.blobs.write(content(input.body.take()), MAX_PUT_BYTES, promise.summing()).await;
        let written = written.map_err(write_failed)?;
        if input.content_length.is_some_and(|length| size(written.sums.size) != length) {
            return Err(s3_error!(IncompleteBody, "The request body is not as long as was said"));
        }
        promise.verify(&written.sums)?;
        attributes.checksum.clone_from(&written.sums.checksum);
        let (etag, segment) = (written.sums.etag(), written.segment());
        let new = NewObject { bucket: &input.bucket, key: &input.key, id: Uuid::new_v4(), etag: &etag, attributes: &attributes };
        let put = self.store.put_object(new, &[segment], &condition, self.clock.now()).await;
        settled(written, put)?;
        let fields = Fields::from(attributes.checksum.as_ref());
        Ok(PutObjectOutput {
            e_tag: Some(strong(&etag)),
            checksum_type: attributes.checksum.as_ref().map(kind),
            checksum_crc32: fields.crc32,
            checksum_crc32c: fields.crc32c,
            checksum_crc64nvme: fields.crc64nvme,
            checksum_sha1: fields.sha1,
            checksum_sha256: fields.sha256,
            ..Default::default()
        })
    }

    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        let wanted = Wanted {
            matches: input.if_match,
            differs: input.if_none_match,
            since: input.if_modified_since,
            until: input.if_unmodified_since,
        };
        wanted.check(&object)?;
        let segments = self.store.segments(object.id).await.map_err(answer)?;
        let slice = slice(&object, &segments, input.range, input.part_number)?;
        let length = slice.range.end - slice.range.start;
        let stream = self.blobs.read(&segments, slice.range).await;
        let stream = stream.map_err(|error| answer(Error::internal("read an object", error)))?;
        let body = s3s::Body::http_body_unsync(StreamBody::new(stream.map_ok(http_body::Frame::data)));
        let shows_checksum = input.checksum_mode.is_some() && slice.shown.is_none();
        let output = GetObjectOutput {
            body: Some(body.into()),
            content_length: Some(size(length)),
            content_range: slice.shown.clone(),
            parts_count: slice.parts,
            ..describe!(GetObjectOutput, &object, shows_checksum)
        };
        Ok(partial(output, slice.shown.is_some()))
    }

    pub(super) async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        let wanted = Wanted {
            matches: input.if_match,
            differs: input.if_none_match,
            since: input.if_modified_since,
            until: input.if_unmodified_since,
        };
        wanted.check(&object)?;
        let segments = match input.part_number {
            Some(_) => self.store.segments(object.id).await.map_err(answer)?,
            None => Vec::new(),
        };
        let slice = slice(&object, &segments, input.range, input.part_number)?;
        let shows_checksum = input.checksum_mode.is_some() && slice.shown.is_none();
        let output = HeadObjectOutput {
            content_length: Some(size(slice.range.end - slice.range.start)),
            content_range: slice.shown.clone(),
            parts_count: slice.parts,
            ..describe!(HeadObjectOutput, &object, shows_checksum)
        };
        Ok(partial(output, slice.shown.is_some()))
    }

    pub(super) async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        let mut input = request.input;
        let (bucket, source) = self.source(&input.copy_source).await?;
        let wanted = Wanted {
            matches: input.copy_source_if_match.take(),
            differs: input.copy_source_if_none_match.take(),
            since: input.copy_source_if_modified_since.take(),
            until: input.copy_source_if_unmodified_since.take(),
        };
        wanted.check_source(&source)?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|word| word.as_str() == MetadataDirective::REPLACE);
        if !replaces && bucket == input.bucket && source.key == input.key {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal: it copies an object to itself without changing anything"
            ));
        }
        let attributes = if replaces {
            Attributes { checksum: source.attributes.checksum.clone(), ..attributes!(input) }
        } else {
            source.attributes.clone()
        };
        let now = self.clock.now();
        let new =
            NewObject { bucket: &input.bucket, key: &input.key, id: Uuid::new_v4(), etag: &source.etag, attributes: &attributes };
        attempted(self.store.copy_object(new, (&*bucket, source.id), &Condition::default(), now).await)?;
        let result =
            CopyObjectResult { e_tag: Some(strong(&source.etag)), last_modified: Some(timestamp(now)), ..Default::default() };
        Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    pub(super) async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
        let DeleteObjectInput { bucket, key, if_match, .. } = request.input;
        let condition = condition(if_match, None);
        attempted(self.store.delete_objects(&bucket, &[key], &condition, self.clock.now()).await)?;
        Ok(DeleteObjectOutput::default())
    }

    pub(super) async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.len() > 1_000 {
            return Err(s3_error!(MalformedXML, "At most 1,000 objects can be deleted at once"));
        }
        let keys = delete.objects.into_iter().map(|object| object.key).collect::<Vec<_>>();
        keys.iter().try_for_each(|key| sayable(key))?;
        attempted(self.store.delete_objects(&bucket, &keys, &Condition::default(), self.clock.now()).await)?;
        let deleted = keys.into_iter().map(|key| DeletedObject { key: Some(key), ..Default::default() });
        let quiet = delete.quiet.unwrap_or_default();
        Ok(DeleteObjectsOutput { deleted: (!quiet).then(|| deleted.collect()), ..Default::default() })
    }

    /// The object that a copy is made of, with its bucket.
    pub(super) async fn source(&self, source: &CopySource) -> S3Result<(String, storage::Object)> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "A copy source must be bucket/key"));
        };
        Ok((bucket.to_string(), self.find(bucket, key, version_id.as_deref()).await?))
    }

    async fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<storage::Object> {
        if version.is_some_and(|version| version != "null") {
            return Err(s3_error!(NoSuchVersion, "There are no versions of objects here"));
        }
        self.store.object(bucket, key).await.map_err(answer)?.ok_or_else(no_such_key)
    }
}

impl Wanted {
    /// Refuses an object that a reader does not want.
    fn check(&self, object: &storage::Object) -> S3Result<()> {
        if self.is_other(object) {
            return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        }
        if self.is_known(object) {
            let mut same = S3Error::new(S3ErrorCode::NotModified);
            let etag = HeaderValue::try_from(format!("\"{}\"", object.etag));
            same.set_headers(etag.into_iter().map(|etag| (header::ETAG, etag)).collect::<HeaderMap>());
            return Err(same);
        }
        Ok(())
    }

    /// The same for one to copy from.
    pub(super) fn check_source(&self, object: &storage::Object) -> S3Result<()> {
        if self.is_other(object) || self.is_known(object) {
            return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        }
        Ok(())
    }

    fn is_other(&self, object: &storage::Object) -> bool {
        match (&self.matches, &self.until) {
            (Some(wanted), _) => !is_etag(wanted, object),
            (None, Some(until)) => seconds(object) > *until,
            (None, None) => false,
        }
    }

    fn is_known(&self, object: &storage::Object) -> bool {
        match (&self.differs, &self.since) {
            (Some(known), _) => is_etag(known, object),
            (None, Some(since)) => seconds(object) <= *since,
            (None, None) => false,
        }
    }
}

fn is_etag(condition: &ETagCondition, object: &storage::Object) -> bool {
    condition.as_etag().is_none_or(|etag| etag.value() == object.etag)
}

/// HTTP's times are whole seconds.
fn seconds(object: &storage::Object) -> dto::Timestamp {
    let whole = jiff::Timestamp::from_second(object.modified_at.as_second());
    timestamp(whole.unwrap_or(object.modified_at))
}

fn slice(object: &storage::Object, segments: &[Segment], range: Option<Range>, part: Option<i32>) -> S3Result<Slice> {
    let whole = 0..object.size;
    let (range, parts) = match (range, part) {
        (None, None) => return Ok(Slice { range: whole, shown: None, parts: None }),
        (Some(_), Some(_)) => {
            return Err(s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter"));
        }
        (Some(range), None) => (range.check(object.size)?, None),
        (None, Some(number)) => {
            let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
            let found = index.and_then(|index| Some((index, segments.get(index)?)));
            let (index, segment) = found.ok_or_else(|| {
                let mut error = s3_error!(InvalidRange, "The requested partnumber is not satisfiable");
                error.set_code(S3ErrorCode::Custom("InvalidPartNumber".into()));
                error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
                error
            })?;
            let start = segments[..index].iter().map(|segment| segment.size).sum::<u64>();
            (start..start + segment.size, i32::try_from(segments.len()).ok())
        }
    };
    let shown = (!range.is_empty()).then(|| format!("bytes {}-{}/{}", range.start, range.end - 1, object.size));
    Ok(Slice { range, shown, parts })
}

/// An answer that says when it is not everything.
fn partial<T>(output: T, is_partial: bool) -> S3Response<T> {
    let mut response = S3Response::new(output);
    response.status = is_partial.then_some(StatusCode::PARTIAL_CONTENT);
    response
}

/// `Expires` as it is kept.
pub(super) fn milliseconds(at: dto::Timestamp) -> Option<i64> {
    let mut text = Vec::new();
    at.format(TimestampFormat::DateTime, &mut text).ok()?;
    let at: jiff::Timestamp = std::str::from_utf8(&text).ok()?.parse().ok()?;
    Some(at.as_millisecond())
}

fn expires(ms: i64) -> Option<dto::Timestamp> {
    jiff::Timestamp::from_millisecond(ms).ok().map(timestamp)
}
