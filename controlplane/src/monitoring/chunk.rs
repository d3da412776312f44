//! How the history is kept: what was measured of a machine and its GPUs, or of all machines, over a while, in one compressed message.
//!
//! A chunk has means and of how many samples each is, so that chunks can be brought together and made coarser without loss.

use std::collections::BTreeMap;

use prost::Message;

use super::{
    metric::{GPU, MACHINE, Metric},
    reading::{Sum, Sums},
    sampler::MachineReadings,
};
use crate::error::{Error, Result};

/// The largest chunk when it is not compressed: more than a day of 128 GPUs has.
const MOST_BYTES: usize = 16 << 20;

/// Steps of several metrics.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Chunk {
    /// When each step begins, in milliseconds after the chunk.
    #[prost(uint32, repeated, tag = "1")]
    at_ms: Vec<u32>,
    /// UUIDs of GPUs.
    #[prost(string, repeated, tag = "2")]
    gpus: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    series: Vec<Series>,
}

/// One metric.
#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(uint32, tag = "1")]
    metric: u32,
    /// Of which GPU: its place in the chunk, from 1; 0 for what is of no single one.
    #[prost(uint32, tag = "2")]
    gpu: u32,
    /// One for each step; not a number where nothing was measured.
    #[prost(float, repeated, tag = "3")]
    means: Vec<f32>,
    /// Samples of each step; one each when empty.
    #[prost(uint32, repeated, tag = "4")]
    counts: Vec<u32>,
}

/// A mean of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// When it begins, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The mean.
    pub(super) mean: f32,
    /// Of so many samples.
    pub(super) count: u64,
}

