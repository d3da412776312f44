//! The nodes as their links and their administrators show them, for the planner.

use std::sync::Arc;

use utopia_proto::link::v1::GpuReading;
use uuid::Uuid;

use super::plan::NodeView;
use crate::{
    error::Result,
    link::{Hub, hub::Known},
    model::{GpuSet, host::MaintenanceClaims},
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
    let Some(session) = session else {
        return NodeView {
            id,
            hostname,
            online: false,
            maintenance,
            changed_at,
            runtime_ready: false,
            inventory_complete: false,
            gpus,
            faulty: GpuSet::default(),
            busy: GpuSet::default(),
            containers: Arc::default(),
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
        gpus,
        faulty: which(readings, |reading| reading.faulty),
        busy: which(readings, |reading| reading.foreign_use || reading.locally_allocated),
        containers: view.containers.clone(),
    }
}

/// The GPUs of which something is read.
fn which(readings: &[GpuReading], is_so: impl Fn(&GpuReading) -> bool) -> GpuSet {
    readings.iter().enumerate().filter(|(_, reading)| is_so(reading)).map(|(place, _)| place).collect()
}
