//! Where objects and files are: `s3://BUCKET/KEY`, a path, or `-`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

const SCHEME: &str = "s3://";

/// `s3://BUCKET[/KEY]`: a bucket, an object, or what lies below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    /// Empty for a whole bucket.
    pub(crate) key: String,
}

impl Place {
    /// The same bucket with this key.
    pub(crate) fn at(&self, key: impl Into<String>) -> Self {
        Self { bucket: self.bucket.clone(), key: key.into() }
    }

    /// The keys below this one begin so: as a directory it ends in a slash, unless it is the bucket.
    pub(crate) fn as_directory(&self) -> Self {
        let is_one = self.key.is_empty() || self.key.ends_with('/');
        if is_one { self.clone() } else { self.at(format!("{}/", self.key)) }
    }

    /// Whether this can be the name of one object.
    pub(crate) fn is_object(&self) -> bool {
        !self.key.is_empty() && !self.key.ends_with('/')
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.strip_prefix(SCHEME).ok_or("expected s3://BUCKET/KEY")?;
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("a bucket is missing: expected s3://BUCKET/KEY".to_owned());
        }
        check_steps(bucket)?;
        check_steps(key)?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// URLs have no way to say such steps: they would lead to another key, or another bucket.
pub(super) fn check_steps(key: &str) -> Result<(), String> {
    let is_wrong = key.split('/').any(|step| matches!(step, "." | ".."));
    if is_wrong { Err("keys with . or .. between slashes cannot be called".to_owned()) } else { Ok(()) }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.key.is_empty() { "" } else { "/" };
        write!(formatter, "{SCHEME}{}{slash}{}", self.bucket, self.key)
    }
}

/// `s3://BUCKET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketPlace(pub(crate) Place);

impl FromStr for BucketPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.parse::<Place>()?;
        if place.key.is_empty() { Ok(Self(place)) } else { Err("expected s3://BUCKET, without a key".to_owned()) }
    }
}

/// `s3://BUCKET/KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectPlace(pub(crate) Place);

impl FromStr for ObjectPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.parse::<Place>()?;
        if place.key.is_empty() { Err("a key is missing: expected s3://BUCKET/KEY".to_owned()) } else { Ok(Self(place)) }
    }
}

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// `-`: standard input, or standard output.
    Standard,
    Path(PathBuf),
    Object(Place),
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected a path, - or s3://BUCKET/KEY".to_owned()),
            "-" => Ok(Self::Standard),
            text if text.starts_with(SCHEME) => text.parse().map(Self::Object),
            text => Ok(Self::Path(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_buckets_and_keys() {
        for (text, bucket, key) in
            [("s3://b", "b", ""), ("s3://b/", "b", ""), ("s3://b/a/b c", "b", "a/b c"), ("s3://b//a", "b", "/a")]
        {
            let place = text.parse::<Place>().unwrap();
            assert_eq!((&*place.bucket, &*place.key), (bucket, key), "{text}");
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for wrong in ["", "b/k", "s3:/b/k", "s3://", "s3:///k", "s3://b/../c", "s3://b/a/.", "s3://../k"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
        assert!("s3://b/k".parse::<BucketPlace>().is_err() && "s3://b".parse::<ObjectPlace>().is_err());
    }

    #[test]
    fn directories_end_in_a_slash() {
        for (text, directory) in [("s3://b", "s3://b"), ("s3://b/a", "s3://b/a/"), ("s3://b/a/", "s3://b/a/")] {
            assert_eq!(text.parse::<Place>().unwrap().as_directory().to_string(), directory);
        }
    }

    #[test]
    fn ends_are_told_apart() {
        assert_eq!("-".parse(), Ok(End::Standard));
        assert_eq!("./-".parse(), Ok(End::Path("./-".into())));
        assert!(matches!("s3://b/k".parse(), Ok(End::Object(_))));
        assert!("s3://".parse::<End>().is_err() && "".parse::<End>().is_err());
    }
}
