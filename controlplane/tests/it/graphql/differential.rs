//! Every read operation of the contract gives the same data over gRPC, REST and GraphQL.
//!
//! The operations are those of the descriptors that the API document binds to GET. GraphQL selects every field there is, by the schema
//! that it shows. What gRPC answers is decoded by prost-reflect and shown by the rules of the mapping, written down here once more. The
//! servers of others are the real ones where there are any; without them the three must agree on the error.

mod shown;

use std::{collections::BTreeMap, env, time::Duration};

use bytes::Bytes;
use http::uri::PathAndQuery;
use jiff::Timestamp;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Map, Value as Json, json};
use tonic::{client::Grpc, transport::Channel};
use utopia_proto::{
    link::v1::{command::Action, command_result::Outcome},
    node::v1::{Container, Health, ListContainersResponse, NodeMetrics},
    policy::grpc_path,
    status::reason,
};

use super::{data, outcome, post};
use crate::{
    agent::{Agent, result},
    databases::with_sqlite,
    dial::as_bearer,
    http::Http,
    machine::Machine,
    people::Member,
    plane::{CHECKS, Plane, claim, text},
    raw::Raw,
};

/// What is another at each call, whoever is asked: moments of now, and how long something has taken.
const MASKED: [&str; 2] = ["timestamp", "latency_ms"];

/// What an operation gave: its data, or the reason of its error. REST in an envelope has no reason, but the sentence.
#[derive(Debug, PartialEq)]
enum Given {
    Data(Json),
    Refused { reason: Option<String>, sentence: String },
}

/// The schema that GraphQL shows.
struct Schema {
    /// By type, the fields of objects with their types.
    objects: BTreeMap<String, Vec<(String, String)>>,
    /// By field of the root, its type and the types of its arguments.
    roots: BTreeMap<String, (String, BTreeMap<String, String>)>,
}

impl Schema {
    async fn of(http: &Http) -> Self {
        let query = "{ __schema { types { name kind fields(includeDeprecated: true) { name args { name type { ...T } } type { ...T } } } } }
            fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
        let shown = data(http, query, &json!({})).await;
        let (mut objects, mut roots) = (BTreeMap::new(), BTreeMap::new());
        for ty in shown["__schema"]["types"].as_array().unwrap().iter().filter(|ty| ty["kind"] == "OBJECT") {
            let fields = ty["fields"].as_array().unwrap();
            if ty["name"] == "Query" {
                let arguments = |field: &Json| {
                    let arguments = field["args"].as_array().unwrap().iter();
                    arguments.map(|argument| (text(argument, "name").to_owned(), written(&argument["type"]))).collect()
                };
                roots = fields
                    .iter()
                    .map(|field| (text(field, "name").to_owned(), (named(&field["type"]), arguments(field))))
                    .collect();
            }
            let fields = fields.iter().map(|field| (text(field, "name").to_owned(), named(&field["type"])));
            objects.insert(text(ty, "name").to_owned(), fields.collect());
        }
        Self { objects, roots }
    }

    /// All there is to select of a type.
    fn selection(&self, ty: &str) -> String {
        let Some(fields) = self.objects.get(ty) else { return String::new() };
        let fields = fields.iter().map(|(name, ty)| format!("{name}{}", self.selection(ty)));
        format!(" {{ {} }}", fields.collect::<Vec<_>>().join(" "))
    }

    /// A document for one operation with all its fields.
    fn document(&self, root: &str, arguments: &Map<String, Json>) -> String {
        let (ty, types) = self.roots.get(root).unwrap_or_else(|| panic!("{root} is no field of Query"));
        let declared = arguments.keys().map(|name| format!("${name}: {}", types[name])).collect::<Vec<_>>().join(", ");
        let passed = arguments.keys().map(|name| format!("{name}: ${name}")).collect::<Vec<_>>().join(", ");
        let (declared, passed) =
            if arguments.is_empty() { (declared, passed) } else { (format!("({declared})"), format!("({passed})")) };
        format!("query{declared} {{ {root}{passed}{} }}", self.selection(ty))
    }
}

fn named(ty: &Json) -> String {
    if ty["ofType"].is_object() { named(&ty["ofType"]) } else { text(ty, "name").to_owned() }
}

fn written(ty: &Json) -> String {
    match text(ty, "kind") {
        "NON_NULL" => format!("{}!", written(&ty["ofType"])),
        "LIST" => format!("[{}]", written(&ty["ofType"])),
        _ => text(ty, "name").to_owned(),
    }
}

/// One operation in its three ways.
struct Operation<'a> {
    method: MethodDescriptor,
    /// The first path of the API document.
    path: String,
    arguments: &'a Map<String, Json>,
}

