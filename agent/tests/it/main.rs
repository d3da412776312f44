//! The agent against real parts: a fake NVML library, Docker, and a control plane in process.

mod fake_nvml;
mod nvml;