impl Chunk {
    /// What was measured of one machine, sample by sample.
    #[must_use]
    pub(super) fn of_machine(bucket_ms: i64, rows: &[(i64, MachineReadings<'_>)]) -> Self {
        let mut gpus: Vec<&str> = Vec::new();
        for gpu in rows.iter().flat_map(|(_, row)| row.gpus) {
            if !gpus.contains(&&*gpu.uuid) {
                gpus.push(&gpu.uuid);
            }
        }
        let mut series = Vec::with_capacity(MACHINE.len() + gpus.len() * GPU.len());
        for (place, metric) in MACHINE.into_iter().enumerate() {
            let means = rows.iter().map(|(_, row)| row.values.get(place).copied().unwrap_or(f32::NAN)).collect();
            series.extend(Series::of_samples(metric, 0, means));
        }
        for (number, uuid) in (1..).zip(&gpus) {
            let of_gpu: Vec<_> = rows.iter().map(|(_, row)| row.gpus().find(|(gpu, _)| *gpu.uuid == **uuid)).collect();
            for (place, metric) in GPU.into_iter().enumerate() {
                let value =
                    |row: &Option<(_, &[f32])>| row.and_then(|(_, values)| values.get(place).copied()).unwrap_or(f32::NAN);
                series.extend(Series::of_samples(metric, number, of_gpu.iter().map(value).collect()));
            }
        }
        let at_ms = rows.iter().map(|(at_ms, _)| offset(*at_ms, bucket_ms)).collect();
        Self { at_ms, gpus: gpus.into_iter().map(str::to_owned).collect(), series }
    }

    /// What was measured of all machines together.
    #[must_use]
    pub(super) fn of_fleet(bucket_ms: i64, rounds: &[(i64, Sums)]) -> Self {
        let of = |metric: Metric| Series::of_sums(metric.number(), 0, rounds.iter().map(|(_, sums)| sums.of(metric)));
        let at_ms = rounds.iter().map(|(at_ms, _)| offset(*at_ms, bucket_ms)).collect();
        Self { at_ms, gpus: Vec::new(), series: Metric::all().filter_map(of).collect() }
    }

    /// Brings chunks of one owner together, in steps of so long. Each has its beginning beside it.
    #[must_use]
    pub(super) fn coarser(bucket_ms: i64, step_ms: i64, steps: usize, chunks: &[(i64, Self)]) -> Self {
        let mut sums = BTreeMap::<(&str, u32), Vec<Sum>>::new();
        for (begin_ms, chunk) in chunks {
            for series in &chunk.series {
                let into = sums.entry((chunk.gpu(series), series.metric)).or_insert_with(|| vec![Sum::default(); steps]);
                for step in chunk.steps_of(series, *begin_ms) {
                    let place = usize::try_from((step.at_ms - bucket_ms).div_euclid(step_ms)).ok();
                    if let Some(sum) = place.and_then(|place| into.get_mut(place)) {
                        sum.add_mean(step.mean, step.count);
                    }
                }
            }
        }
        let mut gpus: Vec<&str> = sums.keys().map(|(gpu, _)| *gpu).filter(|gpu| !gpu.is_empty()).collect();
        gpus.dedup();
        let number = |gpu: &str| gpus.iter().position(|known| *known == gpu).map_or(0, |place| place + 1);
        let series = sums.iter().filter_map(|((gpu, metric), sums)| {
            Series::of_sums(*metric, u32::try_from(number(gpu)).unwrap_or_default(), sums.iter().copied())
        });
        let series = series.collect();
        let at_ms = (0..steps)
            .map(|step| u32::try_from(step_ms).unwrap_or(u32::MAX).saturating_mul(u32::try_from(step).unwrap_or(u32::MAX)));
        Self { at_ms: at_ms.collect(), gpus: gpus.iter().map(ToString::to_string).collect(), series }
    }

    /// The steps of a metric, of one GPU or of all there are here.
    pub(super) fn steps<'a>(&'a self, begin_ms: i64, metric: Metric, gpu: Option<&'a str>) -> impl Iterator<Item = Step> + 'a {
        let wanted = move |series: &&Series| series.metric == metric.number() && gpu.is_none_or(|gpu| self.gpu(series) == gpu);
        self.series.iter().filter(wanted).flat_map(move |series| self.steps_of(series, begin_ms))
    }

    /// As it is kept.
    ///
    /// # Errors
    /// When it is too large.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let compressed = snap::raw::Encoder::new().compress_vec(&self.encode_to_vec());
        compressed.map_err(|error| Error::internal("compress a chunk of the history", error))
    }

    /// From what was kept.
    ///
    /// # Errors
    /// When it is not a chunk.
    pub(super) fn decode(data: &[u8]) -> Result<Self> {
        const CONTEXT: &str = "read a chunk of the history";
        let length = snap::raw::decompress_len(data).map_err(|error| Error::internal(CONTEXT, error))?;
        if length > MOST_BYTES {
            return Err(Error::internal(CONTEXT, format!("it would be {length} bytes")));
        }
        let bytes = snap::raw::Decoder::new().decompress_vec(data).map_err(|error| Error::internal(CONTEXT, error))?;
        <Self as Message>::decode(&*bytes).map_err(|error| Error::internal(CONTEXT, error))
    }

    fn gpu(&self, series: &Series) -> &str {
        let place = usize::try_from(series.gpu).ok().and_then(|number| number.checked_sub(1));
        place.and_then(|place| self.gpus.get(place)).map_or("", |uuid| uuid)
    }

    fn steps_of<'a>(&'a self, series: &'a Series, begin_ms: i64) -> impl Iterator<Item = Step> + 'a {
        let counts = series.counts.iter().copied().chain(std::iter::repeat(u32::from(series.counts.is_empty())));
        let steps = self.at_ms.iter().zip(&series.means).zip(counts);
        let steps = steps.filter(|((_, mean), count)| mean.is_finite() && *count > 0);
        steps.map(move |((at_ms, mean), count)| Step { at_ms: begin_ms + i64::from(*at_ms), mean: *mean, count: count.into() })
    }
}

impl Series {
    /// None when nothing was measured.
    fn of_samples(metric: Metric, gpu: u32, means: Vec<f32>) -> Option<Self> {
        let is_measured = means.iter().any(|mean| mean.is_finite());
        is_measured.then(|| Self { metric: metric.number(), gpu, means, counts: Vec::new() })
    }

    /// None when nothing was measured.
    fn of_sums(metric: u32, gpu: u32, sums: impl Iterator<Item = Sum>) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "readings have no more digits")]
        let mean = |sum: &Sum| sum.mean().map_or(f32::NAN, |mean| mean as f32);
        let steps = sums.map(|sum| (mean(&sum), u32::try_from(sum.count).unwrap_or(u32::MAX)));
        let (means, counts): (Vec<_>, Vec<_>) = steps.unzip();
        counts.iter().any(|count| *count > 0).then_some(Self { metric, gpu, means, counts })
    }
}

