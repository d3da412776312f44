//! The last Xid error of each GPU, which NVML tells as an event and not as a reading.
//!
//! Invariant: a thread of its own waits, with its own hold on NVML, so that an event is missed only while NVML itself is away; it ends within
//! one wait of the watch being dropped. Nothing waits for it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use nvml_wrapper::{
    Nvml, bitmasks::event::EventTypes, enums::event::XidError, error::NvmlError, struct_wrappers::event::EventData,
};
use tracing::{debug, warn};

use super::{describe, load};

/// Milliseconds for which all GPUs together are waited for, one after the other; events of the others wait meanwhile. After that it is looked
/// whether GPUs came or went.
const WAIT_MS: u32 = 1_000;

/// The time before NVML is opened anew.
const RETRY: Duration = Duration::from_secs(10);

/// What NVML calls an error that it does not know.
const UNKNOWN: u32 = 999;

type Last = Mutex<BTreeMap<String, u32>>;

/// Watches for Xid errors until it is dropped.
#[derive(Debug)]
pub(super) struct XidWatch {
    last: Arc<Last>,
}

impl XidWatch {
    /// Begins to watch.
    pub(super) fn start(library: Option<OsString>) -> Self {
        let last = Arc::new(Last::default());
        let watcher = Arc::downgrade(&last);
        let spawned = thread::Builder::new().name("nvml-xid".to_owned()).spawn(move || watch(library, &watcher));
        if let Err(error) = spawned {
            warn!(%error, "Xid errors of GPUs are not watched");
        }
        Self { last }
    }

    /// The last error of a GPU; 0 before the first.
    pub(super) fn last(&self, uuid: &str) -> u32 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(uuid).copied().unwrap_or_default()
    }
}

fn watch(library: Option<OsString>, last: &Weak<Last>) {
    while last.strong_count() > 0 {
        match load(library.as_deref()).and_then(|nvml| wait(&nvml, last)) {
            Ok(()) => {}
            Err(NvmlError::NotSupported | NvmlError::FunctionNotFound | NvmlError::FailedToLoadSymbol(_)) => {
                debug!("this driver tells of no Xid errors");
                return;
            }
            Err(error) => {
                debug!(error = %describe(&error), "Xid errors cannot be watched now");
                thread::park_timeout(RETRY);
            }
        }
    }
}

/// Waits for events of the GPUs that there are now. Ends when their number changes, or nobody wants to know any more.
fn wait(nvml: &Nvml, last: &Weak<Last>) -> Result<(), NvmlError> {
    let count = nvml.device_count()?;
    // A GPU that has fallen off the bus does not tell its UUID any more, so each has events of its own.
    let mut watched = Vec::new();
    for index in 0..count {
        // One that does not answer is waited for as soon as there are more GPUs, or NVML is opened anew.
        let Ok((uuid, device)) = nvml.device_by_index(index).and_then(|device| Ok((device.uuid()?, device))) else { continue };
        if device.supported_event_types().is_ok_and(|types| types.contains(EventTypes::CRITICAL_XID_ERROR)) {
            let events = nvml.create_event_set()?;
            let events = device.register_events(EventTypes::CRITICAL_XID_ERROR, events).map_err(|error| error.error)?;
            watched.push((uuid, events));
        }
    }
    if watched.is_empty() {
        return Err(NvmlError::NotFound);
    }
    let wait_ms = (WAIT_MS / u32::try_from(watched.len()).unwrap_or(WAIT_MS)).max(1);
    while last.strong_count() > 0 {
        for (uuid, events) in &watched {
            match events.wait(wait_ms) {
                Ok(event) => note(uuid, &event, last),
                Err(NvmlError::Timeout) => {}
                Err(error) => return Err(error),
            }
        }
        if nvml.device_count()? != count {
            return Ok(());
        }
    }
    Ok(())
}

fn note(uuid: &str, event: &EventData<'_>, last: &Weak<Last>) {
    let Some(last) = last.upgrade() else { return };
    let xid = match event.event_data {
        Some(XidError::Value(xid)) => u32::try_from(xid).unwrap_or(UNKNOWN),
        Some(XidError::Unknown) => UNKNOWN,
        None => return,
    };
    warn!(gpu = uuid, xid, "the driver tells of an Xid error");
    last.lock().unwrap_or_else(PoisonError::into_inner).insert(uuid.to_owned(), xid);
}
