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
    host::hundredths,
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
        let connected = f64::from(u8::from(session.is_connected()));
        scalar(&mut encoder, "utopia_agent_session_connected", "Whether the link to the control plane is open", connected)?;
        counter(&mut encoder, "utopia_agent_session_reconnects", "Sessions opened after the first one", session.reconnects)?;
        let containers = self.containers.counts().into_iter().map(|(state, count)| ([("state", state)], number(count)));
        gauge(&mut encoder, "utopia_agent_containers", "Containers that the agent made, by state", containers)?;
        match self.readings.last() {
            Some(reading) => encode_reading(&mut encoder, &reading, &self.hostname),
            None => Ok(()),
        }
    }
}

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

/// Name, help and state.
type GpuState = (&'static str, &'static str, fn(&GpuReading) -> bool);

const GPU_STATES: [GpuState; 3] = [
    ("utopia_agent_gpu_faulty", "Whether the GPU cannot be read", |gpu| gpu.sample.fault.is_some()),
    ("utopia_agent_gpu_allocated", "Whether a container of the agent has the GPU", |gpu| gpu.used_by.allocated),
    ("utopia_agent_gpu_foreign_use", "Whether somebody else uses the GPU", |gpu| gpu.used_by.foreign),
];

fn encode_reading(encoder: &mut DescriptorEncoder, reading: &Reading, hostname: &str) -> fmt::Result {
    let host = &reading.host;
    scalar(encoder, "utopia_agent_cpu_usage_percent", "Use of all cores together", hundredths(host.cpu_usage_percent))?;
    scalar(encoder, "utopia_agent_memory_used_bytes", "Memory in use", number(host.memory_used_bytes))?;
    scalar(encoder, "utopia_agent_memory_total_bytes", "Memory of the machine", number(host.memory_total_bytes))?;
    let disk = hundredths(host.disk_usage_percent);
    scalar(encoder, "utopia_agent_disk_usage_percent", "Use of the file system that holds the agent's data", disk)?;

    for (name, help, read) in GPU_GAUGES {
        let readable = reading.gpus.iter().filter(|gpu| gpu.sample.fault.is_none());
        gauge(encoder, name, help, readable.filter_map(|gpu| Some((labels(gpu, hostname), read(gpu)?))))?;
    }
    for (name, help, is) in GPU_STATES {
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

fn scalar(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gpu::{GpuInfo, GpuSample},
        host::HostSample,
        readings::GpuUse,
    };

    #[derive(Debug)]
    struct Fixed(Reading);

    impl Collector for Fixed {
        fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
            encode_reading(&mut encoder, &self.0, "host1")
        }
    }

    fn gpu(index: u32, sample: GpuSample) -> GpuReading {
        let info = GpuInfo {
            uuid: format!("GPU-{index}"),
            index,
            name: "NVIDIA \"H100\"".to_owned(),
            memory_bytes: 80 << 30,
            simulated: false,
        };
        GpuReading { info, sample, used_by: GpuUse { allocated: true, ..GpuUse::default() } }
    }

    fn encoded(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn gpus_have_the_names_and_units_of_dcgm_and_faulty_ones_no_readings() {
        let working = GpuSample {
            memory_used_bytes: 1 << 30,
            usage_percent: 37.0,
            temperature_c: 45,
            power_milliwatts: 312_500,
            sm_clock_mhz: 1980,
            ..GpuSample::default()
        };
        let host = HostSample { cpu_usage_percent: 12.3, memory_used_bytes: 5, ..HostSample::default() };
        let gpus = vec![gpu(0, working), gpu(1, GpuSample::faulty("lost"))];
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Fixed(Reading { at: tokio::time::Instant::now(), host, gpus })));
        let text = encoded(&registry);

        let labels = |index| format!(r#"{{gpu="{index}",UUID="GPU-{index}",modelName="NVIDIA \"H100\"",Hostname="host1"}}"#);
        for (name, value) in [
            ("DCGM_FI_DEV_GPU_UTIL", "37.0"),
            ("DCGM_FI_DEV_FB_USED", "1024.0"),
            ("DCGM_FI_DEV_FB_FREE", "80896.0"),
            ("DCGM_FI_DEV_GPU_TEMP", "45.0"),
            ("DCGM_FI_DEV_POWER_USAGE", "312.5"),
            ("DCGM_FI_DEV_SM_CLOCK", "1980.0"),
            ("utopia_agent_gpu_allocated", "1.0"),
            ("utopia_agent_gpu_faulty", "0.0"),
        ] {
            let line = format!("\n{name}{} {value}\n", labels(0));
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        assert!(!text.contains(&format!("DCGM_FI_DEV_GPU_UTIL{}", labels(1))));
        assert!(text.contains(&format!("\nutopia_agent_gpu_faulty{} 1.0\n", labels(1))));
        assert!(!text.contains("ECC_DBE"), "no GPU told of ECC");
        assert!(text.contains("\nutopia_agent_cpu_usage_percent 12.3\n"));
    }

    #[test]
    fn commands_are_counted_by_kind_and_outcome() {
        let commands = CommandCounts::default();
        commands.count("ensure_claim", None);
        commands.count("ensure_claim", Some(&Error::Cancelled));
        let mut registry = Registry::default();
        registry.register("commands", "help", commands.0);
        let text = encoded(&registry);
        assert!(text.contains("\ncommands_total{kind=\"ensure_claim\",outcome=\"Cancelled\"} 1\n"), "{text}");
        assert!(text.contains("\ncommands_total{kind=\"ensure_claim\",outcome=\"Ok\"} 1\n"), "{text}");
    }
}
