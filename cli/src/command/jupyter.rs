//! `aiinfra jupyter …`.

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::listing::listing;
use crate::api::{Account, HubServer, HubUser, HubUserList, Progress};
use crate::args::{CreateHubUser, HubServerName, JupyterCommand, StartHubServer, StopHubServer};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Table, age, ago, fields, printable};

const USERS: [&str; 3] = ["api", "jupyterhub", "users"];

pub(super) async fn run(context: &Context, command: JupyterCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        JupyterCommand::Users(page) => {
            let answer = listing(&client, &USERS, "users", Vec::new(), &page).await?;
            output.show(answer, |list: HubUserList| {
                output.note_page(&list.page, list.users.len());
                table(&list.users, Timestamp::now())
            })
        }
        JupyterCommand::Get(user) => {
            let username = or_oneself(&client, user.username).await?;
            let answer = client.get(&user_path(&username), &[]).await?;
            output.show(answer, |user: HubUser| describe(&user, Timestamp::now()))
        }
        JupyterCommand::Create(CreateHubUser { username, admin }) => {
            let answer = client.post(&USERS, &json!({ "username": username, "admin": admin })).await?;
            output.show(answer, |user: HubUser| format!("{} is a user of the hub\n", printable(&user.username)))
        }
        JupyterCommand::Delete { username } => {
            client.delete(&user_path(&username), &[]).await?;
            Ok(output.done(&format!("{username} is no user of the hub any more"))?)
        }
        JupyterCommand::Start(StartHubServer { server, wait }) => start(&client, output, server, wait).await,
        JupyterCommand::Stop(StopHubServer { server, remove }) => {
            let (username, server) = (or_oneself(&client, server.user.username).await?, server.server);
            let query = remove.then(|| ("remove", true.to_string()));
            let answer = client.delete(&server_path(&username, server.as_deref()), query.as_slice()).await?;
            // Nothing is answered when it is gone already.
            let done = if answer.is_null() { "has stopped" } else { "stops" };
            Ok(output.done(&format!("{} {done}", spoken(&username, server.as_deref())))?)
        }
        JupyterCommand::Progress(server) => {
            let username = or_oneself(&client, server.user.username).await?;
            let show = |message: &Value, progress: &Progress| output.show_line(message, || line(progress));
            follow(&client, &username, server.server.as_deref(), show).await
        }
    }
}

async fn start(client: &Client, output: Output, server: HubServerName, wait: bool) -> anyhow::Result<()> {
    let (username, server) = (or_oneself(client, server.user.username).await?, server.server);
    let mut answer = client.post(&server_path(&username, server.as_deref()), &json!({})).await?;
    if wait && answer["status"] == "starting" {
        let shown = output.progress();
        let show = |_: &Value, progress: &Progress| {
            shown.say(line(progress).trim_end());
            Ok(())
        };
        follow(client, &username, server.as_deref(), show).await?;
        drop(shown);
        let user = client.get(&user_path(&username), &[]).await?;
        let mut servers = user["servers"].as_array().into_iter().flatten();
        let found = servers.find(|found| found["server_name"] == server.as_deref().unwrap_or_default());
        answer = found.cloned().context("it was ready, and is gone already")?;
    }
    output.show(answer, |found: HubServer| {
        let server = spoken(&username, server.as_deref());
        match (&*found.status, &*found.url) {
            ("starting", _) => format!("{server} is starting; `aiinfra jupyter progress` follows it\n"),
            (status, "") => format!("{server} is {}\n", printable(status)),
            (status, url) => format!("{server} is {} at {}\n", printable(status), printable(url)),
        }
    })
}

/// Follows the start of a server to its end; that it failed is an error.
async fn follow(
    client: &Client,
    username: &str,
    server: Option<&str>,
    mut show: impl FnMut(&Value, &Progress) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let path = [&*server_path(username, server), &["progress"]].concat();
    let mut messages = client.stream(&path, &[]).await?;
    let mut last = Progress::default();
    while let Some(message) = messages.try_next().await? {
        last = serde_json::from_value(message.clone())?;
        show(&message, &last)?;
    }
    if last.failed {
        return Err(Failure::EndedBadly(format!("{} did not start: {}", spoken(username, server), last.message)).into());
    }
    if !last.ready {
        bail!("the server's answer ended before the start did");
    }
    Ok(())
}

/// The named user, or whoever is logged in.
async fn or_oneself(client: &Client, username: Option<String>) -> anyhow::Result<String> {
    match username {
        Some(username) => Ok(username),
        None => {
            let profile: Account = serde_json::from_value(client.get(&["api", "v1", "auth", "profile"], &[]).await?)?;
            Ok(profile.username)
        }
    }
}

fn user_path(username: &str) -> Vec<&str> {
    [&USERS[..], &[username]].concat()
}

fn server_path<'n>(username: &'n str, server: Option<&'n str>) -> Vec<&'n str> {
    let user = user_path(username);
    match server {
        Some(name) => [&*user, &["servers", name]].concat(),
        None => [&*user, &["server"]].concat(),
    }
}

fn spoken(username: &str, server: Option<&str>) -> String {
    match server {
        Some(name) => format!("{}'s server {}", printable(username), printable(name)),
        None => format!("{}'s server", printable(username)),
    }
}

/// One line about the progress of a start.
fn line(progress: &Progress) -> String {
    format!("{:>3}%  {}\n", progress.progress, printable(&progress.message))
}

/// Servers by name with how they stand; the one without a name only so.
fn servers(user: &HubUser) -> String {
    let shown = |server: &HubServer| match &*server.server_name {
        "" => server.status.clone(),
        name => format!("{name}: {}", server.status),
    };
    user.servers.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn table(users: &[HubUser], now: Timestamp) -> String {
    let mut table = Table::new(["USER", "ADMIN", "SERVERS", "SEEN", "AGE"]);
    for user in users {
        let admin = if user.admin { "yes" } else { "" };
        table.row([
            user.username.clone(),
            admin.to_owned(),
            servers(user),
            age(user.last_activity, now),
            age(user.created_at, now),
        ]);
    }
    table.render()
}

fn describe(user: &HubUser, now: Timestamp) -> String {
    let mut text = fields([
        ("User", user.username.clone()),
        ("Admin", if user.admin { "yes".to_owned() } else { String::new() }),
        ("Groups", user.groups.join(", ")),
        ("Created", ago(user.created_at, now)),
        ("Last seen", ago(user.last_activity, now)),
    ]);
    if !user.servers.is_empty() {
        let mut table = Table::new(["SERVER", "STATUS", "URL", "STARTED", "USED"]);
        for server in &user.servers {
            table.row([
                server.server_name.clone(),
                server.status.clone(),
                server.url.clone(),
                age(server.started_at, now),
                age(server.last_activity, now),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}
