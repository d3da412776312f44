//! `aiinfra hosts …`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing::{id_of, listing};
use super::{Context, labels, typed, word};
use crate::api::{Host, HostGpu, HostGpuList, HostList, HostToken, Maintenance};
use crate::args::{CreateHost, HostsCommand, MaintenanceCommand, Named, UpdateHost};
use crate::client::{Client, Error};
use crate::output::{self, Output, Table, age, ago, fields, part_bytes, printable, size_bytes};

const HOSTS: [&str; 3] = ["api", "v1", "hosts"];

/// How often a host is asked whether its claims are gone.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context, command: HostsCommand) -> anyhow::Result<()> {
    let hosts = Hosts { client: context.client()?, output: context.output };
    match command {
        HostsCommand::List(list) => {
            let filters = vec![("status", list.status.map(word)), ("os_type", list.os_type.map(word)), ("labels", list.labels)];
            let answer = listing(&hosts.client, &HOSTS, "items", filters, &list.page).await?;
            hosts.output.show(answer, |list: HostList| {
                hosts.output.note_page(&list.pagination, list.items.len());
                table(&list.items, Timestamp::now())
            })
        }
        HostsCommand::Get(host) => hosts.get(host).await,
        HostsCommand::Create(host) => {
            let answer = hosts.client.post(&HOSTS, &new(host)).await?;
            hosts.show_token(answer)
        }
        HostsCommand::Update(update) => hosts.update(update).await,
        HostsCommand::Delete(delete) => {
            let id = hosts.find(&delete.host).await?;
            hosts.client.delete(&at(&id, &[]), &[("force", delete.force.to_string())]).await?;
            Ok(hosts.output.done(&format!("host {} is deleted", delete.host.name))?)
        }
        HostsCommand::Gpus(host) => {
            let id = hosts.find(&host).await?;
            let answer = hosts.client.get(&at(&id, &["gpus"]), &[]).await?;
            hosts.output.show(answer, |list: HostGpuList| gpu_table(&list.items))
        }
        HostsCommand::Maintenance(command) => hosts.maintain(command).await,
        HostsCommand::RotateToken(host) => {
            let id = hosts.find(&host).await?;
            let answer = hosts.client.post(&at(&id, &["agent-token"]), &json!({})).await?;
            hosts.show_token(answer)
        }
    }
}

struct Hosts {
    client: Client,
    output: Output,
}

impl Hosts {
    async fn find(&self, host: &Named) -> anyhow::Result<String> {
        id_of(&self.client, &HOSTS, "items", "host", &host.name).await
    }

    /// One host with its GPUs; for programs what the server says of the host alone.
    async fn get(&self, host: Named) -> anyhow::Result<()> {
        let id = self.find(&host).await?;
        let answer = self.client.get(&at(&id, &[]), &[]).await?;
        let gpus = if self.output.is_for_people() {
            serde_json::from_value(self.client.get(&at(&id, &["gpus"]), &[]).await?)?
        } else {
            HostGpuList::default()
        };
        self.output.show(answer, |host: Host| {
            let mut text = details(&host, Timestamp::now());
            if !gpus.items.is_empty() {
                text.push('\n');
                text.push_str(&gpu_table(&gpus.items));
            }
            text
        })
    }

    async fn update(&self, update: UpdateHost) -> anyhow::Result<()> {
        let id = self.find(&update.host).await?;
        let replaces_labels = update.no_labels || !update.label.is_empty();
        let body = typed([
            ("name", update.new_name.map(Into::into)),
            ("ip_address", update.ip_address.map(Into::into)),
            ("os_version", update.os_version.map(Into::into)),
            ("deployment_mode", update.deployment_mode.map(|mode| word(mode).into())),
            ("labels", replaces_labels.then(|| labels(update.label))),
        ]);
        let answer = self.client.put(&at(&id, &[]), &body).await?;
        self.show(answer)
    }

    async fn maintain(&self, command: MaintenanceCommand) -> anyhow::Result<()> {
        match command {
            MaintenanceCommand::Start(start) => {
                let id = self.find(&start.host).await?;
                let body = json!({"reason": start.reason, "claims": word(start.claims)});
                let mut answer = self.client.put(&at(&id, &["maintenance"]), &body).await?;
                if start.wait {
                    answer = self.without_claims(&id, answer).await?;
                }
                self.show(answer)
            }
            MaintenanceCommand::End(host) => {
                let id = self.find(&host).await?;
                let answer = self.client.delete(&at(&id, &["maintenance"]), &[]).await?;
                self.show(answer)
            }
        }
    }

