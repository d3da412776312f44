//! What containers wrote.

use std::io::{self, IsTerminal as _, Write as _};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;

use super::{MOST_TRIES, RETRY_AFTER};
use crate::api::LogEntry;
use crate::args::LogArgs;
use crate::client::{Client, Error};
use crate::output::{Output, printable};

/// Shows the logs at a path. Who follows is connected again after a break, and misses nothing.
pub(super) async fn run(client: &Client, output: Output, path: &[&str], args: &LogArgs) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let mut query = vec![("follow", args.follow.to_string())];
    query.extend(args.since.map(|since| ("since", since.before(now).to_string())));
    query.extend(args.tail.map(|tail| ("tail", tail.to_string())));
    let mut screen = Screen { timestamps: args.timestamps, at_start: true };
    let (mut place, mut tries) = (Place::default(), 0);
    loop {
        let ended = async {
            let mut entries = client.stream(path, &query).await?;
            while let Some(message) = entries.try_next().await? {
                let entry: LogEntry = serde_json::from_value(message.clone())?;
                if !place.passes(entry.time) {
                    continue;
                }
                tries = 0;
                if output.is_for_people() {
                    screen.write(&entry)?;
                } else {
                    output.show_line(&message, String::new)?;
                }
            }
            anyhow::Ok(())
        };
        let Err(error) = ended.await else { return Ok(()) };
        let may_return = error.downcast_ref::<Error>().is_some_and(|cause| cause.is_transient() || cause.says("NodeNotOnline"));
        let Some(shown_until) = place.resume().filter(|_| args.follow && may_return && tries < MOST_TRIES) else {
            return Err(error);
        };
        tries += 1;
        tokio::time::sleep(RETRY_AFTER).await;
        query = vec![("follow", true.to_string()), ("since", shown_until.to_string())];
    }
}

/// How far the entries have been shown. Several may have one time: the parts of a long line do.
#[derive(Default)]
struct Place {
    time: Option<Timestamp>,
    /// Entries of that time that were shown.
    shown: usize,
    /// Of these, those that come once more.
    again: usize,
}

impl Place {
    /// Whether the next entry is a new one, which is then shown.
    fn passes(&mut self, time: Option<Timestamp>) -> bool {
        if time == self.time && self.again > 0 {
            self.again -= 1;
            return false;
        }
        if time != self.time {
            (self.time, self.shown) = (time, 0);
        }
        self.shown += 1;
        self.again = 0;
        true
    }

    /// From when on entries are asked for again.
    fn resume(&mut self) -> Option<Timestamp> {
        self.again = self.shown;
        self.time
    }
}

/// Standard output and standard error, as a container writes to its own.
struct Screen {
    timestamps: bool,
    /// Whether what is written next begins a line.
    at_start: bool,
}

impl Screen {
    fn write(&mut self, entry: &LogEntry) -> io::Result<()> {
        let time = entry.time.filter(|_| self.timestamps && self.at_start).map(|time| format!("{time} ")).unwrap_or_default();
        let line = |is_terminal| format!("{time}{}", shown(&entry.text, is_terminal));
        self.at_start = entry.text.ends_with('\n');
        if entry.stream == "stderr" {
            return io::stderr().write_all(line(io::stderr().is_terminal()).as_bytes());
        }
        let mut out = io::stdout().lock();
        out.write_all(line(out.is_terminal()).as_bytes())?;
        out.flush()
    }
}

/// The text as it is; for a terminal, without what would change it.
fn shown(text: &str, is_terminal: bool) -> String {
    match (is_terminal, text.strip_suffix('\n')) {
        (false, _) => text.to_owned(),
        (true, Some(line)) => format!("{}\n", printable(line)),
        (true, None) => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_parts_of_a_long_line_only_those_come_again_that_were_shown() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let mut place = Place::default();
        assert!(place.passes(at(1)) && place.passes(at(2)) && place.passes(at(2)));
        assert_eq!(place.resume(), at(2));
        let again = [2, 2, 2, 3, 2].map(|second| place.passes(at(second)));
        assert_eq!(again, [false, false, true, true, true]);
        assert_eq!(place.resume(), at(2));
        // It broke before anything came again.
        assert_eq!(place.resume(), at(2));
        assert_eq!([2, 4].map(|second| place.passes(at(second))), [false, true]);
    }

    #[test]
    fn terminals_get_no_control_characters() {
        assert_eq!(shown("\u{1b}[2Jloss\t0.4\n", true), " [2Jloss 0.4\n");
        assert_eq!(shown("\u{1b}[2Jloss\t0.4\n", false), "\u{1b}[2Jloss\t0.4\n");
        assert_eq!(shown("half", true), "half");
    }
}
