//! What is on its way to webhooks: made of the log of events together with the cursor that says how far it was read, claimed for a
//! while by whoever sends, and settled by what came of it.

use jiff::{SignedDuration, Timestamp};
use sqlx::{Any, Row as _, any::AnyRow, query::Query};
use utopia_proto::webhook::v1::DeliveryStatus;
use uuid::Uuid;

use super::{Doing as _, Store, audit, batch, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest,
        audit::{Change, Trail},
        webhook::{Attempt, Delivery, Message, TRIED_FOR, Verdict, word},
    },
};

/// The most deliveries that are removed in one transaction.
const FORGET: i64 = 1000;

macro_rules! select_deliveries {
    ($rest:literal) => {
        concat!(
            "select id, webhook_id, event_id, event_type, status, attempts, response_status, error, duration_ms, created_at, \
             attempted_at, next_attempt_at from webhook_deliveries ",
            $rest
        )
    };
}

/// A delivery to make of an event.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// To which webhook.
    pub webhook_id: Uuid,
    /// What.
    pub message: Message,
}

/// A delivery that is the claimant's to try for a while.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery.
    pub id: Uuid,
    /// To which webhook.
    pub webhook_id: Uuid,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is given up.
    pub give_up_at: Timestamp,
    /// What is sent.
    pub message: Message,
}

/// What became of a delivery.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The delivery as it was claimed.
    pub claimed: Claimed,
    /// What came of the attempt.
    pub attempt: Attempt,
    /// 0 to 1, for the pause before the next attempt.
    pub random: f64,
}

impl Settled {
    /// When it is tried next; none when it is over.
    fn next_attempt_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.attempt.verdict {
            Verdict::Delivered | Verdict::Gone => None,
            Verdict::Failed => {
                let next = now + self.attempt.pause(self.claimed.attempts, self.random);
                (next < self.claimed.give_up_at).then_some(next)
            }
        }
    }
}

impl Store {
    /// The last event of which deliveries were made.
    pub async fn webhook_cursor(&self) -> Result<i64> {
        let query = sqlx::query_scalar("select sequence from webhook_cursor where id = 1");
        query.fetch_one(&self.read).await.doing("load the webhooks' place in the log of events")
    }

