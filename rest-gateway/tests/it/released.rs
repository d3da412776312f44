//! What the last release promised over REST: routes, keys and words stay.
//!
//! `buf breaking` watches over protobuf; our own options are nothing to it. Both compare with `proto/released.binpb`.

use std::{collections::BTreeSet, path::Path};

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};

fn released() -> DescriptorPool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/released.binpb");
    DescriptorPool::decode(std::fs::read(file).unwrap().as_slice()).unwrap()
}

/// The value of one of our options, as text; empty where it is not set.
fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Vec<String> {
    let extension = pool.get_extension_by_name(name).unwrap();
    match &*options.get_extension(&extension) {
        _ if !options.has_extension(&extension) => Vec::new(),
        Value::List(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![format!("{other:?}")],
    }
}

/// A route in words: method, path, and what becomes of the bodies.
fn route(rule: &DynamicMessage) -> Option<String> {
    let text = |name: &str| rule.get_field_by_name(name)?.as_str().map(str::to_owned);
    let method = ["get", "put", "post", "delete", "patch"].into_iter().find(|method| rule.has_field_by_name(method))?;
    Some(format!("{method} {} body={} response_body={}", text(method)?, text("body")?, text("response_body")?))
}

/// Everything that a client relies on, one line each.
fn promises(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut promises = BTreeSet::new();
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let options = method.options();
        let rule = options.get_extension(&http);
        let additional = rule.as_message().unwrap().get_field_by_name("additional_bindings").unwrap().into_owned();
        let additional = additional.as_list().unwrap_or_default().iter().filter_map(Value::as_message);
        for route in rule.as_message().into_iter().chain(additional).filter_map(route) {
            promises.insert(format!("{} is at {route}", method.full_name()));
        }
        if let Some(rest) = utopia_proto::policy::operation(&method).and_then(|operation| operation.rest) {
            let shown =
                format!("{:?} {} {:?} {:?}", rest.style(), rest.success_status, rest.other_success_status, rest.error_status);
            promises.insert(format!("{} is shown as {shown}", method.full_name()));
        }
    }
    for field in pool.all_messages().flat_map(|message: MessageDescriptor| message.fields().collect::<Vec<_>>()) {
        let key = option(pool, &field.options(), "utopia.api.v1.key").pop().unwrap_or_else(|| field.name().to_owned());
        promises.insert(format!("{} has the key {key}", field.full_name()));
        if !option(pool, &field.options(), "utopia.api.v1.inline").is_empty() {
            promises.insert(format!("{} is inlined", field.full_name()));
        }
    }
    for value in pool.all_enums().flat_map(|found| found.values().collect::<Vec<_>>()) {
        let word = option(pool, &value.options(), "utopia.api.v1.word").pop().unwrap_or_else(|| value.name().to_owned());
        promises.insert(format!("{} is the word `{word}`", value.full_name()));
        for alias in option(pool, &value.options(), "utopia.api.v1.alias") {
            promises.insert(format!("{} is also written `{alias}`", value.full_name()));
        }
    }
    promises.retain(|promise| promise.starts_with("utopia."));
    promises
}

#[test]
fn what_was_released_still_holds() {
    let (before, now) = (promises(&released()), promises(&utopia_proto::descriptor_pool()));
    assert!(before.len() > 100);
    let broken = before.difference(&now).map(String::as_str).collect::<Vec<_>>();
    assert!(broken.is_empty(), "no longer true:\n{}", broken.join("\n"));
}

#[test]
fn a_broken_promise_is_seen() {
    let pool = utopia_proto::descriptor_pool();
    let promises = promises(&pool);
    for promise in [
        "utopia.claim.v1.ClaimService.CreateClaim is at post /api/gpu-claims body=* response_body=",
        "utopia.claim.v1.ClaimService.CreateClaim is shown as Bare 202 [] []",
        "utopia.node.v1.NodeAgentService.ListContainers is at get /api/nodes/{node_id}/containers body= response_body=containers",
        "utopia.claim.v1.ClaimStatus.container_id has the key containerID",
        "utopia.claim.v1.CreateClaimRequest.spec is inlined",
        "utopia.host.v1.HOST_HEALTH_DEGRADED is the word `degraded`",
        "utopia.host.v1.HOST_HEALTH_DEGRADED is also written `warning`",
    ] {
        assert!(promises.contains(promise), "{promise} is missing from\n{promises:#?}");
    }
}