impl Operation<'_> {
    async fn over_grpc(&self, channel: &Channel, token: &str) -> Given {
        let message = Bytes::from(shown::request(self.method.input(), self.arguments).encode_to_vec());
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.expect("the connection holds");
        let path = PathAndQuery::try_from(grpc_path(&self.method)).unwrap();
        match grpc.unary(as_bearer(token, message), path, Raw).await {
            Ok(answer) => {
                Given::Data(shown::message(&DynamicMessage::decode(self.method.output(), answer.into_inner()).unwrap()))
            }
            Err(status) => Given::Refused { reason: Some(reason(&status)), sentence: status.message().to_owned() },
        }
    }

    async fn over_rest(&self, http: &Http) -> Given {
        let mut query = Vec::new();
        let mut path = self.path.clone();
        for (name, value) in self.arguments {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let filled = path.replace(&format!("{{{name}}}"), &value);
            if filled == path {
                query.push(format!("{name}={value}"));
            }
            path = filled;
        }
        let answer = http.get(&format!("{path}?{}", query.join("&"))).await;
        let mut json = answer.json();
        let is_enveloped = json["message"].is_string() && json["code"].is_number();
        match (answer.status < 400, is_enveloped) {
            (true, true) => Given::Data(json["data"].take()),
            (true, false) => Given::Data(json),
            (false, true) => Given::Refused { reason: None, sentence: text(&json, "message").to_owned() },
            (false, false) => {
                Given::Refused { reason: Some(text(&json, "code").to_owned()), sentence: text(&json, "error").to_owned() }
            }
        }
    }

    async fn over_graphql(&self, http: &Http, schema: &Schema) -> Given {
        let service = self.method.parent_service().name().trim_end_matches("Service").to_owned();
        let root = format!("{}{}{}", service[..1].to_lowercase(), &service[1..], self.method.name());
        let mut answer =
            post(http, &schema.document(&root, self.arguments), &Json::Object(self.arguments.clone())).await.expect(200);
        match answer["errors"].get(0) {
            None => Given::Data(answer["data"][&root].take()),
            Some(error) => {
                assert_ne!(outcome(&answer).1, "InvalidQuery", "{root}: {error}");
                Given::Refused { reason: Some(outcome(&answer).1), sentence: text(error, "message").to_owned() }
            }
        }
    }
}

/// Where the data of two interfaces first differs. What REST leaves out or leaves empty because it has no value is null in GraphQL.
fn difference(path: &str, ours: &Json, theirs: &Json) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) => {
            let names = ours.keys().chain(theirs.keys()).filter(|name| !MASKED.contains(&name.as_str()));
            let of = |members: &Map<String, Json>, name: &str| members.get(name).cloned().unwrap_or_default();
            names.into_iter().find_map(|name| difference(&format!("{path}.{name}"), &of(ours, name), &of(theirs, name)))
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.find_map(|(index, (a, b))| difference(&format!("{path}[{index}]"), a, b))
        }
        (Json::Number(a), Json::Number(b)) => (a.as_f64() != b.as_f64()).then(|| format!("{path}: {a} is not {b}")),
        (Json::Null, Json::String(text)) | (Json::String(text), Json::Null) if text.is_empty() => None,
        _ => (ours != theirs).then(|| format!("{path}: {ours} is not {theirs}")),
    }
}

fn disagreement(here: &Given, there: &Given) -> Option<String> {
    match (here, there) {
        (Given::Data(here), Given::Data(there)) => difference("", here, there),
        (Given::Refused { reason: a, sentence: x }, Given::Refused { reason: b, sentence: y }) => {
            let differ = x != y || a.is_some() && b.is_some() && a != b;
            differ.then(|| format!("{a:?} {x:?} is not {b:?} {y:?}"))
        }
        _ => Some(format!("{here:?} is not {there:?}")),
    }
}

