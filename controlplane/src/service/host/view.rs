//! Hosts and their GPUs as the contract shows them: what is written down, with what the link and the heartbeats say now.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use utopia_proto::{
    host::v1::{
        Host as WireHost, HostGpu, HostGpuStatus, HostHealth, HostStatus, Maintenance as WireMaintenance,
        MaintenanceClaims as WireClaims,
    },
    link::v1::{ContainerPhase, ContainerState, GpuFacts, GpuReading, Heartbeat},
};
use uuid::Uuid;

use super::Hosts;
use crate::{
    error::Result,
    link::{Session, reports::Report},
    model::{
        NodeStage,
        host::{Host, MaintenanceClaims},
    },
    service::convert,
};

/// What is known of a host at this moment.
pub(super) struct Presence {
    session: Option<Arc<Session>>,
    heartbeat: Option<Heartbeat>,
    /// Only while it counts.
    report: Option<Report>,
    /// No agent ever, and heard of not long before the control plane started.
    heard_before: bool,
}

impl Presence {
    /// Where the host stands.
    pub(super) fn status(&self, in_maintenance: bool) -> HostStatus {
        if in_maintenance {
            HostStatus::Maintenance
        } else if self.session.is_some() || self.report.is_some() || self.heard_before {
            HostStatus::Online
        } else {
            HostStatus::Offline
        }
    }

    /// How the host is; the worse of what its agent and its heartbeats say.
    fn health(&self) -> HostHealth {
        let by_agent = match &self.heartbeat {
            None => HostHealth::Unspecified,
            Some(heartbeat) if !heartbeat.runtime_ready => HostHealth::Unhealthy,
            Some(heartbeat) if heartbeat.gpus.iter().any(|gpu| gpu.faulty) => HostHealth::Degraded,
            Some(_) => HostHealth::Healthy,
        };
        let by_report = self.report.map_or(HostHealth::Unspecified, |report| report.health);
        by_agent.max(by_report)
    }

    /// How many claims have a container there that has not ended: those that are moved away have one until it is removed.
    fn running_claims(&self) -> i64 {
        let Some(session) = &self.session else { return 0 };
        let runs = |container: &ContainerState| {
            container.epoch > 0 && matches!(container.phase(), ContainerPhase::Preparing | ContainerPhase::Running)
        };
        let containers = Arc::clone(&session.view().containers);
        i64::try_from(containers.values().filter(|of_claim| of_claim.iter().any(runs)).count()).unwrap_or(i64::MAX)
    }
}

impl Hosts {
    /// What is known now of a host of which this is written down.
    pub(super) fn presence(&self, id: Uuid, stage: NodeStage, last_seen_at: Option<Timestamp>) -> Presence {
        let session = self.hub.node(id).and_then(|known| known.session);
        let heartbeat = session.as_ref().and_then(|session| session.view().heartbeat.clone());
        let report = self.reports.of(id).filter(|report| self.is_recent(report.at));
        let heard_before = stage == NodeStage::Pending && last_seen_at.is_some_and(|at| self.is_recent(at));
        Presence { session, heartbeat, report, heard_before }
    }

    fn is_recent(&self, at: Timestamp) -> bool {
        Duration::try_from(self.hub.now().duration_since(at)).is_ok_and(|age| age < self.offline_after)
    }

    /// Hosts as the contract shows them.
    pub(super) async fn show(&self, hosts: Vec<Host>) -> Result<Vec<WireHost>> {
        let ids = hosts.iter().map(|host| host.node.id).collect::<Vec<_>>();
        let allocations = self.store.allocations(&ids).await?;
        let in_maintenance = hosts.iter().filter(|host| host.maintenance.is_some()).map(|host| host.node.id).collect::<Vec<_>>();
        let live = self.store.live_claims(&in_maintenance).await?;
        let show = |host: Host| {
            let live = live.get(&host.node.id).copied().unwrap_or_default();
            self.show_one(host, &allocations, live)
        };
        Ok(hosts.into_iter().map(show).collect())
    }

