//! `aiinfra salt …`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::listing::listing;
use super::{Context, typed, word};
use crate::api::{Deployment, Minion, MinionList, MinionResult, SaltJob, StateResult};
use crate::args::{DeployState, NamedArgument, RunFunction, SaltCommand, Targeted};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Table, fields, printable, size_mb};

const SALT: [&str; 2] = ["api", "saltstack"];

/// How long the server waits for minions at most, and a little longer.
const RUN_TIMEOUT: Duration = Duration::from_secs(150);
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(630);

pub(super) async fn run(context: &Context, command: SaltCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        SaltCommand::Minions(minions) => match minions.name {
            Some(name) => output.show(client.get(&at(&["minions", &name]), &[]).await?, |minion: Minion| details(&minion)),
            None => {
                let filters = vec![("status", minions.status.map(word))];
                let answer = listing(&client, &at(&["minions"]), "minions", filters, &minions.page).await?;
                output.show(answer, |list: MinionList| {
                    output.note_page(&list.page, list.minions.len());
                    table(&list.minions)
                })
            }
        },
        SaltCommand::Run(function) => {
            let is_async = function.targeted.is_async;
            let answer = client.post_within(RUN_TIMEOUT, &at(&["execute"]), &call(function)).await?;
            show_job(output, answer, is_async)
        }
        SaltCommand::Deploy(state) => deploy(&client, output, state).await,
        SaltCommand::Job(job) => show_job(output, client.get(&at(&["jobs", &job.id]), &[]).await?, true),
    }
}

async fn deploy(client: &Client, output: Output, state: DeployState) -> anyhow::Result<()> {
    let is_async = state.targeted.is_async;
    let answer = client.post_within(DEPLOY_TIMEOUT, &at(&["deploy"]), &application(state)?).await?;
    let found: Deployment = serde_json::from_value(answer.clone())?;
    output.show(answer, |deployment: Deployment| parts(&deployment))?;
    if is_async {
        begun(output, &found.job_id);
        return Ok(());
    }
    answered(&found.job_id, found.complete, &found.missing)?;
    if !found.success {
        return Err(Failure::EndedBadly(format!("{} does not hold everywhere", printable(&found.state))).into());
    }
    Ok(())
}

/// A function that failed, or a minion that did not answer, is an error, for scripts; but not while a job may go on.
fn show_job(output: Output, answer: Value, may_go_on: bool) -> anyhow::Result<()> {
    let job: SaltJob = serde_json::from_value(answer.clone())?;
    output.show(answer, |job: SaltJob| job.results.iter().map(result).collect::<String>())?;
    if may_go_on && !job.complete {
        begun(output, &job.job_id);
        return Ok(());
    }
    answered(&job.job_id, job.complete, &job.missing)?;
    if !job.success {
        return Err(Failure::EndedBadly(format!("{} failed", printable(&job.function))).into());
    }
    Ok(())
}

fn begun(output: Output, job: &str) {
    output.note(&format!("the job goes on; see it with `aiinfra salt job {}`", printable(job)));
}

fn answered(job: &str, complete: bool, missing: &[String]) -> anyhow::Result<()> {
    if !complete {
        let missing = printable(&missing.join(", "));
        let advice = format!("see what still comes with `aiinfra salt job {}`", printable(job));
        return Err(Failure::TimedOut(format!("no answer from {missing}; {advice}")).into());
    }
    Ok(())
}

fn at<'a>(further: &[&'a str]) -> Vec<&'a str> {
    [&SALT[..], further].concat()
}

/// The body that runs a function.
fn call(run: RunFunction) -> Value {
    let args = run.args.into_iter().map(|argument| argument.0).collect::<Value>();
    let mut body = targeted(run.targeted);
    body.extend([("function".to_owned(), run.function.into()), ("args".to_owned(), args)]);
    body.insert("kwargs".to_owned(), named(run.kwargs).into());
    body.into()
}

