//! Image references. No I/O.
//!
//! A reference ends up in a path of Docker's API, so what passes here has no character that means something there.

/// The longest reference in the contract.
const MAX_LENGTH: usize = 512;
const MAX_TAG: usize = 128;
const RULE: &str = "must be an image reference such as registry.example:5000/team/train:1";

/// Checks a reference and completes it with the tag `latest` where it has neither tag nor digest: without one Docker pulls
/// every tag there is.
pub(super) fn complete(reference: &str) -> Result<String, &'static str> {
    if reference.is_empty() {
        return Err("must not be empty");
    }
    if reference.len() > MAX_LENGTH {
        return Err("must have at most 512 characters");
    }
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    if !digest.is_none_or(is_digest) {
        return Err(RULE);
    }
    // A colon before the last slash belongs to the registry's port.
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match name[path..].rfind(':') {
        Some(colon) => (&name[..path + colon], Some(&name[path + colon + 1..])),
        None => (name, None),
    };
    if !tag.is_none_or(is_tag) || !is_name(name) {
        return Err(RULE);
    }
    Ok(if tag.is_none() && digest.is_none() { format!("{reference}:latest") } else { reference.to_owned() })
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && hex.len() >= 32
            && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_tag(tag: &str) -> bool {
    let mut bytes = tag.bytes();
    tag.len() <= MAX_TAG
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn is_name(name: &str) -> bool {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    registry.is_none_or(is_registry) && path.split('/').all(is_component)
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let label = |label: &str| is_bounded(label, |byte| byte.is_ascii_alphanumeric() || byte == b'-', u8::is_ascii_alphanumeric);
    host.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_bounded(component, |byte| alphanumeric(&byte) || matches!(byte, b'.' | b'_' | b'-'), alphanumeric)
        && !component.contains("..")
}

/// Not empty, made of `inner`, beginning and ending with `outer`.
fn is_bounded(text: &str, inner: impl Fn(u8) -> bool, outer: impl Fn(&u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(&outer) && bytes.last().is_some_and(&outer) && bytes.iter().all(|&byte| inner(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_completed() {
        let digest = format!("a@sha256:{}", "0a".repeat(32));
        let cases = [
            ("alpine", "alpine:latest"),
            ("alpine:3", "alpine:3"),
            ("registry.example:5000/team/train", "registry.example:5000/team/train:latest"),
            ("registry.example:5000/team/train:1", "registry.example:5000/team/train:1"),
            ("127.0.0.1:5000/a_b--c.d:V1.0_x", "127.0.0.1:5000/a_b--c.d:V1.0_x"),
            ("localhost/a", "localhost/a:latest"),
            (digest.as_str(), digest.as_str()),
        ];
        for (given, expected) in cases {
            assert_eq!(complete(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(513);
        let cases = [
            "",
            " ",
            "a b",
            "../containers/x",
            "a/../b",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:b:c",
            "a?x=1",
            "a#b",
            "a%2e",
            "Upper",
            "a@sha256:zz",
            "a@",
            "-a",
            "host:port/a",
            "ä",
            &long,
        ];
        for given in cases {
            assert!(complete(given).is_err(), "{given}");
        }
    }
}
