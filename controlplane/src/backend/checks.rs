//! Looks again and again how the backends are, so that people learn of one that is away before they need it.
//!
//! Nothing depends on what is found: every call asks for itself.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Backends;

/// How long each backend may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Looks at the start and then at intervals, until it is cancelled; never, when the interval is zero.
pub async fn run(backends: Backends, interval: Duration, cancel: CancellationToken) {
    if interval.is_zero() {
        return;
    }
    let mut interval = tokio::time::interval(interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looks = async {
        let mut before = BTreeMap::new();
        loop {
            interval.tick().await;
            backends.check(DEADLINE).await;
            tell_changes(&backends, &mut before);
        }
    };
    // That it was cancelled is all there is to know.
    let _: Option<()> = cancel.run_until_cancelled(looks).await;
}

/// Logs what is not as it was before.
fn tell_changes(backends: &Backends, before: &mut BTreeMap<(&'static str, String), bool>) {
    for (kind, backend) in backends.all() {
        let (place, health) = (backend.place(), backend.health());
        let Some(is_up) = health.is_up else { continue };
        if before.insert((kind.word(), place.name.clone()), is_up) == Some(is_up) {
            continue;
        }
        if is_up {
            tracing::info!(kind = kind.word(), name = place.name, url = %place.url, version = health.version, "backend answers");
        } else {
            tracing::warn!(kind = kind.word(), name = place.name, url = %place.url, error = health.last_error, "backend is away");
        }
    }
}
