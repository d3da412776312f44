//! `aiinfra slurm …`.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::listing::listing;
use super::{Context, typed, word};
use crate::api::{Cluster, ClusterList, Job, JobList, SlurmGpus, SlurmNode, SlurmNodeList};
use crate::args::{InCluster, JobsCommand, OneJob, SlurmCommand, SubmitJob};
use crate::client::Client;
use crate::output::{Output, Table, age, ago, fields};

const SLURM: [&str; 2] = ["api", "slurm"];

pub(super) async fn run(context: &Context, command: SlurmCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        SlurmCommand::Clusters => {
            let answer = client.get(&at(&["clusters"]), &[]).await?;
            output.show(answer, |list: ClusterList| clusters(&list.clusters))
        }
        SlurmCommand::Nodes(cluster) => {
            let answer = client.get(&at(&["nodes"]), &query(cluster)).await?;
            output.show(answer, |list: SlurmNodeList| nodes(&list.nodes))
        }
        SlurmCommand::Jobs(command) => jobs(&client, output, command).await,
    }
}

async fn jobs(client: &Client, output: Output, command: JobsCommand) -> anyhow::Result<()> {
    match command {
        JobsCommand::List(list) => {
            let filters = vec![
                ("state", list.state.map(word)),
                ("user", list.user),
                ("partition", list.partition),
                ("cluster", list.cluster.cluster),
            ];
            let answer = listing(client, &at(&["jobs"]), "jobs", filters, &list.page).await?;
            output.show(answer, |list: JobList| {
                output.note_page(&list.page, list.jobs.len());
                table(&list.jobs, Timestamp::now())
            })
        }
        JobsCommand::Submit(job) => {
            let answer = client.post(&at(&["jobs"]), &submission(*job)?).await?;
            output.show(answer, |job: Job| {
                format!("job {} is {} on {}; see it with `aiinfra slurm jobs get {0}`\n", job.job_id, job.status, job.cluster)
            })
        }
        JobsCommand::Get(OneJob { id, cluster }) => {
            let answer = client.get(&at(&["jobs", &id.to_string()]), &query(cluster)).await?;
            output.show(answer, |job: Job| details(&job, Timestamp::now()))
        }
        JobsCommand::Cancel(OneJob { id, cluster }) => {
            let answer = client.delete(&at(&["jobs", &id.to_string()]), &query(cluster)).await?;
            output.show(answer, |job: Job| format!("job {} is {}\n", job.job_id, ending(&job)))
        }
    }
}

fn at<'a>(further: &[&'a str]) -> Vec<&'a str> {
    [&SLURM[..], further].concat()
}

fn query(cluster: InCluster) -> Vec<(&'static str, String)> {
    cluster.cluster.map(|name| ("cluster", name)).into_iter().collect()
}

/// The body of a submission. What was not typed is left to the server.
fn submission(job: SubmitJob) -> anyhow::Result<Value> {
    let environment = job.env.iter().filter_map(|variable| variable.0.split_once('='));
    let environment = environment.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>();
    Ok(typed([
        ("script", Some(script(&job.script)?.into())),
        ("job_name", job.name.map(Into::into)),
        ("partition", job.partition.map(Into::into)),
        ("nodes", job.nodes.map(Into::into)),
        ("ntasks", job.ntasks.map(Into::into)),
        ("cpus_per_task", job.cpus_per_task.map(Into::into)),
        ("memory_per_node_mb", job.memory_per_node.map(Into::into)),
        ("gpus_per_node", job.gpus_per_node.map(Into::into)),
        ("gpu_type", job.gpu_type.map(Into::into)),
        ("time_limit_minutes", job.time_limit.map(Into::into)),
        ("working_directory", job.chdir.map(Into::into)),
        ("standard_output", job.stdout.map(Into::into)),
        ("standard_error", job.stderr.map(Into::into)),
        ("account", job.account.map(Into::into)),
        ("environment", (!environment.is_empty()).then(|| environment.into())),
        ("cluster", job.cluster.cluster.map(Into::into)),
    ]))
}

fn script(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut script = String::new();
        io::stdin().read_to_string(&mut script).context("cannot read the script from standard input")?;
        return Ok(script);
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn clusters(clusters: &[Cluster]) -> String {
    let mut table = Table::new(["CLUSTER", "STATUS", "NODES", "CPUS", "MEMORY", "GPUS", "SLURM", "API", "MESSAGE"]);
    for cluster in clusters {
        table.row([
            cluster.name.clone(),
            cluster.status.clone(),
            cluster.nodes.to_string(),
            cluster.total_cpus.to_string(),
            cluster.total_memory.clone(),
            cluster.total_gpus.to_string(),
            cluster.slurm_version.clone(),
            cluster.api_version.clone(),
            cluster.message.clone(),
        ]);
    }
    table.render()
}

fn nodes(nodes: &[SlurmNode]) -> String {
    let mut table = Table::new(["NODE", "STATE", "CPUS", "MEMORY", "GPUS", "JOBS", "REASON"]);
    for node in nodes {
        table.row([
            node.name.clone(),
            node.state.clone(),
            format!("{} of {}", node.allocated_cpus, node.cpus),
            node.memory.clone(),
            node.gpus.iter().map(gpus).collect::<Vec<_>>().join(", "),
            node.jobs.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
            node.reason.clone(),
        ]);
    }
    table.render()
}

/// Some GPUs of one type, e.g. `2 of 4 h100`.
fn gpus(gpus: &SlurmGpus) -> String {
    format!("{} of {} {}", gpus.used, gpus.count, gpus.kind).trim_end().to_owned()
}

fn table(jobs: &[Job], now: Timestamp) -> String {
    let mut table = Table::new(["JOB", "NAME", "USER", "STATUS", "PARTITION", "NODES", "GPUS", "ELAPSED", "AGE", "REASON"]);
    for job in jobs {
        table.row([
            job.job_id.to_string(),
            job.job_name.clone(),
            job.user.clone(),
            job.status.clone(),
            job.partition.clone(),
            job.nodes.join(","),
            if job.gpus > 0 { job.gpus.to_string() } else { String::new() },
            job.elapsed_time.clone(),
            age(job.submit_time, now),
            job.reason.clone(),
        ]);
    }
    table.render()
}

fn details(job: &Job, now: Timestamp) -> String {
    let number = |number: i64| if number > 0 { number.to_string() } else { String::new() };
    fields([
        ("Job", job.job_id.to_string()),
        ("Cluster", job.cluster.clone()),
        ("Name", job.job_name.clone()),
        ("User", job.user.clone()),
        ("Status", ending(job)),
        ("Slurm's state", job.slurm_state.clone()),
        ("Reason", job.reason.clone()),
        ("Partition", job.partition.clone()),
        ("Nodes", job.nodes.join(", ")),
        ("CPUs", number(job.cpus)),
        ("GPUs", number(job.gpus)),
        ("Time limit", if job.time_limit_minutes > 0 { format!("{} min", job.time_limit_minutes) } else { String::new() }),
        ("Submitted", ago(job.submit_time, now)),
        ("Started", ago(job.start_time, now)),
        ("Ended", ago(job.end_time, now)),
        ("Elapsed", job.elapsed_time.clone()),
    ])
}

/// How a job stands, and with what code it failed.
fn ending(job: &Job) -> String {
    if job.exit_code == 0 { job.status.clone() } else { format!("{} with {}", job.status, job.exit_code) }
}
