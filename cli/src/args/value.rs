//! Values with a syntax of their own. What the server checks is not checked here again.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// `NAME=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvVar(pub(crate) String);

impl FromStr for EnvVar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, _)) if !name.is_empty() => Ok(Self(text.to_owned())),
            Some(_) | None => Err("expected NAME=VALUE".to_owned()),
        }
    }
}

/// `[HOST:]CONTAINER[/tcp|/udp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// 0 lets the machine choose.
    pub(crate) host: u16,
    pub(crate) container: u16,
    pub(crate) protocol: &'static str,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => "tcp",
            "udp" => "udp",
            _ => return Err("the protocol is tcp or udp".to_owned()),
        };
        let number = |text: &str| text.parse::<u16>().map_err(|_| format!("{text:?} is not a port"));
        let (host, container) = match ports.split_once(':') {
            Some((host, container)) => (number(host)?, number(container)?),
            None => (0, number(ports)?),
        };
        if container == 0 {
            return Err("the container's port is 1 to 65535".to_owned());
        }
        Ok(Self { host, container, protocol })
    }
}

/// `HOST:CONTAINER`, both absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) host: String,
    pub(crate) container: String,
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((host, container)) if host.starts_with('/') && container.starts_with('/') => {
                Ok(Self { host: host.to_owned(), container: container.to_owned() })
            }
            Some(_) | None => Err("expected two absolute paths, HOST:CONTAINER".to_owned()),
        }
    }
}

/// A length of time: a number with `s`, `m`, `h` or `d`; seconds without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u32);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a time such as 90s, 30m, 12h or 7d";
        let digits = text.trim_end_matches(|character: char| character.is_ascii_lowercase());
        let seconds_per_unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return Err(EXPECTED.to_owned()),
        };
        let number: u32 = digits.parse().map_err(|_| EXPECTED.to_owned())?;
        let seconds = number.checked_mul(seconds_per_unit).ok_or("that is too long")?;
        if seconds == 0 { Err("it must be longer than nothing".to_owned()) } else { Ok(Self(seconds)) }
    }
}

/// `KEY=VALUE`; the value may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            Some(_) | None => Err("expected KEY=VALUE".to_owned()),
        }
    }
}

/// A number of bytes: a whole number with `KiB`, `MiB`, `GiB` or `TiB`; bytes without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a size such as 512MiB, 128GiB or 2TiB";
        let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
        let bytes_per_unit = match &text[number.len()..] {
            "" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(EXPECTED.to_owned()),
        };
        let number: u64 = number.parse().map_err(|_| EXPECTED.to_owned())?;
        // Sizes are signed on the wire.
        let bytes = number.checked_mul(bytes_per_unit).filter(|bytes| i64::try_from(*bytes).is_ok());
        bytes.map(Self).ok_or_else(|| "that is too large".to_owned())
    }
}

/// A point in time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Seconds),
}

impl Moment {
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(timestamp) => timestamp,
            Self::Ago(Seconds(seconds)) => {
                now.saturating_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seconds) = text.parse() {
            return Ok(Self::Ago(seconds));
        }
        text.parse()
            .map(Self::At)
            .map_err(|_| "expected a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h".to_owned())
    }
}

/// The head of the audit log's chain as `audit verify` prints it: `SEQUENCE:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: i64,
    /// 64 lower-case hexadecimal digits.
    pub(crate) hash: String,
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HASH_DIGITS: usize = 64;
        let head = text.split_once(':').and_then(|(sequence, hash)| {
            let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0)?;
            let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then(|| Self { sequence, hash: hash.to_ascii_lowercase() })
        });
        head.ok_or_else(|| "expected SEQUENCE:HASH, as `aiinfra audit verify` prints it".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let port = |host, container, protocol| Ok(Port { host, container, protocol });
        assert_eq!("8080:80".parse(), port(8080, 80, "tcp"));
        assert_eq!("53:53/udp".parse(), port(53, 53, "udp"));
        assert_eq!("80".parse(), port(0, 80, "tcp"));
        for wrong in ["", ":", "80:", "0", "1:0", "65536", "80/sctp", "a:b", "1:2:3"] {
            assert!(wrong.parse::<Port>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn volumes_are_two_absolute_paths() {
        let volume = Volume { host: "/srv".to_owned(), container: "/data".to_owned() };
        assert_eq!("/srv:/data".parse(), Ok(volume));
        for wrong in ["", "/srv", "srv:/data", "/srv:data", ":"] {
            assert!(wrong.parse::<Volume>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn environment_needs_a_name() {
        assert_eq!("A=b=c".parse(), Ok(EnvVar("A=b=c".to_owned())));
        assert_eq!("A=".parse(), Ok(EnvVar("A=".to_owned())));
        for wrong in ["", "A", "=b"] {
            assert!(wrong.parse::<EnvVar>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times() {
        for (text, seconds) in [("45", 45), ("90s", 90), ("30m", 1_800), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)));
        }
        for wrong in ["", "s", "0", "0m", "-1s", "1w", "1h30m", "1.5h", "99999999d", "١s"] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_need_a_key() {
        let label = |key: &str, value: &str| Ok(Label { key: key.to_owned(), value: value.to_owned() });
        assert_eq!("zone=b".parse(), label("zone", "b"));
        assert_eq!("a=b=c".parse(), label("a", "b=c"));
        assert_eq!("gpu=".parse(), label("gpu", ""));
        for wrong in ["", "zone", "=b"] {
            assert!(wrong.parse::<Label>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("1KiB", 1024), ("512MiB", 512 << 20), ("128GiB", 128 << 30), ("2TiB", 2 << 40)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for wrong in ["", "GiB", "-1", "1.5GiB", "1gb", "1GB", "1 GiB", "9000000TiB", "99999999999999999999"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_times_or_ages() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, moment) in [("2h", "2026-01-31T10:00:00Z"), ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00Z")] {
            assert_eq!(text.parse::<Moment>().unwrap().before(now).to_string(), moment);
        }
        assert_eq!("49000d".parse::<Moment>().unwrap().before(now).to_string(), "1891-12-05T12:00:00Z");
        for wrong in ["", "yesterday", "2026-01-01", "-2h"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn heads() {
        let hash = "0f".repeat(32);
        assert_eq!(format!("7:{hash}").parse(), Ok(Head { sequence: 7, hash: hash.clone() }));
        assert_eq!(format!("7:{}", hash.to_uppercase()).parse(), Ok(Head { sequence: 7, hash: hash.clone() }));
        for wrong in
            [String::new(), hash.clone(), format!("0:{hash}"), format!("-1:{hash}"), format!("7:{hash}0"), "7:x".to_owned()]
        {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
