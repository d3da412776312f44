//! What a program found: numbers, lines to plot, and whether the figures were reached. As a table for people, and as JSON for the report.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::{Deserialize, Serialize};

use crate::median;

/// The most subjects that are columns.
const MAX_COLUMNS: usize = 8;

/// All that one program found in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// What ran, e.g. `bench unary`.
    pub program: String,
    /// The command line that does it again.
    pub command: String,
    /// When it began, in UTC.
    pub began_at: String,
    /// Where.
    pub machine: Machine,
    /// The commit of the working directory, with `-dirty` when it was changed; empty when it is none.
    pub commit: String,
    /// Without optimisation, times say little.
    pub optimised: bool,
    /// How it was done, by the program's own names.
    pub settings: serde_json::Value,
    /// The numbers.
    pub measures: Vec<Measure>,
    /// The figures, reached or not.
    pub verdicts: Vec<Verdict>,
    /// What can be plotted.
    pub plots: Vec<Plot>,
}

/// The machine of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Its logical CPUs.
    pub cpus: usize,
    /// Their model.
    pub model: String,
    /// Its memory in GiB.
    pub memory_gib: u64,
    /// The kernel's release.
    pub kernel: String,
}

/// One number about one subject, usually the median of several rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measure {
    /// What was measured: a server, e.g. `control plane` or `bare tonic`.
    pub subject: String,
    /// The quantity, e.g. `server CPU per call`.
    pub what: String,
    /// Its unit, e.g. `µs`.
    pub unit: String,
    /// The median of the samples.
    #[serde(deserialize_with = "number")]
    pub value: f64,
    /// One for each round that found something.
    pub samples: Vec<f64>,
}

/// Whether a figure was reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// The row of the table of figures, from 1.
    pub figure: u8,
    /// What is compared, e.g. `unary gRPC, server CPU: control plane / bare tonic`.
    pub what: String,
    /// The most, or the least, that it may be.
    pub limit: Limit,
    /// What it was; not a number when it could not be measured.
    #[serde(deserialize_with = "number")]
    pub value: f64,
    /// `×` for a ratio.
    pub unit: String,
    /// Whether the value is within the limit.
    pub reached: bool,
}

/// On which side of a limit a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The value has to be this or less.
    AtMost(f64),
    /// The value has to be this or more.
    AtLeast(f64),
}

/// Lines over one axis.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plot {
    /// The file's name, without an ending.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The horizontal axis with its unit.
    pub x: String,
    /// The vertical axis with its unit.
    pub y: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line of a plot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// Ascending by the first number.
    pub points: Vec<(f64, f64)>,
}

impl Measure {
    /// A measure with the median of its samples. Rounds that found nothing, and so no number, are left out.
    #[must_use]
    pub fn new(subject: &str, what: &str, unit: &str, mut samples: Vec<f64>) -> Self {
        samples.retain(|sample| !sample.is_nan());
        let value = median(&samples);
        Self { subject: subject.to_owned(), what: what.to_owned(), unit: unit.to_owned(), value, samples }
    }
}

impl Verdict {
    /// A value beside its limit. What is no number reaches nothing.
    #[must_use]
    pub fn new(figure: u8, what: &str, value: f64, limit: Limit, unit: &str) -> Self {
        let reached = match limit {
            Limit::AtMost(most) => value <= most,
            Limit::AtLeast(least) => value >= least,
        };
        Self { figure, what: what.to_owned(), limit, value, unit: unit.to_owned(), reached }
    }

    /// What is to be reached, what was measured, and whether that is enough: for a table.
    #[must_use]
    pub fn cells(&self) -> [String; 3] {
        let Self { limit, value, unit, reached, .. } = self;
        let to_reach = match limit {
            Limit::AtMost(most) => format!("≤ {} {unit}", plain(*most)),
            Limit::AtLeast(least) => format!("≥ {} {unit}", plain(*least)),
        };
        let reached = if *reached { "yes" } else { "**no**" };
        [to_reach, format!("{} {unit}", plain(*value)), reached.to_owned()]
    }
}

