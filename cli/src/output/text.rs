//! Times, sizes and names as people read them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// The text without what would move the cursor or change the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// How long ago, e.g. `3m`; empty when never.
pub(crate) fn age(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(String::new, |then| short(now.duration_since(then)))
}

/// How long until then, e.g. `59m`; empty when never.
pub(crate) fn remaining(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(String::new, |then| short(then.duration_since(now)))
}

/// A length of time in its largest whole unit.
pub(crate) fn short(duration: SignedDuration) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match duration.as_secs().max(0) {
        seconds @ ..MINUTE => format!("{seconds}s"),
        seconds @ ..HOUR => format!("{}m", seconds / MINUTE),
        seconds @ ..DAY => format!("{}h", seconds / HOUR),
        seconds => format!("{}d", seconds / DAY),
    }
}

/// When something was, with its age; empty when never.
pub(crate) fn ago(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(String::new, |then| format!("{} ago ({then})", age(Some(then), now)))
}

/// Labels as one types them.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// A size in bytes in the unit that suits it; empty when not known.
pub(crate) fn size_bytes(bytes: i64) -> String {
    const MIB: i64 = 1024 * 1024;
    if bytes <= 0 { String::new() } else { size_mb(bytes / MIB) }
}

/// A size in bytes to two places, which also says something of small ones.
pub(crate) fn exact_bytes(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// How much of a whole is used, both in bytes; empty when the whole is not known.
pub(crate) fn part_bytes(used: i64, total: i64) -> String {
    const MIB: i64 = 1024 * 1024;
    if total <= 0 { String::new() } else { format!("{} of {}", size_mb(used / MIB), size_bytes(total)) }
}

/// A size in MiB in the unit that suits it.
pub(crate) fn size_mb(mebibytes: i64) -> String {
    const GIB: i64 = 1024;
    const TIB: i64 = 1024 * GIB;
    match mebibytes {
        ..GIB => format!("{mebibytes} MiB"),
        GIB..TIB => format!("{} GiB", (mebibytes + GIB / 2) / GIB),
        // Tenths, rounded down: nothing looks larger than it is.
        TIB.. => format!("{}.{} TiB", mebibytes / TIB, mebibytes % TIB * 10 / TIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\rü"), "a [2Jb c ü");
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in
            [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h"), (86_399, "23h"), (200_000, "2d")]
        {
            assert_eq!(short(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (mebibytes, text) in
            [(0, "0 MiB"), (512, "512 MiB"), (1_024, "1 GiB"), (16_384, "16 GiB"), (81_559, "80 GiB"), (1_887_436, "1.7 TiB")]
        {
            assert_eq!(size_mb(mebibytes), text);
        }
    }
}
