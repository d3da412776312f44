//! Lists page by page, and the one thing of a list that has a name.

use std::collections::HashSet;

use anyhow::bail;
use serde_json::Value;

use crate::args::Page;
use crate::client::{Client, Error};
use crate::failure::Failure;

const MOST_ON_A_PAGE: u32 = 100;

/// A list whose elements are the member `items` of the server's answers: the page that was asked for, else all pages as one.
pub(super) async fn listing(
    client: &Client,
    path: &[&str],
    items: &str,
    filters: Vec<(&str, Option<String>)>,
    page: &Page,
) -> Result<Value, Error> {
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>();
    let limit = page.limit.unwrap_or(MOST_ON_A_PAGE);
    let query = |number: u32| {
        let page = [("page", number.to_string()), ("limit", limit.to_string())];
        page.into_iter().chain(filters.iter().cloned()).collect::<Vec<_>>()
    };
    let mut whole = client.get(path, &query(page.page.unwrap_or(1))).await?;
    if page.page.is_some() || page.limit.is_some() {
        return Ok(whole);
    }
    let mut known = elements(&whole, items).iter().filter_map(id).map(str::to_owned).collect::<HashSet<_>>();
    let mut number = 1;
    while u64::from(number) * u64::from(limit) < total(&whole) {
        number += 1;
        let mut next = client.get(path, &query(number)).await?;
        let new = next.get_mut(items).and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        if new.is_empty() {
            break;
        }
        // What comes meanwhile pushes others to the next page, where they come again.
        let new = new.into_iter().filter(|element| id(element).is_none_or(|id| known.insert(id.to_owned())));
        if let Some(elements) = whole.get_mut(items).and_then(Value::as_array_mut) {
            elements.extend(new);
        }
    }
    if number > 1 {
        describe_whole(&mut whole, items);
    }
    Ok(whole)
}

/// The id of the one element that has this name, or this id. Names are compared without regard to case.
pub(super) async fn id_of(client: &Client, path: &[&str], items: &str, kind: &str, name: &str) -> anyhow::Result<String> {
    if is_uuid(name) {
        return Ok(name.to_owned());
    }
    let all = listing(client, path, items, Vec::new(), &Page { page: None, limit: None }).await?;
    one_named(elements(&all, items), kind, name)
}

/// The same among elements that are at hand.
pub(super) fn one_named(elements: &[Value], kind: &str, name: &str) -> anyhow::Result<String> {
    let called = |element: &&Value| {
        let names = ["name", "username", "hostname"].into_iter().filter_map(|key| element.get(key)?.as_str());
        names.into_iter().any(|own| own.to_lowercase() == name.to_lowercase())
    };
    let ids = elements.iter().filter(called).filter_map(id).collect::<Vec<_>>();
    match ids[..] {
        [id] => Ok(id.to_owned()),
        [] => Err(Failure::NotFound(format!("no {kind} is called {name}")).into()),
        [..] => bail!("several {kind}s are called {name}, say which by id: {}", ids.join(", ")),
    }
}

pub(super) fn elements<'a>(answer: &'a Value, items: &str) -> &'a [Value] {
    answer.get(items).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether this is an id and no name: 32 hexadecimal digits with hyphens between.
pub(super) fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn id(element: &Value) -> Option<&str> {
    ["id", "host_id"].into_iter().find_map(|key| element.get(key)?.as_str())
}

/// How many elements there are on all pages; lists say it beside the elements or in a member of its own.
fn total(answer: &Value) -> u64 {
    [answer, &answer["pagination"]].into_iter().find_map(|info| info.get("total")?.as_u64()).unwrap_or(0)
}

/// All pages as one are one page.
fn describe_whole(whole: &mut Value, items: &str) {
    let count = elements(whole, items).len();
    let info = if whole.get("pagination").is_some() { &mut whole["pagination"] } else { whole };
    for (key, value) in [("page", 1), ("limit", count), ("page_size", count), ("total", count), ("total_pages", 1)] {
        if let Some(member) = info.get_mut(key) {
            *member = value.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_thing_has_a_name() {
        let elements = [json!({"id": "1", "name": "Ada"}), json!({"host_id": "2", "name": "b"}), json!({"id": "3", "name": "B"})];
        assert_eq!(one_named(&elements, "host", "ada").unwrap(), "1");
        assert_eq!(one_named(&elements, "host", "x").unwrap_err().to_string(), "no host is called x");
        let several = one_named(&elements, "host", "b").unwrap_err().to_string();
        assert_eq!(several, "several hosts are called b, say which by id: 2, 3");
    }

    #[test]
    fn ids_are_no_names() {
        assert!(is_uuid("0197a5b0-0000-7000-8000-00000000000f"));
        for name in ["", "gpu-01", "0197a5b0000070008000000000000002", "0197a5b0-0000-7000-8000-00000000000g"] {
            assert!(!is_uuid(name), "{name}");
        }
    }
}
