//! Writes down, every few seconds and in one batch, which nodes were heard of, which came up or went down, which GPUs became faulty or
//! recovered, and facts that changed during a session.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use utopia_proto::link::v1::Hello;
use uuid::Uuid;

use super::{Hub, Reports};
use crate::{
    error::Result,
    store::{GpuHealth, Store},
};

/// How often it is written down when nodes were last seen.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often it is looked which nodes came up or went down, and which GPUs became faulty or recovered.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until cancelled, and writes once more then.
pub async fn run(hub: Hub, reports: Reports, store: Store, mut facts: mpsc::Receiver<(Uuid, Hello)>, cancel: CancellationToken) {
    let (mut written, mut up) = (HashMap::new(), None);
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut presence = tokio::time::interval(PRESENCE_INTERVAL);
    presence.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = interval.tick() => write_seen(&hub, &reports, &store, &mut written).await,
            _ = presence.tick() => {
                if let Err(error) = write_presence(&hub, &store, &mut up).await {
                    tracing::warn!(%error, "which nodes are up could not be written");
                }
                if hub.take_gpus_changed() && let Err(error) = write_faults(&hub, &store).await {
                    tracing::warn!(%error, "which GPUs are faulty could not be written");
                    hub.note_gpus_changed();
                }
            }
            Some((node_id, hello)) = facts.recv() => write_facts(&hub, &store, node_id, hello).await,
        }
    }
    write_seen(&hub, &reports, &store, &mut written).await;
}

async fn write_seen(hub: &Hub, reports: &Reports, store: &Store, written: &mut HashMap<Uuid, Timestamp>) {
    let mut seen = reports.seen(hub.now()).into_iter().collect::<HashMap<_, _>>();
    for (id, known) in hub.nodes() {
        let Some(session) = known.session else { continue };
        seen.entry(id).and_modify(|at| *at = session.last_seen().max(*at)).or_insert_with(|| session.last_seen());
    }
    let changed = seen.into_iter().filter(|(id, at)| written.get(id) != Some(at)).collect::<Vec<_>>();
    if changed.is_empty() {
        return;
    }
    match store.touch_nodes(&changed).await {
        Ok(()) => written.extend(changed),
        // The next round writes them again.
        Err(error) => tracing::warn!(%error, "when nodes were last seen could not be written"),
    }
}

/// Writes down what has changed since the store was last told, of which `up` knows; none before that was read. A node that is awaited after
/// a start is not down yet.
async fn write_presence(hub: &Hub, store: &Store, up: &mut Option<HashSet<Uuid>>) -> Result<()> {
    let known_up = match up {
        Some(up) => up,
        None => up.insert(store.nodes_up().await?),
    };
    let now = hub.now();
    let (mut changes, mut gone) = (Vec::new(), known_up.clone());
    for (id, known) in hub.nodes() {
        let was_up = gone.remove(&id);
        let is_up = known.session.is_some() || (was_up && known.changed_at > now);
        if was_up != is_up {
            changes.push((id, is_up));
        }
    }
    if changes.is_empty() && gone.is_empty() {
        return Ok(());
    }
    store.set_nodes_up(&changes, now).await?;
    // Those that were deleted have had their event.
    known_up.retain(|id| !gone.contains(id));
    for (id, is_up) in changes {
        if is_up {
            known_up.insert(id)
        } else {
            known_up.remove(&id)
        };
    }
    Ok(())
}

/// Writes down which GPUs of connected nodes became faulty or recovered.
async fn write_faults(hub: &Hub, store: &Store) -> Result<()> {
    let known = store.faulty_gpus().await?;
    let mut changes = Vec::new();
    for (node_id, node) in hub.nodes() {
        let Some(session) = node.session else { continue };
        let view = session.view();
        let readings = view.heartbeat.iter().flat_map(|heartbeat| &heartbeat.gpus);
        for (gpu, reading) in node.gpus.iter().zip(readings) {
            if reading.faulty != known.contains(&gpu.uuid) {
                let (uuid, hostname) = (gpu.uuid.clone(), Arc::clone(&node.hostname));
                changes.push(GpuHealth { uuid, node_id, hostname, is_faulty: reading.faulty, xid: reading.xid });
            }
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    for GpuHealth { uuid, hostname, is_faulty, xid, .. } in &changes {
        if *is_faulty {
            tracing::warn!(gpu = %uuid, %hostname, xid, "GPU is faulty");
        } else {
            tracing::info!(gpu = %uuid, %hostname, "GPU has recovered");
        }
    }
    if store.set_gpus_faulty(&changes, hub.now()).await? < changes.len() {
        // A GPU that was told of a moment ago is not written yet.
        hub.note_gpus_changed();
    }
    Ok(())
}

async fn write_facts(hub: &Hub, store: &Store, node_id: Uuid, hello: Hello) {
    let facts = hello.facts.unwrap_or_default();
    if let Err(error) = store.update_node(node_id, &facts, &hello.gpus, hub.now()).await {
        tracing::warn!(node = %node_id, %error, "changed facts could not be written");
    }
}
