//! Questions to the history of a hundred machines with eight GPUs each, as it is after a month.

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use utopia_controlplane::{
    clock::Clock,
    model::Gpu,
    monitoring::{Metric, history::History, recorder::Recorder, sampler::Round, span::Span},
    store::{Options, Store},
};
use uuid::Uuid;

const NODES: u128 = 100;
const GPUS: u32 = 8;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS: i64 = 30;
const INTERVAL: Duration = Duration::from_secs(10);

fn round(gpus: &[Arc<[Gpu]>], at_ms: i64) -> Round {
    let mut round = Round::new(at_ms);
    for (id, gpus) in (0..NODES).zip(gpus) {
        let value = |place: usize| ((at_ms / 1000 + place as i64 * 37 + id as i64) % 1000) as f32 / 10.0;
        let of_gpus: Vec<_> = (0..gpus.len()).map(|gpu| std::array::from_fn(|place| value(gpu + place))).collect();
        round.add(Uuid::from_u128(id), "node", gpus, std::array::from_fn(value), &of_gpus);
    }
    round
}

/// A month of which one minute of each hour was sampled, which makes as many chunks of means, as large, as if all were; and all of the last
/// day.
async fn fill(recorder: &Recorder, end_ms: i64) {
    let gpus = |node: u128| {
        let gpu = |index| Gpu { uuid: format!("GPU-{node:08}-{index}").into(), name: "H100".into(), index, memory_bytes: 1 };
        (0..GPUS).map(gpu).collect::<Arc<[Gpu]>>()
    };
    let gpus: Vec<_> = (0..NODES).map(gpus).collect();
    let mut minute_ms = end_ms - DAYS * DAY_MS;
    while minute_ms < end_ms {
        for place in 0..6 {
            recorder.push(round(&gpus, minute_ms + place * 10_000));
        }
        recorder.write(i64::MAX).await.expect("the database takes it");
        minute_ms += if minute_ms >= end_ms - DAY_MS { 60_000 } else { HOUR_MS };
    }
    recorder.keep_order(end_ms).await.expect("the database answers");
}

fn questions(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let end_ms = 1_790_000_000_000 / DAY_MS * DAY_MS + 17 * HOUR_MS + 42 * 60_000;
    let now = Timestamp::from_millisecond(end_ms).expect("a time");
    let history = runtime.block_on(async {
        let url = format!("sqlite://{}/utopia.db", directory.path().display());
        let store = Store::open(&url, Options::default()).await.expect("a database");
        let recorder = Recorder::new(store, Clock::from_fn(move || now));
        fill(&recorder, end_ms).await;
        History::Own(recorder)
    });
    let node = Some(Uuid::from_u128(7));
    let gpu = Some("GPU-00000007-3");
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10);
    for (what, days, metric, node, gpu) in [
        ("30 days, all nodes", 30, Metric::CpuUsage, None, None),
        ("30 days, GPUs of all nodes", 30, Metric::GpuUsage, None, None),
        ("30 days, one node", 30, Metric::CpuUsage, node, None),
        ("30 days, one GPU", 30, Metric::GpuUsage, node, gpu),
        ("7 days, one GPU", 7, Metric::GpuUsage, node, gpu),
        ("1 day, one GPU", 1, Metric::GpuUsage, node, gpu),
        ("1 day, all nodes", 1, Metric::CpuUsage, None, None),
    ] {
        let start = Timestamp::from_millisecond(end_ms - days * DAY_MS).expect("a time");
        let span = Span::new(Some(start), Some(now), 0, now, INTERVAL).expect("a span");
        let ask = || runtime.block_on(history.query(metric, node, gpu, black_box(span))).expect("an answer");
        assert!((1..=1000).contains(&ask().len()), "{what}");
        group.bench_function(what, |bencher| bencher.iter(ask));
    }
    group.finish();
}

criterion_group!(benches, questions);
criterion_main!(benches);