    fn show_one(&self, host: Host, allocations: &HashMap<String, Uuid>, live_claims: i64) -> WireHost {
        let Host { node, registration, .. } = &host;
        let presence = self.presence(node.id, node.stage, node.last_seen_at);
        let total_cpu = known_or(node.facts.cpu_count.into(), registration.total_cpu.into());
        let used = self.used(&host, &presence, total_cpu, allocations);
        let heard = [
            node.last_seen_at,
            presence.session.as_ref().map(|session| session.last_seen()),
            self.reports.of(node.id).map(|report| report.at),
        ];
        let peer = || presence.session.as_ref().and_then(|session| session.address).map(|address| address.to_string());
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        WireHost {
            host_id: node.id.to_string(),
            name: host.name().to_owned(),
            hostname: node.hostname.clone(),
            ip_address: given(&registration.ip_address).or_else(peer).unwrap_or_default(),
            os_type: registration.os_type.clone(),
            os_version: given(&node.facts.os).unwrap_or_else(|| registration.os_version.clone()),
            deployment_mode: registration.deployment_mode.clone(),
            status: presence.status(node.in_maintenance).into(),
            health_status: presence.health().into(),
            total_cpu: i32::try_from(total_cpu).unwrap_or(i32::MAX),
            used_cpu: used.cpu,
            total_memory: known_or(to_i64(node.facts.memory_bytes), registration.total_memory),
            used_memory: used.memory,
            total_disk: known_or(to_i64(node.facts.disk_bytes), registration.total_disk),
            total_gpu: i32::try_from(node.gpus.len()).unwrap_or(i32::MAX),
            used_gpu: used.gpu,
            labels: host.labels(),
            last_heartbeat: heard.into_iter().flatten().max().map(convert::timestamp),
            created_at: Some(convert::timestamp(node.created_at)),
            maintenance: host.maintenance.as_ref().map(|maintenance| WireMaintenance {
                reason: maintenance.reason.clone(),
                claims: claims(maintenance.claims).into(),
                since: Some(convert::timestamp(maintenance.since)),
                remaining_claims: i32::try_from(live_claims.max(presence.running_claims())).unwrap_or(i32::MAX),
            }),
            agent_connected: presence.session.is_some(),
        }
    }

    fn used(&self, host: &Host, presence: &Presence, total_cpu: i64, allocations: &HashMap<String, Uuid>) -> Used {
        let readings = self.readings(host.node.id, presence);
        let is_used = |gpu: &&GpuFacts| allocations.contains_key(&gpu.uuid) || readings.get(&gpu.uuid).is_some_and(is_busy);
        let gpu = i32::try_from(host.node.gpus.iter().filter(is_used).count()).unwrap_or(i32::MAX);
        match (&presence.heartbeat, presence.report) {
            (Some(heartbeat), _) => {
                #[expect(clippy::cast_precision_loss, reason = "no machine has so many CPUs")]
                let cpu = f64::from(heartbeat.cpu_usage_percent.clamp(0.0, 100.0)) / 100.0 * total_cpu as f64;
                Used { cpu, memory: to_i64(heartbeat.memory_used_bytes), gpu }
            }
            (None, Some(report)) => Used { cpu: report.used_cpu, memory: report.used_memory, gpu: gpu.max(report.used_gpu) },
            (None, None) => Used { cpu: 0.0, memory: 0, gpu },
        }
    }

    /// A host's GPUs as the contract shows them.
    pub(super) fn show_gpus(&self, id: Uuid, gpus: Vec<(GpuFacts, Option<Uuid>)>) -> Vec<HostGpu> {
        // Only the link is asked: heartbeats over REST say nothing of single GPUs.
        let presence = self.presence(id, NodeStage::Enrolled, None);
        let readings = self.readings(id, &presence);
        let show = |(number, (gpu, owner)): (i32, (GpuFacts, Option<Uuid>))| {
            let reading = readings.get(&gpu.uuid);
            let healthy = reading.filter(|reading| !reading.faulty);
            HostGpu {
                gpu_id: number,
                gpu_index: i32::try_from(gpu.index).unwrap_or(i32::MAX),
                memory_total: to_i64(gpu.memory_bytes),
                status: gpu_status(reading, owner.is_some()).into(),
                allocated_to: owner.map(|claim| claim.to_string()),
                temperature: healthy.map(|reading| reading.temperature_c.into()),
                utilization: healthy.map(|reading| reading.usage_percent.into()),
                memory_used: healthy.map(|reading| to_i64(reading.memory_used_bytes)),
                name: gpu.name,
                uuid: gpu.uuid,
            }
        };
        (1..).zip(gpus).map(show).collect()
    }

    /// The readings by the GPU's key; they come in the order in which the agent named its GPUs.
    fn readings(&self, id: Uuid, presence: &Presence) -> HashMap<String, GpuReading> {
        let (Some(heartbeat), Some(known)) = (&presence.heartbeat, self.hub.node(id)) else { return HashMap::new() };
        known.gpus.iter().map(|gpu| gpu.uuid.to_string()).zip(heartbeat.gpus.iter().copied()).collect()
    }
}

/// What of a host is in use.
struct Used {
    cpu: f64,
    memory: i64,
    gpu: i32,
}

fn gpu_status(reading: Option<&GpuReading>, is_allocated: bool) -> HostGpuStatus {
    match reading {
        Some(reading) if reading.faulty => HostGpuStatus::Faulty,
        Some(_) | None if is_allocated => HostGpuStatus::Allocated,
        Some(reading) if is_busy(reading) => HostGpuStatus::Busy,
        Some(_) => HostGpuStatus::Available,
        None => HostGpuStatus::Unspecified,
    }
}

fn is_busy(reading: &GpuReading) -> bool {
    reading.foreign_use || reading.locally_allocated
}

fn claims(claims: MaintenanceClaims) -> WireClaims {
    match claims {
        MaintenanceClaims::Keep => WireClaims::Keep,
        MaintenanceClaims::Move => WireClaims::Move,
    }
}

/// What the agent reports; what was registered before it has reported anything.
fn known_or(reported: i64, registered: i64) -> i64 {
    if reported > 0 { reported } else { registered }
}

fn to_i64(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
