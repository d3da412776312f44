//! The nodes as their links and their administrators show them, for the planner.

use utopia_proto::link::v1::GpuReading;
use uuid::Uuid;

use super::plan::{GpuView, NodeView};
use crate::{
    error::Result,
    link::{Hub, hub::Known},
    model::host::MaintenanceClaims,
    store::Store,
};

/// All enrolled nodes, and which of them are in maintenance.
///
/// # Errors
/// When the store fails.
pub async fn nodes(hub: &Hub, store: &Store) -> Result<Vec<NodeView>> {
    let maintenances = store.maintenances().await?;
    Ok(hub.nodes().into_iter().map(|(id, known)| view(id, known, maintenances.get(&id).copied())).collect())
}

fn view(id: Uuid, known: Known, maintenance: Option<MaintenanceClaims>) -> NodeView {
    let Known { hostname, gpus, changed_at, session, .. } = known;
    let gpu = |(at, gpu): (usize, &utopia_proto::link::v1::GpuFacts), readings: &[GpuReading]| {
        let reading = readings.get(at);
        GpuView {
            uuid: gpu.uuid.as_str().into(),
            index: gpu.index,
            name: gpu.name.as_str().into(),
            memory_bytes: gpu.memory_bytes,
            faulty: reading.is_some_and(|reading| reading.faulty),
            busy: reading.is_some_and(|reading| reading.foreign_use || reading.locally_allocated),
        }
    };
    let Some(session) = session else {
        let gpus = gpus.iter().enumerate().map(|entry| gpu(entry, &[])).collect();
        return NodeView {
            id,
            hostname,
            online: false,
            maintenance,
            changed_at,
            runtime_ready: false,
            inventory_complete: false,
            gpus,
            containers: std::sync::Arc::default(),
        };
    };
    let view = session.view();
    let readings = view.heartbeat.as_ref().map(|heartbeat| heartbeat.gpus.as_slice()).unwrap_or_default();
    NodeView {
        id,
        hostname,
        online: true,
        maintenance,
        changed_at,
        // Before the first heartbeat nothing is known of the runtime, and nothing is concluded.
        runtime_ready: view.heartbeat.as_ref().is_none_or(|heartbeat| heartbeat.runtime_ready),
        inventory_complete: view.inventory_complete && view.heartbeat.is_some(),
        gpus: gpus.iter().enumerate().map(|entry| gpu(entry, readings)).collect(),
        containers: view.containers.clone(),
    }
}
