//! Passes of the planner over a fleet in which some claims fit and some do not.

use std::hint::black_box;

use anyhow::ensure;
use utopia_controlplane::reconcile::plan::plan;
use utopia_load_tests::fleet::{Fleet, Situation};

use crate::counted_section;

const TIMES: usize = 3;

const NODES: usize = 300;

/// Plans; answers how often.
pub(crate) fn go() -> anyhow::Result<usize> {
    let fleet = Fleet::new(Situation::Fragmented, NODES);
    let snapshot = fleet.snapshot();
    ensure!(!plan(&snapshot).steps.is_empty(), "there is nothing to do");
    counted_section(|| (0..TIMES).for_each(|_| drop(black_box(plan(black_box(&snapshot))))));
    Ok(TIMES)
}
