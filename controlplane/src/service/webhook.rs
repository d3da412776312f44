//! `utopia.webhook.v1.WebhookService`.

use reqwest::Url;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::webhook::v1::{
    CreateWebhookRequest, DeleteWebhookRequest, Delivery as WireDelivery, DeliveryStatus, GetWebhookRequest,
    ListDeliveriesRequest, ListDeliveriesResponse, ListWebhooksRequest, ListWebhooksResponse, RedeliverRequest,
    TestWebhookRequest, UpdateWebhookRequest, Webhook as WireWebhook, webhook_service_server::WebhookService,
};
use uuid::Uuid;

use super::{convert, validate};
use crate::{
    auth::Identity,
    clock::Clock,
    error::{Error, Result},
    model::{
        PageRequest,
        event::{AUDIT, Kinds},
        webhook::{Delivery, Message, Verdict, Webhook, WebhookSpec},
    },
    seal::Sealer,
    store::Store,
    webhooks::{self, Webhooks},
};

/// The longest URL in characters.
const MAX_URL: usize = 2048;

/// The most types that a webhook may name.
const MAX_EVENTS: usize = 64;

/// The service.
#[derive(Debug, Clone)]
pub struct WebhookServer {
    /// Has the webhooks.
    pub store: Store,
    /// Seals their secrets.
    pub sealer: Sealer,
    /// Sends.
    pub webhooks: Webhooks,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl WebhookService for WebhookServer {
    async fn create_webhook(&self, request: Request<CreateWebhookRequest>) -> Result<Response<WireWebhook>, Status> {
        let trail = Identity::trail(&request);
        let CreateWebhookRequest { url, events, secret, description, paused } = request.into_inner();
        let spec = self.spec(url, events, description, paused).await?;
        let secret = if secret.is_empty() { webhooks::generate_secret()? } else { secret };
        let (id, now) = (Uuid::new_v4(), self.clock.now());
        let sealed_secret = self.seal(id, &secret)?;
        let webhook = Webhook { id, spec, sealed_secret, since: 0, created_at: now, updated_at: now };
        self.store.create_webhook(&webhook, &trail).await?;
        tracing::info!(webhook = %id, "webhook added");
        Ok(Response::new(WireWebhook { secret, ..show(webhook) }))
    }

    async fn list_webhooks(&self, request: Request<ListWebhooksRequest>) -> Result<Response<ListWebhooksResponse>, Status> {
        let ListWebhooksRequest { page, limit, page_size } = request.into_inner();
        let window = PageRequest::new(page, limit, page_size);
        let page = self.store.list_webhooks(window).await?;
        Ok(Response::new(ListWebhooksResponse {
            webhooks: page.items.into_iter().map(show).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_webhook(&self, request: Request<GetWebhookRequest>) -> Result<Response<WireWebhook>, Status> {
        Ok(Response::new(show(self.find(&request.get_ref().id).await?)))
    }

    async fn update_webhook(&self, request: Request<UpdateWebhookRequest>) -> Result<Response<WireWebhook>, Status> {
        let trail = Identity::trail(&request);
        let UpdateWebhookRequest { id, url, events, secret, description, paused } = request.into_inner();
        let id = validate::id("webhook", &id)?;
        let spec = self.spec(url, events, description, paused).await?;
        let sealed_secret = (!secret.is_empty()).then(|| self.seal(id, &secret)).transpose()?;
        let webhook = self.store.update_webhook(id, spec, sealed_secret, self.clock.now(), &trail).await?;
        tracing::info!(webhook = %id, active = webhook.spec.active, "webhook updated");
        self.webhooks.wake();
        Ok(Response::new(show(webhook)))
    }

    async fn delete_webhook(&self, request: Request<DeleteWebhookRequest>) -> Result<Response<()>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("webhook", &request.get_ref().id)?;
        self.store.delete_webhook(id, self.clock.now(), &trail).await?;
        tracing::info!(webhook = %id, "webhook deleted");
        Ok(Response::new(()))
    }

    async fn test_webhook(&self, request: Request<TestWebhookRequest>) -> Result<Response<WireDelivery>, Status> {
        let trail = Identity::trail(&request);
        let webhook = self.find(&request.get_ref().id).await?;
        let message = Message::test(webhook.id, self.clock.now());
        let attempt = self.webhooks.courier().send(&webhook, &message).await;
        let delivery = self.store.record_delivery(webhook.id, &message, &attempt, &trail).await?;
        if attempt.verdict == Verdict::Gone && webhook.spec.active {
            self.store.pause_webhook(webhook.id, self.clock.now()).await?;
        }
        Ok(Response::new(show_delivery(delivery)))
    }

    async fn list_deliveries(&self, request: Request<ListDeliveriesRequest>) -> Result<Response<ListDeliveriesResponse>, Status> {
        let ListDeliveriesRequest { id, status, page, limit, page_size } = request.into_inner();
        let status = DeliveryStatus::try_from(status);
        let status = status.map_err(|_| Error::invalid("status", "must be `pending`, `delivered` or `failed`"))?;
        let webhook = self.find(&id).await?;
        let window = PageRequest::new(page, limit, page_size);
        let page = self.store.list_deliveries(webhook.id, status, window).await?;
        Ok(Response::new(ListDeliveriesResponse {
            deliveries: page.items.into_iter().map(show_delivery).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn redeliver(&self, request: Request<RedeliverRequest>) -> Result<Response<WireDelivery>, Status> {
        let trail = Identity::trail(&request);
        let RedeliverRequest { id, delivery_id } = request.into_inner();
        let (webhook, delivery) = (validate::id("webhook", &id)?, validate::id("delivery", &delivery_id)?);
        let delivery = self.store.redeliver(webhook, delivery, self.clock.now(), &trail).await?;
        self.webhooks.wake();
        Ok(Response::new(show_delivery(delivery)))
    }
}

impl WebhookServer {
    async fn find(&self, id: &str) -> Result<Webhook> {
        let id = validate::id("webhook", id)?;
        self.store.webhook(id).await?.ok_or_else(|| Error::not_found("webhook", id))
    }

    /// What callers say of a webhook, if it can be.
    async fn spec(&self, url: String, events: Vec<String>, description: String, paused: bool) -> Result<WebhookSpec> {
        let target = target(&url)?;
        events_wanted(&events)?;
        validate::characters("description", &description, 256)?;
        let allowed = self.webhooks.courier().allowed().check(&target).await;
        allowed.map_err(|refused| Error::invalid("url", format!("leads where it must not: {refused}")))?;
        Ok(WebhookSpec { url: target.into(), events, description, active: !paused })
    }

    fn seal(&self, id: Uuid, secret: &str) -> Result<Vec<u8>> {
        webhooks::key(secret)?;
        let sealed = self.sealer.seal(webhooks::secret_place(&id.to_string()), secret.as_bytes());
        sealed.map_err(|error| Error::internal("seal a webhook's secret", error))
    }
}

/// The target of a webhook, whose form is as it should be.
fn target(url: &str) -> Result<Url> {
    if url.is_empty() {
        return Err(Error::missing("url"));
    }
    validate::characters("url", url, MAX_URL)?;
    let target = Url::parse(url).map_err(|error| Error::invalid("url", format!("must be a URL: {error}")))?;
    if !matches!(target.scheme(), "http" | "https") || !target.has_host() {
        return Err(Error::invalid("url", "must begin with `https://` or `http://`"));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(Error::invalid("url", "must have no user and password in it"));
    }
    Ok(target)
}

fn events_wanted(events: &[String]) -> Result<()> {
    if events.is_empty() {
        return Err(Error::missing("events"));
    }
    if events.len() > MAX_EVENTS {
        return Err(Error::invalid("events", format!("must be at most {MAX_EVENTS}")));
    }
    if let Some(at) = events.iter().position(|kind| !Kinds::is_pattern(kind)) {
        return Err(Error::invalid(format!("events[{at}]"), "must be like `job.completed`, `job.*` or `*`"));
    }
    match events.iter().position(|kind| kind.starts_with(AUDIT)) {
        Some(at) => Err(Error::invalid(format!("events[{at}]"), "must not be of the audit log, which is not sent")),
        None => Ok(()),
    }
}

/// The webhook without its secret.
fn show(webhook: Webhook) -> WireWebhook {
    let Webhook { id, spec, sealed_secret: _, since: _, created_at, updated_at } = webhook;
    WireWebhook {
        id: id.to_string(),
        url: spec.url,
        events: spec.events,
        active: spec.active,
        description: spec.description,
        created_at: Some(convert::timestamp(created_at)),
        updated_at: Some(convert::timestamp(updated_at)),
        secret: String::new(),
    }
}

fn show_delivery(delivery: Delivery) -> WireDelivery {
    WireDelivery {
        id: delivery.id.to_string(),
        webhook_id: delivery.webhook_id.to_string(),
        event_id: delivery.event_id,
        event_type: delivery.event_type,
        status: delivery.status.into(),
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        response_status: delivery.response_status.into(),
        error: delivery.error,
        duration_ms: i32::try_from(delivery.duration_ms).unwrap_or(i32::MAX),
        created_at: Some(convert::timestamp(delivery.created_at)),
        attempted_at: delivery.attempted_at.map(convert::timestamp),
        next_attempt_at: delivery.next_attempt_at.map(convert::timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<T: std::fmt::Debug>(result: Result<T>) -> String {
        match result {
            Err(Error::Invalid { field, .. } | Error::Missing { field }) => field.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_target_is_a_url_without_credentials() {
        assert_eq!(target("HTTPS://Example.com").unwrap().as_str(), "https://example.com/");
        for bad in
            ["", "example.com", "ftp://example.com", "file:///etc/passwd", "http://", "https://u:p@example.com", "http://a\nb"]
        {
            assert_eq!(field(target(bad)), "url", "{bad}");
        }
        assert_eq!(field(target(&format!("https://example.com/{}", "a".repeat(MAX_URL)))), "url");
    }

    #[test]
    fn events_are_named_one_by_one_or_by_their_beginning() {
        let events = |events: &[&str]| events_wanted(&events.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(events(&["job.completed", "job.failed", "node.down", "claim.*", "*"]).is_ok());
        assert_eq!(field(events(&[])), "events");
        assert_eq!(field(events(&["*"; MAX_EVENTS + 1])), "events");
        assert_eq!(field(events(&["*", "Job"])), "events[1]");
        assert_eq!(field(events(&["*", "job.*", "audit.claim"])), "events[2]");
    }
}
