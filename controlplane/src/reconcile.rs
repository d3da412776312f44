//! Brings what is wanted and what is seen together.

pub mod plan;
