//! The agent against real parts: a fake NVML library, Docker, and a control plane in process.

mod docker;
mod fake_nvml;
mod nvml;
mod process;
