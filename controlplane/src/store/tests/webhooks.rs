//! Webhooks and their deliveries.

use jiff::SignedDuration;
use utopia_proto::webhook::v1::DeliveryStatus;
use uuid::Uuid;

use crate::{
    error::Error,
    model::{
        PageRequest, Role,
        webhook::{Attempt, Delivery, Message, TRIED_FOR, Verdict, Webhook, WebhookSpec},
    },
    store::{
        Claimed, MAX_WEBHOOKS, NewDelivery, Settled, Store,
        testing::{at, claim, on_both_databases, trail, user},
    },
};

on_both_databases!(
    a_webhook_is_kept_changed_and_deleted,
    there_are_only_so_many_webhooks,
    an_event_is_fanned_out_once,
    what_is_claimed_is_nobody_elses_for_a_while,
    a_failure_is_tried_again_until_it_is_given_up,
    what_is_over_can_be_delivered_anew,
    old_deliveries_are_given_up_and_forgotten,
    a_paused_webhook_gets_nothing_of_the_pause,
);

const LEASE: SignedDuration = SignedDuration::from_secs(20);
const PAGE: PageRequest = PageRequest { page: 1, limit: 100 };

fn spec(active: bool) -> WebhookSpec {
    let events = vec!["claim.*".to_owned(), "job.failed".to_owned()];
    WebhookSpec { url: "https://example.com/".to_owned(), events, description: "a note".to_owned(), active }
}

async fn webhook(store: &Store, second: i64) -> Webhook {
    let (id, now) = (Uuid::new_v4(), at(second));
    let webhook = Webhook { id, spec: spec(true), sealed_secret: vec![0, 1, 2], since: 0, created_at: now, updated_at: now };
    store.create_webhook(&webhook, trail()).await.unwrap();
    store.webhook(id).await.unwrap().unwrap()
}

fn message(id: &str) -> Message {
    Message { event_id: id.to_owned(), event_type: "claim.running".to_owned(), body: "{}".to_owned() }
}

async fn fan_out(store: &Store, webhook: &Webhook, ids: &[&str]) {
    let from = store.webhook_cursor().await.unwrap();
    let new = |id: &&str| NewDelivery { webhook_id: webhook.id, message: message(id) };
    assert!(store.fan_out(from, from + 1, &ids.iter().map(new).collect::<Vec<_>>(), at(0)).await.unwrap());
}

async fn deliveries(store: &Store, webhook: &Webhook) -> Vec<Delivery> {
    store.list_deliveries(webhook.id, DeliveryStatus::Unspecified, PAGE).await.unwrap().items
}

fn settled(claimed: Claimed, verdict: Verdict, second: i64) -> Settled {
    let response_status = if verdict == Verdict::Delivered { 204 } else { 500 };
    let error = if verdict == Verdict::Delivered { "" } else { "the answer is 500" }.to_owned();
    let attempt = Attempt { verdict, response_status, error, retry_after: None, at: at(second), duration_ms: 7 };
    Settled { claimed, attempt, random: 0.5 }
}

async fn a_webhook_is_kept_changed_and_deleted(store: Store) {
    let (first, second) = (webhook(&store, 1).await, webhook(&store, 2).await);
    assert_eq!((&first.spec, &*first.sealed_secret), (&spec(true), &[0, 1, 2][..]));
    let list = store.list_webhooks(PageRequest { page: 1, limit: 1 }).await.unwrap();
    assert_eq!((list.total, list.items[0].id), (2, second.id));

    let url = "https://example.org/".to_owned();
    let changed = WebhookSpec { url, ..spec(true) };
    store.update_webhook(first.id, changed.clone(), None, at(3), trail()).await.unwrap();
    let found = store.webhook(first.id).await.unwrap().unwrap();
    assert_eq!((&found.spec, &*found.sealed_secret, found.updated_at), (&changed, &[0, 1, 2][..], at(3)));
    store.update_webhook(first.id, changed, Some(vec![9]), at(4), trail()).await.unwrap();
    assert_eq!(store.webhook(first.id).await.unwrap().unwrap().sealed_secret, [9]);

    fan_out(&store, &first, &["e1"]).await;
    store.delete_webhook(first.id, at(5), trail()).await.unwrap();
    assert!(store.webhook(first.id).await.unwrap().is_none());
    assert!(deliveries(&store, &first).await.is_empty());
    for result in [
        store.delete_webhook(first.id, at(6), trail()).await,
        store.update_webhook(first.id, spec(true), None, at(6), trail()).await.map(drop),
        store.pause_webhook(first.id, at(6)).await,
    ] {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    }
}

