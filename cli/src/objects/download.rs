//! Downloads: as a stream into a file that takes its name when it is whole. A stream that breaks goes on where it was, as long as the
//! object is the same.

use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Response, StatusCode};
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio_util::sync::CancellationToken;

use super::sums::Expected;
use super::temporary::Temporary;
use super::{PATIENCE, Place, Store, interrupted, may_come_through, patiently};
use crate::client::Error;
use crate::output::Meter;

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 1 << 20;

/// Times in a row that a stream breaks without having brought anything.
const MOST_BREAKS: u32 = 5;

/// After this time a stream that broke is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// Where content goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Standard,
    File(PathBuf),
}

impl Store {
    /// Fetches an object; answers how many bytes it has. Told to stop, it leaves nothing.
    pub(crate) async fn download(
        &self,
        place: &Place,
        target: &Target,
        meter: &Meter,
        stop: &CancellationToken,
    ) -> anyhow::Result<u64> {
        stop.run_until_cancelled(self.fetch(place, target, meter)).await.ok_or_else(interrupted)?
    }

    async fn fetch(&self, place: &Place, target: &Target, meter: &Meter) -> anyhow::Result<u64> {
        let _slot = self.slot().await;
        let first = self.open(place, 0, None).await.with_context(|| place.to_string())?;
        match target {
            Target::Standard => {
                let out = io::stdout().as_fd().try_clone_to_owned()?;
                let mut out = tokio::fs::File::from_std(out.into());
                let length = self.receive(place, first, &mut out, meter).await?;
                out.flush().await?;
                Ok(length)
            }
            Target::File(path) => {
                let context = || format!("write {}", path.display());
                let (temporary, file) = Temporary::beside(path).with_context(context)?;
                let mut out = BufWriter::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(file));
                let length = self.receive(place, first, &mut out, meter).await?;
                out.flush().await.with_context(context)?;
                out.get_ref().sync_all().await.with_context(context)?;
                temporary.keep().with_context(context)?;
                Ok(length)
            }
        }
    }

    /// Asks for an object from there on, for the same one if its tag is known.
    async fn open(&self, place: &Place, start: u64, etag: Option<&str>) -> Result<Response, Error> {
        let bucket = self.bucket(place)?;
        let mut headers = vec![("x-amz-checksum-mode", "ENABLED".to_owned())];
        headers.extend(etag.map(|etag| ("if-match", etag.to_owned())));
        if start > 0 {
            headers.push(("range", format!("bytes={start}-")));
        }
        let attempt = || async {
            let action = bucket.get_object(Some(&self.credentials), &place.key);
            self.execute(self.signed(action, &headers), PATIENCE).await
        };
        let response = patiently(attempt, may_come_through).await?;
        if start > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(self.unintelligible("it does not go on where a download broke off"));
        }
        Ok(response)
    }

    /// Writes what comes until all is there, and compares it with what the server says of it.
    async fn receive(
        &self,
        place: &Place,
        mut response: Response,
        out: &mut (impl AsyncWrite + Unpin),
        meter: &Meter,
    ) -> anyhow::Result<u64> {
        let length = response.content_length().ok_or_else(|| self.unintelligible("an object has no length"))?;
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let mut expected = Expected::of(response.headers());
        meter.expect(length);
        let (mut got, mut breaks) = (0, 0);
        while got < length {
            let piece = self.piece(&mut response).await;
            if let Ok(Some(piece)) = &piece {
                got += piece.len() as u64;
                if got > length {
                    bail!("{place} has more bytes than the server said");
                }
                if let Some(expected) = &mut expected {
                    expected.update(piece);
                }
                out.write_all(piece).await?;
                meter.advance(piece.len() as u64);
                breaks = 0;
                continue;
            }
            breaks += 1;
            if breaks > MOST_BREAKS || etag.is_none() {
                piece?;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).with_context(|| format!("{place} did not come whole"));
            }
            tokio::time::sleep(PAUSE).await;
            response = self.open(place, got, etag.as_deref()).await.with_context(|| place.to_string())?;
        }
        if expected.is_some_and(|expected| !expected.holds()) {
            bail!("{place} did not come as it is kept: its checksum differs");
        }
        Ok(length)
    }
}
