//! `aiinfra register`, `login`, `logout` and `whoami`.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::json;

use super::secret::{self, Confirm};
use super::{Context, environment, users};
use crate::api::{Account, Login, User};
use crate::args::{Credentials, PasswordSource};
use crate::client::Error;
use crate::config::Session;
use crate::failure::Failure;

pub(super) async fn register(context: &Context, credentials: Credentials) -> anyhow::Result<()> {
    let username = username(credentials.username)?;
    let password = password(&username, &credentials.password, Confirm::Yes)?;
    let body = json!({"username": username, "password": password});
    let answer = context.anonymous_client()?.post(&["api", "auth", "register"], &body).await?;
    context.output.show(answer, |user: User| {
        format!("registered {} with the role {}; log in with `aiinfra login {}`\n", user.username, user.role, user.username)
    })
}

pub(super) async fn login(mut context: Context, credentials: Credentials) -> anyhow::Result<()> {
    let username = username(credentials.username)?;
    let password = password(&username, &credentials.password, Confirm::No)?;
    let body = json!({"username": username, "password": password});
    let answer = context.anonymous_client()?.post(&["api", "auth", "login"], &body).await.map_err(without_hint)?;
    let Login { token, user } = serde_json::from_value(answer).context("the server's answer has no token")?;
    context.keep_session(Session { username, token })?;
    if environment("UTOPIA_TOKEN")?.is_some() {
        context.output.note("UTOPIA_TOKEN is set and takes the place of this log-in");
    }
    Ok(context.output.done(&format!("logged in to {} as {} ({})", context.url, user.username, user.role))?)
}

/// Forgets the token whatever the server says: whoever logs out must not stay logged in here.
pub(super) async fn logout(mut context: Context) -> anyhow::Result<()> {
    let token = kept(&context)?.token;
    let revoked = context.client_with(Some(token))?.post(&["api", "v1", "auth", "logout"], &json!({})).await;
    context.forget_session()?;
    match revoked {
        Ok(_) => {}
        // The token had expired, or was revoked before.
        Err(error) if error.is_unauthenticated() => {}
        Err(error) => return Err(error).context("the token is forgotten here, but not revoked, and good until it expires"),
    }
    Ok(context.output.done(&format!("logged out of {}", context.url))?)
}

/// Exchanges the kept token. The environment's token is its owner's to exchange.
pub(super) async fn refresh(mut context: Context) -> anyhow::Result<()> {
    let Session { username, token } = kept(&context)?;
    let answer = context.anonymous_client()?.post(&["api", "v1", "auth", "refresh"], &json!({"token": token})).await?;
    let token = answer["token"].as_str().context("the server's answer has no token")?.to_owned();
    context.keep_session(Session { username: username.clone(), token })?;
    Ok(context.output.done(&format!("{username} has a new token for {}", context.url))?)
}

fn kept(context: &Context) -> Result<Session, Failure> {
    let missing = || Failure::NotLoggedIn(format!("not logged in to {}; use `aiinfra login NAME`", context.url));
    context.session().cloned().ok_or_else(missing)
}

pub(super) async fn whoami(context: &Context) -> anyhow::Result<()> {
    let answer = context.client()?.get(&["api", "v1", "auth", "profile"], &[]).await?;
    context.output.show(answer, |account: Account| users::details(&account, Timestamp::now()))
}

/// Whoever is logging in needs no advice to log in, but may have to wait.
fn without_hint(error: Error) -> anyhow::Error {
    if error.is_unauthenticated() { Failure::NotLoggedIn(error.to_string()).into() } else { error.into() }
}

fn username(given: Option<String>) -> anyhow::Result<String> {
    match given {
        Some(username) => Ok(username),
        None if io::stdin().is_terminal() => secret::ask_openly("User name").context("read the user name"),
        None => bail!("no user name: give it as an argument"),
    }
}

fn password(username: &str, source: &PasswordSource, confirm: Confirm) -> anyhow::Result<String> {
    if let Some(password) = secret::given(source)? {
        return Ok(password);
    }
    if let Some(password) = environment("UTOPIA_PASSWORD")? {
        return Ok(password);
    }
    let instead = "pass it with --password-stdin or --password-file, or set UTOPIA_PASSWORD";
    secret::asked(&format!("Password of {username}"), confirm, instead)
}
