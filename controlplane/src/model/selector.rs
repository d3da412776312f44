//! Labels and the selectors that ask for them, both by the rules of Kubernetes.
//!
//! Whatever is read here has bounds: the length of a selector, how many requirements it has, how many labels a thing carries.

use std::{borrow::Cow, collections::BTreeMap, str::FromStr};

/// The labels of one thing, by key.
pub type Labels = BTreeMap<String, String>;

/// The most labels of one thing.
pub const MAX_LABELS: usize = 64;

/// The longest selector in bytes.
const MAX_SELECTOR: usize = 4096;

/// The longest name or value in bytes.
const MAX_NAME: usize = 63;

/// The longest prefix of a key in bytes.
const MAX_PREFIX: usize = 253;

/// A selector or label that cannot be used, and why: the end of a sentence that begins with what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(Cow<'static, str>);

/// Which labels things must have: `region=us-west,zone in (a,b),!retired`. The empty one takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: Box<str>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<Box<str>>),
    /// Also of things without the label.
    NotIn(Vec<Box<str>>),
}

impl Selector {
    /// Whether it takes everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something with these labels is asked for.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let holds = |Requirement { key, test }: &Requirement| match (test, labels.get(&**key)) {
            (Test::Exists, value) => value.is_some(),
            (Test::Absent, value) => value.is_none(),
            (Test::In(values), value) => value.is_some_and(|value| values.iter().any(|one| **one == **value)),
            (Test::NotIn(values), value) => value.is_none_or(|value| values.iter().all(|one| **one != **value)),
        };
        self.0.iter().all(holds)
    }
}

impl FromStr for Selector {
    type Err = Unusable;

    /// Requirements with commas between, which must all hold: `a`, `!a`, `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`.
    fn from_str(text: &str) -> Result<Self, Unusable> {
        if text.len() > MAX_SELECTOR {
            return Err(Unusable(format!("must be at most {MAX_SELECTOR} bytes").into()));
        }
        let mut cursor = Cursor { rest: text.trim_start() };
        let mut requirements = Vec::new();
        if cursor.rest.is_empty() {
            return Ok(Self(requirements));
        }
        loop {
            requirements.push(cursor.requirement()?);
            if cursor.rest.is_empty() {
                return Ok(Self(requirements));
            }
            if !cursor.take(",") {
                return Err(cursor.expected("a comma"));
            }
        }
    }
}

/// The rule for all labels of one thing.
///
/// # Errors
/// The key at fault, empty when there are too many, and what is wrong with it.
pub fn check(labels: &Labels) -> Result<(), (&str, Unusable)> {
    if labels.len() > MAX_LABELS {
        return Err(("", Unusable(format!("must have at most {MAX_LABELS} entries").into())));
    }
    labels.iter().try_for_each(|(key, value)| check_key(key).and_then(|()| check_value(value)).map_err(|error| (&**key, error)))
}

/// A name, or a DNS name as prefix, a slash and a name.
fn check_key(key: &str) -> Result<(), Unusable> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_none_or(is_domain) && is_name(name) {
        return Ok(());
    }
    let rule = "the key must be 1 to 63 letters, digits, `.`, `_` or `-`, begin and end with a letter or digit, and may have a \
                lower-case DNS name and `/` in front";
    Err(Unusable(rule.into()))
}

fn check_value(value: &str) -> Result<(), Unusable> {
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    let rule = "the value must be empty, or 1 to 63 letters, digits, `.`, `_` or `-` that begin and end with a letter or digit";
    Err(Unusable(rule.into()))
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let bytes = name.as_bytes();
    let ends = bytes.first().into_iter().chain(bytes.last()).all(u8::is_ascii_alphanumeric);
    (1..=MAX_NAME).contains(&bytes.len()) && ends && bytes.iter().copied().all(inner)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = bytes.first().into_iter().chain(bytes.last()).all(|byte| *byte != b'-');
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        !bytes.is_empty() && ends && bytes.iter().all(inner)
    };
    domain.len() <= MAX_PREFIX && domain.split('.').all(is_label)
}

