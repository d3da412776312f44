//! `aiinfra nodes …`.

mod containers;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::listing::listing;
use super::{Context, join_token, word};
use crate::api::{Node, NodeGpu, NodeHealth, NodeList, NodeMetrics};
use crate::args::NodesCommand;
use crate::output::{Table, age, ago, fields, labels, short, size_mb};

pub(super) async fn run(context: &Context, command: NodesCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        NodesCommand::List(list) => {
            let filters = vec![("status", list.status.map(word))];
            let answer = listing(&client, &["api", "nodes"], "nodes", filters, &list.page).await?;
            output.show(answer, |list: NodeList| {
                output.note_page(&list.page, list.nodes.len());
                table(&list.nodes, Timestamp::now())
            })
        }
        NodesCommand::Get(node) => {
            let answer = client.get(&["api", "nodes", &node.id], &[]).await?;
            output.show(answer, |node: Node| details(&node, Timestamp::now()))
        }
        NodesCommand::Status(node) => {
            let answer = client.get(&["api", "nodes", &node.id, "status"], &[]).await?;
            output.show(answer, |metrics: NodeMetrics| readings(&metrics))
        }
        NodesCommand::Health(node) => {
            let answer = client.get(&["api", "nodes", &node.id, "health"], &[]).await?;
            output.show(answer, |health: NodeHealth| {
                fields([("Status", health.status), ("Asked", ago(health.timestamp, Timestamp::now()))])
            })
        }
        NodesCommand::Containers(command) => containers::run(&client, output, command).await,
        NodesCommand::Approve(node) => {
            let answer = client.post(&["api", "nodes", &node.id, "approve"], &json!({})).await?;
            join_token::show_command(output, answer)
        }
        NodesCommand::Delete(delete) => {
            let id = delete.node.id;
            client.delete(&["api", "nodes", &id], &[("force", delete.force.to_string())]).await?;
            Ok(output.done(&format!("node {id} is deleted"))?)
        }
    }
}

fn table(nodes: &[Node], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "HOSTNAME", "STATUS", "GPUS", "FREE", "GPU", "CPUS", "MEMORY", "SEEN", "AGE"]);
    for node in nodes {
        let free = node.gpus.iter().filter(|gpu| is_free(gpu)).count();
        table.row([
            node.id.clone(),
            node.hostname.clone(),
            node.status.clone(),
            node.gpus.len().to_string(),
            free.to_string(),
            models(&node.gpus),
            node.cpu_count.to_string(),
            size_mb(node.memory_mb),
            age(node.last_seen_at, now),
            age(node.created_at, now),
        ]);
    }
    table.render()
}

fn details(node: &Node, now: Timestamp) -> String {
    let mut text = fields([
        ("ID", node.id.clone()),
        ("Host name", node.hostname.clone()),
        ("Status", node.status.clone()),
        ("Seen", ago(node.last_seen_at, now)),
        ("Joined", ago(node.created_at, now)),
        ("CPUs", node.cpu_count.to_string()),
        ("Memory", size_mb(node.memory_mb)),
        ("System", node.os.clone()),
        ("Kernel", node.kernel.clone()),
        ("Runtime", node.runtime.clone()),
        ("Agent", node.agent_version.clone()),
        ("Labels", labels(&node.labels)),
    ]);
    if !node.gpus.is_empty() {
        text.push('\n');
        text.push_str(&gpu_table(&node.gpus));
    }
    text
}

fn gpu_table(gpus: &[NodeGpu]) -> String {
    let mut table = Table::new(["GPU", "UUID", "NAME", "MEMORY", "CLAIM", "UNAVAILABLE"]);
    for gpu in gpus {
        table.row([
            gpu.index.to_string(),
            gpu.uuid.clone(),
            gpu.name.clone(),
            size_mb(gpu.memory_mb),
            gpu.claim_id.clone(),
            gpu.unavailable.clone(),
        ]);
    }
    table.render()
}

fn readings(metrics: &NodeMetrics) -> String {
    let system = &metrics.system;
    let used = |used: i64, total: i64| format!("{} of {}", size_mb(used), size_mb(total));
    let mut text = fields([
        ("CPU", format!("{:.0} %", system.cpu_usage_percent)),
        ("Load", format!("{:.2}", system.load_average)),
        ("Memory", format!("{:.0} % ({})", system.memory_usage_percent, used(system.memory_used_mb, system.memory_total_mb))),
        ("Disk", format!("{:.0} %", system.disk_usage_percent)),
        ("Up for", short(SignedDuration::from_secs(system.uptime))),
    ]);
    if !metrics.gpus.is_empty() {
        let mut table = Table::new(["GPU", "NAME", "USE", "MEMORY", "TEMPERATURE", "BUSY", "ERROR"]);
        for gpu in &metrics.gpus {
            table.row([
                gpu.id.to_string(),
                gpu.name.clone(),
                format!("{:.0} %", gpu.usage_percent),
                used(gpu.memory_used_mb, gpu.memory_total_mb),
                format!("{} °C", gpu.temperature_c),
                if gpu.busy { "yes" } else { "no" }.to_owned(),
                gpu.error.clone(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}

fn is_free(gpu: &NodeGpu) -> bool {
    gpu.claim_id.is_empty() && gpu.unavailable.is_empty()
}

/// The models of a machine, each once.
fn models(gpus: &[NodeGpu]) -> String {
    let mut names = gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
