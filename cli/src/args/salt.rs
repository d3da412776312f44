//! `aiinfra salt …`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{ById, Page, Seconds};

const RUN_EXAMPLES: &str = "\
What is JSON is sent as such, 3 as a number and '\"3\"' as text, and all else as the text that it is. No shell reads it on a minion. A
minion that fails or does not answer in time is an error.

  aiinfra salt run 'node*' test.ping
  aiinfra salt run node01,node02 --by list disk.usage
  aiinfra salt run rack:r1 --by grain grains.item os osrelease
  aiinfra salt run node01 test.arg 3 '{\"a\": 1}' --kwarg name=value
  aiinfra salt run '*' saltutil.sync_all --async";

const DEPLOY_EXAMPLES: &str = "\
A part that fails, or a minion that does not answer in time, is an error. Pillar with secrets is read from a file of JSON, for arguments
are seen by everybody on the machine.

  aiinfra salt deploy 'node*' slurm.compute --test
  aiinfra salt deploy 'node*' slurm.compute
  aiinfra salt deploy node01 motd --pillar role=gpu
  aiinfra salt deploy node01 motd --pillar-file pillar.json --async";

#[derive(Debug, Subcommand)]
pub(crate) enum SaltCommand {
    /// List the minions, and whether they answer; one with all its grains
    Minions(Minions),
    /// Run a function of the server's allow-list on minions (operators)
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunFunction),
    /// Apply a state to minions (operators)
    #[command(after_help = DEPLOY_EXAMPLES)]
    Deploy(DeployState),
    /// Show a job and the results that have come so far (operators)
    #[command(alias = "jobs")]
    Job(ById),
}

#[derive(Debug, Args)]
pub(crate) struct Minions {
    /// Show this one only
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Only minions that stand so
    #[arg(long, value_enum, conflicts_with = "name")]
    pub(crate) status: Option<MinionState>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// Whether a minion answers, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MinionState {
    /// It answers
    Up,
    /// It does not
    Down,
}

/// Which minions, and how long to wait for them.
#[derive(Debug, Args)]
pub(crate) struct Targeted {
    /// Which minions: a pattern of names, unless --by says otherwise
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) target: String,
    /// What the target is
    #[arg(long, value_enum, default_value_t = TargetType::Glob)]
    pub(crate) by: TargetType,
    /// Do not wait: print the job, and show it later with `aiinfra salt job`
    #[arg(long = "async", conflicts_with = "timeout")]
    pub(crate) is_async: bool,
    /// How long to wait, e.g. 90s or 2m; the job goes on after that [default: 30s to run, at most 2m; 5m to deploy, at most 10m]
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Seconds>,
}

/// How a target names minions, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetType {
    /// A shell pattern of names
    Glob,
    /// Names with commas between
    List,
    /// A grain and a pattern of its value, e.g. os:Debian
    Grain,
}

#[derive(Debug, Args)]
pub(crate) struct RunFunction {
    #[command(flatten)]
    pub(crate) targeted: Targeted,
    /// What to run, e.g. test.ping
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) function: String,
    /// Its arguments
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub(crate) args: Vec<Argument>,
    /// A named argument (repeatable)
    #[arg(long = "kwarg", value_name = "NAME=VALUE")]
    pub(crate) kwargs: Vec<NamedArgument>,
}

#[derive(Debug, Args)]
pub(crate) struct DeployState {
    #[command(flatten)]
    pub(crate) targeted: Targeted,
    /// The state, e.g. slurm.compute
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) state: String,
    /// Only say what would change
    #[arg(long)]
    pub(crate) test: bool,
    /// A value of pillar for this time (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) pillar: Vec<NamedArgument>,
    /// A file with pillar for this time, a JSON object; --pillar goes before it
    #[arg(long, value_name = "FILE")]
    pub(crate) pillar_file: Option<PathBuf>,
}

/// JSON where it is JSON, else a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument(pub(crate) Value);

impl FromStr for Argument {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(serde_json::from_str(text).unwrap_or_else(|_| text.into())))
    }
}

/// `NAME=VALUE`, the value as [`Argument`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedArgument {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl FromStr for NamedArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let Ok(Argument(value)) = value.parse();
                Ok(Self { name: name.to_owned(), value })
            }
            Some(_) | None => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_json_and_all_else_is_text() {
        for (text, value) in [
            ("3", json!(3)),
            ("\"3\"", json!("3")),
            ("true", json!(true)),
            ("{\"a\": [1]}", json!({"a": [1]})),
            ("node01", json!("node01")),
            ("$(id); `id`", json!("$(id); `id`")),
            ("{a: 1}", json!("{a: 1}")),
            ("", json!("")),
        ] {
            assert_eq!(text.parse(), Ok(Argument(value.clone())), "{text}");
            assert_eq!(format!("name={text}").parse(), Ok(NamedArgument { name: "name".to_owned(), value }), "{text}");
        }
        assert!("name".parse::<NamedArgument>().is_err() && "=value".parse::<NamedArgument>().is_err());
    }
}
