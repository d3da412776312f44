//! Heartbeats of one agent with eight GPUs: from the bytes of the frame to the bytes of its acknowledgement.

use std::convert::Infallible;

use anyhow::{Context as _, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use jiff::Timestamp;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::body::Body;
use tower::ServiceExt as _;
use utopia_controlplane::{
    auth::{Caller, Identity},
    clock::Clock,
    link::{Hub, service::LinkService},
    model::{Node, NodeStage},
    store::{Options, Store},
};
use utopia_proto::{
    codec::MAX_FRAME_BYTES,
    link::v1::{
        AgentFrame, ControlFrame, GpuFacts, GpuReading, Heartbeat, HeartbeatAck, Hello, MachineFacts, agent_frame,
        agent_link_server::AgentLinkServer, control_frame,
    },
};
use uuid::Uuid;

use crate::counted_section;

const TIMES: u64 = 500;

/// Heartbeats before those that are counted.
const WARM_UP: u64 = 20;

/// A message of gRPC has a flag and its length before it.
const FRAME_HEADER: usize = 5;

/// Opens a session, and sends heartbeats; answers how many.
pub(crate) fn go() -> anyhow::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let mut link = runtime.block_on(Link::open(&format!("sqlite://{}/utopia.db", directory.path().display())))?;
    let heartbeats: Vec<Bytes> = (1..=WARM_UP + TIMES).map(|sequence| frame(heartbeat(sequence))).collect();
    let (first, counted) = heartbeats.split_at(usize::try_from(WARM_UP)?);
    runtime.block_on(link.exchange(first))?;
    let answers = counted_section(|| runtime.block_on(link.exchange(counted)))?;
    for (sequence, answer) in (WARM_UP + 1..).zip(&answers) {
        let answer = ControlFrame::decode(answer.get(FRAME_HEADER..).context("an answer is too short")?)?.frame;
        ensure!(answer == Some(control_frame::Frame::HeartbeatAck(HeartbeatAck { sequence })), "{sequence}: {answer:?}");
    }
    Ok(answers.len())
}

/// An agent's stream, without a socket below it.
struct Link {
    say: mpsc::Sender<Bytes>,
    hear: Body,
}

impl Link {
    async fn open(database_url: &str) -> anyhow::Result<Self> {
        let (node, hello) = machine();
        let (hub, _facts) = Hub::new(Clock::system(), std::sync::Arc::default());
        let id = node.id;
        hub.learn([node]);
        let store = Store::open(database_url, Options::default()).await?;
        let service = LinkService { hub, store, heartbeat_interval_ms: 5_000 };
        let server = AgentLinkServer::new(service).max_decoding_message_size(MAX_FRAME_BYTES);

        let (say, said) = mpsc::channel(1);
        let body = StreamBody::new(ReceiverStream::new(said).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
        let body = Body::new(body.map_err(|never| match never {}));
        let request = http::Request::post("/utopia.link.v1.AgentLink/Connect").version(http::Version::HTTP_2);
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        let request = request.extension(Identity { caller: Caller::Node(id), address: None }).body(body)?;
        say.send(frame(hello)).await?;
        let mut hear = server.oneshot(request).await.unwrap_or_else(|never| match never {}).into_body();
        let welcome = hear.frame().await.context("the session ended")??;
        ensure!(welcome.is_data(), "the session was refused");
        Ok(Self { say, hear })
    }

    async fn exchange(&mut self, heartbeats: &[Bytes]) -> anyhow::Result<Vec<Bytes>> {
        let mut answers = Vec::with_capacity(heartbeats.len());
        for heartbeat in heartbeats {
            self.say.send(heartbeat.clone()).await?;
            let answer = self.hear.frame().await.context("the session ended")??;
            answers.push(answer.into_data().ok().context("the session ended")?);
        }
        Ok(answers)
    }
}

fn frame(frame: agent_frame::Frame) -> Bytes {
    let message = AgentFrame { frame: Some(frame) };
    let mut bytes = BytesMut::with_capacity(FRAME_HEADER + message.encoded_len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("a frame is small"));
    message.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

fn machine() -> (Node, agent_frame::Frame) {
    let id = Uuid::from_u128(1);
    let facts = MachineFacts { hostname: "gpu-1".to_owned(), cpu_count: 128, memory_bytes: 1 << 40, ..MachineFacts::default() };
    let gpu = |index| GpuFacts {
        uuid: format!("GPU-{}", Uuid::from_u128(u128::from(index))),
        index,
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        memory_bytes: 80 << 30,
    };
    let gpus: Vec<_> = (0..8).map(gpu).collect();
    let node = Node {
        id,
        machine_id: None,
        hostname: facts.hostname.clone(),
        stage: NodeStage::Enrolled,
        facts: facts.clone(),
        gpus: gpus.clone(),
        last_seen_at: None,
        created_at: Timestamp::UNIX_EPOCH,
        in_maintenance: false,
    };
    (node, agent_frame::Frame::Hello(Hello { node_id: id.to_string(), protocol: 1, facts: Some(facts), gpus }))
}

/// Readings of a busy machine that change from one heartbeat to the next, as real ones do.
fn heartbeat(sequence: u64) -> agent_frame::Frame {
    let wobble = (sequence % 10) as f32 / 10.0;
    let gpu = GpuReading {
        memory_used_bytes: (40 << 30) + (sequence << 20),
        usage_percent: 90.0 + wobble,
        temperature_c: 71,
        power_milliwatts: 640_000,
        has_ecc: true,
        ..GpuReading::default()
    };
    agent_frame::Frame::Heartbeat(Heartbeat {
        sequence,
        cpu_usage_percent: 12.0 + wobble,
        memory_used_bytes: 180 << 30,
        disk_usage_percent: 37.5,
        load_average: 4.0 + wobble,
        uptime_seconds: 86_400 + 5 * sequence,
        runtime_ready: true,
        network_in: 1_024_000.0 + wobble,
        network_out: 512_000.0 + wobble,
        gpus: vec![gpu; 8],
    })
}
