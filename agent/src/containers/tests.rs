//! Scenarios over the fake runtime: what a control plane and users of the node API see.

use std::collections::BTreeMap;

use tokio::time::timeout;
use tonic::Code;
use utopia_proto::{
    claim::v1::ClaimSpec,
    link::v1::ContainerPhase,
    node::v1::{CreateContainerRequest, PortMapping},
};

use super::*;
use crate::runtime::{
    Status,
    fake::{Fake, Step},
};

mod claims;
mod logs;
mod node_api;
mod outages;

const NODE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
const PATIENCE: Duration = Duration::from_secs(10);

/// An agent with two simulated GPUs over a fake runtime.
struct Agent {
    fake: Arc<Fake>,
    containers: Arc<Containers>,
    shutdown: CancellationToken,
}

impl Agent {
    fn new() -> Self {
        Self::over(Arc::new(Fake::new()))
    }

    /// Another agent process of the same node: what the former one had in memory is gone.
    fn over(fake: Arc<Fake>) -> Self {
        let gpu = |index: u32| Gpu { uuid: format!("GPU-{index}"), index, simulated: index < 2 };
        let shutdown = CancellationToken::new();
        let settings = Settings::default();
        let gpus = vec![gpu(1), gpu(0), gpu(2)];
        let containers = Containers::new(fake.clone(), gpus, settings, TaskTracker::new(), shutdown.clone());
        containers.set_node_id(NODE);
        Self { fake, containers, shutdown }
    }

    /// Follows the runtime in the background.
    fn follow(&self) {
        let containers = self.containers.clone();
        let cancel = self.shutdown.clone();
        self.containers.tasks.spawn(containers.run(cancel));
    }

    async fn ensure(&self, claim: &EnsureClaim) -> Result<ContainerState> {
        self.containers.ensure_claim(claim.clone()).await
    }

    /// Ensures and waits for the outcome.
    async fn ensured(&self, claim: &EnsureClaim) -> ContainerState {
        let mut events = self.containers.events();
        let state = self.ensure(claim).await.unwrap();
        if state.phase() != ContainerPhase::Preparing {
            return state;
        }
        until(&mut events, |state| state.epoch == claim.epoch && state.phase() != ContainerPhase::Preparing).await
    }

    async fn create(&self, request: &CreateContainerRequest) -> Result<String> {
        let created = self.containers.create(request.clone(), CancellationToken::new()).await?;
        Ok(created.container_id)
    }

    fn held(&self) -> Vec<String> {
        self.containers.allocations().into_keys().collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The first event that fits.
async fn until(events: &mut broadcast::Receiver<ContainerState>, fits: impl Fn(&ContainerState) -> bool) -> ContainerState {
    let found = async {
        loop {
            let state = events.recv().await.unwrap();
            if fits(&state) {
                return state;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("the event comes")
}

fn claim(claim_id: &str, epoch: u64, gpus: &[&str]) -> EnsureClaim {
    EnsureClaim {
        claim_id: claim_id.to_owned(),
        epoch,
        spec: Some(ClaimSpec { image: "registry/a:1".to_owned(), ..ClaimSpec::default() }),
        gpu_uuids: gpus.iter().map(|&uuid| uuid.to_owned()).collect(),
    }
}

fn request(claim_id: &str, gpu_count: i32) -> CreateContainerRequest {
    CreateContainerRequest {
        claim_id: claim_id.to_owned(),
        image: "registry/a:1".to_owned(),
        gpu_count,
        ..CreateContainerRequest::default()
    }
}

fn code_and_reason(error: &Error) -> (Code, &str) {
    let (code, reason, _) = error.parts();
    (code, reason)
}
