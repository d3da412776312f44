//! Slow housekeeping: the server's certificate is replaced in time, nodes that were announced and never enrolled are forgotten,
//! and so are credentials that have expired; the audit log, the log of events and the deliveries of webhooks keep to their retention.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use utopia_certs::{Authority, Issued, tls::ServerIdentity};

use crate::{accounts::FORGET_AFTER, auth::limits::Limits, clock::Clock, store::Store};

/// Lifetime of the server's certificate; it is replaced when half of it has passed.
const CERTIFICATE_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How long an announced node is remembered.
const PENDING_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How long a delivery of a webhook is remembered after it ended.
const DELIVERY_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a job of Slurm is remembered after its last change.
const JOB_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How often it is looked.
const INTERVAL: Duration = Duration::from_mins(10);

/// Who does it.
pub(crate) struct Upkeep {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) authority: Arc<Authority>,
    pub(crate) server_names: Vec<String>,
    pub(crate) identity: Arc<ServerIdentity>,
    pub(crate) limits: Limits,
    /// None for ever.
    pub(crate) audit_retention: Option<SignedDuration>,
    pub(crate) event_retention: SignedDuration,
}

/// A certificate for the server under these names.
pub(crate) fn server_certificate(authority: &Authority, names: &[String], now: Timestamp) -> utopia_certs::Result<Issued> {
    authority.issue_server(names, now, CERTIFICATE_LIFETIME)
}

impl Upkeep {
    /// Runs until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut replace_at = self.clock.now() + CERTIFICATE_LIFETIME / 2;
        let mut interval = tokio::time::interval(INTERVAL);
        while cancel.run_until_cancelled(interval.tick()).await.is_some() {
            let now = self.clock.now();
            match self.store.expire_pending_nodes(now - PENDING_LIFETIME).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "announced nodes that never enrolled are forgotten"),
                Err(error) => tracing::warn!(%error, "announced nodes could not be expired"),
            }
            self.limits.shrink();
            self.forget_events(now, &cancel).await;
            self.forget_outbox(now, &cancel).await;
            self.forget_deliveries(now, &cancel).await;
            self.forget_jobs(now).await;
            self.forget_credentials(now).await;
            if now >= replace_at {
                let replaced =
                    server_certificate(&self.authority, &self.server_names, now).and_then(|issued| self.identity.replace(issued));
                match replaced {
                    Ok(()) => replace_at = now + CERTIFICATE_LIFETIME / 2,
                    Err(error) => tracing::error!(%error, "the server's certificate could not be replaced"),
                }
            }
        }
    }

    /// Forgets some of the jobs of Slurm that ended long ago; the rest the next time.
    async fn forget_jobs(&self, now: Timestamp) {
        match self.store.forget_slurm_jobs(now - JOB_LIFETIME).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "old jobs of Slurm are forgotten"),
            Err(error) => tracing::warn!(%error, "old jobs of Slurm could not be forgotten"),
        }
    }

    /// Forgets what refuses or counts for nothing any more.
    async fn forget_credentials(&self, now: Timestamp) {
        let (since, until) = (now - FORGET_AFTER, now + FORGET_AFTER);
        for (what, done) in [
            ("revoked tokens", self.store.expire_revocations(now).await),
            ("API tokens", self.store.expire_api_tokens(now).await),
            ("failed log-ins", self.store.expire_login_failures(since, until).await),
        ] {
            match done {
                Ok(0) => {}
                Ok(count) => tracing::debug!(count, "expired {what} are forgotten"),
                Err(error) => tracing::warn!(%error, "expired {what} could not be forgotten"),
            }
        }
    }

    /// Removes events that can be watched no more, in small steps that let others write.
    async fn forget_outbox(&self, now: Timestamp, cancel: &CancellationToken) {
        while !cancel.is_cancelled() {
            match self.store.forget_outbox(now - self.event_retention).await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => {
                    tracing::warn!(%error, "old events could not be removed");
                    break;
                }
            }
        }
    }

    /// Ends deliveries that were tried for long enough, and removes those that ended long ago, in small steps that let others write.
    async fn forget_deliveries(&self, now: Timestamp, cancel: &CancellationToken) {
        let given_up = self.store.give_up_deliveries(now).await;
        if let Err(error) = given_up {
            tracing::warn!(%error, "old deliveries of webhooks could not be given up");
        }
        while !cancel.is_cancelled() {
            match self.store.forget_deliveries(now - DELIVERY_RETENTION).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "old deliveries of webhooks could not be removed");
                    break;
                }
            }
        }
    }

    /// Removes what the audit log has kept long enough, from its beginning, in small steps that let others write.
    async fn forget_events(&self, now: Timestamp, cancel: &CancellationToken) {
        let Some(retention) = self.audit_retention else { return };
        let mut total = 0;
        while !cancel.is_cancelled() {
            match self.store.forget_events(now - retention).await {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(error) => {
                    tracing::warn!(%error, "old events could not be removed from the audit log");
                    break;
                }
            }
        }
        if total > 0 {
            tracing::info!(count = total, "events older than the retention are removed from the audit log");
        }
    }
}
