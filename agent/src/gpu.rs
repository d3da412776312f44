//! The machine's GPUs: which there are and what they are doing.
//!
//! Invariant: a GPU once identified stays in the list, in its place, with its UUID; when it cannot be read it is there with a
//! fault. A [`GpuSource`] blocks and must be called off the asynchronous threads. Nothing here knows of containers.

use std::{ffi::OsString, fmt, str::FromStr, sync::Arc};

use tracing::info;

pub mod nvml;
pub mod simulated;

/// The most GPUs that may be simulated: NVML machines have at most 16, and a frame of the link must hold them all.
const MAX_SIMULATED: u32 = 64;

/// Where the GPUs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpuMode {
    /// NVML when its library and the driver are there, else no GPUs.
    #[default]
    Auto,
    /// No GPUs, whatever the machine has.
    None,
    /// This many invented GPUs that say so.
    Simulated(u32),
}

impl FromStr for GpuMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let count = text.strip_prefix("simulated:").map(str::parse);
        match (text, count) {
            ("auto", _) => Ok(Self::Auto),
            ("none", _) => Ok(Self::None),
            (_, Some(Ok(count))) if (1..=MAX_SIMULATED).contains(&count) => Ok(Self::Simulated(count)),
            _ => Err(format!("expected `auto`, `none` or `simulated:N` with N from 1 to {MAX_SIMULATED}")),
        }
    }
}

impl fmt::Display for GpuMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Simulated(count) => write!(f, "simulated:{count}"),
        }
    }
}

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its key.
    pub uuid: String,
    /// Its index on the machine, for display; the driver may renumber.
    pub index: u32,
    /// The product name.
    pub name: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// It is invented.
    pub simulated: bool,
}

/// What a GPU is doing. A reading that the model does not support is 0 or absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GpuSample {
    /// Memory in use in bytes.
    pub memory_used_bytes: u64,
    /// Use of the GPU, 0 to 100.
    pub usage_percent: f32,
    /// Degrees Celsius.
    pub temperature_c: i32,
    /// Milliwatts.
    pub power_milliwatts: u32,
    /// Clock of the streaming multiprocessors in MHz.
    pub sm_clock_mhz: u32,
    /// Clock of the memory in MHz.
    pub memory_clock_mhz: u32,
    /// Uncorrected memory errors since the driver was loaded; absent without ECC.
    pub ecc_errors: Option<u64>,
    /// The last Xid error that the driver told since the agent started; 0 before the first. It is there beside a fault as well.
    pub xid: u32,
    /// Processes that use it.
    pub processes: Vec<u32>,
    /// Why the readings are missing.
    pub fault: Option<String>,
}

impl GpuSample {
    /// A sample without readings.
    #[must_use]
    pub fn faulty(fault: impl Into<String>) -> Self {
        Self { fault: Some(fault.into()), ..Self::default() }
    }
}

/// A GPU with its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    /// What it is.
    pub info: GpuInfo,
    /// What it is doing.
    pub sample: GpuSample,
}

/// Reads the GPUs. Calls block.
pub trait GpuSource: Send + Sync + 'static {
    /// Every GPU identified so far, without asking the driver. Later ones come after earlier ones.
    fn inventory(&self) -> Vec<GpuInfo>;

    /// Reads every GPU; those identified so far keep their places, new ones are appended.
    fn sample(&self) -> Vec<Gpu>;
}

/// A machine without GPUs.
#[derive(Debug)]
struct NoGpus;

impl GpuSource for NoGpus {
    fn inventory(&self) -> Vec<GpuInfo> {
        Vec::new()
    }

    fn sample(&self) -> Vec<Gpu> {
        Vec::new()
    }
}

/// Opens the source for `mode`. Blocks. `machine_id` tells the simulated GPUs of several agents on one machine apart;
/// `nvml_library` replaces the places where NVML is looked for.
#[must_use]
pub fn open(mode: GpuMode, machine_id: &str, nvml_library: Option<OsString>) -> Arc<dyn GpuSource> {
    match mode {
        GpuMode::None => Arc::new(NoGpus),
        GpuMode::Simulated(count) => Arc::new(simulated::SimulatedGpus::new(count, machine_id)),
        GpuMode::Auto => match nvml::NvmlGpus::open(nvml_library) {
            Ok(gpus) => {
                info!(gpus = gpus.inventory().len(), "NVML found");
                Arc::new(gpus)
            }
            Err(error) => {
                info!(%error, "no GPUs: NVML cannot be used");
                Arc::new(NoGpus)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_and_written_alike() {
        for (text, mode) in [
            ("auto", GpuMode::Auto),
            ("none", GpuMode::None),
            ("simulated:2", GpuMode::Simulated(2)),
            ("simulated:64", GpuMode::Simulated(64)),
        ] {
            assert_eq!(text.parse(), Ok(mode));
            assert_eq!(mode.to_string(), text);
        }
    }

    #[test]
    fn other_words_are_refused() {
        for text in ["", "Auto", "simulated", "simulated:", "simulated:0", "simulated:65", "simulated:-1", "nvml"] {
            assert!(text.parse::<GpuMode>().is_err(), "{text}");
        }
    }
}
