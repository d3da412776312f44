//! Slurm's short form of many host names: `gpu[01-03,07],login1`.

/// More names than a job can have.
const MAX_NAMES: usize = 1 << 16;

/// All names of a list, in its order. What is no list stands for itself.
pub(super) fn expand(list: &str) -> Vec<String> {
    if matches!(list, "" | "(null)" | "None assigned") {
        return Vec::new();
    }
    let mut names = Vec::new();
    for item in split_outside(list, '[', ']') {
        let room = MAX_NAMES.saturating_sub(names.len());
        names.extend(expand_item(item).unwrap_or_else(|| vec![item.to_owned()]).into_iter().take(room));
    }
    names
}

/// Cuts at commas that are not between these brackets; empty pieces are left out.
pub(super) fn split_outside(text: &str, open: char, close: char) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let is_cut = move |c: char| {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
        }
        c == ',' && depth == 0
    };
    text.split(is_cut).map(str::trim).filter(|piece| !piece.is_empty())
}

/// One item, which may have several ranges: `rack[1-2]n[01-04]`. None when it cannot be read, or is too long.
fn expand_item(item: &str) -> Option<Vec<String>> {
    let Some((head, rest)) = item.split_once('[') else { return Some(vec![item.to_owned()]) };
    let (ranges, tail) = rest.split_once(']')?;
    let tails = expand_item(tail)?;
    let mut names = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let width = first.len();
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        let count = last.checked_sub(first)?.checked_add(1)?.checked_mul(tails.len())?;
        if names.len().checked_add(count)? > MAX_NAMES {
            return None;
        }
        for number in first..=last {
            names.extend(tails.iter().map(|tail| format!("{head}{number:0width$}{tail}")));
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_expanded() {
        for (list, expected) in [
            ("", &[][..]),
            ("(null)", &[]),
            ("node01", &["node01"]),
            ("a,b", &["a", "b"]),
            ("node[01-02]", &["node01", "node02"]),
            ("gpu[8-10,12],login1", &["gpu8", "gpu9", "gpu10", "gpu12", "login1"]),
            ("r[1-2]n[01-02]", &["r1n01", "r1n02", "r2n01", "r2n02"]),
            ("n[1-2]-ib", &["n1-ib", "n2-ib"]),
        ] {
            assert_eq!(expand(list), expected, "{list}");
        }
    }

    #[test]
    fn what_is_no_list_stands_for_itself() {
        for list in ["a[", "a[x-y]", "a[2-1]", "a[1-99999999999]", "a[1-99999]b[1-99999]", "a[18446744073709551615-1]"] {
            assert_eq!(expand(list), [list]);
        }
        assert!(expand(&"n[1-60000],".repeat(10)).len() <= MAX_NAMES);
    }
}
