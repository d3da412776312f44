//! `aiinfra audit …`.

use anyhow::{Context as _, bail};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use utopia_proto::audit::v1::AuditLink;
use utopia_proto::chain::Chain;

use super::listing::listing;
use super::{Context, word};
use crate::api::{Event, EventList, Link, Payload};
use crate::args::{AuditCommand, Head, ListEvents, Page, VerifyChain};
use crate::client::Client;
use crate::output::{Output, Table, ago, fields};

const AUDIT: [&str; 3] = ["api", "v1", "audit"];

/// How many events are shown when nothing else is asked for: a log grows for ever.
const NEWEST: u32 = 100;

pub(super) async fn run(context: &Context, command: AuditCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let [api, version, audit] = AUDIT;
    match command {
        AuditCommand::List(list) => self::list(&client, output, list).await,
        AuditCommand::Get(event) => {
            let answer = client.get(&[api, version, audit, &event.id], &[]).await?;
            output.show(answer, |event: Event| details(&event, Timestamp::now()))
        }
        AuditCommand::Verify(VerifyChain { head }) => verify(&client, output, head).await,
    }
}

async fn list(client: &Client, output: Output, list: ListEvents) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let page = match (list.all, list.page) {
        (false, Page { page: None, limit: None }) => Page { page: None, limit: Some(NEWEST) },
        (_, page) => page,
    };
    let filters = vec![
        ("event_type", list.kind),
        ("action", list.action),
        ("user", list.user),
        ("result", list.result.map(word)),
        ("resource_id", list.resource_id),
        ("start_time", list.since.map(|moment| moment.before(now).to_string())),
        ("end_time", list.until.map(|moment| moment.before(now).to_string())),
    ];
    let answer = listing(client, &AUDIT, "events", filters, &page).await?;
    output.show(answer, |list: EventList| {
        if list.page.total > list.events.len() as u64 {
            output.note(&format!(
                "page {}: {} of {}; choose with --page and --limit, or --all",
                list.page.page.max(1),
                list.events.len(),
                list.page.total
            ));
        }
        table(&list.events)
    })
}

/// Proves the chain as it comes; nothing of it is kept but the head.
async fn verify(client: &Client, output: Output, noted: Option<Head>) -> anyhow::Result<()> {
    let [api, version, audit] = AUDIT;
    let mut messages = client.stream(&[api, version, audit, "chain"], &[]).await?;
    let mut chain = Chain::new();
    let mut noted = noted.map(Noted::new);
    let mut count: u64 = 0;
    while let Some(message) = messages.try_next().await? {
        let link: Link =
            serde_json::from_value(message).with_context(|| format!("the link after {count} others cannot be read"))?;
        let link = AuditLink::from(link);
        chain.push(&link).map_err(anyhow::Error::from).and_then(|()| says_its_place(&link)).context("the audit log is broken")?;
        if let Some(noted) = &mut noted {
            noted.compare(&link)?;
        }
        count += 1;
    }
    if let Some(noted) = noted {
        noted.must_have_been_seen(&chain)?;
    }
    let (first, head) = (chain.first(), chain.head());
    let answer = json!({
        "links": count,
        "first_sequence": first,
        "head": head.map(|(sequence, hash)| json!({"sequence": sequence, "hash": hash})),
    });
    output.show(answer, |_: Value| match (first, head) {
        (Some(first), Some((last, hash))) => {
            format!("{count} links are proved, {first} to {last}; nothing between them was changed\nhead {last}:{hash}\n")
        }
        (Some(_) | None, _) => "the audit log is empty\n".to_owned(),
    })
}

/// The events know their place themselves: what shows them must not be fooled by the numbers beside them.
fn says_its_place(link: &AuditLink) -> anyhow::Result<()> {
    let payload: Payload =
        serde_json::from_str(&link.payload).with_context(|| format!("the event of link {} cannot be read", link.sequence))?;
    if payload.sequence != link.sequence {
        bail!("link {} has an event that says it is link {}", link.sequence, payload.sequence);
    }
    Ok(())
}

/// A head that was noted earlier, and whether the chain still contains it.
struct Noted {
    head: Head,
    seen: bool,
}

impl Noted {
    fn new(head: Head) -> Self {
        Self { head, seen: false }
    }

    /// The link itself, or the one after it, which has its hash as well: the link may be older than the retention.
    fn compare(&mut self, link: &AuditLink) -> anyhow::Result<()> {
        let Head { sequence, hash } = &self.head;
        let found = match link.sequence {
            same if same == *sequence => &link.hash,
            next if !self.seen && next.checked_sub(1) == Some(*sequence) => &link.previous_hash,
            _ => return Ok(()),
        };
        if found != hash {
            bail!("the audit log is broken: link {sequence} has not the hash that was noted; the log was written anew");
        }
        self.seen = true;
        Ok(())
    }

    fn must_have_been_seen(&self, chain: &Chain) -> anyhow::Result<()> {
        let sequence = self.head.sequence;
        match (self.seen, chain.first(), chain.head()) {
            (true, ..) => Ok(()),
            (false, Some(first), Some((last, _))) if sequence < first => {
                bail!("link {sequence} is gone, the audit log begins at {first} and ends at {last}; note a newer head")
            }
            (false, _, Some((last, _))) => {
                bail!("the audit log is broken: it ends at link {last}, and link {sequence} was cut off")
            }
            (false, _, None) => bail!("the audit log is broken: it is empty, and link {sequence} was removed"),
        }
    }
}

fn table(events: &[Event]) -> String {
    let mut table = Table::new(["TIME", "USER", "ACTION", "RESOURCE", "RESOURCE ID", "RESULT", "FROM", "ID"]);
    for event in events {
        table.row([
            event.timestamp.map_or_else(String::new, |time| format!("{time:.0}")),
            event.user.clone(),
            event.action.clone(),
            event.resource.clone(),
            event.resource_id.clone(),
            event.result.clone(),
            event.ip_address.clone(),
            event.id.clone(),
        ]);
    }
    table.render()
}

fn details(event: &Event, now: Timestamp) -> String {
    let json = |value: &Option<Map<String, Value>>| match value {
        Some(members) if !members.is_empty() => Value::Object(members.clone()).to_string(),
        Some(_) | None => String::new(),
    };
    fields([
        ("ID", event.id.clone()),
        ("Link", event.sequence.to_string()),
        ("Hash", event.hash.clone()),
        ("Time", ago(event.timestamp, now)),
        ("User", event.user.clone()),
        ("From", event.ip_address.clone()),
        ("Action", event.action.clone()),
        ("Resource", format!("{} {}", event.resource, event.resource_id).trim().to_owned()),
        ("Result", event.result.clone()),
        ("Before", json(&event.old_value)),
        ("After", json(&event.new_value)),
        ("Details", json(&event.details)),
    ])
}
