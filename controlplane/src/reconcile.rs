//! Brings what is wanted and what is seen together.
//!
//! [`driver`] runs passes: it takes a snapshot ([`observe`]), asks [`plan`] what is due, and does it ([`execute`]). A pass takes
//! no input, so nothing is lost when a wake-up is; doing a pass twice has the effect of one.

pub mod changes;
pub mod driver;
pub mod execute;
pub mod forecast;
pub mod observe;
pub mod plan;
pub mod retry;
