//! Figure 10: how many claims a second become durable, beside what the database itself can do with the same rows.
//!
//! Each round has an empty database. The control plane is asked by one writer and then by many, and ends as by `kill -9`: what it had
//! acknowledged has to be there. Then one writer of our own puts copies of the same rows, a claim and its audit event, into the same
//! tables through the same driver: one pair in each transaction, and 64 in statements of 64 rows.

mod database;
mod raw;
mod writer;

use std::time::Instant;

use anyhow::ensure;
use clap::{Args, value_parser};
use serde::Serialize;
use serde_json::json;
use utopia_load_tests::{
    control_plane::ControlPlane,
    outcome::{Limit, Outcome},
    usage::Usage,
};

use self::{database::Database, raw::Raw};
use crate::Rounds;

/// Of the claims, so many are made where each has a commit of its own.
const SINGLE_SHARE: u32 = 10;

/// How many claims, by whom, and where.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    /// Claims of a turn; a tenth of them where each is a commit
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u32).range(100..=100_000))]
    claims: u32,

    /// Writers at the same time
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_024))]
    writers: u32,

    /// Measure PostgreSQL too: a server where databases can be made
    #[arg(long, value_name = "URL", env = "UTOPIA_TEST_POSTGRES_URL", hide_env_values = true)]
    #[serde(skip)]
    postgres_url: Option<String>,
}

/// What a round found on one database, in claims a second.
#[derive(Debug, Clone, Copy)]
struct Rates {
    one_writer: f64,
    many_writers: f64,
    raw_single: f64,
    raw_batched: f64,
    /// The control plane's own, with many writers.
    cpu_us: f64,
}

/// Measures every database in every round.
pub(crate) async fn run(options: &Options, rounds: Rounds) -> anyhow::Result<Outcome> {
    sqlx::any::install_default_drivers();
    let mut outcome = Outcome::new("bench claims", json!({"options": options, "rounds": rounds}));
    let mut sqlite = Vec::new();
    let mut postgres = Vec::new();
    for _ in 0..rounds.rounds {
        sqlite.push(round(options, Database::sqlite()).await?);
        if let Some(server) = &options.postgres_url {
            postgres.push(round(options, Database::postgres(server).await?).await?);
        }
    }
    report(&mut outcome, "SQLite", options.writers, &sqlite);
    if !postgres.is_empty() {
        report(&mut outcome, "PostgreSQL", options.writers, &postgres);
    }
    Ok(outcome)
}

fn report(outcome: &mut Outcome, database: &str, writers: u32, rounds: &[Rates]) {
    let of = |rate: fn(&Rates) -> f64| rounds.iter().map(rate).collect::<Vec<_>>();
    let unit = "claims/s";
    outcome.measure(database, "control plane, 1 writer", unit, of(|round| round.one_writer));
    let many = format!("control plane, {writers} writers");
    let many_writers = outcome.measure(database, &many, unit, of(|round| round.many_writers));
    let single = outcome.measure(database, "database alone, one commit each", unit, of(|round| round.raw_single));
    let batched = outcome.measure(database, "database alone, batches of 64", unit, of(|round| round.raw_batched));
    outcome.measure(database, &format!("server CPU per claim, {writers} writers"), "µs", of(|round| round.cpu_us));
    let what = format!("{database}: {many} / database alone, batches of 64");
    outcome.verdict(10, &what, many_writers / batched, Limit::AtLeast(0.5), "×");
    if database == "SQLite" {
        let what = format!("{database}: {many} / database alone, one commit each");
        outcome.verdict(10, &what, many_writers / single, Limit::AtLeast(20.0), "×");
    }
}

async fn round(options: &Options, database: Database) -> anyhow::Result<Rates> {
    let single_claims = options.claims / SINGLE_SHARE;
    let mut server = ControlPlane::start(&database.arguments()).await?;
    let token = server.api().await?.token().to_owned();
    let one_writer = writer::rate(server.http, &token, 1, single_claims).await?;
    let before = Usage::of(server.pid()?)?.cpu;
    let many_writers = writer::rate(server.http, &token, options.writers, options.claims).await?;
    let cpu = Usage::of(server.pid()?)?.cpu - before;
    server.kill().await?;

    let mut raw = Raw::open(&database.url(&server)).await?;
    let (kept, acknowledged) = (raw.claims().await?, i64::from(single_claims + options.claims));
    ensure!(kept == acknowledged, "{acknowledged} claims were acknowledged before kill -9, and {kept} are there");
    let raw_single = raw_rate(&mut raw, 1, single_claims).await?;
    let raw_batched = raw_rate(&mut raw, raw::BATCH, options.claims).await?;
    raw.close().await?;
    database.remove().await?;
    let cpu_us = cpu.as_secs_f64() * 1e6 / f64::from(options.claims);
    Ok(Rates { one_writer, many_writers, raw_single, raw_batched, cpu_us })
}

async fn raw_rate(raw: &mut Raw, batch: u32, claims: u32) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut left = claims;
    while left > 0 {
        let rows = batch.min(left);
        raw.write(rows).await?;
        left -= rows;
    }
    Ok(f64::from(claims) / begun.elapsed().as_secs_f64())
}
