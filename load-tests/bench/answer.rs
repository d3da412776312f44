//! Whether an answer is what was asked for, and how many messages it has. One that is not fails the bench.

use anyhow::{bail, ensure};
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";

/// A frame's flag and length.
const PREFIX_BYTES: usize = 5;

/// What a good answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// Status 0 after so many messages.
    Grpc { messages: u64 },
    /// One text.
    Json,
    /// A line for each message.
    Lines { messages: u64 },
    /// An event, two lines, for each message.
    Events { messages: u64 },
}

impl Answer {
    /// Reads an answer to its end; answers how many messages came.
    pub(crate) async fn check<B: Body<Data = Bytes, Error: Into<anyhow::Error>> + Unpin>(
        self,
        response: Response<B>,
    ) -> anyhow::Result<u64> {
        let (head, mut body) = response.into_parts();
        if !head.status.is_success() {
            let text = body.collect().await.map_err(Into::into)?.to_bytes();
            bail!("{}: {}", head.status, String::from_utf8_lossy(&text));
        }
        let mut counter = Counter::default();
        let mut trailers = head.headers;
        while let Some(frame) = body.frame().await {
            match frame.map_err(Into::into)?.into_data() {
                Ok(data) => counter.read(self, &data),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        let (came, expected) = match self {
            Self::Grpc { messages } => {
                check_status(&trailers)?;
                (counter.count, messages)
            }
            Self::Json => (counter.count.min(1), 1),
            Self::Lines { messages } => (counter.count, messages),
            Self::Events { messages } => (counter.count / 2, messages),
        };
        ensure!(came == expected, "{came} messages came, not {expected}");
        Ok(came)
    }
}

fn check_status(trailers: &HeaderMap) -> anyhow::Result<()> {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text(GRPC_STATUS) {
        "0" => Ok(()),
        "" => bail!("there is no gRPC status"),
        status => bail!("gRPC status {status}: {}", text(GRPC_MESSAGE)),
    }
}

/// Counts gRPC's frames, bytes of one text, or ends of lines.
#[derive(Default)]
struct Counter {
    count: u64,
    /// The prefix of the present frame, as far as it came.
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    /// What is still to come of the present frame.
    rest: usize,
}

impl Counter {
    fn read(&mut self, answer: Answer, data: &[u8]) {
        match answer {
            Answer::Grpc { .. } => self.frames(data),
            Answer::Json => self.count += data.len() as u64,
            Answer::Lines { .. } | Answer::Events { .. } => {
                self.count += data.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
        }
    }

    fn frames(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(data.len());
                self.rest -= skipped;
                data = &data[skipped..];
                continue;
            }
            self.prefix[self.prefix_bytes] = data[0];
            self.prefix_bytes += 1;
            data = &data[1..];
            if self.prefix_bytes == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                (self.rest, self.prefix_bytes) = (u32::from_be_bytes(length) as usize, 0);
                self.count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    #[tokio::test]
    async fn frames_may_come_in_any_pieces_and_end_with_a_status() {
        let bytes = [&[0, 0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1, 9]].concat();
        for size in 1..bytes.len() {
            let check = async |status: &'static str, messages| {
                let data = bytes.chunks(size).map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
                let trailers = HeaderMap::from_iter([(GRPC_STATUS.parse().unwrap(), HeaderValue::from_static(status))]);
                let frames = data.chain([Frame::trailers(trailers)]).map(Ok::<_, std::io::Error>).collect::<Vec<_>>();
                let body = StreamBody::new(futures_util::stream::iter(frames));
                Answer::Grpc { messages }.check(Response::new(body)).await
            };
            assert_eq!(check("0", 3).await.unwrap(), 3);
            assert_eq!(check("0", 2).await.unwrap_err().to_string(), "3 messages came, not 2");
            assert_eq!(check("8", 3).await.unwrap_err().to_string(), "gRPC status 8: ");
        }
    }

    #[tokio::test]
    async fn texts_are_counted_by_their_lines() {
        let check = async |answer: Answer, text: &'static str| answer.check(Response::new(Full::from(text))).await;
        assert_eq!(check(Answer::Json, "{}").await.unwrap(), 1);
        assert!(check(Answer::Json, "").await.is_err());
        assert_eq!(check(Answer::Lines { messages: 2 }, "{}\n{}\n").await.unwrap(), 2);
        assert_eq!(check(Answer::Events { messages: 2 }, "data: {}\n\ndata: {}\n\n").await.unwrap(), 2);
        assert!(check(Answer::Events { messages: 2 }, "data: {}\n\n").await.is_err());
        let refused = Response::builder().status(401).body(Full::from("no")).unwrap();
        assert_eq!(Answer::Json.check(refused).await.unwrap_err().to_string(), "401 Unauthorized: no");
    }
}
