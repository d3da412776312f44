//! Rules for what callers send. Every refusal names the field by its path in JSON.

use std::borrow::Cow;

use utopia_proto::{
    claim::v1::{ClaimSpec, Resources},
    node::v1::PortMapping,
};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    model::{
        Role,
        selector::{self, Labels, Selector},
    },
};

/// The longest image reference in characters.
const MAX_IMAGE: usize = 512;

/// The most entries of a list or map in a specification.
const MAX_ENTRIES: usize = 256;

/// The longest single string in a specification, in bytes.
const MAX_STRING: usize = 4096;

/// The largest specification in bytes, so that a command with it fits into a frame of the link.
const MAX_SPEC_BYTES: usize = 48 * 1024;

/// The most GPUs of one claim.
const MAX_GPUS: i32 = 1024;

/// The id of a thing; a malformed one names nothing.
///
/// # Errors
/// `NotFound` for anything but a UUID.
pub fn id(kind: &'static str, id: &str) -> Result<Uuid> {
    Uuid::try_parse(id).map_err(|_| Error::not_found(kind, shorten(id)))
}

/// A user name.
///
/// # Errors
/// `Invalid` when it breaks the rule.
pub fn username(name: &str) -> Result<()> {
    let rule = "must be 3 to 64 letters, digits, `.`, `_` or `-`, and begin with a letter or digit";
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits =
        (3..=64).contains(&name.len()) && name.chars().all(allowed) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits { Ok(()) } else { Err(Error::invalid("username", rule)) }
}

/// A new password for a user.
///
/// # Errors
/// `Invalid` when it breaks the rule.
pub fn password(field: &'static str, username: &str, password: &str, development: bool) -> Result<()> {
    /// Pairs that every scanner tries.
    const WELL_KNOWN: [(&str, &str); 3] = [("admin", "admin"), ("admin", "admin123"), ("minioadmin", "minioadmin")];
    let well_known = WELL_KNOWN.iter().any(|(name, word)| username.eq_ignore_ascii_case(name) && password == *word);
    if development && well_known {
        return Ok(());
    }
    if !(8..=256).contains(&password.len()) {
        return Err(Error::invalid(field, "must be 8 to 256 bytes"));
    }
    if well_known || username.eq_ignore_ascii_case(password) {
        return Err(Error::invalid(field, "is too well known for this user name"));
    }
    Ok(())
}

/// An e-mail address, or none.
///
/// # Errors
/// `Invalid` when it is none that could be delivered to.
pub fn email(field: &'static str, address: &str) -> Result<()> {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = address.rsplit_once('@').is_some_and(|(local, domain)| {
        local.len() <= 64
            && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom))
            && domain.split('.').all(label)
    });
    if address.is_empty() || (fits && address.len() <= 254) {
        return Ok(());
    }
    Err(Error::invalid(field, "must be an e-mail address of at most 254 characters"))
}

/// A role, by its word.
///
/// # Errors
/// `Invalid` for any other word.
pub fn role(field: &'static str, word: &str) -> Result<Role> {
    word.parse().map_err(|_| Error::invalid(field, "must be `admin`, `operator`, `user` or `readonly`"))
}

/// A host name.
///
/// # Errors
/// `Invalid` when it breaks the rule.
pub fn hostname(field: &'static str, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits = (1..=253).contains(&name.len()) && name.chars().all(allowed);
    if fits { Ok(()) } else { Err(Error::invalid(field, "must be 1 to 253 letters, digits, `.`, `_` or `-`")) }
}

/// Free text of limited length.
///
/// # Errors
/// `Invalid` when it is too long or has control characters.
pub fn text(field: impl Into<Cow<'static, str>>, value: &str, max: usize) -> Result<()> {
    if value.len() > max {
        return Err(Error::invalid(field, format!("must be at most {max} bytes")));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not contain control characters"));
    }
    Ok(())
}

/// A line of text of limited length.
///
/// # Errors
/// `Invalid` when it has too many characters or control characters.
pub fn characters(field: &'static str, value: &str, max: usize) -> Result<()> {
    if value.chars().nth(max).is_some() {
        return Err(Error::invalid(field, format!("must be at most {max} characters")));
    }
    // Four bytes are the most of a character.
    text(field, value, max.saturating_mul(4))
}

