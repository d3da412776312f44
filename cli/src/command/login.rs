//! `aiinfra register`, `login` and `logout`. A password is never an argument: those are seen by everybody on the machine.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::{Context, environment};
use crate::api::{Login, User};
use crate::args::Credentials;
use crate::client::Error;
use crate::config::Session;

pub(super) async fn register(context: &Context, credentials: Credentials) -> anyhow::Result<()> {
    let username = username(credentials.username)?;
    let password = password(&username, credentials.password_stdin, Confirm::Yes)?;
    let body = json!({"username": username, "password": password});
    let answer = context.anonymous_client()?.post(&["api", "auth", "register"], &body).await?;
    context.output.show(answer, |user: User| {
        format!("registered {} with the role {}; log in with `aiinfra login {}`\n", user.username, user.role, user.username)
    })
}

pub(super) async fn login(mut context: Context, credentials: Credentials) -> anyhow::Result<()> {
    let username = username(credentials.username)?;
    let password = password(&username, credentials.password_stdin, Confirm::No)?;
    let body = json!({"username": username, "password": password});
    let answer = context.anonymous_client()?.post(&["api", "auth", "login"], &body).await.map_err(without_hint)?;
    let Login { token, user } = serde_json::from_value(answer).context("the server's answer has no token")?;
    context.config.keep_session(&context.url, Session { username, token });
    context.config.save(&context.config_path)?;
    if environment("UTOPIA_TOKEN")?.is_some() {
        context.output.note("UTOPIA_TOKEN is set and takes the place of this log-in");
    }
    Ok(context.output.done(&format!("logged in to {} as {} ({})", context.url, user.username, user.role))?)
}

pub(super) fn logout(mut context: Context) -> anyhow::Result<()> {
    if !context.config.forget_session(&context.url) {
        bail!("not logged in to {}", context.url);
    }
    context.config.save(&context.config_path)?;
    Ok(context.output.done(&format!("logged out of {}", context.url))?)
}

/// Whoever is logging in needs no advice to log in.
fn without_hint(error: Error) -> anyhow::Error {
    match error {
        Error::Refused { .. } => anyhow::Error::msg(error.to_string()),
        Error::Unreachable { .. } | Error::Unintelligible { .. } | Error::Settings(_) => error.into(),
    }
}

fn username(given: Option<String>) -> anyhow::Result<String> {
    match given {
        Some(username) => Ok(username),
        None if io::stdin().is_terminal() => {
            let mut out = io::stderr();
            write!(out, "User name: ").and_then(|()| out.flush()).context("ask for the user name")?;
            first_line().context("read the user name")
        }
        None => bail!("no user name: give it as an argument"),
    }
}

/// Whether a password that is typed has to be typed twice.
#[derive(PartialEq, Eq)]
enum Confirm {
    Yes,
    No,
}

fn password(username: &str, from_stdin: bool, confirm: Confirm) -> anyhow::Result<String> {
    if from_stdin {
        return first_line().context("read the password from standard input");
    }
    if let Some(password) = environment("UTOPIA_PASSWORD")? {
        return Ok(password);
    }
    if !io::stdin().is_terminal() {
        bail!("no password: pass it with --password-stdin, or set UTOPIA_PASSWORD");
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).context("read the password from the terminal");
    let password = ask(format!("Password of {username}: "))?;
    if confirm == Confirm::Yes && ask("The same again: ".to_owned())? != password {
        bail!("the two passwords differ");
    }
    Ok(password)
}

fn first_line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("there is nothing to read");
    }
    Ok(text.to_owned())
}
