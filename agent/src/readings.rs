//! Readings of the whole machine: host, GPUs, and who uses each GPU.
//!
//! Invariant: readings are asked for from many sides and taken by one at a time, and an answer is at most as old as its asker
//! allows. A driver that hangs delays one answer by its time-out; after that its GPUs are faulty until it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    containers::{self, Allocation, Containers},
    gpu::{Gpu, GpuInfo, GpuSample, GpuSource},
    host::{Host, HostSample},
};

mod report;

/// How old an answer to somebody who asks for the present state may be.
pub const FRESH: Duration = Duration::from_millis(500);

/// How often readings are taken when nobody asks: what `/metrics` shows is at most this old.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// CPU use is a difference: the first one covers at least this long.
const FIRST_SAMPLE_AFTER: Duration = Duration::from_millis(250);

/// Who holds which GPU, by UUID.
pub type Allocations = BTreeMap<String, Allocation>;

/// What the readings ask of the containers. Must not block.
pub trait Holders: Send + Sync + 'static {
    /// The GPUs that are held now.
    fn allocations(&self) -> Allocations;

    /// Hears which GPUs there are, whenever that has changed.
    fn present(&self, gpus: &[GpuInfo]);

    /// Hears which GPUs should not be given out: faulty ones, and those that somebody else uses.
    fn unfit(&self, uuids: BTreeSet<String>);
}

impl Holders for Containers {
    fn allocations(&self) -> Allocations {
        self.allocations()
    }

    fn present(&self, gpus: &[GpuInfo]) {
        self.set_gpus(gpus.iter().map(containers::Gpu::from).collect());
    }

    fn unfit(&self, uuids: BTreeSet<String>) {
        self.set_unfit_gpus(uuids);
    }
}

impl From<&GpuInfo> for containers::Gpu {
    fn from(gpu: &GpuInfo) -> Self {
        Self { uuid: gpu.uuid.clone(), index: gpu.index, simulated: gpu.simulated }
    }
}

/// Readings of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When they were taken.
    pub at: Instant,
    /// The machine apart from its GPUs.
    pub host: HostSample,
    /// The GPUs in the order of their identification, which is by index unless GPUs came later.
    pub gpus: Vec<GpuReading>,
}

/// Readings of one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuReading {
    /// What it is.
    pub info: GpuInfo,
    /// What it is doing.
    pub sample: GpuSample,
    /// Who uses it.
    pub used_by: GpuUse,
}

/// Who uses a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GpuUse {
    /// A container of this agent holds it.
    pub allocated: bool,
    /// That container was made through the node API.
    pub locally: bool,
    /// A process that is of no container of this agent uses it, or it is in use though nobody holds it.
    pub foreign: bool,
}

impl GpuUse {
    /// Nobody else should get it.
    #[must_use]
    pub fn busy(self) -> bool {
        self.allocated || self.foreign
    }
}

/// How readings are taken.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From this use on, in percent, a GPU that nobody holds counts as used by somebody else.
    pub busy_percent: f32,
    /// How long the driver may take to answer.
    pub gpu_timeout: Duration,
    /// Where the kernel shows its processes.
    pub proc_dir: PathBuf,
}

impl Settings {
    /// The usual settings.
    #[must_use]
    pub fn new(busy_percent: f32) -> Self {
        Self { busy_percent, gpu_timeout: Duration::from_secs(3), proc_dir: "/proc".into() }
    }
}

/// Takes and keeps readings.
pub struct Readings {
    host: Arc<Host>,
    gpus: Arc<dyn GpuSource>,
    holders: Arc<dyn Holders>,
    settings: Settings,
    last: ArcSwapOption<Reading>,
    driver: Mutex<DriverState>,
}

struct DriverState {
    /// A question the driver has not answered in time.
    pending: Option<JoinHandle<Vec<Gpu>>>,
    /// Whom its GPUs are known as meanwhile.
    known: Vec<GpuInfo>,
}

impl Readings {
    /// Takes no reading yet.
    #[must_use]
    pub fn new(host: Arc<Host>, gpus: Arc<dyn GpuSource>, holders: Arc<dyn Holders>, settings: Settings) -> Self {
        let driver = Mutex::new(DriverState { pending: None, known: gpus.inventory() });
        Self { host, gpus, holders, settings, last: ArcSwapOption::empty(), driver }
    }

