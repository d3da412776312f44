//! Agents that can be frozen: they say nothing more, and the kernel still holds their connections open, as those of a machine that hangs.

use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Shared};

/// Agents on a thread of their own. Dropping it closes their connections.
pub(crate) struct Freezer {
    freeze: Option<oneshot::Sender<()>>,
    _thaw: mpsc::SyncSender<()>,
}

impl Freezer {
    /// Lets agents connect.
    pub(crate) fn start(agents: Vec<Agent>, shared: &Arc<Shared>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (freeze, frozen) = oneshot::channel();
        let (thaw, thawed) = mpsc::sync_channel::<()>(1);
        let shared = Arc::clone(shared);
        let run = move || {
            let mut tasks = JoinSet::new();
            for agent in agents {
                tasks.spawn_on(agent.run(Arc::clone(&shared), CancellationToken::new()), runtime.handle());
            }
            // Nothing of this runtime runs except in here, the connections' tasks included. Both channels end when dropped.
            let _ = runtime.block_on(frozen);
            let _ = thawed.recv();
        };
        thread::Builder::new().name("freezer".to_owned()).spawn(run).context("cannot start a thread")?;
        Ok(Self { freeze: Some(freeze), _thaw: thaw })
    }

    /// From now on they are silent.
    pub(crate) fn freeze(&mut self) {
        if let Some(freeze) = self.freeze.take() {
            // Its thread ends only after this.
            let _ = freeze.send(());
        }
    }
}
