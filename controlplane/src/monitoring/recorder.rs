//! The history in the control plane's own database.
//!
//! Samples of the minute under way are in memory only, where questions find them too. When it is over they are written, those of all
//! machines in one transaction; when an hour or a day is over, coarser means are made of what was written, which does no harm if it is
//! done twice. All nodes together are an owner of their own, so that a mean over the fleet reads as little as that of one node.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Metric,
    chunk::{Chunk, Step},
    reading::Sum,
    resolution::Resolution,
    sampler::{MachineReadings, Round},
    span::Span,
};
use crate::{
    clock::Clock,
    error::Result,
    store::{SeriesChunk, Store},
};

/// The owner of what is of all nodes together.
const FLEET: &str = "";

/// What was made of all parts.
const WHOLE: i64 = 0;

/// How long after the end of a minute it is written, and after that of an hour or a day its means are made: by then everybody who samples
/// has written.
const WRITE_AFTER_MS: i64 = 500;
const MEANS_AFTER_MS: i64 = 120_000;

/// How long samples wait for a database that does not take them.
const PATIENCE_MS: i64 = 600_000;

/// Owners whose chunks are made coarser in one transaction.
const OWNERS: usize = 50;

/// Keeps the history. Clones keep the same.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    clock: Clock,
    /// By what chunks of this process are told apart from those of others.
    part: i64,
    /// What is not written yet, oldest first.
    waiting: Mutex<VecDeque<Arc<Round>>>,
}

