//! Every gRPC service, and the policies that the guard goes by.

use std::time::Duration;

use prost_reflect::DescriptorPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use utopia_proto::{
    audit::v1::audit_service_server::AuditServiceServer,
    backend::v1::backend_service_server::BackendServiceServer,
    claim::v1::claim_service_server::ClaimServiceServer,
    codec::MAX_FRAME_BYTES,
    event::v1::event_service_server::EventServiceServer,
    gpu::v1::gpu_service_server::GpuServiceServer,
    host::v1::host_service_server::HostServiceServer,
    iam::v1::{
        account_service_server::AccountServiceServer, api_token_service_server::ApiTokenServiceServer,
        iam_service_server::IamServiceServer, user_service_server::UserServiceServer,
    },
    jupyterhub::v1::jupyter_hub_service_server::JupyterHubServiceServer,
    link::v1::{agent_link_server::AgentLinkServer, enrolment_service_server::EnrolmentServiceServer},
    machine::v1::machine_service_server::MachineServiceServer,
    monitoring::v1::monitoring_service_server::MonitoringServiceServer,
    node::v1::{
        join_token_service_server::JoinTokenServiceServer, node_agent_service_server::NodeAgentServiceServer,
        node_service_server::NodeServiceServer,
    },
    policy::Policies,
    salt::v1::salt_service_server::SaltServiceServer,
    slurm::v1::slurm_service_server::SlurmServiceServer,
    storage::v1::{access_key_service_server::AccessKeyServiceServer, storage_service_server::StorageServiceServer},
    webhook::v1::webhook_service_server::WebhookServiceServer,
};

use super::ControlPlane;
use crate::{
    admission::Admission,
    checks::Checker,
    link::service::LinkService,
    service::{
        access_key::AccessKeys, account::AccountServer, api_token::ApiTokens, audit::AuditLog, backend::BackendList,
        claim::Claims, deletion::Deletion, enrolment::Enrolment, event::Events, gpu::Gpus, host::Hosts, iam::Iam,
        jupyterhub::Hubs, machine::Machines, monitoring::Monitoring, node::Nodes, node_agent::NodeAgents, salt::SaltStack,
        slurm::SlurmServer, storage::Storage, user::Users, webhook::WebhookServer,
    },
};

