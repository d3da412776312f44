//! Object storage.

use jiff::Timestamp;
use serde::Deserialize;

use super::PageInfo;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccessKeyList {
    pub(crate) access_keys: Vec<AccessKey>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    /// Empty but in the answer that made it.
    pub(crate) secret: String,
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BucketList {
    pub(crate) buckets: Vec<Bucket>,
    #[serde(flatten)]
    pub(crate) page: PageInfo,
    pub(crate) usage: Usage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) objects: i64,
    pub(crate) bytes: i64,
    pub(crate) created_at: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub(crate) buckets: i64,
    pub(crate) objects: i64,
    pub(crate) bytes: i64,
}
