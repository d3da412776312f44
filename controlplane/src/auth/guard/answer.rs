//! The answer to a call that was let through: it tells how the caller stands with the limits, and a failure is written down. A
//! stream is watched over: it ends with the credentials of who sees it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tonic::{Status, body::Body};
use tracing::instrument::Instrumented;

use super::{attempt::Attempt, lasting::Lasting};
use crate::auth::{identity::Person, limits::Standing, sessions::Sessions};

pin_project! {
    /// The service's answer, on its way.
    pub struct Answering<F> {
        #[pin]
        pub(super) call: Instrumented<F>,
        pub(super) standing: Option<Standing>,
        pub(super) attempt: Option<Attempt>,
        // Who sees the stream that the answer is.
        pub(super) viewer: Option<(Person, Sessions)>,
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = ready!(this.call.poll(cx));
        if let Ok(response) = &mut answer {
            // Methods that are audited have one answer: their failures are in the headers.
            if let (Some(attempt), Some(status)) = (this.attempt.take(), Status::from_header_map(response.headers())) {
                attempt.failed(&status);
            }
            if let Some(standing) = this.standing {
                standing.write(response.headers_mut());
            }
        }
        if let Some((person, sessions)) = this.viewer.take() {
            answer = answer.map(|response| response.map(|body| Body::new(Lasting::new(body, person, sessions))));
        }
        Poll::Ready(answer)
    }
}
