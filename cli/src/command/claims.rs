//! `aiinfra claims …`.

mod follow;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::follow::{Followed, follow};
use super::listing::listing;
use super::{Context, container, logs, word};
use crate::api::{Claim, ClaimList, ClaimStatus, Explanation, Phase};
use crate::args::{ClaimLogs, ClaimsCommand, ContainerArgs, CreateClaim, Seconds, WaitForClaim};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Table, age, ago, fields, printable};

pub(super) async fn run(context: &Context, command: ClaimsCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        ClaimsCommand::Create(claim) => create(&client, output, *claim).await,
        ClaimsCommand::List(list) => {
            let filters = vec![("phase", list.phase.map(word))];
            let answer = listing(&client, &["api", "gpu-claims"], "claims", filters, &list.page).await?;
            output.show(answer, |list: ClaimList| {
                output.note_page(&list.page, list.claims.len());
                table(&list.claims, Timestamp::now())
            })
        }
        ClaimsCommand::Get(claim) => {
            let answer = client.get(&["api", "gpu-claims", &claim.id], &[]).await?;
            output.show(answer, |claim: Claim| details(&claim, Timestamp::now()))
        }
        ClaimsCommand::Explain(claim) => {
            let answer = client.get(&["api", "gpu-claims", &claim.id, "explain"], &[]).await?;
            output.show(answer, |explanation: Explanation| explained(&explanation))
        }
        ClaimsCommand::Watch(claim) => watch(&client, output, &claim.id).await,
        ClaimsCommand::Wait(wait) => await_phase(&client, output, wait).await,
        ClaimsCommand::Logs(ClaimLogs { claim, logs }) => {
            logs::run(&client, output, &["api", "gpu-claims", &claim.id, "logs"], &logs).await
        }
        ClaimsCommand::Delete(claim) => {
            client.delete(&["api", "gpu-claims", &claim.id], &[]).await?;
            Ok(output.done(&format!("claim {} is deleted", claim.id))?)
        }
    }
}

async fn create(client: &Client, output: Output, claim: CreateClaim) -> anyhow::Result<()> {
    let (wait, timeout) = (claim.wait, claim.timeout);
    let answer = client.post(&["api", "gpu-claims"], &request(claim)).await?;
    if !wait {
        return output.show(answer, |claim: Claim| format!("claim {} is accepted\n", claim.id));
    }
    let accepted: Claim = serde_json::from_value(answer)?;
    output.note(&format!("claim {} is accepted", accepted.id));
    await_outcome(client, output, &accepted.id, timeout).await
}

/// Waits until the claim runs or has ended.
async fn await_outcome(client: &Client, output: Output, id: &str, timeout: Option<Seconds>) -> anyhow::Result<()> {
    let claim = wait_until(client, output, id, timeout, Phase::is_running).await?;
    if claim.status.phase.has_failed() {
        return Err(Failure::EndedBadly(format!("claim {id} failed: {}", printable(&claim.status.message))).into());
    }
    Ok(())
}

async fn await_phase(client: &Client, output: Output, wait: WaitForClaim) -> anyhow::Result<()> {
    let WaitForClaim { claim, phase, timeout } = wait;
    let awaited = word(phase);
    let is_there = |phase: &Phase| phase.0.eq_ignore_ascii_case(&awaited);
    let claim = wait_until(client, output, &claim.id, timeout, is_there).await?;
    if !is_there(&claim.status.phase) {
        let became = progress(&claim.status);
        return Err(Failure::EndedBadly(format!("claim {} will not be {awaited} any more: {became}", claim.id)).into());
    }
    Ok(())
}

/// Waits until a claim stands so or has ended. Its changes are said beside the result, which is the claim as it is then.
async fn wait_until(
    client: &Client,
    output: Output,
    id: &str,
    timeout: Option<Seconds>,
    is_there: impl Fn(&Phase) -> bool,
) -> anyhow::Result<Box<Claim>> {
    let shown = output.progress();
    let following = follow(client, id, |_, claim| {
        shown.say_share(&progress(&claim.status), pulled(&claim.status.message));
        Ok(is_there(&claim.status.phase) || claim.status.phase.has_ended())
    });
    let followed = match timeout {
        None => following.await?,
        Some(Seconds(seconds)) => match tokio::time::timeout(Duration::from_secs(seconds.into()), following).await {
            Ok(followed) => followed?,
            Err(_) => {
                let advice = format!("it stays, see `aiinfra claims explain {id}`");
                return Err(Failure::TimedOut(format!("claim {id} did not come so far within {seconds} s; {advice}")).into());
            }
        },
    };
    drop(shown);
    match followed {
        Followed::Until(message, claim) => {
            output.show(message, |claim: Claim| details(&claim, Timestamp::now()))?;
            Ok(claim)
        }
        Followed::Deleted => Err(Failure::EndedBadly(format!("claim {id} was deleted")).into()),
    }
}

async fn watch(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let followed = follow(client, id, |message, claim| {
        output.show_line(message, || format!("{}\n", progress(&claim.status)))?;
        Ok(claim.status.phase.has_ended())
    });
    match followed.await? {
        Followed::Until(..) => Ok(()),
        Followed::Deleted => Ok(output.done(&format!("claim {id} was deleted"))?),
    }
}

