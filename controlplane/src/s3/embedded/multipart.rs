//! Uploads in parts. An upload's id becomes its object's, so that who completes it twice is told the same.

use futures_util::TryStreamExt as _;
use s3s::{S3Request, S3Result, dto, dto::*, s3_error};
use uuid::Uuid;

use super::{
    super::{
        front::answer,
        sums::{Fields, Promise, checksum_of_parts, checksum_of_whole, combines, etag_of_parts, kind},
    },
    Embedded, MAX_PUT_BYTES, attempted, condition, content,
    listing::Encoding,
    no_such_upload,
    objects::{attributes, promise, sums},
    settled, size, strong, timestamp, write_failed,
};
use crate::{
    error::Error,
    model::storage::{self, Algorithm, Attributes},
    store::NewObject,
};

/// The most parts of an upload.
const MAX_PARTS: i32 = 10_000;

/// The least bytes of a part that is not the last.
const MIN_PART_BYTES: u64 = 5 << 20;

/// The most parts or uploads of one answer.
const MAX_LISTED: i32 = 1_000;

impl Embedded {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let mut input = request.input;
        let algorithm = input.checksum_algorithm.as_ref().and_then(|algorithm| Algorithm::named(algorithm.as_str()));
        // Sums of this kind are always of all content.
        let sums_whole = algorithm == Some(Algorithm::Crc64Nvme)
            || input.checksum_type.as_ref().is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT);
        if sums_whole && !algorithm.is_some_and(combines) {
            return Err(s3_error!(InvalidRequest, "The FULL_OBJECT checksum type cannot be used with this checksum algorithm"));
        }
        let attributes = Attributes { algorithm, sums_whole, ..attributes!(input) };
        let upload = storage::Upload { id: Uuid::new_v4(), key: input.key, attributes, created_at: self.clock.now() };
        if !self.store.create_upload(&input.bucket, &upload).await.map_err(answer)? {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(upload.key),
            upload_id: Some(upload.id.to_string()),
            checksum_type: algorithm.map(|_| upload_kind(sums_whole)),
            checksum_algorithm: input.checksum_algorithm,
            ..Default::default()
        })
    }

    pub(super) async fn upload_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let promise = promise!(request)?;
        let mut input = request.input;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let promise = promise.or_summed(upload.attributes.algorithm);
        let body = content(input.body.take());
        let target = (&*input.bucket, upload.id, input.part_number);
        let part = self.put_part(target, body, &promise, input.content_length).await?;
        let fields = Fields::from(part.checksum.as_ref());
        Ok(UploadPartOutput {
            e_tag: Some(strong(&part.etag)),
            checksum_crc32: fields.crc32,
            checksum_crc32c: fields.crc32c,
            checksum_crc64nvme: fields.crc64nvme,
            checksum_sha1: fields.sha1,
            checksum_sha256: fields.sha256,
            ..Default::default()
        })
    }

    pub(super) async fn upload_part_copy(&self, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
        let input = request.input;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id).await?;
        let (_, source) = self.source(&input.copy_source).await?;
        let whole = 0..source.size;
        let range = match input.copy_source_range.as_deref() {
            None => whole,
            Some(range) => {
                let parsed =
                    Range::parse(range).map_err(|_| s3_error!(InvalidArgument, "x-amz-copy-source-range is not valid"))?;
                parsed.check(source.size)?
            }
        };
        let segments = self.store.segments(source.id).await.map_err(answer)?;
        let read = self.blobs.read(&segments, range).await;
        let read = read.map_err(|error| answer(Error::internal("read an object", error)))?;
        let body = s3s::Body::http_body_unsync(http_body_util::StreamBody::new(read.map_ok(http_body::Frame::data)));
        let promise = Promise::default().or_summed(upload.attributes.algorithm);
        let part = self.put_part((&*input.bucket, upload.id, input.part_number), body.into(), &promise, None).await?;
        let fields = Fields::from(part.checksum.as_ref());
        let result = CopyPartResult {
            e_tag: Some(strong(&part.etag)),
            last_modified: Some(timestamp(part.modified_at)),
            checksum_crc32: fields.crc32,
            checksum_crc32c: fields.crc32c,
            checksum_crc64nvme: fields.crc64nvme,
            checksum_sha1: fields.sha1,
            checksum_sha256: fields.sha256,
        };
        Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let mut input = request.input;
        let promised = sums!(input).first();
        let id = upload_id(&input.upload_id)?;
        let Some(upload) = self.store.upload(&input.bucket, &input.key, id).await.map_err(answer)? else {
            // Whoever lost the answer asks again.
            let there = self.store.object(&input.bucket, &input.key).await.map_err(answer)?;
            let there = there.filter(|there| there.id == id).ok_or_else(no_such_upload)?;
            return Ok(completed(input.bucket, input.key, &there.etag, there.attributes.checksum.as_ref()));
        };
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let there = self.store.parts(id, 0, i64::from(MAX_PARTS)).await.map_err(answer)?;
        let parts = chosen(wanted, there)?;
        let etag = etag_of_parts(parts.iter().map(|part| &*part.etag));
        let etag = etag.ok_or_else(|| answer(Error::internal("complete an upload", "a part's entity tag is no MD5")))?;
        let sum = if upload.attributes.sums_whole { checksum_of_whole } else { checksum_of_parts };
        let checksum = upload.attributes.algorithm.and_then(|algorithm| sum(algorithm, &parts));
        if promised.is_some() && promised != checksum {
            return Err(s3_error!(BadDigest, "The checksum you specified did not match the calculated checksum"));
        }
        let attributes = Attributes { checksum, algorithm: None, sums_whole: false, ..upload.attributes };
        let new = NewObject { bucket: &input.bucket, key: &input.key, id, etag: &etag, attributes: &attributes };
        let condition = condition(input.if_match, input.if_none_match);
        attempted(self.store.complete_upload(new, &parts, &condition, self.clock.now()).await)?;
        Ok(completed(input.bucket, input.key, &etag, attributes.checksum.as_ref()))
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        let upload = self.upload(&bucket, &key, &upload_id).await?;
        if !self.store.abort_upload(&bucket, upload.id, self.clock.now()).await.map_err(answer)? {
            return Err(no_such_upload());
        }
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        let ListPartsInput { bucket, key, upload_id, max_parts, part_number_marker, .. } = request.input;
        let upload = self.upload(&bucket, &key, &upload_id).await?;
        let limit = max_parts.unwrap_or(MAX_LISTED).clamp(0, MAX_LISTED);
        let marker = part_number_marker.unwrap_or_default();
        let mut parts = self.store.parts(upload.id, marker, i64::from(limit) + 1).await.map_err(answer)?;
        let is_truncated = parts.len() > usize::try_from(limit).unwrap_or_default();
        parts.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(ListPartsOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            max_parts: Some(limit),
            part_number_marker: Some(marker),
            next_part_number_marker: parts.last().map(|part| part.number),
            is_truncated: Some(is_truncated),
            checksum_algorithm: upload.attributes.algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: upload.attributes.algorithm.map(|_| upload_kind(upload.attributes.sums_whole)),
            parts: Some(parts.into_iter().map(listed).collect()),
            ..Default::default()
        })
    }

    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        let ListMultipartUploadsInput {
            bucket, prefix, key_marker, upload_id_marker, max_uploads, encoding_type, delimiter, ..
        } = request.input;
        if delimiter.is_some() {
            return Err(s3_error!(NotImplemented, "Uploads cannot be listed with a delimiter"));
        }
        let encode = Encoding::of(encoding_type.as_ref());
        let limit = usize::try_from(max_uploads.unwrap_or(MAX_LISTED).clamp(1, MAX_LISTED)).unwrap_or(1);
        let wanted = prefix.as_deref().unwrap_or_default();
        // Without an id, all uploads of the marker's key are past; `~` comes after every id.
        let id = upload_id_marker.as_deref().unwrap_or(if key_marker.is_some() { "~" } else { "" });
        let mut after = (key_marker.clone().unwrap_or_default(), id.to_owned());
        if after.0.as_str() < wanted {
            after = (wanted.to_owned(), String::new());
        }
        let marker = (after.0.as_bytes(), &*after.1);
        let mut uploads =
            self.store.uploads_after(&bucket, marker, i64::try_from(limit).unwrap_or(1) + 1).await.map_err(answer)?;
        uploads.retain(|upload| upload.key.starts_with(wanted));
        let is_truncated = uploads.len() > limit;
        uploads.truncate(limit);
        let last = uploads.last().filter(|_| is_truncated);
        Ok(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix: prefix.map(|prefix| encode.text(prefix)),
            key_marker: Some(encode.text(key_marker.unwrap_or_default())),
            upload_id_marker,
            max_uploads: i32::try_from(limit).ok(),
            is_truncated: Some(is_truncated),
            next_key_marker: last.map(|last| encode.text(last.key.clone())),
            next_upload_id_marker: last.map(|last| last.id.to_string()),
            uploads: Some(uploads.into_iter().map(|upload| going_on(upload, encode)).collect()),
            encoding_type,
            ..Default::default()
        })
    }

    async fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<storage::Upload> {
        self.store.upload(bucket, key, upload_id(id)?).await.map_err(answer)?.ok_or_else(no_such_upload)
    }

    /// Writes a part.
    async fn put_part(
        &self,
        (bucket, upload, number): (&str, Uuid, i32),
        body: StreamingBlob,
        promise: &Promise,
        length: Option<i64>,
    ) -> S3Result<storage::Part> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        let written = self.blobs.write(body, MAX_PUT_BYTES, promise.summing()).await.map_err(write_failed)?;
        if length.is_some_and(|length| size(written.sums.size) != length) {
            return Err(s3_error!(IncompleteBody, "The request body is not as long as was said"));
        }
        promise.verify(&written.sums)?;
        let part = storage::Part {
            number,
            segment: written.segment(),
            etag: written.sums.etag(),
            checksum: written.sums.checksum.clone(),
            modified_at: self.clock.now(),
        };
        let put = self.store.put_part(bucket, upload, &part).await;
        settled(written, put)?;
        Ok(part)
    }
}

