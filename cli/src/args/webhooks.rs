//! `aiinfra webhooks …`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{ById, Page};

const CREATE_EXAMPLES: &str = "\
Without a secret the server makes one, which is the only output, so that it can be kept in a file:
  aiinfra webhooks create https://example.com/hook --event node.down --event 'job.*' > secret
  aiinfra webhooks create https://example.com/hook --event '*' --secret-file secret

Each event is a POST that is signed as Standard Webhooks says; failures are tried again for three days.";

const UPDATE_EXAMPLES: &str = "\
Examples:
  aiinfra webhooks update ID --event 'claim.*'
  aiinfra webhooks update ID --pause
  aiinfra webhooks update ID --secret-file new-secret";

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List webhooks, newest first
    #[command(alias = "ls")]
    List(Page),
    /// Show one webhook
    Get(ById),
    /// Send events to a URL from now on
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateWebhook),
    /// Change a webhook; what is not named stays
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateWebhook),
    /// Delete a webhook; what was not delivered is not delivered any more
    #[command(alias = "rm")]
    Delete(ById),
    /// Send an event of type webhook.test now, once; one that is not taken is an error
    Test(ById),
    /// List what was sent and what is on its way, newest first
    Deliveries(ListDeliveries),
    /// Send an event again that was delivered or given up
    Redeliver(Redeliver),
}

#[derive(Debug, Args)]
pub(crate) struct CreateWebhook {
    /// Where events are sent
    #[arg(value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) target: String,
    /// A type of events, e.g. job.completed, or job.* for all of jobs (repeatable)
    #[arg(long = "event", value_name = "TYPE", required = true)]
    pub(crate) events: Vec<String>,
    #[command(flatten)]
    pub(crate) secret: SecretSource,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Send nothing yet
    #[arg(long)]
    pub(crate) paused: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "new_url", "events", "secret_file", "description", "pause", "resume",
]))]
pub(crate) struct UpdateWebhook {
    #[command(flatten)]
    pub(crate) webhook: ById,
    /// Where events are sent
    #[arg(long = "to", value_name = "URL")]
    pub(crate) new_url: Option<String>,
    /// A type of events (repeatable); those given take the place of all old ones
    #[arg(long = "event", value_name = "TYPE")]
    pub(crate) events: Vec<String>,
    #[command(flatten)]
    pub(crate) secret: SecretSource,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Send nothing until it is resumed; what happens meanwhile is not sent later
    #[arg(long)]
    pub(crate) pause: bool,
    /// Send again
    #[arg(long, conflicts_with = "pause")]
    pub(crate) resume: bool,
}

/// Where the secret of the signatures comes from. It is never an argument: those are seen by everybody on the machine.
#[derive(Debug, Args)]
pub(crate) struct SecretSource {
    /// Read the secret of the signatures from the first line of this file; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ListDeliveries {
    #[command(flatten)]
    pub(crate) webhook: ById,
    /// Only those that stand so
    #[arg(long, value_enum)]
    pub(crate) status: Option<DeliveryStatus>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// How a delivery stands, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeliveryStatus {
    /// It is still tried
    Pending,
    /// It was taken
    Delivered,
    /// It was given up
    Failed,
}

#[derive(Debug, Args)]
pub(crate) struct Redeliver {
    #[command(flatten)]
    pub(crate) webhook: ById,
    /// The delivery, as `deliveries` shows it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) delivery: String,
}