    /// Makes deliveries of the events after a cursor, and moves it. Nothing is done, and false answered, when it was moved meanwhile.
    pub async fn fan_out(&self, from: i64, to: i64, deliveries: &[NewDelivery], now: Timestamp) -> Result<bool> {
        const CONTEXT: &str = "make deliveries of events";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let advance = sqlx::query("update webhook_cursor set sequence = $2 where id = 1 and sequence = $1").bind(from).bind(to);
        if advance.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        for deliveries in batch::pieces(deliveries) {
            let sql = batch::statement(
                "insert into webhook_deliveries (id, webhook_id, event_id, event_type, body, status, attempts, response_status, \
                 error, duration_ms, created_at, next_attempt_at, give_up_at) values ",
                "($, $, $, $, $, 'pending', 0, 0, '', 0, $, $, $)",
                deliveries.len(),
                " on conflict (webhook_id, event_id) do nothing",
                0,
            );
            let bind = |query: Query<'static, Any, _>, NewDelivery { webhook_id, message }: &NewDelivery| {
                let query = query.bind(Uuid::now_v7().to_string()).bind(webhook_id.to_string()).bind(message.event_id.clone());
                let query = query.bind(message.event_type.clone()).bind(message.body.clone());
                query.bind(row::ms(now)).bind(row::ms(now)).bind(row::ms(now + TRIED_FOR))
            };
            deliveries.iter().fold(sqlx::query(sql), bind).execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Claims so many of the deliveries of each webhook that are due, those first that wait longest. Nobody else gets them before
    /// `lease` is over.
    pub async fn claim_deliveries(&self, slots: &[(Uuid, i64)], now: Timestamp, lease: SignedDuration) -> Result<Vec<Claimed>> {
        const CONTEXT: &str = "claim deliveries";
        let mut claimed = Vec::new();
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        for (webhook_id, most) in slots {
            // The second look at the time is for whoever has waited for a row that another has claimed.
            let claim = sqlx::query(
                "update webhook_deliveries set next_attempt_at = $3 where next_attempt_at <= $2 and id in \
                 (select id from webhook_deliveries where webhook_id = $1 and next_attempt_at <= $2 \
                 order by next_attempt_at limit $4) \
                 returning id, webhook_id, event_id, event_type, body, attempts, give_up_at",
            );
            let claim = claim.bind(webhook_id.to_string()).bind(row::ms(now)).bind(row::ms(now + lease)).bind(most);
            for row in claim.fetch_all(&mut *transaction).await.doing(CONTEXT)? {
                claimed.push(read_claimed(&row).doing(CONTEXT)?);
            }
        }
        transaction.commit().await.doing(CONTEXT)?;
        Ok(claimed)
    }

    /// Writes down what came of attempts: all or, when it fails, nothing.
    pub async fn settle_deliveries(&self, settled: &[Settled], now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "settle deliveries";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        for settled in settled {
            let Settled { claimed, attempt, .. } = settled;
            let next = settled.next_attempt_at(now);
            let status = match (attempt.verdict, next) {
                (Verdict::Delivered, _) => DeliveryStatus::Delivered,
                (Verdict::Failed | Verdict::Gone, Some(_)) => DeliveryStatus::Pending,
                (Verdict::Failed | Verdict::Gone, None) => DeliveryStatus::Failed,
            };
            let update = sqlx::query(
                "update webhook_deliveries set status = $2, attempts = attempts + 1, response_status = $3, error = $4, \
                 duration_ms = $5, attempted_at = $6, next_attempt_at = $7, ended_at = $8 where id = $1 and status = 'pending'",
            );
            let update = update.bind(claimed.id.to_string()).bind(word(status)).bind(i64::from(attempt.response_status));
            let update = update.bind(&attempt.error).bind(attempt.duration_ms).bind(row::ms(attempt.at));
            let update = update.bind(next.map(row::ms)).bind(next.is_none().then(|| row::ms(now)));
            update.execute(&mut *transaction).await.doing(CONTEXT)?;
        }
        transaction.commit().await.doing(CONTEXT)
    }

    /// Gives back what was claimed and not tried to its end: it is due at once.
    pub async fn release_deliveries(&self, claimed: &[Uuid], now: Timestamp) -> Result<()> {
        const CONTEXT: &str = "give deliveries back";
        for ids in batch::pieces(claimed) {
            let head = "update webhook_deliveries set next_attempt_at = $1 where status = 'pending' and id in (";
            let release = sqlx::query(batch::statement(head, "$", ids.len(), ")", 1)).bind(row::ms(now));
            let release = ids.iter().fold(release, |query, id| query.bind(id.to_string()));
            release.execute(&self.write).await.doing(CONTEXT)?;
        }
        Ok(())
    }

    /// A page of a webhook's deliveries, the newest first; only those in this status unless it is `Unspecified`.
    pub async fn list_deliveries(&self, webhook: Uuid, status: DeliveryStatus, page: PageRequest) -> Result<Page<Delivery>> {
        const CONTEXT: &str = "list deliveries";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let count =
            sqlx::query_scalar("select count(*) from webhook_deliveries where webhook_id = $1 and ($2 = '' or status = $2)");
        let count = count.bind(webhook.to_string()).bind(word(status));
        let total = count.fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let query = sqlx::query(select_deliveries!(
            "where webhook_id = $1 and ($2 = '' or status = $2) order by created_at desc, id desc limit $3 offset $4"
        ));
        let query = query.bind(webhook.to_string()).bind(word(status)).bind(i64::from(page.limit)).bind(page.offset());
        let rows = query.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        Ok(Page { items: rows.iter().map(read).collect::<Result<_, _>>().doing(CONTEXT)?, total })
    }

    /// Writes down a delivery that was tried once, and is over.
    pub async fn record_delivery(&self, webhook: Uuid, message: &Message, attempt: &Attempt, trail: &Trail) -> Result<Delivery> {
        const CONTEXT: &str = "record a delivery";
        let delivered = attempt.verdict == Verdict::Delivered;
        let delivery = Delivery {
            id: Uuid::now_v7(),
            webhook_id: webhook,
            event_id: message.event_id.clone(),
            event_type: message.event_type.clone(),
            status: if delivered { DeliveryStatus::Delivered } else { DeliveryStatus::Failed },
            attempts: 1,
            response_status: attempt.response_status,
            error: attempt.error.clone(),
            duration_ms: attempt.duration_ms,
            created_at: attempt.at,
            attempted_at: Some(attempt.at),
            next_attempt_at: None,
        };
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let insert = sqlx::query(
            "insert into webhook_deliveries (id, webhook_id, event_id, event_type, body, status, attempts, response_status, \
             error, duration_ms, created_at, attempted_at, give_up_at, ended_at) \
             select $1, id, $3, $4, $5, $6, 1, $7, $8, $9, $10, $10, $10, $10 from webhooks where id = $2",
        );
        let insert = insert.bind(delivery.id.to_string()).bind(webhook.to_string()).bind(&message.event_id);
        let insert = insert.bind(&message.event_type).bind(&message.body).bind(word(delivery.status));
        let insert = insert.bind(i64::from(attempt.response_status)).bind(&attempt.error).bind(attempt.duration_ms);
        if insert.bind(row::ms(attempt.at)).execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Err(Error::not_found("webhook", webhook));
        }
        audit::append(&mut transaction, trail, Change::touched(webhook), attempt.at).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(delivery)
    }

