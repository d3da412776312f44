//! `aiinfra audit …`.

use clap::{Args, Subcommand, ValueEnum};

use super::{ById, Head, Moment, Page};

const LIST_EXAMPLES: &str = "\
Examples:
  aiinfra audit list --since 2h
  aiinfra audit list --user bob --result denied --all
  aiinfra audit list --type user --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z";

const VERIFY_EXAMPLES: &str = "\
Whoever can write to the database could also write the whole log anew, or cut its end off. So keep the head that is printed
elsewhere, and give it the next time:
  aiinfra audit verify
  aiinfra audit verify --head 1234:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, newest first: the newest 100, unless said otherwise
    #[command(alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListEvents),
    /// Show one event, with what was before and after
    Get(ById),
    /// Prove that no event was changed, removed, added or moved
    ///
    /// The server sends the chain of all events, and it is proved here: each has the hash of the one before. A broken chain is an
    /// error that names the place. What is older than the server's retention is gone; the rest proves itself.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyChain),
}

#[derive(Debug, Args)]
pub(crate) struct ListEvents {
    /// Only events of this kind of resource, e.g. claim, user, host
    #[arg(long = "type", value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only this action, e.g. CreateClaim
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only what this user did
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only events with this result
    #[arg(long, value_enum)]
    pub(crate) result: Option<AuditResult>,
    /// Only events of this resource
    #[arg(long, value_name = "ID")]
    pub(crate) resource_id: Option<String>,
    /// Only events from then on: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only events before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// All of them, page by page
    #[arg(long, conflicts_with_all = ["page", "limit"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// What became of an attempt, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditResult {
    /// It was done
    Success,
    /// It was tried and failed
    Failure,
    /// The caller may not
    Denied,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyChain {
    /// A head that was printed earlier: the log must still contain it
    #[arg(long, value_name = "SEQUENCE:HASH")]
    pub(crate) head: Option<Head>,
}
