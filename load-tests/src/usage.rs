//! Another process's memory and CPU time, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// The kernel's unit of CPU time towards programs, the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// User and system time since its start.
    pub cpu: Duration,
}

impl Usage {
    /// What it uses now.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let resident_kib = resident_kib(&read("status")?).with_context(|| format!("process {pid} has no VmRSS"))?;
        let cpu = cpu(&read("stat")?).with_context(|| format!("the times of process {pid} cannot be read"))?;
        Ok(Self { resident_kib, cpu })
    }
}

fn resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn cpu(stat: &str) -> Option<Duration> {
    // The program's name, in parentheses, may hold anything; the user time is the twelfth field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc() {
        assert_eq!(resident_kib("Name:\tx\nVmHWM:\t  90 kB\nVmRSS:\t   4242 kB\n"), Some(4242));
        assert_eq!(resident_kib("Name:\tkthreadd\n"), None);
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 0 0 0 0 150 25 9 9 20 0 1 0 100 0 0";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("7 (x) S 1"), None);
        assert!(Usage::of(std::process::id()).unwrap().resident_kib > 0);
    }
}
