//! What containers wrote, as Docker tells it: each line with the time before it, a long line in several.

use bollard::{container::LogOutput, query_parameters::LogsOptions};
use jiff::Timestamp;

use crate::runtime::{LogEntry, LogRange, Output};

/// What is asked of Docker. It knows whole seconds only, and sends more than was asked for.
pub(super) fn options(range: LogRange) -> LogsOptions {
    let LogRange { follow, tail, since } = range;
    LogsOptions {
        follow,
        stdout: true,
        stderr: true,
        since: since.map_or(0, |since| i32::try_from(since.as_second().max(0)).unwrap_or(i32::MAX)),
        timestamps: true,
        tail: tail.map_or_else(|| "all".to_owned(), |entries| entries.to_string()),
        ..LogsOptions::default()
    }
}

/// An entry. What has no time before it, which Docker does not send, is taken as it is.
pub(super) fn entry(output: &LogOutput) -> LogEntry {
    let (output, message) = match output {
        LogOutput::StdErr { message } => (Output::Error, message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            (Output::Standard, message)
        }
    };
    let text = String::from_utf8_lossy(message);
    let timed = text.split_once(' ').and_then(|(at, text)| Some((at.parse::<Timestamp>().ok()?, text)));
    match timed {
        Some((at, text)) => LogEntry { output, at, text: text.to_owned() },
        None => LogEntry { output, at: Timestamp::UNIX_EPOCH, text: text.into_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_taken_from_before_the_text() {
        let read = |message: &'static [u8]| entry(&LogOutput::StdErr { message: message.into() });
        let at = "2026-11-21T20:00:00.123456789Z".parse().unwrap();
        let expected = |text: &str| LogEntry { output: Output::Error, at, text: text.to_owned() };
        assert_eq!(read(b"2026-11-21T20:00:00.123456789Z epoch 1\n"), expected("epoch 1\n"));
        assert_eq!(read(b"2026-11-21T20:00:00.123456789Z \n"), expected("\n"));
        assert_eq!(read(b"2026-11-21T20:00:00.123456789Z a\xffb"), expected("a\u{fffd}b"));
        assert_eq!(read(b"no time\n"), LogEntry { at: Timestamp::UNIX_EPOCH, ..expected("no time\n") });
    }

    #[test]
    fn docker_is_asked_for_no_less_than_is_wanted() {
        let range = LogRange { follow: true, tail: Some(7), since: Some(Timestamp::new(1_700_000_000, 900_000_000).unwrap()) };
        let asked = options(range);
        assert_eq!((asked.follow, asked.tail.as_str(), asked.since), (true, "7", 1_700_000_000));
        assert_eq!(options(LogRange::default()).tail, "all");
        let ancient = LogRange { since: Some(Timestamp::MIN), ..LogRange::default() };
        assert_eq!(options(ancient).since, 0);
    }
}
