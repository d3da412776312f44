//! Servers take turns, round after round; what counts is the CPU time of their processes for each message that was answered.

use std::time::Duration;

use tokio::time::Instant;
use utopia_load_tests::outcome::{Limit, Outcome};
use utopia_load_tests::usage::Usage;

use crate::Rounds;
use crate::load::{Crowd, Load, Question, Target};

/// Before each turn, so that caches are filled, code is paged in and the connections, new ones for each turn, are in use.
const WARM_UP: Duration = Duration::from_millis(300);

/// One server with one question.
#[derive(Debug)]
struct Subject {
    name: &'static str,
    what: &'static str,
    processes: Vec<u32>,
    target: Target,
    question: Question,
    cpu_us: Vec<f64>,
    rates: Vec<f64>,
}

/// All that take turns.
#[derive(Debug)]
pub(crate) struct Contest {
    crowd: Crowd,
    subjects: Vec<Subject>,
}

/// What a message cost each server.
#[derive(Debug)]
pub(crate) struct Costs(Vec<(&'static str, &'static str, f64)>);

impl Contest {
    /// A contest for so many callers.
    pub(crate) fn new(crowd: Crowd) -> Self {
        Self { crowd, subjects: Vec::new() }
    }

    /// Adds a server: its name, what is asked, and whose CPU time that costs.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        what: &'static str,
        processes: &[u32],
        target: &Target,
        question: &Question,
    ) {
        let (processes, target, question) = (processes.to_vec(), target.clone(), question.clone());
        self.subjects.push(Subject { name, what, processes, target, question, cpu_us: Vec::new(), rates: Vec::new() });
    }

    /// Runs all rounds, and writes down what they cost.
    pub(crate) async fn run(mut self, rounds: Rounds, unit: &str, outcome: &mut Outcome) -> anyhow::Result<Costs> {
        for _ in 0..rounds.rounds {
            for subject in &mut self.subjects {
                subject.turn(self.crowd, Duration::from_secs(rounds.seconds.into())).await?;
            }
        }
        let write = |subject: Subject| {
            let Subject { name, what, cpu_us, rates, .. } = subject;
            let cost = outcome.measure(name, &format!("{what}: server CPU per {unit}"), "µs", cpu_us);
            outcome.measure(name, &format!("{what}: {unit}s per second"), "", rates);
            (name, what, cost)
        };
        Ok(Costs(self.subjects.into_iter().map(write).collect()))
    }
}

impl Subject {
    async fn turn(&mut self, crowd: Crowd, time: Duration) -> anyhow::Result<()> {
        let mut load = Load::open(&self.target, &self.question, crowd).await?;
        load.run(WARM_UP).await?;
        let (before, began) = (self.cpu()?, Instant::now());
        let messages = load.run(time).await?;
        let (used, took) = (self.cpu()? - before, began.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let messages = messages as f64;
        self.cpu_us.push(used.as_secs_f64() * 1e6 / messages);
        self.rates.push(messages / took.as_secs_f64());
        Ok(())
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        self.processes.iter().map(|pid| Ok(Usage::of(*pid)?.cpu)).sum()
    }
}

impl Costs {
    /// Writes down how much of the other's costs one has, each a server and what it was asked; not a number when one was not there.
    pub(crate) fn compare(&self, outcome: &mut Outcome, figure: u8, one: (&str, &str), other: (&str, &str), limit: f64) {
        let what = match (one, other) {
            ((name, what), (base, same)) if what == same => format!("{what}: {name} / {base}"),
            ((name, what), (base, other)) => format!("{name}, {what} / {base}, {other}"),
        };
        outcome.verdict(figure, &what, self.of(one) / self.of(other), Limit::AtMost(limit), "×");
    }

    fn of(&self, (name, what): (&str, &str)) -> f64 {
        let found = self.0.iter().find(|(subject, question, _)| (*subject, *question) == (name, what));
        found.map_or(f64::NAN, |(_, _, cost)| *cost)
    }
}
