//! `aiinfra webhooks …`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing::listing;
use super::{Context, secret, typed, word};
use crate::api::{Delivery, DeliveryList, Webhook, WebhookList};
use crate::args::{ById, CreateWebhook, ListDeliveries, Redeliver, SecretSource, UpdateWebhook, WebhooksCommand};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Table, age, ago, fields, remaining};

const WEBHOOKS: [&str; 2] = ["api", "webhooks"];

pub(super) async fn run(context: &Context, command: WebhooksCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        WebhooksCommand::List(page) => {
            let answer = listing(&client, &WEBHOOKS, "webhooks", Vec::new(), &page).await?;
            output.show(answer, |list: WebhookList| {
                output.note_page(&list.page, list.webhooks.len());
                table(&list.webhooks, Timestamp::now())
            })
        }
        WebhooksCommand::Get(ById { id }) => show(output, client.get(&at(&id, &[]), &[]).await?),
        WebhooksCommand::Create(webhook) => create(&client, output, webhook).await,
        WebhooksCommand::Update(update) => {
            let path = at(&update.webhook.id, &[]);
            let present = serde_json::from_value(client.get(&path, &[]).await?)?;
            let answer = client.put(&path, &replacement(present, &update)?).await?;
            show(output, answer)
        }
        WebhooksCommand::Delete(ById { id }) => {
            client.delete(&at(&id, &[]), &[]).await?;
            Ok(output.done(&format!("webhook {id} is deleted"))?)
        }
        WebhooksCommand::Test(ById { id }) => test(&client, output, &id).await,
        WebhooksCommand::Deliveries(ListDeliveries { webhook, status, page }) => {
            let filters = vec![("status", status.map(word))];
            let answer = listing(&client, &at(&webhook.id, &["deliveries"]), "deliveries", filters, &page).await?;
            output.show(answer, |list: DeliveryList| {
                output.note_page(&list.page, list.deliveries.len());
                deliveries(&list.deliveries, Timestamp::now())
            })
        }
        WebhooksCommand::Redeliver(Redeliver { webhook, delivery }) => {
            let path = at(&webhook.id, &["deliveries", &delivery, "redeliver"]);
            let answer = client.post(&path, &json!({})).await?;
            output.show(answer, |delivery: Delivery| format!("event {} is sent again soon\n", delivery.event_id))
        }
    }
}

/// The secret is the only result where the server made it, so that it can be kept as it is.
async fn create(client: &Client, output: Output, webhook: CreateWebhook) -> anyhow::Result<()> {
    let secret = given(&webhook.secret)?;
    let is_known = secret.is_some();
    let body = typed([
        ("url", Some(webhook.target.into())),
        ("events", Some(webhook.events.into())),
        ("secret", secret.map(Into::into)),
        ("description", webhook.description.map(Into::into)),
        ("paused", webhook.paused.then(|| true.into())),
    ]);
    let answer = client.post(&WEBHOOKS, &body).await?;
    output.show(answer, |webhook: Webhook| {
        if is_known {
            return format!("webhook {} is added\n", webhook.id);
        }
        output.note(&format!("webhook {} is added; the secret of its signatures is shown this once:", webhook.id));
        format!("{}\n", webhook.secret)
    })
}

/// A test that is not taken is an error, for scripts.
async fn test(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let answer = client.post(&at(id, &["test"]), &json!({})).await?;
    let delivery: Delivery = serde_json::from_value(answer.clone())?;
    output.show(answer, |delivery: Delivery| match delivery.is_delivered() {
        true => format!("delivered: {} in {} ms\n", delivery.response_status, delivery.duration_ms),
        false => String::new(),
    })?;
    if !delivery.is_delivered() {
        return Err(Failure::EndedBadly(format!("the test was not delivered: {}", delivery.error)).into());
    }
    Ok(())
}

/// The server replaces all it knows of a webhook but its secret, so what was not typed is sent as it is.
fn replacement(present: Webhook, update: &UpdateWebhook) -> anyhow::Result<Value> {
    let events = if update.events.is_empty() { &present.events } else { &update.events };
    Ok(typed([
        ("url", Some(update.new_url.clone().unwrap_or(present.url).into())),
        ("events", Some(json!(events))),
        ("secret", given(&update.secret)?.map(Into::into)),
        ("description", Some(update.description.clone().unwrap_or(present.description).into())),
        ("paused", Some((update.pause || !present.active && !update.resume).into())),
    ]))
}

fn given(source: &SecretSource) -> anyhow::Result<Option<String>> {
    source.secret_file.as_deref().map(secret::line_of).transpose()
}

/// The path of a webhook, and of what belongs to it.
fn at<'a>(id: &'a str, further: &[&'a str]) -> Vec<&'a str> {
    [&WEBHOOKS[..], &[id], further].concat()
}

fn show(output: Output, answer: Value) -> anyhow::Result<()> {
    output.show(answer, |webhook: Webhook| {
        let now = Timestamp::now();
        fields([
            ("ID", webhook.id.clone()),
            ("URL", webhook.url.clone()),
            ("Events", webhook.events.join(", ")),
            ("State", state(&webhook).to_owned()),
            ("Description", webhook.description.clone()),
            ("Added", ago(webhook.created_at, now)),
            ("Changed", ago(webhook.updated_at, now)),
        ])
    })
}

fn state(webhook: &Webhook) -> &'static str {
    if webhook.active { "active" } else { "paused" }
}

fn table(webhooks: &[Webhook], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "URL", "EVENTS", "STATE", "AGE", "DESCRIPTION"]);
    for webhook in webhooks {
        table.row([
            webhook.id.clone(),
            webhook.url.clone(),
            webhook.events.join(","),
            state(webhook).to_owned(),
            age(webhook.created_at, now),
            webhook.description.clone(),
        ]);
    }
    table.render()
}

fn deliveries(deliveries: &[Delivery], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "EVENT", "STATUS", "ATTEMPTS", "ANSWER", "NEXT IN", "AGE", "ERROR"]);
    for delivery in deliveries {
        let answer = if delivery.response_status == 0 { String::new() } else { delivery.response_status.to_string() };
        table.row([
            delivery.id.clone(),
            delivery.event_type.clone(),
            delivery.status.clone(),
            delivery.attempts.to_string(),
            answer,
            remaining(delivery.next_attempt_at, now),
            age(delivery.created_at, now),
            delivery.error.clone(),
        ]);
    }
    table.render()
}