/// The settings by which a control plane knows the servers that the environment names.
fn servers() -> Vec<String> {
    let variable = |name: &str| env::var(format!("UTOPIA_TEST_{name}")).ok().filter(|value| !value.is_empty());
    let mut settings = Vec::new();
    let mut add = |found: Option<Vec<(&str, String)>>, what: &str| match found {
        Some(found) => settings.extend(found.into_iter().flat_map(|(name, value)| [name.to_owned(), value])),
        None => {
            assert_ne!(env::var("CI").as_deref(), Ok("true"), "there is no {what} to test with");
            eprintln!("SKIPPED: there is no {what} to test with: see .ci/backends.sh");
        }
    };
    let slurm = || {
        let server = format!("default={} key-file={}", variable("SLURM_URL")?, variable("SLURM_KEY_FILE")?);
        Some(vec![("--slurm", server), ("--slurm-users", format!("admin={},*", variable("SLURM_USER")?))])
    };
    add(slurm(), "Slurm");
    let salt = || {
        Some(vec![
            ("--salt-url", variable("SALT_URL")?),
            ("--salt-user", variable("SALT_USER")?),
            ("--salt-password-file", variable("SALT_PASSWORD_FILE")?),
            ("--salt-eauth", "sharedsecret".to_owned()),
        ])
    };
    add(salt(), "Salt");
    let hub = || {
        let url = variable("JUPYTERHUB_URL")?;
        Some(vec![("--jupyterhub-url", url), ("--jupyterhub-token-file", variable("JUPYTERHUB_TOKEN_FILE")?)])
    };
    add(hub(), "JupyterHub");
    add(variable("PROMETHEUS_URL").map(|url| vec![("--prometheus-url", url)]), "Prometheus");
    settings
}

/// A node whose agent answers the operations of the node API.
async fn node(plane: &Plane) -> (String, Agent) {
    let node = Machine::new("n1", 2).join(plane).await;
    let container = |id: &str| Container { id: id.into(), claim_id: "c1".into(), gpu_ids: vec![0], ..Container::default() };
    let agent = Agent::scripted(plane, &node, move |command| {
        let outcome = match command.action.as_ref() {
            Some(Action::ListContainers(_)) => {
                Outcome::Containers(ListContainersResponse { containers: vec![container("a"), container("b")] })
            }
            Some(Action::GetContainer(get)) => Outcome::Container(container(&get.id)),
            Some(Action::GetMetrics(_)) => Outcome::Metrics(NodeMetrics { cpu_usage_percent: 7.5, ..NodeMetrics::default() }),
            Some(Action::GetHealth(_)) => Outcome::Health(Health { status: "healthy".into(), timestamp: None }),
            Some(_) | None => Outcome::Done(()),
        };
        vec![result(command, outcome)]
    });
    let agent = agent.await;
    (node.id, agent)
}

/// Makes something of everything, and says what to ask of each operation that needs to be told.
async fn arguments(plane: &Plane, node_id: &str) -> BTreeMap<&'static str, Json> {
    let admin = plane.as_admin();
    let made = async |path: &str, body: Json, key: &str| {
        let answer = admin.post(path, &body).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text);
        let json = answer.json();
        text(json.get("data").unwrap_or(&json), key).to_owned()
    };
    // Where there is no such server, whatever is asked for is refused alike.
    let perhaps = async |path: &str, body: Json, key: &str| {
        let answer = admin.post(path, &body).await;
        if answer.status < 300 { answer.json()[key].clone() } else { json!("1") }
    };
    let env = json!({"image": "i:1", "env": ["A=b"], "command": ["run"], "resources": {"gpuCount": 1}});
    let pending = claim(&admin, 9).await;
    admin.post("/api/gpu-claims", &json!({"spec": env})).await.expect(202);
    let machine = json!({"name": "m1", "ip_address": "192.0.2.1", "user": "root", "password": "a password", "role": "worker"});
    let webhook = json!({"url": "https://receiver.invalid/", "events": ["*"], "paused": true});
    let member = Member::new(plane, "member", "user").await;
    let hub_user = format!("diff-{}", Timestamp::now().as_nanosecond());
    perhaps("/api/jupyterhub/users", json!({"username": hub_user}), "username").await;
    let host = made("/api/v1/hosts", json!({"name": "h1", "labels": {"zone": "a"}}), "host_id").await;
    let webhook = made("/api/webhooks", webhook, "id").await;
    let machine = made("/api/v1/machines", machine, "id").await;
    made("/api/v1/tokens", json!({"name": "script"}), "id").await;
    made("/api/join-tokens", json!({}), "id").await;
    let script = "#!/bin/sh\nsleep 300\n";
    let job = perhaps(
        "/api/slurm/jobs",
        json!({"job_name": "diff", "script": script, "memory_per_node_mb": 10, "standard_output": "/dev/null"}),
        "job_id",
    )
    .await;
    let salt_job = perhaps("/api/saltstack/execute", json!({"target": "*", "function": "test.ping"}), "job_id").await;
    let minions = admin.get("/api/saltstack/minions").await.json();
    let minion = minions["minions"][0]["id"].as_str().unwrap_or("node01").to_owned();
    let event = admin.get("/api/v1/audit").await.expect(200)["data"]["events"][0]["id"].clone();
    let by_id = |id: &Json| json!({"id": id});
    let now = Timestamp::now();
    let [start, end] = [3600, 60].map(|ago| (now - Duration::from_secs(ago)).to_string());
    BTreeMap::from([
        ("ClaimService.GetClaim", by_id(&pending["id"])),
        ("ClaimService.ExplainClaim", by_id(&pending["id"])),
        ("ClaimService.ListClaims", json!({"phase": "Pending", "limit": 50})),
        ("NodeService.GetNode", json!({"id": node_id})),
        ("NodeService.GetNodeStatus", json!({"id": node_id})),
        ("NodeAgentService.ListContainers", json!({"node_id": node_id})),
        ("NodeAgentService.GetContainer", json!({"node_id": node_id, "id": "a"})),
        ("NodeAgentService.GetMetrics", json!({"node_id": node_id})),
        ("NodeAgentService.GetHealth", json!({"node_id": node_id})),
        ("HostService.GetHost", json!({"host_id": host})),
        ("HostService.ListHostGpus", json!({"host_id": node_id})),
        ("MachineService.GetMachine", json!({"id": machine})),
        ("WebhookService.GetWebhook", json!({"id": webhook})),
        ("WebhookService.ListDeliveries", json!({"id": webhook})),
        ("UserService.GetUser", json!({"id": member.id})),
        ("AuditService.GetAuditEvent", by_id(&event)),
        ("SlurmService.GetJob", json!({"job_id": job})),
        ("SaltService.GetSaltJob", json!({"job_id": salt_job})),
        ("SaltService.GetMinion", json!({"id": minion})),
        ("JupyterHubService.GetUser", json!({"username": hub_user})),
        ("MonitoringService.QueryHistory", json!({"metric": "cpu_usage", "start": start, "end": end, "step": 60})),
    ])
}

