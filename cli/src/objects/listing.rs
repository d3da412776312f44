//! Lists of buckets and objects, page by page, and removal of many.

use anyhow::Context as _;
use instant_xml::FromXml;
use jiff::Timestamp;
use rusty_s3::actions::{DeleteObjectsResponse, ListObjectsV2, ListObjectsV2Response, ObjectIdentifier};
use serde::Serialize;

use super::{PATIENCE, Place, Store, patiently};
use crate::client::Error;

/// The namespace of answers.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What is in a bucket.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) objects: Vec<Object>,
    /// Where keys go on below a slash.
    pub(crate) prefixes: Vec<String>,
}

/// An object in a list.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified_at: Option<Timestamp>,
    pub(crate) etag: String,
}

#[derive(Debug, FromXml)]
#[xml(rename = "ListAllMyBucketsResult", ns(NAMESPACE))]
struct BucketsBody {
    buckets: Option<Buckets>,
    #[xml(rename = "ContinuationToken")]
    continuation_token: Option<String>,
}

#[derive(Debug, FromXml)]
#[xml(rename = "Buckets", ns(NAMESPACE))]
struct Buckets {
    buckets: Vec<BucketBody>,
}

#[derive(Debug, FromXml)]
#[xml(rename = "Bucket", ns(NAMESPACE))]
struct BucketBody {
    #[xml(rename = "Name")]
    name: String,
    #[xml(rename = "CreationDate")]
    creation_date: Option<String>,
}

/// A bucket in a list.
#[derive(Debug, Serialize)]
pub(crate) struct BucketEntry {
    pub(crate) name: String,
    pub(crate) created_at: Option<Timestamp>,
}

/// How much of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What has a slash further on only by what comes before it.
    Level,
    Everything,
}

impl Store {
    /// All buckets that the key's owner reaches.
    pub(crate) async fn buckets(&self) -> Result<Vec<BucketEntry>, Error> {
        let mut all = Vec::new();
        let mut token = None::<String>;
        loop {
            let query = token.as_deref().map(|token| ("continuation-token", token));
            let asked = || async {
                let response = self.execute(self.signed_for_server(query.as_slice()), PATIENCE).await?;
                self.text(response).await
            };
            let text = patiently(asked, Error::is_worth_another_try).await?;
            let body: BucketsBody = instant_xml::from_str(&text).map_err(|error| self.unintelligible(error))?;
            let buckets = body.buckets.map(|buckets| buckets.buckets).unwrap_or_default();
            all.extend(buckets.into_iter().map(|bucket| BucketEntry {
                name: bucket.name,
                created_at: bucket.creation_date.and_then(|date| date.parse().ok()),
            }));
            token = body.continuation_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// What has keys that begin with this one.
    pub(crate) async fn list(&self, place: &Place, depth: Depth) -> Result<Listing, Error> {
        let mut all = Listing::default();
        let mut token = None;
        loop {
            let page = self.page(place, depth, token.as_deref(), None).await?;
            all.prefixes.extend(page.common_prefixes.into_iter().map(|prefix| prefix.prefix));
            all.objects.extend(page.contents.into_iter().map(|object| Object {
                name: object.key,
                size: object.size.unwrap_or_default(),
                modified_at: object.last_modified.and_then(|date| date.parse().ok()),
                etag: object.etag.unwrap_or_default().trim_matches('"').to_owned(),
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// Asks whether the bucket of a place can be used, before anything is sent there: who is refused in the midst of a body often
    /// does not hear why.
    pub(crate) async fn check(&self, place: &Place) -> Result<(), Error> {
        self.page(place, Depth::Level, None, Some(1)).await.map(drop)
    }

    /// Removes all with keys that begin with this one; answers how many there were.
    pub(crate) async fn remove_all(&self, place: &Place) -> anyhow::Result<u64> {
        let mut removed = 0;
        let mut token = None;
        loop {
            let page = self.page(place, Depth::Everything, token.as_deref(), None).await?;
            let keys = page.contents.into_iter().map(|object| ObjectIdentifier::new(object.key)).collect::<Vec<_>>();
            if !keys.is_empty() {
                removed += keys.len() as u64;
                self.remove_these(place, &keys).await?;
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(removed);
            }
        }
    }

    async fn remove_these(&self, place: &Place, keys: &[ObjectIdentifier]) -> anyhow::Result<()> {
        let bucket = self.bucket(&place.at(""))?;
        let asked = || async {
            let mut action = bucket.delete_objects(Some(&self.credentials), keys.iter());
            action.set_quiet(true);
            let (body, md5) = action.clone().body_with_md5();
            let request = self.signed(action, &[("content-md5", md5)]).body(body);
            let response = self.execute(request, PATIENCE).await?;
            self.text(response).await
        };
        let text = patiently(asked, Error::is_worth_another_try).await?;
        let body = DeleteObjectsResponse::parse(&text).map_err(|error| self.unintelligible(error))?;
        match body.errors.first() {
            Some(error) => Err(anyhow::anyhow!("{} ({})", error.message, error.code)).context(place.at(&*error.key).to_string()),
            None => Ok(()),
        }
    }

    async fn page(
        &self,
        place: &Place,
        depth: Depth,
        token: Option<&str>,
        most: Option<usize>,
    ) -> Result<ListObjectsV2Response, Error> {
        let bucket = self.bucket(&place.at(""))?;
        let asked = || async {
            let mut action = bucket.list_objects_v2(Some(&self.credentials));
            if !place.key.is_empty() {
                action.with_prefix(&*place.key);
            }
            if depth == Depth::Level {
                action.with_delimiter("/");
            }
            if let Some(token) = token {
                action.with_continuation_token(token);
            }
            if let Some(most) = most {
                action.with_max_keys(most);
            }
            let response = self.execute(self.signed(action, &[]), PATIENCE).await?;
            self.text(response).await
        };
        let text = patiently(asked, Error::is_worth_another_try).await?;
        ListObjectsV2::parse_response(&text).map_err(|error| self.unintelligible(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListAllMyBucketsResult \
                    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Buckets><Bucket><BucketRegion>us-east-1</BucketRegion>\
                    <CreationDate>2026-01-31T12:00:00.000Z</CreationDate><Name>a</Name></Bucket><Bucket><Name>b</Name></Bucket>\
                    </Buckets><Owner><ID>7</ID></Owner></ListAllMyBucketsResult>";
        let body: BucketsBody = instant_xml::from_str(text).unwrap();
        let names = body.buckets.unwrap().buckets.into_iter().map(|bucket| bucket.name).collect::<Vec<_>>();
        assert_eq!(names, ["a", "b"]);
        let none =
            "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Buckets/></ListAllMyBucketsResult>";
        assert!(instant_xml::from_str::<BucketsBody>(none).unwrap().buckets.is_none_or(|buckets| buckets.buckets.is_empty()));
    }
}
