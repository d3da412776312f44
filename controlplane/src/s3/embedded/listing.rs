//! Lists of objects: in the order of the bytes of their keys, those with a common prefix as one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use s3s::{S3Request, S3Result, dto, dto::*, s3_error};

use super::{super::front::answer, Embedded, size, strong, timestamp};
use crate::{model::storage, store::Store};

/// The most keys of one answer.
const MAX_KEYS: i32 = 1_000;

/// What to list.
#[derive(Debug, Clone, Default)]
struct Query {
    bucket: String,
    prefix: String,
    delimiter: String,
    /// Nothing up to this key, nor what begins with it when it is a common prefix.
    after: String,
    limit: usize,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    objects: Vec<storage::Object>,
    prefixes: Vec<String>,
    /// The last of both, when there is more.
    next: Option<String>,
}

impl Embedded {
    pub(super) async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
        let ListObjectsInput { bucket, prefix, delimiter, marker, max_keys, encoding_type, .. } = request.input;
        let limit = max_keys.unwrap_or(MAX_KEYS).clamp(0, MAX_KEYS);
        let query = Query {
            bucket,
            prefix: prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone().unwrap_or_default(),
            after: marker.clone().unwrap_or_default(),
            limit: usize::try_from(limit).unwrap_or_default(),
        };
        let found = find(&self.store, &query).await?;
        let encode = Encoding::of(encoding_type.as_ref());
        Ok(ListObjectsOutput {
            name: Some(query.bucket),
            prefix: Some(encode.text(prefix.unwrap_or_default())),
            marker: Some(encode.text(marker.unwrap_or_default())),
            delimiter: delimiter.map(|delimiter| encode.text(delimiter)),
            max_keys: Some(limit),
            is_truncated: Some(found.next.is_some()),
            next_marker: found.next.map(|next| encode.text(next)),
            contents: Some(found.objects.into_iter().map(|object| entry(object, encode)).collect()),
            common_prefixes: Some(common_prefixes(found.prefixes, encode)),
            encoding_type,
            ..Default::default()
        })
    }

    pub(super) async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<ListObjectsV2Output> {
        let ListObjectsV2Input { bucket, prefix, delimiter, continuation_token, start_after, max_keys, encoding_type, .. } =
            request.input;
        let limit = max_keys.unwrap_or(MAX_KEYS).clamp(0, MAX_KEYS);
        let resumed = continuation_token.as_deref().map(read_token).transpose()?;
        let query = Query {
            bucket,
            prefix: prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone().unwrap_or_default(),
            after: resumed.or_else(|| start_after.clone()).unwrap_or_default(),
            limit: usize::try_from(limit).unwrap_or_default(),
        };
        let found = find(&self.store, &query).await?;
        let encode = Encoding::of(encoding_type.as_ref());
        Ok(ListObjectsV2Output {
            name: Some(query.bucket),
            prefix: Some(encode.text(prefix.unwrap_or_default())),
            delimiter: delimiter.map(|delimiter| encode.text(delimiter)),
            start_after: start_after.map(|start_after| encode.text(start_after)),
            max_keys: Some(limit),
            key_count: i32::try_from(found.objects.len() + found.prefixes.len()).ok(),
            is_truncated: Some(found.next.is_some()),
            next_continuation_token: found.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
            continuation_token,
            contents: Some(found.objects.into_iter().map(|object| entry(object, encode)).collect()),
            common_prefixes: Some(common_prefixes(found.prefixes, encode)),
            encoding_type,
            ..Default::default()
        })
    }
}

fn read_token(token: &str) -> S3Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

/// Walks over the keys, past each common prefix at once.
async fn find(store: &Store, query: &Query) -> S3Result<Found> {
    let until = successor(query.prefix.as_bytes());
    let mut from = query.prefix.clone().into_bytes();
    if !query.after.is_empty() {
        let past = match common_prefix(query, &query.after) {
            Some(prefix) => match successor(prefix.as_bytes()) {
                Some(past) => past,
                None => return Ok(Found::default()),
            },
            None => [query.after.as_bytes(), b"\0"].concat(),
        };
        from = from.max(past);
    }
    let mut found = Found::default();
    let mut last = None;
    if query.limit == 0 {
        return Ok(found);
    }
    loop {
        let room = query.limit - found.objects.len() - found.prefixes.len();
        let wanted = room + 1;
        let batch = store.objects_from(&query.bucket, &from, until.as_deref(), i64::try_from(wanted).unwrap_or(i64::MAX));
        let batch = batch.await.map_err(answer)?;
        let is_last = batch.len() < wanted;
        for object in batch {
            if found.prefixes.last().is_some_and(|prefix| object.key.starts_with(prefix.as_str())) {
                continue;
            }
            if found.objects.len() + found.prefixes.len() == query.limit {
                found.next = last;
                return Ok(found);
            }
            let name = match common_prefix(query, &object.key) {
                Some(prefix) => {
                    found.prefixes.push(prefix.to_owned());
                    prefix.to_owned()
                }
                None => {
                    let key = object.key.clone();
                    found.objects.push(object);
                    key
                }
            };
            from = match found.prefixes.last().filter(|prefix| **prefix == name) {
                Some(prefix) => match successor(prefix.as_bytes()) {
                    Some(past) => past,
                    None => return Ok(found),
                },
                None => [name.as_bytes(), b"\0"].concat(),
            };
            last = Some(name);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// The prefix that stands for a key, if one does.
fn common_prefix<'a>(query: &Query, key: &'a str) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(&query.prefix)?;
    let end = query.prefix.len() + rest.find(&query.delimiter)? + query.delimiter.len();
    Some(&key[..end])
}

/// The first bytes after all that begin with these; none when nothing comes after them.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(raised) = last.checked_add(1) {
            next.push(raised);
            return Some(next);
        }
    }
    None
}

