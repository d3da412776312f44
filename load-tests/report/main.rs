//! `utopia-report`: makes `report.md` and its plots from the JSON that the other programs wrote.
//!
//! What people found out about figures that were missed is in a file of its own (`findings.md`) and is put beside them.

mod figures;
mod findings;
mod markdown;
mod plot;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser;
use tokio_util::sync::CancellationToken;
use utopia_gateway::telemetry::{self, LogFormat};
use utopia_load_tests::outcome::Outcome;

/// Make one report of the results of one run
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// The directory with the results, one JSON file for each program
    #[arg(long, default_value = "load-tests/results", value_name = "DIR")]
    results: PathBuf,

    /// What was found out about figures that were missed
    #[arg(long, default_value = "load-tests/findings.md", value_name = "FILE")]
    findings: PathBuf,

    /// The report; its plots go into the directory `plots` beside it
    #[arg(long, default_value = "load-tests/report.md", value_name = "FILE")]
    report: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(LogFormat::Text, "warn");
    utopia_gateway::process::main(std::future::ready(write(&cli)), CancellationToken::new()).await
}

fn write(cli: &Cli) -> anyhow::Result<()> {
    let outcomes = outcomes(&cli.results)?;
    let findings = match fs::read_to_string(&cli.findings) {
        Ok(text) => findings::parse(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", cli.findings.display())),
    };
    let plots = cli.report.with_file_name("plots");
    fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    for plot in outcomes.iter().flat_map(|outcome| &outcome.plots) {
        let file = plots.join(&plot.name).with_extension("svg");
        fs::write(&file, plot::svg(plot)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let text = markdown::report(&outcomes, &findings);
    fs::write(&cli.report, text).with_context(|| format!("cannot write {}", cli.report.display()))
}

/// In the order of the files' names.
fn outcomes(directory: &Path) -> anyhow::Result<Vec<Outcome>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    ensure!(!files.is_empty(), "{} has no results", directory.display());
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no result", file.display()))
    };
    files.iter().map(read).collect()
}
