//! Counts and durations of gRPC calls, by method and code.
//!
//! Everything a call touches exists before the first call: a series per method of the contract, and one for all unknown
//! methods, so that a client cannot make series by inventing paths. Series that never counted are not written.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use prost_reflect::DescriptorPool;
use tonic::Code;
use tower::{Layer, Service};
use utopia_proto::{policy::grpc_path, status::code_name};

/// The label of every method that the contract does not know.
const UNKNOWN: &str = "unknown";
/// gRPC codes are 0 to 16.
const CODES: usize = 17;
/// Upper bounds in seconds.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The meters of all methods, and a tower layer that feeds them.
#[derive(Clone)]
pub struct RequestMetrics(Arc<Meters>);

impl RequestMetrics {
    /// Registers `grpc_requests_total`, `grpc_request_duration_seconds` and `grpc_requests_in_flight` for the contract's methods.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        Self::register_for(registry, &utopia_proto::descriptor_pool())
    }

    /// The same for the methods of any pool.
    #[must_use]
    pub fn register_for(registry: &mut Registry, pool: &DescriptorPool) -> Self {
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let by_path = methods.map(|method| {
            let path = grpc_path(&method);
            let name = path.trim_start_matches('/').to_owned();
            (path.into_boxed_str(), Arc::new(Meter::new(name)))
        });
        let meters = Arc::new(Meters { by_path: by_path.collect(), unknown: Arc::new(Meter::new(UNKNOWN.to_owned())) });
        registry.register_collector(Box::new(Arc::clone(&meters)));
        Self(meters)
    }
}

impl fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMetrics").field("methods", &self.0.by_path.len()).finish()
    }
}

impl<S> Layer<S> for RequestMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, meters: Arc::clone(&self.0) }
    }
}

#[derive(Debug)]
struct Meters {
    by_path: HashMap<Box<str>, Arc<Meter>>,
    unknown: Arc<Meter>,
}

impl Meters {
    fn get(&self, path: &str) -> Arc<Meter> {
        Arc::clone(self.by_path.get(path).unwrap_or(&self.unknown))
    }

    /// Methods that were called, by name.
    fn called(&self) -> Vec<&Meter> {
        let all = self.by_path.values().chain([&self.unknown]).map(|meter| &**meter);
        let mut called = all.filter(|meter| meter.was_called()).collect::<Vec<_>>();
        called.sort_by(|a, b| a.method.cmp(&b.method));
        called
    }
}

impl Collector for Meters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let called = self.called();
        if called.is_empty() {
            return Ok(());
        }
        let mut requests = encoder.encode_descriptor("grpc_requests", "gRPC calls that ended", None, MetricType::Counter)?;
        for meter in &called {
            for (code, counter) in meter.codes.iter().enumerate().filter(|(_, counter)| counter.get() > 0) {
                let code = code_name(Code::from_i32(i32::try_from(code).unwrap_or(2)));
                let labels = [("method", meter.method.as_str()), ("code", code)];
                counter.encode(requests.encode_family(&labels)?)?;
            }
        }
        let help = "Time from the call to its end in seconds";
        let mut durations = encoder.encode_descriptor("grpc_request_duration_seconds", help, None, MetricType::Histogram)?;
        for meter in called.iter().filter(|meter| meter.ended()) {
            meter.duration.encode(durations.encode_family(&[("method", meter.method.as_str())])?)?;
        }
        let mut in_flight =
            encoder.encode_descriptor("grpc_requests_in_flight", "gRPC calls under way", None, MetricType::Gauge)?;
        for meter in &called {
            meter.in_flight.encode(in_flight.encode_family(&[("method", meter.method.as_str())])?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Meter {
    method: String,
    codes: [Counter; CODES],
    duration: Histogram,
    in_flight: Gauge,
}

impl Meter {
    fn new(method: String) -> Self {
        let codes = std::array::from_fn(|_| Counter::default());
        Self { method, codes, duration: Histogram::new(BUCKETS), in_flight: Gauge::default() }
    }

    fn ended(&self) -> bool {
        self.codes.iter().any(|counter| counter.get() > 0)
    }

    fn was_called(&self) -> bool {
        self.ended() || self.in_flight.get() > 0
    }
}

/// One call. It counts exactly once, at the latest when it is dropped: then the caller hung up.
struct Call {
    meter: Arc<Meter>,
    started: Instant,
    code: Code,
}

impl Call {
    fn start(meter: Arc<Meter>) -> Self {
        meter.in_flight.inc();
        Self { meter, started: Instant::now(), code: Code::Cancelled }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.meter.in_flight.dec();
        self.meter.duration.observe(self.started.elapsed().as_secs_f64());
        let code = usize::try_from(i32::from(self.code)).unwrap_or(2);
        if let Some(counter) = self.meter.codes.get(code) {
            counter.inc();
        }
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// A service whose calls are measured.
#[derive(Debug, Clone)]
pub struct Measured<S> {
    inner: S,
    meters: Arc<Meters>,
}

impl<S, A, B> Service<Request<A>> for Measured<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let call = Call::start(self.meters.get(request.uri().path()));
        MeasuredFuture { inner: self.inner.call(request), call: Some(call) }
    }
}

pin_project! {
    /// The answer of a [`Measured`] service.
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, B, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(context));
        let mut call = this.call.take();
        Poll::Ready(match result {
            Ok(response) => {
                // A status among the headers is the whole answer.
                if let Some(code) = code_of(response.headers())
                    && let Some(mut call) = call.take()
                {
                    call.code = code;
                }
                Ok(response.map(|inner| MeasuredBody { inner, call }))
            }
            Err(error) => {
                if let Some(call) = &mut call {
                    call.code = Code::Unavailable;
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// A body that is measured to its trailers.
    pub struct MeasuredBody<B> {
        #[pin]
        inner: B,
        call: Option<Call>,
    }
}

impl<B: Body<Data = Bytes>> Body for MeasuredBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| code_of(trailers).unwrap_or(Code::Unknown)),
            Some(Err(_)) => Some(Code::Unavailable),
            None => Some(Code::Unknown),
        };
        if let Some(code) = code
            && let Some(mut call) = this.call.take()
        {
            call.code = code;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
