//! `utopia.audit.v1.AuditService`: shows the audit log. It writes nothing.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::audit::v1::{
    AuditEvent, AuditLink, AuditResult, ExportAuditChainRequest, GetAuditEventRequest, ListAuditEventsRequest,
    ListAuditEventsResponse, audit_service_server::AuditService,
};

use super::{convert, validate};
use crate::{
    error::{Error, Result},
    model::PageRequest,
    store::{EventFilter, Store, StoredEvent},
};

/// Links that are read at once.
const BATCH: i64 = 500;

/// The service.
#[derive(Debug, Clone)]
pub struct AuditLog {
    /// Has the log.
    pub store: Store,
}

#[async_trait]
impl AuditService for AuditLog {
    type ExportAuditChainStream = Pin<Box<dyn Stream<Item = Result<AuditLink, Status>> + Send>>;

    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        let query = request.into_inner();
        let window = PageRequest::new(query.page, query.limit, query.page_size);
        let filter = filter(query)?;
        let page = self.store.list_events(&filter, window).await?;
        Ok(Response::new(ListAuditEventsResponse {
            events: page.items.into_iter().map(show).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_audit_event(&self, request: Request<GetAuditEventRequest>) -> Result<Response<AuditEvent>, Status> {
        let id = validate::id("audit event", &request.get_ref().id)?;
        let event = self.store.event(&id.to_string()).await?.ok_or_else(|| Error::not_found("audit event", id))?;
        Ok(Response::new(show(event)))
    }

    async fn export_audit_chain(
        &self,
        request: Request<ExportAuditChainRequest>,
    ) -> Result<Response<Self::ExportAuditChainStream>, Status> {
        let after = request.into_inner().after_sequence;
        if after < 0 {
            return Err(Error::invalid("after_sequence", "must not be negative").into());
        }
        let last = self.store.audit_head().await?;
        let store = self.store.clone();
        // The next batch is read when this one was taken; nothing is read for a client that is gone.
        let batches = stream::try_unfold(after, move |after| {
            let store = store.clone();
            async move {
                if after >= last {
                    return Ok(None);
                }
                let links = store.links(after, last, BATCH).await?;
                match links.last().map(|link| link.sequence) {
                    Some(next) => Ok(Some((stream::iter(links.into_iter().map(Ok)), next))),
                    None => Err(missing(after)),
                }
            }
        });
        Ok(Response::new(batches.try_flatten().boxed()))
    }
}

/// Links up to the newest are missing: the log was shortened.
fn missing(after: i64) -> Status {
    let message = format!("the audit log ends after link {after}, before its head: links were removed");
    utopia_proto::status::status(tonic::Code::DataLoss, "AuditLogShortened", &message, None)
}

fn filter(query: ListAuditEventsRequest) -> Result<EventFilter> {
    let result = match query.result() {
        AuditResult::Unspecified => "",
        AuditResult::Success => "success",
        AuditResult::Failure => "failure",
        AuditResult::Denied => "denied",
    };
    let (from, before) = (convert::time("start_time", query.start_time)?, convert::time("end_time", query.end_time)?);
    if let (Some(from), Some(before)) = (from, before)
        && from >= before
    {
        return Err(Error::invalid("start_time", "must be before `end_time`"));
    }
    let ListAuditEventsRequest { event_type: resource, resource_id, action, user, .. } = query;
    Ok(EventFilter { resource, resource_id, action, user, result, from, before })
}

/// An event as its payload tells it.
fn show(event: StoredEvent) -> AuditEvent {
    let StoredEvent { sequence, hash, payload } = event;
    let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let object = |key: &str| Some(convert::structure(payload.get(key).and_then(Value::as_object)));
    let result = match payload.get("result").and_then(Value::as_str) {
        Some("success") => AuditResult::Success,
        Some("failure") => AuditResult::Failure,
        Some("denied") => AuditResult::Denied,
        Some(_) | None => AuditResult::Unspecified,
    };
    AuditEvent {
        id: text("id"),
        event_type: text("resource"),
        action: text("action"),
        resource: text("resource"),
        resource_id: text("resource_id"),
        user: text("user"),
        ip_address: text("ip_address"),
        old_value: object("old_value"),
        new_value: object("new_value"),
        details: object("details"),
        result: result.into(),
        timestamp: text("timestamp").parse().ok().map(convert::timestamp),
        sequence,
        hash,
    }
}
