//! Times and durations as text: RFC 3339 in UTC, and seconds with an `s`.

use std::fmt::Write as _;

/// 0001-01-01T00:00:00Z.
const EARLIEST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LATEST: i64 = 253_402_300_799;
/// The longest duration protobuf knows, about 10,000 years.
const LONGEST: i64 = 315_576_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Writes an instant; false, and nothing written, when it is outside the years 1 to 9999.
pub(super) fn write_timestamp(out: &mut String, seconds: i64, nanos: i64) -> bool {
    if !(EARLIEST..=LATEST).contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos) {
        return false;
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // By hand: with the formatter of the library, times would cost more than all else of a small answer.
    let mut text = *b"0000-00-00T00:00:00";
    for (place, number) in [(0..4, year), (5..7, month), (8..10, day), (11..13, hour), (14..16, minute), (17..19, second)] {
        write_digits(&mut text[place], number);
    }
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
    write_fraction(out, nanos);
    out.push('Z');
    true
}

/// Writes a duration; false, and nothing written, when it is outside of what protobuf allows.
pub(super) fn write_duration(out: &mut String, seconds: i64, nanos: i64) -> bool {
    let total = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
    let limit = i128::from(LONGEST) * i128::from(NANOS_PER_SECOND);
    if !(-limit..=limit).contains(&total) {
        return false;
    }
    let sign = if total < 0 { "-" } else { "" };
    let (seconds, nanos) = (total.abs() / i128::from(NANOS_PER_SECOND), total.abs() % i128::from(NANOS_PER_SECOND));
    write!(out, "{sign}{seconds}").expect("writing to a string does not fail");
    write_fraction(out, i64::try_from(nanos).unwrap_or(0));
    out.push('s');
    true
}

/// Reads RFC 3339 into seconds and nanoseconds.
pub(super) fn read_timestamp(text: &str) -> Option<(i64, i64)> {
    let timestamp = text.parse::<jiff::Timestamp>().ok()?;
    let (seconds, nanos) = (timestamp.as_second(), i64::from(timestamp.subsec_nanosecond()));
    // jiff rounds towards zero; protobuf's nanoseconds count forward.
    let (seconds, nanos) = if nanos < 0 { (seconds - 1, nanos + NANOS_PER_SECOND) } else { (seconds, nanos) };
    (EARLIEST..=LATEST).contains(&seconds).then_some((seconds, nanos))
}

/// Reads `1.5s` into seconds and nanoseconds of the same sign.
pub(super) fn read_duration(text: &str) -> Option<(i64, i64)> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds = whole.parse::<i64>().ok().filter(|seconds| *seconds <= LONGEST)?;
    let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
    (seconds < LONGEST || nanos == 0).then_some((sign * seconds, sign * nanos))
}

fn write_fraction(out: &mut String, nanos: i64) {
    if nanos == 0 {
        return;
    }
    let mut text = *b".000000000";
    write_digits(&mut text[1..], nanos);
    let text = std::str::from_utf8(&text).unwrap_or_default();
    out.push_str(text.trim_end_matches('0'));
}

/// Fills a place with the digits of a number, from its end on.
fn write_digits(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last of its year; an era is 400 years.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_survive() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_709_210_096, 120_000_000, "2024-02-29T12:34:56.12Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (EARLIEST, 0, "0001-01-01T00:00:00Z"),
            (LATEST, 0, "9999-12-31T23:59:59Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, nanos, text) in cases {
            let mut out = String::new();
            assert!(write_timestamp(&mut out, seconds, nanos));
            assert_eq!(out, text);
            if seconds < LATEST {
                assert_eq!(read_timestamp(text), Some((seconds, nanos)), "{text}");
            }
        }
        assert!(!write_timestamp(&mut String::new(), LATEST + 1, 0));
        assert!(!write_timestamp(&mut String::new(), 0, -1));
        assert_eq!(read_timestamp("2024-02-29T13:34:56+01:00"), Some((1_709_210_096, 0)));
        assert_eq!(read_timestamp("yesterday"), None);
    }

    #[test]
    fn every_day_agrees_with_a_calendar_library() {
        for seconds in (EARLIEST..jiff::Timestamp::MAX.as_second()).step_by(86_400 * 37 + 4321) {
            let mut out = String::new();
            assert!(write_timestamp(&mut out, seconds, 0));
            assert_eq!(out, jiff::Timestamp::from_second(seconds).unwrap().to_string());
        }
    }

    #[test]
    fn durations_survive() {
        let cases = [(1, 500_000_000, "1.5s"), (0, 0, "0s"), (0, -1, "-0.000000001s"), (-3, -250_000_000, "-3.25s")];
        for (seconds, nanos, text) in cases {
            let mut out = String::new();
            assert!(write_duration(&mut out, seconds, nanos));
            assert_eq!(out, text);
            assert_eq!(read_duration(text), Some((seconds, nanos)), "{text}");
        }
        for text in ["", "s", "1", "1.s", ".5s", "--1s", "1.0000000001s", "315576000001s", "315576000000.1s", "1e3s", "+1s"] {
            assert_eq!(read_duration(text), None, "{text}");
        }
        assert!(!write_duration(&mut String::new(), i64::MAX, 0));
    }
}
