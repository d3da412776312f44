//! Webhooks. Their secrets come and go sealed.

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, audit, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{Change, Trail},
        webhook::{Webhook, WebhookSpec},
    },
};

/// The most webhooks. Each has a few attempts of its own under way, whatever the others do.
pub const MAX_WEBHOOKS: i64 = 100;

macro_rules! select_webhooks {
    ($rest:literal) => {
        concat!("select id, url, events, description, active, sealed_secret, since, created_at, updated_at from webhooks ", $rest)
    };
}

impl Store {
    /// Adds a webhook, which gets what happens from now on.
    ///
    /// # Errors
    /// [`Error::Exhausted`] (`TooManyWebhooks`).
    pub async fn create_webhook(&self, webhook: &Webhook, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "add a webhook";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let count = sqlx::query_scalar("select count(*) from webhooks").fetch_one(&mut *transaction);
        let count: i64 = count.await.doing(CONTEXT)?;
        if count >= MAX_WEBHOOKS {
            let message = format!("there are {count} webhooks, which is the most: delete one first");
            return Err(Error::Exhausted { reason: "TooManyWebhooks", message, retry_after: None });
        }
        let insert = sqlx::query(
            "insert into webhooks (id, url, events, description, active, sealed_secret, since, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, (select sequence from outbox_head where id = 1), $7, $8)",
        );
        let insert = insert.bind(webhook.id.to_string()).bind(&webhook.spec.url).bind(events_column(&webhook.spec));
        let insert = insert.bind(&webhook.spec.description).bind(i64::from(webhook.spec.active)).bind(&webhook.sealed_secret);
        let insert = insert.bind(row::ms(webhook.created_at)).bind(row::ms(webhook.updated_at));
        insert.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, webhook.creation(), webhook.created_at).await?;
        transaction.commit().await.doing(CONTEXT)
    }

    /// One webhook.
    pub async fn webhook(&self, id: Uuid) -> Result<Option<Webhook>> {
        const CONTEXT: &str = "load a webhook";
        let query = sqlx::query(select_webhooks!("where id = $1")).bind(id.to_string());
        query.fetch_optional(&self.read).await.doing(CONTEXT)?.as_ref().map(read).transpose().doing(CONTEXT)
    }

    /// A page of the webhooks, the newest first.
    pub async fn list_webhooks(&self, page: PageRequest) -> Result<Page<Webhook>> {
        const CONTEXT: &str = "list webhooks";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar("select count(*) from webhooks").fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let query = sqlx::query(select_webhooks!("order by created_at desc, id desc limit $1 offset $2"));
        let query = query.bind(i64::from(page.limit)).bind(page.offset());
        let items = read_all(&query.fetch_all(&mut *connection).await.doing(CONTEXT)?).doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// The webhooks that are not paused.
    pub async fn active_webhooks(&self) -> Result<Vec<Webhook>> {
        const CONTEXT: &str = "load the webhooks";
        let query = sqlx::query(select_webhooks!("where active = 1"));
        read_all(&query.fetch_all(&self.read).await.doing(CONTEXT)?).doing(CONTEXT)
    }

    /// The webhooks that something is to be sent to now.
    pub async fn due_webhooks(&self, now: Timestamp) -> Result<Vec<Webhook>> {
        const CONTEXT: &str = "load the webhooks with deliveries that are due";
        let query = sqlx::query(select_webhooks!(
            "where active = 1 and exists (select 1 from webhook_deliveries \
             where webhook_id = webhooks.id and next_attempt_at is not null and next_attempt_at <= $1)"
        ));
        read_all(&query.bind(row::ms(now)).fetch_all(&self.read).await.doing(CONTEXT)?).doing(CONTEXT)
    }

    /// Replaces what is known of a webhook. One that was paused gets what happens from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn update_webhook(
        &self,
        id: Uuid,
        spec: WebhookSpec,
        sealed_secret: Option<Vec<u8>>,
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Webhook> {
        self.change_webhook(id, |webhook| webhook.updated(spec, sealed_secret, now), now, trail).await
    }

    /// Pauses a webhook whose receiver says that it is gone.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn pause_webhook(&self, id: Uuid, now: Timestamp) -> Result<()> {
        let pause = |webhook: Webhook| {
            let spec = WebhookSpec { active: false, ..webhook.spec.clone() };
            webhook.updated(spec, None, now)
        };
        self.change_webhook(id, pause, now, &Trail::system("webhook", "PauseWebhook")).await.map(drop)
    }

    async fn change_webhook(
        &self,
        id: Uuid,
        change: impl FnOnce(Webhook) -> (Webhook, Change),
        now: Timestamp,
        trail: &Trail,
    ) -> Result<Webhook> {
        const CONTEXT: &str = "change a webhook";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let webhook = lock(&mut transaction, id).await?;
        let was_active = webhook.spec.active;
        let (webhook, change) = change(webhook);
        let update = sqlx::query(
            "update webhooks set url = $2, events = $3, description = $4, active = $5, sealed_secret = $6, updated_at = $7, \
             since = case when $8 = 1 then (select sequence from outbox_head where id = 1) else since end where id = $1",
        );
        let begins_anew = webhook.spec.active && !was_active;
        let update = update.bind(id.to_string()).bind(&webhook.spec.url).bind(events_column(&webhook.spec));
        let update = update.bind(&webhook.spec.description).bind(i64::from(webhook.spec.active)).bind(&webhook.sealed_secret);
        let update = update.bind(row::ms(webhook.updated_at)).bind(i64::from(begins_anew));
        update.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(webhook)
    }

    /// Deletes a webhook with all that is on its way to it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_webhook(&self, id: Uuid, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "delete a webhook";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let webhook = lock(&mut transaction, id).await?;
        let delete = sqlx::query("delete from webhooks where id = $1").bind(id.to_string());
        delete.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, webhook.deletion(), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }
}

/// Holds the webhook's row until the transaction ends.
async fn lock(connection: &mut AnyConnection, id: Uuid) -> Result<Webhook> {
    const CONTEXT: &str = "lock a webhook";
    // An update that changes nothing is the one way to lock a row on both databases.
    let lock = sqlx::query("update webhooks set active = active where id = $1").bind(id.to_string());
    if lock.execute(&mut *connection).await.doing(CONTEXT)?.rows_affected() == 0 {
        return Err(Error::not_found("webhook", id));
    }
    let query = sqlx::query(select_webhooks!("where id = $1")).bind(id.to_string());
    read(&query.fetch_one(connection).await.doing(CONTEXT)?).doing(CONTEXT)
}

fn events_column(spec: &WebhookSpec) -> String {
    serde_json::json!(spec.events).to_string()
}

fn read_all(rows: &[AnyRow]) -> Result<Vec<Webhook>, sqlx::Error> {
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Webhook, sqlx::Error> {
    Ok(Webhook {
        id: row::uuid(row, "id")?,
        spec: WebhookSpec {
            url: row.try_get("url")?,
            events: row::json(row, "events")?,
            description: row.try_get("description")?,
            active: row.try_get::<i64, _>("active")? == 1,
        },
        sealed_secret: row.try_get("sealed_secret")?,
        since: row.try_get("since")?,
        created_at: row::timestamp(row, "created_at")?,
        updated_at: row::timestamp(row, "updated_at")?,
    })
}
