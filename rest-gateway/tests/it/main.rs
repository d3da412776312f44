//! The gateway as its users see it: JSON in, JSON out, over real services.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what is not expected fails the test")]

mod browser;
mod contract;
mod differential;
mod front;
mod graphql;
mod http;
mod mapping;
mod objects;
mod process;
mod released;
mod services;
