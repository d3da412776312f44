//! Why claims wait, and who else would wait for the same reason.

use foldhash::HashMap;
use utopia_proto::claim::v1::ClaimSpec;

use super::{
    reason,
    shape::{OwnedShape, Shape},
};
use crate::model::Refusal;

/// No node has the GPUs free. `largest` is the most that one node has, free or not.
pub(super) fn short_of(shape: &Shape<'_>, largest: usize) -> Refusal {
    let free = if largest < shape.gpu_count { "" } else { " free" };
    Refusal { reason: reason::INSUFFICIENT_GPUS, message: format!("no node that is online has {shape}{free}") }
}

/// Whom a pass refused, and why.
#[derive(Debug, Default)]
pub enum Refusals {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody who waited, whatever they ask for.
    Everybody(Refusal),
    /// Those who ask for the same.
    ByShape(HashMap<OwnedShape, Refusal>),
}

impl Refusals {
    /// Why a claim like this one would have waited; nothing when that was not found out.
    #[must_use]
    pub fn of(&self, spec: &ClaimSpec) -> Option<&Refusal> {
        match self {
            Self::Nobody => None,
            Self::Everybody(refusal) => Some(refusal),
            Self::ByShape(by_shape) => by_shape.get(&Shape::of(spec).to_owned()),
        }
    }
}
