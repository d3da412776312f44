//! The names of the schema: of each thing from itself alone, so that none moves when the contract grows.

use prost_reflect::{EnumDescriptor, MessageDescriptor, MethodDescriptor};

/// The field of `Query`, `Mutation` or `Subscription` that stands for a method: `slurmListJobs` for `SlurmService.ListJobs`.
pub(super) fn operation(method: &MethodDescriptor) -> String {
    let service = method.parent_service();
    let service = service.name().strip_suffix("Service").unwrap_or(service.name());
    let mut letters = service.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).chain(method.name().chars()).collect()
}

/// The type of a message: `SlurmJob` for `utopia.slurm.v1.Job`.
pub(super) fn message(message: &MessageDescriptor) -> String {
    of_type(message.package_name(), message.full_name())
}

/// The input type of a message.
pub(super) fn input(message: &MessageDescriptor) -> String {
    format!("{}Input", self::message(message))
}

/// The type of an enum.
pub(super) fn enumeration(descriptor: &EnumDescriptor) -> String {
    of_type(descriptor.package_name(), descriptor.full_name())
}

/// The area of the package in front of the name, unless the name begins with it, and the version behind it, unless it is the first.
fn of_type(package: &str, full_name: &str) -> String {
    let name = full_name.strip_prefix(package).unwrap_or(full_name).trim_start_matches('.').replace('.', "_");
    let (rest, version) = match package.rsplit_once('.') {
        Some((rest, last)) if is_version(last) => (rest, last),
        Some(_) | None => (package, "v1"),
    };
    let area = capitalized(rest.rsplit('.').next().unwrap_or_default());
    let version = if version == "v1" { String::new() } else { capitalized(version) };
    if begins_with_word(&name, &area) { format!("{name}{version}") } else { format!("{area}{name}{version}") }
}

fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

fn begins_with_word(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_lowercase()))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Whether a text is a name of GraphQL that is not reserved.
pub(super) fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && !text.starts_with("__") && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The value of an enum that stands for a word: what no name may hold becomes `_`. The empty word has none: it is `null`.
pub(crate) fn word(word: &str) -> Option<String> {
    if word.is_empty() {
        return None;
    }
    let name = word.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect::<String>();
    let is_taken = matches!(name.as_str(), "true" | "false" | "null") || name.starts_with("__");
    let starts_well = !is_taken && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    Some(if starts_well { name } else { format!("_{}", name.trim_start_matches('_')) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_by_its_area_and_itself() {
        for (package, full_name, expected) in [
            ("utopia.slurm.v1", "utopia.slurm.v1.Job", "SlurmJob"),
            ("utopia.claim.v1", "utopia.claim.v1.Claim", "Claim"),
            ("utopia.claim.v1", "utopia.claim.v1.ClaimSpec", "ClaimSpec"),
            ("utopia.claim.v1", "utopia.claim.v1.Claimant", "ClaimClaimant"),
            ("utopia.claim.v2", "utopia.claim.v2.ClaimSpec", "ClaimSpecV2"),
            ("utopia.host.v1", "utopia.host.v1.Host.Label", "Host_Label"),
            ("shelf", "shelf.Book", "ShelfBook"),
        ] {
            assert_eq!(of_type(package, full_name), expected);
        }
    }

    #[test]
    fn words_become_names() {
        for (text, expected) in
            [("Running", "Running"), ("dark-blue", "dark_blue"), ("2nd", "_2nd"), ("true", "_true"), ("__x", "_x")]
        {
            assert_eq!(word(text).as_deref(), Some(expected));
            assert!(is_name(expected), "{expected}");
        }
        assert_eq!(word(""), None);
        for bad in ["", "1a", "a-b", "__typename", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
