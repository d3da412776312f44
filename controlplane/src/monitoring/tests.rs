//! The same samples, kept in the control plane's own database and in a Prometheus, and asked for at every resolution.

use std::{env, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Metric,
    history::History,
    metric::{GPU, MACHINE},
    recorder::Recorder,
    remote,
    resolution::Resolution,
    sampler::Round,
    span::Span,
};
use crate::{
    backend::{client::http_client, prometheus::Prometheus},
    clock::Clock,
    model::Gpu,
    store::{Store, testing::on_both_databases},
};

on_both_databases!(
    what_is_kept_at_three_resolutions_is_what_was_measured,
    samples_that_are_not_written_are_found_as_well,
    nothing_is_counted_twice_when_means_are_made_again,
    what_was_kept_long_enough_is_removed,
    a_month_of_a_hundred_nodes_is_read_from_few_chunks,
    prometheus_answers_what_the_own_database_does,
);

const INTERVAL: Duration = Duration::from_secs(10);
const INTERVAL_MS: i64 = 10_000;

/// Readings of some nodes with GPUs, which differ from each other and from one moment to the next.
struct Fleet {
    nodes: Vec<(Uuid, Arc<[Gpu]>)>,
}

impl Fleet {
    fn new(nodes: u32, gpus: u32) -> Self {
        let gpu =
            |node: Uuid, index| Gpu { uuid: format!("GPU-{node}-{index}").into(), name: "H100".into(), index, memory_bytes: 1 };
        let node = |_| {
            let id = Uuid::new_v4();
            (id, (0..gpus).map(|index| gpu(id, index)).collect())
        };
        Self { nodes: (0..nodes).map(node).collect() }
    }

    fn round(&self, at_ms: i64) -> Round {
        let mut round = Round::new(at_ms);
        for (number, (id, gpus)) in self.nodes.iter().enumerate() {
            let machine: [f32; MACHINE.len()] = std::array::from_fn(|place| value(at_ms, number, place));
            let of_gpus: Vec<[f32; GPU.len()]> =
                (1..=gpus.len()).map(|gpu| std::array::from_fn(|place| value(at_ms, number + 7 * gpu, 10 + place))).collect();
            round.add(*id, "host", gpus, machine, &of_gpus);
        }
        round
    }
}

/// Of as many digits as a single-precision number has.
fn value(at_ms: i64, number: usize, place: usize) -> f32 {
    let number = i64::try_from(number * 31 + place * 17).unwrap();
    let wave = u16::try_from((at_ms / 1000 * 7 + number * 13).rem_euclid(1000)).unwrap();
    f32::from(wave) / 8.0
}

fn mean(values: impl IntoIterator<Item = f32>) -> f64 {
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())
}

