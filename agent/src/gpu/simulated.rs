//! Invented GPUs, to try the product on a machine that has none. They say so in their names and UUIDs.
//!
//! Invariant: the same machine id gives the same UUIDs, another one gives others; readings do not change, so that a
//! simulated GPU never looks used by somebody else.

use sha2::{Digest as _, Sha256};

use super::{Gpu, GpuInfo, GpuSample, GpuSource};

const MEMORY_BYTES: u64 = 16 << 30;

/// A fixed number of idle GPUs.
#[derive(Debug)]
pub struct SimulatedGpus(Vec<Gpu>);

impl SimulatedGpus {
    /// `count` GPUs whose UUIDs derive from `machine_id`.
    #[must_use]
    pub fn new(count: u32, machine_id: &str) -> Self {
        Self((0..count).map(|index| gpu(index, machine_id)).collect())
    }
}

impl GpuSource for SimulatedGpus {
    fn inventory(&self) -> Vec<GpuInfo> {
        self.0.iter().map(|gpu| gpu.info.clone()).collect()
    }

    fn sample(&self) -> Vec<Gpu> {
        self.0.clone()
    }
}

fn gpu(index: u32, machine_id: &str) -> Gpu {
    let info = GpuInfo {
        uuid: uuid(index, machine_id),
        index,
        name: format!("Simulated GPU {index}"),
        memory_bytes: MEMORY_BYTES,
        simulated: true,
    };
    // An idle card of this size; neighbours differ a little, so that charts show several lines.
    let step = index % 8;
    let sample = GpuSample {
        memory_used_bytes: 300 << 20,
        usage_percent: 0.0,
        temperature_c: 34 + i32::try_from(step).unwrap_or_default(),
        power_milliwatts: 25_000 + step * 500,
        sm_clock_mhz: 300,
        memory_clock_mhz: 405,
        ecc_errors: Some(0),
        xid: 0,
        processes: Vec::new(),
        fault: None,
    };
    Gpu { info, sample }
}

fn uuid(index: u32, machine_id: &str) -> String {
    let digest = Sha256::new().chain_update(machine_id).chain_update(index.to_be_bytes()).finalize();
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("GPU-SIM-{}-{}-{}", &hex[..8], &hex[8..16], &hex[16..])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn uuids_are_stable_and_differ_between_machines() {
        let uuids =
            |machine: &str| SimulatedGpus::new(8, machine).inventory().into_iter().map(|gpu| gpu.uuid).collect::<Vec<_>>();
        assert_eq!(uuids("a"), uuids("a"));
        let all: HashSet<_> = uuids("a").into_iter().chain(uuids("b")).collect();
        assert_eq!(all.len(), 16);
        assert!(all.iter().all(|uuid| uuid.starts_with("GPU-SIM-")));
    }

    #[test]
    fn they_say_what_they_are_and_are_idle() {
        let gpus = SimulatedGpus::new(2, "m").sample();
        assert_eq!(gpus[1].info.name, "Simulated GPU 1");
        assert_eq!(gpus[1].info.index, 1);
        assert_eq!(gpus[1].info.memory_bytes, 17_179_869_184);
        assert!(gpus.iter().all(|gpu| gpu.info.simulated && gpu.sample.fault.is_none() && gpu.sample.usage_percent < 1.0));
    }
}