async fn there_are_only_so_many_webhooks(store: Store) {
    for _ in 0..MAX_WEBHOOKS {
        webhook(&store, 0).await;
    }
    let more = Webhook { id: Uuid::new_v4(), ..webhook_of(&store).await };
    let error = store.create_webhook(&more, trail()).await.unwrap_err();
    assert!(matches!(error, Error::Exhausted { reason: "TooManyWebhooks", .. }), "{error}");
}

async fn webhook_of(store: &Store) -> Webhook {
    store.active_webhooks().await.unwrap().remove(0)
}

async fn an_event_is_fanned_out_once(store: Store) {
    let webhook = webhook(&store, 0).await;
    let from = store.webhook_cursor().await.unwrap();
    let new = |id| NewDelivery { webhook_id: webhook.id, message: message(id) };
    assert!(store.fan_out(from, from + 2, &[new("e1"), new("e2")], at(1)).await.unwrap());
    // Another who has read the same, and one who begins anew with what is there already.
    assert!(!store.fan_out(from, from + 1, &[new("e1")], at(1)).await.unwrap());
    assert!(store.fan_out(from + 2, from + 3, &[new("e2"), new("e3")], at(1)).await.unwrap());
    let mut events = deliveries(&store, &webhook).await.into_iter().map(|delivery| delivery.event_id).collect::<Vec<_>>();
    events.sort();
    assert_eq!(events, ["e1", "e2", "e3"]);
    assert_eq!(store.webhook_cursor().await.unwrap(), from + 3);
    // Nothing is done by halves: the last of these is for nobody.
    let nobody = NewDelivery { webhook_id: Uuid::new_v4(), message: message("e5") };
    assert!(store.fan_out(from + 3, from + 4, &[new("e4"), nobody], at(1)).await.is_err());
    assert_eq!((store.webhook_cursor().await.unwrap(), deliveries(&store, &webhook).await.len()), (from + 3, 3));
}

async fn what_is_claimed_is_nobody_elses_for_a_while(store: Store) {
    let (webhook, other) = (webhook(&store, 0).await, webhook(&store, 0).await);
    fan_out(&store, &webhook, &["e1", "e2", "e3"]).await;
    assert_eq!(store.due_webhooks(at(0)).await.unwrap().iter().map(|due| due.id).collect::<Vec<_>>(), [webhook.id]);
    let slots = [(webhook.id, 2), (other.id, 2)];
    let (one, two) = tokio::join!(store.claim_deliveries(&slots, at(0), LEASE), store.claim_deliveries(&slots, at(0), LEASE));
    let mut events = one.unwrap().into_iter().chain(two.unwrap()).map(|claimed| claimed.message.event_id).collect::<Vec<_>>();
    let claimed = events.len();
    events.sort();
    events.dedup();
    assert_eq!(events.len(), claimed, "claimed twice");
    let rest = store.claim_deliveries(&[(webhook.id, 9)], at(19), LEASE).await.unwrap();
    assert_eq!(claimed + rest.len(), 3);
    assert!(store.claim_deliveries(&[(webhook.id, 9)], at(19), LEASE).await.unwrap().is_empty());
    assert!(store.due_webhooks(at(19)).await.unwrap().is_empty());
    // What is given back is due at once, the rest when nobody can be at it any more.
    let ids = rest.iter().map(|claimed| claimed.id).collect::<Vec<_>>();
    store.release_deliveries(&ids, at(19)).await.unwrap();
    let released = store.claim_deliveries(&[(webhook.id, 9)], at(19), LEASE).await.unwrap();
    assert_eq!(released.len(), ids.len());
    assert_eq!(store.claim_deliveries(&[(webhook.id, 9)], at(60), LEASE).await.unwrap().len(), 3);
}

async fn a_failure_is_tried_again_until_it_is_given_up(store: Store) {
    let webhook = webhook(&store, 0).await;
    fan_out(&store, &webhook, &["e1"]).await;
    let mut now = at(0);
    let mut attempts = 0;
    loop {
        let claimed = store.claim_deliveries(&[(webhook.id, 1)], now, LEASE).await.unwrap().remove(0);
        assert_eq!(claimed.attempts, attempts);
        attempts += 1;
        store.settle_deliveries(&[settled(claimed, Verdict::Failed, 0)], now).await.unwrap();
        let delivery = deliveries(&store, &webhook).await.remove(0);
        assert_eq!((delivery.attempts, delivery.response_status, &*delivery.error), (attempts, 500, "the answer is 500"));
        let Some(next) = delivery.next_attempt_at else {
            assert_eq!(delivery.status, DeliveryStatus::Failed);
            break;
        };
        assert_eq!(delivery.status, DeliveryStatus::Pending);
        assert!(next > now && next < at(0) + TRIED_FOR, "{next}");
        assert!(
            store.claim_deliveries(&[(webhook.id, 1)], next - SignedDuration::from_millis(1), LEASE).await.unwrap().is_empty()
        );
        now = next;
    }
    assert!(now > at(0) + TRIED_FOR / 2, "{now}");
    assert!((15..40).contains(&attempts), "{attempts}");
}

