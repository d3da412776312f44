//! `aiinfra machines …`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing::{id_of, listing};
use super::secret::{self, Confirm};
use super::{Context, labels, typed, word};
use crate::api::{Machine, MachineList};
use crate::args::{CreateMachine, MachineCredentials, MachinesCommand, Named, UpdateMachine};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Output, Table, age, ago, fields, printable};

const MACHINES: [&str; 3] = ["api", "v1", "machines"];

pub(super) async fn run(context: &Context, command: MachinesCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        MachinesCommand::List(list) => {
            let filters = vec![("status", list.status.map(word)), ("role", list.role.map(word)), ("labels", list.labels)];
            let answer = listing(&client, &MACHINES, "machines", filters, &list.page).await?;
            output.show(answer, |list: MachineList| {
                output.note_page(&list.page, list.machines.len());
                table(&list.machines, Timestamp::now())
            })
        }
        MachinesCommand::Get(machine) => {
            let id = find(&client, &machine).await?;
            show(output, client.get(&at(&id, &[]), &[]).await?)
        }
        MachinesCommand::Create(machine) => {
            let answer = client.post(&MACHINES, &new(*machine)?).await?;
            output.show(answer, |machine: Machine| {
                format!("machine {} is added as {}; `aiinfra machines check {0}` logs in to it\n", machine.name, machine.id)
            })
        }
        MachinesCommand::Update(update) => {
            let id = find(&client, &update.machine).await?;
            let present = client.get(&at(&id, &[]), &[]).await?;
            show(output, client.put(&at(&id, &[]), &replacement(present, *update)?).await?)
        }
        MachinesCommand::Delete(machine) => {
            let id = find(&client, &machine).await?;
            client.delete(&at(&id, &[]), &[]).await?;
            Ok(output.done(&format!("machine {} is deleted", machine.name))?)
        }
        MachinesCommand::Check(machine) => check(&client, output, &machine).await,
        MachinesCommand::Status(set) => {
            let id = find(&client, &set.machine).await?;
            let body = json!({"status": word(set.status), "message": set.message});
            show(output, client.put(&at(&id, &["status"]), &body).await?)
        }
    }
}

/// A machine that cannot be logged in to is an error, for scripts.
async fn check(client: &Client, output: Output, machine: &Named) -> anyhow::Result<()> {
    let id = find(client, machine).await?;
    let answer = client.post(&at(&id, &["check"]), &json!({})).await?;
    let found: Machine = serde_json::from_value(answer.clone())?;
    show(output, answer)?;
    if found.status.is_unavailable() {
        let sentence = format!("machine {} cannot be logged in to: {}", found.name, found.message);
        return Err(Failure::EndedBadly(sentence).into());
    }
    Ok(())
}

async fn find(client: &Client, machine: &Named) -> anyhow::Result<String> {
    id_of(client, &MACHINES, "machines", "machine", &machine.name).await
}

/// The path of a machine, and of what belongs to it.
fn at<'a>(id: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&MACHINES[..], &[id], further].concat()
}

fn show(output: Output, answer: Value) -> anyhow::Result<()> {
    output.show(answer, |machine: Machine| details(&machine, Timestamp::now()))
}

/// The body of a new machine. What was not typed is left to the server.
fn new(machine: CreateMachine) -> anyhow::Result<Value> {
    let settings = machine.settings;
    let (mut password, private_key) = secrets(&machine.credentials, &machine.name)?;
    if password.is_none() && private_key.is_none() {
        let prompt = format!("Password of {} on {}", machine.user, machine.name);
        let instead = "pass it with --password-stdin or --password-file, or a private key with --private-key-file";
        password = Some(secret::asked(&prompt, Confirm::No, instead)?);
    }
    Ok(typed([
        ("name", Some(machine.name.into())),
        ("ip_address", Some(machine.address.into())),
        ("user", Some(machine.user.into())),
        ("role", Some(word(machine.role).into())),
        ("ssh_port", settings.ssh_port.map(Into::into)),
        ("internal_address", settings.internal_address.map(Into::into)),
        ("artifact_path", settings.artifact_path.map(Into::into)),
        ("image_repo", settings.image_repo.map(Into::into)),
        ("registry_address", settings.registry_address.map(Into::into)),
        ("host_key", settings.host_key.map(Into::into)),
        ("labels", (!machine.label.is_empty()).then(|| labels(machine.label))),
        ("password", password.map(Into::into)),
        ("private_key", private_key.map(Into::into)),
    ]))
}

