//! What claims are told that are admitted before the next pass looks at them.

use std::sync::{Arc, Mutex, PoisonError};

use utopia_proto::claim::v1::ClaimSpec;

use super::plan::Refusals;
use crate::model::Refusal;

/// Why claims waited in the latest pass. Clones are the same.
///
/// When a queue is long, nearly all that are admitted wait for what those before them wait for. A claim that says so from the beginning
/// is written once, and not twice; the next pass corrects what has changed since.
#[derive(Debug, Clone, Default)]
pub struct Forecast(Arc<Mutex<Refusals>>);

impl Forecast {
    /// Why a claim like this one would have waited; nothing when that was not found out.
    #[must_use]
    pub fn of(&self, spec: &ClaimSpec) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).of(spec).cloned()
    }

    /// Takes what a pass found.
    pub fn renew(&self, refusals: Refusals) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
    }
}