async fn what_is_over_can_be_delivered_anew(store: Store) {
    let webhook = webhook(&store, 0).await;
    fan_out(&store, &webhook, &["e1", "e2"]).await;
    let claimed = store.claim_deliveries(&[(webhook.id, 2)], at(1), LEASE).await.unwrap();
    let pending = claimed[0].id;
    let error = store.redeliver(webhook.id, pending, at(1), trail()).await.unwrap_err();
    assert!(matches!(&error, Error::FailedPrecondition { reason, .. } if reason == "DeliveryPending"), "{error}");
    let both =
        claimed.into_iter().zip([Verdict::Delivered, Verdict::Gone]).map(|(claimed, verdict)| settled(claimed, verdict, 2));
    store.settle_deliveries(&both.collect::<Vec<_>>(), at(2)).await.unwrap();
    let (delivered, failed) = (DeliveryStatus::Delivered, DeliveryStatus::Failed);
    for status in [delivered, failed] {
        let found = store.list_deliveries(webhook.id, status, PAGE).await.unwrap();
        assert_eq!((found.total, found.items[0].status, found.items[0].next_attempt_at), (1, status, None));
    }
    let again = store.redeliver(webhook.id, pending, at(3), trail()).await.unwrap();
    assert_eq!((again.status, again.next_attempt_at), (DeliveryStatus::Pending, Some(at(3))));
    let claimed = store.claim_deliveries(&[(webhook.id, 2)], at(3), LEASE).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.id).collect::<Vec<_>>(), [pending]);
    for (of, id) in [(webhook.id, Uuid::new_v4()), (Uuid::new_v4(), pending)] {
        assert!(matches!(store.redeliver(of, id, at(3), trail()).await, Err(Error::NotFound { .. })));
    }
}

async fn old_deliveries_are_given_up_and_forgotten(store: Store) {
    let webhook = webhook(&store, 0).await;
    fan_out(&store, &webhook, &["e1"]).await;
    let end = at(0) + TRIED_FOR;
    assert_eq!(store.give_up_deliveries(end - SignedDuration::from_secs(1)).await.unwrap(), 0);
    assert_eq!(store.give_up_deliveries(end).await.unwrap(), 1);
    let attempt = settled_attempt(at(5));
    store.record_delivery(webhook.id, &message("test"), &attempt, trail()).await.unwrap();
    assert_eq!(deliveries(&store, &webhook).await.len(), 2);
    assert_eq!(store.forget_deliveries(end).await.unwrap(), 1);
    assert_eq!(deliveries(&store, &webhook).await[0].event_id, "e1");
    assert_eq!(store.forget_deliveries(end + SignedDuration::from_secs(1)).await.unwrap(), 1);
    let nobody = store.record_delivery(Uuid::new_v4(), &message("test"), &attempt, trail()).await;
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
}

fn settled_attempt(at: jiff::Timestamp) -> Attempt {
    Attempt { verdict: Verdict::Delivered, response_status: 200, error: String::new(), retry_after: None, at, duration_ms: 1 }
}

async fn a_paused_webhook_gets_nothing_of_the_pause(store: Store) {
    let owner = user(&store, "alice", Role::Admin).await;
    let webhook = webhook(&store, 0).await;
    fan_out(&store, &webhook, &["before"]).await;
    store.pause_webhook(webhook.id, at(1)).await.unwrap();
    assert!(store.active_webhooks().await.unwrap().is_empty());
    assert!(store.due_webhooks(at(2)).await.unwrap().is_empty());
    let begin = store.outbox_ends().await.unwrap().newest;
    claim(&store, &owner, 1).await;
    store.update_webhook(webhook.id, spec(true), None, at(2), trail()).await.unwrap();
    claim(&store, &owner, 1).await;
    let resumed = store.webhook(webhook.id).await.unwrap().unwrap();
    let wanted = store.events_after(begin, 10).await.unwrap().iter().map(|event| resumed.wants(event)).collect::<Vec<_>>();
    assert_eq!(wanted, [false, true]);
    // What was on its way goes on.
    assert_eq!(store.due_webhooks(at(2)).await.unwrap().len(), 1);
}