    /// Lets a delivery that is over be tried anew.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::FailedPrecondition`] (`DeliveryPending`).
    pub async fn redeliver(&self, webhook: Uuid, id: Uuid, now: Timestamp, trail: &Trail) -> Result<Delivery> {
        const CONTEXT: &str = "deliver anew";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let update = sqlx::query(
            "update webhook_deliveries set status = 'pending', attempts = 0, next_attempt_at = $3, give_up_at = $4, \
             ended_at = null where id = $1 and webhook_id = $2 and status <> 'pending'",
        );
        let update = update.bind(id.to_string()).bind(webhook.to_string()).bind(row::ms(now)).bind(row::ms(now + TRIED_FOR));
        let changed = update.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected();
        let query = sqlx::query(select_deliveries!("where id = $1 and webhook_id = $2"));
        let query = query.bind(id.to_string()).bind(webhook.to_string());
        let row = query.fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let row = row.ok_or_else(|| Error::not_found("delivery", id))?;
        if changed == 0 {
            let message = format!("delivery {id} is still tried");
            return Err(Error::FailedPrecondition { reason: "DeliveryPending".into(), message });
        }
        audit::append(&mut transaction, trail, Change::touched(webhook), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        read(&row).doing(CONTEXT)
    }

    /// Gives up what was tried for long enough, also where nothing was tried because the webhook is paused.
    pub async fn give_up_deliveries(&self, now: Timestamp) -> Result<u64> {
        let update = sqlx::query(
            "update webhook_deliveries set status = 'failed', next_attempt_at = null, ended_at = $1 \
             where next_attempt_at is not null and give_up_at <= $1",
        );
        Ok(update.bind(row::ms(now)).execute(&self.write).await.doing("give deliveries up")?.rows_affected())
    }

    /// Removes deliveries that ended before a time, and no more than a good number at once; answers how many.
    pub async fn forget_deliveries(&self, before: Timestamp) -> Result<u64> {
        let delete = sqlx::query(
            "delete from webhook_deliveries where id in \
             (select id from webhook_deliveries where ended_at is not null and ended_at < $1 limit $2)",
        );
        let delete = delete.bind(row::ms(before)).bind(FORGET);
        Ok(delete.execute(&self.write).await.doing("remove old deliveries")?.rows_affected())
    }
}

fn read_claimed(row: &AnyRow) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        id: row::uuid(row, "id")?,
        webhook_id: row::uuid(row, "webhook_id")?,
        attempts: row.try_get("attempts")?,
        give_up_at: row::timestamp(row, "give_up_at")?,
        message: Message {
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            body: row.try_get("body")?,
        },
    })
}

fn read(row: &AnyRow) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        id: row::uuid(row, "id")?,
        webhook_id: row::uuid(row, "webhook_id")?,
        event_id: row.try_get("event_id")?,
        event_type: row.try_get("event_type")?,
        status: row::delivery_status(row, "status")?,
        attempts: row.try_get("attempts")?,
        response_status: row::number(row, "response_status")?,
        error: row.try_get("error")?,
        duration_ms: row.try_get("duration_ms")?,
        created_at: row::timestamp(row, "created_at")?,
        attempted_at: row::maybe_timestamp(row, "attempted_at")?,
        next_attempt_at: row::maybe_timestamp(row, "next_attempt_at")?,
    })
}
