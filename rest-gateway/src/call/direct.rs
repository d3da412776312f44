//! Calls that do not come from a request of their own route: arguments as one JSON object in, the bare JSON text out.
//!
//! They take the same way as others: the caller's credentials and address, the time limit of the contract, the same tables.

use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use http::{HeaderMap, request::Parts};
use tokio::time::timeout;
use tonic::Status;

use super::{Call, Gateway, refused};
use crate::{
    client::ClientAddress,
    routes::{Route, Routes},
    stream::Messages,
    style::Failure,
    transcode::request,
    upstream::{self, Upstream},
};

/// Who calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// The headers of the request, with the request's id.
    pub(crate) headers: HeaderMap,
    pub(crate) address: Option<ClientAddress>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    /// The field at fault.
    pub(crate) field: Option<String>,
}

impl Refused {
    fn by_service(status: &Status, route: &Route, headers: HeaderMap) -> Self {
        Self { failure: Failure::from_grpc(status, route, headers), field: utopia_proto::status::field(status) }
    }
}

impl<S: Upstream> Gateway<S> {
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(crate) fn max_request_bytes(&self) -> usize {
        self.config.max_request_bytes
    }

    /// Who sent a request.
    pub(crate) fn origin(&self, parts: &Parts) -> Origin {
        Origin { headers: parts.headers.clone(), address: self.config.trusted_proxies.client(parts) }
    }

    /// Calls a method that does not stream; answers the JSON text.
    pub(crate) async fn value(&self, index: usize, origin: &Origin, arguments: &[u8]) -> Result<String, Refused> {
        let route = self.routes.get(index);
        let wanted = upstream::client_timeout(&origin.headers).unwrap_or(Duration::MAX);
        let limit = wanted.min(route.timeout.unwrap_or(self.config.default_timeout));
        let request = self.direct_request(route, origin, Some(limit), arguments)?;
        let call = self.call(index);
        match timeout(limit, self.exchange_value(&call, request)).await {
            Ok(result) => result,
            Err(_) => {
                let status = Status::deadline_exceeded("the operation did not end in time");
                Err(Refused::by_service(&status, route, HeaderMap::new()))
            }
        }
    }

    async fn exchange_value(&self, call: &Call, request: http::Request<tonic::body::Body>) -> Result<String, Refused> {
        let refused = |status, headers| Refused::by_service(&status, call.route(), headers);
        let answer = self.upstream.call(request).await;
        let answer = answer.map_err(|error| refused(upstream::transport_status(error), HeaderMap::new()))?;
        let headers = upstream::passed_through(answer.headers());
        upstream::check_head(&answer).map_err(|status| refused(status, headers.clone()))?;
        let message = upstream::single_message(answer.into_body(), call.max_response_bytes()).await;
        message.and_then(|message| call.bare(&message)).map_err(|status| refused(status, headers))
    }

    /// Calls a method that streams; answers the JSON texts as they are asked for. Dropping the stream cancels the call.
    pub(crate) async fn values(
        &self,
        index: usize,
        origin: &Origin,
        arguments: &[u8],
    ) -> Result<impl Stream<Item = Result<String, Refused>> + Send + use<S>, Refused> {
        let route = self.routes.get(index);
        let request = self.direct_request(route, origin, None, arguments)?;
        let call = self.call(index);
        let failed = |status| Refused::by_service(&status, route, HeaderMap::new());
        let answer = self.upstream.call(request).await.map_err(|error| failed(upstream::transport_status(error)))?;
        let headers = upstream::passed_through(answer.headers());
        upstream::check_head(&answer).map_err(|status| Refused::by_service(&status, route, headers))?;
        let messages = Messages::new(answer.into_body(), call.max_response_bytes());
        Ok(futures_util::stream::try_unfold((messages, call), async |(mut messages, call)| {
            let next = messages.next().await.and_then(|message| message.map(|message| call.bare(&message)).transpose());
            let next = next.map_err(|status| Refused::by_service(&status, call.route(), HeaderMap::new()))?;
            Ok(next.map(|text| (text, (messages, call))))
        })
        .into_stream())
    }

    fn direct_request(
        &self,
        route: &Route,
        origin: &Origin,
        timeout: Option<Duration>,
        arguments: &[u8],
    ) -> Result<http::Request<tonic::body::Body>, Refused> {
        let mut frame = upstream::open_frame();
        request::message(&self.routes.tables, route.input, arguments, &mut frame)
            .map_err(|error| Refused { failure: refused(route, &error), field: error.field() })?;
        let frame = upstream::close_frame(frame);
        let mut request = upstream::request(&route.grpc_path, &origin.headers, timeout, frame);
        if let Some(address) = origin.address {
            request.extensions_mut().insert(address);
        }
        Ok(request)
    }
}
