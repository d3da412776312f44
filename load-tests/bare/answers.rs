//! The prepared answers, of the size of real ones. Those of the peers in Go are the same, see `load-tests/peers/unary.go`.

use prost_types::Timestamp;
use utopia_proto::claim::v1::{Claim, ClaimPhase, ClaimSpec, ClaimStatus, Resources};
use utopia_proto::host::v1::{Host, HostHealth, HostStatus};
use utopia_proto::iam::v1::Account;

const NODE_ID: &str = "6f1c2a4e-0c55-4f0e-9a53-0d7f2f6f4a10";
const CREATED_AT: Timestamp = Timestamp { seconds: 1_772_352_000, nanos: 0 };
const UPDATED_AT: Timestamp = Timestamp { seconds: 1_772_443_815, nanos: 250_000_000 };

/// A host with three labels.
pub(crate) fn host() -> Host {
    Host {
        host_id: NODE_ID.to_owned(),
        name: "gpu-server-01".to_owned(),
        hostname: "gpu-server-01".to_owned(),
        ip_address: "192.168.1.10".to_owned(),
        os_type: "linux".to_owned(),
        os_version: "Debian GNU/Linux 12".to_owned(),
        deployment_mode: "container".to_owned(),
        status: HostStatus::Online.into(),
        health_status: HostHealth::Healthy.into(),
        total_cpu: 128,
        used_cpu: 12.5,
        total_memory: 1 << 40,
        used_memory: 180 << 30,
        total_disk: 4 << 40,
        total_gpu: 8,
        used_gpu: 3,
        labels: [("rack", "r17"), ("region", "us-west"), ("zone", "b")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        last_heartbeat: Some(UPDATED_AT),
        created_at: Some(CREATED_AT),
        maintenance: None,
        agent_connected: true,
    }
}

/// The administrator's account.
pub(crate) fn account() -> Account {
    Account {
        id: "0b0d6f0e-3f0c-4c55-8a53-6d7f2f6f4a10".to_owned(),
        username: "admin".to_owned(),
        email: String::new(),
        role: "admin".to_owned(),
        created_at: Some(CREATED_AT),
        updated_at: Some(UPDATED_AT),
        last_login_at: Some(UPDATED_AT),
    }
}

/// A claim that runs.
pub(crate) fn claim() -> Claim {
    let resources = Resources { gpu_count: 1, gpu_model: "A100".to_owned(), gpu_memory_mb: 40_960, ..Resources::default() };
    Claim {
        id: "018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10".to_owned(),
        user_id: 7,
        spec: Some(ClaimSpec {
            image: "registry.example:5000/team/train:1".to_owned(),
            resources: Some(resources),
            command: vec!["python".to_owned(), "train.py".to_owned()],
            env: vec!["EPOCHS=3".to_owned()],
            ..ClaimSpec::default()
        }),
        status: Some(ClaimStatus {
            phase: ClaimPhase::Running.into(),
            node_name: "gpu-server-01".to_owned(),
            container_id: "9f2b6c1de04a7c40b1a2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718".to_owned(),
            node_id: NODE_ID.to_owned(),
            gpu_uuids: vec!["GPU-5b1f6c1e-8d0e-4b7a-9a53-0d7f2f6f4a10".to_owned()],
            ..ClaimStatus::default()
        }),
        created_at: Some(CREATED_AT),
        updated_at: Some(UPDATED_AT),
    }
}