fn upload_id(text: &str) -> S3Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| no_such_upload())
}

/// The parts that the client names, which must be there, ascend, and be large enough.
fn chosen(wanted: Vec<CompletedPart>, there: Vec<storage::Part>) -> S3Result<Vec<storage::Part>> {
    let mut there = there.into_iter();
    let mut parts = Vec::<storage::Part>::with_capacity(wanted.len());
    for mut part in wanted {
        let number = part.part_number.ok_or_else(|| s3_error!(MalformedXML, "A part has no number"))?;
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order"));
        }
        if parts.last().is_some_and(|last| last.segment.size < MIN_PART_BYTES) {
            return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
        }
        let found = there.find(|there| there.number == number);
        let found = found.filter(|there| part.e_tag.as_ref().is_none_or(|etag| etag.value() == there.etag));
        let promised = sums!(part).first();
        let found = found.filter(|there| promised.is_none() || promised == there.checksum);
        parts.push(found.ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found"))?);
    }
    if parts.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    Ok(parts)
}

fn upload_kind(sums_whole: bool) -> ChecksumType {
    ChecksumType::from_static(if sums_whole { ChecksumType::FULL_OBJECT } else { ChecksumType::COMPOSITE })
}

fn completed(bucket: String, key: String, etag: &str, checksum: Option<&storage::Checksum>) -> CompleteMultipartUploadOutput {
    let fields = Fields::from(checksum);
    CompleteMultipartUploadOutput {
        location: Some(format!("{}/{bucket}/{key}", super::super::PREFIX)),
        bucket: Some(bucket),
        key: Some(key),
        e_tag: Some(strong(etag)),
        checksum_type: checksum.map(kind),
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
        ..Default::default()
    }
}

fn listed(part: storage::Part) -> dto::Part {
    let fields = Fields::from(part.checksum.as_ref());
    dto::Part {
        part_number: Some(part.number),
        size: Some(size(part.segment.size)),
        e_tag: Some(strong(&part.etag)),
        last_modified: Some(timestamp(part.modified_at)),
        checksum_crc32: fields.crc32,
        checksum_crc32c: fields.crc32c,
        checksum_crc64nvme: fields.crc64nvme,
        checksum_sha1: fields.sha1,
        checksum_sha256: fields.sha256,
    }
}

fn going_on(upload: storage::Upload, encode: Encoding) -> MultipartUpload {
    MultipartUpload {
        key: Some(encode.text(upload.key)),
        upload_id: Some(upload.id.to_string()),
        initiated: Some(timestamp(upload.created_at)),
        ..Default::default()
    }
}
