//! `aiinfra nodes containers …`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{container, logs};
use crate::api::Container;
use crate::args::{ContainerArgs, ContainerLogs, ContainersCommand, CreateContainer, OneContainer};
use crate::client::Client;
use crate::output::{Output, Table, age, fields};

/// A container may have to be pulled, which the server waits for.
const START_TIMEOUT: Duration = Duration::from_secs(680);

pub(super) async fn run(client: &Client, output: Output, command: ContainersCommand) -> anyhow::Result<()> {
    match command {
        ContainersCommand::List { node } => {
            let answer = client.get(&at(&node), &[]).await?;
            output.show(answer, |containers: Vec<Container>| table(&containers, Timestamp::now()))
        }
        ContainersCommand::Get(OneContainer { node, container }) => {
            let answer = client.get(&[&at(&node)[..], &[&container]].concat(), &[]).await?;
            output.show(answer, |container: Container| details(&container))
        }
        ContainersCommand::Create(container) => {
            let node = container.node.clone();
            let answer = client.post_within(START_TIMEOUT, &at(&node), &request(*container)).await?;
            output
                .show(answer, |answer: Value| format!("container {} runs\n", answer["container_id"].as_str().unwrap_or_default()))
        }
        ContainersCommand::Logs(ContainerLogs { container: OneContainer { node, container }, logs }) => {
            logs::run(client, output, &[&at(&node)[..], &[&container, "logs"]].concat(), &logs).await
        }
        ContainersCommand::Delete(OneContainer { node, container }) => {
            client.delete(&[&at(&node)[..], &[&container]].concat(), &[]).await?;
            Ok(output.done(&format!("container {container} is deleted"))?)
        }
    }
}

fn at(node: &str) -> [&str; 4] {
    ["api", "nodes", node, "containers"]
}

/// The body of the request. What was not typed is left to the agent.
fn request(CreateContainer { claim_id, gpus, container, .. }: CreateContainer) -> Value {
    let ContainerArgs { image, memory_mb, cpus, env, port, volume, workdir, command } = container;
    let mut body = json!({
        "claim_id": claim_id,
        "image": image,
        "gpu_count": gpus,
        "port_mappings": container::ports(port),
        "env_vars": container::variables(env),
        "command": command,
        "volumes": container::volumes(volume),
    });
    let limits = [
        ("working_dir", workdir.map(Value::from)),
        ("memory_limit_mb", memory_mb.map(Value::from)),
        ("cpu_limit", cpus.map(Value::from)),
    ];
    for (key, value) in limits {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    body
}

fn table(containers: &[Container], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "CLAIM", "STATUS", "IMAGE", "GPUS", "AGE"]);
    for container in containers {
        table.row([
            container.id.clone(),
            container.claim_id.clone(),
            container.status.clone(),
            container.image.clone(),
            container.gpu_ids.len().to_string(),
            age(Timestamp::from_second(container.created).ok().filter(|_| container.created > 0), now),
        ]);
    }
    table.render()
}

fn details(container: &Container) -> String {
    let at = |seconds| Timestamp::from_second(seconds).ok().filter(|_| seconds > 0).map(|at| at.to_string()).unwrap_or_default();
    let gpus = container.gpu_ids.iter().map(ToString::to_string);
    let ports = container.ports.iter().map(|(port, host)| format!("{host}:{port}"));
    fields([
        ("ID", container.id.clone()),
        ("Claim", container.claim_id.clone()),
        ("Status", container.status.clone()),
        ("Image", container.image.clone()),
        ("GPUs", gpus.collect::<Vec<_>>().join(", ")),
        ("Ports", ports.collect::<Vec<_>>().join(", ")),
        ("Created", at(container.created)),
        ("Started", at(container.started)),
    ])
}
