//! Who may call what: every method of the contract for every kind of caller, as the contract's own options say.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::MethodDescriptor;
use serde_json::{Value as Json, json};
use tonic::{Code, Request, Status, client::Grpc, transport::Channel};
use utopia_proto::{
    api::v1::{Access, Owner},
    claim::v1::GetClaimRequest,
    iam::v1::ChangePasswordRequest,
    policy::{Policies, grpc_path},
    status::reason,
};
use uuid::Uuid;

use crate::{
    databases::on_both_databases,
    dial::as_bearer,
    http::Http,
    machine::Machine,
    plane::{Plane, claim, text},
    raw::Raw,
};

on_both_databases!(
    every_method_admits_whom_it_names_and_nobody_else,
    what_has_an_owner_is_reached_by_whom_the_contract_names,
    lists_show_what_the_caller_may_see,
    where_no_credentials_are_needed_bad_ones_are_as_good_as_none,
    a_method_that_does_not_exist_is_unimplemented,
);

/// Calls any method with one message, and waits for the first message or the end.
pub(crate) async fn call(channel: &Channel, token: Option<&str>, path: &str, message: Bytes) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.expect("the connection holds");
    let request = token.map_or_else(|| Request::new(message.clone()), |token| as_bearer(token, message.clone()));
    let answer = grpc.server_streaming(request, PathAndQuery::try_from(path).unwrap(), Raw).await?;
    answer.into_inner().message().await.map(|_| ())
}

/// What the guard says; none when the call got past it.
fn refusal(result: Result<(), Status>) -> Option<&'static str> {
    let reason = reason(&result.err()?);
    let refusals = ["MissingToken", "MissingCertificate", "PermissionDenied"];
    refusals.into_iter().find(|known| *known == reason)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Readonly,
    User,
    Operator,
    Admin,
    Node,
    Host,
}

use Caller::{Admin, Anonymous, Host, Node, Operator, Readonly, User};

const CALLERS: [Caller; 7] = [Anonymous, Readonly, User, Operator, Admin, Node, Host];

/// What the contract's words mean, written down a second time: who is admitted, and what the others are told.
fn expected(access: Access, caller: Caller) -> Option<&'static str> {
    let (admitted, needed): (&[Caller], _) = match access {
        Access::Public => (&CALLERS, ""),
        Access::Reader => (&[Readonly, User, Operator, Admin], "MissingToken"),
        Access::User => (&[User, Operator, Admin], "MissingToken"),
        Access::Operator => (&[Operator, Admin], "MissingToken"),
        Access::Admin => (&[Admin], "MissingToken"),
        Access::AgentCertificate => (&[Node], "MissingCertificate"),
        Access::AgentToken => (&[Host], "MissingToken"),
        Access::Unspecified => panic!("no method has this access"),
    };
    if admitted.contains(&caller) {
        return None;
    }
    let has_token = !matches!(caller, Anonymous | Node);
    Some(if has_token && needed == "MissingToken" { "PermissionDenied" } else { needed })
}

/// Every method, those last that end the caller's session.
fn methods() -> Vec<MethodDescriptor> {
    let pool = utopia_proto::descriptor_pool();
    let mut methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect::<Vec<_>>();
    methods.sort_by_key(|method| method.name() == "Logout");
    methods
}

async fn every_method_admits_whom_it_names_and_nobody_else(plane: &Plane) {
    let policies = Policies::from_descriptors(&utopia_proto::descriptor_pool());
    let node = Machine::new("n1", 0).join(plane).await;
    let host = plane.as_admin().post("/api/v1/hosts", &json!({"name": "h1"})).await.expect(201);
    let agent_token = text(&host["data"], "agent_token");
    let (open, certified) = (plane.channel().await, node.channel(plane).await);
    let people = &plane.people;
    let mut called = BTreeSet::new();
    for method in methods() {
        let path = grpc_path(&method);
        let access = policies.get(&path).unwrap_or_else(|| panic!("{path} says nothing of access")).access;
        for caller in CALLERS {
            let (channel, token) = match caller {
                Anonymous => (&open, None),
                Readonly => (&open, Some(&*people.readonly.token)),
                User => (&open, Some(&*people.user.token)),
                Operator => (&open, Some(&*people.operator.token)),
                Admin => (&open, Some(&*people.admin.token)),
                Node => (&certified, None),
                Host => (&open, Some(agent_token)),
            };
            let result = call(channel, token, &path, Bytes::new()).await;
            assert_eq!(refusal(result), expected(access, caller), "{path} by {caller:?}");
        }
        called.insert(path);
    }
    assert!(called.iter().map(String::as_str).eq(policies.iter().map(|(path, _)| path).collect::<BTreeSet<_>>()));
    assert!(called.len() >= 50, "{called:?}");
}

