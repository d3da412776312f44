//! An invented machine: its facts, its GPUs, and the containers it claims to run.
//!
//! Containers start and stop at once, so that every delay that is measured is the control plane's own. Nothing is ever run.

use std::collections::BTreeMap;

use tonic::Code;
use utopia_agent::containers::STALE_PLACEMENT;
use utopia_agent::gpu::{GpuSource as _, simulated::SimulatedGpus};
use utopia_agent::session::PROTOCOL;
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::command::Action;
use utopia_proto::link::v1::command_result::Outcome;
use utopia_proto::link::v1::{
    Command, CommandResult, ContainerPhase, ContainerState, EnsureClaim, Failure, GpuFacts, GpuReading, Heartbeat, Hello,
    Inventory, MachineFacts, ReleaseClaim,
};
use utopia_proto::node::v1::{Container, GpuMetrics, Health, ListContainersResponse, NodeMetrics, SystemMetrics};

/// GPUs of a machine.
pub(crate) const GPUS: u32 = 8;
const MEMORY_BYTES: u64 = 1 << 40;
const MEMORY_USED_BYTES: u64 = 180 << 30;

/// A machine with eight GPUs.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The same at every run, so that a second run finds the nodes of the first.
    pub(crate) id: String,
    gpus: Vec<GpuFacts>,
    containers: BTreeMap<String, ContainerState>,
}

impl Machine {
    pub(crate) fn new(index: u32) -> Self {
        let id = format!("swarm-{index:05}");
        let gpus = SimulatedGpus::new(GPUS, &id).inventory().into_iter();
        let gpus = gpus.map(|gpu| GpuFacts { uuid: gpu.uuid, index: gpu.index, name: gpu.name, memory_bytes: gpu.memory_bytes });
        Self { gpus: gpus.collect(), containers: BTreeMap::new(), id }
    }

    pub(crate) fn facts(&self) -> MachineFacts {
        MachineFacts {
            hostname: self.id.clone(),
            os: "Debian GNU/Linux 12".to_owned(),
            kernel: "6.1.0".to_owned(),
            cpu_count: 128,
            memory_bytes: MEMORY_BYTES,
            disk_bytes: 4 << 40,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            runtime: "simulated".to_owned(),
            labels: BTreeMap::from([("utopia.dev/simulated-gpus".to_owned(), "true".to_owned())]),
        }
    }

    pub(crate) fn hello(&self, node_id: &str) -> Frame {
        let (facts, gpus) = (Some(self.facts()), self.gpus.clone());
        Frame::Hello(Hello { node_id: node_id.to_owned(), protocol: PROTOCOL, facts, gpus })
    }

    pub(crate) fn inventory(&self) -> Frame {
        Frame::Inventory(Inventory { containers: self.containers.values().cloned().collect(), more: false })
    }

    /// Readings that change a little from one heartbeat to the next, as real ones do.
    pub(crate) fn heartbeat(&self, sequence: u64) -> Frame {
        let wobble = rand::random_range(0.0..1.0_f32);
        let gpus = self.gpus.iter().map(|gpu| {
            let busy = self.containers.values().any(|container| container.gpu_uuids.contains(&gpu.uuid));
            GpuReading {
                memory_used_bytes: if busy { gpu.memory_bytes / 2 } else { 300 << 20 },
                usage_percent: if busy { 90.0 + wobble } else { 0.0 },
                temperature_c: if busy { 71 } else { 34 },
                power_milliwatts: if busy { 640_000 } else { 68_000 },
                has_ecc: true,
                ..GpuReading::default()
            }
        });
        Frame::Heartbeat(Heartbeat {
            sequence,
            cpu_usage_percent: 12.0 + wobble,
            memory_used_bytes: MEMORY_USED_BYTES,
            disk_usage_percent: 37.5,
            load_average: 4.0 + wobble,
            uptime_seconds: 86_400 + sequence,
            runtime_ready: true,
            network_in: 1_024_000.0 * wobble,
            network_out: 512_000.0 * wobble,
            gpus: gpus.collect(),
        })
    }

    /// How many containers there are.
    pub(crate) fn container_count(&self) -> usize {
        self.containers.len()
    }

    /// Does what is commanded; answers what is to be said, in order.
    pub(crate) fn obey(&mut self, command: Command) -> Vec<Frame> {
        let Command { id, action, timeout_ms: _ } = command;
        let mut events = Vec::new();
        let outcome = match action {
            Some(Action::EnsureClaim(ensure)) => self.ensure(ensure, &mut events),
            Some(Action::ReleaseClaim(release)) => self.release(&release, &mut events),
            Some(Action::ListContainers(_)) => {
                Outcome::Containers(ListContainersResponse { containers: self.containers.values().map(shown).collect() })
            }
            Some(Action::GetContainer(get)) => {
                let found = self.containers.values().find(|container| container.container_id.starts_with(&get.id));
                match found {
                    Some(state) => Outcome::Container(shown(state)),
                    None => failure(Code::NotFound, "NotFound", format!("container {} does not exist", get.id)),
                }
            }
            Some(Action::GetMetrics(_)) => Outcome::Metrics(self.metrics()),
            Some(Action::GetHealth(_)) => Outcome::Health(Health { status: "healthy".to_owned(), timestamp: None }),
            Some(Action::CreateContainer(_) | Action::DeleteContainer(_) | Action::StreamContainerLogs(_)) | None => failure(
                Code::Unimplemented,
                "Simulated",
                "a simulated agent makes containers for claims only, without logs".to_owned(),
            ),
        };
        let mut said = vec![Frame::Result(CommandResult { id, more: false, outcome: Some(outcome) })];
        said.extend(events.into_iter().map(Frame::Container));
        said
    }

