//! Uploads: in one piece, or in parts of which a few are on their way at once. A part is summed before it is sent, so that the server
//! refuses what came otherwise, and what fails is sent again by itself.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Body, StatusCode};
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::{AT_ONCE, PATIENCE, Place, Store, interrupted, may_come_through, patience, patiently, refused, sums};
use crate::client::Error;
use crate::output::Meter;

/// More than this goes in parts, of this size unless there would be too many.
const PART_BYTES: u64 = 16 << 20;

/// The most parts of an upload.
const MAX_PARTS: u64 = 10_000;

/// How much of a file is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Where content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    Standard,
    File(PathBuf),
}

/// Content that can be sent more than once.
#[derive(Debug, Clone)]
enum Content {
    Held(Bytes),
    InFile(Arc<Path>, Range<u64>),
}

/// A part that the server has.
#[derive(Debug)]
struct Part {
    number: u16,
    etag: String,
    sum: u64,
    length: u64,
}

/// An upload that has begun.
#[derive(Debug, Clone, Copy)]
struct Upload<'a> {
    place: &'a Place,
    id: &'a str,
    meter: &'a Meter,
}

impl Store {
    /// Sends content to be an object; answers how many bytes it has. Told to stop, it takes back what it has sent.
    pub(crate) async fn upload(
        &self,
        input: &Input,
        place: &Place,
        meter: &Meter,
        stop: &CancellationToken,
    ) -> anyhow::Result<u64> {
        match input {
            Input::File(path) => {
                let context = || path.display().to_string();
                let before = tokio::fs::metadata(path).await.with_context(context)?;
                let (path, length) = (Arc::<Path>::from(&**path), before.len());
                if length <= PART_BYTES {
                    self.put(place, Content::InFile(path, 0..length), meter, stop).await?;
                } else {
                    let contents = ranges(length).map({
                        let path = Arc::clone(&path);
                        move |range| Ok(Content::InFile(Arc::clone(&path), range))
                    });
                    self.put_parts(place, stream::iter(contents), Some((&*path, &before)), meter, stop).await?;
                }
                Ok(length)
            }
            Input::Standard => {
                let mut pieces = pieces_of_input();
                let reading = stop.run_until_cancelled(pieces.recv()).await.ok_or_else(interrupted)?;
                let first = reading.transpose().context("read standard input")?.unwrap_or_default();
                if (first.len() as u64) < PART_BYTES {
                    let length = first.len() as u64;
                    self.put(place, Content::Held(first), meter, stop).await?;
                    return Ok(length);
                }
                let rest = stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
                let contents = stream::iter([Ok(first)]).chain(rest).map(|piece| piece.map(Content::Held));
                self.put_parts(place, contents, None, meter, stop).await
            }
        }
    }

    /// Sends content in one piece. Broken off, it is not there.
    async fn put(&self, place: &Place, content: Content, meter: &Meter, stop: &CancellationToken) -> anyhow::Result<()> {
        let bucket = self.bucket(place)?;
        let sent = self.send(&content, meter, |headers, body| {
            let action = bucket.put_object(Some(&self.credentials), &place.key);
            self.signed(action, headers).body(body)
        });
        stop.run_until_cancelled(sent).await.ok_or_else(interrupted)?.map(drop)
    }

    /// Sends content in parts; answers how many bytes they have. What does not come to its end is taken back.
    async fn put_parts(
        &self,
        place: &Place,
        contents: impl Stream<Item = io::Result<Content>>,
        source: Option<(&Path, &Metadata)>,
        meter: &Meter,
        stop: &CancellationToken,
    ) -> anyhow::Result<u64> {
        // It is not stopped before its id is known.
        let id = self.begin(place).await?;
        let upload = Upload { place, id: &id, meter };
        let done = match stop.run_until_cancelled(self.send_parts(upload, contents)).await {
            Some(Ok(parts)) => match source.map_or(Ok(()), |(path, before)| unchanged(path, before)) {
                Ok(()) => self.complete(upload, &parts).await,
                Err(error) => Err(error),
            },
            Some(Err(error)) => Err(error),
            None => Err(interrupted()),
        };
        match done {
            Ok(length) => Ok(length),
            Err(error) => match self.abort(upload).await {
                Ok(()) => Err(error),
                Err(left) => Err(error.context(format!("parts of {place} stay until the server gives them up ({left})"))),
            },
        }
    }

