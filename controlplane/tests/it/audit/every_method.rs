//! Every audited method of the contract, called once with success. A method that is new in the contract has to be added here.

mod jupyterhub;
mod machines;
mod people;
mod slurm;
mod webhooks;

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use tonic::Code;
use utopia_proto::{
    chain::verify,
    link::v1::{command::Action, command_result::Outcome},
    node::v1::CreateContainerResponse,
    policy::{Policies, grpc_path},
};

use super::{Log, chain};
use crate::{
    agent::{Agent, result},
    authorization::call,
    machine::{Machine, Node},
    plane::{Plane, text},
    slurm::cluster::Cluster,
};

/// What must not be found anywhere in the log.
const SECRETS: [&str; 4] =
    ["hunter2-in-the-environment", "first-password-of-zoe", "second-password-of-zoe", "password-of-the-machine"];

/// Calls the methods one by one, and looks at the log after each.
struct Tour<'a> {
    plane: &'a Plane,
    log: Log,
    policies: Policies,
    seen: BTreeSet<String>,
    /// Tokens that were given out on the way.
    secrets: Vec<String>,
}

impl Tour<'_> {
    /// The method has just been called by this user about this resource, and must have left one event, which is answered. Without
    /// an id, it is one that only the event tells.
    #[track_caller]
    fn left<'a>(&'a mut self, method: &'a str, user: &'a str, id: &'a str) -> impl Future<Output = Json> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let event = self.log.one().await;
            let audit = self.policies.audit(method).unwrap_or_else(|| panic!("{method} is not audited, {caller}"));
            let id = if id.is_empty() { event["resource_id"].as_str().filter(|id| !id.is_empty()).unwrap() } else { id };
            let expected = json!([user, &*audit.action, &*audit.resource, id, "success", method]);
            let found = ["user", "action", "event_type", "resource_id", "result"].map(|key| event[key].clone());
            let found = found.into_iter().chain([event["details"]["method"].clone()]).collect::<Json>();
            assert_eq!(found, expected, "{caller}");
            assert!(self.seen.insert(method.to_owned()), "{method} is called twice, {caller}");
            event
        }
    }

    async fn claims(&mut self) {
        let user = self.plane.as_user();
        let env = format!("PASSWORD={}", SECRETS[0]);
        let spec = json!({"image": "train:1", "resources": {"gpuCount": 1}, "env": [env, "EMPTY="], "command": ["run"]});
        let claim = user.post("/api/gpu-claims", &json!({"spec": spec})).await.expect(202);
        let id = text(&claim, "id");
        let event = self.left("/utopia.claim.v1.ClaimService/CreateClaim", "uma", id).await;
        assert_eq!(event["new_value"]["spec"]["env"], json!(["PASSWORD=***", "EMPTY=***"]));
        assert_eq!(event["new_value"]["phase"], "pending");
        assert_eq!(event["old_value"], json!({}));
        user.delete(&format!("/api/gpu-claims/{id}")).await.expect(204);
        let event = self.left("/utopia.claim.v1.ClaimService/DeleteClaim", "uma", id).await;
        assert_eq!(event["old_value"]["spec"]["image"], "train:1");
        assert_eq!(event["new_value"], json!({}));
    }

    async fn roles(&mut self) {
        self.plane.as_admin().put("/api/roles/user/policy", &json!({"max_gpu_count": 3})).await.expect(200);
        let event = self.left("/utopia.iam.v1.IamService/SetRolePolicy", "admin", "user").await;
        assert_eq!((&event["old_value"]["max_gpu_count"], &event["new_value"]["max_gpu_count"]), (&json!(2), &json!(3)));
    }

    async fn join_tokens(&mut self) {
        let token = self.plane.join_token(7).await;
        self.secrets.push(text(&token, "token").to_owned());
        let id = text(&token, "id");
        let event = self.left("/utopia.node.v1.JoinTokenService/CreateJoinToken", "admin", id).await;
        assert_eq!(event["new_value"]["max_uses"], 7);
        self.plane.as_admin().delete(&format!("/api/join-tokens/{id}")).await.expect(204);
        let event = self.left("/utopia.node.v1.JoinTokenService/RevokeJoinToken", "admin", id).await;
        assert_eq!((&event["old_value"]["max_uses"], &event["new_value"]), (&json!(7), &json!({})));
    }

    async fn containers(&mut self, node: &Node) {
        let _agent = Agent::scripted(self.plane, node, |command| {
            let outcome = match command.action.as_ref() {
                Some(Action::CreateContainer(_)) => Outcome::Created(CreateContainerResponse { container_id: "c-1".into() }),
                Some(_) | None => Outcome::Done(()),
            };
            vec![result(command, outcome)]
        })
        .await;
        let path = format!("/api/nodes/{}/containers", node.id);
        let env = format!("PASSWORD={}", SECRETS[0]);
        let body = json!({"claim_id": "by-hand", "image": "train:1", "env_vars": [env]});
        self.plane.as_operator().post(&path, &body).await.expect(201);
        let event = self.left("/utopia.node.v1.NodeAgentService/CreateContainer", "olga", "c-1").await;
        assert_eq!((&event["new_value"]["node_id"], &event["new_value"]["env"]), (&json!(node.id), &json!(["PASSWORD=***"])));
        self.plane.as_operator().delete(&format!("{path}/c-1")).await.expect(204);
        let event = self.left("/utopia.node.v1.NodeAgentService/DeleteContainer", "olga", "c-1").await;
        assert_eq!(event["old_value"]["node_id"], json!(node.id));
    }

    /// Methods of which no call was looked at must be such as nobody serves, or as need a server of others, of which there is none here:
    /// their own tests look at the log.
    async fn ends(self) {
        let channel = self.plane.channel().await;
        let pool = utopia_proto::descriptor_pool();
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        for path in methods.map(|method| grpc_path(&method)) {
            if self.policies.audit(&path).is_some() && !self.seen.contains(&path) {
                let answer = call(&channel, Some(&self.plane.people.admin.token), &path, Bytes::new()).await;
                let is_served = answer.err().is_none_or(|status| {
                    status.code() != Code::Unimplemented && !utopia_proto::status::reason(&status).ends_with("NotConfigured")
                });
                assert!(!is_served, "{path} is not called here");
            }
        }
        let links = chain(self.plane, 0).await;
        verify(&links).unwrap();
        let people = &self.plane.people;
        let tokens = [&people.admin, &people.operator, &people.user].map(|person| person.token.as_str());
        let secrets = self.secrets.iter().map(String::as_str).chain(SECRETS).chain(tokens).collect::<Vec<_>>();
        for link in links {
            for secret in &secrets {
                assert!(!link.payload.contains(secret), "{secret} is in {}", link.payload);
            }
        }
    }
}

pub(super) async fn every_audited_method_leaves_one_event(url: &str) {
    let hub = jupyterhub::Settings::new().await;
    let cluster = Cluster::start().await;
    let settings = ["--development"].into_iter().chain(hub.arguments()).chain(cluster.arguments()).collect::<Vec<_>>();
    let plane = Plane::start_as(url, &settings).await;
    let node = Machine::new("n1", 1).join(&plane).await;
    let policies = Policies::from_descriptors(&utopia_proto::descriptor_pool());
    let log = Log::new(&plane).await;
    let mut tour = Tour { plane: &plane, log, policies, seen: BTreeSet::new(), secrets: Vec::new() };
    tour.claims().await;
    tour.roles().await;
    tour.join_tokens().await;
    tour.containers(&node).await;
    tour.nodes().await;
    tour.hosts().await;
    tour.machines().await;
    tour.accounts().await;
    tour.users().await;
    tour.api_tokens().await;
    tour.access_keys().await;
    tour.jupyterhub().await;
    tour.slurm().await;
    tour.webhooks().await;
    tour.ends().await;
    plane.stop().await;
}
