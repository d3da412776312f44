//! Object storage: access keys, buckets, objects and uploads as the store keeps them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Role;

/// A key of the S3 interface, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// Its owner's id.
    pub user_id: i64,
    /// Its owner's name.
    pub username: String,
    /// What it is for; unique among its owner's.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its secret was replaced.
    pub rotated_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl AccessKey {
    /// As the audit log shows it.
    #[must_use]
    pub fn audit_value(&self) -> Value {
        let rotated_at = self.rotated_at.map(|at| at.to_string());
        json!({ "name": self.name, "owner": self.username, "secret": "***", "rotated_at": rotated_at })
    }
}

/// What decides whether a signature holds, and who made it.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The owner's id.
    pub user_id: i64,
    /// The owner's name.
    pub username: String,
    /// The owner's role of the moment.
    pub role: Role,
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Unique on this server.
    pub name: String,
    /// Its owner's id.
    pub owner_id: i64,
    /// Its owner's name.
    pub owner: String,
    /// How many objects it holds.
    pub objects: i64,
    /// Bytes of their content.
    pub bytes: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What somebody keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Buckets.
    pub buckets: i64,
    /// Objects.
    pub objects: i64,
    /// Bytes of their content.
    pub bytes: i64,
}

/// What S3 keeps with an object beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// `x-amz-website-redirect-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// `x-amz-meta-…`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Of the whole content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Of an upload in parts: what is computed of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// Of an upload in parts: whether that is of all content in the end, rather than of the sums of the parts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sums_whole: bool,
}

/// How content is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 (ISO HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A sum of content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it was summed.
    pub algorithm: Algorithm,
    /// In base64; of sums of parts with `-` and their number after it.
    pub value: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Another one for each content.
    pub id: Uuid,
    /// Unique within its bucket.
    pub key: String,
    /// Bytes of content.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// What else is kept with it.
    pub attributes: Attributes,
    /// When it was put.
    pub modified_at: Timestamp,
}

/// A stretch of an object's content: a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The file.
    pub blob: Uuid,
    /// Its bytes.
    pub size: u64,
}

/// An object that is being uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id, which becomes the object's.
    pub id: Uuid,
    /// What the object will be called.
    pub key: String,
    /// What will be kept with it.
    pub attributes: Attributes,
    /// When it began.
    pub created_at: Timestamp,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// 1 to 10,000.
    pub number: i32,
    /// Its content.
    pub segment: Segment,
    /// The MD5 of its content in hexadecimal.
    pub etag: String,
    /// Another sum of its content.
    pub checksum: Option<Checksum>,
    /// When it was uploaded.
    pub modified_at: Timestamp,
}

/// When a change of an object holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Only over an object: any, or one with this entity tag.
    pub over: Option<Match>,
    /// Only where there is none: at all, or none with this entity tag.
    pub unless: Option<Match>,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Whichever.
    Any,
    /// One with this entity tag, without quotes.
    Etag(String),
}

impl Condition {
    /// Whether it holds of what is there now.
    #[must_use]
    pub fn holds(&self, etag: Option<&str>) -> bool {
        let matches = |wanted: &Match| match wanted {
            Match::Any => etag.is_some(),
            Match::Etag(wanted) => etag == Some(wanted),
        };
        self.over.as_ref().is_none_or(matches) && !self.unless.as_ref().is_some_and(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_look_at_what_is_there() {
        let etag = |text: &str| Some(Match::Etag(text.to_owned()));
        for (over, unless, none, same, other) in [
            (None, None, true, true, true),
            (Some(Match::Any), None, false, true, true),
            (None, Some(Match::Any), true, false, false),
            (etag("a"), None, false, true, false),
            (None, etag("a"), true, false, true),
            (Some(Match::Any), etag("a"), false, false, true),
        ] {
            let condition = Condition { over, unless };
            let found = [None, Some("a"), Some("b")].map(|etag| condition.holds(etag));
            assert_eq!(found, [none, same, other], "{condition:?}");
        }
    }
}
