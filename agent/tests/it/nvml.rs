//! GPUs as NVML tells them, on machines that work and on machines that do not.

use std::time::{Duration, Instant};

use utopia_agent::gpu::{Gpu, GpuMode, GpuSource as _, nvml::NvmlGpus, open};

use crate::fake_nvml::FakeNvml;

const EIGHT: &str = "count 8\nname NVIDIA H100 80GB HBM3\nmemory 85520809984\nused 1073741824\nutil 37\ntemp 45\npower 312000\nsm 1980\nmemclock 2619\necc 0\n";

fn faults(gpus: &[Gpu]) -> Vec<Option<&str>> {
    gpus.iter().map(|gpu| gpu.sample.fault.as_deref()).collect()
}

#[test]
fn eight_gpus_are_read() {
    let fake = FakeNvml::new(&format!("{EIGHT}3.util 100\n3.ecc 7\n"));
    let gpus = open(GpuMode::Auto, "machine", Some(fake.library())).sample();
    assert_eq!(gpus.len(), 8);
    for (index, gpu) in (0..).zip(&gpus) {
        assert_eq!(gpu.info.index, index);
        assert_eq!(gpu.info.uuid, format!("GPU-00000000-0000-0000-0000-{index:012}"));
        assert_eq!(gpu.info.name, "NVIDIA H100 80GB HBM3");
        assert_eq!(gpu.info.memory_bytes, 85_520_809_984);
        assert!(!gpu.info.simulated);
        assert_eq!(gpu.sample.memory_used_bytes, 1 << 30);
        assert_eq!(gpu.sample.temperature_c, 45);
        assert_eq!(gpu.sample.power_milliwatts, 312_000);
        assert_eq!((gpu.sample.sm_clock_mhz, gpu.sample.memory_clock_mhz), (1980, 2619));
        assert_eq!(gpu.sample.fault, None);
    }
    assert_eq!((gpus[0].sample.usage_percent, gpus[0].sample.ecc_errors), (37.0, Some(0)));
    assert_eq!((gpus[3].sample.usage_percent, gpus[3].sample.ecc_errors), (100.0, Some(7)));
}

#[test]
fn a_lost_gpu_keeps_its_identity_and_hides_no_other() {
    let fake = FakeNvml::new(EIGHT);
    let source = NvmlGpus::open(Some(fake.library())).unwrap();
    let before = source.inventory();

    fake.set(&format!("{EIGHT}2.fail 15\n"));
    let gpus = source.sample();
    assert_eq!(gpus.iter().map(|gpu| gpu.info.clone()).collect::<Vec<_>>(), before);
    assert_eq!(gpus[2].sample.fault.as_deref(), Some("the GPU has fallen off the bus"));
    assert_eq!(faults(&gpus).iter().flatten().count(), 1);
    assert_eq!(gpus[3].sample.temperature_c, 45);

    fake.set(EIGHT);
    assert_eq!(faults(&source.sample()), [None; 8]);
}

#[test]
fn a_gpu_lost_from_the_start_is_left_out_until_it_answers() {
    let fake = FakeNvml::new("count 2\n0.fail 15\n");
    let source = NvmlGpus::open(Some(fake.library())).unwrap();
    assert_eq!(source.inventory().iter().map(|gpu| gpu.index).collect::<Vec<_>>(), [1]);

    fake.set("count 2\n");
    assert_eq!(
        source.sample().iter().map(|gpu| gpu.info.index).collect::<Vec<_>>(),
        [1, 0],
        "places are kept, new ones come last"
    );
}

#[test]
fn a_gpu_that_is_not_listed_any_more_is_faulty() {
    let fake = FakeNvml::new("count 2\n");
    let source = NvmlGpus::open(Some(fake.library())).unwrap();
    // The first card is pulled and the second takes its index.
    fake.set("count 1\n0.uuid GPU-00000000-0000-0000-0000-000000000001\n");
    let gpus = source.sample();
    assert_eq!(faults(&gpus), [Some("the driver does not list this GPU any more"), None]);
    assert_eq!(gpus[1].info.index, 0);
}

