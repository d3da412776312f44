//! `Expect: 100-continue` (RFC 9110, section 10.1.1) where the answer comes before the content.
//!
//! A client that is refused before it was told to go on may send its content or leave it out, so nobody knows whether what comes next
//! on the connection is content or another request. To read one as the other would let a client smuggle requests; such a
//! connection ends with its answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::body::{Body, HttpBody as _};
use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::BodyExt as _;

/// Whether content was announced that had not begun to come, as one request tells it to its answer.
#[derive(Debug)]
pub(crate) struct Withheld(Option<Arc<AtomicBool>>);

impl Withheld {
    /// Watches the content of a request that asks before it sends any.
    pub(crate) fn watch(request: Request<hyper::body::Incoming>) -> (Request<Body>, Self) {
        let asks = request.version() == Version::HTTP_11 && request.headers().contains_key(header::EXPECT);
        if !asks || request.body().is_end_stream() {
            return (request.map(Body::new), Self(None));
        }
        let has_begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&has_begun);
        let request = request.map(|body| Body::new(body.inspect_frame(move |_| begins.store(true, Ordering::Relaxed))));
        (request, Self(Some(has_begun)))
    }

    /// Lets the connection end with this answer if it cannot go on.
    pub(crate) fn answer<B>(self, answer: &mut Response<B>) {
        if self.0.is_some_and(|has_begun| !has_begun.load(Ordering::Relaxed)) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
