//! The agent against real parts: a fake NVML library, Docker, and the agent itself as a program.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is how a test fails")]

mod docker;
mod fake_nvml;
mod nvml;
mod process;
