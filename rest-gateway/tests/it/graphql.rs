//! GraphQL over the router: what stands in the schema, what a call gives, and what is refused.

use std::fmt::Write as _;

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;
use utopia_gateway::{
    front::{self, Settings},
    graphql_schema,
};

use crate::{contract, services::Service};

const PATH: &str = "/api/graphql";

/// The contract of the product, of which only claims are served.
fn claims() -> Router {
    front::router(&utopia_proto::descriptor_pool(), Service::default().routes(), &Settings::default()).unwrap()
}

/// The test contract, whose services answer what they were asked.
fn shelf() -> Router {
    let echo = tower::service_fn(async |request: Request<tonic::body::Body>| {
        let frame = request.into_body().collect().await.unwrap().to_bytes();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = futures_util::stream::iter([
            Ok::<_, std::convert::Infallible>(http_body::Frame::data(frame)),
            Ok(http_body::Frame::trailers(trailers)),
        ]);
        let body = http_body_util::StreamBody::new(frames);
        Ok::<_, std::convert::Infallible>(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
    });
    front::router(contract::pool(), echo, &Settings::default()).unwrap()
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    json: Json,
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
    Answer { status: parts.status, headers: parts.headers, json }
}

async fn post(router: &Router, body: &str) -> Answer {
    let request = Request::post(PATH).header("content-type", "application/json").header("authorization", "Bearer t");
    send(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn ask(router: &Router, query: &str) -> Json {
    let answer = post(router, &json!({"query": query}).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.json);
    answer.json
}

/// The reason and sentence of a document that is refused as a whole.
async fn refused(router: &Router, query: &str) -> (String, String) {
    let answer = ask(router, query).await;
    assert_eq!(answer["data"], Json::Null, "{answer}");
    let error = &answer["errors"][0];
    (error["extensions"]["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_query_gives_what_it_selects() {
    let answer =
        ask(&claims(), "{ claimListClaims(phase: Running, limit: 5) { total limit claims { id status { phase } } } }").await;
    let claims = json!([{"id": "listed", "status": {"phase": "Running"}}]);
    assert_eq!(answer, json!({"data": {"claimListClaims": {"total": 1, "limit": 5, "claims": claims}}}));
}

#[tokio::test]
async fn aliases_fragments_variables_and_directives_are_understood() {
    let query = "query Two($id: String!, $more: Boolean!) {
        first: claimGetClaim(id: $id) { ...short }
        second: claimGetClaim(id: \"b\") { ...short user_id @include(if: $more) __typename }
    }
    fragment short on Claim { id spec { image } }";
    let body = json!({"query": query, "operationName": "Two", "variables": {"id": "a", "more": false}});
    let answer = post(&claims(), &body.to_string()).await;
    let second = json!({"id": "b", "spec": null, "__typename": "Claim"});
    assert_eq!(answer.json, json!({"data": {"first": {"id": "a", "spec": null}, "second": second}}));
}

#[tokio::test]
async fn a_mutation_takes_nested_arguments() {
    let query = "mutation { claimCreateClaim(spec: {image: \"i\", resources: {gpuCount: 2}, onNodeLoss: reschedule}) {
        spec { image onNodeLoss resources { gpuCount cpus } } status { phase } } }";
    let spec = json!({"image": "i", "onNodeLoss": "reschedule", "resources": {"gpuCount": 2, "cpus": 0.0}});
    let expected = json!({"data": {"claimCreateClaim": {"spec": spec, "status": {"phase": "Pending"}}}});
    assert_eq!(ask(&claims(), query).await, expected);
    let done = ask(&claims(), "mutation { claimDeleteClaim(id: \"x\") }").await;
    assert_eq!(done, json!({"data": {"claimDeleteClaim": true}}));
}

#[tokio::test]
async fn an_error_belongs_to_its_field_and_has_the_words_of_rest() {
    let answer = ask(&claims(), "{ good: claimGetClaim(id: \"a\") { id } bad: claimGetClaim(id: \"8\") { id } }").await;
    assert_eq!(answer["data"], json!({"good": {"id": "a"}, "bad": null}));
    let error = &answer["errors"][0];
    assert_eq!((&error["message"], &error["path"]), (&json!("a sentence"), &json!(["bad"])));
    assert_eq!(error["extensions"], json!({"code": "SpecialReason", "status": 429, "retryAfter": 3}));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);

    let query = "mutation { claimCreateClaim(spec: {resources: {gpuMemoryMb: \"many\"}}) { id } }";
    let error = ask(&claims(), query).await["errors"][0].clone();
    assert_eq!(error["extensions"], json!({"code": "InvalidField", "status": 400, "field": "spec.resources.gpuMemoryMb"}));
    let retry = post(&claims(), &json!({"query": "{ claimGetClaim(id: \"8\") { id } }"}).to_string()).await;
    assert_eq!(retry.headers["retry-after"], "3");
}

#[tokio::test]
async fn credentials_and_the_request_id_travel_along() {
    let body = json!({"query": "{ claimGetClaim(id: \"metadata\") { spec { command } } }"}).to_string();
    let request = Request::post(PATH).header("content-type", "application/json");
    let request = request.header("authorization", "Bearer mine").header("x-request-id", "r-1").header("cookie", "c=1");
    let answer = send(&claims(), request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "r-1");
    let command = json!(["Bearer mine", "-", "-", "r-1", "-", "-"]);
    assert_eq!(answer.json["data"]["claimGetClaim"]["spec"]["command"], command);
}

#[tokio::test]
async fn every_kind_of_value_goes_there_and_back() {
    let query = "mutation($json: JSON, $wide: Long) { shelfPlain(
        bool: true, int32: -5, int64: $wide, uint64: 18446744073709551615, double: 0.25, string: \"é\\n\", bytes: \"AQI=\",
        colour: dark_blue, colours: [red, dark_blue, COLOUR_PLAIN], ints: [1, 2], labels: $json, time: \"2026-01-31T12:00:00+01:00\",
        duration: \"1.5s\", mask: \"a,b\", struct: {a: [1, null]}, value: [true], wrapped_int: 0, children: [{string: \"c\"}],
        choice_number: 7, maybeINT: 0) {
        bool int32 int64 uint64 double string bytes colour colours ints labels time duration mask struct value wrapped_int
        children { string colour } choice_number choice_text maybeINT maybe_string child { string } empty by_bool } }";
    let body = json!({"query": query, "variables": {"json": {"a-b": "c"}, "wide": -9_007_199_254_740_993_i64}});
    let answer = post(&shelf(), &body.to_string()).await;
    let expected = json!({
        "bool": true, "int32": -5, "int64": -9_007_199_254_740_993_i64, "uint64": u64::MAX, "double": 0.25, "string": "é\n",
        "bytes": "AQI=", "colour": "dark_blue", "colours": ["red", "dark_blue", "COLOUR_PLAIN"], "ints": [1, 2],
        "labels": {"a-b": "c"}, "time": "2026-01-31T11:00:00Z", "duration": "1.5s", "mask": "a,b", "struct": {"a": [1, null]},
        "value": [true], "wrapped_int": 0, "children": [{"string": "c", "colour": null}], "choice_number": 7, "choice_text": null,
        "maybeINT": 0, "maybe_string": null, "child": null, "empty": null, "by_bool": {},
    });
    assert_eq!(answer.json, json!({"data": {"shelfPlain": expected}}));
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let router = claims();
    for body in
        ["", "{", "[]", "7", r#"[{"query": "{ __typename }"}]"#, r#"{"query": 7}"#, r#"{"query": "{a}", "variables": []}"#]
    {
        let answer = post(&router, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json["errors"][0]["extensions"]["code"], "MalformedJson", "{body}");
    }
    for query in [
        "",
        "{",
        "{ nothing }",
        "{ claimGetClaim { id } }",
        "{ claimGetClaim(id: \"a\") }",
        "query A { __typename } query A { a }",
    ] {
        assert_eq!(refused(&router, query).await.0, "InvalidQuery", "{query}");
    }
    let (code, _) = refused(&router, "subscription { claimWatchClaim(id: \"a\") { id } }").await;
    assert_eq!(code, "SubscriptionNeedsWebSocket");
    let unnamed = post(&router, r#"{"query": "query A { __typename }", "operationName": "B"}"#).await;
    assert_eq!(unnamed.json["errors"][0]["message"], "the document has no operation named B");

    let large = post(&router, &json!({"query": "{ __typename }", "x": "x".repeat(1024 * 1024)}).to_string()).await;
    assert_eq!(
        (large.status, &large.json["errors"][0]["extensions"]["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("RequestTooLarge"))
    );
    let text = Request::post(PATH).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert_eq!(send(&router, text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method).uri("/api/graphql?query={__typename}").body(Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn a_client_that_wants_statuses_gets_them() {
    for (query, status) in [
        ("{ claimGetClaim(id: \"a\") { id } }", StatusCode::OK),
        ("{ claimGetClaim(id: \"5\") { id } }", StatusCode::OK),
        ("{ nothing }", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::post(PATH).header("content-type", "application/json");
        let request = request.header("accept", "application/graphql-response+json, application/json;q=0.9");
        let answer = send(&claims(), request.body(Body::from(json!({"query": query}).to_string())).unwrap()).await;
        assert_eq!(
            (answer.status, answer.headers["content-type"].to_str().unwrap()),
            (status, "application/graphql-response+json")
        );
    }
}

fn nested(levels: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

#[tokio::test]
async fn bombs_are_refused() {
    let router = shelf();
    let field = |name: &str, inner: &str| format!("mutation {{ {name} {{ {inner} }} }}");
    let wide = (0..1001).fold(String::new(), |mut text, index| {
        write!(text, "a{index}: string ").unwrap();
        text
    });
    let aliased = (0..17).fold(String::new(), |mut text, index| {
        write!(text, "a{index}: shelfPlain {{ string }} ").unwrap();
        text
    });
    // Each fragment spreads the next twice: 2^40 fields.
    let doubling = (0..40).fold(String::new(), |mut text, index| {
        write!(
            text,
            "fragment f{index} on TestEverything {{ a: child {{ ...f{next} }} b: child {{ ...f{next} }} }} ",
            next = index + 1
        )
        .unwrap();
        text
    });
    let flat_doubling = (0..25).fold(String::new(), |mut text, index| {
        write!(text, "fragment f{index} on TestEverything {{ ...f{next} ...f{next} }} ", next = index + 1).unwrap();
        text
    });
    let chain = (0..1500).fold(String::new(), |mut text, index| {
        write!(text, "fragment f{index} on TestEverything {{...f{}}} ", index + 1).unwrap();
        text
    });
    let last = "fragment f40 on TestEverything { string }";
    let documents = [
        field("shelfPlain", &nested(13, "child {", "string", "}")),
        field("shelfPlain", &nested(40, "... {", "string", "}")),
        nested(20_000, "{", "a", "}"),
        format!("{{ a(b: {}) }}", nested(20_000, "[", "1", "]")),
        format!("query($a: {}) {{ a }}", nested(20_000, "[", "Int", "]")),
        format!("{{ a(b: {}) }}", nested(5_000, "{a:", "1", "}")),
        field("shelfPlain", &wide),
        format!("mutation {{ {aliased} }}"),
        format!("mutation {{ ...all }} fragment all on Mutation {{ {aliased} }}"),
        format!("{} {doubling} {last}", field("shelfPlain", "...f0")),
        format!("{} {flat_doubling} fragment f25 on TestEverything {{ string }}", field("shelfPlain", "...f0")),
        format!("{} {chain} fragment f1500 on TestEverything {{ string }}", field("shelfPlain", "...f0")),
        format!(
            "{} fragment a on TestEverything {{ ...b }} fragment b on TestEverything {{ ...a }}",
            field("shelfPlain", "...a")
        ),
        format!("mutation {{ shelfPlain {{ string {} }} }}", "@include(if: true) ".repeat(65)),
        format!("mutation {{ shelfPlain(string: \"{}\") {{ string }} }}", "x".repeat(64 * 1024)),
        "subscription { a: shelfFollow { string } b: shelfFollow { string } }".to_owned(),
        format!("{{ __schema {{ types {{ {} }} }} }}", nested(4, "fields { type {", "name", "} }")),
        format!("{{ __schema {{ {} }} }}", (0..40).map(|index| format!("a{index}: types {{ name }} ")).collect::<String>()),
    ];
    for document in documents {
        let (code, message) = refused(&router, &document).await;
        let shown = &document[..document.len().min(100)];
        assert_eq!(code, "QueryTooComplex", "{shown}: {message}");
    }
}

#[tokio::test]
async fn large_variables_are_not_multiplied() {
    let query = format!("mutation($text: String) {{ shelfPlain(strings: [{}]) {{ string }} }}", "$text ".repeat(1000));
    let answer = post(&shelf(), &json!({"query": query, "variables": {"text": "x".repeat(100_000)}}).to_string()).await;
    assert_eq!(answer.json["errors"][0]["extensions"]["code"], "QueryTooComplex");
    assert_eq!(answer.json["errors"][0]["message"], "variables are mentioned too often for their size");
}

#[tokio::test]
async fn an_answer_is_not_multiplied_by_aliases() {
    let aliases = (0..500).map(|index| format!("a{index}: string ")).collect::<String>();
    let query = format!("mutation($text: String) {{ shelfPlain(string: $text) {{ {aliases} }} }}");
    let answer = post(&shelf(), &json!({"query": query, "variables": {"text": "x".repeat(500_000)}}).to_string()).await;
    assert_eq!(answer.json["errors"][0]["extensions"]["code"], "AnswerTooLarge", "{}", answer.json["errors"]);
    // Huge lists of requests and answers are bounded as all bodies are.
    let items = (0..60_000).collect::<Vec<_>>();
    let query = "mutation($ints: [Int!]) { shelfPlain(ints: $ints) { ints } }";
    let answer = post(&shelf(), &json!({"query": query, "variables": {"ints": items}}).to_string()).await;
    assert_eq!(answer.json["data"]["shelfPlain"]["ints"].as_array().map(Vec::len), Some(60_000));
}

#[test]
fn the_schema_of_the_contract_has_every_operation_once() {
    let schema = graphql_schema(&utopia_proto::descriptor_pool()).unwrap();
    for line in [
        "\tslurmListJobs(",
        "\tclaimGetClaim(",
        "\teventWatchEvents(",
        "enum ClaimPhase {",
        "input ClaimSpecInput {",
        "scalar Timestamp",
    ] {
        assert_eq!(schema.matches(line).count(), 1, "{line} in {schema}");
    }
    assert!(graphql_schema(contract::pool()).unwrap().contains("type TestEverything {"));
}
