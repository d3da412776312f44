//! The history in a Prometheus: samples are written as they are taken, and questions answered by its range queries.
//!
//! Whoever measures never waits for it: rounds stand in a queue, and what finds the queue full is dropped. A round that it does not take
//! for a while is tried again, one that it refuses is not.

use std::{fmt::Write as _, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Metric,
    metric::{GPU, MACHINE},
    sampler::{MachineReadings, Round},
    span::Span,
};
use crate::{
    backend::prometheus::{
        Prometheus, Range,
        wire::{TimeSeries, WriteRequest},
    },
    error::{Error, Result},
};

/// Rounds that may wait: at the usual interval, those of ten minutes.
const QUEUE: usize = 60;

/// Series of one request.
const BATCH: usize = 2_000;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What stands before the names of our metrics there.
const PREFIX: &str = "utopia_";

/// Writes what comes out of a queue.
#[derive(Debug)]
pub struct Writer {
    prometheus: Prometheus,
    queue: mpsc::Receiver<Round>,
}

impl Writer {
    /// A writer, and the queue that it empties.
    #[must_use]
    pub fn new(prometheus: Prometheus) -> (Self, mpsc::Sender<Round>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self { prometheus, queue }, sender)
    }

    /// Writes until cancelled. What waits then is lost.
    pub async fn run(mut self, cancel: CancellationToken) {
        while let Some(Some(round)) = cancel.run_until_cancelled(self.queue.recv()).await {
            for request in requests(&round) {
                if cancel.run_until_cancelled(write(&self.prometheus, &request)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// Writes until it is written or refused.
async fn write(prometheus: &Prometheus, request: &WriteRequest) {
    let mut pause = FIRST_PAUSE;
    loop {
        match prometheus.write(request).await {
            Ok(()) => return,
            Err(error @ (Error::Unavailable { .. } | Error::DeadlineExceeded { .. })) => {
                tracing::warn!(%error, "samples wait");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, source, "samples were refused, and are dropped");
                return;
            }
        }
    }
}

/// A round in requests of a good size.
#[must_use]
pub fn requests(round: &Round) -> Vec<WriteRequest> {
    let mut series = round.machines().flat_map(|machine| machine_series(machine, round.at_ms)).peekable();
    let mut requests = Vec::new();
    while series.peek().is_some() {
        requests.push(WriteRequest { timeseries: series.by_ref().take(BATCH).collect() });
    }
    requests
}

fn machine_series(machine: MachineReadings<'_>, at_ms: i64) -> Vec<TimeSeries> {
    let node = machine.id.to_string();
    let mut series = Vec::with_capacity(MACHINE.len() + machine.gpus.len() * GPU.len());
    for (metric, value) in MACHINE.into_iter().zip(machine.values) {
        let name = format!("{PREFIX}{}", metric.name());
        let labels = [("__name__", &*name), ("hostname", machine.hostname), ("node", &node)];
        series.extend(value.is_finite().then(|| TimeSeries::one(&labels, f64::from(*value), at_ms)));
    }
    for (gpu, values) in machine.gpus() {
        for (metric, value) in GPU.into_iter().zip(values) {
            let name = format!("{PREFIX}{}", metric.name());
            let labels = [("__name__", &*name), ("gpu", &gpu.uuid), ("hostname", machine.hostname), ("node", &node)];
            series.extend(value.is_finite().then(|| TimeSeries::one(&labels, f64::from(*value), at_ms)));
        }
    }
    series
}

/// The mean of each step, of all nodes or one, of all GPUs or one.
///
/// # Errors
/// When it does not answer.
pub async fn query(
    prometheus: &Prometheus,
    metric: Metric,
    node: Option<Uuid>,
    gpu: Option<&str>,
    span: Span,
) -> Result<Vec<(i64, f64)>> {
    // A step holds its beginning and not its end: it is evaluated a millisecond before that.
    let late_ms = span.step_ms - 1;
    let last_ms = span.end_ms() - 1;
    let range = Range { first_ms: span.first_ms + late_ms, last_ms, step_ms: span.step_ms };
    let points = prometheus.query_range(&expression(metric, node, gpu, span.step_ms), range).await?;
    Ok(points.into_iter().map(|(at_ms, value)| (at_ms - late_ms, value)).collect())
}

/// The mean over all samples of a step, whatever series they are of.
fn expression(metric: Metric, node: Option<Uuid>, gpu: Option<&str>, step_ms: i64) -> String {
    let mut labels = String::new();
    let node = node.map(|id| id.to_string());
    for (name, value) in [("node", node.as_deref()), ("gpu", gpu)] {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = write!(labels, "{name}=\"{}\",", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        }
    }
    let series = format!("{PREFIX}{}{{{labels}}}[{step_ms}ms]", metric.name());
    format!("sum(sum_over_time({series})) / sum(count_over_time({series}))")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Gpu;

    #[test]
    fn labels_cannot_leave_their_quotes() {
        let expression = expression(Metric::GpuUsage, None, Some("a\"} or vector(1)\\"), 10_000);
        assert!(expression.contains(r#"utopia_gpu_usage{gpu="a\"} or vector(1)\\",}[10000ms]"#), "{expression}");
    }

    #[test]
    fn rounds_are_cut_into_requests_and_what_was_not_measured_is_left_out() {
        let gpu = Gpu { uuid: "GPU-1".into(), name: "H100".into(), index: 0, memory_bytes: 1 };
        let gpus: Arc<[Gpu]> = vec![gpu].into();
        let mut round = Round::new(1_000);
        for number in 0..300 {
            round.add(Uuid::from_u128(number), "a", &gpus, [1.0; 6], &[[2.0, 2.0, 2.0, 2.0, f32::NAN, 0.0]]);
        }
        let requests = requests(&round);
        assert_eq!(requests.iter().map(|request| request.timeseries.len()).collect::<Vec<_>>(), [2_000, 300 * 11 - 2_000]);
        let series = requests.iter().flat_map(|request| &request.timeseries);
        for series in series {
            assert!(series.labels.windows(2).all(|pair| pair[0].name < pair[1].name), "{series:?}");
            assert_eq!(series.samples.len(), 1);
            assert_ne!(series.labels[0].value, "utopia_gpu_ecc_errors");
        }
    }
}
