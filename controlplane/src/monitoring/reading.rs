//! From an agent's heartbeat to numbers, and their sums over many machines.

use utopia_proto::link::v1::{GpuReading, Heartbeat};

use super::metric::{COUNT, GPU, MACHINE, Metric};
use crate::model::Gpu;

/// Readings of a machine, in the order of [`MACHINE`].
#[must_use]
pub fn of_machine(heartbeat: &Heartbeat, memory_bytes: u64) -> [f32; MACHINE.len()] {
    [
        heartbeat.cpu_usage_percent,
        share(heartbeat.memory_used_bytes, memory_bytes),
        heartbeat.disk_usage_percent,
        heartbeat.network_in,
        heartbeat.network_out,
        heartbeat.load_average,
    ]
}

/// Readings of a GPU, in the order of [`GPU`]. What was not measured is not a number: all but the last Xid of a faulty GPU, and errors of
/// memory that counts none.
#[must_use]
pub fn of_gpu(reading: &GpuReading, gpu: &Gpu) -> [f32; GPU.len()] {
    let xid = count(reading.xid);
    if reading.faulty {
        return [f32::NAN, f32::NAN, f32::NAN, f32::NAN, f32::NAN, xid];
    }
    #[expect(clippy::cast_precision_loss, reason = "a temperature has few digits")]
    let temperature = reading.temperature_c as f32;
    [
        reading.usage_percent,
        share(reading.memory_used_bytes, gpu.memory_bytes),
        temperature,
        count(reading.power_milliwatts) / 1000.0,
        if reading.has_ecc { count(reading.ecc_errors) } else { f32::NAN },
        xid,
    ]
}

/// Sums of readings, and how many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums([Sum; COUNT]);

/// A sum, and of how many numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    /// The sum.
    pub total: f64,
    /// Of so many.
    pub count: u64,
}

impl Sum {
    /// Adds a number, unless it is none.
    pub fn add(&mut self, value: f32) {
        if value.is_finite() {
            self.total += f64::from(value);
            self.count += 1;
        }
    }

    /// Adds a mean of so many.
    pub fn add_mean(&mut self, mean: f32, count: u64) {
        if mean.is_finite() {
            #[expect(clippy::cast_precision_loss, reason = "so many are never counted")]
            let weight = count as f64;
            self.total += f64::from(mean) * weight;
            self.count += count;
        }
    }

    /// The mean; none of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "so many are never counted")]
    pub fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64)
    }
}

impl Sums {
    /// Adds the readings of a machine.
    pub fn add_machine(&mut self, values: &[f32]) {
        self.0.iter_mut().zip(values).take(MACHINE.len()).for_each(|(sum, value)| sum.add(*value));
    }

    /// Adds the readings of a GPU.
    pub fn add_gpu(&mut self, values: &[f32]) {
        self.0.iter_mut().skip(MACHINE.len()).zip(values).for_each(|(sum, value)| sum.add(*value));
    }

    /// The sum of one metric.
    #[must_use]
    pub fn of(&self, metric: Metric) -> Sum {
        self.each().find(|(candidate, _)| *candidate == metric).map(|(_, sum)| sum).unwrap_or_default()
    }

    /// The sums of all metrics.
    pub fn each(&self) -> impl Iterator<Item = (Metric, Sum)> {
        Metric::all().zip(self.0)
    }
}

/// In percent; not a number where the whole is not known.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a percentage needs no more digits")]
fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 { f32::NAN } else { (part as f64 / whole as f64 * 100.0).min(100.0) as f32 }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here has few digits")]
fn count(value: u32) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu() -> Gpu {
        Gpu { uuid: "GPU-1".into(), name: "H100".into(), index: 0, memory_bytes: 80 << 30 }
    }

    #[test]
    fn a_faulty_gpu_has_no_readings_but_its_last_xid() {
        let mut sums = Sums::default();
        let reading = GpuReading { faulty: true, temperature_c: 90, xid: 79, ..GpuReading::default() };
        sums.add_gpu(&of_gpu(&reading, &gpu()));
        assert_eq!(sums.of(Metric::GpuTemperature).mean(), None);
        assert_eq!(sums.of(Metric::GpuXid).mean(), Some(79.0));
    }

    #[test]
    fn means_are_over_what_was_measured() {
        let mut sums = Sums::default();
        let with_ecc = GpuReading { usage_percent: 90.0, has_ecc: true, ecc_errors: 3, ..GpuReading::default() };
        let without = GpuReading { usage_percent: 30.0, memory_used_bytes: 40 << 30, ..GpuReading::default() };
        for reading in [with_ecc, without] {
            sums.add_gpu(&of_gpu(&reading, &gpu()));
        }
        assert_eq!(sums.of(Metric::GpuUsage).mean(), Some(60.0));
        assert_eq!(sums.of(Metric::GpuMemoryUsage).mean(), Some(25.0));
        assert_eq!(sums.of(Metric::GpuEccErrors), Sum { total: 3.0, count: 1 });
        let heartbeat = Heartbeat { cpu_usage_percent: 12.5, memory_used_bytes: 1, ..Heartbeat::default() };
        sums.add_machine(&of_machine(&heartbeat, 0));
        assert_eq!(sums.of(Metric::CpuUsage).mean(), Some(12.5));
        assert_eq!(sums.of(Metric::MemoryUsage).mean(), None, "of a machine that has not told its memory");
    }

    #[test]
    fn means_of_means_are_weighted() {
        let mut sum = Sum::default();
        sum.add_mean(10.0, 3);
        sum.add_mean(50.0, 1);
        sum.add_mean(f32::NAN, 7);
        assert_eq!(sum.mean(), Some(20.0));
    }
}
