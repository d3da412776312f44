//! Machines that join: a key of their own, facts, GPUs, and the certificate they get.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use utopia_certs::{NodeKey, tls};
use utopia_proto::link::v1::{
    EnrolRequest, EnrolResponse, GpuFacts, MachineFacts, RenewRequest, enrolment_service_client::EnrolmentServiceClient,
};

use crate::{
    dial::{dial, dial_with},
    plane::{Plane, text},
};

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) key: NodeKey,
    pub(crate) machine_id: String,
    pub(crate) facts: MachineFacts,
    pub(crate) gpus: Vec<GpuFacts>,
}

impl Machine {
    /// A machine with so many GPUs, `GPU-<hostname>-<index>`.
    pub(crate) fn new(hostname: &str, gpu_count: u32) -> Self {
        let gpu = |index| GpuFacts {
            uuid: format!("GPU-{hostname}-{index}"),
            index,
            name: "NVIDIA H100 80GB HBM3".to_owned(),
            memory_bytes: 80 << 30,
        };
        let facts = MachineFacts {
            hostname: hostname.to_owned(),
            os: "Debian 12".to_owned(),
            cpu_count: 64,
            memory_bytes: 512 << 30,
            runtime: "docker 27.0".to_owned(),
            ..MachineFacts::default()
        };
        Self {
            key: utopia_certs::generate_key().unwrap(),
            machine_id: format!("machine-{hostname}"),
            facts,
            gpus: (0..gpu_count).map(gpu).collect(),
        }
    }

    /// What the machine says when it enrols.
    pub(crate) fn enrolment(&self, token: &str) -> EnrolRequest {
        EnrolRequest {
            token: token.to_owned(),
            csr: self.key.csr().unwrap(),
            machine_id: self.machine_id.clone(),
            node_id: String::new(),
            facts: Some(self.facts.clone()),
        }
    }

    /// Enrols with a fresh join token.
    pub(crate) async fn join(self, plane: &Plane) -> Node {
        let token = plane.join_token(1).await;
        self.enrol(plane, text(&token, "token")).await.unwrap()
    }

    /// Enrols with this join token.
    pub(crate) async fn enrol(self, plane: &Plane, token: &str) -> Result<Node, Status> {
        let answer = enrol(plane, self.enrolment(token)).await?;
        Ok(Node { id: answer.node_id.clone(), machine: self, certificate: answer })
    }
}

/// Enrols over TLS that trusts the CA's hash.
pub(crate) async fn enrol(plane: &Plane, request: EnrolRequest) -> Result<EnrolResponse, Status> {
    let mut client = EnrolmentServiceClient::new(plane.channel().await);
    Ok(client.enrol(request).await?.into_inner())
}

/// A machine that has enrolled.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) machine: Machine,
    pub(crate) certificate: EnrolResponse,
}

impl Node {
    /// The TLS settings of its agent.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        client_tls(&self.certificate, self.machine.key.to_der())
    }

    /// A connection as this node.
    pub(crate) async fn channel(&self, plane: &Plane) -> Channel {
        dial(plane.grpc_addr(), self.tls()).await.expect("TLS with the node's certificate")
    }

    /// The same, whose streams have room for one byte that was not read.
    pub(crate) async fn narrow_channel(&self, plane: &Plane) -> Channel {
        let narrow = |endpoint: Endpoint| endpoint.initial_stream_window_size(1);
        dial_with(plane.grpc_addr(), self.tls(), narrow).await.expect("TLS with the node's certificate")
    }

    /// Asks for a new certificate.
    pub(crate) async fn renew(&self, plane: &Plane) -> Result<EnrolResponse, Status> {
        let mut client = EnrolmentServiceClient::new(self.channel(plane).await);
        Ok(client.renew(RenewRequest { csr: self.machine.key.csr().unwrap() }).await?.into_inner())
    }

    /// The keys of its GPUs.
    pub(crate) fn gpu_uuids(&self) -> Vec<String> {
        self.machine.gpus.iter().map(|gpu| gpu.uuid.clone()).collect()
    }
}

/// The TLS settings of a client with this certificate.
pub(crate) fn client_tls(issued: &EnrolResponse, key: PrivateKeyDer<'static>) -> Arc<ClientConfig> {
    let ca = CertificateDer::from(issued.ca_certificate.clone());
    let chain = vec![CertificateDer::from(issued.certificate.clone())];
    tls::client_config(&ca, Some((chain, key))).unwrap()
}