    async fn begin(&self, place: &Place) -> Result<String, Error> {
        let bucket = self.bucket(place)?;
        let headers =
            [("x-amz-checksum-algorithm", sums::ALGORITHM.to_owned()), ("x-amz-checksum-type", "FULL_OBJECT".to_owned())];
        let action = bucket.create_multipart_upload(Some(&self.credentials), &place.key);
        // Not again when it fails: nobody would know the id of the first one.
        let response = self.execute(self.signed(action, &headers), PATIENCE).await?;
        let text = self.text(response).await?;
        let answer = CreateMultipartUpload::parse_response(&text).map_err(|error| self.unintelligible(error))?;
        Ok(answer.upload_id().to_owned())
    }

    async fn send_parts(
        &self,
        upload: Upload<'_>,
        contents: impl Stream<Item = io::Result<Content>>,
    ) -> anyhow::Result<Vec<Part>> {
        let sending = contents.enumerate().map(|(index, content)| async move {
            let content = content.with_context(|| format!("read what is to be {}", upload.place))?;
            let number = u16::try_from(index + 1).ok().filter(|number| u64::from(*number) <= MAX_PARTS);
            let number = number.context("there is too much of it to be read from standard input: put it in a file")?;
            self.send_part(upload, number, content).await
        });
        let mut parts = std::pin::pin!(sending.buffer_unordered(AT_ONCE)).try_collect::<Vec<_>>().await?;
        parts.sort_unstable_by_key(|part| part.number);
        Ok(parts)
    }

    async fn send_part(&self, upload: Upload<'_>, number: u16, content: Content) -> anyhow::Result<Part> {
        let bucket = self.bucket(upload.place)?;
        let (sum, etag) = self
            .send(&content, upload.meter, |headers, body| {
                let action = bucket.upload_part(Some(&self.credentials), &upload.place.key, number, upload.id);
                self.signed(action, headers).body(body)
            })
            .await?;
        let etag = etag.ok_or_else(|| self.unintelligible("a part has no entity tag"))?;
        Ok(Part { number, etag, sum, length: content.length() })
    }

