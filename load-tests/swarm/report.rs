//! What a run found, as one table and as JSON.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use crate::args::Settings;
use crate::measure::{Measured, Used};

/// A run with where and how it was done.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    mode: &'static str,
    machine: Machine,
    /// The commit of the working directory, if it is one.
    commit: Option<String>,
    /// Without optimisation, times say little.
    optimised: bool,
    settings: &'a Settings,
    results: Vec<Measured>,
}

#[derive(Debug, Serialize)]
struct Machine {
    cpus: usize,
    model: String,
}

impl<'a> Report<'a> {
    pub(crate) fn new(mode: &'static str, settings: &'a Settings, results: Vec<Measured>) -> Self {
        let optimised = !cfg!(debug_assertions);
        Self { mode, machine: machine(), commit: commit(), optimised, settings, results }
    }

    /// In Markdown, one column for each server.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN);
        let Machine { cpus, model } = &self.machine;
        let title = format!("{}: {cpus} CPUs, {model}", self.mode);
        table.set_header(std::iter::once(title).chain(self.results.iter().map(|result| result.server.to_owned())));
        for (name, value) in ROWS {
            let values = self.results.iter().map(value).collect::<Vec<_>>();
            if values.iter().any(Option::is_some) {
                let values = values.into_iter().map(Option::unwrap_or_default);
                table.add_row(std::iter::once((*name).to_owned()).chain(values));
            }
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    /// Writes all of it as JSON.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

type Row = (&'static str, fn(&Measured) -> Option<String>);

const ROWS: &[Row] = &[
    ("agents", |of| Some(of.agents.to_string())),
    ("all enrolled after, s", |of| Some(format!("{:.1}", of.enrol_seconds))),
    ("all connected after, s", |of| Some(format!("{:.1}", of.connect_seconds))),
    ("measured for, s", |of| Some(format!("{:.1}", of.measured_seconds))),
    ("sessions lost", |of| Some(of.lost_sessions.to_string())),
    ("heartbeats answered per s", |of| Some(format!("{:.0}", per(of.heartbeats, of.measured_seconds)))),
    ("heartbeat answer p50, ms", |of| of.heartbeat_answer.map(|answer| format!("{:.2}", answer.p50_ms))),
    ("heartbeat answer p99, ms", |of| of.heartbeat_answer.map(|answer| format!("{:.2}", answer.p99_ms))),
    ("claims placed", |of| of.claims.map(|placed| placed.claims.to_string())),
    ("claims Running per s", |of| of.claims.map(|placed| format!("{:.0}", per(placed.claims.into(), of.measured_seconds)))),
    ("claim to Running p50, ms", |of| of.claims?.to_running.map(|running| format!("{:.1}", running.p50_ms))),
    ("claim to Running p99, ms", |of| of.claims?.to_running.map(|running| format!("{:.1}", running.p99_ms))),
    ("server memory before, MiB", |of| of.used.map(|used| format!("{:.1}", mebibytes(used.before_kib)))),
    ("server memory after, MiB", |of| of.used.map(|used| format!("{:.1}", mebibytes(used.after_kib)))),
    ("server memory per agent, KiB", |of| of.used.map(|used| format!("{:.1}", used.kib_per_agent(of.agents)))),
    ("server CPU, s", |of| of.used.map(|used| format!("{:.2}", used.cpu_seconds))),
    ("server CPU per heartbeat, µs", |of| match (of.used, of.claims, of.heartbeats) {
        (Some(used), None, 1..) => Some(format!("{:.1}", used.cpu_seconds * 1e6 / as_float(of.heartbeats))),
        (Some(_) | None, _, _) => None,
    }),
    ("server CPU per claim, ms", |of| {
        of.used.zip(of.claims).map(|(used, placed)| format!("{:.2}", used.cpu_seconds * 1e3 / f64::from(placed.claims)))
    }),
];

impl Used {
    /// What all that came with the agents adds up to, for each of them; less than nothing when memory was given back meanwhile.
    fn kib_per_agent(self, agents: u32) -> f64 {
        (as_float(self.after_kib) - as_float(self.before_kib)) / f64::from(agents)
    }
}

fn per(count: u64, seconds: f64) -> f64 {
    as_float(count) / seconds
}

fn mebibytes(kib: u64) -> f64 {
    as_float(kib) / 1024.0
}

fn as_float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn machine() -> Machine {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, model)| model.trim());
    Machine { cpus, model: model.unwrap_or("model not known").to_owned() }
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}
