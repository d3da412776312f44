//! NVIDIA GPUs through NVML.
//!
//! Invariant: one failing GPU hides no other. When the driver goes away every GPU is faulty, and NVML is opened anew with
//! back-off. NVML is loaded at run time: a machine without it is no error of the build.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nvml_wrapper::{
    Device, Nvml,
    enum_wrappers::device::{Clock, EccCounter, MemoryError, TemperatureSensor},
    error::NvmlError,
    struct_wrappers::device::ProcessInfo,
};
use tracing::{info, warn};

mod xid;

use self::xid::XidWatch;
use super::{Gpu, GpuInfo, GpuSample, GpuSource};

/// The run-time package of the driver has the first name only, the development package adds the second.
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// NVML cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

/// The GPUs that NVML knows.
pub struct NvmlGpus {
    library: Option<OsString>,
    first_retry: Duration,
    state: Mutex<State>,
    xids: XidWatch,
}

struct State {
    driver: Driver,
    /// How long to wait before NVML is opened anew; it grows until a GPU answers.
    wait: Duration,
    /// In the order of their identification.
    known: Vec<GpuInfo>,
    /// Indexes of GPUs that could never be identified and were reported.
    nameless: BTreeSet<u32>,
}

enum Driver {
    Open(Box<Nvml>),
    Gone { error: String, retry_at: Instant },
}

impl NvmlGpus {
    /// Loads NVML and reads the GPUs once.
    pub fn open(library: Option<OsString>) -> Result<Self, OpenError> {
        Self::open_with_retry(library, FIRST_RETRY)
    }

    /// As [`open`](Self::open), with another first wait before NVML is opened anew.
    pub fn open_with_retry(library: Option<OsString>, first_retry: Duration) -> Result<Self, OpenError> {
        let nvml = load(library.as_deref()).map_err(|error| OpenError(describe(&error)))?;
        let state =
            State { driver: Driver::Open(Box::new(nvml)), wait: first_retry, known: Vec::new(), nameless: BTreeSet::new() };
        let xids = XidWatch::start(library.clone());
        let gpus = Self { library, first_retry, state: Mutex::new(state), xids };
        gpus.sample();
        Ok(gpus)
    }

