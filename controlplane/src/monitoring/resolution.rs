//! How finely the history is kept, and for how long.

use jiff::{SignedDuration, Timestamp};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How finely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Samples as they were taken.
    Raw,
    /// Means of a minute.
    Minute,
    /// Means of a quarter of an hour.
    Quarter,
}

impl Resolution {
    /// All, from the finest.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Minute, Self::Quarter];

    /// Milliseconds of a step; 0 for samples as they were taken.
    #[must_use]
    pub const fn step_ms(self) -> i64 {
        match self {
            Self::Raw => 0,
            Self::Minute => MINUTE_MS,
            Self::Quarter => 15 * MINUTE_MS,
        }
    }

    /// Milliseconds of a chunk.
    #[must_use]
    pub const fn bucket_ms(self) -> i64 {
        match self {
            Self::Raw => MINUTE_MS,
            Self::Minute => HOUR_MS,
            Self::Quarter => DAY_MS,
        }
    }

    /// For how long it is kept.
    #[must_use]
    pub const fn retention(self) -> SignedDuration {
        match self {
            Self::Raw => SignedDuration::from_hours(24),
            Self::Minute => SignedDuration::from_hours(7 * 24),
            Self::Quarter => SignedDuration::from_hours(400 * 24),
        }
    }

    /// The same in milliseconds.
    #[must_use]
    pub const fn retention_ms(self) -> i64 {
        self.retention().as_secs() * 1000
    }

    /// What it is made of.
    #[must_use]
    pub const fn finer(self) -> Option<Self> {
        match self {
            Self::Raw => None,
            Self::Minute => Some(Self::Raw),
            Self::Quarter => Some(Self::Minute),
        }
    }

    /// The finest that is kept of a time.
    #[must_use]
    pub fn kept_at(at: Timestamp, now: Timestamp) -> Self {
        let age = now.duration_since(at);
        Self::ALL.into_iter().find(|resolution| age <= resolution.retention()).unwrap_or(Self::Quarter)
    }

    /// The chunk that a time is in.
    #[must_use]
    pub const fn bucket_of(self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.bucket_ms()) * self.bucket_ms()
    }
}
