//! Webhooks and their deliveries.

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WebhookList {
    pub(crate) webhooks: Vec<Webhook>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) active: bool,
    pub(crate) description: String,
    pub(crate) secret: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) updated_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeliveryList {
    pub(crate) deliveries: Vec<Delivery>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    pub(crate) status: String,
    pub(crate) attempts: i64,
    pub(crate) response_status: i64,
    pub(crate) error: String,
    pub(crate) duration_ms: i64,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) next_attempt_at: Option<Timestamp>,
}

impl Delivery {
    pub(crate) fn is_delivered(&self) -> bool {
        self.status == "delivered"
    }
}