/// The labels of one thing.
///
/// # Errors
/// `Invalid` with the path of the label that breaks its rule.
pub fn labels(field: &'static str, labels: &Labels) -> Result<()> {
    selector::check(labels).map_err(|(key, rule)| match key {
        "" => Error::invalid(field, rule.to_string()),
        key => Error::invalid(format!("{field}.{}", shorten(key)), rule.to_string()),
    })
}

/// A label selector.
///
/// # Errors
/// `Invalid` when it cannot be read.
pub fn selector(field: &'static str, text: &str) -> Result<Selector> {
    text.parse().map_err(|error: selector::Unusable| Error::invalid(field, error.to_string()))
}

/// A claim's specification.
///
/// # Errors
/// `Invalid` with the path of the field that breaks its rule.
pub fn claim_spec(spec: &ClaimSpec) -> Result<()> {
    if spec.image.is_empty() {
        return Err(Error::invalid("spec.image", "must not be empty"));
    }
    text("spec.image", &spec.image, MAX_IMAGE)?;
    if spec.image.chars().any(char::is_whitespace) {
        return Err(Error::invalid("spec.image", "must not contain white space"));
    }
    resources(spec.resources.as_ref().unwrap_or(&Resources::default()))?;
    strings("spec.command", &spec.command)?;
    strings("spec.env", &spec.env)?;
    if let Some(at) = spec.env.iter().position(|entry| entry.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        return Err(Error::invalid(format!("spec.env[{at}]"), "must be `NAME=value`"));
    }
    if !spec.working_dir.is_empty() {
        absolute_path("spec.workingDir", &spec.working_dir)?;
    }
    ports(&spec.ports)?;
    if spec.volumes.len() > MAX_ENTRIES {
        return Err(Error::invalid("spec.volumes", format!("must have at most {MAX_ENTRIES} entries")));
    }
    for (host, container) in &spec.volumes {
        absolute_path("spec.volumes", host)?;
        absolute_path(format!("spec.volumes.{host}"), container)?;
    }
    if spec.reschedule_after_seconds < 0 {
        return Err(Error::invalid("spec.rescheduleAfterSeconds", "must not be negative"));
    }
    if prost::Message::encoded_len(spec) > MAX_SPEC_BYTES {
        return Err(Error::invalid("spec", format!("must be at most {MAX_SPEC_BYTES} bytes in all")));
    }
    Ok(())
}

fn resources(resources: &Resources) -> Result<()> {
    if !(0..=MAX_GPUS).contains(&resources.gpu_count) {
        return Err(Error::invalid("spec.resources.gpuCount", format!("must be 0 to {MAX_GPUS}")));
    }
    text("spec.resources.gpuModel", &resources.gpu_model, 128)?;
    if resources.gpu_memory_mb < 0 {
        return Err(Error::invalid("spec.resources.gpuMemoryMb", "must not be negative"));
    }
    // 6 MiB is the least that the container runtime accepts.
    if resources.memory_mb != 0 && !(6..=1 << 30).contains(&resources.memory_mb) {
        return Err(Error::invalid("spec.resources.memoryMb", "must be 0 or 6 to 1073741824"));
    }
    if !(0.0..=65_536.0).contains(&resources.cpus) {
        return Err(Error::invalid("spec.resources.cpus", "must be 0 to 65536"));
    }
    Ok(())
}

fn strings(field: &'static str, values: &[String]) -> Result<()> {
    if values.len() > MAX_ENTRIES {
        return Err(Error::invalid(field, format!("must have at most {MAX_ENTRIES} entries")));
    }
    let bad = values.iter().position(|value| value.len() > MAX_STRING || value.contains('\0'));
    bad.map_or(Ok(()), |at| {
        Err(Error::invalid(format!("{field}[{at}]"), format!("must be at most {MAX_STRING} bytes without NUL")))
    })
}

fn absolute_path(field: impl Into<Cow<'static, str>>, path: &str) -> Result<()> {
    if path.starts_with('/')
        && path.len() <= MAX_STRING
        && !path.contains(['\0', ':'])
        && path.split('/').all(|part| part != "..")
    {
        return Ok(());
    }
    Err(Error::invalid(field, "must be an absolute path without `..` and `:`"))
}

