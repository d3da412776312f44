//! Bad input to every operation of the served API document: each is refused with a status that the document names, in the style
//! of the operation, and changes nothing.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    databases::on_both_databases,
    http::{Answer, Http},
    machine::Machine,
    plane::{Plane, claim, text},
};

on_both_databases!(
    credentials_that_are_missing_or_wrong_are_refused_everywhere,
    bad_bodies_are_refused_everywhere,
    bad_fields_are_refused_everywhere,
    what_the_document_requires_is_what_the_server_requires,
    bad_queries_are_refused_everywhere,
    ids_of_other_kinds_name_nothing,
);

/// The document, and for each place in a path something that exists.
struct Contract {
    document: Json,
    ids: BTreeMap<&'static str, String>,
}

/// One operation.
struct Operation<'c> {
    contract: &'c Contract,
    method: Method,
    path: &'c str,
    item: &'c Json,
}

impl Contract {
    async fn of(plane: &Plane) -> Self {
        let admin = plane.as_admin();
        let document = plane.http.get("/api/openapi.json").await.expect(200);
        let created = async |path: &str, body: Json, key: &str| {
            let answer = admin.post(path, &body).await;
            assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text);
            let json = answer.json();
            text(json.get("data").unwrap_or(&json), key).to_owned()
        };
        let user = json!({"username": format!("u{}", Uuid::new_v4().simple()), "password": "correct horse"});
        let machine =
            json!({"name": "m1", "ip_address": "192.0.2.1", "user": "root", "password": "a password", "role": "worker"});
        let webhook = json!({"url": "https://receiver.invalid/", "events": ["*"], "paused": true});
        let ids = BTreeMap::from([
            ("/api/gpu-claims", text(&claim(&admin, 0).await, "id").to_owned()),
            ("/api/nodes", Machine::new("n1", 1).join(plane).await.id),
            ("/api/join-tokens", created("/api/join-tokens", json!({}), "id").await),
            ("/api/roles", "user".to_owned()),
            // There is no Slurm here; its jobs have numbers.
            ("/api/slurm/jobs", "1".to_owned()),
            ("/api/v1/hosts", created("/api/v1/hosts", json!({"name": "h1"}), "host_id").await),
            ("/api/webhooks", created("/api/webhooks", webhook, "id").await),
            ("/api/v1/users", created("/api/v1/users", user, "id").await),
            ("/api/v1/machines", created("/api/v1/machines", machine, "id").await),
            ("/api/v1/tokens", created("/api/v1/tokens", json!({"name": "script"}), "id").await),
        ]);
        Self { document, ids }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
            methods.map(move |(method, item)| Operation {
                contract: self,
                method: method.to_uppercase().parse().unwrap(),
                path,
                item,
            })
        });
        operations.collect()
    }

    /// A schema, with references followed.
    fn schema<'c>(&'c self, schema: &'c Json) -> &'c Json {
        let reference = schema["$ref"].as_str();
        reference.map_or(schema, |reference| self.document.pointer(reference.trim_start_matches('#')).expect(reference))
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path, with its variables filled.
    fn path(&self, id: Option<&str>) -> String {
        let known = self.contract.ids.iter().rev().find(|(prefix, _)| self.path.starts_with(*prefix)).map(|(_, id)| id.as_str());
        let id = id.or(known).unwrap_or("00000000-0000-4000-8000-000000000000");
        let segment = |segment| if str::starts_with(segment, '{') { id } else { segment };
        self.path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    fn is_public(&self) -> bool {
        self.item["security"].as_array().is_some_and(|ways| ways.is_empty() || ways.iter().any(|way| *way == json!({})))
    }

    /// Whether its answers are `{"code", "message", "data"}`.
    fn is_enveloped(&self) -> bool {
        self.item.pointer("/responses/401/$ref").and_then(Json::as_str).is_some_and(|reference| reference.contains("Envelope"))
    }

    /// Callers of it are people.
    fn is_for_people(&self) -> bool {
        self.is_public()
            || self.item["security"].to_string().to_lowercase().contains("bearer")
                && !self.item["security"].to_string().to_lowercase().contains("agent")
    }

    /// The fields of its body, by key, with their schemas; none without a body.
    fn fields(&self) -> Option<&Map<String, Json>> {
        let body = self.item.pointer("/requestBody/content/application~1json/schema")?;
        self.contract.schema(body)["properties"].as_object()
    }

    /// A body in which one field has this value; the others have their examples.
    fn body_with(&self, key: &str, value: Json) -> Json {
        let example = self.item.pointer("/requestBody/content/application~1json/example").and_then(Json::as_object);
        let mut body = example.cloned().unwrap_or_default();
        body.insert(key.to_owned(), value);
        Json::Object(body)
    }

    /// The members of its body that the document requires, and those of its query.
    fn required(&self) -> (Vec<&str>, Vec<&str>) {
        let body = self.item.pointer("/requestBody/content/application~1json/schema").map(|body| self.contract.schema(body));
        let in_body = body.and_then(|body| body["required"].as_array()).map(Vec::as_slice).unwrap_or_default();
        let parameters = self.item["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
        (in_body.iter().filter_map(Json::as_str).collect(), in_query.map(|parameter| text(parameter, "name")).collect())
    }

    /// A body of these members, with their examples.
    fn body_of(&self, keys: &[&str]) -> Option<String> {
        let example = self.item.pointer("/requestBody/content/application~1json/example");
        self.fields()?;
        let member = |key: &&str| (str::to_owned(key), example.map_or(Json::Null, |example| example[*key].clone()));
        Some(Json::Object(keys.iter().map(member).collect()).to_string())
    }

    /// The types a schema names.
    fn types(&self, schema: &Json) -> String {
        let schema = self.contract.schema(schema);
        format!("{} {} {}", schema["type"], schema["anyOf"], schema["oneOf"])
    }

    fn query(&self) -> Vec<(&str, &Json)> {
        let parameters = self.item["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let parameters = parameters.iter().map(|parameter| self.contract.schema(parameter));
        let in_query = parameters.filter(|parameter| parameter["in"] == "query");
        in_query.map(|parameter| (text(parameter, "name"), &parameter["schema"])).collect()
    }

    async fn send(&self, http: &Http, path: &str, body: Option<String>) -> Answer {
        match body {
            Some(body) => http.send_json(self.method.clone(), path, body).await,
            None => http.send(http.request(self.method.clone(), path).body(http_body_util::Full::default()).unwrap()).await,
        }
    }

    /// Whatever is sent, the document names the status, nothing of ours breaks, and an error has the operation's style.
    #[track_caller]
    fn check(&self, what: &str, answer: &Answer) {
        let name = format!("{} with {what}: {} {}", self.name(), answer.status, answer.text);
        assert!(self.item["responses"].get(answer.status.to_string()).is_some(), "not in the document: {name}");
        // Here are none of the servers of others.
        assert!(answer.status < 500 || is_not_configured(answer), "{name}");
        if answer.status < 400 || self.method == Method::HEAD {
            return;
        }
        let error = answer.json();
        if self.is_enveloped() {
            assert_eq!(error["code"], answer.status, "{name}");
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
        } else {
            assert!(error["error"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
            assert!(error["code"].as_str().is_some_and(|reason| !reason.is_empty()), "{name}");
        }
    }
}

/// Whether a server of others would have been asked, if there were one.
fn is_not_configured(answer: &Answer) -> bool {
    answer.status == 503 && answer.json()["code"].as_str().is_some_and(|reason| reason.ends_with("NotConfigured"))
}

/// How many changes the audit log tells of.
async fn changes(plane: &Plane) -> i64 {
    plane.as_admin().get("/api/v1/audit?result=success&limit=1").await.expect(200)["data"]["total"].as_i64().unwrap()
}

async fn credentials_that_are_missing_or_wrong_are_refused_everywhere(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let before = changes(plane).await;
    let wrong = plane.http.with_token("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl");
    for operation in contract.operations().iter().filter(|operation| !operation.is_public()) {
        let body = operation.fields().map(|_| "{}".to_owned());
        for (what, http) in [("no token", &plane.http), ("a wrong token", &wrong)] {
            let answer = operation.send(http, &operation.path(None), body.clone()).await;
            assert_eq!(answer.status, 401, "{} with {what}: {}", operation.name(), answer.text);
            operation.check(what, &answer);
        }
    }
    assert_eq!(changes(plane).await, before);
}

async fn bad_bodies_are_refused_everywhere(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let before = changes(plane).await;
    let admin = plane.as_admin();
    let large = json!({"name": "x".repeat(10 << 20)}).to_string();
    for operation in contract.operations().iter().filter(|operation| operation.is_for_people() && operation.fields().is_some()) {
        let path = operation.path(None);
        for (what, body) in [("half a body", "{\"a\":"), ("a list", "[]"), ("a text", "\"text\""), ("no JSON", "a=b")] {
            let answer = operation.send(&admin, &path, Some(body.to_owned())).await;
            assert_eq!(answer.status, 400, "{} with {what}: {}", operation.name(), answer.text);
            operation.check(what, &answer);
        }
        let answer = operation.send(&admin, &path, Some(large.clone())).await;
        assert_eq!(answer.status, 413, "{}: {}", operation.name(), answer.text);
        operation.check("10 MB", &answer);
        let request = admin.request(operation.method.clone(), &path).header("content-type", "text/plain");
        let answer = admin.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.status, 415, "{}: {}", operation.name(), answer.text);
        operation.check("text/plain", &answer);
    }
    assert_eq!(changes(plane).await, before);
}

async fn bad_fields_are_refused_everywhere(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let before = changes(plane).await;
    let mut made = 0;
    let admin = plane.as_admin();
    for operation in contract.operations().iter().filter(|operation| operation.is_for_people()) {
        for (key, schema) in operation.fields().into_iter().flatten() {
            let resolved = contract.schema(schema);
            let types = operation.types(schema);
            let is_text = types.contains("string");
            let wrong_type = if is_text { json!({"a": [1]}) } else { json!("text") };
            let mut probes = vec![("the wrong type", wrong_type, &[400][..])];
            if resolved.get("enum").is_some() {
                probes.push(("an unknown word", json!("no such word"), &[400, 422]));
            } else if is_text {
                probes.push(("control characters", json!("a\u{0}\u{1b}[31m"), &[]));
                probes.push(("100 kB", json!("x".repeat(100_000)), &[]));
            }
            if types.contains("integer") || types.contains("number") {
                probes.push(("a negative number", json!(-1), &[]));
                probes.push(("a huge number", json!(9.9e99), &[]));
            }
            for (what, value, expected) in probes {
                let body = operation.body_with(key, value).to_string();
                let answer = operation.send(&admin, &operation.path(None), Some(body)).await;
                let what = format!("{what} in `{key}`");
                operation.check(&what, &answer);
                if !expected.is_empty() {
                    let name = format!("{} with {what}: {} {}", operation.name(), answer.status, answer.text);
                    assert!(expected.contains(&answer.status), "{name}");
                    assert!(answer.text.contains(key.as_str()), "not named: {name}");
                }
                // What was taken after all is a change like any other.
                made += i64::from(answer.status < 300);
            }
        }
    }
    assert!(changes(plane).await - before <= made);
}

async fn what_the_document_requires_is_what_the_server_requires(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let admin = plane.as_admin();
    // One of several members must be there, which `required` does not say.
    let alternatives = [("/api/gpu-claims", "spec: must be given"), ("/api/v1/machines", "password: must be given")];
    let mut required = 0;
    // Containers are the agents' to judge, of which none is here.
    let is_judged_here = |operation: &&Operation<'_>| operation.is_for_people() && !operation.path.ends_with("/containers");
    for operation in contract.operations().iter().filter(is_judged_here) {
        let ((in_body, in_query), path) = (operation.required(), operation.path(None));
        for key in &in_body {
            let without = operation.body_with(key, Json::Null).to_string();
            let answer = operation.send(&admin, &path, Some(without)).await;
            let name = format!("{} without `{key}`: {} {}", operation.name(), answer.status, answer.text);
            operation.check(&format!("no `{key}`"), &answer);
            // Who has no Slurm does not look at its jobs.
            let is_named = [400, 422].contains(&answer.status) && answer.text.contains(key);
            assert!(is_named || is_not_configured(&answer), "{name}");
            required += 1;
        }
        for key in in_query {
            let answer = operation.send(&admin, &path, None).await;
            assert_eq!(answer.status, 400, "{} without `{key}`: {}", operation.name(), answer.text);
            assert!(answer.text.contains(key), "{}", answer.text);
            required += 1;
        }
        if operation.fields().is_some() {
            let answer = operation.send(&admin, &path, operation.body_of(&in_body)).await;
            operation.check("what is required alone", &answer);
            let name = format!("{} with what is required alone: {} {}", operation.name(), answer.status, answer.text);
            let is_alternative = |(path, said): &(&str, &str)| operation.path == *path && answer.text.contains(said);
            assert!(!answer.text.contains("must be given") || alternatives.iter().any(is_alternative), "{name}");
        }
    }
    assert!(required > 25, "{required}");
}

async fn bad_queries_are_refused_everywhere(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let admin = plane.as_admin();
    let mut probed = 0;
    for operation in contract.operations().iter().filter(|operation| operation.method == Method::GET && operation.is_for_people())
    {
        let query = operation.query();
        // A stream that would wait for more ends with what is there.
        let once = if query.iter().any(|(name, _)| *name == "once") { "&once=true" } else { "" };
        for (name, schema) in query {
            let types = operation.types(schema);
            let is_word = contract.schema(schema).get("enum").is_some();
            let is_number = types.contains("integer") || types.contains("number");
            for value in ["-1", "99999999999999999999", "no%20such%20word", "%00", "%ff", "1e3"] {
                let answer = operation.send(&admin, &format!("{}?{name}={value}{once}", operation.path(None)), None).await;
                operation.check(&format!("?{name}={value}"), &answer);
                if value == "no%20such%20word" && (is_word || is_number) {
                    let name = format!("{}?{name}={value}: {} {}", operation.name(), answer.status, answer.text);
                    assert!([400, 422].contains(&answer.status), "{name}");
                }
                probed += 1;
            }
        }
    }
    assert!(probed > 100, "{probed}");
}

async fn ids_of_other_kinds_name_nothing(plane: &Plane) {
    let contract = Contract::of(plane).await;
    let before = changes(plane).await;
    let admin = plane.as_admin();
    let claim = &contract.ids["/api/gpu-claims"];
    let user = &contract.ids["/api/v1/users"];
    for operation in contract.operations().iter().filter(|operation| operation.path.contains('{') && operation.is_for_people()) {
        let other = if operation.path.starts_with("/api/gpu-claims") { user } else { claim };
        let example = operation.fields().and_then(|fields| fields.keys().next()).map(|key| {
            let value = operation.body_with(key, Json::Null)[key].clone();
            let mut body = operation.body_with(key, value);
            body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            body.to_string()
        });
        for id in [other.as_str(), "1", "-1", "..", "%2e%2e%2f", "%00", "'%20or%201=1", "%F0%9F%92%A9", &"a".repeat(3000)] {
            let answer = operation.send(&admin, &operation.path(Some(id)), example.clone()).await;
            let what = format!("the id {}", &id[..id.len().min(40)]);
            operation.check(&what, &answer);
            let is_refused = (400..500).contains(&answer.status) || is_not_configured(&answer);
            assert!(is_refused, "{} with {what}: {} {}", operation.name(), answer.status, answer.text);
        }
    }
    assert_eq!(changes(plane).await, before);
}
