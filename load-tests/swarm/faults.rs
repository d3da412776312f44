//! What goes wrong with a fleet: one agent that does not read, no file descriptor left, and half of all agents gone at once.
//! Each has a control plane of its own.

mod descriptors;
mod slow;
mod vanish;

use serde_json::to_value;
use utopia_load_tests::outcome::Outcome;

use crate::args::{Faults, Target};

/// Where the report shows them.
const FIGURE: u8 = 13;

pub(crate) async fn measure(settings: &Faults, target: &Target) -> anyhow::Result<Outcome> {
    anyhow::ensure!(target.given.server.is_none(), "faults are inflicted only on a control plane of this run's own");
    let mut outcome = Outcome::new("swarm faults", to_value(settings)?);
    Box::pin(vanish::inflict(settings, target, &mut outcome)).await?;
    Box::pin(descriptors::inflict(settings, target, &mut outcome)).await?;
    Box::pin(slow::inflict(settings, target, &mut outcome)).await?;
    Ok(outcome)
}
