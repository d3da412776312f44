//! A stream that ends when its caller's credentials hold no longer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};

use crate::auth::{identity::Person, sessions::Sessions};

/// The body of such a stream.
pub(super) struct Lasting {
    body: Body,
    revoked: Pin<Box<dyn Future<Output = Status> + Send>>,
    ended: bool,
}

impl Lasting {
    /// The body, for as long as the person may see it.
    pub(super) fn new(body: Body, person: Person, sessions: Sessions) -> Self {
        Self { body, revoked: Box::pin(async move { sessions.until_revoked(person).await.into() }), ended: false }
    }
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(status) = self.revoked.as_mut().poll(cx) else { return Pin::new(&mut self.body).poll_frame(cx) };
        self.ended = true;
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
