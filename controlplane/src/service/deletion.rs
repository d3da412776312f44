//! The end of a node or host: its row, its link, its certificates and its agent token.

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::finish::finish;
use crate::{
    auth::agent_token::AgentTokens,
    error::{Error, Result},
    link::{Hub, Reports},
    model::audit::Trail,
    store::{DeleteNodeOutcome, Store},
};

/// Deletes nodes.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// Has the nodes.
    pub store: Store,
    /// Cuts their links.
    pub hub: Hub,
    /// Forgets what they said.
    pub reports: Reports,
    /// Refuses their tokens.
    pub agent_tokens: AgentTokens,
    /// Has what must not stop halfway.
    pub tracker: TaskTracker,
}

impl Deletion {
    /// Deletes a node, which the caller knows as a `kind`. With `force` its live claims fail.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` (`NodeHasClaims`) without force.
    pub async fn delete(&self, kind: &'static str, id: Uuid, force: bool, trail: Trail) -> Result<()> {
        let this = self.clone();
        finish(&self.tracker, async move { this.delete_now(kind, id, force, &trail).await }).await
    }

    async fn delete_now(&self, kind: &'static str, id: Uuid, force: bool, trail: &Trail) -> Result<()> {
        match self.store.delete_node(id, force, self.hub.now(), trail).await? {
            DeleteNodeOutcome::Deleted => {
                self.agent_tokens.revoke(id);
                self.reports.forget(id);
                self.hub.forget(id);
                tracing::info!(node = %id, "{kind} deleted");
                Ok(())
            }
            DeleteNodeOutcome::NotFound => Err(Error::not_found(kind, id)),
            DeleteNodeOutcome::HasClaims(count) => {
                let message = format!("{count} live claims are placed on this {kind}; delete them, or use force");
                Err(Error::FailedPrecondition { reason: "NodeHasClaims".into(), message })
            }
        }
    }
}
