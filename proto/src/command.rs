//! Names of the link's commands, for logs and metrics of both ends.

use crate::link::v1::command::Action;

impl Action {
    /// The word for this kind of command.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::EnsureClaim(_) => "ensure_claim",
            Self::ReleaseClaim(_) => "release_claim",
            Self::CreateContainer(_) => "create_container",
            Self::DeleteContainer(_) => "delete_container",
            Self::ListContainers(_) => "list_containers",
            Self::GetContainer(_) => "get_container",
            Self::GetMetrics(_) => "get_metrics",
            Self::GetHealth(_) => "get_health",
            Self::StreamContainerLogs(_) => "stream_container_logs",
        }
    }
}
