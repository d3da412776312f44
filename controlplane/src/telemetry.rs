//! The control plane's metrics, beside those of requests.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};
use tonic::Code;
use utopia_proto::{claim::v1::ClaimPhase, status::code_name};

use crate::{
    error::Result,
    model::{Claim, webhook::Verdict},
    reconcile::plan::NodeView,
};

/// The metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    nodes: Family<NodeLabels, Gauge>,
    gpus: Family<GpuLabels, Gauge>,
    claims: Family<ClaimLabels, Gauge>,
    commands: Family<CommandLabels, Counter>,
    connections_refused: Family<RefusedLabels, Counter>,
    limited: Family<LimitLabels, Counter>,
    webhook_attempts: Family<AttemptLabels, Counter>,
    passes: Passes,
}

#[derive(Debug)]
struct Passes(Histogram);

impl Default for Passes {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.000_5, 2.0, 12)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GpuLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClaimLabels {
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Phase(ClaimPhase);

impl EncodeLabelValue for Phase {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.as_str_name().trim_start_matches("CLAIM_PHASE_").to_ascii_lowercase().as_str().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CommandLabels {
    kind: &'static str,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: Refused,
}

/// Why a connection came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Refused {
    /// Its TLS handshake failed, or took too long.
    Handshake,
    /// There are as many connections as there is room for.
    NoRoom,
    /// The system did not hand it over.
    NotAccepted,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
}

impl Metrics {
    /// The metrics, registered.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("utopia_controlplane", "The control plane that answers", version);
        registry.register("utopia_nodes", "Enrolled nodes by state", metrics.nodes.clone());
        registry.register("utopia_gpus", "GPUs of enrolled nodes by state", metrics.gpus.clone());
        registry.register("utopia_claims", "Claims that have not ended by phase", metrics.claims.clone());
        registry.register("utopia_node_commands", "Commands to nodes by kind and outcome", metrics.commands.clone());
        registry.register(
            "utopia_connections_refused",
            "Connections given up before or during the TLS handshake, by reason",
            metrics.connections_refused.clone(),
        );
        registry.register(
            "utopia_requests_limited",
            "Requests refused because there were too many, by class",
            metrics.limited.clone(),
        );
        let help = "Attempts to send an event to a webhook by outcome";
        registry.register("utopia_webhook_attempts", help, metrics.webhook_attempts.clone());
        registry.register_with_unit(
            "utopia_reconcile_pass_duration",
            "Time to look and plan, without carrying out",
            Unit::Seconds,
            metrics.passes.0.clone(),
        );
        Arc::new(metrics)
    }

    /// Takes note of a reconcile pass.
    pub fn observe_pass(&self, claims: &[Claim], nodes: &[NodeView], allocated_gpus: usize, took: Duration) {
        self.passes.0.observe(took.as_secs_f64());
        let online = nodes.iter().filter(|node| node.online).count();
        let gpus = nodes.iter().map(|node| node.gpus.len()).sum::<usize>();
        set(&self.nodes.get_or_create(&NodeLabels { state: "online" }), online);
        set(&self.nodes.get_or_create(&NodeLabels { state: "offline" }), nodes.len() - online);
        set(&self.gpus.get_or_create(&GpuLabels { state: "allocated" }), allocated_gpus);
        set(&self.gpus.get_or_create(&GpuLabels { state: "free" }), gpus.saturating_sub(allocated_gpus));
        let mut phases = HashMap::from([(ClaimPhase::Pending, 0_usize), (ClaimPhase::Scheduled, 0), (ClaimPhase::Running, 0)]);
        claims.iter().filter(|claim| claim.is_live()).for_each(|claim| *phases.entry(claim.phase).or_default() += 1);
        for (phase, count) in phases {
            set(&self.claims.get_or_create(&ClaimLabels { phase: Phase(phase) }), count);
        }
    }

    /// Takes note of a command that ended.
    pub fn observe_command(&self, kind: &'static str, code: Code) {
        self.commands.get_or_create(&CommandLabels { kind, code: code_name(code) }).inc();
    }

    /// Takes note of a request that was one too many for its class.
    pub fn limited(&self, class: &'static str) {
        self.limited.get_or_create(&LimitLabels { class }).inc();
    }

    /// Takes note of an attempt to send an event to a webhook.
    pub fn webhook_attempt(&self, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Failed => "failed",
            Verdict::Gone => "gone",
        };
        self.webhook_attempts.get_or_create(&AttemptLabels { outcome }).inc();
    }

    /// Takes note of a connection that came to nothing.
    pub fn connection_refused(&self, reason: Refused) {
        self.connections_refused.get_or_create(&RefusedLabels { reason }).inc();
    }
}

/// The code with which an operation ended.
#[must_use]
pub fn code_of<T>(result: &Result<T>) -> Code {
    match result {
        Ok(_) => Code::Ok,
        Err(error) => error.code(),
    }
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
