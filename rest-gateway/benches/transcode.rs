//! Hosts between protobuf and JSON: the transcoder alone, and whole requests over a service that answers at once.

use std::{convert::Infallible, hint::black_box};

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message;
use prost_reflect::prost_types::Timestamp;
use tower::{ServiceExt as _, service_fn};
use utopia_gateway::{Config, router, transcode::Transcoder};
use utopia_proto::host::v1::{Host, HostHealth, HostStatus, ListHostsResponse, Pagination};

fn host(number: u32) -> Host {
    let time = Some(Timestamp { seconds: 1_790_000_000 + i64::from(number), nanos: 123_000_000 });
    Host {
        host_id: format!("5f64a1c2-7d0e-4b8a-9c3d-{number:012x}"),
        name: format!("gpu-server-{number:02}"),
        hostname: format!("gpu-{number:02}.example"),
        ip_address: "192.0.2.17".to_owned(),
        os_type: "linux".to_owned(),
        os_version: "Debian GNU/Linux 12".to_owned(),
        deployment_mode: "container".to_owned(),
        status: HostStatus::Online.into(),
        health_status: HostHealth::Healthy.into(),
        total_cpu: 128,
        used_cpu: 12.5,
        total_memory: 1 << 40,
        used_memory: 180 << 30,
        total_disk: 4 << 40,
        total_gpu: 8,
        used_gpu: 6,
        labels: [("region", "us-west"), ("zone", "b")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        last_heartbeat: time,
        created_at: time,
        maintenance: None,
        agent_connected: true,
    }
}

fn list() -> ListHostsResponse {
    let pagination = Some(Pagination { page: 1, page_size: 100, total: 100, total_pages: 1 });
    ListHostsResponse { items: (0..100).map(host).collect(), pagination }
}

fn transcoding(criterion: &mut Criterion) {
    let pool = utopia_proto::descriptor_pool();
    let messages = [
        ("host", "utopia.host.v1.Host", host(1).encode_to_vec()),
        ("100 hosts", "utopia.host.v1.ListHostsResponse", list().encode_to_vec()),
    ];
    for (name, message, wire) in messages {
        let descriptor = pool.get_message_by_name(message).expect("the contract has the message");
        let transcoder = Transcoder::new(&descriptor).expect("the contract can be transcoded");
        let json = transcoder.to_json(&wire).expect("it is such a message");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_function("to JSON", |bencher| bencher.iter(|| transcoder.to_json(black_box(&wire))));
        group.bench_function("from JSON", |bencher| bencher.iter(|| transcoder.to_wire(black_box(json.as_bytes()))));
        group.finish();
    }
}

/// The answer to every call: one message and its trailers.
fn answer(message: &impl Message) -> Response<tonic::body::Body> {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).expect("it is small"));
    message.encode(&mut frame).expect("the buffer grows");
    let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("it is a name"), "0".parse().expect("it is a value"))]);
    let frames = [http_body::Frame::data(frame.freeze()), http_body::Frame::trailers(trailers)];
    let body = StreamBody::new(tokio_stream::iter(frames.map(Ok::<_, Infallible>)));
    let body = tonic::body::Body::new(body.map_err(|never| match never {}));
    Response::builder().header("content-type", "application/grpc").body(body).expect("the parts are valid")
}

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    let pool = utopia_proto::descriptor_pool();
    let (one, all) = (host(1), list());
    let upstream = service_fn(move |request: Request<tonic::body::Body>| {
        let is_list = request.uri().path().ends_with("/ListHosts");
        std::future::ready(Ok::<_, Infallible>(if is_list { answer(&all) } else { answer(&one) }))
    });
    let api = router(&pool, &["utopia.host.v1.HostService"], upstream, Config::default()).expect("the contract has routes");
    let ask = async |path: &'static str| -> Bytes {
        let request = Request::get(path).body(Body::empty()).expect("the path is valid");
        let response = api.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        response.into_body().collect().await.expect("the answer is whole").to_bytes()
    };
    let mut group = criterion.benchmark_group("request");
    for (name, path) in [
        ("GET a host", "/api/v1/hosts/5f64a1c2-7d0e-4b8a-9c3d-000000000001"),
        ("GET 100 hosts", "/api/v1/hosts?page=1&page_size=100"),
        ("GET no route", "/api/v1/nothing/at/all"),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(ask(black_box(path)))));
    }
    group.finish();
}

criterion_group!(benches, transcoding, requests);
criterion_main!(benches);
