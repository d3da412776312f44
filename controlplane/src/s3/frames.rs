//! The frames of `aws-chunked` bodies, kept small. `s3s` holds a frame until all of it has come, and a frame may say that it is 4 GiB.
//!
//! Large frames without a signature, which some SDKs make of a whole object, are cut into those that come over the network. One with
//! a signature cannot be cut, and is refused when it is too large. Nothing else is judged here: what is no frame goes on as it is.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};

/// The largest frame that is held: more than any SDK signs.
const MAX_FRAME_BYTES: u64 = 16 << 20;

/// The longest line before a frame; `s3s` refuses longer ones.
const MAX_LINE_BYTES: usize = 1024;

/// A signed frame is larger than what may be held.
#[derive(Debug, thiserror::Error)]
#[error("{}", FrameTooLarge::MESSAGE)]
pub(super) struct FrameTooLarge;

impl FrameTooLarge {
    /// What clients are told.
    pub(super) const MESSAGE: &str = "A signed chunk may have at most 16 MiB";
}

/// The same body in frames that may be held.
pub(super) fn bounded<S>(body: S) -> impl Stream<Item = Result<Bytes, s3s::StdError>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
{
    let state = (body, Frames::default(), VecDeque::new());
    stream::try_unfold(state, |(mut body, mut frames, mut ready)| async move {
        loop {
            if let Some(piece) = ready.pop_front() {
                return Ok(Some((piece, (body, frames, ready))));
            }
            match body.next().await {
                Some(piece) => frames.push(piece?, &mut ready)?,
                None => {
                    ready.extend(frames.rest());
                    if ready.is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    })
}

/// Where a body is.
#[derive(Debug)]
enum Frames {
    /// Before a frame, with what came of its line.
    Line(BytesMut),
    /// Within a frame that goes on as it is, with the end of its line.
    Whole(u64),
    /// Within one that is cut.
    Cut(u64),
    /// After the last one.
    Rest,
}

impl Default for Frames {
    fn default() -> Self {
        Self::Line(BytesMut::new())
    }
}

impl Frames {
    fn push(&mut self, mut piece: Bytes, ready: &mut VecDeque<Bytes>) -> Result<(), FrameTooLarge> {
        while !piece.is_empty() {
            match self {
                Self::Line(line) => {
                    let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |end| end + 1);
                    line.extend_from_slice(&piece.split_to(end));
                    if line.ends_with(b"\n") || line.len() > MAX_LINE_BYTES {
                        let line = std::mem::take(line).freeze();
                        *self = Self::after(&line)?;
                        if !matches!(self, Self::Cut(_)) {
                            ready.push_back(line);
                        }
                    }
                }
                Self::Whole(left) => {
                    ready.push_back(piece.split_to(at_most(piece.len(), *left)));
                    *left -= ready.back().map_or(0, |passed| passed.len() as u64);
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::Cut(left) => {
                    let data = piece.split_to(at_most(piece.len(), *left));
                    *left -= data.len() as u64;
                    ready.push_back(format!("{:x}\r\n", data.len()).into());
                    ready.push_back(data);
                    if *left == 0 {
                        // What ends the frame ends its last piece.
                        *self = Self::Whole(2);
                    } else {
                        ready.push_back(Bytes::from_static(b"\r\n"));
                    }
                }
                Self::Rest => ready.push_back(std::mem::take(&mut piece)),
            }
        }
        Ok(())
    }

    /// What comes after a line.
    fn after(line: &[u8]) -> Result<Self, FrameTooLarge> {
        let is_signed = line.contains(&b';');
        let digits = line.split(|byte| matches!(byte, b';' | b'\r')).next().unwrap_or_default();
        let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
        match size {
            None | Some(0) => Ok(Self::Rest),
            Some(size) if size <= MAX_FRAME_BYTES => Ok(Self::Whole(size + 2)),
            Some(_) if is_signed => Err(FrameTooLarge),
            Some(size) => Ok(Self::Cut(size)),
        }
    }

    /// What came of a line that never ended.
    fn rest(&mut self) -> Option<Bytes> {
        match self {
            Self::Line(line) if !line.is_empty() => Some(std::mem::take(line).freeze()),
            Self::Line(_) | Self::Whole(_) | Self::Cut(_) | Self::Rest => None,
        }
    }
}

/// How many of these bytes belong to what is left.
fn at_most(bytes: usize, left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    /// The body after it came in pieces of this many bytes.
    async fn through(body: &[u8], bytes: usize) -> Result<Vec<u8>, s3s::StdError> {
        let pieces = body.chunks(bytes).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>();
        Ok(bounded(stream::iter(pieces)).try_collect::<Vec<_>>().await?.concat())
    }

    /// The content of frames, which must be small.
    fn content(mut body: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        loop {
            let end = body.iter().position(|byte| *byte == b'\n').unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&body[..end - 1]).unwrap(), 16).unwrap();
            assert!(size as u64 <= MAX_FRAME_BYTES);
            body = &body[end + 1..];
            if size == 0 {
                assert_eq!(body, b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n");
                return content;
            }
            content.extend_from_slice(&body[..size]);
            assert!(body[size..].starts_with(b"\r\n"));
            body = &body[size + 2..];
        }
    }

    #[tokio::test]
    async fn what_is_small_or_no_frame_stays_as_it_is() {
        let signature = "0".repeat(64);
        for body in [
            String::new(),
            "0\r\n\r\n".to_owned(),
            "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".to_owned(),
            format!("5;chunk-signature={signature}\r\nhello\r\n0;chunk-signature={signature}\r\n\r\n"),
            "not a frame".to_owned(),
            "zz\r\nhello\r\nffffffffffffffffff\r\n".to_owned(),
            "5\r\nhelloffffffff;".to_owned(),
            "x".repeat(3_000),
        ] {
            for bytes in [1, 2, 3, 7, 4_096] {
                assert_eq!(through(body.as_bytes(), bytes).await.unwrap(), body.as_bytes(), "{body} by {bytes}");
            }
        }
    }

    #[tokio::test]
    async fn large_frames_are_cut_unless_they_are_signed() {
        let size = usize::try_from(MAX_FRAME_BYTES).unwrap() + 3;
        let data = (0..size).map(|number| (number % 251) as u8).collect::<Vec<_>>();
        let end = b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        let body = [format!("{size:x}\r\n").as_bytes(), &data, end].concat();
        for bytes in [65_536, 1_000_003] {
            assert_eq!(content(&through(&body, bytes).await.unwrap()), data);
        }
        let signed = format!("{size:x};chunk-signature={}\r\n", "0".repeat(64));
        let error = through(signed.as_bytes(), 10).await.unwrap_err();
        assert!(error.is::<FrameTooLarge>(), "{error}");
    }
}
