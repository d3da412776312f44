//! Looks at what the hub holds once in a while, and hands it on.
//!
//! A look costs a few microseconds for each machine and is the only cost of the history besides writing it. However large the fleet, no
//! more than [`MOST_DEVICES`] machines and GPUs are taken down at once: of larger fleets each look takes another share.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    metric::{GPU, MACHINE},
    reading::{Sums, of_gpu, of_machine},
    recorder::Recorder,
};
use crate::{link::Hub, model::Gpu};

/// Machines and GPUs that one look takes down for the control plane's own database.
const MOST_DEVICES: usize = 4096;

/// What was measured at one moment.
#[derive(Debug, Default)]
pub struct Round {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Of all machines that were online.
    pub fleet: Sums,
    machines: Vec<(Uuid, Arc<str>, Arc<[Gpu]>)>,
    /// Of each machine its readings, then those of its GPUs.
    values: Vec<f32>,
}

/// What was measured of a machine.
#[derive(Debug, Clone, Copy)]
pub struct MachineReadings<'a> {
    /// The node.
    pub id: Uuid,
    /// Its host name.
    pub hostname: &'a str,
    /// Its GPUs.
    pub gpus: &'a [Gpu],
    /// In the order of [`MACHINE`].
    pub values: &'a [f32],
    gpu_values: &'a [f32],
}

impl<'a> MachineReadings<'a> {
    /// Its GPUs with what was measured of them, in the order of [`GPU`].
    pub fn gpus(self) -> impl Iterator<Item = (&'a Gpu, &'a [f32])> {
        self.gpus.iter().zip(self.gpu_values.chunks_exact(GPU.len()))
    }
}

impl Round {
    /// A round without machines.
    #[must_use]
    pub fn new(at_ms: i64) -> Self {
        Self { at_ms, ..Self::default() }
    }

    /// Looks at all machines that are online, and takes down a share of at most so many devices, another one for each `number`.
    #[must_use]
    pub fn take(hub: &Hub, at_ms: i64, most_devices: usize, number: usize) -> Self {
        let mut nodes = hub.nodes();
        nodes.retain(|(_, known)| known.session.is_some());
        let devices: usize = nodes.iter().map(|(_, known)| 1 + known.gpus.len()).sum();
        let shares = devices.div_ceil(most_devices).max(1);
        let is_due = |id: Uuid| share(id, shares) == number % shares;
        let mut round = Self::new(at_ms);
        for (id, known) in nodes {
            let Some(session) = known.session else { continue };
            let view = session.view();
            let Some(heartbeat) = &view.heartbeat else { continue };
            let machine = of_machine(heartbeat, known.memory_bytes);
            let mut readings = heartbeat.gpus.iter();
            let gpus = known.gpus.iter().map(|gpu| readings.next().map_or([f32::NAN; GPU.len()], |reading| of_gpu(reading, gpu)));
            round.fleet.add_machine(&machine);
            if is_due(id) {
                let from = round.values.len() + MACHINE.len();
                round.values.extend(machine);
                gpus.for_each(|values| round.values.extend(values));
                round.values[from..].chunks_exact(GPU.len()).for_each(|values| round.fleet.add_gpu(values));
                round.machines.push((id, known.hostname, known.gpus));
            } else {
                gpus.for_each(|values| round.fleet.add_gpu(&values));
            }
        }
        round
    }

    /// Takes down one machine.
    pub fn add(
        &mut self,
        id: Uuid,
        hostname: &str,
        gpus: &Arc<[Gpu]>,
        machine: [f32; MACHINE.len()],
        of_gpus: &[[f32; GPU.len()]],
    ) {
        self.fleet.add_machine(&machine);
        of_gpus.iter().for_each(|values| self.fleet.add_gpu(values));
        self.values.extend(machine);
        self.values.extend(of_gpus.iter().flatten());
        self.machines.push((id, hostname.into(), Arc::clone(gpus)));
    }

    /// Whether no machine was online.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fleet == Sums::default()
    }

    /// What was taken down, machine by machine.
    pub fn machines(&self) -> impl Iterator<Item = MachineReadings<'_>> {
        let mut rest = &self.values[..];
        self.machines.iter().map_while(move |(id, hostname, gpus)| {
            let (values, after) = rest.split_at_checked(MACHINE.len())?;
            let (gpu_values, after) = after.split_at_checked(gpus.len() * GPU.len())?;
            rest = after;
            Some(MachineReadings { id: *id, hostname, gpus, values, gpu_values })
        })
    }
}

