//! Passwords, private keys and secrets that come from outside. They are never arguments: those are seen by everybody on the machine.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::args::PasswordSource;

/// More than any password or private key has.
const MOST_BYTES: u64 = 64 * 1024;

/// Whether a password that is typed has to be typed twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    Yes,
    No,
}

/// The password from where the arguments say it is, if they do.
pub(super) fn given(source: &PasswordSource) -> anyhow::Result<Option<String>> {
    match &source.password_file {
        Some(path) => first_line_of(path).map(Some),
        None if source.password_stdin => first_line().context("read the password from standard input").map(Some),
        None => Ok(None),
    }
}

/// The password, asked for on the terminal unless the arguments say where it is.
pub(super) fn given_or_asked(source: &PasswordSource, prompt: &str, confirm: Confirm) -> anyhow::Result<String> {
    match given(source)? {
        Some(password) => Ok(password),
        None => asked(prompt, confirm, "pass it with --password-stdin or --password-file"),
    }
}

/// A password that is typed. Where nobody can type, the error says what to do instead.
pub(super) fn asked(prompt: &str, confirm: Confirm, instead: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        bail!("no password: {instead}");
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).context("read the password from the terminal");
    let password = ask(&format!("{prompt}: "))?;
    if confirm == Confirm::Yes && ask("The same again: ")? != password {
        bail!("the two passwords differ");
    }
    Ok(password)
}

/// Something that is no secret, asked for on the terminal.
pub(super) fn ask_openly(prompt: &str) -> anyhow::Result<String> {
    let mut out = io::stderr();
    write!(out, "{prompt}: ").and_then(|()| out.flush())?;
    first_line()
}

/// The next line of standard input.
pub(super) fn first_line() -> anyhow::Result<String> {
    line(io::stdin().lock())
}

/// The first line of a file.
pub(super) fn first_line_of(path: &Path) -> anyhow::Result<String> {
    let read = || line(BufReader::new(File::open(path)?));
    read().with_context(|| format!("read the password from {}", path.display()))
}

/// The first line of a file, or of standard input for `-`, that has the secret of a webhook.
pub(super) fn line_of(path: &Path) -> anyhow::Result<String> {
    let read = || match path.to_str() {
        Some("-") => first_line(),
        Some(_) | None => line(BufReader::new(File::open(path)?)),
    };
    read().with_context(|| format!("read the secret from {}", path.display()))
}

/// The whole content of a file, or of standard input for `-`.
pub(super) fn whole(path: &Path) -> anyhow::Result<String> {
    let read = || match path.to_str() {
        Some("-") => text(io::stdin().lock()),
        Some(_) | None => text(File::open(path)?),
    };
    read().with_context(|| format!("read the private key from {}", path.display()))
}

fn line(mut input: impl io::BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.by_ref().take(MOST_BYTES).read_line(&mut line)?;
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("there is nothing to read");
    }
    Ok(text.to_owned())
}

fn text(input: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    input.take(MOST_BYTES).read_to_string(&mut text)?;
    if text.trim().is_empty() {
        bail!("there is nothing to read");
    }
    Ok(text)
}