    /// Takes readings every few seconds until it is cancelled.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval_at(Instant::now() + FIRST_SAMPLE_AFTER, SAMPLE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sampling = async {
            loop {
                ticks.tick().await;
                self.get(FRESH).await;
            }
        };
        cancel.run_until_cancelled(sampling).await;
    }

    /// The last readings, if any were taken.
    #[must_use]
    pub fn last(&self) -> Option<Arc<Reading>> {
        self.last.load_full()
    }

    /// Readings at most `max_age` old.
    pub async fn get(&self, max_age: Duration) -> Arc<Reading> {
        let mut driver = self.driver.lock().await;
        if let Some(last) = self.last().filter(|last| last.at.elapsed() <= max_age) {
            return last;
        }
        let host = Arc::clone(&self.host);
        let host = tokio::task::spawn_blocking(move || host.sample()).await.unwrap_or_default();
        let gpus = self.sample_gpus(&mut driver).await;
        let gpus = self.find_users(gpus).await;
        let unfit = gpus.iter().filter(|gpu| gpu.used_by.foreign || gpu.sample.fault.is_some());
        self.holders.unfit(unfit.map(|gpu| gpu.info.uuid.clone()).collect());
        let reading = Arc::new(Reading { at: Instant::now(), host, gpus });
        self.last.store(Some(Arc::clone(&reading)));
        reading
    }

    async fn sample_gpus(&self, driver: &mut DriverState) -> Vec<Gpu> {
        let was_pending = driver.pending.is_some();
        let gpus = Arc::clone(&self.gpus);
        let question = driver.pending.get_or_insert_with(|| tokio::task::spawn_blocking(move || gpus.sample()));
        // One that hung before is looked at without waiting.
        let patience = if was_pending { Duration::ZERO } else { self.settings.gpu_timeout };
        match tokio::time::timeout(patience, question).await {
            Ok(Ok(gpus)) => {
                driver.pending = None;
                let present: Vec<GpuInfo> = gpus.iter().map(|gpu| gpu.info.clone()).collect();
                if driver.known != present {
                    self.holders.present(&present);
                    driver.known = present;
                }
                gpus
            }
            Ok(Err(error)) => {
                warn!(%error, "the GPUs cannot be read");
                driver.pending = None;
                faulty(&driver.known, "the GPUs cannot be read")
            }
            Err(_elapsed) => {
                if !was_pending {
                    warn!("the GPU driver does not answer: every GPU counts as faulty");
                }
                faulty(&driver.known, "the GPU driver does not answer")
            }
        }
    }

    async fn find_users(&self, gpus: Vec<Gpu>) -> Vec<GpuReading> {
        let held = self.holders.allocations();
        let Settings { busy_percent, proc_dir, .. } = self.settings.clone();
        let join = move || {
            let own = |pid| is_own(&proc_dir, pid, &held);
            let reading = |Gpu { info, sample }: Gpu| {
                let used_by = judge(&sample, held.get(&info.uuid), busy_percent, own);
                GpuReading { info, sample, used_by }
            };
            gpus.into_iter().map(reading).collect()
        };
        tokio::task::spawn_blocking(join).await.unwrap_or_default()
    }
}

fn faulty(known: &[GpuInfo], fault: &str) -> Vec<Gpu> {
    known.iter().map(|info| Gpu { info: info.clone(), sample: GpuSample::faulty(fault) }).collect()
}

fn judge(sample: &GpuSample, held: Option<&Allocation>, busy_percent: f32, own: impl Fn(u32) -> bool) -> GpuUse {
    let unexplained = held.is_none() && sample.fault.is_none() && sample.usage_percent > busy_percent;
    GpuUse {
        allocated: held.is_some(),
        locally: held.is_some_and(|held| held.local),
        foreign: unexplained || sample.processes.iter().any(|&pid| !own(pid)),
    }
}

/// Whether a process is of one of the containers: its control group is named after it. One that cannot be looked at is not.
fn is_own(proc_dir: &Path, pid: u32, held: &Allocations) -> bool {
    let Ok(groups) = std::fs::read_to_string(proc_dir.join(pid.to_string()).join("cgroup")) else { return false };
    held.values().filter_map(|held| held.container_id.as_deref()).any(|id| !id.is_empty() && groups.contains(id))
}

#[cfg(test)]
mod tests;
