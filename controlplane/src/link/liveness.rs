//! Writes down, every few seconds and in one batch, which nodes were heard of, and facts that changed during a session.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use utopia_proto::link::v1::Hello;
use uuid::Uuid;

use super::{Hub, Reports};
use crate::store::Store;

/// How often it is written down when nodes were last seen.
const INTERVAL: Duration = Duration::from_secs(5);

/// Runs until cancelled, and writes once more then.
pub async fn run(hub: Hub, reports: Reports, store: Store, mut facts: mpsc::Receiver<(Uuid, Hello)>, cancel: CancellationToken) {
    let mut written = HashMap::new();
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = interval.tick() => write_seen(&hub, &reports, &store, &mut written).await,
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

async fn write_facts(hub: &Hub, store: &Store, node_id: Uuid, hello: Hello) {
    let facts = hello.facts.unwrap_or_default();
    if let Err(error) = store.update_node(node_id, &facts, &hello.gpus, hub.now()).await {
        tracing::warn!(node = %node_id, %error, "changed facts could not be written");
    }
}
