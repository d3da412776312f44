//! Webhooks and what is on its way to them: what is sent, and when it is tried again. No I/O.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use utopia_proto::webhook::v1::DeliveryStatus;
use uuid::Uuid;

use super::{
    audit::Change,
    event::{self, Event},
};

/// The type of the event that tests a webhook.
pub const TEST_EVENT: &str = "webhook.test";

/// How long an event is tried.
pub const TRIED_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(4);

/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// A subscription.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: Uuid,
    /// What its owner says of it.
    pub spec: WebhookSpec,
    /// The secret of its signatures, sealed for its row.
    pub sealed_secret: Vec<u8>,
    /// Only events after this one are sent.
    pub since: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// What its owner says of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSpec {
    /// Where events are sent.
    pub url: String,
    /// Types and patterns, at least one.
    pub events: Vec<String>,
    /// A note.
    pub description: String,
    /// Whether events are sent.
    pub active: bool,
}

impl Webhook {
    /// Whether it wants this event.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        let names = |pattern: &String| event::matches(pattern, &event.kind);
        self.spec.active && event.sequence > self.since && self.spec.events.iter().any(names)
    }

    /// What the audit log says of a new webhook.
    #[must_use]
    pub fn creation(&self) -> Change {
        let mut value = self.spec.audit_value();
        value["secret"] = "***".into();
        Change::created(self.id, value)
    }

    /// The same with other contents, and what the audit log says of that. Without a secret the present one stays.
    #[must_use]
    pub fn updated(self, spec: WebhookSpec, sealed_secret: Option<Vec<u8>>, now: Timestamp) -> (Self, Change) {
        let (old, mut new) = (self.spec.audit_value(), spec.audit_value());
        if sealed_secret.is_some() {
            new["secret"] = "***".into();
        }
        let change = Change::updated(self.id, old, new);
        (Self { spec, sealed_secret: sealed_secret.unwrap_or(self.sealed_secret), updated_at: now, ..self }, change)
    }

    /// What the audit log says of a webhook that is gone.
    #[must_use]
    pub fn deletion(&self) -> Change {
        Change::deleted(self.id, self.spec.audit_value())
    }
}

impl WebhookSpec {
    fn audit_value(&self) -> Value {
        let Self { url, events, description, active } = self;
        json!({"url": url, "events": events, "description": description, "active": active})
    }
}

/// An event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// To which webhook.
    pub webhook_id: Uuid,
    /// The event, which is the `webhook-id` of every attempt.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// How it stands; never `Unspecified`.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: i64,
    /// The HTTP status of the last answer; 0 when there was none.
    pub response_status: u16,
    /// Why the last attempt failed.
    pub error: String,
    /// How long the last attempt took.
    pub duration_ms: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was tried last.
    pub attempted_at: Option<Timestamp>,
    /// When it is tried next; none when it is over.
    pub next_attempt_at: Option<Timestamp>,
}

/// What is sent of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// JSON text.
    pub body: String,
}

