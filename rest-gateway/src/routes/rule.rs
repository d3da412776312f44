//! The option `google.api.http` of a method, read from its descriptor.

use prost_reflect::{DynamicMessage, MethodDescriptor};

const HTTP: &str = "google.api.http";

/// One route of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) response_body: String,
}

/// All routes of a method; none for one without the option.
pub(crate) fn rules(method: &MethodDescriptor) -> Vec<Rule> {
    let Some(extension) = method.parent_pool().get_extension_by_name(HTTP) else { return Vec::new() };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Vec::new();
    }
    let value = options.get_extension(&extension);
    let Some(first) = value.as_message() else { return Vec::new() };
    let additional = first.get_field_by_name("additional_bindings");
    let additional = additional.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    let all = std::iter::once(first).chain(additional.iter().filter_map(|value| value.as_message()));
    all.filter_map(rule).collect()
}

fn rule(message: &DynamicMessage) -> Option<Rule> {
    let (method, path) = pattern(message)?;
    Some(Rule { method, path, body: text(message, "body"), response_body: text(message, "response_body") })
}

fn pattern(message: &DynamicMessage) -> Option<(String, String)> {
    let simple = ["get", "put", "post", "delete", "patch"].into_iter().find(|name| message.has_field_by_name(name));
    if let Some(name) = simple {
        return Some((name.to_uppercase(), text(message, name)));
    }
    let custom = message.get_field_by_name("custom")?;
    let custom = custom.as_message().filter(|_| message.has_field_by_name("custom"))?;
    Some((text(custom, "kind"), text(custom, "path")))
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