#[test]
fn nvml_may_go_and_come_back() {
    let fake = FakeNvml::new(EIGHT);
    let source = NvmlGpus::open_with_retry(Some(fake.library()), Duration::ZERO).unwrap();

    fake.set("init 9\ndriver 1\ncount 8\n");
    for _ in 0..3 {
        let gpus = source.sample();
        assert_eq!(gpus.len(), 8);
        assert!(
            gpus.iter().all(|gpu| gpu.sample.fault.as_deref().is_some_and(|fault| fault.starts_with("the NVIDIA driver"))),
            "{gpus:?}"
        );
        assert_eq!(gpus[7].info.name, "NVIDIA H100 80GB HBM3");
    }
    assert_eq!(source.sample()[0].sample.fault.as_deref(), Some("the NVIDIA driver is not loaded"));

    fake.set(EIGHT);
    assert_eq!(faults(&source.sample()), [None; 8]);
}

#[test]
fn nvml_is_left_alone_between_retries() {
    let fake = FakeNvml::new(EIGHT);
    let source = NvmlGpus::open_with_retry(Some(fake.library()), Duration::from_secs(3600)).unwrap();
    fake.set("driver 999\ncount 8\n");
    assert_eq!(source.sample()[0].sample.fault.as_deref(), Some("NVML: an internal driver error occurred"));
    fake.set(EIGHT);
    assert_eq!(faults(&source.sample()).iter().flatten().count(), 8, "the wait is not over");
}

#[test]
fn readings_that_the_model_lacks_are_no_fault() {
    let fake = FakeNvml::new("count 1\nutil !3\ntemp !3\npower !3\nsm !3\nmemclock !3\necc !3\nused 5\n");
    let sample = NvmlGpus::open(Some(fake.library())).unwrap().sample().remove(0).sample;
    assert_eq!(sample.fault, None);
    assert_eq!((sample.memory_used_bytes, sample.usage_percent, sample.temperature_c, sample.power_milliwatts), (5, 0.0, 0, 0));
    assert_eq!(sample.ecc_errors, None);
}

#[test]
fn processes_are_listed() {
    let fake = FakeNvml::new("count 2\n1.pids 4711,12,99\n");
    let gpus = NvmlGpus::open(Some(fake.library())).unwrap().sample();
    assert!(gpus[0].sample.processes.is_empty());
    assert_eq!(gpus[1].sample.processes, [12, 99, 4711]);
}

#[test]
fn the_last_xid_error_of_a_gpu_is_told_beside_its_fault_as_well() {
    let fake = FakeNvml::new("count 2\n");
    let source = NvmlGpus::open(Some(fake.library())).unwrap();
    let xids = |gpus: &[Gpu]| gpus.iter().map(|gpu| gpu.sample.xid).collect::<Vec<_>>();
    let told = |expected: [u32; 2]| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while xids(&source.sample()) != expected {
            assert!(Instant::now() < deadline, "{:?} is not {expected:?}", xids(&source.sample()));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    assert_eq!(xids(&source.sample()), [0, 0]);
    fake.set("count 2\n1.xid 31\n");
    told([0, 31]);
    fake.set("count 2\n1.xid 79\n1.fail 15\n");
    told([0, 79]);
    let gpus = source.sample();
    assert_eq!(faults(&gpus), [None, Some("the GPU has fallen off the bus")]);
    assert_eq!(xids(&gpus), [0, 79]);
}

#[test]
fn auto_without_the_library_or_the_driver_gives_no_gpus() {
    assert_eq!(open(GpuMode::Auto, "machine", Some("/nowhere/libnvidia-ml.so.1".into())).inventory(), []);
    let fake = FakeNvml::new("init 9\ncount 8\n");
    assert_eq!(open(GpuMode::Auto, "machine", Some(fake.library())).sample(), []);
}

#[test]
fn none_leaves_the_machines_gpus_alone() {
    let fake = FakeNvml::new(EIGHT);
    assert_eq!(open(GpuMode::None, "machine", Some(fake.library())).sample(), []);
}