/// The first path by which the document binds each method to GET.
async fn reads(plane: &Plane) -> BTreeMap<String, String> {
    let document = plane.http.get("/api/openapi.json").await.expect(200);
    let mut reads = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        // An operation that has several bindings is numbered from the second on.
        let get = &item["get"];
        if get.is_object() && !text(get, "operationId").ends_with(|last: char| last.is_ascii_digit()) {
            reads.insert(text(get, "x-grpc-method").to_owned(), path.clone());
        }
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_operation_gives_the_same_over_grpc_rest_and_graphql() {
    with_sqlite(async |url| {
        let settings = servers();
        let settings = settings.iter().map(String::as_str).chain(CHECKS).collect::<Vec<_>>();
        let plane = Plane::start_as(url, &settings).await;
        compare(&plane).await;
        plane.stop().await;
    })
    .await;
}

async fn compare(plane: &Plane) {
    let (node_id, _agent) = node(plane).await;
    let arguments = arguments(plane, &node_id).await;
    let paths = reads(plane).await;
    let (admin, channel, token) = (plane.as_admin(), plane.channel().await, &plane.people.admin.token);
    let schema = Schema::of(&admin).await;
    let (mut compared, mut with_data, mut differences) = (0, Vec::new(), Vec::new());
    let pool = utopia_proto::descriptor_pool();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    for method in methods.filter(|method| !method.is_server_streaming()) {
        let Some(path) = paths.get(&grpc_path(&method)) else { continue };
        let name = format!("{}.{}", method.parent_service().name(), method.name());
        let none = json!({});
        let arguments = arguments.get(&*name).unwrap_or(&none).as_object().unwrap();
        let operation = Operation { method, path: path.clone(), arguments };
        match agreed(&operation, (&admin, &schema), (&channel, token)).await {
            Ok(Given::Data(data)) => {
                assert!(data != json!({}) && !data.is_null(), "{name} gives nothing");
                with_data.push(name);
            }
            Ok(Given::Refused { .. }) => {}
            Err(difference) => differences.push(format!("{name}: {difference}")),
        }
        compared += 1;
    }
    assert_eq!(differences, Vec::<String>::new());
    assert!(compared >= 40, "{compared}");
    assert!(with_data.len() >= 30, "{with_data:?}");
}

/// What all three ways give. What changes meanwhile changes for each of them, so they are asked again when they differ.
async fn agreed(operation: &Operation<'_>, json: (&Http, &Schema), grpc: (&Channel, &str)) -> Result<Given, String> {
    const TRIES: usize = 20;
    let mut difference = None;
    for _ in 0..TRIES {
        let rest = operation.over_rest(json.0).await;
        let graphql = operation.over_graphql(json.0, json.1).await;
        let grpc = shown::as_rest(operation.over_grpc(grpc.0, grpc.1).await, &rest);
        difference = disagreement(&graphql, &rest).or_else(|| disagreement(&graphql, &grpc));
        if difference.is_none() {
            return Ok(rest);
        }
    }
    Err(difference.unwrap_or_default())
}
