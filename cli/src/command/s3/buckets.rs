//! `aiinfra s3 ls`, `rm`, `mb`, `rb` and `presign`.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Context;
use crate::args::{ListObjects, PresignObject, RemoveObjects};
use crate::failure::Failure;
use crate::objects::{Depth, Listing, Place};
use crate::output::{Table, age, exact_bytes};

pub(super) async fn list(context: &Context, ListObjects { place, recursive }: ListObjects) -> anyhow::Result<()> {
    let (store, now) = (context.store()?, Timestamp::now());
    let Some(place) = place else {
        let buckets = store.buckets().await?;
        return context.output.show(json!({ "buckets": buckets }), |_: Value| {
            let mut table = Table::new(["BUCKET", "AGE"]);
            for bucket in &buckets {
                table.row([bucket.name.clone(), age(bucket.created_at, now)]);
            }
            table.render()
        });
    };
    let depth = if recursive { Depth::Everything } else { Depth::Level };
    let listing = store.list(&place, depth).await.with_context(|| place.to_string())?;
    context.output.show(answer(&place, &listing), |_: Value| table(&listing, now))
}

/// A list as programs see it: what keys have in common is an entry without a size.
fn answer(place: &Place, listing: &Listing) -> Value {
    let prefixes = listing.prefixes.iter().map(|prefix| json!({"name": prefix, "is_prefix": true}));
    let objects = listing.objects.iter().map(|object| {
        json!({
            "name": object.name,
            "is_prefix": false,
            "size": object.size,
            "modified_at": object.modified_at,
            "etag": object.etag,
        })
    });
    json!({"bucket": place.bucket, "prefix": place.key, "objects": prefixes.chain(objects).collect::<Vec<_>>()})
}

fn table(listing: &Listing, now: Timestamp) -> String {
    let mut table = Table::new(["KEY", "SIZE", "AGE"]);
    for prefix in &listing.prefixes {
        table.row([prefix.clone(), String::new(), String::new()]);
    }
    for object in &listing.objects {
        table.row([object.name.clone(), exact_bytes(object.size), age(object.modified_at, now)]);
    }
    table.render()
}

pub(super) async fn remove(context: &Context, RemoveObjects { place, recursive }: RemoveObjects) -> anyhow::Result<()> {
    let store = context.store()?;
    if recursive {
        let place = place.as_directory();
        let removed = store.remove_all(&place).await.with_context(|| place.to_string())?;
        if removed == 0 {
            return Err(Failure::NotFound(format!("there is nothing below {place}")).into());
        }
        let what = if removed == 1 { "1 object is".to_owned() } else { format!("{removed} objects are") };
        return Ok(context.output.done(&format!("{what} removed below {place}"))?);
    }
    if place.key.is_empty() {
        let sentence = format!("{place} is a bucket: remove all that is in it with --recursive, and itself with `aiinfra s3 rb`");
        return Err(Failure::Usage(sentence).into());
    }
    store.remove(&place).await?;
    Ok(context.output.done(&format!("{place} is removed"))?)
}

pub(super) async fn make(context: &Context, bucket: &Place) -> anyhow::Result<()> {
    context.store()?.make_bucket(bucket).await.with_context(|| bucket.to_string())?;
    Ok(context.output.done(&format!("bucket {bucket} is made"))?)
}

pub(super) async fn drop_bucket(context: &Context, bucket: &Place) -> anyhow::Result<()> {
    context.store()?.remove_bucket(bucket).await.with_context(|| bucket.to_string())?;
    Ok(context.output.done(&format!("bucket {bucket} is removed"))?)
}

/// Asks no server: whether the object is there, those will see who use the URL.
pub(super) fn presign(context: &Context, PresignObject { object, expires }: &PresignObject) -> anyhow::Result<()> {
    let lifetime = Duration::from_secs(expires.0.into());
    let url = context.store()?.presigned(&object.0, lifetime)?;
    context.output.show(json!({"url": url.as_str(), "expires_in_seconds": expires.0}), |_: Value| format!("{url}\n"))
}