fn entry(object: storage::Object, encode: Encoding) -> dto::Object {
    dto::Object {
        key: Some(encode.text(object.key)),
        size: Some(size(object.size)),
        e_tag: Some(strong(&object.etag)),
        last_modified: Some(timestamp(object.modified_at)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}

fn common_prefixes(prefixes: Vec<String>, encode: Encoding) -> Vec<CommonPrefix> {
    prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encode.text(prefix)) }).collect()
}

/// How keys are written into answers. XML has no way to say some characters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    pub(super) fn of(asked: Option<&EncodingType>) -> Self {
        if asked.is_some_and(|asked| asked.as_str() == EncodingType::URL) { Self::Url } else { Self::Plain }
    }

    pub(super) fn text(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Url => text.split('/').map(urlencoding::encode).collect::<Vec<_>>().join("/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        model::{
            Role,
            storage::{Attributes, Condition},
        },
        store::{NewObject, testing},
    };

    #[test]
    fn what_comes_after_a_prefix() {
        for (prefix, expected) in
            [(&b"a"[..], Some(&b"b"[..])), (b"a/", Some(b"a0")), (b"a\xff", Some(b"b")), (b"\xff", None), (b"", None)]
        {
            assert_eq!(successor(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn keys_are_encoded_but_for_their_slashes() {
        let encoded = Encoding::Url.text("a b/ü%/+\u{1}".to_owned());
        assert_eq!(encoded, "a%20b/%C3%BC%25/%2B%01");
    }

    testing::on_both_databases!(pages_of_any_size_are_the_whole_list);

    async fn pages_of_any_size_are_the_whole_list(store: Store) {
        {
            let now = testing::at(1);
            let owner = testing::user(&store, "ada", Role::User).await;
            assert!(store.create_bucket("b", owner.id, now).await.unwrap());
            for key in ["a", "a/", "a/1", "a/2/x", "a0", "b//", "b/c", "ü/x", "\u{10ffff}/x", "z"] {
                let new = NewObject { bucket: "b", key, id: Uuid::new_v4(), etag: "e", attributes: &Attributes::default() };
                store.put_object(new, &[], &Condition::default(), now).await.unwrap().unwrap();
            }
            for (prefix, delimiter, expected) in [
                ("", "", "a a/ a/1 a/2/x a0 b// b/c z ü/x \u{10ffff}/x"),
                ("", "/", "a (a/) a0 (b/) z (ü/) (\u{10ffff}/)"),
                ("a/", "/", "a/ a/1 (a/2/)"),
                ("a", "", "a a/ a/1 a/2/x a0"),
                ("a", "0", "a a/ a/1 a/2/x (a0)"),
                ("nothing", "/", ""),
                ("b", "//", "(b//) b/c"),
            ] {
                for limit in 1..=11 {
                    let mut query = Query {
                        bucket: "b".into(),
                        prefix: prefix.into(),
                        delimiter: delimiter.into(),
                        limit,
                        after: String::new(),
                    };
                    let mut names = Vec::new();
                    loop {
                        let found = find(&store, &query).await.unwrap();
                        assert!(found.objects.len() + found.prefixes.len() <= limit);
                        let mut page =
                            found.objects.iter().map(|object| (object.key.clone(), object.key.clone())).collect::<Vec<_>>();
                        page.extend(found.prefixes.iter().map(|prefix| (prefix.clone(), format!("({prefix})"))));
                        page.sort();
                        names.extend(page.into_iter().map(|(_, name)| name));
                        let Some(next) = found.next else { break };
                        query.after = next;
                    }
                    assert_eq!(names.join(" "), expected, "{prefix:?} {delimiter:?} {limit}");
                }
            }
        }
    }
}