impl ControlPlane {
    /// Every gRPC service.
    pub(super) fn services(
        &self,
        checker: &Checker,
        tracker: &TaskTracker,
        background: &CancellationToken,
    ) -> anyhow::Result<Routes> {
        let (store, hub, clock) = (&self.store, &self.hub, &self.clock);
        let (accounts, limits) = (&self.accounts, &self.limits);
        let iam = Iam { accounts: accounts.clone(), limits: limits.clone(), store: store.clone(), clock: clock.clone() };
        let account = AccountServer { accounts: accounts.clone(), limits: limits.clone() };
        let users = Users { accounts: accounts.clone(), store: store.clone(), hub: hub.clone(), changes: self.changes.clone() };
        let api_tokens = ApiTokens { store: store.clone(), sessions: self.sessions.clone(), clock: clock.clone() };
        let hosts = self.hosts(tracker);
        let deletion = hosts.deletion.clone();
        let nodes = Nodes { store: store.clone(), hub: hub.clone(), join_tokens: self.join_tokens.clone(), deletion };
        let claims = Claims {
            store: store.clone(),
            admission: self.admission(tracker, background),
            hub: hub.clone(),
            changes: self.changes.clone(),
            forecast: self.forecast.clone(),
            settings: self.plan_settings(),
            clock: clock.clone(),
        };
        let machines =
            Machines { store: store.clone(), sealer: self.sealer.clone(), checker: checker.clone(), clock: clock.clone() };
        let salt =
            SaltStack { backends: self.backends.clone(), store: store.clone(), clock: clock.clone(), tracker: tracker.clone() };
        let slurm = self.backends.slurm();
        let gpus = Gpus { store: store.clone(), hub: hub.clone(), slurm: slurm.clone() };
        let slurm = SlurmServer { slurm: slurm.clone(), store: store.clone(), clock: clock.clone() };
        let enrolment = Enrolment {
            store: store.clone(),
            hub: hub.clone(),
            authority: self.authority.clone(),
            lifetime: self.config.certificate_lifetime(),
        };
        let link =
            LinkService { hub: hub.clone(), store: store.clone(), heartbeat_interval_ms: self.config.heartbeat_interval_ms };
        let hubs = Hubs { backends: self.backends.clone(), store: store.clone(), clock: clock.clone(), tracker: tracker.clone() };
        let access_keys = AccessKeys { store: store.clone(), sealer: self.sealer.clone(), clock: clock.clone() };
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(utopia_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        Ok(Routes::new(IamServiceServer::new(iam))
            .add_service(AccountServiceServer::new(account))
            .add_service(UserServiceServer::new(users))
            .add_service(ApiTokenServiceServer::new(api_tokens))
            .add_service(HostServiceServer::new(hosts))
            .add_service(NodeServiceServer::new(nodes))
            .add_service(JoinTokenServiceServer::new(self.join_tokens.clone()))
            .add_service(NodeAgentServiceServer::new(NodeAgents { hub: hub.clone(), store: store.clone(), clock: clock.clone() }))
            .add_service(AuditServiceServer::new(AuditLog { store: store.clone() }))
            .add_service(EventServiceServer::new(Events { log: self.events.clone(), store: store.clone() }))
            .add_service(BackendServiceServer::new(BackendList { backends: self.backends.clone() }))
            .add_service(JupyterHubServiceServer::new(hubs))
            .add_service(WebhookServiceServer::new(self.webhook_server()))
            .add_service(MonitoringServiceServer::new(self.monitoring()))
            .add_service(AccessKeyServiceServer::new(access_keys))
            .add_service(StorageServiceServer::new(Storage { store: store.clone() }))
            .add_service(ClaimServiceServer::new(claims))
            .add_service(MachineServiceServer::new(machines))
            .add_service(SaltServiceServer::new(salt))
            .add_service(SlurmServiceServer::new(slurm))
            .add_service(GpuServiceServer::new(gpus))
            .add_service(EnrolmentServiceServer::new(enrolment))
            .add_service(AgentLinkServer::new(link).max_decoding_message_size(MAX_FRAME_BYTES))
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?))
    }

    /// Where claims are admitted, with its writer begun.
    fn admission(&self, tracker: &TaskTracker, background: &CancellationToken) -> Admission {
        let (admission, writer) = Admission::new();
        tracker.spawn(writer.run(self.store.clone(), background.clone()));
        admission
    }

    fn webhook_server(&self) -> WebhookServer {
        WebhookServer {
            store: self.store.clone(),
            sealer: self.sealer.clone(),
            webhooks: self.webhooks.clone(),
            clock: self.clock.clone(),
        }
    }

    fn monitoring(&self) -> Monitoring {
        let interval = self.config.metrics_interval();
        Monitoring { hub: self.hub.clone(), store: self.store.clone(), history: self.history.clone(), interval }
    }

    fn hosts(&self, tracker: &TaskTracker) -> Hosts {
        let (store, hub, reports, agent_tokens) = (&self.store, &self.hub, &self.reports, &self.agent_tokens);
        let deletion = Deletion {
            store: store.clone(),
            hub: hub.clone(),
            reports: reports.clone(),
            agent_tokens: agent_tokens.clone(),
            tracker: tracker.clone(),
        };
        Hosts {
            store: store.clone(),
            hub: hub.clone(),
            reports: reports.clone(),
            agent_tokens: agent_tokens.clone(),
            deletion,
            offline_after: Duration::from_secs(self.config.host_offline_after_seconds.into()),
            tracker: tracker.clone(),
        }
    }
}

/// The policies of the contract, and of the two standard services that anybody may ask.
pub(super) fn policies(pool: &DescriptorPool) -> Policies {
    let mut policies = Policies::from_descriptors(pool);
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/List",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        policies.open(path);
    }
    policies
}
