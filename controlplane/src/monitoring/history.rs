//! Where the history is, and the one way to ask it.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Metric,
    recorder::Recorder,
    remote::{self, Writer},
    sampler::{Sampler, Sink},
    span::Span,
};
use crate::{backend::prometheus::Prometheus, clock::Clock, error::Result, link::Hub, store::Store};

/// The history. Clones are the same.
#[derive(Debug, Clone)]
pub enum History {
    /// In the control plane's own database.
    Own(Recorder),
    /// In a Prometheus.
    Remote(Prometheus),
}

/// Who keeps it up.
#[derive(Debug)]
pub enum Keeper {
    /// Writes to the control plane's own database.
    Own(Recorder),
    /// Writes to a Prometheus.
    Remote(Writer),
}

impl History {
    /// In a Prometheus where there is one, else in the control plane's own database.
    #[must_use]
    pub fn new(prometheus: Option<&Prometheus>, store: &Store, clock: &Clock) -> Self {
        match prometheus {
            Some(prometheus) => Self::Remote(prometheus.clone()),
            None => Self::Own(Recorder::new(store.clone(), clock.clone())),
        }
    }

    /// Who samples, and who writes: both are to be run.
    #[must_use]
    pub fn keepers(&self, hub: &Hub, interval: Duration) -> (Sampler, Keeper) {
        let (sink, keeper) = match self {
            Self::Own(recorder) => (Sink::Recorder(recorder.clone()), Keeper::Own(recorder.clone())),
            Self::Remote(prometheus) => {
                let (writer, queue) = Writer::new(prometheus.clone());
                (Sink::Queue(queue), Keeper::Remote(writer))
            }
        };
        (Sampler { hub: hub.clone(), sink, interval }, keeper)
    }

    /// When each step begins in which something was measured, in milliseconds since 1970, and the mean of it: of all nodes or one, of all
    /// GPUs or one.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn query(&self, metric: Metric, node: Option<Uuid>, gpu: Option<&str>, span: Span) -> Result<Vec<(i64, f64)>> {
        match self {
            Self::Own(recorder) => {
                let sums = recorder.query(metric, node, gpu, span).await?;
                let means = sums.into_iter().enumerate();
                Ok(means.filter_map(|(place, sum)| Some((span.begin_ms(place), sum.mean()?))).collect())
            }
            Self::Remote(prometheus) => remote::query(prometheus, metric, node, gpu, span).await,
        }
    }
}

impl Keeper {
    /// Writes until cancelled.
    pub async fn run(self, cancel: tokio_util::sync::CancellationToken) {
        match self {
            Self::Own(recorder) => recorder.run(cancel).await,
            Self::Remote(writer) => writer.run(cancel).await,
        }
    }
}