/// A person who has just come, and the UUID by which the account is known.
struct Newcomer {
    http: Http,
    token: String,
    id: String,
    username: String,
}

const PASSWORD: &str = "correct horse";

async fn newcomer(plane: &Plane) -> Newcomer {
    let username = format!("u{}", Uuid::new_v4().simple());
    let account = json!({"username": username, "password": PASSWORD});
    let id = text(&plane.as_admin().post("/api/v1/users", &account).await.expect(201)["data"], "id").to_owned();
    let session = plane.http.post("/api/v1/auth/login", &account).await.expect(200);
    let token = text(&session["data"], "token").to_owned();
    Newcomer { http: plane.http.with_token(&token), token, id, username }
}

/// A request that reaches one thing of the owner's.
async fn request_for(method: &MethodDescriptor, owner: &Newcomer) -> Bytes {
    // The id is the first field of all that have one.
    let by_id = |id: &str| Bytes::from(GetClaimRequest { id: id.to_owned() }.encode_to_vec());
    // Of the hub's users, the owner's is the one of the same name.
    if method.parent_service().name() == "JupyterHubService" {
        return by_id(&owner.username);
    }
    match method.name() {
        "GetClaim" | "DeleteClaim" | "ExplainClaim" | "WatchClaim" | "StreamClaimLogs" => {
            by_id(text(&claim(&owner.http, 0).await, "id"))
        }
        "GetUser" | "UpdateUser" => by_id(&owner.id),
        "ChangePassword" => {
            let new_password = "battery staple".to_owned();
            let change = ChangePasswordRequest { id: owner.id.clone(), old_password: PASSWORD.to_owned(), new_password };
            change.encode_to_vec().into()
        }
        "RevokeApiToken" => {
            let token = owner.http.post("/api/v1/tokens", &json!({"name": "script"})).await.expect(201);
            by_id(text(&token["data"], "id"))
        }
        "RotateAccessKey" | "RevokeAccessKey" => {
            let key = owner.http.post("/api/access-keys", &json!({"name": "script"})).await.expect(201);
            by_id(text(&key, "id"))
        }
        other => panic!("{other} has an owner in the contract, and this test knows no request for it"),
    }
}

async fn what_has_an_owner_is_reached_by_whom_the_contract_names(plane: &Plane) {
    let policies = Policies::from_descriptors(&utopia_proto::descriptor_pool());
    let channel = plane.channel().await;
    let other = newcomer(plane).await;
    let people = &plane.people;
    let mut cells = 0;
    for method in methods() {
        let path = grpc_path(&method);
        let owner = policies.get(&path).unwrap().owner;
        // Lists answer what the caller may see, see below, and so does the log of events.
        if owner == Owner::Unspecified || method.name().starts_with("List") || method.name() == "WatchEvents" {
            continue;
        }
        // Whose a job is only Slurm knows: it is looked at where there is one.
        if method.parent_service().name() == "SlurmService" {
            continue;
        }
        let (operator, admin) = match owner {
            Owner::OrOperator => (Code::Ok, Code::Ok),
            Owner::OrAdmin => (Code::NotFound, Code::Ok),
            Owner::Only => (Code::NotFound, Code::NotFound),
            Owner::Unspecified => unreachable!(),
        };
        let newcomers: [(&str, Option<&str>, Code); 4] = [
            ("the owner", None, Code::Ok),
            ("another user", Some(&other.token), Code::NotFound),
            ("an operator", Some(&people.operator.token), operator),
            ("the administrator", Some(&people.admin.token), admin),
        ];
        for (who, token, expected) in newcomers {
            let owner = newcomer(plane).await;
            let message = request_for(&method, &owner).await;
            let result = call(&channel, Some(token.unwrap_or(&owner.token)), &path, message).await;
            // Whoever learns that there is no such backend here, or no container, would have reached the thing.
            let reached = |status: &Status| reason(status).ends_with("NotConfigured") || reason(status) == "NoContainer";
            let refusal = result.err().filter(|status| !reached(status));
            assert_eq!(refusal.map_or(Code::Ok, |status| status.code()), expected, "{path} by {who}");
            cells += 1;
        }
    }
    assert!(cells >= 4 * 8, "{cells}");
}