    fn ensure(&mut self, ensure: EnsureClaim, events: &mut Vec<ContainerState>) -> Outcome {
        let EnsureClaim { claim_id, epoch, gpu_uuids, spec: _ } = ensure;
        if let Some(known) = self.containers.get(&claim_id) {
            if known.epoch > epoch {
                let message = format!("placement {epoch} of claim {claim_id} is not the newest: {} is", known.epoch);
                return failure(Code::FailedPrecondition, STALE_PLACEMENT, message);
            }
            if known.epoch == epoch {
                return Outcome::Claim(known.clone());
            }
        }
        let phase = ContainerPhase::Preparing.into();
        let preparing = ContainerState { claim_id, epoch, phase, gpu_uuids, ..ContainerState::default() };
        let container_id = format!("{}{epoch:032x}", preparing.claim_id.replace('-', ""));
        let running = ContainerState { container_id, phase: ContainerPhase::Running.into(), ..preparing.clone() };
        self.containers.insert(running.claim_id.clone(), running.clone());
        events.extend([preparing.clone(), running]);
        Outcome::Claim(preparing)
    }

    fn release(&mut self, release: &ReleaseClaim, events: &mut Vec<ContainerState>) -> Outcome {
        if self.containers.get(&release.claim_id).is_some_and(|known| known.epoch <= release.epoch)
            && let Some(known) = self.containers.remove(&release.claim_id)
        {
            events.push(ContainerState { phase: ContainerPhase::Removed.into(), ..known });
        }
        Outcome::Done(())
    }

    fn metrics(&self) -> NodeMetrics {
        let gpus = self.gpus.iter().map(|gpu| GpuMetrics {
            id: gpu.index,
            temperature_c: 34,
            memory_total_mb: mebibytes(gpu.memory_bytes),
            memory_used_mb: 300,
            name: gpu.name.clone(),
            uuid: gpu.uuid.clone(),
            ..GpuMetrics::default()
        });
        let system = SystemMetrics {
            cpu_usage_percent: 12.0,
            memory_usage_percent: 17.6,
            memory_total_mb: mebibytes(MEMORY_BYTES),
            memory_used_mb: mebibytes(MEMORY_USED_BYTES),
            disk_usage_percent: 37.5,
            load_average: 4.0,
            uptime: 86_400,
        };
        NodeMetrics {
            node_id: String::new(),
            cpu_usage_percent: system.cpu_usage_percent,
            memory_usage_percent: system.memory_usage_percent,
            gpus: gpus.collect(),
            system: Some(system),
        }
    }
}

fn shown(state: &ContainerState) -> Container {
    let (id, claim_id) = (state.container_id.clone(), state.claim_id.clone());
    Container { id, claim_id, image: "simulated".to_owned(), status: "running".to_owned(), ..Container::default() }
}

fn failure(code: Code, reason: &str, message: String) -> Outcome {
    Outcome::Failure(Failure { code: code.into(), reason: reason.to_owned(), message, field: String::new() })
}

fn mebibytes(bytes: u64) -> i64 {
    i64::try_from(bytes >> 20).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(action: Action) -> Command {
        Command { id: "1".to_owned(), timeout_ms: 0, action: Some(action) }
    }

    fn ensure(epoch: u64) -> Command {
        command(Action::EnsureClaim(EnsureClaim { claim_id: "c".to_owned(), epoch, ..EnsureClaim::default() }))
    }

    fn phases(said: &[Frame]) -> Vec<ContainerPhase> {
        let phase = |frame: &Frame| if let Frame::Container(state) = frame { Some(state.phase()) } else { None };
        said.iter().filter_map(phase).collect()
    }

    #[test]
    fn a_placement_runs_once_until_it_is_released() {
        let mut machine = Machine::new(0);
        assert_eq!(phases(&machine.obey(ensure(2))), [ContainerPhase::Preparing, ContainerPhase::Running]);
        assert!(phases(&machine.obey(ensure(2))).is_empty());
        let stale = machine.obey(ensure(1));
        let [Frame::Result(CommandResult { outcome: Some(Outcome::Failure(failure)), .. })] = &stale[..] else { panic!() };
        assert_eq!(failure.reason, STALE_PLACEMENT);
        let release = |epoch| command(Action::ReleaseClaim(ReleaseClaim { claim_id: "c".to_owned(), epoch }));
        assert!(phases(&machine.obey(release(1))).is_empty());
        assert_eq!(phases(&machine.obey(release(2))), [ContainerPhase::Removed]);
        assert_eq!(machine.container_count(), 0);
    }

    #[test]
    fn gpus_are_simulated_and_of_one_machine() {
        let (one, other) = (Machine::new(1), Machine::new(2));
        assert_eq!(one.gpus.len(), 8);
        assert!(one.gpus.iter().all(|gpu| gpu.name.starts_with("Simulated GPU")));
        assert!(one.gpus.iter().all(|gpu| other.gpus.iter().all(|theirs| theirs.uuid != gpu.uuid)));
    }
}
