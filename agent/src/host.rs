//! The machine apart from its GPUs: what it is and how busy it is.
//!
//! Invariant: a sample never waits on anything but the kernel's own tables and the file system of the data directory, so
//! that a hanging network mount elsewhere cannot hold up heartbeats. Calls block for microseconds.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tracing::warn;

mod network;

use network::Network;

/// Where the kernel lists network interfaces: those of the namespace that the agent is in.
const INTERFACES: &str = "/proc/net/dev";

/// What the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// The host name.
    pub hostname: String,
    /// Operating system with version.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// Logical CPUs.
    pub cpu_count: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Size of the file system that holds the data directory, in bytes.
    pub disk_bytes: u64,
}

/// What the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HostSample {
    /// Use of all cores together since the sample before, 0 to 100.
    pub cpu_usage_percent: f32,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Memory in use in bytes: what new programs could not have.
    pub memory_used_bytes: u64,
    /// Use of the file system that holds the data directory, 0 to 100.
    pub disk_usage_percent: f32,
    /// Mean number of runnable tasks over one minute.
    pub load_average: f64,
    /// Seconds since the machine started.
    pub uptime_seconds: u64,
    /// Bytes received per second since the sample before, on all interfaces but the loopback.
    pub network_in: f32,
    /// Bytes sent per second.
    pub network_out: f32,
}

/// Reads the machine.
pub struct Host {
    data_dir: PathBuf,
    system: Mutex<Option<System>>,
    network: Mutex<Network>,
}

impl Host {
    /// Begins to measure; the first sample covers the time since now.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kinds).inspect_err(|error| warn!(?error, "CPU and memory cannot be read")).ok();
        Self { data_dir, system: Mutex::new(system), network: Mutex::new(Network::new(INTERFACES.into())) }
    }

    /// What the machine is. What cannot be found out is empty or 0.
    #[must_use]
    pub fn facts(&self) -> HostFacts {
        let system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        HostFacts {
            hostname: System::host_name().unwrap_or_default(),
            os: System::long_os_version().unwrap_or_default(),
            kernel: System::kernel_version().unwrap_or_default(),
            cpu_count: system.as_ref().map_or(0, |system| u32::try_from(system.cpus().len()).unwrap_or(u32::MAX)),
            memory_bytes: system.as_ref().map_or(0, System::total_memory),
            disk_bytes: self.disk().map_or(0, |disk| disk.total_bytes),
        }
    }

    /// What the machine is doing.
    #[must_use]
    pub fn sample(&self) -> HostSample {
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(system) = system.as_mut() {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        }
        let system = system.as_ref();
        let network = self.network.lock().unwrap_or_else(PoisonError::into_inner).rates();
        HostSample {
            cpu_usage_percent: system.map_or(0.0, |system| system.global_cpu_usage().clamp(0.0, 100.0)),
            memory_total_bytes: system.map_or(0, System::total_memory),
            memory_used_bytes: system.map_or(0, System::used_memory),
            disk_usage_percent: self.disk().map_or(0.0, |disk| disk.usage_percent()),
            load_average: System::load_average().map_or(0.0, |load| load.one),
            uptime_seconds: System::uptime().unwrap_or_default(),
            network_in: network.received,
            network_out: network.sent,
        }
    }

    fn disk(&self) -> Option<Disk> {
        let stat = rustix::fs::statvfs(&self.data_dir).ok()?;
        Some(Disk {
            total_bytes: stat.f_blocks * stat.f_frsize,
            free_bytes: stat.f_bfree * stat.f_frsize,
            available_bytes: stat.f_bavail * stat.f_frsize,
        })
    }
}

/// A file system.
struct Disk {
    total_bytes: u64,
    free_bytes: u64,
    /// What of it is not kept back for the superuser.
    available_bytes: u64,
}

impl Disk {
    /// As `df` counts: 100 when nothing is available, whatever is kept back for the superuser.
    fn usage_percent(&self) -> f32 {
        let used = self.total_bytes.saturating_sub(self.free_bytes);
        percent_of(used, used + self.available_bytes)
    }
}

/// `part` of `whole` in percent; 0 of nothing.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a percentage needs no more digits")]
pub(crate) fn percent_of(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 100.0).min(100.0) as f32 }
}

/// Two decimals: a single-precision number would show its rounding as digits.
pub(crate) fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_samples_are_those_of_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::new(dir.path().to_path_buf());
        let (facts, sample) = (host.facts(), host.sample());
        assert!(!facts.hostname.is_empty() && !facts.os.is_empty() && !facts.kernel.is_empty());
        assert!(facts.cpu_count > 0 && facts.disk_bytes > 0);
        assert_eq!(facts.memory_bytes, sample.memory_total_bytes);
        assert!(sample.memory_used_bytes > 0 && sample.memory_used_bytes < sample.memory_total_bytes);
        assert!((0.0..=100.0).contains(&sample.cpu_usage_percent));
        assert!(sample.disk_usage_percent > 0.0 && sample.disk_usage_percent <= 100.0);
        assert!(sample.uptime_seconds > 0);
    }

    #[test]
    fn a_directory_that_is_gone_is_no_failure() {
        let host = Host::new("/nowhere/at/all".into());
        assert_eq!(host.facts().disk_bytes, 0);
        assert_eq!(host.sample().disk_usage_percent, 0.0);
    }

    #[test]
    fn a_disk_counts_as_full_when_only_the_superuser_may_write() {
        let disk = Disk { total_bytes: 100, free_bytes: 5, available_bytes: 0 };
        assert_eq!(disk.usage_percent(), 100.0);
        assert_eq!(Disk { total_bytes: 100, free_bytes: 55, available_bytes: 45 }.usage_percent(), 50.0);
        assert_eq!(percent_of(1, 0), 0.0);
    }
}
