//! Many rows in one statement. Row by row, ten thousand of them cost half a second; in statements of five hundred, a few
//! milliseconds.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// The most rows of one statement: SQLite takes 32,766 values, and larger statements are no faster.
pub(super) const ROWS: usize = 500;

/// Cuts rows into few pieces, of few different sizes, so that each statement is prepared once per connection and found again: whole
/// ones of [`ROWS`], and the rest in numbers of which only the first three binary digits are not 0.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let small_digits = rows.len().checked_ilog2()?.saturating_sub(2);
        let (piece, rest) = rows.split_at(if rows.len() < ROWS { rows.len() >> small_digits << small_digits } else { ROWS });
        rows = rest;
        Some(piece)
    })
}

/// A statement with its list of placeholders: `head`, then `rows` times `row` with commas between, then `tail`. Each `$` in `row`
/// becomes the next free number after `taken`.
pub(super) fn statement(head: &'static str, row: &'static str, rows: usize, tail: &'static str, taken: usize) -> SqlStr {
    let mut sql = String::with_capacity(head.len() + rows * (row.len() + 8) + tail.len());
    sql.push_str(head);
    let mut number = taken;
    for index in 0..rows {
        if index > 0 {
            sql.push(',');
        }
        let mut parts = row.split('$');
        sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            number += 1;
            // Writing to a string does not fail.
            let _ = write!(sql, "${number}{part}");
        }
    }
    sql.push_str(tail);
    // Nothing but the literals of this crate and numbers went in.
    AssertSqlSafe(sql).into_sql_str()
}

#[cfg(test)]
mod tests {
    use super::{ROWS, pieces, statement};

    #[test]
    fn pieces_are_whole_or_of_round_sizes() {
        let sizes = |rows: usize| pieces(&vec![(); rows]).map(<[()]>::len).collect::<Vec<_>>();
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(7), [7]);
        assert_eq!(sizes(63), [56, 7]);
        assert_eq!(sizes(100), [96, 4]);
        assert_eq!(sizes(127), [112, 14, 1]);
        assert_eq!(sizes(2 * ROWS + 3), [ROWS, ROWS, 3]);
    }

    #[test]
    fn placeholders_are_numbered_on() {
        let sql = statement("insert into t values ", "($, cast($ as bigint))", 2, " on conflict do nothing", 1);
        assert_eq!(sql.as_str(), "insert into t values ($2, cast($3 as bigint)),($4, cast($5 as bigint)) on conflict do nothing");
    }
}
