//! `aiinfra s3 …`.

mod buckets;
mod copying;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::listing::listing;
use super::{Context, environment};
use crate::api::{AccessKey, AccessKeyList, BucketList};
use crate::args::{CreateKey, KeysCommand, S3Command};
use crate::config::KeyPair;
use crate::output::{Output, Table, age, fields, size_bytes};

const KEYS: [&str; 2] = ["api", "access-keys"];

pub(super) async fn run(mut context: Context, command: S3Command) -> anyhow::Result<()> {
    match command {
        S3Command::Keys(command) => keys(&mut context, command).await,
        S3Command::Usage(page) => {
            let answer = listing(&context.client()?, &["api", "storage", "buckets"], "buckets", Vec::new(), &page).await?;
            context.output.show(answer, |list: BucketList| {
                context.output.note_page(&list.page, list.buckets.len());
                let sums = &list.usage;
                let size = if sums.bytes == 0 { "nothing in them".to_owned() } else { size_bytes(sums.bytes) };
                let count = |number: i64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
                let (buckets, objects) = (count(sums.buckets, "bucket"), count(sums.objects, "object"));
                context.output.note(&format!("{buckets}, {objects}, {size}"));
                usage(&list, Timestamp::now())
            })
        }
        S3Command::Cp(copy) => copying::run(&context, copy).await,
        S3Command::Ls(list) => buckets::list(&context, list).await,
        S3Command::Rm(remove) => buckets::remove(&context, remove).await,
        S3Command::Mb(one) => buckets::make(&context, &one.bucket.0).await,
        S3Command::Rb(one) => buckets::drop_bucket(&context, &one.bucket.0).await,
        S3Command::Presign(presign) => buckets::presign(&context, &presign),
    }
}

async fn keys(context: &mut Context, command: KeysCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let [api, keys] = KEYS;
    match command {
        KeysCommand::Create(CreateKey { name, save }) => {
            let answer = client.post(&KEYS, &json!({ "name": name })).await?;
            if save { kept(context, answer) } else { secret(output, answer) }
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
            if context.s3_key().is_some_and(|kept| kept.id == key.id) { kept(context, answer) } else { secret(output, answer) }
        }
        KeysCommand::Revoke(key) => {
            client.delete(&[api, keys, &key.id], &[]).await?;
            if context.s3_key().is_some_and(|kept| kept.id == key.id) {
                context.forget_s3_key()?;
            }
            Ok(output.done(&format!("Access key {} is revoked", key.id))?)
        }
    }
}

/// Keeps a key for the server. People are not shown its secret then; programs that ask are.
fn kept(context: &mut Context, answer: Value) -> anyhow::Result<()> {
    let key: AccessKey = serde_json::from_value(answer.clone()).context("the server's answer has no key")?;
    if let Err(error) = context.keep_s3_key(KeyPair { id: key.id.clone(), secret: key.secret }) {
        // It is shown this once, and would be lost.
        secret(context.output, answer)?;
        return Err(error.context("the key is made, but not kept"));
    }
    if environment("AWS_ACCESS_KEY_ID")?.is_some() {
        context.output.note("AWS_ACCESS_KEY_ID is set and takes the place of this key");
    }
    let file = context.config_path.display();
    let sentence = format!("Access key {} of {} is kept for {} in {file}\n", key.id, key.username, context.url);
    context.output.show(answer, |_: Value| sentence)
}

/// Shows a key with its secret.
fn secret(output: Output, answer: Value) -> anyhow::Result<()> {
    output.show_once(answer, |key: AccessKey| {
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
