//! Tables and lists of fields, with the words of states in colour. Whether colours are shown is decided where they are written.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::printable;

/// Between two columns.
const GAP: usize = 2;

/// The columns and fields that say how something stands.
const STATES: [&str; 6] = ["phase", "status", "state", "health", "result", "fits"];

/// A table without borders. Columns are as wide as their content, so that lines can be cut and searched.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned).into()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| or_dash(&printable(&cell))).into());
    }

    pub(crate) fn render(&self) -> String {
        let Some((header, rows)) = self.rows.split_first() else { return String::new() };
        let widths = self.rows.iter().fold(vec![0; header.len()], |mut widest: Vec<usize>, row| {
            for (widest, cell) in widest.iter_mut().zip(row) {
                *widest = cell.width().max(*widest);
            }
            widest
        });
        let mut text = line(header.iter().map(|cell| (cell.as_str(), Style::new())), &widths);
        for row in rows {
            let styled = row.iter().zip(header).map(|(cell, column)| (cell.as_str(), style(column, cell)));
            text.push_str(&line(styled, &widths));
        }
        text
    }
}

/// One line of cells, without space at its end.
fn line<'a>(cells: impl Iterator<Item = (&'a str, Style)>, widths: &[usize]) -> String {
    let (mut text, mut missing) = (String::new(), 0);
    for ((cell, style), width) in cells.zip(widths) {
        text.push_str(&" ".repeat(missing));
        text.push_str(&format!("{style}{cell}{style:#}"));
        missing = width.saturating_sub(cell.width()) + GAP;
    }
    text.push('\n');
    text
}

/// Names and values, one to a line; empty values are left out.
pub(crate) fn fields<const N: usize>(fields: [(&str, String); N]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
    let lines = fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| {
        let style = style(name, value);
        format!("{:width$}{style}{}{style:#}\n", format!("{name}:"), printable(value))
    });
    lines.collect()
}

/// The colour of a word in a column of states.
fn style(column: &str, word: &str) -> Style {
    if !STATES.contains(&&*column.to_lowercase()) {
        return Style::new();
    }
    let color = match &*word.to_lowercase() {
        "running" | "online" | "ready" | "ok" | "up" | "active" | "healthy" | "available" | "completed" | "delivered"
        | "idle" | "success" | "accepted" | "free" | "yes" => AnsiColor::Green,
        "failed" | "offline" | "error" | "down" | "unhealthy" | "unavailable" | "unreachable" | "faulty" | "failure"
        | "denied" | "timeout" | "broken" | "no" => AnsiColor::Red,
        "pending" | "scheduled" | "maintenance" | "starting" | "stopping" | "degraded" | "draining" | "warning" | "cancelled"
        | "not configured" | "deploying" | "changed" => AnsiColor::Yellow,
        _ => return Style::new(),
    };
    color.on_default()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
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
    fn columns_stand_under_each_other_in_every_script_and_colour() {
        let mut table = Table::new(["NAME", "STATUS", "AGE"]);
        table.row(["計算".to_owned(), "online".to_owned(), "1s".to_owned()]);
        table.row(["ab".to_owned(), "draining".to_owned(), "2s".to_owned()]);
        let text = table.render();
        assert!(text.contains("\u{1b}[32monline\u{1b}[0m") && text.contains("\u{1b}[33mdraining"), "{text:?}");
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "NAME  STATUS    AGE\n計算  online    1s\nab    draining  2s\n");
    }

    #[test]
    fn empty_fields_are_left_out() {
        assert_eq!(fields([("ID", "1".to_owned()), ("Reason", String::new())]), "ID:      1\n");
    }
}
