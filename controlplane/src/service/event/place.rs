//! Where a watcher is: in the log of events, and in the audit log for whoever watches that too.

use std::fmt;

use crate::error::{Error, Result};

/// A place. As a text it is a cursor: `1025`, or `1025.88` with the place in the audit log behind the dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The last event that was looked at.
    pub(super) event: i64,
    /// The last link of the audit log that was looked at, for who watches it.
    pub(super) link: Option<i64>,
}

impl Place {
    /// From the text of a cursor. In the audit log it is at its beginning for `0`, and nowhere for any other text without a dot.
    pub(super) fn parse(cursor: &str) -> Result<Self> {
        let number = |text: &str| {
            let number = text.parse().ok().filter(|number: &i64| *number >= 0);
            number.ok_or_else(|| Error::invalid("cursor", "must be the `cursor` of an event, or `0`"))
        };
        match cursor.split_once('.') {
            Some((event, link)) => Ok(Self { event: number(event)?, link: Some(number(link)?) }),
            None => {
                let event = number(cursor)?;
                Ok(Self { event, link: (event == 0).then_some(0) })
            }
        }
    }

    /// Whether nothing up to another place is left to look at.
    pub(super) fn has_reached(&self, other: &Self) -> bool {
        self.event >= other.event && self.link >= other.link
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.link {
            Some(link) => write!(f, "{}.{link}", self.event),
            None => write!(f, "{}", self.event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_own_text() {
        for place in [Place { event: 0, link: Some(0) }, Place { event: 7, link: None }, Place { event: 0, link: Some(9) }] {
            assert_eq!(Place::parse(&place.to_string()).unwrap(), place);
        }
        for bad in ["", "-1", "1.", ".1", "1.-1", "1.2.3", "1.5x", "9223372036854775808"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
