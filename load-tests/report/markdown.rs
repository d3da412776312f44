//! The text of the report.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use utopia_load_tests::outcome::{Outcome, Verdict};

use crate::figures;
use crate::findings::Finding;

/// All of it.
pub(crate) fn report(outcomes: &[Outcome], findings: &[Finding]) -> String {
    let mut text = head(outcomes);
    text.push_str(&table(outcomes, findings));
    for Finding { figure, short, text: found } in findings {
        if !found.is_empty() {
            let _ = write!(text, "\n### Figure {figure}: {short}\n\n{found}\n");
        }
    }
    text.push_str("\n## Measured\n");
    for outcome in outcomes {
        text.push_str(&section(outcome));
    }
    text
}

fn head(outcomes: &[Outcome]) -> String {
    let mut text =
        "# Load test report\n\nMade by `utopia-report` from the results of `load-tests/run.sh`; not written by hand.\n"
            .to_owned();
    let runs = outcomes.iter().map(run).collect::<BTreeSet<_>>();
    for run in runs {
        let _ = write!(text, "\n- {run}");
    }
    text + "\n"
}

/// Where and of what; the same for all programs of one run.
fn run(outcome: &Outcome) -> String {
    let Outcome { machine, commit, optimised, .. } = outcome;
    let day = outcome.began_at.split('T').next().unwrap_or_default();
    let build = if *optimised { "" } else { ", **without optimisation**" };
    format!(
        "{day}, commit `{commit}`{build}: {} CPUs ({}), {} GiB of memory, Linux {}; servers and load on this one machine",
        machine.cpus, machine.model, machine.memory_gib, machine.kernel
    )
}

fn table(outcomes: &[Outcome], findings: &[Finding]) -> String {
    let mut text =
        "\n## Figures\n\n| # | what | to reach | measured | reached | why not |\n|--:|---|--:|--:|---|---|\n".to_owned();
    for (figure, title) in figures::all() {
        let mut verdicts =
            outcomes.iter().flat_map(|outcome| &outcome.verdicts).filter(|verdict| verdict.figure == figure).peekable();
        if verdicts.peek().is_none() {
            let _ = writeln!(text, "| {figure} | {title} | | | not measured | |");
        }
        for verdict in verdicts {
            let mut reasons = findings.iter().filter(|finding| finding.figure == figure && !verdict.reached);
            let reason = reasons.next().map(|finding| finding.short.as_str()).unwrap_or_default();
            text.push_str(&row(title, verdict, reason));
        }
    }
    text
}

fn row(title: &str, verdict: &Verdict, reason: &str) -> String {
    let [to_reach, measured, reached] = verdict.cells();
    format!("| {} | {title}: {} | {to_reach} | {measured} | {reached} | {reason} |\n", verdict.figure, verdict.what)
}

fn section(outcome: &Outcome) -> String {
    let mut text = format!("\n### {}\n\n`{}`, begun {}\n", outcome.program, outcome.command, outcome.began_at);
    let _ = write!(text, "\n{}\n", outcome.measured());
    for plot in &outcome.plots {
        let _ = write!(text, "\n![{}](plots/{}.svg)\n", plot.title, plot.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use utopia_load_tests::outcome::Limit;

    use super::*;

    #[test]
    fn every_figure_has_a_row_and_missed_ones_a_reason() {
        let mut outcome = Outcome::new("bench unary", serde_json::Value::Null);
        outcome.measure("control plane", "server CPU per call", "µs", vec![15.0]);
        outcome.verdict(1, "GetMe", 1.3, Limit::AtMost(1.15), "×");
        outcome.verdict(1, "heartbeat", 1.0, Limit::AtMost(1.15), "×");
        let findings = [Finding { figure: 1, short: "the guard".into(), text: "It costs.".into() }];
        let text = report(&[outcome], &findings);
        assert!(text.contains("| 1 | unary gRPC: GetMe | ≤ 1.15 × | 1.30 × | **no** | the guard |"), "{text}");
        assert!(text.contains("| 1 | unary gRPC: heartbeat | ≤ 1.15 × | 1 × | yes |  |"), "{text}");
        assert!(text.contains("| 12 | planning | | | not measured | |"), "{text}");
        assert!(text.contains("### Figure 1: the guard\n\nIt costs.\n"), "{text}");
        assert!(text.contains("| server CPU per call, µs |"), "{text}");
    }
}