impl Outcome {
    /// An outcome of this program on this machine, without numbers yet.
    #[must_use]
    pub fn new(program: &str, settings: serde_json::Value) -> Self {
        Self {
            program: program.to_owned(),
            command: command_line(),
            began_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            machine: Machine::this(),
            commit: commit().unwrap_or_default(),
            optimised: !cfg!(debug_assertions),
            settings,
            measures: Vec::new(),
            verdicts: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// Adds a measure, and answers its median.
    pub fn measure(&mut self, subject: &str, what: &str, unit: &str, samples: Vec<f64>) -> f64 {
        let measure = Measure::new(subject, what, unit, samples);
        let value = measure.value;
        self.measures.push(measure);
        value
    }

    /// Adds a figure.
    pub fn verdict(&mut self, figure: u8, what: &str, value: f64, limit: Limit, unit: &str) {
        self.verdicts.push(Verdict::new(figure, what, value, limit, unit));
    }

    /// In Markdown: what was measured, and the verdicts below.
    #[must_use]
    pub fn table(&self) -> String {
        if self.verdicts.is_empty() { self.measured() } else { format!("{}\n\n{}", self.measured(), verdicts(&self.verdicts)) }
    }

    /// What was measured, in Markdown: a row for each quantity and a column for each subject, or the other way round where there are
    /// many subjects.
    #[must_use]
    pub fn measured(&self) -> String {
        let mut subjects: Vec<&str> = Vec::new();
        let mut quantities: Vec<(&str, &str)> = Vec::new();
        for Measure { subject, what, unit, .. } in &self.measures {
            if !subjects.contains(&&**subject) {
                subjects.push(subject);
            }
            if !quantities.contains(&(&**what, &**unit)) {
                quantities.push((what, unit));
            }
        }
        let name = |(what, unit): &(&str, &str)| if unit.is_empty() { (*what).to_owned() } else { format!("{what}, {unit}") };
        let value = |subject: &str, (what, unit): (&str, &str)| {
            let mut measures = self.measures.iter();
            let found = measures.find(|measure| (&*measure.subject, &*measure.what, &*measure.unit) == (subject, what, unit));
            found.map(|measure| plain(measure.value)).unwrap_or_default()
        };
        let first = || std::iter::once(self.program.clone());
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN);
        if subjects.len() > MAX_COLUMNS {
            table.set_header(first().chain(quantities.iter().map(name)));
            for subject in subjects {
                let values = quantities.iter().map(|quantity| value(subject, *quantity));
                table.add_row(std::iter::once(subject.to_owned()).chain(values));
            }
        } else {
            table.set_header(first().chain(subjects.iter().map(|subject| (*subject).to_owned())));
            for quantity in quantities {
                let values = subjects.iter().map(|subject| value(subject, quantity));
                table.add_row(std::iter::once(name(&quantity)).chain(values));
            }
        }
        right_align(&mut table);
        table.to_string()
    }

    /// Prints the table, and writes all of it as JSON where a file is given.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn show(&self, json: Option<&Path>) -> anyhow::Result<()> {
        use std::io::Write as _;
        writeln!(std::io::stdout(), "{}", self.table())?;
        let Some(file) = json else { return Ok(()) };
        let text = serde_json::to_string_pretty(self)?;
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Figures with their limits, in Markdown.
fn verdicts(verdicts: &[Verdict]) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(["figure", "what", "to reach", "measured", "reached"]);
    for verdict in verdicts {
        let [to_reach, measured, reached] = verdict.cells();
        table.add_row([verdict.figure.to_string(), verdict.what.clone(), to_reach, measured, reached]);
    }
    table.to_string()
}

impl Machine {
    fn this() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, model)| model.trim());
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpus,
            model: model.unwrap_or("not known").to_owned(),
            memory_gib: memory_kib.unwrap_or(0_u64) >> 20,
            kernel: kernel.trim().to_owned(),
        }
    }
}

/// JSON has no word for what is not a number but null.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// A number with as many digits as it deserves.
#[must_use]
pub fn plain(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 || value.fract().abs() < 1e-9 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

fn right_align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn command_line() -> String {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_columns_and_quantities_are_rows() {
        let mut outcome = Outcome::new("bench x", serde_json::Value::Null);
        let ours = outcome.measure("ours", "CPU per call", "µs", vec![12.0, 10.0, 11.0]);
        let bare = outcome.measure("bare", "CPU per call", "µs", vec![10.0]);
        outcome.measure("ours", "calls", "", vec![f64::NAN, 5_000.0]);
        outcome.verdict(1, "ours / bare", ours / bare, Limit::AtMost(1.15), "×");
        outcome.verdict(2, "nothing", f64::NAN, Limit::AtLeast(0.5), "×");
        let table = outcome.table();
        let cells = |line: &str| line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
        let lines = table.lines().map(cells).collect::<Vec<_>>();
        assert_eq!(lines[0], ["", "bench x", "ours", "bare", ""]);
        assert_eq!(lines[2], ["", "CPU per call, µs", "11", "10", ""]);
        assert_eq!(lines[3], ["", "calls", "5000", "", ""]);
        assert_eq!(lines[7], ["", "1", "ours / bare", "≤ 1.15 ×", "1.10 ×", "yes", ""]);
        assert_eq!(lines[8][5], "**no**");
        let again: Outcome = serde_json::from_str(&serde_json::to_string(&outcome).unwrap()).unwrap();
        assert_eq!(again.table(), table);
    }
}
