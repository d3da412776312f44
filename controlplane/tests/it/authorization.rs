//! Who may call what: every method of the contract for every kind of caller, as the contract's own options say.

use std::collections::BTreeSet;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost::Message as _;
use serde_json::json;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};
use utopia_proto::{
    api::v1::Access,
    claim::v1::GetClaimRequest,
    policy::{Policies, grpc_path},
    status::reason,
};

use crate::{
    databases::on_both_databases,
    dial::as_bearer,
    machine::Machine,
    plane::{Person, Plane, claim, text},
};

on_both_databases!(
    every_method_admits_whom_it_names_and_nobody_else,
    claims_are_shown_to_their_owners_and_to_operators,
    a_method_that_does_not_exist_is_unimplemented,
);

/// Messages as their bytes: enough to call methods that are known by their paths only.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}

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
    ["MissingToken", "MissingCertificate", "PermissionDenied", "InvalidToken"].into_iter().find(|known| *known == reason)
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

const CALLERS: [Caller; 7] =
    [Caller::Anonymous, Caller::Readonly, Caller::User, Caller::Operator, Caller::Admin, Caller::Node, Caller::Host];

/// What the contract's words mean, written down a second time: who is admitted, and what the others are told.
fn expected(access: Access, caller: Caller) -> Option<&'static str> {
    use Caller::{Admin, Anonymous, Host, Node, Operator, Readonly, User};
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

async fn every_method_admits_whom_it_names_and_nobody_else(plane: &Plane) {
    let pool = utopia_proto::descriptor_pool();
    let policies = Policies::from_descriptors(&pool);
    let node = Machine::new("n1", 0).join(plane).await;
    let host = plane.as_admin().post("/api/v1/hosts", &json!({"name": "h1"})).await.expect(201);
    let (open, certified) = (plane.channel().await, node.channel(plane).await);
    let people = &plane.people;
    let mut called = BTreeSet::new();
    let mut paths = pool
        .services()
        .flat_map(|service| service.methods().map(|method| grpc_path(&method)).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    // What ends the callers' sessions comes last.
    paths.sort_by_key(|path| path.ends_with("/Logout"));
    for path in paths {
        let access = policies.get(&path).unwrap_or_else(|| panic!("{path} says nothing of access")).access;
        for caller in CALLERS {
            let (channel, token) = match caller {
                Caller::Anonymous => (&open, None),
                Caller::Readonly => (&open, Some(&*people.readonly.token)),
                Caller::User => (&open, Some(&*people.user.token)),
                Caller::Operator => (&open, Some(&*people.operator.token)),
                Caller::Admin => (&open, Some(&*people.admin.token)),
                Caller::Node => (&certified, None),
                Caller::Host => (&open, Some(text(&host["data"], "agent_token"))),
            };
            let result = call(channel, token, &path, Bytes::new()).await;
            assert_eq!(refusal(result), expected(access, caller), "{path} by {caller:?}");
        }
        called.insert(path);
    }
    assert!(called.iter().map(String::as_str).eq(policies.iter().map(|(path, _)| path).collect::<BTreeSet<_>>()));
    assert!(called.len() >= 25, "{called:?}");
}

async fn claims_are_shown_to_their_owners_and_to_operators(plane: &Plane) {
    let pool = utopia_proto::descriptor_pool();
    let service = pool.get_service_by_name("utopia.claim.v1.ClaimService").unwrap();
    let of_one_claim = service.methods().filter(|method| method.input().get_field_by_name("id").is_some());
    let paths = of_one_claim.map(|method| grpc_path(&method)).collect::<Vec<_>>();
    assert_eq!(paths.len(), 4, "{paths:?}");
    let channel = plane.channel().await;
    let people = &plane.people;
    let ways: [(&str, &Person, Code); 4] = [
        ("the owner", &people.user, Code::Ok),
        ("another user", &people.other, Code::NotFound),
        ("an operator", &people.operator, Code::Ok),
        ("the administrator", &people.admin, Code::Ok),
    ];
    for path in paths {
        for (who, person, expected) in ways {
            let id = text(&claim(&plane.as_user(), 0).await, "id").to_owned();
            // The id is the first field of all of them.
            let message = Bytes::from(GetClaimRequest { id }.encode_to_vec());
            let code = call(&channel, Some(&person.token), &path, message).await.err().map_or(Code::Ok, |status| status.code());
            assert_eq!(code, expected, "{path} by {who}");
        }
    }
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