impl Recorder {
    /// Keeps what comes from now on beside what is kept.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let part = i64::try_from(Uuid::new_v4().as_u128() >> 65).unwrap_or(1).max(1);
        Self(Arc::new(Inner { store, clock, part, waiting: Mutex::default() }))
    }

    /// Takes what was measured, unless that is nothing.
    pub fn push(&self, round: Round) {
        if !round.is_empty() {
            self.waiting().push_back(Arc::new(round));
        }
    }

    /// Writes and keeps order until cancelled, and writes once more then.
    pub async fn run(self, cancel: CancellationToken) {
        loop {
            let now_ms = self.0.clock.now().as_millisecond();
            let minute_ms = Resolution::Raw.bucket_ms();
            let pause = minute_ms - (now_ms - WRITE_AFTER_MS).rem_euclid(minute_ms);
            let pause = Duration::from_millis(u64::try_from(pause).unwrap_or_default());
            let is_over = cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none();
            let now_ms = self.0.clock.now().as_millisecond();
            let until_ms = if is_over { i64::MAX } else { Resolution::Raw.bucket_of(now_ms) };
            if let Err(error) = self.write(until_ms).await {
                tracing::warn!(%error, "samples could not be written");
                self.waiting().retain(|round| now_ms - round.at_ms < PATIENCE_MS);
            }
            if is_over {
                return;
            }
            if let Err(error) = cancel.run_until_cancelled(self.keep_order(now_ms)).await.unwrap_or(Ok(())) {
                tracing::warn!(%error, "the history could not be made coarser");
            }
        }
    }

    /// Writes what was measured before a time.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn write(&self, until_ms: i64) -> Result<()> {
        let rounds: Vec<_> = self.waiting().iter().take_while(|round| round.at_ms < until_ms).cloned().collect();
        if rounds.is_empty() {
            return Ok(());
        }
        self.0.store.write_series(self.chunks(&rounds)?).await?;
        self.waiting().drain(..rounds.len());
        Ok(())
    }

    /// Makes coarser means of what is over, and removes what was kept long enough.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_order(&self, now_ms: i64) -> Result<()> {
        for resolution in [Resolution::Minute, Resolution::Quarter] {
            let Some(finer) = resolution.finer() else { continue };
            // From the finest on: when those of an hour are made, a day that is over has all of them.
            while let Some(bucket_ms) = self.next_over(resolution, finer, now_ms - MEANS_AFTER_MS).await? {
                self.make_coarser(resolution, finer, bucket_ms).await?;
            }
        }
        for resolution in Resolution::ALL {
            let before_ms = now_ms - resolution.retention_ms() - resolution.bucket_ms();
            while self.0.store.forget_series(resolution.step_ms(), before_ms).await? == ControlFlow::Continue(()) {}
        }
        Ok(())
    }

    /// What was measured in each step, of all nodes or one, of all GPUs or one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn query(&self, metric: Metric, node: Option<Uuid>, gpu: Option<&str>, span: Span) -> Result<Vec<Sum>> {
        let mut sums = vec![Sum::default(); span.steps];
        // What is written while this reads is in both: it counts as what waits.
        let waiting: Vec<_> = self.waiting().iter().cloned().collect();
        let written_ms = waiting.first().map_or(i64::MAX, |round| round.at_ms);
        let mut add = |step: Step| {
            if let Some(sum) = span.place(step.at_ms).and_then(|place| sums.get_mut(place)) {
                sum.add_mean(step.mean, step.count);
            }
        };
        let owner = node.map_or_else(|| FLEET.to_owned(), |id| id.to_string());
        let mut from_ms = span.first_ms;
        for resolution in [Resolution::Quarter, Resolution::Minute, Resolution::Raw] {
            let is_fit = resolution.step_ms() == 0 || span.step_ms % resolution.step_ms() == 0;
            if !is_fit || from_ms >= span.end_ms() {
                continue;
            }
            let chunks = self.0.store.series(&owner, resolution.step_ms(), resolution.bucket_of(from_ms), span.end_ms()).await?;
            for chunk in chunks {
                let is_own = chunk.part == self.0.part;
                let steps = Chunk::decode(&chunk.data)?;
                let steps = steps.steps(chunk.bucket_ms, metric, gpu);
                steps.filter(|step| step.at_ms >= from_ms && !(is_own && step.at_ms >= written_ms)).for_each(&mut add);
            }
            if resolution != Resolution::Raw
                && let Some(newest_ms) = self.0.store.newest_series(resolution.step_ms()).await?
            {
                from_ms = from_ms.max(newest_ms + resolution.bucket_ms());
            }
        }
        waiting.iter().for_each(|round| add_waiting(round, metric, node, gpu, &mut add));
        Ok(sums)
    }

    /// The rounds by minute and machine, and of all machines.
    fn chunks(&self, rounds: &[Arc<Round>]) -> Result<Vec<SeriesChunk>> {
        type Rows<'a> = Vec<(i64, MachineReadings<'a>)>;
        let mut chunks = Vec::new();
        let raw = Resolution::Raw;
        for rounds in rounds.chunk_by(|a, b| raw.bucket_of(a.at_ms) == raw.bucket_of(b.at_ms)) {
            let bucket_ms = rounds.first().map_or(0, |round| raw.bucket_of(round.at_ms));
            let mut machines = BTreeMap::<Uuid, Rows<'_>>::new();
            for round in rounds {
                for machine in round.machines() {
                    machines.entry(machine.id).or_default().push((round.at_ms, machine));
                }
            }
            let mut push = |owner: String, chunk: &Chunk| -> Result<()> {
                let data = chunk.encode()?;
                chunks.push(SeriesChunk { owner, resolution_ms: raw.step_ms(), bucket_ms, part: self.0.part, data });
                Ok(())
            };
            for (id, rows) in machines {
                push(id.to_string(), &Chunk::of_machine(bucket_ms, &rows))?;
            }
            let fleet: Vec<_> = rounds.iter().map(|round| (round.at_ms, round.fleet)).collect();
            push(FLEET.to_owned(), &Chunk::of_fleet(bucket_ms, &fleet))?;
        }
        Ok(chunks)
    }

    /// The oldest bucket that is over and has no means yet.
    async fn next_over(&self, resolution: Resolution, finer: Resolution, now_ms: i64) -> Result<Option<i64>> {
        let done_ms = self.0.store.newest_series(resolution.step_ms()).await?.map_or(i64::MIN, |ms| ms + resolution.bucket_ms());
        let next_ms = self.0.store.oldest_series(finer.step_ms(), done_ms).await?.map(|ms| resolution.bucket_of(ms));
        Ok(next_ms.filter(|ms| ms + resolution.bucket_ms() <= now_ms))
    }

    /// Makes means of one bucket, of all nodes together last: they show that it is done.
    async fn make_coarser(&self, resolution: Resolution, finer: Resolution, bucket_ms: i64) -> Result<()> {
        let before_ms = bucket_ms + resolution.bucket_ms();
        let store = &self.0.store;
        let mut owners = store.series_owners(finer.step_ms(), bucket_ms, before_ms).await?;
        owners.retain(|owner| owner != FLEET);
        for owners in owners.chunks(OWNERS) {
            let mut chunks = Vec::with_capacity(owners.len());
            for owner in owners {
                chunks.push(self.coarser(owner.clone(), resolution, finer, bucket_ms).await?);
            }
            store.write_series(chunks).await?;
        }
        store.write_series(vec![self.coarser(FLEET.to_owned(), resolution, finer, bucket_ms).await?]).await
    }

    async fn coarser(&self, owner: String, resolution: Resolution, finer: Resolution, bucket_ms: i64) -> Result<SeriesChunk> {
        let before_ms = bucket_ms + resolution.bucket_ms();
        let chunks = self.0.store.series(&owner, finer.step_ms(), bucket_ms, before_ms).await?;
        let chunks = chunks.iter().map(|chunk| Ok((chunk.bucket_ms, Chunk::decode(&chunk.data)?))).collect::<Result<Vec<_>>>()?;
        let steps = usize::try_from(resolution.bucket_ms() / resolution.step_ms()).unwrap_or_default();
        let data = Chunk::coarser(bucket_ms, resolution.step_ms(), steps, &chunks).encode()?;
        Ok(SeriesChunk { owner, resolution_ms: resolution.step_ms(), bucket_ms, part: WHOLE, data })
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Round>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a round that is not written has of a question.
fn add_waiting(round: &Round, metric: Metric, node: Option<Uuid>, gpu: Option<&str>, add: &mut impl FnMut(Step)) {
    let Some(node) = node else {
        let sum = round.fleet.of(metric);
        #[expect(clippy::cast_possible_truncation, reason = "readings have no more digits")]
        let mean = sum.mean().map_or(f32::NAN, |mean| mean as f32);
        return add(Step { at_ms: round.at_ms, mean, count: sum.count });
    };
    for machine in round.machines().filter(|machine| machine.id == node) {
        let chunk = Chunk::of_machine(round.at_ms, &[(round.at_ms, machine)]);
        chunk.steps(round.at_ms, metric, gpu).for_each(&mut *add);
    }
}
