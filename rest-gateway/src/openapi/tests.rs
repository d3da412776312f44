use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::*;
use crate::transcode::Transcoder;

fn contract() -> Value {
    let pool = utopia_proto::descriptor_pool();
    let services = pool.services().map(|service| service.full_name().to_owned()).collect::<Vec<_>>();
    let text = document(&pool, &services).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, it)| (format!("{method} {path}"), it)))
        .collect()
}

#[test]
fn every_binding_is_one_operation_with_an_id_of_its_own() {
    let document = contract();
    let pool = utopia_proto::descriptor_pool();
    let bindings = pool.services().flat_map(|service| service.methods().map(|method| rules(&method).len()).collect::<Vec<_>>());
    let found = operations(&document);
    assert_eq!(found.len(), bindings.sum::<usize>());
    let ids = found.iter().map(|(_, it)| it["operationId"].as_str().unwrap()).collect::<std::collections::HashSet<_>>();
    assert_eq!(ids.len(), found.len());
    for (name, it) in &found {
        assert!(!it["summary"].as_str().unwrap().is_empty(), "{name} has no summary");
        assert!(it["description"].as_str().unwrap().contains("Needs "), "{name} does not say what it needs");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target}");
                }
                members.values().for_each(|value| walk(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(document, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = contract();
    walk(&document, &document);
}

#[test]
fn the_same_contract_gives_the_same_text() {
    assert_eq!(contract().to_string(), contract().to_string());
}

#[test]
fn every_body_has_an_example_that_the_gateway_takes() {
    let document = contract();
    let pool = utopia_proto::descriptor_pool();
    for (name, it) in operations(&document) {
        let Some(body) = it.get("requestBody") else { continue };
        let example = body.pointer("/content/application~1json/example").unwrap_or_else(|| panic!("{name} has no example"));
        let path = it["x-grpc-method"].as_str().unwrap().trim_start_matches('/');
        let (service, method) = path.split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let input = service.methods().find(|found| found.name() == method).unwrap().input();
        let is_whole = input.fields().any(|field| example.get(field.name()).is_some());
        let wrapped = if is_whole { example.clone() } else { json!({"policy": example}) };
        Transcoder::new(&input)
            .unwrap()
            .to_wire(wrapped.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(unknown_member(&input, &wrapped), None, "{name}");
    }
}

/// A member of an example that is no field.
fn unknown_member(message: &MessageDescriptor, example: &Value) -> Option<String> {
    let members = example.as_object()?;
    members.iter().find_map(|(key, value)| {
        let named = |field: &prost_reflect::FieldDescriptor| crate::transcode::table::options::key_of(field) == *key;
        let Some(field) = message.fields().find(named) else { return Some(key.clone()) };
        let Kind::Message(inner) = field.kind() else { return None };
        if field.is_map() || inner.full_name().starts_with("google.") { None } else { unknown_member(&inner, value) }
    })
}

#[test]
fn styles_statuses_and_headers_are_those_of_the_contract() {
    let document = contract();
    let responses = |path: &str, method: &str| &document["paths"][path][method]["responses"];
    let statuses = |path: &str, method: &str| responses(path, method).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        statuses("/api/nodes/{node_id}/metrics", "get"),
        ["200", "400", "401", "403", "404", "409", "429", "500", "501", "502", "503"]
    );
    assert_eq!(
        statuses("/api/v1/users", "post"),
        ["201", "400", "401", "403", "408", "409", "413", "415", "422", "429", "500", "501", "503", "504"]
    );
    assert_eq!(statuses("/api/v1/hosts/{host_id}", "delete")[..2], ["200", "204"]);
    assert!(!statuses("/health", "get").contains(&"429".to_owned()), "it is not limited");
    assert_eq!(responses("/api/v1/users", "post")["422"]["$ref"], "#/components/responses/Envelope422");
    assert_eq!(responses("/api/roles", "get")["401"]["$ref"], "#/components/responses/Bare401");
    assert!(document["components"]["responses"]["Bare429"]["headers"].get("Retry-After").is_some());

    let schema = |path: &str, method: &str, status: &str| {
        responses(path, method)[status].pointer("/content/application~1json/schema").unwrap().clone()
    };
    assert_eq!(schema("/api/gpu-claims", "post", "202"), json!({"$ref": "#/components/schemas/Claim"}));
    assert_eq!(schema("/api/v1/containers", "get", "200")["type"], "array");
    let envelope = schema("/api/v1/hosts", "get", "200");
    assert_eq!(envelope["properties"]["data"], json!({"$ref": "#/components/schemas/ListHostsResponse"}));
    assert_eq!(envelope["required"], json!(["code", "message", "data"]));
    let stream = responses("/api/gpu-claims/{id}/watch", "get")["200"]["content"].as_object().unwrap();
    assert!(stream.keys().eq(["application/x-ndjson", "text/event-stream"]));
}

#[test]
fn schemas_are_those_of_the_transcoder() {
    let document = contract();
    let schema = |name: &str| &document["components"]["schemas"][name];
    let status = &schema("ClaimStatus")["properties"];
    assert!(status.get("containerID").is_some() && status.get("gpuUUIDs").is_some());
    assert_eq!(schema("ClaimStatus")["required"].as_array().unwrap().len(), status.as_object().unwrap().len());
    assert_eq!(schema("ClaimPhase")["enum"], json!(["", "Pending", "Scheduled", "Running", "Failed", "Completed"]));
    let claim = &schema("Claim")["properties"];
    assert_eq!((&claim["user_id"]["type"], &claim["user_id"]["format"]), (&json!("integer"), &json!("int64")));
    assert_eq!(claim["created_at"]["type"], json!(["string", "null"]));
    assert_eq!(claim["created_at"]["format"], "date-time");
    assert_eq!(claim["spec"]["anyOf"], json!([{"$ref": "#/components/schemas/ClaimSpec"}, {"type": "null"}]));
    assert_eq!(schema("RolePolicy")["properties"]["max_gpu_count"]["type"], json!(["integer", "null"]));

    let request = schema("CreateClaimRequest");
    assert_eq!(request["properties"]["spec"]["$ref"], "#/components/schemas/ClaimSpecInput");
    assert_eq!(
        request["properties"]["resources"]["$ref"], "#/components/schemas/ResourcesInput",
        "its fields stand beside it as well"
    );
    assert_eq!((request.get("required"), schema("ClaimSpecInput").get("required")), (None, None));
    let password = &schema("LoginRequest")["properties"]["password"];
    assert_eq!((&password["writeOnly"], &password["format"]), (&json!(true), &json!("password")));
    assert_eq!(schema("Session")["properties"]["token"]["format"], "password");
    assert!(schema("UserService_UpdateUser_Body")["properties"].get("id").is_none(), "the path has it");
}

#[test]
fn requests_say_what_they_must_hold() {
    let document = contract();
    let schema = |name: &str| &document["components"]["schemas"][name];
    assert_eq!(schema("CreateMachineRequest")["required"], json!(["name", "ip_address", "user", "role"]));
    assert_eq!(schema("UserService_ChangePassword_Body")["required"], json!(["new_password"]));
    assert_eq!(schema("PortMappingInput")["required"], json!(["container_port"]));
    let history = document["paths"]["/api/monitoring/history"]["get"]["parameters"].as_array().unwrap();
    let required = history.iter().filter(|parameter| parameter["required"] == true).map(|parameter| &parameter["name"]);
    assert!(required.eq([&json!("metric")]));
    // Of these zero says something else than nothing.
    assert_eq!(schema("RolePolicyInput")["properties"]["max_gpu_count"]["type"], json!(["integer", "null"]));
    assert_eq!(schema("UserService_UpdateUser_Body")["properties"]["email"]["type"], json!(["string", "null"]));
    assert_eq!(schema("CreateHostRequest")["properties"]["ip_address"]["type"], "string");
}

#[test]
fn security_is_that_of_the_contract() {
    let document = contract();
    let security = |path: &str, method: &str| &document["paths"][path][method]["security"];
    assert_eq!(security("/api/auth/login", "post"), &json!([{}, {"bearer": []}]));
    assert_eq!(security("/api/gpu-claims", "get"), &json!([{"bearer": []}]));
    assert_eq!(security("/api/v1/hosts/{host_id}/heartbeat", "post"), &json!([{"agentBearer": []}, {"agentHeader": []}]));
}

#[test]
fn templates_that_differ_in_names_are_one_path() {
    let rule = |method: &str, path: &str| Rule {
        method: method.to_owned(),
        path: path.to_owned(),
        body: String::new(),
        response_body: String::new(),
    };
    let mut paths = Paths::default();
    let first = rule("GET", "/a/{id}/b");
    paths.add(&paths.path(&first).unwrap(), &first, Object::default());
    let second = paths.path(&rule("PUT", "/a/{a_id}/b")).unwrap();
    assert_eq!(second.text, "/a/{id}/b");
    assert_eq!(second.parameters, [("id".to_owned(), Some("a_id".to_owned()))]);
    let spread = paths.path(&rule("GET", "/x/*/{name=shelves/*/books/**}")).unwrap();
    assert_eq!(spread.text, "/x/{wildcard}/shelves/{name}/books/{name_3}");
}
