//! Small frames as fast as they are answered, for long: HTTP/2 libraries take such floods for attacks, and may end the connection.

use std::time::Duration;

use futures_util::future::try_join_all;
use prost::Message as _;
use serde_json::to_value;
use tokio::time::Instant;
use utopia_agent::dial;
use utopia_load_tests::outcome::{Limit, Outcome};
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::{AgentFrame, GpuReading, Heartbeat, control_frame};

use crate::agent::Agent;
use crate::args::{SmallFrames, Target, seconds};
use crate::idle::{deviation_percent, megabytes};
use crate::subject::Subject;
use crate::swarm::enrol;

const FRAME_BYTES: usize = 64;
const MOST_DEVIATION_PERCENT: f64 = 3.0;
/// Longer, for an hour to fit.
const SAMPLES: u32 = 100;

pub(crate) async fn measure(settings: &SmallFrames, target: &Target) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("swarm small-frames", to_value(settings)?);
    let subject = Subject::control_plane(target).await?;
    let join = subject.join(settings.agents).await?;
    let agents = enrol(0..settings.agents, target.concurrency, &join).await?;
    let until = Instant::now() + seconds(settings.seconds);
    let window = u64::from(settings.window);
    let flooding = try_join_all(agents.iter().map(async |agent| {
        let channel = dial::connect(&join.server, agent.tls.clone()).await?;
        flood(agent, channel, window, until).await
    }));
    let begun = subject.usage()?;
    let (flooded, memory) = tokio::join!(flooding, memory(&subject, settings.seconds));
    let (memory, cpu) = (memory?, subject.usage()?.cpu.saturating_sub(begun.cpu));
    let frames = flooded.as_ref().map_or(f64::NAN, |counts| counts.iter().sum());
    // Pools and caches are filled in the first tenth.
    let settled = &memory[memory.len() / 10..];
    let deviation = deviation_percent(settled);
    outcome.measure(subject.name, "frames answered", "", vec![frames]);
    outcome.measure(subject.name, "frames answered per second", "", vec![frames / f64::from(settings.seconds)]);
    outcome.measure(subject.name, "server CPU per frame", "µs", vec![cpu.as_secs_f64() * 1e6 / frames]);
    outcome.measure(subject.name, "memory meanwhile", "MB", memory);
    if let Err(error) = &flooded {
        tracing::error!(error = %format!("{error:#}"), "a session has ended");
    }
    let ended = f64::from(u8::from(flooded.is_err()));
    outcome.verdict(13, "small frames without pause, sessions ended", ended, Limit::AtMost(0.0), "");
    outcome.verdict(
        13,
        "small frames without pause, memory, largest deviation",
        deviation,
        Limit::AtMost(MOST_DEVIATION_PERCENT),
        "%",
    );
    Ok(outcome)
}

/// Sends frames until the time is up, so many of them unanswered at a time; answers how many were answered.
async fn flood(agent: &Agent, channel: tonic::transport::Channel, window: u64, until: Instant) -> anyhow::Result<f64> {
    let mut session = agent.greet(channel).await?;
    let (mut sent, mut answered) = (0, 0);
    while Instant::now() < until {
        while sent < answered + window {
            sent += 1;
            session.say(small(sent)).await?;
        }
        if let Some(control_frame::Frame::HeartbeatAck(ack)) = session.next().await? {
            answered = ack.sequence;
        }
    }
    Ok(f64::from(u32::try_from(answered)?))
}

/// A heartbeat of about as many bytes as wanted.
fn small(sequence: u64) -> Frame {
    let mut heartbeat =
        Heartbeat { sequence, cpu_usage_percent: 12.5, disk_usage_percent: 37.5, runtime_ready: true, ..Heartbeat::default() };
    let reading =
        GpuReading { memory_used_bytes: 300 << 20, temperature_c: 71, power_milliwatts: 640_000, ..GpuReading::default() };
    let mut frame = AgentFrame { frame: Some(Frame::Heartbeat(heartbeat.clone())) };
    while frame.encoded_len() < FRAME_BYTES {
        heartbeat.gpus.push(reading);
        frame.frame = Some(Frame::Heartbeat(heartbeat.clone()));
    }
    Frame::Heartbeat(heartbeat)
}

async fn memory(subject: &Subject, for_seconds: u32) -> anyhow::Result<Vec<f64>> {
    let mut samples = Vec::new();
    let pause = Duration::from_millis(u64::from(for_seconds) * 1_000 / u64::from(SAMPLES));
    for _ in 0..SAMPLES {
        tokio::time::sleep(pause).await;
        samples.push(megabytes(subject)?);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_small() {
        let bytes = AgentFrame { frame: Some(small(1_000_000)) }.encoded_len();
        assert!((FRAME_BYTES..FRAME_BYTES + 16).contains(&bytes), "{bytes}");
    }
}