/// The body that applies a state.
fn application(deploy: DeployState) -> anyhow::Result<Value> {
    let mut pillar = match &deploy.pillar_file {
        Some(file) => {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("{} is no JSON object", file.display()))?
        }
        None => Map::new(),
    };
    pillar.extend(named(deploy.pillar));
    let mut body = targeted(deploy.targeted);
    body.extend([("state".to_owned(), deploy.state.into()), ("test".to_owned(), deploy.test.into())]);
    body.insert("pillar".to_owned(), pillar.into());
    Ok(body.into())
}

fn targeted(targeted: Targeted) -> Map<String, Value> {
    let body = typed([
        ("target", Some(targeted.target.into())),
        ("target_type", Some(word(targeted.by).into())),
        ("async", Some(targeted.is_async.into())),
        ("timeout_seconds", targeted.timeout.map(|timeout| json!(timeout.0))),
    ]);
    body.as_object().cloned().unwrap_or_default()
}

fn named(arguments: Vec<NamedArgument>) -> Map<String, Value> {
    arguments.into_iter().map(|argument| (argument.name, argument.value)).collect()
}

fn table(minions: &[Minion]) -> String {
    let mut table = Table::new(["MINION", "STATUS", "OS", "CPUS", "MEMORY", "ADDRESSES", "SALT"]);
    for minion in minions {
        let known = minion.cpus > 0;
        table.row([
            minion.id.clone(),
            minion.status.clone(),
            format!("{} {}", minion.os, minion.os_release).trim().to_owned(),
            if known { minion.cpus.to_string() } else { String::new() },
            if known { size_mb(minion.memory_mb) } else { String::new() },
            minion.ip_addresses.join(", "),
            minion.salt_version.clone(),
        ]);
    }
    table.render()
}

fn details(minion: &Minion) -> String {
    let known = minion.cpus > 0;
    let mut text = fields([
        ("Minion", minion.id.clone()),
        ("Status", minion.status.clone()),
        ("OS", format!("{} {}", minion.os, minion.os_release).trim().to_owned()),
        ("CPUs", if known { minion.cpus.to_string() } else { String::new() }),
        ("Memory", if known { size_mb(minion.memory_mb) } else { String::new() }),
        ("Addresses", minion.ip_addresses.join(", ")),
        ("Salt", minion.salt_version.clone()),
    ]);
    if !minion.grains.is_empty() {
        let mut grains = Table::new(["GRAIN", "VALUE"]);
        for (name, value) in &minion.grains {
            grains.row([name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]);
        }
        text.push('\n');
        text.push_str(&grains.render());
    }
    text
}

/// A minion, and below it what it returned: text as it is, anything else as JSON.
fn result(result: &MinionResult) -> String {
    let became = if result.success { "ok".to_owned() } else { format!("failed with {}", result.return_code) };
    let returned = match &result.result {
        Value::String(text) => text.clone(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => format!("{other:#}"),
    };
    let lines = returned.lines().map(|line| format!("    {}\n", printable(line)));
    format!("{}: {became}\n{}", printable(&result.minion), lines.collect::<String>())
}

fn parts(deployment: &Deployment) -> String {
    let mut table = Table::new(["MINION", "STATE", "FUNCTION", "RESULT", "TIME", "COMMENT"]);
    for result in &deployment.results {
        for error in &result.errors {
            let nothing = String::new;
            table.row([result.minion.clone(), nothing(), nothing(), "failed".to_owned(), nothing(), error.clone()]);
        }
        for part in &result.states {
            let time = format!("{:.0} ms", part.duration_ms);
            let (id, function) = (part.id.clone(), part.function.clone());
            table.row([result.minion.clone(), id, function, outcome(part).to_owned(), time, part.comment.clone()]);
        }
    }
    table.render()
}

fn outcome(part: &StateResult) -> &'static str {
    match (part.success, part.changed) {
        (false, _) => "failed",
        (true, true) => "changed",
        (true, false) => "ok",
    }
}