async fn lists_show_what_the_caller_may_see(plane: &Plane) {
    let (owner, other) = (newcomer(plane).await, newcomer(plane).await);
    let of_claim = text(&claim(&owner.http, 0).await, "id").to_owned();
    let token = owner.http.post("/api/v1/tokens", &json!({"name": "script"})).await.expect(201);
    let of_token = text(&token["data"], "id").to_owned();
    // What is listed, for whom else, and where the list is.
    let key = owner.http.post("/api/access-keys", &json!({"name": "script"})).await.expect(201);
    let of_key = text(&key, "id").to_owned();
    let table = [
        ("/api/gpu-claims", &of_claim, true, "/claims"),
        ("/api/v1/tokens", &of_token, false, "/data/tokens"),
        ("/api/access-keys", &of_key, false, "/access_keys"),
    ];
    let mut listed = policies_with_owner("List");
    // The lists of others' servers are looked at where these servers are.
    listed.retain(|method| !method.starts_with("utopia.jupyterhub.") && !method.starts_with("utopia.slurm."));
    // That of buckets, where they are made.
    listed.retain(|method| !method.starts_with("utopia.storage.v1.StorageService."));
    assert_eq!(listed.len(), table.len(), "{listed:?}");
    for (path, id, for_operators, pointer) in table {
        let callers =
            [(&owner.http, true), (&other.http, false), (&plane.as_operator(), for_operators), (&plane.as_admin(), true)];
        for (at, (http, expected)) in callers.into_iter().enumerate() {
            let answer = http.get(path).await.expect(200);
            let items = answer.pointer(pointer).and_then(Json::as_array).unwrap();
            assert_eq!(items.iter().any(|item| text(item, "id") == id), expected, "{path}, caller {at}");
        }
    }
}

/// The methods whose name begins so and that reach the things of owners.
fn policies_with_owner(prefix: &str) -> Vec<String> {
    let policies = Policies::from_descriptors(&utopia_proto::descriptor_pool());
    let has_owner = |method: &MethodDescriptor| policies.get(&grpc_path(method)).unwrap().owner != Owner::Unspecified;
    let methods = methods().into_iter().filter(|method| method.name().starts_with(prefix) && has_owner(method));
    methods.map(|method| method.full_name().to_owned()).collect()
}

async fn where_no_credentials_are_needed_bad_ones_are_as_good_as_none(plane: &Plane) {
    let newcomer = newcomer(plane).await;
    let account = json!({"username": "ada", "password": PASSWORD, "role": "admin"});
    for token in ["nonsense", "utp_nonsense", "uta_nonsense", "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"] {
        let http = plane.http.with_token(token);
        http.get("/health").await.expect(200);
        http.post("/api/v1/auth/login", &account).await.expect(401);
        http.get("/api/v1/auth/profile").await.expect(401);
    }
    let http = plane.http.with_token("nonsense");
    assert_eq!(http.post("/api/v1/auth/register", &account).await.expect(201)["data"]["role"], "user");
    http.post("/api/v1/auth/login", &account).await.expect(200);
    let session = http.post("/api/v1/auth/refresh", &json!({"token": newcomer.token})).await.expect(200);
    // The old one is revoked now, and does not stand in the way of exchanging the new one.
    let stale = plane.http.with_token(&newcomer.token);
    stale.get("/api/v1/auth/profile").await.expect(401);
    stale.post("/api/v1/auth/refresh", &json!({"token": text(&session["data"], "token")})).await.expect(200);
}

async fn a_method_that_does_not_exist_is_unimplemented(plane: &Plane) {
    let channel = plane.channel().await;
    for path in ["/utopia.claim.v1.ClaimService/Nothing", "/utopia.claim.v2.ClaimService/CreateClaim", "/Nothing/Nothing"] {
        for token in [None, Some(plane.people.admin.token.as_str())] {
            let status = call(&channel, token, path, Bytes::new()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
        }
    }
}
