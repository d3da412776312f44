//! The calls of one connection: each is handed to the service, and ended when the time that the client gave it is over.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::Sleep;
use tonic::{Code, Status, body::Body};
use tower::Service;

use super::{Acceptor, ConnectionInfo};

/// What answers the calls of a connection.
pub(super) struct Calls<S> {
    acceptor: Arc<Acceptor<S>>,
    info: Arc<ConnectionInfo>,
}

impl<S> Calls<S> {
    pub(super) fn new(acceptor: Arc<Acceptor<S>>, info: Arc<ConnectionInfo>) -> Self {
        Self { acceptor, info }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<Either<B, Body>>;
    type Error = Infallible;
    type Future = Call<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Call<S::Future> {
        let mut request = request.map(Body::new);
        let time = utopia_gateway::client_timeout(request.headers()).map(|time| Box::pin(tokio::time::sleep(time)));
        request.extensions_mut().insert(Arc::clone(&self.info));
        // Services of this process are always ready.
        Call { answer: Box::pin(self.acceptor.server.service.clone().call(request)), time }
    }
}

/// A call under way. Boxed: the stream keeps room for it as long as it lives, and an agent's lives for days.
pub(super) struct Call<F> {
    answer: Pin<Box<F>>,
    time: Option<Pin<Box<Sleep>>>,
}

impl<F, B> Future for Call<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Either<B, Body>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(answer.map(|response| response.map(Either::Left)));
        }
        let Some(time) = &mut self.time else { return Poll::Pending };
        time.as_mut().poll(cx).map(|()| Ok(expired().into_http().map(Either::Right)))
    }
}

fn expired() -> Status {
    utopia_proto::status::status(Code::DeadlineExceeded, "DeadlineExceeded", "the time that the client gave is over", None)
}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_call_ends_when_its_time_is_over() {
        let answer = Box::pin(future::pending::<Result<Response<Body>, Infallible>>());
        let time = Some(Box::pin(tokio::time::sleep(Duration::from_millis(1))));
        let response = Call { answer, time }.await.unwrap();
        assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn an_answer_in_time_is_passed_on() {
        let answer = Box::pin(future::ready(Ok(Response::new(Body::empty()))));
        let time = Some(Box::pin(tokio::time::sleep(Duration::ZERO)));
        let response = Call { answer, time }.await.unwrap();
        assert!(matches!(response.body(), Either::Left(_)));
    }
}