    /// Waits until the host in maintenance has no claims; answers it as it is then.
    async fn without_claims(&self, id: &str, mut answer: Value) -> Result<Value, Error> {
        let (mut said, shown) = (None, self.output.progress());
        loop {
            let remaining = answer["maintenance"]["remaining_claims"].as_i64().unwrap_or(0);
            if remaining == 0 {
                return Ok(answer);
            }
            if said.replace(remaining) != Some(remaining) {
                shown.say(&format!("claims left: {remaining}"));
            }
            tokio::time::sleep(ASK_EVERY).await;
            match self.client.get(&at(id, &[]), &[]).await {
                Ok(host) => answer = host,
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn show(&self, answer: Value) -> anyhow::Result<()> {
        self.output.show(answer, |host: Host| details(&host, Timestamp::now()))
    }

    /// Writes the agent token as the only result, so that it can be kept as it is.
    fn show_token(&self, answer: Value) -> anyhow::Result<()> {
        self.output.show_once(answer, |host: HostToken| {
            self.output.note(&printable(&format!(
                "host {} has the id {}; its agent token is shown this once:",
                host.name, host.host_id
            )));
            format!("{}\n", printable(&host.agent_token))
        })
    }
}

/// The path of a host, and of what belongs to it.
fn at<'a>(id: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&HOSTS[..], &[id], further].concat()
}

/// The body of the request. What was not typed is left to the server.
fn new(host: CreateHost) -> Value {
    typed([
        ("name", Some(host.name.into())),
        ("ip_address", host.ip_address.map(Into::into)),
        ("os_type", host.os_type.map(|os| word(os).into())),
        ("os_version", host.os_version.map(Into::into)),
        ("deployment_mode", host.deployment_mode.map(|mode| word(mode).into())),
        ("total_cpu", host.cpus.map(Into::into)),
        ("total_memory", host.memory.map(|size| size.0.into())),
        ("total_disk", host.disk.map(|size| size.0.into())),
        ("labels", (!host.label.is_empty()).then(|| labels(host.label))),
    ])
}

fn table(hosts: &[Host], now: Timestamp) -> String {
    let mut table =
        Table::new(["ID", "NAME", "STATUS", "HEALTH", "GPUS USED", "CPUS USED", "MEMORY USED", "ADDRESS", "SEEN", "AGE"]);
    for host in hosts {
        table.row([
            host.host_id.clone(),
            host.name.clone(),
            host.status.clone(),
            host.health_status.clone(),
            format!("{} of {}", host.used_gpu, host.total_gpu),
            cpus(host),
            part_bytes(host.used_memory, host.total_memory),
            host.ip_address.clone(),
            age(host.last_heartbeat, now),
            age(host.created_at, now),
        ]);
    }
    table.render()
}

fn details(host: &Host, now: Timestamp) -> String {
    fields([
        ("ID", host.host_id.clone()),
        ("Name", host.name.clone()),
        ("Host name", host.hostname.clone()),
        ("Address", host.ip_address.clone()),
        ("Status", host.status.clone()),
        ("Health", host.health_status.clone()),
        ("Maintenance", host.maintenance.as_ref().map_or_else(String::new, |maintenance| maintained(maintenance, now))),
        ("Agent", if host.agent_connected { "connected" } else { "not connected" }.to_owned()),
        ("Seen", ago(host.last_heartbeat, now)),
        ("Registered", ago(host.created_at, now)),
        ("System", system(host)),
        ("Deployment", host.deployment_mode.clone()),
        ("CPUs used", cpus(host)),
        ("Memory used", part_bytes(host.used_memory, host.total_memory)),
        ("Disk", size_bytes(host.total_disk)),
        ("GPUs used", format!("{} of {}", host.used_gpu, host.total_gpu)),
        ("Labels", output::labels(&host.labels)),
    ])
}

/// The operating system, whose name versions often begin with.
fn system(host: &Host) -> String {
    let (kind, version) = (&host.os_type, &host.os_version);
    if version.to_lowercase().contains(kind.as_str()) { version.clone() } else { format!("{kind} {version}").trim().to_owned() }
}

fn maintained(maintenance: &Maintenance, now: Timestamp) -> String {
    let mut text = format!("since {}", ago(maintenance.since, now));
    if !maintenance.reason.is_empty() {
        text.push_str(&format!(", {}", maintenance.reason));
    }
    let fate = if maintenance.claims == "move" { "are moved" } else { "stay" };
    text.push_str(&format!("; claims {fate}, {} left", maintenance.remaining_claims));
    text
}

fn cpus(host: &Host) -> String {
    if host.total_cpu == 0 { String::new() } else { format!("{:.1} of {}", host.used_cpu, host.total_cpu) }
}

fn gpu_table(gpus: &[HostGpu]) -> String {
    let mut table = Table::new(["GPU", "UUID", "NAME", "STATUS", "CLAIM", "USE", "MEMORY", "TEMPERATURE"]);
    for gpu in gpus {
        let reading = |value: Option<f64>, unit: &str| value.map_or_else(String::new, |value| format!("{value:.0} {unit}"));
        table.row([
            gpu.gpu_index.to_string(),
            gpu.uuid.clone(),
            gpu.name.clone(),
            gpu.status.clone(),
            gpu.allocated_to.clone().unwrap_or_default(),
            reading(gpu.utilization, "%"),
            match gpu.memory_used {
                Some(used) => part_bytes(used, gpu.memory_total),
                None => size_bytes(gpu.memory_total),
            },
            reading(gpu.temperature, "°C"),
        ]);
    }
    table.render()
}
