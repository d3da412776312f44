//! Asks the runtime whether it is there, no more often than every two seconds whoever asks.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{error::Result, runtime::Runtime};

const FRESH: Duration = Duration::from_secs(2);

pub(super) struct Probe {
    runtime: Arc<dyn Runtime>,
    last: Mutex<Option<(Instant, Result<String>)>>,
}

impl Probe {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, last: Mutex::default() }
    }

    /// The runtime's name and version. Those who ask while it is being asked wait for that answer.
    pub(super) async fn version(&self) -> Result<String> {
        let mut last = self.last.lock().await;
        if let Some((asked, answer)) = &*last
            && asked.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = self.runtime.version().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
