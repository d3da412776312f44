//! Readings as the contract words them: MiB and indexes for the node API, bytes and UUIDs for the link.

use tonic::async_trait;
use utopia_proto::{
    link::v1::{GpuReading as LinkGpu, Heartbeat},
    node::v1::{GpuMetrics, NodeMetrics, SystemMetrics},
};

use super::{FRESH, GpuReading, Reading, Readings};
use crate::{
    api::Metrics,
    host::{HostSample, hundredths, percent_of},
};

#[async_trait]
impl Metrics for Readings {
    async fn node_metrics(&self, node_id: String) -> NodeMetrics {
        self.get(FRESH).await.node_metrics(node_id)
    }
}

impl Reading {
    /// For the node API.
    #[must_use]
    pub fn node_metrics(&self, node_id: String) -> NodeMetrics {
        let system = system(&self.host);
        let mut gpus: Vec<GpuMetrics> = self.gpus.iter().map(gpu_metrics).collect();
        gpus.sort_by_key(|gpu| gpu.id);
        NodeMetrics {
            node_id,
            cpu_usage_percent: system.cpu_usage_percent,
            memory_usage_percent: system.memory_usage_percent,
            gpus,
            system: Some(system),
        }
    }

    /// For the link, without its sequence.
    #[must_use]
    pub fn heartbeat(&self, runtime_ready: bool) -> Heartbeat {
        Heartbeat {
            sequence: 0,
            cpu_usage_percent: self.host.cpu_usage_percent,
            memory_used_bytes: self.host.memory_used_bytes,
            disk_usage_percent: self.host.disk_usage_percent,
            #[expect(clippy::cast_possible_truncation, reason = "a load needs no more digits")]
            load_average: self.host.load_average as f32,
            uptime_seconds: self.host.uptime_seconds,
            runtime_ready,
            network_in: self.host.network_in,
            network_out: self.host.network_out,
            gpus: self.gpus.iter().map(link_gpu).collect(),
        }
    }
}

fn gpu_metrics(gpu: &GpuReading) -> GpuMetrics {
    GpuMetrics {
        id: gpu.info.index,
        temperature_c: gpu.sample.temperature_c,
        memory_total_mb: mebibytes(gpu.info.memory_bytes),
        memory_used_mb: mebibytes(gpu.sample.memory_used_bytes),
        name: gpu.info.name.clone(),
        uuid: gpu.info.uuid.clone(),
        busy: gpu.used_by.busy(),
        usage_percent: hundredths(gpu.sample.usage_percent),
        error: gpu.sample.fault.clone().unwrap_or_default(),
    }
}

fn link_gpu(gpu: &GpuReading) -> LinkGpu {
    LinkGpu {
        memory_used_bytes: gpu.sample.memory_used_bytes,
        usage_percent: gpu.sample.usage_percent,
        temperature_c: gpu.sample.temperature_c,
        power_milliwatts: gpu.sample.power_milliwatts,
        foreign_use: gpu.used_by.foreign,
        faulty: gpu.sample.fault.is_some(),
        locally_allocated: gpu.used_by.locally,
        has_ecc: gpu.sample.ecc_errors.is_some(),
        ecc_errors: gpu.sample.ecc_errors.map_or(0, |errors| u32::try_from(errors).unwrap_or(u32::MAX)),
        xid: gpu.sample.xid,
    }
}

fn system(host: &HostSample) -> SystemMetrics {
    SystemMetrics {
        cpu_usage_percent: hundredths(host.cpu_usage_percent),
        memory_usage_percent: hundredths(percent_of(host.memory_used_bytes, host.memory_total_bytes)),
        memory_total_mb: mebibytes(host.memory_total_bytes),
        memory_used_mb: mebibytes(host.memory_used_bytes),
        disk_usage_percent: hundredths(host.disk_usage_percent),
        load_average: host.load_average,
        uptime: i64::try_from(host.uptime_seconds).unwrap_or(i64::MAX),
    }
}

fn mebibytes(bytes: u64) -> i64 {
    i64::try_from(bytes >> 20).unwrap_or(i64::MAX)
}