/// A history at a time that tests choose.
fn recorder(store: &Store, now_ms: i64) -> Recorder {
    Recorder::new(store.clone(), Clock::from_fn(move || time(now_ms)))
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn span(first_ms: i64, end_ms: i64, step: i32, now_ms: i64) -> Span {
    Span::new(Some(time(first_ms)), Some(time(end_ms)), step, time(now_ms), INTERVAL).unwrap()
}

/// The beginning of a day.
fn midnight_ms() -> i64 {
    Resolution::Quarter.bucket_of(1_790_000_000_000)
}

async fn record(recorder: &Recorder, fleet: &Fleet, from_ms: i64, until_ms: i64) {
    let mut at_ms = from_ms;
    while at_ms < until_ms {
        recorder.push(fleet.round(at_ms));
        at_ms += INTERVAL_MS;
    }
    recorder.write(until_ms).await.unwrap();
}

fn assert_close(points: &[(i64, f64)], expected: &[(i64, f64)], what: &str) {
    let times = |points: &[(i64, f64)]| points.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(times(points), times(expected), "{what}");
    for ((at, value), (_, expected)) in points.iter().zip(expected) {
        assert!((value - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{what} at {at}: {value}, not {expected}");
    }
}

/// What an answer must be, from the samples themselves.
fn expected(fleet: &Fleet, span: Span, metric: Metric, node: Option<usize>, gpu: Option<usize>) -> Vec<(i64, f64)> {
    let place = MACHINE.iter().chain(&GPU).position(|candidate| *candidate == metric).unwrap();
    let nodes = || (0..fleet.nodes.len()).filter(|number| node.is_none_or(|node| node == *number));
    let at = |at_ms: i64| {
        let of_gpus = |number: usize| {
            let gpus = (0..fleet.nodes[number].1.len()).filter(|index| gpu.is_none_or(|gpu| gpu == *index));
            gpus.map(move |index| value(at_ms, number + 7 * (index + 1), 10 + place - MACHINE.len()))
        };
        if metric.is_per_gpu() {
            nodes().flat_map(of_gpus).collect()
        } else {
            nodes().map(|number| value(at_ms, number, place)).collect::<Vec<_>>()
        }
    };
    let step = |place: usize| {
        let begin_ms = span.begin_ms(place);
        let times = (begin_ms..begin_ms + span.step_ms).step_by(usize::try_from(INTERVAL_MS).unwrap());
        (begin_ms, mean(times.flat_map(at)))
    };
    (0..span.steps).map(step).collect()
}

async fn what_is_kept_at_three_resolutions_is_what_was_measured(store: Store) {
    let begin_ms = midnight_ms();
    let (hour_ms, now_ms) = (begin_ms + 3_600_000, begin_ms + 27 * 3_600_000);
    let fleet = Fleet::new(3, 2);
    let recorder = recorder(&store, now_ms);
    record(&recorder, &fleet, begin_ms, hour_ms).await;
    recorder.keep_order(hour_ms + 600_000).await.unwrap();
    // An hour is over, and the day is not.
    assert!(store.newest_series(Resolution::Minute.step_ms()).await.unwrap().is_some());
    assert!(store.newest_series(Resolution::Quarter.step_ms()).await.unwrap().is_none());
    let history = History::Own(recorder.clone());
    for is_day_over in [false, true] {
        if is_day_over {
            recorder.keep_order(begin_ms + 24 * 3_600_000 + 600_000).await.unwrap();
            assert!(store.newest_series(Resolution::Quarter.step_ms()).await.unwrap().is_some());
        }
        // The samples themselves are kept for a day.
        let steps: &[i32] = if is_day_over { &[60, 300, 900, 1800] } else { &[10, 30, 60, 300, 900, 1800] };
        for &step in steps {
            let span = span(begin_ms, hour_ms, step, hour_ms);
            assert_eq!(span.step_ms, i64::from(step) * 1000);
            let (id, gpus) = &fleet.nodes[1];
            let uuid = Some(&*gpus[1].uuid);
            for (metric, node, gpu) in [
                (Metric::CpuUsage, None, None),
                (Metric::NetworkOut, Some(1), None),
                (Metric::GpuPower, None, None),
                (Metric::GpuTemperature, Some(1), None),
                (Metric::GpuTemperature, Some(1), Some(1)),
            ] {
                let points = history.query(metric, node.map(|_| *id), gpu.and(uuid), span).await.unwrap();
                let expected = expected(&fleet, span, metric, node, gpu);
                assert_close(&points, &expected, &format!("{} of {node:?} {gpu:?} in steps of {step} s", metric.name()));
            }
        }
    }
    let nobody = history.query(Metric::CpuUsage, Some(Uuid::new_v4()), None, span(begin_ms, hour_ms, 60, hour_ms)).await.unwrap();
    assert!(nobody.is_empty());
}

async fn samples_that_are_not_written_are_found_as_well(store: Store) {
    let begin_ms = midnight_ms();
    let fleet = Fleet::new(2, 1);
    let recorder = recorder(&store, begin_ms + 120_000);
    record(&recorder, &fleet, begin_ms, begin_ms + 60_000).await;
    for second in [0, 10, 20, 30, 40, 50] {
        recorder.push(fleet.round(begin_ms + 60_000 + second * 1000));
    }
    let history = History::Own(recorder.clone());
    let span = span(begin_ms, begin_ms + 120_000, 30, begin_ms + 120_000);
    for metric in [Metric::CpuUsage, Metric::GpuUsage] {
        for node in [None, Some(0)] {
            let id = node.map(|number: usize| fleet.nodes[number].0);
            let expected = expected(&fleet, span, metric, node, None);
            assert_close(&history.query(metric, id, None, span).await.unwrap(), &expected, "before they are written");
        }
    }
    // Another process sees the rest when it is written.
    recorder.write(i64::MAX).await.unwrap();
    let other = History::Own(self::recorder(&store, begin_ms + 120_000));
    let points = other.query(Metric::CpuUsage, None, None, span).await.unwrap();
    assert_close(&points, &expected(&fleet, span, Metric::CpuUsage, None, None), "in another process");
}

async fn nothing_is_counted_twice_when_means_are_made_again(store: Store) {
    let begin_ms = midnight_ms();
    let hour_ms = begin_ms + 3_600_000;
    let fleet = Fleet::new(2, 0);
    // Two processes that see a node each, as replicas do, and the later one makes the means of both.
    let halves: Vec<_> = fleet.nodes.iter().map(|node| Fleet { nodes: vec![node.clone()] }).collect();
    for half in &halves {
        record(&recorder(&store, hour_ms), half, begin_ms, hour_ms).await;
    }
    for _ in 0..2 {
        recorder(&store, hour_ms).keep_order(hour_ms + 600_000).await.unwrap();
        for step in [60, 900] {
            let span = span(begin_ms, hour_ms, step, hour_ms);
            let points = History::Own(recorder(&store, hour_ms)).query(Metric::CpuUsage, None, None, span).await.unwrap();
            assert_eq!(points.len(), span.steps);
            let of_first =
                |place| mean((0..span.step_ms / INTERVAL_MS).map(|at| value(span.begin_ms(place) + at * INTERVAL_MS, 0, 0)));
            let expected: Vec<_> = (0..span.steps).map(|place| (span.begin_ms(place), of_first(place))).collect();
            assert_close(&points, &expected, "both halves are numbered 0");
        }
    }
}

async fn what_was_kept_long_enough_is_removed(store: Store) {
    let begin_ms = midnight_ms();
    let fleet = Fleet::new(1, 0);
    let recorder = recorder(&store, begin_ms);
    record(&recorder, &fleet, begin_ms, begin_ms + 60_000).await;
    let day_ms = 24 * 3_600_000;
    let owner = fleet.nodes[0].0.to_string();
    for (days, kept) in [(0, [1, 0, 0]), (1, [0, 1, 1]), (7, [0, 1, 1]), (8, [0, 0, 1]), (400, [0, 0, 1]), (402, [0, 0, 0])] {
        recorder.keep_order(begin_ms + days * day_ms + 600_000).await.unwrap();
        for (resolution, kept) in Resolution::ALL.into_iter().zip(kept) {
            let chunks = store.series(&owner, resolution.step_ms(), 0, i64::MAX).await.unwrap();
            assert_eq!(chunks.len(), kept, "{resolution:?} after {days} days");
        }
    }
}

async fn a_month_of_a_hundred_nodes_is_read_from_few_chunks(store: Store) {
    // Of every hour a minute, which makes as many chunks of means as if there were all.
    let (begin_ms, hour_ms) = (midnight_ms(), 3_600_000);
    let fleet = Fleet::new(2, 1);
    let days = 30;
    let end_ms = begin_ms + days * 24 * hour_ms;
    let mut at_ms = begin_ms;
    let recorder = recorder(&store, end_ms);
    while at_ms < end_ms {
        record(&recorder, &fleet, at_ms, at_ms + 60_000).await;
        at_ms += hour_ms;
    }
    recorder.keep_order(end_ms).await.unwrap();
    let mut read = 0;
    for resolution in Resolution::ALL {
        let owned = store.series("", resolution.step_ms(), 0, i64::MAX).await.unwrap().len();
        assert!(owned <= 7 * 24 + 2, "{resolution:?}: {owned}");
        read += store.series("", resolution.step_ms(), end_ms - resolution.bucket_ms(), i64::MAX).await.unwrap().len();
    }
    assert!(read <= 4, "{read} chunks besides those of whole days");
    let span = span(begin_ms, end_ms, 0, end_ms);
    assert_eq!(span.step_ms, 2_700_000);
    let points = History::Own(recorder).query(Metric::GpuUsage, None, None, span).await.unwrap();
    assert_eq!(
        points.len(),
        usize::try_from(days * 24).unwrap(),
        "one step of 45 minutes for each hour of which there is a minute"
    );
}

async fn prometheus_answers_what_the_own_database_does(store: Store) {
    let Ok(url) = env::var("UTOPIA_TEST_PROMETHEUS_URL") else {
        assert!(env::var("CI").as_deref() != Ok("true"), "there is no Prometheus to test with");
        return eprintln!("SKIPPED: there is no Prometheus to test with");
    };
    let prometheus = Prometheus::new(url.parse().unwrap(), http_client().unwrap(), Clock::system());
    prometheus.check().await.unwrap();
    // It takes samples of the last hour only. Quarters of an hour are whole in it.
    let now = Timestamp::now() - SignedDuration::from_mins(1);
    let end_ms = Resolution::Minute.step_ms() * (now.as_millisecond() / Resolution::Minute.step_ms());
    let begin_ms = Resolution::Quarter.step_ms() * (end_ms / Resolution::Quarter.step_ms() - 2);
    let fleet = Fleet::new(2, 2);
    let recorder = recorder(&store, now.as_millisecond());
    let mut at_ms = begin_ms;
    while at_ms < end_ms {
        for request in remote::requests(&fleet.round(at_ms)) {
            prometheus.write(&request).await.unwrap();
        }
        at_ms += INTERVAL_MS;
    }
    record(&recorder, &fleet, begin_ms, end_ms).await;
    // As if a day had passed: coarser means are there as well.
    recorder.keep_order(end_ms + 23 * 3_600_000).await.unwrap();
    let (own, remote) = (History::Own(recorder), History::Remote(prometheus));
    for step in [10, 60, 900] {
        let span = span(begin_ms, end_ms, step, end_ms);
        for (number, (id, gpus)) in fleet.nodes.iter().enumerate() {
            for (metric, gpu) in [(Metric::NetworkIn, None), (Metric::GpuPower, None), (Metric::GpuPower, Some(&*gpus[1].uuid))] {
                let what = format!("{} of node {number} {gpu:?} in steps of {step} s", metric.name());
                let (own, remote) =
                    (own.query(metric, Some(*id), gpu, span).await, remote.query(metric, Some(*id), gpu, span).await);
                let (own, remote) = (own.unwrap(), remote.unwrap());
                assert_eq!(own.len(), span.steps, "{what}");
                assert_close(&remote, &own, &what);
            }
        }
    }
}
