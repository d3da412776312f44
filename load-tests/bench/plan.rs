//! Figure 12: passes of the planner over fleets of growing size, in every situation that costs differently.

use std::hint::black_box;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use utopia_controlplane::reconcile::plan::plan;
use utopia_load_tests::fleet::{Fleet, Situation};
use utopia_load_tests::outcome::{Limit, Line, Outcome, Plot};

use crate::Rounds;

/// What a pass may take, in milliseconds.
const LIMIT_MS: f64 = 100.0;

/// The most that the time may grow by, as a power of the number of nodes. One is linear; larger fleets fit caches less.
const LIMIT_GROWTH: f64 = 1.3;

/// How it is measured.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    /// Sizes of fleets in nodes of eight GPUs, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 2_000, 4_000, 7_000, 10_000])]
    nodes: Vec<u32>,

    /// Situations of the fleets
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Situation::ALL)]
    situations: Vec<Situation>,
}

/// Measures.
pub(crate) async fn run(options: Options, rounds: Rounds) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("bench plan", json!({"options": options, "rounds": rounds.rounds}));
    let mut lines = Vec::new();
    for situation in &options.situations {
        let mut points = Vec::new();
        for nodes in &options.nodes {
            let fleet = Fleet::new(*situation, usize::try_from(*nodes)?);
            let [_, gpus, placed, waiting] = fleet.size();
            let what = format!("one pass: {nodes} nodes, {gpus} GPUs, {placed} claims placed and {waiting} waiting");
            // The first pass is not counted: it finds no cache warm.
            let samples = (0..=rounds.rounds).map(|_| pass_ms(&fleet)).skip(1).collect();
            points.push((f64::from(*nodes), outcome.measure(situation.as_str(), &what, "ms", samples)));
            // Somebody may want to stop.
            tokio::task::yield_now().await;
        }
        judge(&mut outcome, *situation, &points);
        lines.push(Line { name: situation.as_str().to_owned(), points });
    }
    outcome.plots.push(Plot {
        name: "plan".to_owned(),
        title: "One pass of the planner".to_owned(),
        x: "nodes of 8 GPUs".to_owned(),
        y: "ms".to_owned(),
        lines,
    });
    Ok(outcome)
}

fn pass_ms(fleet: &Fleet) -> f64 {
    let began = Instant::now();
    let steps = plan(black_box(&fleet.snapshot()));
    let took = began.elapsed();
    drop(black_box(steps));
    took.as_secs_f64() * 1e3
}

/// Holds the largest fleet against the limit, and its time against that of the smallest.
fn judge(outcome: &mut Outcome, situation: Situation, points: &[(f64, f64)]) {
    let (Some(&smallest), Some(&largest)) = (points.first(), points.last()) else { return };
    let name = situation.as_str();
    let what = format!("one pass over {} nodes, {name}", largest.0);
    outcome.verdict(12, &what, largest.1, Limit::AtMost(LIMIT_MS), "ms");
    if smallest.0 < largest.0 {
        let what = format!("growth from {} to {} nodes as a power of their number, {name}", smallest.0, largest.0);
        outcome.verdict(12, &what, growth(smallest, largest), Limit::AtMost(LIMIT_GROWTH), "");
    }
}

/// The exponent of the power by which the second number grows with the first.
fn growth(smallest: (f64, f64), largest: (f64, f64)) -> f64 {
    (largest.1 / smallest.1).ln() / (largest.0 / smallest.0).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_growth_has_the_power_one() {
        assert!((growth((1_000.0, 3.0), (10_000.0, 30.0)) - 1.0).abs() < 1e-9);
        assert!((growth((1_000.0, 3.0), (10_000.0, 300.0)) - 2.0).abs() < 1e-9);
    }
}
