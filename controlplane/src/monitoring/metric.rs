//! The metrics that there are: names, units, and where they are kept.

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Use of all cores together.
    CpuUsage,
    /// Memory in use.
    MemoryUsage,
    /// Use of the file system that holds the agent's data.
    DiskUsage,
    /// What comes in over the network.
    NetworkIn,
    /// What goes out over the network.
    NetworkOut,
    /// Runnable tasks.
    LoadAverage,
    /// Use of a GPU.
    GpuUsage,
    /// Memory in use of a GPU.
    GpuMemoryUsage,
    /// How hot a GPU is.
    GpuTemperature,
    /// What a GPU draws.
    GpuPower,
    /// Errors of a GPU's memory.
    GpuEccErrors,
    /// The last Xid error of a GPU.
    GpuXid,
}

/// Those of a machine, in the order of its readings.
pub const MACHINE: [Metric; 6] =
    [Metric::CpuUsage, Metric::MemoryUsage, Metric::DiskUsage, Metric::NetworkIn, Metric::NetworkOut, Metric::LoadAverage];

/// Those of each GPU, in the order of its readings.
pub const GPU: [Metric; 6] =
    [Metric::GpuUsage, Metric::GpuMemoryUsage, Metric::GpuTemperature, Metric::GpuPower, Metric::GpuEccErrors, Metric::GpuXid];

/// How many there are.
pub const COUNT: usize = MACHINE.len() + GPU.len();

impl Metric {
    /// All, as they are listed.
    pub fn all() -> impl Iterator<Item = Self> {
        MACHINE.into_iter().chain(GPU)
    }

    /// The one of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().find(|metric| metric.name() == name)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// In what it is measured.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        self.words().1
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.words().2
    }

    /// Whether each GPU has one.
    #[must_use]
    pub fn is_per_gpu(self) -> bool {
        GPU.contains(&self)
    }

    /// By what chunks of the history know it. A number is never given to another metric.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::CpuUsage => 1,
            Self::MemoryUsage => 2,
            Self::DiskUsage => 3,
            Self::NetworkIn => 4,
            Self::NetworkOut => 5,
            Self::LoadAverage => 6,
            Self::GpuUsage => 7,
            Self::GpuMemoryUsage => 8,
            Self::GpuTemperature => 9,
            Self::GpuPower => 10,
            Self::GpuEccErrors => 11,
            Self::GpuXid => 12,
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CpuUsage => ("cpu_usage", "percent", "Use of all cores together."),
            Self::MemoryUsage => ("memory_usage", "percent", "Memory in use."),
            Self::DiskUsage => ("disk_usage", "percent", "Use of the file system that holds the agent's data."),
            Self::NetworkIn => ("network_in", "bytes_per_second", "Bytes received on all interfaces but the loopback."),
            Self::NetworkOut => ("network_out", "bytes_per_second", "Bytes sent on all interfaces but the loopback."),
            Self::LoadAverage => ("load_average", "count", "Mean number of runnable tasks over one minute."),
            Self::GpuUsage => ("gpu_usage", "percent", "Use of the GPU."),
            Self::GpuMemoryUsage => ("gpu_memory_usage", "percent", "Memory in use of the GPU."),
            Self::GpuTemperature => ("gpu_temperature", "celsius", "Temperature of the GPU."),
            Self::GpuPower => ("gpu_power", "watts", "Power that the GPU draws."),
            Self::GpuEccErrors => (
                "gpu_ecc_errors",
                "count",
                "Uncorrected memory errors of the GPU since its driver was loaded, where it counts them.",
            ),
            Self::GpuXid => ("gpu_xid", "", "The last Xid error of the GPU, 0 before the first; to be asked of one GPU."),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_names_are_found() {
        assert_eq!(Metric::all().count(), COUNT);
        assert_eq!(Metric::all().map(Metric::number).collect::<BTreeSet<_>>().len(), COUNT);
        for metric in Metric::all() {
            assert_eq!(Metric::of_name(metric.name()), Some(metric));
            assert_eq!(metric.is_per_gpu(), metric.name().starts_with("gpu_"));
        }
        assert_eq!(Metric::of_name("CPU_usage"), None);
    }
}