fn ports(ports: &[PortMapping]) -> Result<()> {
    if ports.len() > MAX_ENTRIES {
        return Err(Error::invalid("spec.ports", format!("must have at most {MAX_ENTRIES} entries")));
    }
    for (at, port) in ports.iter().enumerate() {
        if !(0..=65_535).contains(&port.host_port) {
            return Err(Error::invalid(format!("spec.ports[{at}].host_port"), "must be 0 to 65535"));
        }
        if !(1..=65_535).contains(&port.container_port) {
            return Err(Error::invalid(format!("spec.ports[{at}].container_port"), "must be 1 to 65535"));
        }
        if !matches!(port.protocol.as_str(), "" | "tcp" | "udp") {
            return Err(Error::invalid(format!("spec.ports[{at}].protocol"), "must be tcp or udp"));
        }
    }
    Ok(())
}

/// The beginning of what a caller sent, for a message.
fn shorten(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ClaimSpec {
        ClaimSpec { image: "registry:5000/train:1".into(), ..ClaimSpec::default() }
    }

    fn field(result: Result<()>) -> String {
        match result {
            Err(Error::Invalid { field, .. }) => field.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_specification_names_the_field() {
        assert!(claim_spec(&spec()).is_ok());
        let gpus = |gpu_count| Some(Resources { gpu_count, ..Resources::default() });
        let port =
            |host_port, container_port, protocol: &str| PortMapping { host_port, container_port, protocol: protocol.into() };
        let table: [(ClaimSpec, &str); 11] = [
            (ClaimSpec::default(), "spec.image"),
            (ClaimSpec { image: "a b".into(), ..spec() }, "spec.image"),
            (ClaimSpec { resources: gpus(-1), ..spec() }, "spec.resources.gpuCount"),
            (ClaimSpec { resources: gpus(1025), ..spec() }, "spec.resources.gpuCount"),
            (ClaimSpec { env: vec!["A=1".into(), "B".into()], ..spec() }, "spec.env[1]"),
            (ClaimSpec { working_dir: "tmp".into(), ..spec() }, "spec.workingDir"),
            (ClaimSpec { ports: vec![port(0, 0, "")], ..spec() }, "spec.ports[0].container_port"),
            (ClaimSpec { ports: vec![port(70_000, 80, "")], ..spec() }, "spec.ports[0].host_port"),
            (ClaimSpec { ports: vec![port(0, 80, "tcp"), port(0, 80, "sctp")], ..spec() }, "spec.ports[1].protocol"),
            (ClaimSpec { volumes: [("/data/../etc".into(), "/data".into())].into(), ..spec() }, "spec.volumes"),
            (ClaimSpec { reschedule_after_seconds: -1, ..spec() }, "spec.rescheduleAfterSeconds"),
        ];
        for (spec, expected) in table {
            assert_eq!(field(claim_spec(&spec)), expected);
        }
    }

    #[test]
    fn documented_and_well_known_passwords() {
        assert!(password("password", "newuser", "password123", false).is_ok());
        assert_eq!(field(password("password", "newuser", "short", false)), "password");
        assert_eq!(field(password("password", "admin", "admin123", false)), "password");
        assert_eq!(field(password("password", "minioadmin", "minioadmin", false)), "password");
        assert!(password("password", "admin", "admin", true).is_ok());
    }

    #[test]
    fn email_addresses() {
        for good in ["", "ada@example.com", "a.b+c@x-1.example", "admin@localhost", &format!("{}@a.b", "a".repeat(64))] {
            assert!(email("email", good).is_ok(), "{good}");
        }
        let bad = [
            "ada",
            "@",
            "ada@",
            "@example.com",
            "a@b@c",
            "a..b@c",
            ".a@c",
            "a b@c",
            "a@-c",
            "a@c-",
            "a@c..d",
            "a@c.",
            "ädä@example.com",
            "a@b\n",
            "\"a\"@c",
            &format!("{}@a.b", "a".repeat(65)),
            &format!("a@{}", "b.".repeat(126) + "cc"),
        ];
        for bad in bad {
            assert_eq!(field(email("email", bad)), "email", "{bad}");
        }
    }

    #[test]
    fn roles_by_their_words() {
        assert_eq!(role("role", "admin").unwrap(), Role::Admin);
        assert_eq!(role("role", "developer").unwrap(), Role::User);
        for bad in ["", "root", "Admin", " user"] {
            assert_eq!(field(role("role", bad).map(drop)), "role", "{bad}");
        }
    }

    #[test]
    fn user_names() {
        for good in ["ada", "ada.lovelace", "a-1_b"] {
            assert!(username(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", ".ada", "a b c", "ädä", &"a".repeat(65)] {
            assert_eq!(field(username(bad)), "username", "{bad}");
        }
    }
}