/// The server replaces all it knows of a machine but its secrets and its pinned key, so what was not typed is sent as it is.
fn replacement(present: Value, update: UpdateMachine) -> anyhow::Result<Value> {
    let settings = update.settings;
    let present: Machine = serde_json::from_value(present)?;
    let (password, private_key) = secrets(&update.credentials, &present.name)?;
    let replaces_labels = update.no_labels || !update.label.is_empty();
    Ok(typed([
        ("name", Some(update.new_name.unwrap_or(present.name).into())),
        ("ip_address", Some(update.address.unwrap_or(present.ip_address).into())),
        ("user", Some(update.user.unwrap_or(present.user).into())),
        ("role", Some(update.role.map_or(present.role, word).into())),
        ("ssh_port", Some(settings.ssh_port.unwrap_or(present.ssh_port).into())),
        ("internal_address", Some(settings.internal_address.unwrap_or(present.internal_address).into())),
        ("artifact_path", Some(settings.artifact_path.unwrap_or(present.artifact_path).into())),
        ("image_repo", Some(settings.image_repo.unwrap_or(present.image_repo).into())),
        ("registry_address", Some(settings.registry_address.unwrap_or(present.registry_address).into())),
        ("host_key", settings.host_key.map(Into::into)),
        ("labels", Some(if replaces_labels { labels(update.label) } else { json!(present.labels) })),
        ("password", password.map(Into::into)),
        ("private_key", private_key.map(Into::into)),
    ]))
}

/// Password and private key, as far as the arguments say where they are.
fn secrets(credentials: &MachineCredentials, machine: &str) -> anyhow::Result<(Option<String>, Option<String>)> {
    let password = if credentials.ask_password {
        let instead = "pass it with --password-stdin or --password-file";
        Some(secret::asked(&format!("Password for {machine}"), Confirm::No, instead)?)
    } else {
        secret::given(&credentials.password)?
    };
    let private_key = credentials.private_key_file.as_deref().map(secret::whole).transpose()?;
    Ok((password, private_key))
}

fn table(machines: &[Machine], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "NAME", "STATUS", "ROLE", "LOG-IN", "CHECKED", "AGE", "MESSAGE"]);
    for machine in machines {
        table.row([
            machine.id.clone(),
            machine.name.clone(),
            machine.status.0.clone(),
            machine.role.clone(),
            login(machine),
            age(machine.last_checked_at, now),
            age(machine.created_at, now),
            machine.message.clone(),
        ]);
    }
    table.render()
}

fn details(machine: &Machine, now: Timestamp) -> String {
    let credentials = [(machine.has_private_key, "private key"), (machine.has_password, "password")];
    let credentials = credentials.into_iter().filter_map(|(kept, name)| kept.then_some(name)).collect::<Vec<_>>();
    fields([
        ("ID", machine.id.clone()),
        ("Name", machine.name.clone()),
        ("Status", machine.status.0.clone()),
        ("Message", machine.message.clone()),
        ("Checked", ago(machine.last_checked_at, now)),
        ("Role", machine.role.clone()),
        ("Log-in", login(machine)),
        ("With", credentials.join(", ")),
        ("Host key", machine.host_key.clone()),
        ("Inner address", machine.internal_address.clone()),
        ("Artifacts", machine.artifact_path.clone()),
        ("Images", machine.image_repo.clone()),
        ("Registry", machine.registry_address.clone()),
        ("Labels", output::labels(&machine.labels)),
        ("Added", ago(machine.created_at, now)),
        ("Changed", ago(machine.updated_at, now)),
    ])
}

/// As one would tell SSH.
fn login(machine: &Machine) -> String {
    let address = match machine.ip_address.contains(':') {
        true => format!("[{}]", machine.ip_address),
        false => machine.ip_address.clone(),
    };
    match machine.ssh_port {
        22 => printable(&format!("{}@{address}", machine.user)),
        port => printable(&format!("{}@{address}:{port}", machine.user)),
    }
}
