//! `aiinfra watch`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct WatchEvents {
    /// Only these types, e.g. claim.running, or claim.* for all of claims (repeatable)
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only events of the thing with this id
    #[arg(long, value_name = "ID")]
    pub(crate) resource: Option<String>,
    /// Events after this cursor, which `-o json` shows; 0 for all that are kept [default: only those that come]
    #[arg(long, value_name = "CURSOR")]
    pub(crate) since: Option<String>,
    /// End when nothing more is there
    #[arg(long)]
    pub(crate) once: bool,
}
