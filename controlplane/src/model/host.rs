//! Hosts: nodes as their administrators see them. A host is a node's row that an administrator registered or an agent enrolled.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Node, selector::Labels};

/// What an administrator says of a host. What an agent reports takes the place of totals and versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Unique without regard to case; may be empty.
    pub name: String,
    /// May be empty.
    pub ip_address: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// May be empty.
    pub os_version: String,
    /// `traditional`, `container` or `kubernetes`.
    pub deployment_mode: String,
    /// Logical CPUs.
    pub total_cpu: i32,
    /// Bytes.
    pub total_memory: i64,
    /// Bytes.
    pub total_disk: i64,
    /// The administrator's labels.
    pub labels: Labels,
}

/// A host.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The node that it is, with what its agent reported.
    pub node: Node,
    /// What its administrator says.
    pub registration: Registration,
    /// None when it is in none.
    pub maintenance: Option<Maintenance>,
}

/// What happens to the claims on a host in maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintenanceClaims {
    /// They go on running.
    Keep,
    /// They are stopped there and placed elsewhere.
    Move,
}

impl MaintenanceClaims {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Move => "move",
        }
    }
}

/// A host's maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Why; may be empty.
    pub reason: String,
    /// What happens to its claims.
    pub claims: MaintenanceClaims,
    /// Since when.
    pub since: Timestamp,
}

impl Host {
    /// What people call it: the host name when it was given no other.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.registration.name.is_empty() { &self.node.hostname } else { &self.registration.name }
    }

    /// The administrator's labels over those of the agent.
    #[must_use]
    pub fn labels(&self) -> Labels {
        let mut labels = self.node.facts.labels.clone();
        labels.extend(self.registration.labels.clone());
        labels
    }

    /// As the audit log shows it.
    #[must_use]
    pub fn audit_value(&self) -> Value {
        let mut value = self.registration.audit_value();
        if let (Some(value), Some(Maintenance { reason, claims, since })) = (value.as_object_mut(), &self.maintenance) {
            let maintenance = json!({ "reason": reason, "claims": claims.as_str(), "since": since.to_string() });
            value.insert("maintenance".to_owned(), maintenance);
        }
        value
    }
}

impl Registration {
    /// As the audit log shows it.
    #[must_use]
    pub fn audit_value(&self) -> Value {
        json!({
            "name": self.name,
            "ip_address": self.ip_address,
            "os_type": self.os_type,
            "os_version": self.os_version,
            "deployment_mode": self.deployment_mode,
            "total_cpu": self.total_cpu,
            "total_memory": self.total_memory,
            "total_disk": self.total_disk,
            "labels": self.labels,
        })
    }
}
