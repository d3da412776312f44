//! `aiinfra s3 …`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::listing::listing;
use crate::api::{AccessKey, AccessKeyList, BucketList};
use crate::args::{CreateKey, KeysCommand, S3Command};
use crate::output::{Output, Table, age, fields, size_bytes};

const KEYS: [&str; 2] = ["api", "access-keys"];

pub(super) async fn run(context: &Context, command: S3Command) -> anyhow::Result<()> {
    match command {
        S3Command::Keys(command) => keys(context, command).await,
        S3Command::Usage(page) => {
            let answer = listing(&context.client()?, &["api", "storage", "buckets"], "buckets", Vec::new(), &page).await?;
            context.output.show(answer, |list: BucketList| {
                context.output.note_page(&list.page, list.buckets.len());
                let sums = &list.usage;
                let size = if sums.bytes == 0 { "nothing in them".to_owned() } else { size_bytes(sums.bytes) };
                context.output.note(&format!("{} buckets, {} objects, {size}", sums.buckets, sums.objects));
                usage(&list, Timestamp::now())
            })
        }
    }
}

async fn keys(context: &Context, command: KeysCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let [api, keys] = KEYS;
    match command {
        KeysCommand::Create(CreateKey { name }) => {
            let answer = client.post(&KEYS, &json!({ "name": name })).await?;
            secret(output, answer)
        }
        KeysCommand::List(page) => {
            let answer = listing(&client, &KEYS, "access_keys", Vec::new(), &page).await?;
            output.show(answer, |list: AccessKeyList| {
                output.note_page(&list.page, list.access_keys.len());
                table(&list.access_keys, Timestamp::now())
            })
        }
        KeysCommand::Rotate(key) => {
            let answer = client.post(&[api, keys, &key.id, "rotate"], &json!({})).await?;
            secret(output, answer)
        }
        KeysCommand::Revoke(key) => {
            client.delete(&[api, keys, &key.id], &[]).await?;
            Ok(output.done(&format!("Access key {} is revoked", key.id))?)
        }
    }
}

/// Shows a key with its secret.
fn secret(output: Output, answer: Value) -> anyhow::Result<()> {
    output.show(answer, |key: AccessKey| {
        output.note(&format!("Access key {} of {}; its secret is shown this once:", key.name, key.username));
        fields([("aws_access_key_id", key.id), ("aws_secret_access_key", key.secret)])
    })
}

fn table(keys: &[AccessKey], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "NAME", "USER", "USED", "AGE"]);
    for key in keys {
        table.row([key.id.clone(), key.name.clone(), key.username.clone(), age(key.last_used_at, now), age(key.created_at, now)]);
    }
    table.render()
}

fn usage(list: &BucketList, now: Timestamp) -> String {
    let mut table = Table::new(["BUCKET", "OWNER", "OBJECTS", "SIZE", "AGE"]);
    for bucket in &list.buckets {
        table.row([
            bucket.name.clone(),
            bucket.username.clone(),
            bucket.objects.to_string(),
            size_bytes(bucket.bytes),
            age(bucket.created_at, now),
        ]);
    }
    table.render()
}
