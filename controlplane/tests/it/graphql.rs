//! GraphQL against a whole control plane: the same operations, rights, limits and records as over REST.

mod differential;
mod socket;

use std::collections::BTreeMap;

use http::{Method, header};
use http_body_util::Full;
use serde_json::{Value as Json, json};

use crate::{
    databases::{on_both_databases, with_sqlite},
    http::{Answer, Http},
    plane::{Plane, claim, look, text},
};

on_both_databases!(what_is_done_here_is_seen_there, everybody_is_told_what_rest_tells_them, the_schema_is_for_who_is_logged_in,);

const PATH: &str = "/api/graphql";

async fn post(http: &Http, query: &str, variables: &Json) -> Answer {
    http.post(PATH, &json!({"query": query, "variables": variables})).await
}

/// The data of a document that fails nowhere.
async fn data(http: &Http, query: &str, variables: &Json) -> Json {
    let mut answer = post(http, query, variables).await.expect(200);
    assert_eq!(answer["errors"], Json::Null, "{query}: {answer}");
    answer["data"].take()
}

/// Status and reason of the first error; 200 where there is none.
fn outcome(answer: &Json) -> (u64, String) {
    let extensions = &answer["errors"][0]["extensions"];
    let status = extensions["status"].as_u64().unwrap_or(200);
    (status, extensions["code"].as_str().unwrap_or_default().to_owned())
}

async fn what_is_done_here_is_seen_there(plane: &Plane) {
    let user = plane.as_user();
    let create =
        "mutation($spec: ClaimSpecInput!) { claimCreateClaim(spec: $spec) { id user_id status { phase } spec { image } } }";
    let made = data(&user, create, &json!({"spec": {"image": "train:1", "resources": {"gpuCount": 1}}})).await;
    let made = &made["claimCreateClaim"];
    assert_eq!((&made["status"]["phase"], &made["user_id"]), (&json!("Pending"), &json!(plane.people.user.id)));
    let id = text(made, "id");
    assert_eq!(look(&user, id).await["spec"]["image"], "train:1");

    let other = claim(&user, 0).await;
    let both = "query($a: String!, $b: String!) { a: claimGetClaim(id: $a) { id } b: claimGetClaim(id: $b) { id } }";
    let both = data(&user, both, &json!({"a": id, "b": other["id"]})).await;
    assert_eq!(both, json!({"a": {"id": id}, "b": {"id": other["id"]}}));

    let delete = "mutation($id: String!) { claimDeleteClaim(id: $id) }";
    assert_eq!(data(&user, delete, &json!({"id": id})).await, json!({"claimDeleteClaim": true}));

    let audit = "query($id: String!) { auditListAuditEvents(resource_id: $id) { events { action result } } }";
    let events = data(&plane.as_admin(), audit, &json!({"id": id})).await;
    let mut actions = events["auditListAuditEvents"]["events"].as_array().unwrap().iter().map(|event| text(event, "action"));
    assert!(actions.any(|action| action == "CreateClaim"), "{events}");
    assert!(actions.any(|action| action == "DeleteClaim") || events.to_string().contains("DeleteClaim"), "{events}");
}

/// Operations with whom they are for, as REST and as GraphQL. None of them gets anywhere with these arguments.
const OPERATIONS: [(Method, &str, &str); 12] = [
    (Method::GET, "/api/gpu-claims", "{ claimListClaims { total } }"),
    (Method::GET, "/api/gpu-claims/nothing", "{ claimGetClaim(id: \"nothing\") { id } }"),
    (Method::GET, "/api/roles", "{ iamListRoles { roles { policy { allow_all } } } }"),
    (Method::GET, "/api/nodes", "{ nodeListNodes { total } }"),
    (Method::GET, "/api/v1/machines", "{ machineListMachines { total } }"),
    (Method::GET, "/api/v1/users", "{ userListUsers { total } }"),
    (Method::GET, "/api/v1/audit", "{ auditListAuditEvents { total } }"),
    (Method::GET, "/api/v1/auth/profile", "{ accountGetProfile { id } }"),
    (Method::GET, "/api/slurm/jobs", "{ slurmListJobs { total } }"),
    (Method::GET, "/health", "{ nodeAgentGetHealth { status } }"),
    (Method::DELETE, "/api/v1/users/nothing", "mutation { userDeleteUser(id: \"nothing\") { message } }"),
    (Method::DELETE, "/api/join-tokens/nothing", "mutation { joinTokenRevokeJoinToken(id: \"nothing\") }"),
];

