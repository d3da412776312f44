//! What the control plane remembers: users, nodes, join tokens and claims, as the store gives them. No I/O, no gRPC.

pub mod audit;
pub mod event;
pub mod gpu;
pub mod host;
pub mod machine;
pub mod people;
pub mod selector;
pub mod slurm;
pub mod storage;
pub mod webhook;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utopia_proto::{
    claim::v1::{ClaimPhase, ClaimSpec},
    link::v1::{GpuFacts, MachineFacts},
};
use uuid::Uuid;

pub use gpu::{Gpu, GpuSet};
pub use people::User;

/// What a person may do, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks only.
    Readonly,
    /// Makes claims of their own.
    User,
    /// Sees and handles everybody's claims and containers.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Readonly, Self::User, Self::Operator, Self::Admin];

    /// The word for it in tokens, JSON and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Readonly => "readonly",
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no role.
#[derive(Debug, thiserror::Error)]
#[error("there is no role `{0}`")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    /// `developer` is another word for `user`.
    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match word {
            "readonly" => Ok(Self::Readonly),
            "user" | "developer" => Ok(Self::User),
            "operator" => Ok(Self::Operator),
            "admin" => Ok(Self::Admin),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// What a role allows. Kept as JSON: `{"allow_all":true}` or `{"max_gpu_count":2}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolePolicy {
    /// No limits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_all: bool,
    /// The most GPUs of all live claims of one user together; with neither field set, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gpu_count: Option<i32>,
}

impl RolePolicy {
    /// The most GPUs that all live claims of one user may have; none for no limit.
    #[must_use]
    pub fn gpu_limit(&self) -> Option<i64> {
        if self.allow_all { None } else { Some(self.max_gpu_count.unwrap_or(0).into()) }
    }
}

/// How far a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStage {
    /// Announced, without authority.
    Pending,
    /// Has or had a certificate.
    Enrolled,
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Also the host's id and the one in its certificate.
    pub id: Uuid,
    /// The id that the agent gave its data directory.
    pub machine_id: Option<String>,
    /// As announced or reported.
    pub hostname: String,
    /// How far it has come.
    pub stage: NodeStage,
    /// As last reported.
    pub facts: MachineFacts,
    /// As last reported, by index.
    pub gpus: Vec<GpuFacts>,
    /// When it was last heard of, as far as written down.
    pub last_seen_at: Option<Timestamp>,
    /// When it was announced or enrolled.
    pub created_at: Timestamp,
    /// Claims are not placed there for now.
    pub in_maintenance: bool,
}

/// A join token without its secret.
#[derive(Debug, Clone)]
pub struct JoinToken {
    /// Not secret.
    pub id: String,
    /// The one node it is for.
    pub node_id: Option<Uuid>,
    /// 0 for any number.
    pub max_uses: i32,
    /// How many machines have joined with it.
    pub uses: i32,
    /// What it is for.
    pub description: String,
    /// It is refused from then on.
    pub expires_at: Timestamp,
}

/// A claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its id.
    pub id: Uuid,
    /// Its owner.
    pub user_id: i64,
    /// What is wanted.
    pub spec: ClaimSpec,
    /// Where it stands.
    pub phase: ClaimPhase,
    /// Why, a stable word; may be empty.
    pub reason: String,
    /// The same in a sentence; may be empty.
    pub message: String,
    /// Where it is placed.
    pub node_id: Option<Uuid>,
    /// The number of its latest placement; 0 before the first.
    pub epoch: i64,
    /// The runtime's id; may be empty.
    pub container_id: String,
    /// The GPUs the ledger holds for it, in the ledger's order of UUIDs.
    pub gpu_uuids: Vec<String>,
    /// Grows with every change of the row; changes compare and swap on it.
    pub generation: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its owner deleted it; it stays until its container is gone.
    pub deleted_at: Option<Timestamp>,
}

impl Claim {
    /// How many GPUs it asks for.
    #[must_use]
    pub fn gpu_count(&self) -> usize {
        gpu_count(&self.spec)
    }

    /// Neither ended nor deleted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none() && !is_final(self.phase)
    }

    /// Something is left to be done: it has not ended, or it is deleted and not forgotten yet.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.deleted_at.is_some() || !is_final(self.phase)
    }
}

/// How many GPUs a claim asks for.
#[must_use]
pub fn gpu_count(spec: &ClaimSpec) -> usize {
    let count = spec.resources.as_ref().map_or(0, |resources| resources.gpu_count);
    usize::try_from(count).unwrap_or(0)
}

/// Why a claim waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// Nothing follows this phase.
#[must_use]
pub fn is_final(phase: ClaimPhase) -> bool {
    matches!(phase, ClaimPhase::Failed | ClaimPhase::Completed)
}

/// One row of the GPU ledger: this GPU belongs to this placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The GPU's key.
    pub gpu_uuid: String,
    /// Its node.
    pub node_id: Uuid,
    /// The claim that has it.
    pub claim_id: Uuid,
    /// The placement.
    pub epoch: i64,
}

/// A window of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// From 1.
    pub page: i32,
    /// Items on a page, 1 to 100.
    pub limit: i32,
}

impl PageRequest {
    /// Clamps what a caller sent; 0 means "the default".
    #[must_use]
    pub fn new(page: i32, limit: i32, page_size: i32) -> Self {
        Self::with_default(page, limit, page_size, 20)
    }

    /// The same with another default.
    #[must_use]
    pub fn with_default(page: i32, limit: i32, page_size: i32, default: i32) -> Self {
        let limit = if limit > 0 { limit } else { page_size };
        let limit = if limit > 0 { limit.min(100) } else { default };
        Self { page: page.max(1), limit }
    }

    /// How many items come before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.limit)
    }

    /// The page of a whole list.
    #[must_use]
    pub fn cut<T>(self, all: Vec<T>) -> Page<T> {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let offset = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        Page { items: all.into_iter().skip(offset).take(limit).collect(), total }
    }
}

/// A window of a list with the length of the whole.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: i64,
}
