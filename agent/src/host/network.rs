//! What comes in and goes out over the machine's network interfaces, from the kernel's own counters.
//!
//! Invariant: a rate is never negative and never covers the time before the first look; counters that went back, as those of an
//! interface that is gone, count from zero.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

/// Bytes received and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counters {
    received: u64,
    sent: u64,
}

/// Bytes per second since the look before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rates {
    pub(super) received: f32,
    pub(super) sent: f32,
}

/// Reads the counters of all interfaces but the loopback.
#[derive(Debug)]
pub(super) struct Network {
    table: PathBuf,
    last: BTreeMap<String, Counters>,
    at: Instant,
}

impl Network {
    /// Begins to measure. `table` is the kernel's list of interfaces, `/proc/net/dev`.
    pub(super) fn new(table: PathBuf) -> Self {
        let last = read(&table);
        Self { table, last, at: Instant::now() }
    }

    /// What came and went since the last call, or since the beginning.
    pub(super) fn rates(&mut self) -> Rates {
        let (now, counters) = (Instant::now(), read(&self.table));
        let seconds = now.duration_since(self.at).as_secs_f64();
        let grown = growth(&self.last, &counters);
        (self.last, self.at) = (counters, now);
        Rates { received: per_second(grown.received, seconds), sent: per_second(grown.sent, seconds) }
    }
}

/// Interfaces that came meanwhile have counted since then.
fn growth(before: &BTreeMap<String, Counters>, after: &BTreeMap<String, Counters>) -> Counters {
    after.iter().fold(Counters::default(), |sum, (name, now)| {
        let then = before.get(name).filter(|then| then.received <= now.received && then.sent <= now.sent);
        let then = then.copied().unwrap_or_default();
        Counters { received: sum.received + (now.received - then.received), sent: sum.sent + (now.sent - then.sent) }
    })
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a rate needs no more digits")]
fn per_second(bytes: u64, seconds: f64) -> f32 {
    if seconds > 0.0 { (bytes as f64 / seconds) as f32 } else { 0.0 }
}

fn read(table: &PathBuf) -> BTreeMap<String, Counters> {
    parse(&std::fs::read_to_string(table).unwrap_or_default())
}

/// Each line but the two of the head is `name: received-bytes … sent-bytes …`, eight numbers for each direction.
fn parse(table: &str) -> BTreeMap<String, Counters> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
        let counters = Counters { received: *numbers.first()?, sent: *numbers.get(8)? };
        let name = name.trim();
        (name != "lo").then(|| (name.to_owned(), counters))
    };
    table.lines().filter_map(interface).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9000 10 0 0 0 0 0 0 9000 10 0 0 0 0 0 0
  eth0: 1000 10 0 0 0 0 0 0 200 10 0 0 0 0 0 0
 wlan0:50 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
";

    #[test]
    fn interfaces_are_read_but_not_the_loopback() {
        let read = parse(TABLE);
        assert_eq!(read.keys().collect::<Vec<_>>(), ["eth0", "wlan0"]);
        assert_eq!((read["eth0"].received, read["eth0"].sent), (1000, 200));
        assert_eq!((read["wlan0"].received, read["wlan0"].sent), (50, 7));
        assert!(parse("").is_empty() && parse("no table: at all\n").is_empty());
    }

    #[test]
    fn counters_that_begin_anew_count_from_zero() {
        let before = parse(TABLE);
        let mut after = before.clone();
        after.insert("eth0".into(), Counters { received: 1500, sent: 300 });
        after.insert("wlan0".into(), Counters { received: 5, sent: 9 });
        after.insert("eth1".into(), Counters { received: 3, sent: 0 });
        assert_eq!(growth(&before, &after), Counters { received: 500 + 5 + 3, sent: 100 + 9 });
        after.clear();
        assert_eq!(growth(&before, &after), Counters::default());
    }

    #[test]
    fn a_rate_covers_the_time_between_two_looks() {
        let directory = tempfile::tempdir().unwrap();
        let table = directory.path().join("dev");
        std::fs::write(&table, TABLE).unwrap();
        let mut network = Network::new(table.clone());
        std::fs::write(&table, TABLE.replace("eth0: 1000", "eth0: 1000000")).unwrap();
        network.at -= std::time::Duration::from_secs(1);
        let rates = network.rates();
        assert!(rates.received > 1_000.0 && rates.received <= 999_000.0 && rates.sent == 0.0, "{rates:?}");
        assert_eq!(network.rates().sent, 0.0);
    }
}