    /// Sends content until it came through, or there is no hope; answers its sum, and its entity tag there.
    async fn send(
        &self,
        content: &Content,
        meter: &Meter,
        request: impl Fn(&[(&'static str, String)], Body) -> reqwest::RequestBuilder,
    ) -> anyhow::Result<(u64, Option<String>)> {
        let _slot = self.slot().await;
        let attempt = || async {
            let unreadable = |error: io::Error| Error::Settings(format!("cannot read {}: {error}", content.name()));
            let sum = content.sum().await.map_err(unreadable)?;
            let sent = Sent::default();
            let body = content.body(meter, &sent).await.map_err(unreadable)?;
            let headers = [("content-length", content.length().to_string()), (sums::HEADER, sums::text(sum))];
            let answered = self.execute(request(&headers, body), patience(content.length())).await;
            if answered.is_err() {
                meter.take_back(sent.0.load(Ordering::Relaxed));
            }
            let etag = answered?.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
            Ok((sum, etag))
        };
        Ok(patiently(attempt, may_come_through).await?)
    }

    /// Makes the parts an object; answers how many bytes it has.
    async fn complete(&self, Upload { place, id, .. }: Upload<'_>, parts: &[Part]) -> anyhow::Result<u64> {
        let bucket = self.bucket(place)?;
        let (sum, length) = parts
            .iter()
            .fold((sums::of(b""), 0), |(sum, length), part| (sums::combined(sum, part.sum, part.length), length + part.length));
        let headers = [(sums::HEADER, sums::text(sum)), ("x-amz-checksum-type", "FULL_OBJECT".to_owned())];
        let attempt = || async {
            let etags = parts.iter().map(|part| &*part.etag);
            let action = bucket.complete_multipart_upload(Some(&self.credentials), &place.key, id, etags);
            let body = action.clone().body();
            let response = self.execute(self.signed(action, &headers).body(body), PATIENCE).await?;
            let text = self.text(response).await?;
            match CompleteMultipartUploadResponse::parse(&text) {
                Ok(_) => Ok(()),
                // Servers begin to answer before they know how it ends.
                Err(error) => {
                    Err(refused(StatusCode::INTERNAL_SERVER_ERROR, &text).unwrap_or_else(|| self.unintelligible(error)))
                }
            }
        };
        patiently(attempt, may_come_through).await?;
        Ok(length)
    }

    async fn abort(&self, Upload { place, id, .. }: Upload<'_>) -> Result<(), Error> {
        let bucket = self.bucket(place)?;
        let attempt = || async {
            let action = bucket.abort_multipart_upload(Some(&self.credentials), &place.key, id);
            self.execute(self.signed(action, &[]), PATIENCE).await
        };
        match patiently(attempt, may_come_through).await {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// How much of a body has gone.
#[derive(Debug, Clone, Default)]
struct Sent(Arc<AtomicU64>);

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::InFile(_, range) => range.end - range.start,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Held(_) => "standard input".to_owned(),
            Self::InFile(path, _) => path.display().to_string(),
        }
    }

    async fn sum(&self) -> io::Result<u64> {
        match self.clone() {
            Self::Held(bytes) => Ok(sums::of(&bytes)),
            Self::InFile(path, range) => {
                tokio::task::spawn_blocking(move || sums::of_file(&path, range)).await.map_err(io::Error::other)?
            }
        }
    }

    async fn body(&self, meter: &Meter, sent: &Sent) -> io::Result<Body> {
        let pieces = match self.clone() {
            Self::Held(bytes) => {
                let pieces = (0..bytes.len()).step_by(BUFFER_BYTES).map(move |start| {
                    let end = bytes.len().min(start + BUFFER_BYTES);
                    Ok(bytes.slice(start..end))
                });
                stream::iter(pieces).boxed()
            }
            Self::InFile(path, range) => {
                let mut file = tokio::fs::File::open(path).await?;
                file.seek(io::SeekFrom::Start(range.start)).await?;
                ReaderStream::with_capacity(file.take(range.end - range.start), BUFFER_BYTES).boxed()
            }
        };
        let (meter, sent) = (meter.clone(), sent.clone());
        Ok(Body::wrap_stream(pieces.inspect_ok(move |piece: &Bytes| {
            sent.0.fetch_add(piece.len() as u64, Ordering::Relaxed);
            meter.advance(piece.len() as u64);
        })))
    }
}

/// The parts of so many bytes.
fn ranges(length: u64) -> impl Iterator<Item = Range<u64>> {
    let size = part_bytes(length);
    (0..length.div_ceil(size)).map(move |number| number * size..length.min((number + 1) * size))
}

/// Parts of whole MiB, so that there are not too many.
fn part_bytes(length: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    length.div_ceil(MAX_PARTS).div_ceil(MIB).saturating_mul(MIB).max(PART_BYTES)
}

/// Refuses a file of which the parts may be of different contents.
fn unchanged(path: &Path, before: &Metadata) -> anyhow::Result<()> {
    let now = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    if now.len() != before.len() || now.modified()? != before.modified()? {
        bail!("{} was changed while it was copied", path.display());
    }
    Ok(())
}

/// Standard input in pieces of the size of a part, but for the last one.
///
/// It is read by a thread of its own that nobody waits for: a read from a terminal or a pipe cannot be broken off.
fn pieces_of_input() -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut piece = Vec::new();
            let read = input.by_ref().take(PART_BYTES).read_to_end(&mut piece);
            let is_last = read.as_ref().map_or(true, |length| (*length as u64) < PART_BYTES);
            let piece = read.map(|_| Bytes::from(piece));
            let is_empty = piece.as_ref().is_ok_and(Bytes::is_empty);
            if (!is_empty && sender.blocking_send(piece).is_err()) || is_last {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_and_are_never_too_many() {
        const GIB: u64 = 1 << 30;
        for length in [PART_BYTES + 1, 40 << 20, 48 << 20, 156 * GIB, 157 * GIB, 5 << 40] {
            let (mut end, mut count) = (0, 0);
            for range in ranges(length) {
                assert!(range.start == end && range.end > range.start);
                (end, count) = (range.end, count + 1);
            }
            assert_eq!(end, length);
            assert!(count <= MAX_PARTS && part_bytes(length) >= PART_BYTES, "{length}: {count}");
        }
    }

    #[test]
    fn a_file_that_changes_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, "old").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        assert!(unchanged(&path, &before).is_ok());
        std::fs::write(&path, "longer").unwrap();
        assert!(unchanged(&path, &before).unwrap_err().to_string().ends_with("was changed while it was copied"));
    }
}
