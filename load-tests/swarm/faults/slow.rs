//! One agent among many that does not read what is sent to it, and answers pings all the same: its session ends with a reason, and
//! nobody else notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use utopia_load_tests::median;
use utopia_load_tests::outcome::{Limit, Outcome};
use utopia_load_tests::peer::Join;

use super::FIGURE;
use crate::agent::{Agent, Session};
use crate::args::{Faults, Target, seconds};
use crate::detection::until_offline;
use crate::meter::percentile_ms;
use crate::subject::Subject;
use crate::swarm::{Swarm, enrol};

/// What the agent lets the server send before it has read anything: a few commands.
const STREAM_WINDOW_BYTES: u32 = 1024;
/// More than its queue holds.
const COMMANDS: usize = 600;
const AT_A_TIME: usize = 64;
/// How long anybody waits for the agent's answer, which never comes.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(50);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Also for what the agent had not read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Over the same time before: what a noisy machine does by itself.
const MOST_OF_BEFORE: f64 = 1.5;
const WINDOWS: u32 = 5;

pub(super) async fn inflict(settings: &Faults, target: &Target, outcome: &mut Outcome) -> anyhow::Result<()> {
    let subject = Subject::own_saying_why().await?;
    let (api, join) = (subject.api().await?, subject.join(settings.agents + 1).await?);
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(settings.agents, &join).await?;
    let mut enrolled = enrol(settings.agents..settings.agents + 1, 1, &join).await?;
    let Some(slow) = enrolled.pop() else { anyhow::bail!("no agent was enrolled") };
    let mut session = slow.greet(connect(&join, &slow).await?).await?;
    swarm.meter().take();
    let before = p99s(&swarm, settings.seconds).await;

    let begun = Instant::now();
    let (during, ()) = tokio::join!(p99s(&swarm, settings.seconds), ignored_commands(&api, &slow.node_id));
    let offline = until_offline(&api, &slow.node_id, begun, LOOK_INTERVAL).await;
    let ended = read_to_end(&mut session).await;

    let ratio = median(&during) / median(&before);
    outcome.measure(subject.name, "an agent that does not read: p99 of the others before", "ms", before);
    outcome.measure(subject.name, "an agent that does not read: p99 of the others meanwhile", "ms", during);
    outcome.measure(
        subject.name,
        "an agent that does not read: sessions of others lost",
        "",
        vec![(settings.agents - swarm.meter().online()).into()],
    );
    if let Ok(offline) = &offline {
        outcome.measure(subject.name, "an agent that does not read: offline after", "s", vec![offline.as_secs_f64()]);
    }
    // The agent hears it only if its connection lives long enough; the log has it in any case.
    let told = ended.as_ref().is_some_and(|status| status.code() == Code::ResourceExhausted);
    let log = subject.as_own()?.log();
    let told = told || log.lines().any(|line| line.contains(&slow.node_id) && line.contains("does not read"));
    let mut verdict = |what: &str, value, limit, unit| {
        outcome.verdict(FIGURE, &format!("an agent that does not read, {what}"), value, limit, unit)
    };
    verdict("p99 of the others, meanwhile / before", ratio, Limit::AtMost(MOST_OF_BEFORE), "×");
    verdict("session ended", f64::from(u8::from(offline.is_ok())), Limit::AtLeast(1.0), "");
    verdict("reason told", f64::from(u8::from(told)), Limit::AtLeast(1.0), "");
    swarm.stop().await
}

/// The slow end of the answers' times in each of a few windows.
async fn p99s(swarm: &Swarm, for_seconds: u32) -> Vec<f64> {
    let mut samples = Vec::new();
    for _ in 0..WINDOWS {
        tokio::time::sleep(seconds(for_seconds) / WINDOWS).await;
        samples.push(percentile_ms(&mut swarm.meter().take().answers, 99));
    }
    samples
}

/// Commands that somebody gives up waiting for, each of which leaves two frames for the agent to read.
async fn ignored_commands(api: &utopia_load_tests::api::Api, node_id: &str) {
    let path = format!("/api/nodes/{node_id}/health");
    let asking =
        stream::iter(0..COMMANDS).map(|_| tokio::time::timeout(ANSWER_TIMEOUT, api.send(reqwest::Method::GET, &path, None)));
    // Whatever they answer: the agent does not.
    asking.buffer_unordered(AT_A_TIME).for_each(|_| std::future::ready(())).await;
}

/// Reads at last, and answers with what the session ended.
async fn read_to_end(session: &mut Session) -> Option<Status> {
    let reading = async {
        loop {
            match session.inbound.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    };
    tokio::time::timeout(READ_TIMEOUT, reading).await.ok().flatten()
}

/// As agents connect, but with a small window.
async fn connect(join: &Join, agent: &Agent) -> anyhow::Result<Channel> {
    let origin: http::Uri = join.server.to_string().parse()?;
    let host = origin.host().unwrap_or_default().to_owned();
    let tcp = TcpStream::connect((host.as_str(), origin.port_u16().unwrap_or_default())).await?;
    let name = rustls::pki_types::ServerName::try_from(host)?;
    let stream = TlsConnector::from(Arc::clone(&agent.tls)).connect(name, tcp).await?;
    let mut only = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = only.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected));
        std::future::ready(stream)
    });
    let endpoint = Endpoint::from_static("http://control-plane").origin(origin).initial_stream_window_size(STREAM_WINDOW_BYTES);
    Ok(endpoint.connect_with_connector(connector).await?)
}
