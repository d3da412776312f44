//! `aiinfra` as its users meet it: the real binary, against a scripted server and against the real system.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod commands;
mod fake_api;
mod invoke;
mod scenarios;
mod system;
