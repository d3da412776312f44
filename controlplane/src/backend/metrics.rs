//! How the backends are, as metrics: read when somebody looks.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{Backends, client::Health};

/// Registers the metrics of the backends.
pub fn register(backends: &Backends, registry: &mut Registry) {
    registry.register_collector(Box::new(Found(backends.clone())));
}

#[derive(Debug)]
struct Found(Backends);

impl Collector for Found {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let asked = |health: &Health| health.is_up.is_some();
        self.family(&mut encoder, "utopia_backend_up", "Whether a backend answered when it was last asked", None, |health| {
            health.is_up.map(|is_up| ConstGauge::new(i64::from(is_up)))
        })?;
        let help = "How long the last answer of a backend took";
        self.family(&mut encoder, "utopia_backend_latency", help, Some(&Unit::Seconds), |health| {
            asked(health).then(|| ConstGauge::new(health.latency.as_secs_f64()))
        })?;
        let help = "Calls to a backend";
        self.family(&mut encoder, "utopia_backend_calls", help, None, |health| Some(ConstCounter::new(health.calls)))?;
        let help = "Calls to a backend without an answer that could be used";
        self.family(&mut encoder, "utopia_backend_failures", help, None, |health| Some(ConstCounter::new(health.failures)))
    }
}

impl Found {
    /// One metric of all backends that have it.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        of: impl Fn(&Health) -> Option<M>,
    ) -> fmt::Result {
        let all = self.0.all();
        let values = all.iter().filter_map(|(kind, backend)| {
            let labels = [("kind", kind.word().to_owned()), ("name", backend.place().name.clone())];
            Some((labels, of(&backend.health())?))
        });
        let values = values.collect::<Vec<_>>();
        let Some((_, first)) = values.first() else { return Ok(()) };
        let mut encoder = encoder.encode_descriptor(name, help, unit, first.metric_type())?;
        for (labels, value) in &values {
            value.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }
}
