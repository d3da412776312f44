//! Where Slurm is, and who people are there, as the settings say it.

use std::{path::PathBuf, str::FromStr};

use reqwest::Url;

/// Whom Slurm is read as when the settings name nobody: somebody from whom it hides nothing.
const READER: &str = "root";

/// One of Slurm's REST servers: `NAME=URL key-file=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What its cluster is called here.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// How this control plane shows who it is.
    pub credentials: Credentials,
    /// The Slurm user as whom jobs and nodes are read.
    pub reader: String,
}

/// How a control plane shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The key of Slurm's tokens is in this file: each call has a token of its user.
    Key(PathBuf),
    /// A token is in this file. For calls as others than its owner it must be one of a Slurm administrator.
    Token(PathBuf),
}

/// Who people are in Slurm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserMapping {
    /// `NAME=SLURM_NAME`.
    Named {
        /// The name here, compared without regard to case.
        name: String,
        /// The name there.
        slurm_name: String,
    },
    /// `*`: whoever is not named has the same name there.
    SameName,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

impl FromStr for Server {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        let unusable = |why: &str| Unusable(why.to_owned());
        let mut words = text.split_whitespace();
        let first = words.next().ok_or_else(|| unusable("is empty; it is like `NAME=URL key-file=FILE`"))?;
        let (name, url) = first.split_once('=').ok_or_else(|| unusable("must begin with `NAME=URL`"))?;
        if !is_cluster_name(name) {
            return Err(unusable("the name of a cluster must be 1 to 64 lower-case letters, digits, `.`, `_` or `-`"));
        }
        let url: Url = url.parse().map_err(|error| Unusable(format!("the URL of {name} cannot be read: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(Unusable(format!("the URL of {name} must be of http or https, without user and password")));
        }
        let (mut credentials, mut reader) = (None, READER.to_owned());
        for word in words {
            match word.split_once('=') {
                Some(("key-file", path)) if credentials.is_none() => credentials = Some(Credentials::Key(path.into())),
                Some(("token-file", path)) if credentials.is_none() => credentials = Some(Credentials::Token(path.into())),
                Some(("user", user)) if is_posix_name(user) => user.clone_into(&mut reader),
                Some(_) | None => {
                    let expected = "one of `key-file=FILE` and `token-file=FILE`, and perhaps `user=NAME`";
                    return Err(Unusable(format!("after the URL of {name} there must be {expected}, not `{word}`")));
                }
            }
        }
        let credentials = credentials.ok_or_else(|| Unusable(format!("{name} needs `key-file=FILE` or `token-file=FILE`")))?;
        Ok(Self { name: name.to_owned(), url, credentials, reader })
    }
}

impl FromStr for UserMapping {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        if text.trim() == "*" {
            return Ok(Self::SameName);
        }
        let mapping = text.trim().split_once('=');
        let (name, slurm_name) = mapping.ok_or_else(|| Unusable("must be `NAME=SLURM_NAME`, or `*`".to_owned()))?;
        if name.is_empty() || !is_posix_name(slurm_name) {
            return Err(Unusable(format!("`{slurm_name}` is no name of a Slurm user")));
        }
        Ok(Self::Named { name: name.to_owned(), slurm_name: slurm_name.to_owned() })
    }
}

fn is_cluster_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

/// Whether this can be the name of a POSIX user. Those that begin with a digit could be taken for user ids: `000` is root.
#[must_use]
pub fn is_posix_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=32).contains(&name.len()) && name.chars().all(allowed) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        let server: Server = " gpu=http://h:6820  key-file=/etc/slurm/jwt.key user=slurm ".parse().unwrap();
        assert_eq!((&*server.name, server.url.as_str(), &*server.reader), ("gpu", "http://h:6820/", "slurm"));
        assert_eq!(server.credentials, Credentials::Key("/etc/slurm/jwt.key".into()));
        let server: Server = "a=https://h/rest token-file=t".parse().unwrap();
        assert_eq!((server.credentials, &*server.reader), (Credentials::Token("t".into()), "root"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        for (text, part) in [
            ("", "is empty"),
            ("http://h:6820 key-file=k", "NAME=URL"),
            ("gpu", "NAME=URL"),
            ("G=http://h key-file=k", "name of a cluster"),
            ("gpu=h:6820 key-file=k", "of http or https"),
            ("gpu=http://u:p@h key-file=k", "without user"),
            ("gpu=http://h", "needs `key-file=FILE`"),
            ("gpu=http://h key-file=k token-file=t", "not `token-file=t`"),
            ("gpu=http://h key-file=k user=0", "not `user=0`"),
        ] {
            let error = text.parse::<Server>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!("ada".parse::<UserMapping>().is_err());
        assert!("ada=$(id)".parse::<UserMapping>().is_err());
        let named = UserMapping::Named { name: "ada".into(), slurm_name: "root".into() };
        assert_eq!("ada=root".parse(), Ok(named));
        assert_eq!(" * ".parse(), Ok(UserMapping::SameName));
    }

    #[test]
    fn names_that_could_be_ids_are_no_names() {
        for name in ["ada", "_x", "a.b-c_1", "Ada"] {
            assert!(is_posix_name(name), "{name}");
        }
        for name in ["", "0", "000", "1a", "-a", ".a", "a b", "a;b", "ä", "a$", &"a".repeat(33)] {
            assert!(!is_posix_name(name), "{name}");
        }
    }
}