/// What is left to read; white space in front of it is gone.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn requirement(&mut self) -> Result<Requirement, Unusable> {
        let absent = self.take("!");
        let key = self.word();
        if key.is_empty() {
            return Err(self.expected("a label's key"));
        }
        check_key(key).map_err(|error| Unusable(format!("`{key}`: {error}").into()))?;
        let test = if absent { Test::Absent } else { self.test()? };
        Ok(Requirement { key: key.into(), test })
    }

    fn test(&mut self) -> Result<Test, Unusable> {
        if self.take("==") || self.take("=") {
            return Ok(Test::In(vec![self.value()?]));
        }
        if self.take("!=") {
            return Ok(Test::NotIn(vec![self.value()?]));
        }
        let before = self.rest;
        match self.word() {
            "" => Ok(Test::Exists),
            "in" => Ok(Test::In(self.values()?)),
            "notin" => Ok(Test::NotIn(self.values()?)),
            _ => {
                self.rest = before;
                Err(self.expected("`=`, `!=`, `in`, `notin` or a comma"))
            }
        }
    }

    fn values(&mut self) -> Result<Vec<Box<str>>, Unusable> {
        if !self.take("(") {
            return Err(self.expected("`(`"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(self.expected("a comma or `)`"));
            }
        }
    }

    /// May be empty.
    fn value(&mut self) -> Result<Box<str>, Unusable> {
        let value = self.word();
        check_value(value).map_err(|error| Unusable(format!("`{value}`: {error}").into()))?;
        Ok(value.into())
    }

    /// Up to white space or a sign; may be empty.
    fn word(&mut self) -> &'a str {
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '=' | '!' | '(' | ')' | '<' | '>');
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        word
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        if let Some(rest) = rest {
            self.rest = rest.trim_start();
        }
        rest.is_some()
    }

    fn expected(&self, what: &str) -> Unusable {
        let found = self.rest.chars().take(20).collect::<String>();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        Unusable(format!("is no label selector: {what} is expected where {found} is").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<const N: usize>(labels: [(&str, &str); N]) -> Labels {
        labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn selectors_take_what_they_say() {
        let west = labels([("region", "us-west"), ("zone", "a"), ("example.com/gpu", ""), ("in", "x")]);
        let table = [
            ("", true),
            ("  ", true),
            ("region=us-west", true),
            ("region == us-west , zone=a", true),
            ("region=us-west,zone=b", false),
            ("region!=us-west", false),
            ("rack!=7", true),
            ("rack=7", false),
            ("zone in (a,b)", true),
            ("zone in(b, c)", false),
            ("zone notin ( b , c )", true),
            ("zone notin (a)", false),
            ("rack notin (a)", true),
            ("zone", true),
            ("rack", false),
            ("!rack", true),
            ("! zone", false),
            ("example.com/gpu", true),
            ("example.com/gpu=", true),
            ("example.com/gpu in (,x)", true),
            ("zone=", false),
            ("in in (x),!notin", true),
            ("region,zone,!rack", true),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Selector>().unwrap().matches(&west), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_says_where() {
        let table = [
            (",", "a label's key is expected where \",\""),
            ("a,", "a label's key is expected where the end"),
            ("a,,b", "a label's key is expected where \",b\""),
            ("=b", "a label's key is expected where \"=b\""),
            ("a b", "`in`, `notin` or a comma is expected where \"b\""),
            ("a in b", "`(` is expected where \"b\""),
            ("a in (b", "a comma or `)` is expected where the end"),
            ("a in (b c)", "a comma or `)` is expected where \"c)\""),
            ("a=b c", "a comma is expected where \"c\""),
            ("a>1", "a comma is expected where \">1\""),
            ("!a=b", "a comma is expected where \"=b\""),
            ("-a", "`-a`: the key must be"),
            ("Example.com/a", "`Example.com/a`: the key must be"),
            ("a/b/c", "`a/b/c`: the key must be"),
            ("a=é", "`é`: the value must be"),
            ("a=\u{0}", "the value must be"),
        ];
        for (text, expected) in table {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!("a".repeat(MAX_SELECTOR + 1).parse::<Selector>().is_err());
    }

    #[test]
    fn labels_have_rules() {
        let long = "a".repeat(63);
        for (key, value) in [("a", ""), ("A_b.c-9", "V"), ("example.com/role", "x.y"), (&*long, &*long), ("1", "1")] {
            assert_eq!(check(&labels([(key, value)])), Ok(()), "{key}={value}");
        }
        let longer = "a".repeat(64);
        let bad =
            [("", ""), ("a b", ""), ("a", "-"), ("a", "b c"), ("/a", ""), ("a/", ""), (&*longer, ""), ("a", &*longer), ("ä", "")];
        for (key, value) in bad {
            assert!(check(&labels([(key, value)])).is_err_and(|(at, _)| at == key), "{key}={value}");
        }
        let many: Labels = (0..=MAX_LABELS).map(|at| (format!("k{at}"), String::new())).collect();
        assert!(check(&many).is_err_and(|(at, _)| at.is_empty()));
    }
}