    fn read(&self) -> Vec<Gpu> {
        let state = &mut *self.state();
        self.reopen(state);
        let samples = match &state.driver {
            Driver::Gone { error, .. } => {
                let error = error.clone();
                return join(&state.known, vec![GpuSample::faulty(error); state.known.len()]);
            }
            Driver::Open(nvml) => read_all(nvml, &mut state.known, &mut state.nameless),
        };
        match samples {
            Ok(samples) => {
                // A driver that was unloaded may still count its GPUs and then answer for none of them.
                let dead = !samples.is_empty() && samples.iter().all(|sample| sample.fault.is_some());
                match samples.iter().find_map(|sample| sample.fault.clone()) {
                    Some(fault) if dead => self.close(state, fault),
                    Some(_) | None => self.answered(state),
                }
                join(&state.known, samples)
            }
            Err(error) => {
                self.close(state, error.clone());
                join(&state.known, vec![GpuSample::faulty(error); state.known.len()])
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens NVML again when it is gone and the wait is over.
    fn reopen(&self, state: &mut State) {
        let Driver::Gone { retry_at, .. } = state.driver else { return };
        if Instant::now() >= retry_at {
            match load(self.library.as_deref()) {
                Ok(nvml) => state.driver = Driver::Open(Box::new(nvml)),
                Err(error) => self.close(state, describe(&error)),
            }
        }
    }

    fn close(&self, state: &mut State, error: String) {
        if state.wait == self.first_retry {
            warn!(%error, "NVML is gone: every GPU counts as faulty");
        }
        state.driver = Driver::Gone { error, retry_at: Instant::now() + state.wait };
        state.wait = (state.wait * 2).min(LONGEST_RETRY);
    }

    fn answered(&self, state: &mut State) {
        if state.wait != self.first_retry {
            info!("NVML is back");
            state.wait = self.first_retry;
        }
    }
}

impl GpuSource for NvmlGpus {
    fn inventory(&self) -> Vec<GpuInfo> {
        self.state().known.clone()
    }

    fn sample(&self) -> Vec<Gpu> {
        let mut gpus = self.read();
        gpus.iter_mut().for_each(|gpu| gpu.sample.xid = self.xids.last(&gpu.info.uuid));
        gpus
    }
}

fn join(known: &[GpuInfo], samples: Vec<GpuSample>) -> Vec<Gpu> {
    known.iter().cloned().zip(samples).map(|(info, sample)| Gpu { info, sample }).collect()
}

fn load(library: Option<&OsStr>) -> Result<Nvml, NvmlError> {
    match library {
        Some(path) => Nvml::builder().lib_path(path).init(),
        None => {
            let [runtime, development] = LIBRARIES.map(OsStr::new);
            match Nvml::builder().lib_path(runtime).init() {
                Err(NvmlError::LibloadingError(_)) => Nvml::builder().lib_path(development).init(),
                opened_or_refused => opened_or_refused,
            }
        }
    }
}

/// Reads every GPU in the order of `known`, to which it adds the ones it meets for the first time.
fn read_all(nvml: &Nvml, known: &mut Vec<GpuInfo>, nameless: &mut BTreeSet<u32>) -> Result<Vec<GpuSample>, String> {
    let count = nvml.device_count().map_err(|error| describe(&error))?;
    let mut samples = vec![None; known.len()];
    let mut silent = Vec::new();
    for index in 0..count {
        let read = nvml.device_by_index(index).and_then(|device| Ok((identify(&device, index)?, sample(&device))));
        match read {
            Ok((info, sample)) => {
                let place = known.iter().position(|gpu| gpu.uuid == info.uuid);
                match place {
                    Some(place) => {
                        known[place] = info;
                        samples[place] = Some(sample);
                    }
                    None => {
                        known.push(info);
                        samples.push(Some(sample));
                    }
                }
            }
            Err(error) => silent.push((index, describe(&error))),
        }
    }
    // A GPU that does not even tell its UUID is the one that had its index and was not met elsewhere.
    for (index, fault) in silent {
        let place = (0..known.len()).find(|&place| known[place].index == index && samples[place].is_none());
        match place {
            Some(place) => samples[place] = Some(GpuSample::faulty(fault)),
            None if nameless.insert(index) => warn!(index, %fault, "a GPU cannot be identified and is left out"),
            None => {}
        }
    }
    Ok(samples
        .into_iter()
        .map(|sample| sample.unwrap_or_else(|| GpuSample::faulty("the driver does not list this GPU any more")))
        .collect())
}

fn identify(device: &Device<'_>, index: u32) -> Result<GpuInfo, NvmlError> {
    Ok(GpuInfo { uuid: device.uuid()?, index, name: device.name()?, memory_bytes: device.memory_info()?.total, simulated: false })
}

fn sample(device: &Device<'_>) -> GpuSample {
    let mut reader = Reader { fault: None };
    let ecc = device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile);
    let sample = GpuSample {
        memory_used_bytes: reader.get(device.memory_info()).map_or(0, |memory| memory.used),
        usage_percent: reader.get(device.utilization_rates()).map_or(0.0, |rates| percent(rates.gpu)),
        temperature_c: reader
            .get(device.temperature(TemperatureSensor::Gpu))
            .map_or(0, |degrees| i32::try_from(degrees).unwrap_or(0)),
        power_milliwatts: reader.get(device.power_usage()).unwrap_or_default(),
        sm_clock_mhz: reader.get(device.clock_info(Clock::SM)).unwrap_or_default(),
        memory_clock_mhz: reader.get(device.clock_info(Clock::Memory)).unwrap_or_default(),
        ecc_errors: reader.get(ecc),
        xid: 0,
        processes: processes(&mut reader, device),
        fault: None,
    };
    match reader.fault {
        Some(fault) => GpuSample::faulty(fault),
        None => sample,
    }
}

fn processes(reader: &mut Reader, device: &Device<'_>) -> Vec<u32> {
    let compute: Vec<ProcessInfo> = reader.get(device.running_compute_processes()).unwrap_or_default();
    let graphics: Vec<ProcessInfo> = reader.get(device.running_graphics_processes()).unwrap_or_default();
    let mut pids: Vec<u32> = compute.into_iter().chain(graphics).map(|process| process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// NVML answers whole percents.
fn percent(value: u32) -> f32 {
    f32::from(u8::try_from(value.min(100)).unwrap_or(100))
}

/// Takes readings apart: there, not supported, or a fault, of which the first is kept.
struct Reader {
    fault: Option<String>,
}

impl Reader {
    fn get<T>(&mut self, reading: Result<T, NvmlError>) -> Option<T> {
        match reading {
            Ok(value) => Some(value),
            Err(error) => {
                if !is_absent(&error) {
                    self.fault.get_or_insert_with(|| describe(&error));
                }
                None
            }
        }
    }
}

/// The model, the driver's version or the process's rights do not offer this reading. Processes that start between two calls make a list not fit.
fn is_absent(error: &NvmlError) -> bool {
    matches!(
        error,
        NvmlError::NotSupported
            | NvmlError::NoPermission
            | NvmlError::NoData
            | NvmlError::NotFound
            | NvmlError::FunctionNotFound
            | NvmlError::FailedToLoadSymbol(_)
            | NvmlError::InsufficientSize(_)
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other words are NVIDIA's own")]
fn describe(error: &NvmlError) -> String {
    match error {
        NvmlError::GpuLost => "the GPU has fallen off the bus".to_owned(),
        NvmlError::DriverNotLoaded => "the NVIDIA driver is not loaded".to_owned(),
        NvmlError::Uninitialized => "the NVIDIA driver was unloaded".to_owned(),
        NvmlError::LibloadingError(error) => format!("the NVML library cannot be loaded: {error}"),
        other => format!("NVML: {other}"),
    }
}
