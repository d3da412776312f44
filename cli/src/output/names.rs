//! What `-o name` writes: the one word by which each thing of an answer is named to other commands.

use serde_json::Value;

/// The members that name a thing, the better ones first. An `id` that is a number names nothing.
const NAMES: [&str; 13] = [
    "id",
    "host_id",
    "claim_id",
    "job_id",
    "container_id",
    "uuid",
    "access_key_id",
    "access_key",
    "name",
    "username",
    "metric",
    "node_name",
    "url",
];

/// A line for each thing in the answer; for an answer that is one thing, its own.
pub(super) fn lines(answer: &Value) -> String {
    let things = match answer {
        Value::Array(things) => things.as_slice(),
        Value::Object(members) if name(answer).is_none() => {
            members.values().find_map(Value::as_array).map_or(&[][..], Vec::as_slice)
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => std::slice::from_ref(answer),
    };
    things.iter().filter_map(name).map(|name| format!("{}\n", super::printable(&name))).collect()
}

pub(super) fn name(thing: &Value) -> Option<String> {
    NAMES.iter().find_map(|key| match thing.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if *key == "job_id" => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn things_have_one_name_each() {
        for (answer, named) in [
            (json!({"claims": [{"id": "a", "user_id": 7}, {"id": "b"}], "total": 2}), "a\nb\n"),
            (json!({"id": "n", "gpus": [{"uuid": "GPU-1"}]}), "n\n"),
            (json!({"clusters": [{"id": 1, "name": "default"}]}), "default\n"),
            (json!({"jobs": [{"job_id": 12, "job_name": "x"}]}), "12\n"),
            (json!({"gpus": [{"uuid": "", "claim_id": "", "node_name": "c1"}], "warnings": []}), "c1\n"),
            (json!([{"id": "c"}]), "c\n"),
            (json!({"nodes": []}), ""),
            (Value::Null, ""),
        ] {
            assert_eq!(lines(&answer), named, "{answer}");
        }
    }
}
