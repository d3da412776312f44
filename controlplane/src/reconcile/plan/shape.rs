//! What a claim asks of GPUs, in a form that equal claims share.

use std::fmt;

use utopia_proto::claim::v1::{ClaimSpec, Resources};

use crate::model::gpu_count;

/// What every GPU of a claim must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Filter<'a> {
    model: &'a str,
    memory_mb: i64,
}

/// A filter made ready for many GPUs.
pub(super) struct Matcher {
    lowercase_model: String,
    memory_bytes: u64,
}

impl Filter<'_> {
    pub(super) fn matcher(&self) -> Matcher {
        let memory_mb = u64::try_from(self.memory_mb).unwrap_or(0);
        Matcher { lowercase_model: self.model.to_lowercase(), memory_bytes: memory_mb.saturating_mul(1024 * 1024) }
    }
}

impl Matcher {
    /// Whether the product name will do.
    pub(super) fn admits_name(&self, lowercase_name: &str) -> bool {
        lowercase_name.contains(&self.lowercase_model)
    }

    /// Whether so much memory will do.
    pub(super) fn admits_memory(&self, bytes: u64) -> bool {
        bytes >= self.memory_bytes
    }
}

/// How many GPUs, and what each of them must be. Displays as e.g. `2 GPUs of model A100 with 40960 MiB or more`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shape<'a> {
    pub(super) gpu_count: usize,
    pub(super) filter: Filter<'a>,
}

impl<'a> Shape<'a> {
    /// What a claim asks for.
    pub(super) fn of(spec: &'a ClaimSpec) -> Self {
        let filter =
            |resources: &'a Resources| Filter { model: resources.gpu_model.trim(), memory_mb: resources.gpu_memory_mb.max(0) };
        let filter = spec.resources.as_ref().map_or(Filter { model: "", memory_mb: 0 }, filter);
        Self { gpu_count: gpu_count(spec), filter }
    }

    pub(super) fn to_owned(self) -> OwnedShape {
        let Self { gpu_count, filter: Filter { model, memory_mb } } = self;
        OwnedShape { gpu_count, model: model.to_owned(), memory_mb }
    }
}

/// A [`Shape`] that outlives its claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnedShape {
    gpu_count: usize,
    model: String,
    memory_mb: i64,
}

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.gpu_count, if self.gpu_count == 1 { "GPU" } else { "GPUs" })?;
        if !self.filter.model.is_empty() {
            write!(f, " of model {}", self.filter.model)?;
        }
        if self.filter.memory_mb > 0 {
            write!(f, " with {} MiB or more", self.filter.memory_mb)?;
        }
        Ok(())
    }
}