fn offset(at_ms: i64, bucket_ms: i64) -> u32 {
    u32::try_from(at_ms - bucket_ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::{model::Gpu, monitoring::sampler::Round};

    fn gpu(uuid: &str) -> Gpu {
        Gpu { uuid: uuid.into(), name: "H100".into(), index: 0, memory_bytes: 1 }
    }

    fn round(at_ms: i64, gpus: &Arc<[Gpu]>, value: f32) -> Round {
        let mut round = Round::new(at_ms);
        let of_gpus: Vec<_> = (0_u8..).zip(gpus.iter()).map(|(place, _)| [value + f32::from(place); 6]).collect();
        round.add(Uuid::from_u128(1), "a", gpus, [value; 6], &of_gpus);
        round
    }

    fn chunk(rounds: &[Round]) -> Chunk {
        let rows: Vec<_> = rounds.iter().map(|round| (round.at_ms, round.machines().next().unwrap())).collect();
        let chunk = Chunk::of_machine(60_000, &rows);
        Chunk::decode(&chunk.encode().unwrap()).unwrap()
    }

    fn means(chunk: &Chunk, metric: Metric, gpu: Option<&str>) -> Vec<(i64, f32, u64)> {
        chunk.steps(60_000, metric, gpu).map(|Step { at_ms, mean, count }| (at_ms, mean, count)).collect()
    }

    #[test]
    fn what_is_kept_is_what_was_measured() {
        let gpus: Arc<[Gpu]> = vec![gpu("GPU-a"), gpu("GPU-b")].into();
        let chunk = chunk(&[round(60_000, &gpus, 1.5), round(70_000, &gpus, f32::NAN), round(80_000, &gpus, 2.5)]);
        assert_eq!(means(&chunk, Metric::CpuUsage, None), [(60_000, 1.5, 1), (80_000, 2.5, 1)]);
        assert_eq!(means(&chunk, Metric::GpuPower, Some("GPU-b")), [(60_000, 2.5, 1), (80_000, 3.5, 1)]);
        assert_eq!(means(&chunk, Metric::GpuPower, None).len(), 4);
        assert_eq!(means(&chunk, Metric::GpuPower, Some("GPU-c")), []);
    }

    #[test]
    fn gpus_that_come_and_go_keep_their_own_steps() {
        let (first, second): (Arc<[Gpu]>, Arc<[Gpu]>) = (vec![gpu("GPU-a")].into(), vec![gpu("GPU-b"), gpu("GPU-a")].into());
        let chunk = chunk(&[round(60_000, &first, 10.0), round(70_000, &second, 20.0)]);
        assert_eq!(means(&chunk, Metric::GpuUsage, Some("GPU-a")), [(60_000, 10.0, 1), (70_000, 21.0, 1)]);
        assert_eq!(means(&chunk, Metric::GpuUsage, Some("GPU-b")), [(70_000, 20.0, 1)]);
    }

    #[test]
    fn coarser_steps_are_weighted_means() {
        let gpus: Arc<[Gpu]> = vec![gpu("GPU-a")].into();
        let minute = chunk(&[round(60_000, &gpus, 10.0), round(70_000, &gpus, 20.0), round(80_000, &gpus, 60.0)]);
        let coarse = Chunk::coarser(60_000, 20_000, 3, &[(60_000, minute)]);
        assert_eq!(means(&coarse, Metric::CpuUsage, None), [(60_000, 15.0, 2), (80_000, 60.0, 1)]);
        let coarsest = Chunk::coarser(60_000, 60_000, 1, &[(60_000, coarse)]);
        assert_eq!(means(&coarsest, Metric::GpuUsage, Some("GPU-a")), [(60_000, 30.0, 3)]);
    }

    #[test]
    fn the_fleet_is_one_owner_without_gpus() {
        let gpus: Arc<[Gpu]> = vec![gpu("GPU-a"), gpu("GPU-b")].into();
        let chunk = Chunk::of_fleet(60_000, &[(60_000, round(60_000, &gpus, 1.0).fleet), (70_000, Sums::default())]);
        assert_eq!(means(&chunk, Metric::GpuUsage, None), [(60_000, 1.5, 2)]);
        assert_eq!(means(&chunk, Metric::CpuUsage, None), [(60_000, 1.0, 1)]);
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        for data in [&b""[..], b"\xff\xff\xff\xff\x7f", b"\x04\x0c\xff\xff\xff\xff"] {
            assert!(Chunk::decode(data).is_err(), "{data:?}");
        }
    }
}
