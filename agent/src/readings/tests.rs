//! Who uses a GPU, how old readings may be, and drivers that hang.

use std::sync::{
    Mutex as StdMutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use super::*;
use crate::gpu::simulated::SimulatedGpus;

/// Longer than any driver of these tests takes that means to answer.
const GPU_TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Default)]
struct FixedHolders {
    allocations: Allocations,
    present: StdMutex<BTreeSet<String>>,
    unfit: StdMutex<BTreeSet<String>>,
}

impl Holders for FixedHolders {
    fn allocations(&self) -> Allocations {
        self.allocations.clone()
    }

    fn present(&self, gpus: &[GpuInfo]) {
        *self.present.lock().unwrap() = gpus.iter().map(|gpu| gpu.uuid.clone()).collect();
    }

    fn unfit(&self, uuids: BTreeSet<String>) {
        *self.unfit.lock().unwrap() = uuids;
    }
}

fn held(local: bool, container_id: &str) -> Allocation {
    Allocation { claim_id: "claim".to_owned(), local, container_id: Some(container_id.to_owned()) }
}

fn readings(gpus: impl GpuSource, holders: impl Into<Arc<FixedHolders>>, proc_dir: &Path) -> Readings {
    let host = Arc::new(Host::new(proc_dir.to_path_buf()));
    let settings = Settings { gpu_timeout: GPU_TIMEOUT, proc_dir: proc_dir.to_path_buf(), ..Settings::new(10.0) };
    Readings::new(host, Arc::new(gpus), holders.into(), settings)
}

/// Counts how often it is asked; does not answer before the other end of `answers` is dropped.
struct CountingGpus {
    asked: Arc<AtomicUsize>,
    answers: Option<StdMutex<mpsc::Receiver<()>>>,
}

impl GpuSource for CountingGpus {
    fn inventory(&self) -> Vec<GpuInfo> {
        SimulatedGpus::new(2, "m").inventory()
    }

    fn sample(&self) -> Vec<Gpu> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(answers) = &self.answers {
            assert!(answers.lock().unwrap().recv().is_err());
        }
        SimulatedGpus::new(2, "m").sample()
    }
}

#[test]
fn a_gpu_is_busy_for_three_reasons() {
    let idle = GpuSample { usage_percent: 10.0, ..GpuSample::default() };
    let working = GpuSample { usage_percent: 10.5, ..GpuSample::default() };
    let with_process = GpuSample { processes: vec![7], ..GpuSample::default() };
    let container = held(true, "c");
    let claim = held(false, "c");
    let none = GpuUse::default();
    let foreign = GpuUse { foreign: true, ..none };
    let local = GpuUse { allocated: true, locally: true, foreign: false };
    for (name, sample, held, own, expected) in [
        ("idle and free", &idle, None, false, none),
        ("in use though free", &working, None, false, foreign),
        ("faulty", &GpuSample { fault: Some("lost".into()), ..working.clone() }, None, false, none),
        ("a stranger's process", &with_process, None, false, foreign),
        ("held and idle", &idle, Some(&container), true, local),
        ("held and in use", &working, Some(&container), true, local),
        ("held by a claim", &working, Some(&claim), true, GpuUse { locally: false, ..local }),
        ("held, own process", &with_process, Some(&container), true, local),
        ("held, and a stranger's process", &with_process, Some(&container), false, GpuUse { foreign: true, ..local }),
    ] {
        let used = judge(sample, held, 10.0, |_| own);
        assert_eq!(used, expected, "{name}");
        assert_eq!(used.busy(), expected != none, "{name}");
    }
}

#[test]
fn a_process_is_own_when_its_control_group_is_a_container_of_ours() {
    let id = "0d4f".repeat(16);
    let proc_dir = tempfile::tempdir().unwrap();
    for (pid, groups) in [
        (1, format!("0::/system.slice/docker-{id}.scope\n")),
        (2, format!("12:devices:/docker/{id}\n11:cpu:/docker/{id}\n")),
        (3, format!("0::/system.slice/docker-{}.scope\n", "ffff".repeat(16))),
        (4, "0::/user.slice\n".to_owned()),
    ] {
        std::fs::create_dir(proc_dir.path().join(pid.to_string())).unwrap();
        std::fs::write(proc_dir.path().join(pid.to_string()).join("cgroup"), groups).unwrap();
    }
    let ours = BTreeMap::from([("GPU-1".to_owned(), held(false, &id)), ("GPU-2".to_owned(), held(false, ""))]);
    let own: Vec<u32> = (1..=5).filter(|&pid| is_own(proc_dir.path(), pid, &ours)).collect();
    assert_eq!(own, [1, 2], "a process that cannot be looked at is a stranger's");
}

