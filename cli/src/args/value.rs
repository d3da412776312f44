//! Values with a syntax of their own. What the server checks is not checked here again.

use std::str::FromStr;

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
}