/// Who is told what was measured.
#[derive(Debug)]
pub enum Sink {
    /// The control plane's own database.
    Recorder(Recorder),
    /// A queue that somebody empties; what finds it full is dropped.
    Queue(mpsc::Sender<Round>),
}

/// Takes samples.
#[derive(Debug)]
pub struct Sampler {
    /// Holds the readings.
    pub hub: Hub,
    /// Is told.
    pub sink: Sink,
    /// The time between two looks.
    pub interval: Duration,
}

impl Sampler {
    /// Takes samples until cancelled, at multiples of the interval since 1970, so that those of several control planes fall together.
    pub async fn run(self, cancel: CancellationToken) {
        let interval_ms = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let (mut number, mut last, mut is_full) = (0_usize, 0, false);
        loop {
            let now_ms = self.hub.now().as_millisecond();
            let pause = u64::try_from(interval_ms - now_ms.rem_euclid(interval_ms)).unwrap_or_default();
            if cancel.run_until_cancelled(tokio::time::sleep(Duration::from_millis(pause))).await.is_none() {
                return;
            }
            let at_ms = nearest(self.hub.now(), interval_ms);
            if at_ms <= last {
                continue;
            }
            (last, number) = (at_ms, number.wrapping_add(1));
            match &self.sink {
                Sink::Recorder(recorder) => recorder.push(Round::take(&self.hub, at_ms, MOST_DEVICES, number)),
                Sink::Queue(queue) => {
                    let was_full = std::mem::replace(&mut is_full, queue.capacity() == 0);
                    if is_full && !was_full {
                        tracing::warn!("samples are dropped: too many wait to be written to Prometheus");
                    }
                    if !is_full {
                        // There is room, and whoever empties the queue ends after this.
                        let _ = queue.try_send(Round::take(&self.hub, at_ms, usize::MAX, number));
                    }
                }
            }
        }
    }
}

/// Ids are random: any of their bits tell nodes apart.
fn share(id: Uuid, shares: usize) -> usize {
    usize::try_from(id.as_u128() % u128::try_from(shares).unwrap_or(1)).unwrap_or_default()
}

/// Timers are late or early by a little.
fn nearest(now: Timestamp, interval_ms: i64) -> i64 {
    (now.as_millisecond() + interval_ms / 2).div_euclid(interval_ms) * interval_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_gives_back_what_was_taken_down() {
        let gpu = |index| Gpu { uuid: format!("GPU-{index}").into(), name: "H100".into(), index, memory_bytes: 1 };
        let gpus: Arc<[Gpu]> = vec![gpu(0), gpu(1)].into();
        let mut round = Round::new(7);
        round.add(Uuid::from_u128(1), "a", &gpus, [1.0; 6], &[[2.0; 6], [3.0; 6]]);
        round.add(Uuid::from_u128(2), "b", &Vec::new().into(), [4.0; 6], &[]);
        let machines: Vec<_> = round.machines().collect();
        assert_eq!(
            machines.iter().map(|machine| (machine.hostname, machine.values[0])).collect::<Vec<_>>(),
            [("a", 1.0), ("b", 4.0)]
        );
        let of_gpus: Vec<_> = machines[0].gpus().map(|(gpu, values)| (&*gpu.uuid, values.to_vec())).collect();
        assert_eq!(of_gpus, [("GPU-0", vec![2.0; 6]), ("GPU-1", vec![3.0; 6])]);
        assert_eq!(round.fleet.of(super::super::Metric::GpuUsage).mean(), Some(2.5));
    }

    #[test]
    fn moments_are_multiples_of_the_interval() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!([9_999, 10_000, 10_003, 14_999].map(|ms| nearest(at(ms), 10_000)), [10_000; 4]);
    }

    #[test]
    fn every_node_has_its_turn_once() {
        let ids: Vec<_> = (0..1000_u128).map(|number| Uuid::from_u128(number * 7919)).collect();
        let shares = 7;
        let turns: usize = (0..shares).map(|turn| ids.iter().filter(|id| share(**id, shares) == turn).count()).sum();
        assert_eq!(turns, ids.len());
    }
}