#[tokio::test]
async fn readings_join_gpus_and_their_holders() {
    let dir = tempfile::tempdir().unwrap();
    let gpus = SimulatedGpus::new(2, "m");
    let uuid = gpus.inventory()[1].uuid.clone();
    let readings = readings(
        gpus,
        FixedHolders { allocations: BTreeMap::from([(uuid.clone(), held(true, "c"))]), ..FixedHolders::default() },
        dir.path(),
    );
    let reading = readings.get(FRESH).await;

    let metrics = reading.node_metrics("n1".to_owned());
    assert_eq!(metrics.node_id, "n1");
    assert_eq!(metrics.gpus.iter().map(|gpu| (gpu.id, gpu.busy)).collect::<Vec<_>>(), [(0, false), (1, true)]);
    assert_eq!((metrics.gpus[1].uuid.as_str(), metrics.gpus[1].memory_total_mb), (uuid.as_str(), 16_384));
    assert_eq!((metrics.gpus[1].memory_used_mb, metrics.gpus[1].temperature_c, metrics.gpus[1].error.as_str()), (300, 35, ""));
    let system = metrics.system.unwrap();
    assert!(system.memory_total_mb > 0 && system.memory_used_mb <= system.memory_total_mb);
    assert_eq!(
        (system.cpu_usage_percent, system.memory_usage_percent),
        (metrics.cpu_usage_percent, metrics.memory_usage_percent)
    );

    let heartbeat = reading.heartbeat(true);
    assert!(heartbeat.runtime_ready);
    assert_eq!(heartbeat.gpus.iter().map(|gpu| gpu.locally_allocated).collect::<Vec<_>>(), [false, true]);
    assert_eq!(heartbeat.gpus[0].memory_used_bytes, 300 << 20);
    assert!(heartbeat.gpus.iter().all(|gpu| !gpu.foreign_use && !gpu.faulty));
}

#[tokio::test]
async fn many_askers_share_one_reading() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let readings = readings(CountingGpus { asked: Arc::clone(&asked), answers: None }, FixedHolders::default(), dir.path());
    let hour = Duration::from_secs(3600);
    let all = futures_util::future::join_all((0..50).map(|_| readings.get(hour))).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(all.iter().all(|reading| Arc::ptr_eq(reading, &all[0])));
    readings.get(Duration::ZERO).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "an older one would not do");
}

#[tokio::test]
async fn a_driver_that_hangs_makes_its_gpus_faulty_until_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let (answer, answers) = mpsc::channel();
    let gpus = CountingGpus { asked: Arc::clone(&asked), answers: Some(StdMutex::new(answers)) };
    let holders = Arc::new(FixedHolders::default());
    let readings = readings(gpus, Arc::clone(&holders), dir.path());

    // The first asker gives up half way, which loses nothing.
    tokio::time::timeout(GPU_TIMEOUT / 2, readings.get(FRESH)).await.unwrap_err();
    for _ in 0..2 {
        let reading = readings.get(Duration::ZERO).await;
        assert_eq!(reading.gpus.len(), 2, "identities are kept");
        assert_eq!(reading.gpus[1].info.name, "Simulated GPU 1");
        assert!(reading.gpus.iter().all(|gpu| gpu.sample.fault.as_deref() == Some("the GPU driver does not answer")));
        assert!(reading.heartbeat(true).gpus.iter().all(|gpu| gpu.faulty));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a driver that hangs is not asked again");
    assert_eq!(holders.unfit.lock().unwrap().len(), 2, "nobody is given such a GPU");

    drop(answer);
    while readings.get(Duration::ZERO).await.gpus.iter().any(|gpu| gpu.sample.fault.is_some()) {
        tokio::task::yield_now().await;
    }
    assert!(holders.unfit.lock().unwrap().is_empty());
}

/// A machine whose only GPU answers from the second question on.
struct LateGpus(AtomicUsize);

impl GpuSource for LateGpus {
    fn inventory(&self) -> Vec<GpuInfo> {
        Vec::new()
    }

    fn sample(&self) -> Vec<Gpu> {
        let count = u32::from(self.0.fetch_add(1, Ordering::SeqCst) > 0);
        SimulatedGpus::new(count, "m").sample()
    }
}

#[tokio::test]
async fn a_gpu_that_answers_later_can_be_given_out() {
    let dir = tempfile::tempdir().unwrap();
    let holders = Arc::new(FixedHolders::default());
    let readings = readings(LateGpus(AtomicUsize::new(0)), Arc::clone(&holders), dir.path());
    readings.get(Duration::ZERO).await;
    assert!(holders.present.lock().unwrap().is_empty());
    readings.get(Duration::ZERO).await;
    assert_eq!(holders.present.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_sampler_takes_readings_until_it_is_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let readings = readings(SimulatedGpus::new(1, "m"), FixedHolders::default(), dir.path());
    let cancel = CancellationToken::new();
    let first_reading = async {
        while readings.last().is_none() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    tokio::join!(readings.run(cancel.clone()), first_reading);
    assert_eq!(readings.last().unwrap().gpus.len(), 1);
}
