//! `aiinfra users …`.

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::json;

use super::listing::{elements, is_uuid, listing, one_named};
use super::secret::{self, Confirm};
use super::{Context, typed, word};
use crate::api::{Account, AccountList};
use crate::args::{ChangePassword, CreateUser, Page, UsersCommand};
use crate::client::Client;
use crate::output::{Table, age, ago, fields};

const USERS: [&str; 3] = ["api", "v1", "users"];

pub(super) async fn run(context: Context, command: UsersCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        UsersCommand::List(list) => {
            let filters = vec![("role", list.role.map(word)), ("search", list.search)];
            let answer = listing(&client, &USERS, "users", filters, &list.page).await?;
            output.show(answer, |list: AccountList| {
                output.note_page(&list.page, list.users.len());
                table(&list.users, Timestamp::now())
            })
        }
        UsersCommand::Get(user) => {
            let id = find(&client, &user.name).await?;
            let answer = client.get(&one(&id), &[]).await?;
            output.show(answer, |account: Account| details(&account, Timestamp::now()))
        }
        UsersCommand::Create(user) => create(&context, &client, user).await,
        UsersCommand::Update(update) => {
            let id = find(&client, &update.user.name).await?;
            let body = typed([("email", update.email.map(Into::into)), ("role", update.role.map(|role| word(role).into()))]);
            let answer = client.put(&one(&id), &body).await?;
            output.show(answer, |account: Account| details(&account, Timestamp::now()))
        }
        UsersCommand::Delete(delete) => {
            let id = find(&client, &delete.user.name).await?;
            client.delete(&one(&id), &[("force", delete.force.to_string())]).await?;
            Ok(output.done(&format!("user {} is deleted", delete.user.name))?)
        }
        UsersCommand::Passwd(change) => change_password(context, &client, change).await,
        UsersCommand::Unlock(user) => {
            let id = find(&client, &user.name).await?;
            let answer = client.post(&[&one(&id)[..], &["unlock"]].concat(), &json!({})).await?;
            output.show(answer, |account: Account| format!("user {} can log in again\n", account.username))
        }
    }
}

async fn create(context: &Context, client: &Client, user: CreateUser) -> anyhow::Result<()> {
    // The environment's password is that of whoever types this, and not taken here.
    let password = secret::given_or_asked(&user.password, &format!("Password of {}", user.username), Confirm::Yes)?;
    let body = typed([
        ("username", Some(user.username.into())),
        ("password", Some(password.into())),
        ("role", user.role.map(|role| word(role).into())),
        ("email", user.email.map(Into::into)),
    ]);
    let answer = client.post(&USERS, &body).await?;
    context.output.show(answer, |account: Account| format!("user {} is made with the role {}\n", account.username, account.role))
}

async fn change_password(mut context: Context, client: &Client, change: ChangePassword) -> anyhow::Result<()> {
    let myself = profile(client).await?;
    let id = match &change.name {
        Some(name) if !is(&myself, name) => find(client, name).await?,
        Some(_) | None => myself.id.clone(),
    };
    let own = id == myself.id;
    let username = if own { &myself.username } else { change.name.as_deref().unwrap_or_default() };
    let old = match &change.old_password_file {
        Some(path) => Some(secret::first_line_of(path)?),
        None if !own => None,
        None if change.password_stdin => Some(secret::first_line().context("read the old password from standard input")?),
        None => {
            Some(secret::asked("Old password", Confirm::No, "pass the old one with --old-password-file or --password-stdin")?)
        }
    };
    let new = match &change.password_file {
        Some(path) => secret::first_line_of(path)?,
        None if change.password_stdin => secret::first_line().context("read the new password from standard input")?,
        None => {
            let instead = "pass the new one with --password-file or --password-stdin";
            secret::asked(&format!("New password of {username}"), Confirm::Yes, instead)?
        }
    };
    let body = typed([("old_password", old.map(Into::into)), ("new_password", Some(new.into()))]);
    client.put(&[&one(&id)[..], &["password"]].concat(), &body).await?;
    if own && context.forget_session()? {
        context.output.note(&format!("all your tokens are revoked; log in again with `aiinfra login {username}`"));
    }
    Ok(context.output.done(&format!("the password of {username} is changed"))?)
}

fn one(id: &str) -> [&str; 4] {
    let [api, version, users] = USERS;
    [api, version, users, id]
}

async fn profile(client: &Client) -> anyhow::Result<Account> {
    let answer = client.get(&["api", "v1", "auth", "profile"], &[]).await?;
    let account: Account = serde_json::from_value(answer)?;
    if account.id.is_empty() {
        bail!("the server does not say who is logged in");
    }
    Ok(account)
}

fn is(account: &Account, name: &str) -> bool {
    account.id == name || account.username.eq_ignore_ascii_case(name)
}

/// The id of a user. One's own is known without being an administrator.
async fn find(client: &Client, name: &str) -> anyhow::Result<String> {
    if is_uuid(name) {
        return Ok(name.to_owned());
    }
    let myself = profile(client).await?;
    if is(&myself, name) {
        return Ok(myself.id);
    }
    let filters = vec![("search", Some(name.to_owned()))];
    let found = listing(client, &USERS, "users", filters, &Page { page: None, limit: None }).await?;
    one_named(elements(&found, "users"), "user", name)
}

fn table(users: &[Account], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "USERNAME", "ROLE", "E-MAIL", "LOGGED IN", "AGE"]);
    for user in users {
        table.row([
            user.id.clone(),
            user.username.clone(),
            user.role.clone(),
            user.email.clone(),
            age(user.last_login_at, now),
            age(user.created_at, now),
        ]);
    }
    table.render()
}

pub(super) fn details(user: &Account, now: Timestamp) -> String {
    fields([
        ("ID", user.id.clone()),
        ("User name", user.username.clone()),
        ("Role", user.role.clone()),
        ("E-mail", user.email.clone()),
        ("Logged in", ago(user.last_login_at, now)),
        ("Registered", ago(user.created_at, now)),
        ("Changed", ago(user.updated_at, now)),
    ])
}
