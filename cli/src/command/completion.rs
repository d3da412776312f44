//! Completion: what a shell is told, and the words it then asks this program for.
//!
//! Ids and names are asked of the server, within a moment and without a word when that fails: somebody is typing.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use clap::builder::StyledStr;
use clap_complete::env::Shells;
use clap_complete::{ArgValueCandidates, CompleteEnv, CompletionCandidate};
use serde_json::Value;

use super::listing::elements;
use super::{Context, word};
use crate::args::{self, Cli, Shell};
use crate::config::{self, Config};
use crate::output::write;

/// Under this variable a shell asks.
const VARIABLE: &str = "AIINFRA_COMPLETE";

/// Whoever types does not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Things that have words of their own.
struct Kind {
    /// The command, below which arguments name such a thing.
    command: &'static [&'static str],
    argument: &'static str,
    /// Where they are listed.
    path: &'static [&'static str],
    items: &'static str,
    /// The member that names one, and what is said beside it.
    name: &'static str,
    about: &'static [&'static str],
}

const KINDS: [Kind; 8] = [
    Kind {
        command: &["claims"],
        argument: "id",
        path: &["api", "gpu-claims"],
        items: "claims",
        name: "id",
        about: &["/spec/image", "/status/phase"],
    },
    Kind {
        command: &["nodes"],
        argument: "id",
        path: &["api", "nodes"],
        items: "nodes",
        name: "id",
        about: &["/hostname", "/status"],
    },
    Kind {
        command: &["hosts"],
        argument: "name",
        path: &["api", "v1", "hosts"],
        items: "items",
        name: "name",
        about: &["/status"],
    },
    Kind {
        command: &["machines"],
        argument: "name",
        path: &["api", "v1", "machines"],
        items: "machines",
        name: "name",
        about: &["/status"],
    },
    Kind {
        command: &["users"],
        argument: "name",
        path: &["api", "v1", "users"],
        items: "users",
        name: "username",
        about: &["/role"],
    },
    Kind {
        command: &["tokens", "revoke"],
        argument: "id",
        path: &["api", "v1", "tokens"],
        items: "tokens",
        name: "id",
        about: &["/name"],
    },
    Kind { command: &["webhooks"], argument: "id", path: &["api", "webhooks"], items: "webhooks", name: "id", about: &["/url"] },
    Kind {
        command: &["slurm", "jobs"],
        argument: "id",
        path: &["api", "slurm", "jobs"],
        items: "jobs",
        name: "job_id",
        about: &["/job_name", "/status"],
    },
];

/// Answers a shell that asks, and whether one did.
pub(crate) fn complete() -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(command).var(VARIABLE).try_complete(env::args_os(), env::current_dir().ok().as_deref())
}

/// Writes what makes a shell ask.
pub(super) fn write_script(shell: Shell) -> anyhow::Result<()> {
    let shells = Shells::builtins();
    let completer = shells.completer(&word(shell)).context("this shell cannot complete")?;
    // Called by its path it is asked under it, else whichever one is found first.
    let called = env::args_os().next().unwrap_or_default();
    let program = if Path::new(&called).components().count() > 1 { env::current_exe()? } else { "aiinfra".into() };
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "aiinfra", "aiinfra", &program.to_string_lossy(), &mut script)?;
    Ok(write(&String::from_utf8_lossy(&script))?)
}

/// The command line with the words that only the server, or the settings, know.
fn command() -> clap::Command {
    let contexts = || ArgValueCandidates::new(contexts);
    let command = args::command().mut_arg("context", |argument| argument.add(contexts()));
    let command = below(command, &["config"], &|command| {
        if matches!(command.get_name(), "use-context" | "delete-context" | "set-context") {
            command.mut_arg("name", |argument| argument.add(contexts()))
        } else {
            command
        }
    });
    KINDS.iter().fold(command, |command, kind| below(command, kind.command, &|command| offering(command, kind)))
}

/// Changes the command at this place and all below it.
fn below(command: clap::Command, place: &[&'static str], change: &dyn Fn(clap::Command) -> clap::Command) -> clap::Command {
    match place {
        [next, rest @ ..] => command.mut_subcommand(next, |command| below(command, rest, change)),
        [] => change(command).mut_subcommands(|command| below(command, &[], change)),
    }
}

fn offering(command: clap::Command, kind: &'static Kind) -> clap::Command {
    command.mut_args(|argument| {
        let is_asked_for = argument.is_positional() && argument.get_id() == kind.argument;
        if is_asked_for { argument.add(ArgValueCandidates::new(move || things(kind).unwrap_or_default())) } else { argument }
    })
}

fn contexts() -> Vec<CompletionCandidate> {
    let config = config::path().and_then(|path| Config::load(&path)).unwrap_or_default();
    let candidate = |(name, _): (&str, &_)| CompletionCandidate::new(name);
    config.contexts().map(candidate).collect()
}

/// The newest of them, or however the server lists them.
fn things(kind: &Kind) -> anyhow::Result<Vec<CompletionCandidate>> {
    let mut global = Cli::try_parse_from(["aiinfra", "whoami"])?.global;
    global.quiet = true;
    let client = Context::new(global)?.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let page = [("page", "1".to_owned()), ("limit", "100".to_owned())];
    let asked = async { tokio::time::timeout(PATIENCE, client.get(kind.path, &page)).await };
    let answer = runtime.block_on(asked)??;
    Ok(elements(&answer, kind.items).iter().filter_map(|thing| candidate(kind, thing)).collect())
}

fn candidate(kind: &Kind, thing: &Value) -> Option<CompletionCandidate> {
    let name = match thing.get(kind.name)? {
        Value::String(name) => name.clone(),
        name @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => name.to_string(),
    };
    let about = kind.about.iter().filter_map(|pointer| thing.pointer(pointer)?.as_str()).collect::<Vec<_>>().join(", ");
    let safe = !name.chars().chain(about.chars()).any(char::is_control);
    safe.then(|| CompletionCandidate::new(name).help(Some(StyledStr::from(about))))
}
