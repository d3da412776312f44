//! Metrics for Prometheus: GPUs under the names and labels of NVIDIA's DCGM exporter, and the agent itself.
//!
//! Invariant: a scrape asks no driver and waits for nothing; it shows the last readings. A reading that is missing is left out.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{MetricType, counter::Counter, family::Family, info::Info},
    registry::Registry,
};
use tokio::sync::watch;

use crate::{
    containers::Containers,
    error::Error,
    readings::{GpuReading, Reading, Readings},
    session::SessionStatus,
};

/// Commands of the control plane by kind and outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandCounts(Family<CommandLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    kind: &'static str,
    outcome: &'static str,
}

impl CommandCounts {
    /// Counts a command that was carried out, or failed.
    pub(crate) fn count(&self, kind: &'static str, error: Option<&Error>) {
        let outcome = error.map_or("Ok", |error| utopia_proto::status::code_name(error.parts().0));
        self.0.get_or_create(&CommandLabels { kind, outcome }).inc();
    }
}

/// Where the metrics come from.
pub(crate) struct Sources {
    pub(crate) readings: Arc<Readings>,
    pub(crate) containers: Arc<Containers>,
    pub(crate) session: watch::Receiver<SessionStatus>,
    pub(crate) hostname: String,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

/// Registers everything the agent tells of itself.
pub(crate) fn register(registry: &mut Registry, commands: &CommandCounts, sources: Sources) {
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("utopia_agent_build", "The agent's build", version);
    registry.register(
        "utopia_agent_commands",
        "Commands of the control plane that ended, by kind and outcome",
        commands.0.clone(),
    );
    registry.register_collector(Box::new(sources));
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let session = self.session.borrow().clone();
        let connected = [(NO_LABELS, f64::from(u8::from(session.is_connected())))];
        gauge(&mut encoder, "utopia_agent_session_connected", "Whether the link to the control plane is open", connected)?;
        counter(&mut encoder, "utopia_agent_session_reconnects", "Sessions opened after the first one", session.reconnects)?;
        let containers = self.containers.counts().into_iter().map(|(state, count)| ([("state", state)], number(count)));
        gauge(&mut encoder, "utopia_agent_containers", "Containers that the agent made, by state", containers)?;
        match self.readings.last() {
            Some(reading) => encode_reading(&mut encoder, &reading, &self.hostname),
            None => Ok(()),
        }
    }
}

const NO_LABELS: [(&str, &str); 0] = [];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(non_snake_case, reason = "the names that dashboards for DCGM expect")]
struct GpuLabels {
    gpu: u32,
    UUID: String,
    modelName: String,
    Hostname: String,
}

/// Name, help and value of a reading.
type GpuGauge = (&'static str, &'static str, fn(&GpuReading) -> Option<f64>);

const GPU_GAUGES: [GpuGauge; 9] = [
    ("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %)", |gpu| Some(f64::from(gpu.sample.usage_percent))),
    ("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB)", |gpu| Some(mebibytes(gpu.sample.memory_used_bytes))),
    ("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB)", |gpu| {
        Some(mebibytes(gpu.info.memory_bytes.saturating_sub(gpu.sample.memory_used_bytes)))
    }),
    ("DCGM_FI_DEV_FB_TOTAL", "Total framebuffer memory (in MiB)", |gpu| Some(mebibytes(gpu.info.memory_bytes))),
    ("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C)", |gpu| Some(f64::from(gpu.sample.temperature_c))),
    ("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W)", |gpu| Some(f64::from(gpu.sample.power_milliwatts) / 1000.0)),
    ("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz)", |gpu| Some(f64::from(gpu.sample.sm_clock_mhz))),
    ("DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz)", |gpu| Some(f64::from(gpu.sample.memory_clock_mhz))),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Double-bit volatile ECC errors", |gpu| gpu.sample.ecc_errors.map(number)),
];

fn encode_reading(encoder: &mut DescriptorEncoder, reading: &Reading, hostname: &str) -> fmt::Result {
    let host = &reading.host;
    gauge(
        encoder,
        "utopia_agent_cpu_usage_percent",
        "Use of all cores together",
        [(NO_LABELS, f64::from(host.cpu_usage_percent))],
    )?;
    gauge(encoder, "utopia_agent_memory_used_bytes", "Memory in use", [(NO_LABELS, number(host.memory_used_bytes))])?;
    gauge(encoder, "utopia_agent_memory_total_bytes", "Memory of the machine", [(NO_LABELS, number(host.memory_total_bytes))])?;
    let disk = [(NO_LABELS, f64::from(host.disk_usage_percent))];
    gauge(encoder, "utopia_agent_disk_usage_percent", "Use of the file system that holds the agent's data", disk)?;

    for (name, help, read) in GPU_GAUGES {
        let readable = reading.gpus.iter().filter(|gpu| gpu.sample.fault.is_none());
        gauge(encoder, name, help, readable.filter_map(|gpu| Some((labels(gpu, hostname), read(gpu)?))))?;
    }
    let states: [(&str, &str, fn(&GpuReading) -> bool); 3] = [
        ("utopia_agent_gpu_faulty", "Whether the GPU cannot be read", |gpu| gpu.sample.fault.is_some()),
        ("utopia_agent_gpu_allocated", "Whether a container of the agent has the GPU", |gpu| gpu.used_by.allocated),
        ("utopia_agent_gpu_foreign_use", "Whether somebody else uses the GPU", |gpu| gpu.used_by.foreign),
    ];
    for (name, help, is) in states {
        gauge(encoder, name, help, reading.gpus.iter().map(|gpu| (labels(gpu, hostname), f64::from(u8::from(is(gpu))))))?;
    }
    Ok(())
}

fn labels(gpu: &GpuReading, hostname: &str) -> GpuLabels {
    GpuLabels {
        gpu: gpu.info.index,
        UUID: gpu.info.uuid.clone(),
        modelName: gpu.info.name.clone(),
        Hostname: hostname.to_owned(),
    }
}

fn gauge<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    values.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = prometheus_client::metrics::counter::ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn number(value: u64) -> f64 {
    value as f64
}

fn mebibytes(bytes: u64) -> f64 {
    number(bytes >> 20)
}
