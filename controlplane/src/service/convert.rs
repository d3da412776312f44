//! From what the store remembers to what the contract shows.

use jiff::Timestamp;
use prost_types::{ListValue, Struct, Timestamp as WireTimestamp, Value as WireValue, value::Kind};
use serde_json::{Map, Value};
use utopia_proto::{claim::v1 as claim, iam::v1 as iam, node::v1 as node, storage::v1 as storage};

use crate::error::{Error, Result};
use crate::model::{
    Claim, JoinToken, Role, RolePolicy, User,
    people::ApiToken,
    storage::{AccessKey, Bucket},
};

/// A point in time.
#[must_use]
pub fn timestamp(at: Timestamp) -> WireTimestamp {
    WireTimestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// A point in time, from milliseconds since 1970.
#[must_use]
pub fn milliseconds(at_ms: i64) -> Option<WireTimestamp> {
    Timestamp::from_millisecond(at_ms).ok().map(timestamp)
}

/// A point in time that a caller sent.
///
/// # Errors
/// `Invalid` when there is no such time.
pub fn time(field: &'static str, time: Option<WireTimestamp>) -> Result<Option<Timestamp>> {
    let time = time.map(|time| Timestamp::new(time.seconds, time.nanos)).transpose();
    time.map_err(|_| Error::invalid(field, "must be a time"))
}

/// Memory in GiB, rounded, with the unit that the API writes.
#[must_use]
pub fn gibibytes(mebibytes: i64) -> String {
    format!("{}GB", (mebibytes + 512) / 1024)
}

/// A person.
#[must_use]
pub fn user(user: &User) -> iam::User {
    iam::User { id: user.id, username: user.username.clone(), role: user.role.to_string() }
}

/// A person, as the envelope APIs show them.
#[must_use]
pub fn account(user: &User) -> iam::Account {
    iam::Account {
        id: user.uuid.to_string(),
        username: user.username.clone(),
        email: user.email.clone(),
        role: user.role.to_string(),
        created_at: Some(timestamp(user.created_at)),
        updated_at: Some(timestamp(user.updated_at)),
        last_login_at: user.last_login_at.map(timestamp),
    }
}

/// An API token without its secret.
#[must_use]
pub fn api_token(token: ApiToken) -> iam::ApiToken {
    iam::ApiToken {
        id: token.id.to_string(),
        token: String::new(),
        name: token.name,
        role: token.role.to_string(),
        username: token.username,
        expires_at: Some(timestamp(token.expires_at)),
        created_at: Some(timestamp(token.created_at)),
        last_used_at: token.last_used_at.map(timestamp),
    }
}

/// An access key without its secret.
#[must_use]
pub fn access_key(key: AccessKey) -> storage::AccessKey {
    storage::AccessKey {
        id: key.id,
        secret: String::new(),
        name: key.name,
        username: key.username,
        created_at: Some(timestamp(key.created_at)),
        rotated_at: key.rotated_at.map(timestamp),
        last_used_at: key.last_used_at.map(timestamp),
    }
}

/// A bucket.
#[must_use]
pub fn bucket(bucket: Bucket) -> storage::Bucket {
    storage::Bucket {
        name: bucket.name,
        username: bucket.owner,
        objects: bucket.objects,
        bytes: bucket.bytes,
        created_at: Some(timestamp(bucket.created_at)),
    }
}

/// A role with its policy.
#[must_use]
pub fn role(role: Role, policy: RolePolicy) -> iam::Role {
    let RolePolicy { allow_all, max_gpu_count } = policy;
    iam::Role { name: role.to_string(), policy: Some(iam::RolePolicy { allow_all, max_gpu_count }) }
}

/// A join token without its secret.
#[must_use]
pub fn join_token(token: JoinToken, ca_hash: String) -> node::JoinToken {
    node::JoinToken {
        id: token.id,
        token: String::new(),
        ca_hash,
        command: String::new(),
        expires_at: Some(timestamp(token.expires_at)),
        max_uses: token.max_uses,
        uses: token.uses,
        node_id: token.node_id.map(|id| id.to_string()).unwrap_or_default(),
        description: token.description,
    }
}

/// A claim; `node_name` is the host name of its node, empty when it has none.
#[must_use]
pub fn claim(claim: Claim, node_name: String) -> claim::Claim {
    claim::Claim {
        id: claim.id.to_string(),
        user_id: claim.user_id,
        spec: Some(claim.spec),
        status: Some(claim::ClaimStatus {
            phase: claim.phase.into(),
            node_name,
            container_id: claim.container_id,
            reason: claim.reason,
            message: claim.message,
            node_id: claim.node_id.map(|id| id.to_string()).unwrap_or_default(),
            gpu_uuids: claim.gpu_uuids,
        }),
        created_at: Some(timestamp(claim.created_at)),
        updated_at: Some(timestamp(claim.updated_at)),
    }
}

/// An object of any shape; empty for none.
#[must_use]
pub fn structure(object: Option<&Map<String, Value>>) -> Struct {
    let fields = object.into_iter().flatten();
    Struct { fields: fields.map(|(key, value)| (key.clone(), self::value(value))).collect() }
}

/// Any JSON.
#[must_use]
pub fn value(value: &Value) -> WireValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(values) => Kind::ListValue(ListValue { values: values.iter().map(self::value).collect() }),
        Value::Object(object) => Kind::StructValue(structure(Some(object))),
    };
    WireValue { kind: Some(kind) }
}