async fn everybody_is_told_what_rest_tells_them(plane: &Plane) {
    let people = &plane.people;
    let callers = [
        ("nobody", plane.http.clone()),
        ("a stranger", plane.http.with_token("nonsense")),
        ("rita", plane.as_person(&people.readonly)),
        ("uma", plane.as_user()),
        ("olga", plane.as_operator()),
        ("admin", plane.as_admin()),
    ];
    let mut outcomes = BTreeMap::<u64, usize>::new();
    for (method, path, query) in OPERATIONS {
        for (name, http) in &callers {
            let there = http.send(http.request(method.clone(), path).body(Full::default()).unwrap()).await;
            let here = outcome(&post(http, query, &json!({})).await.expect(200));
            let status = if there.status < 400 { 200 } else { u64::from(there.status) };
            assert_eq!(here.0, status, "{query} by {name}: {here:?}, over REST {}", there.text);
            // The envelope has no room for the reason.
            if there.status >= 400 && !path.starts_with("/api/v1") {
                assert_eq!(here.1, there.json()["code"], "{query} by {name}");
            }
            *outcomes.entry(here.0).or_default() += 1;
        }
    }
    for status in [200, 401, 403, 404] {
        assert!(outcomes.contains_key(&status), "{outcomes:?}");
    }
}

async fn the_schema_is_for_who_is_logged_in(plane: &Plane) {
    let query = "{ __schema { queryType { fields { name } } } }";
    let refused = post(&plane.http, query, &json!({})).await.expect(200);
    assert_eq!((outcome(&refused), &refused["data"]), ((401, "MissingToken".to_owned()), &Json::Null));
    let stranger = plane.http.with_token("nonsense");
    assert_eq!(outcome(&post(&stranger, "{ __type(name: \"Claim\") { name } }", &json!({})).await.json()).0, 401);
    plane.http.get("/api/graphql/schema").await.expect_error(401, "MissingToken");

    for person in [&plane.people.readonly, &plane.people.user] {
        let http = plane.as_person(person);
        let shown = data(&http, query, &json!({})).await;
        let fields = shown["__schema"]["queryType"]["fields"].as_array().unwrap();
        assert!(fields.iter().any(|field| field["name"] == "slurmListJobs"), "{shown}");
        let schema = http.get("/api/graphql/schema").await;
        assert_eq!(schema.status, 200, "{}", schema.text);
        assert!(schema.text.contains("type Mutation {"), "{}", schema.text);
    }
    // What needs no credentials does without them here too.
    assert_eq!(data(&plane.http, "{ __typename nodeAgentGetHealth { status } }", &json!({})).await["__typename"], "Query");

    let page = plane.http.request(Method::GET, PATH).header(header::ACCEPT, "text/html,*/*").body(Full::default()).unwrap();
    let page = plane.http.send(page).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("graphiql.js"), "{}", page.text);
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; script-src 'self'"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_field_of_the_root_counts_as_a_call() {
    with_sqlite(async |url| {
        let plane = Plane::start_as(url, &["--limits", "general=5,admin=4,login=3"]).await;
        let user = plane.as_user();
        data(&user, "{ a: claimListClaims { total } b: claimListClaims { total } c: claimListClaims { total } }", &json!({}))
            .await;
        assert_eq!(user.get("/api/gpu-claims").await.headers["x-ratelimit-remaining"], "1");
        let answer = post(&user, "{ a: claimListClaims { total } b: claimListClaims { total } }", &json!({})).await;
        let seconds = answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
        let json = answer.expect(200);
        let here = [&json["data"]["a"], &json["data"]["b"]];
        assert_eq!(here.iter().filter(|field| field.is_null()).count(), 1, "{json}");
        assert_eq!(outcome(&json), (429, "RateLimited".to_owned()));
        assert_eq!(json["errors"][0]["extensions"]["retryAfter"], seconds);
        // The schema costs a call as well.
        assert_eq!(outcome(&post(&user, "{ __schema { queryType { name } } }", &json!({})).await.json()).0, 429);
        plane.stop().await;
    })
    .await;
}