/// The body of the request. What was not typed is left to the server.
fn request(claim: CreateClaim) -> Value {
    let ContainerArgs { image, memory_mb, cpus, env, port, volume, workdir, command } = claim.container;
    let mut resources = Map::from_iter([("gpuCount".to_owned(), json!(claim.gpus))]);
    let limits = [
        ("gpuModel", claim.gpu_model.map(Value::from)),
        ("gpuMemoryMb", claim.gpu_memory_mb.map(Value::from)),
        ("memoryMb", memory_mb.map(Value::from)),
        ("cpus", cpus.map(Value::from)),
    ];
    resources.extend(limits.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));

    let mut spec = json!({
        "image": image,
        "resources": resources,
        "command": command,
        "env": container::variables(env),
        "ports": container::ports(port),
        "volumes": container::volumes(volume),
    });
    if let Some(directory) = workdir {
        spec["workingDir"] = directory.into();
    }
    if let Some(policy) = claim.on_node_loss {
        spec["onNodeLoss"] = word(policy).into();
    }
    if let Some(Seconds(seconds)) = claim.reschedule_after {
        spec["rescheduleAfterSeconds"] = seconds.into();
    }
    let mut body = json!({"spec": spec});
    if let Some(key) = claim.request_id {
        body["request_id"] = key.into();
    }
    body
}

fn table(claims: &[Claim], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "PHASE", "REASON", "GPUS", "NODE", "IMAGE", "USER", "AGE"]);
    for claim in claims {
        table.row([
            claim.id.clone(),
            claim.status.phase.0.clone(),
            claim.status.reason.clone(),
            claim.spec.resources.gpu_count.to_string(),
            claim.status.node_name.clone(),
            claim.spec.image.clone(),
            claim.user_id.to_string(),
            age(claim.created_at, now),
        ]);
    }
    table.render()
}

fn details(claim: &Claim, now: Timestamp) -> String {
    let (spec, status) = (&claim.spec, &claim.status);
    fields([
        ("ID", claim.id.clone()),
        ("Phase", status.phase.0.clone()),
        ("Reason", status.reason.clone()),
        ("Message", status.message.clone()),
        ("Node", status.node_name.clone()),
        ("Container", status.container_id.clone()),
        ("GPUs", status.gpu_uuids.join(", ")),
        ("Image", spec.image.clone()),
        ("Command", spec.command.join(" ")),
        ("Asks for", wanted(claim)),
        ("On node loss", spec.on_node_loss.clone()),
        ("User", claim.user_id.to_string()),
        ("Accepted", ago(claim.created_at, now)),
        ("Changed", ago(claim.updated_at, now)),
    ])
}

fn wanted(claim: &Claim) -> String {
    let resources = &claim.spec.resources;
    let mut text = match resources.gpu_count {
        0 => return "no GPU".to_owned(),
        1 => "1 GPU".to_owned(),
        count => format!("{count} GPUs"),
    };
    if !resources.gpu_model.is_empty() {
        text.push_str(&format!(" of model {}", resources.gpu_model));
    }
    if resources.gpu_memory_mb > 0 {
        text.push_str(&format!(" with at least {} MiB each", resources.gpu_memory_mb));
    }
    text
}

/// One line about where a claim stands.
fn progress(status: &ClaimStatus) -> String {
    let mut text = status.phase.0.clone();
    if !status.node_name.is_empty() {
        text.push_str(&format!(" on {}", status.node_name));
    }
    let details = [&status.reason, &status.message];
    for detail in details.into_iter().filter(|detail| !detail.is_empty()) {
        text.push_str(": ");
        text.push_str(detail);
    }
    printable(&text)
}

/// How much of its image has been pulled, from `Pulling image: 12.3 of 65.0 MB`; none while it is not known.
fn pulled(message: &str) -> Option<f64> {
    let (done, total) = message.strip_prefix("Pulling image: ")?.strip_suffix(" MB")?.split_once(" of ")?;
    let (done, total) = (done.parse::<f64>().ok()?, total.parse::<f64>().ok()?);
    (total > 0.0).then(|| done / total)
}

fn explained(explanation: &Explanation) -> String {
    let mut text = fields([
        ("Phase", explanation.phase.0.clone()),
        ("In the queue", if explanation.queue_position > 0 { explanation.queue_position.to_string() } else { String::new() }),
        ("Summary", explanation.summary.clone()),
    ]);
    let yes_no = |yes| if yes { "yes" } else { "no" }.to_owned();
    let mut nodes = Table::new(["NODE", "FITS", "REASON", "MESSAGE"]);
    let mut gpus = Table::new(["NODE", "GPU", "UUID", "FITS", "REASON"]);
    for node in &explanation.nodes {
        nodes.row([node.node_name.clone(), yes_no(node.fits), node.reason.clone(), node.message.clone()]);
        for gpu in &node.gpus {
            gpus.row([node.node_name.clone(), gpu.index.to_string(), gpu.uuid.clone(), yes_no(gpu.fits), gpu.reason.clone()]);
        }
    }
    if !explanation.nodes.is_empty() {
        text.push('\n');
        text.push_str(&nodes.render());
    }
    if explanation.nodes.iter().any(|node| !node.gpus.is_empty()) {
        text.push('\n');
        text.push_str(&gpus.render());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_pull_is_read() {
        assert_eq!(pulled("Pulling image: 16.0 of 64.0 MB"), Some(0.25));
        for unknown in ["Pulling image", "Pulling image: 0.0 of 0.0 MB", "", "the image cannot be pulled"] {
            assert_eq!(pulled(unknown), None, "{unknown}");
        }
    }
}
