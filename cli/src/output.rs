//! How results are written: tables for people, the server's own JSON for programs.
//!
//! Results go to standard output, everything said beside them to standard error. What comes from elsewhere is stripped of
//! control characters before it reaches a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use comfy_table::presets::NOTHING;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::PageInfo;
use crate::args::Format;

/// Writes results in the format that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn is_for_people(self) -> bool {
        self.format == Format::Table
    }

    /// Writes an answer of the server, for people as `human` puts it.
    pub(crate) fn show<T: DeserializeOwned>(self, answer: Value, human: impl FnOnce(T) -> String) -> anyhow::Result<()> {
        match self.format {
            Format::Json => write(&format!("{answer:#}\n"))?,
            Format::Table => write(&human(serde_json::from_value(answer)?))?,
        }
        Ok(())
    }

    /// Writes one of many messages: one line of JSON, or as `human` puts it.
    pub(crate) fn show_line(self, message: &Value, human: impl FnOnce() -> String) -> io::Result<()> {
        match self.format {
            Format::Json => write(&format!("{message}\n")),
            Format::Table => write(&human()),
        }
    }

    /// Says to people that something was done that has no result.
    pub(crate) fn done(self, sentence: &str) -> io::Result<()> {
        match self.format {
            Format::Json => Ok(()),
            Format::Table => write(&format!("{sentence}\n")),
        }
    }

    /// Says something to people beside the result.
    pub(crate) fn note(self, sentence: &str) {
        if self.format == Format::Table {
            say(sentence);
        }
    }

    /// Says which part of a list is shown, unless it is the whole.
    pub(crate) fn note_page(self, page: &PageInfo, shown: usize) {
        if page.total > shown as u64 {
            self.note(&format!("page {}: {shown} of {}; choose with --page and --limit", page.page.max(1), page.total));
        }
    }
}

/// Writes a line to standard error; there is nobody left to tell when that fails.
pub(crate) fn say(sentence: &str) {
    writeln!(io::stderr(), "{sentence}").ok();
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A table without borders. Columns are as wide as their content, so that lines can be cut and searched.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(NOTHING).set_header(header);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(table)
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells.map(|cell| or_dash(&printable(&cell))));
    }

    pub(crate) fn render(&self) -> String {
        let mut text = self.0.trim_fmt();
        text.push('\n');
        text
    }
}

/// Names and values, one to a line; empty values are left out.
pub(crate) fn fields<const N: usize>(fields: [(&str, String); N]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
    let lines = fields.iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(name, value)| format!("{:width$}{}\n", format!("{name}:"), printable(value))).collect()
}

/// The text without what would move the cursor or change the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
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
    fn tables_have_no_borders_and_no_trailing_space() {
        let mut table = Table::new(["ID", "NAME"]);
        table.row(["1".to_owned(), "alpha".to_owned()]);
        table.row(["22".to_owned(), String::new()]);
        assert_eq!(table.render(), "ID  NAME\n1   alpha\n22  -\n");
        assert_eq!(Table::new(["ID", "NAME"]).render(), "ID  NAME\n");
    }

    #[test]
    fn empty_fields_are_left_out() {
        assert_eq!(fields([("ID", "1".to_owned()), ("Reason", String::new())]), "ID:      1\n");
    }

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