impl Message {
    /// An event as subscribers see it.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let body = json!({"type": event.kind, "timestamp": event.at.to_string(), "data": event.data});
        Self { event_id: event.id.clone(), event_type: event.kind.clone(), body: body.to_string() }
    }

    /// What tests a webhook.
    #[must_use]
    pub fn test(webhook: Uuid, now: Timestamp) -> Self {
        let data = json!({"id": webhook.to_string(), "message": "This is a test."});
        let body = json!({"type": TEST_EVENT, "timestamp": now.to_string(), "data": data});
        Self { event_id: Uuid::new_v4().to_string(), event_type: TEST_EVENT.to_owned(), body: body.to_string() }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub verdict: Verdict,
    /// The HTTP status of the answer; 0 when there was none.
    pub response_status: u16,
    /// Why it failed; empty when it did not.
    pub error: String,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<SignedDuration>,
    /// When it was begun.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

impl Attempt {
    /// The pause after this failure, with so many before it. A receiver may ask for a longer one, up to the longest there is.
    #[must_use]
    pub fn pause(&self, failures_before: i64, random: f64) -> SignedDuration {
        let wanted = self.retry_after.map_or(SignedDuration::ZERO, |wanted| wanted.min(LONGEST_PAUSE));
        pause(failures_before + 1, random).max(wanted)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// With 2xx.
    Delivered,
    /// In some other way.
    Failed,
    /// The receiver says that it is gone for good.
    Gone,
}

/// The pause after so many failures, which is never the same: `random` is 0 to 1.
#[must_use]
fn pause(failures: i64, random: f64) -> SignedDuration {
    let doublings = i32::try_from(failures.clamp(1, 32) - 1).unwrap_or_default();
    let pause = FIRST_PAUSE.as_secs_f64() * 2_f64.powi(doublings);
    // From three quarters to five quarters.
    let jittered = pause.min(LONGEST_PAUSE.as_secs_f64()) * (0.75 + random.clamp(0.0, 1.0) / 2.0);
    SignedDuration::try_from_secs_f64(jittered).unwrap_or(LONGEST_PAUSE)
}

/// The word for a status in the store; empty for `Unspecified`.
#[must_use]
pub const fn word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Unspecified => "",
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(events: &[&str]) -> Webhook {
        let spec = WebhookSpec {
            url: "https://example.com".to_owned(),
            events: events.iter().map(ToString::to_string).collect(),
            description: String::new(),
            active: true,
        };
        let at = Timestamp::UNIX_EPOCH;
        Webhook { id: Uuid::nil(), spec, sealed_secret: Vec::new(), since: 10, created_at: at, updated_at: at }
    }

    fn event(sequence: i64) -> Event {
        Event {
            sequence,
            id: "an-id".to_owned(),
            kind: "node.down".to_owned(),
            resource_id: "n".to_owned(),
            owner_id: None,
            at: Timestamp::UNIX_EPOCH,
            data: [("id".to_owned(), json!("n"))].into_iter().collect(),
        }
    }

    #[test]
    fn a_webhook_wants_what_it_names_and_what_is_new() {
        let table = [(&["*"][..], 11, true), (&["job.*", "node.down"], 11, true), (&["job.*"], 11, false), (&["*"], 10, false)];
        for (events, sequence, expected) in table {
            assert_eq!(webhook(events).wants(&event(sequence)), expected, "{events:?} {sequence}");
        }
        let mut paused = webhook(&["*"]);
        paused.spec.active = false;
        assert!(!paused.wants(&event(11)));
    }

    #[test]
    fn an_event_is_sent_as_its_type_time_and_data() {
        let message = Message::of(&event(1));
        assert_eq!((&*message.event_id, &*message.event_type), ("an-id", "node.down"));
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body, json!({"type": "node.down", "timestamp": "1970-01-01T00:00:00Z", "data": {"id": "n"}}));
    }

    #[test]
    fn pauses_grow_and_fill_three_days() {
        for random in [0.0, 0.5, 1.0] {
            let mut total = SignedDuration::ZERO;
            let mut attempts = 1;
            let mut last = SignedDuration::ZERO;
            while total < TRIED_FOR {
                let next = pause(attempts, random);
                assert!(next >= last, "{attempts}");
                last = next;
                total += next;
                attempts += 1;
            }
            assert!((18..=32).contains(&attempts), "{attempts}");
        }
        let asked_for = |seconds| {
            let retry_after = Some(SignedDuration::from_secs(seconds));
            let (verdict, error) = (Verdict::Failed, String::new());
            Attempt { verdict, response_status: 429, error, retry_after, at: Timestamp::UNIX_EPOCH, duration_ms: 0 }
        };
        assert_eq!(asked_for(1).pause(0, 0.5), pause(1, 0.5));
        assert_eq!(asked_for(120).pause(0, 0.5), SignedDuration::from_mins(2));
        assert_eq!(asked_for(i64::from(u32::MAX)).pause(0, 0.5), LONGEST_PAUSE);
        assert!(pause(1, 0.0) < pause(1, 1.0));
        assert_eq!(pause(i64::MAX, 0.5), LONGEST_PAUSE);
    }
}
