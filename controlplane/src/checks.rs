//! Checks of machines over SSH: soon after a change, by interval, and on demand.
//!
//! A machine at one generation is checked once at a time: whoever asks meanwhile waits for the same check. What it found is written
//! only if the machine did not change meanwhile. Checks end with the control plane, also in the middle.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::Shared};
use jiff::SignedDuration;
use rand::RngExt as _;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utopia_proto::machine::v1::MachineStatus;
use uuid::Uuid;

use crate::{
    clock::Clock,
    error::{Error, Result},
    model::machine::{self, Finding, Machine},
    seal::{Place, Sealer},
    ssh::{self, Failure, Login, Target},
    store::Store,
};

/// The most checks at a time that nobody asked for.
const BACKGROUND: usize = 8;

/// The most checks at a time that somebody asked for.
const ON_DEMAND: usize = 32;

/// How many machines are taken at once: few, so that a new one does not wait behind a fleet that does not answer.
const BATCH: i64 = 16;

/// How often a check is begun anew because the machine changes under it.
const ATTEMPTS: usize = 4;

/// The longest time between two looks for what is due.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// Checks machines. Clones share it.
#[derive(Debug, Clone)]
pub struct Checker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    sealer: Sealer,
    clock: Clock,
    /// None: only what changed is checked.
    interval: Option<Duration>,
    tracker: TaskTracker,
    cancel: CancellationToken,
    changed: Notify,
    background: Arc<Semaphore>,
    on_demand: Arc<Semaphore>,
    /// By machine and generation.
    flights: Mutex<HashMap<Flight, Landing>>,
}

type Flight = (Uuid, i64);

type Landing = Shared<oneshot::Receiver<Outcome>>;

/// How a check ended.
#[derive(Debug, Clone)]
enum Outcome {
    /// It was written down; with the machine as it is now.
    Recorded(Box<Machine>, Finding),
    /// The machine changed meanwhile, or is gone.
    Overtaken,
    /// The server's log says why.
    Failed,
}

/// What a checker needs.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Has the machines.
    pub store: Store,
    /// Opens their secrets.
    pub sealer: Sealer,
    /// Tells the time.
    pub clock: Clock,
    /// The time between two checks of a machine; none for no checks by interval.
    pub interval: Option<Duration>,
    /// Waits for the checks at the end.
    pub tracker: TaskTracker,
    /// Ends them.
    pub cancel: CancellationToken,
}

impl Checker {
    /// A checker; by itself it does nothing before [`Self::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, sealer, clock, interval, tracker, cancel } = parts;
        Self(Arc::new(Inner {
            store,
            sealer,
            clock,
            interval,
            tracker,
            cancel,
            changed: Notify::new(),
            background: Arc::new(Semaphore::new(BACKGROUND)),
            on_demand: Arc::new(Semaphore::new(ON_DEMAND)),
            flights: Mutex::default(),
        }))
    }

    /// A machine is new or changed: checks it soon.
    pub fn wake(&self) {
        self.0.changed.notify_one();
    }

    /// Checks a machine now; answers it as it is then. Where the status belongs to somebody, the message of the answer, which is
    /// not kept, says what was found.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the outcome cannot be written, or the control plane stops.
    pub async fn check(&self, id: Uuid) -> Result<Machine> {
        let Ok(_permit) = self.0.on_demand.acquire().await else { return Err(stopping()) };
        for _ in 0..ATTEMPTS {
            let machine = self.0.store.machine(id).await?.ok_or_else(|| Error::not_found("machine", id))?;
            match self.join(machine).await {
                Ok(Outcome::Recorded(machine, finding)) if machine.is_held() => {
                    return Ok(Machine { message: finding.message, ..*machine });
                }
                Ok(Outcome::Recorded(machine, _)) => return Ok(*machine),
                Ok(Outcome::Overtaken) => {}
                Ok(Outcome::Failed) => {
                    let message = "the outcome of the check could not be kept; the server's log says why".to_owned();
                    return Err(Error::Unavailable { reason: "CheckFailed".into(), message });
                }
                Err(_) => return Err(stopping()),
            }
        }
        let message = "the machine changes faster than it can be checked".to_owned();
        Err(Error::Unavailable { reason: "CheckOvertaken".into(), message })
    }

    /// Runs until cancelled.
    pub async fn run(self) {
        let cancel = self.0.cancel.clone();
        while !cancel.is_cancelled() {
            let more = self.pass().await;
            if !more {
                let pause = tokio::time::timeout(self.pause(), self.0.changed.notified());
                let _ = cancel.run_until_cancelled(pause).await;
            }
        }
    }

    /// Begins the checks that are due; true when there may be more.
    async fn pass(&self) -> bool {
        let Inner { store, clock, interval, cancel, .. } = &*self.0;
        let interval = interval.and_then(|interval| SignedDuration::try_from(interval).ok());
        let due = match store.machines_to_check(interval.map(|interval| clock.now() - interval), BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the machines to check could not be loaded");
                return false;
            }
        };
        let mut begun = 0;
        for id in due.iter().copied().filter(|id| !self.is_in_flight(*id)) {
            let permit = cancel.run_until_cancelled(self.0.background.clone().acquire_owned()).await;
            let Some(Ok(permit)) = permit else { return false };
            begun += 1;
            let checker = self.clone();
            self.0.tracker.spawn(async move {
                let _permit = permit;
                // What is gone or could not be read is seen at the next pass.
                if let Ok(Some(machine)) = checker.0.store.machine(id).await
                    && !machine.is_held()
                {
                    let _ = checker.join(machine).await;
                }
            });
        }
        begun > 0 && i64::try_from(due.len()).is_ok_and(|due| due == BATCH)
    }

    /// Some time, not always the same, so that several control planes do not look in step.
    fn pause(&self) -> Duration {
        let pause = self.0.interval.map_or(MAX_PAUSE, |interval| (interval / 8).min(MAX_PAUSE));
        pause.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    fn is_in_flight(&self, id: Uuid) -> bool {
        self.flights().keys().any(|(flying, _)| *flying == id)
    }

    /// The check of the machine at its generation: the one under way, or a new one.
    fn join(&self, machine: Machine) -> Landing {
        let flight = (machine.id, machine.generation);
        let mut flights = self.flights();
        if let Some(landing) = flights.get(&flight) {
            return landing.clone();
        }
        let (landed, landing) = oneshot::channel();
        let landing = landing.shared();
        flights.insert(flight, landing.clone());
        drop(flights);
        let checker = self.clone();
        self.0.tracker.spawn(async move {
            let outcome = checker.0.cancel.run_until_cancelled(checker.0.fly(machine)).await;
            checker.flights().remove(&flight);
            if let Some(outcome) = outcome {
                // Nobody may be waiting.
                let _ = landed.send(outcome);
            }
        });
        landing
    }

    fn flights(&self) -> std::sync::MutexGuard<'_, HashMap<Flight, Landing>> {
        // No step under the lock can leave the map half changed.
        self.0.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Checks a machine and writes down what was found.
    async fn fly(&self, machine: Machine) -> Outcome {
        let finding = self.find(&machine).await;
        let (before, generation) = ((machine.status, machine.message.clone()), machine.generation);
        let after = machine.checked(&finding, self.clock.now());
        match self.store.record_machine_check(&after, generation).await {
            Ok(true) => {
                if before != (after.status, after.message.clone()) {
                    let (status, message) = (machine::word(after.status), &after.message);
                    tracing::info!(machine = %after.id, name = after.spec.name, status, message, "machine checked");
                }
                Outcome::Recorded(Box::new(after), finding)
            }
            Ok(false) => Outcome::Overtaken,
            Err(error) => {
                tracing::warn!(%error, machine = %after.id, "the outcome of a machine's check could not be kept");
                Outcome::Failed
            }
        }
    }

    async fn find(&self, machine: &Machine) -> Finding {
        let unavailable = |message: String| Finding { status: MachineStatus::Unavailable, message, host_key: None };
        let (target, login) = match (target(machine), self.login(machine)) {
            (Ok(target), Ok(login)) => (target, login),
            (Err(message), _) | (_, Err(message)) => {
                tracing::error!(machine = %machine.id, message, "what is kept of a machine cannot be used");
                return unavailable(message.to_owned());
            }
        };
        match ssh::check(&target, &login).await {
            Ok(reached) => match reached.host_key.to_openssh() {
                Ok(host_key) => Finding { status: MachineStatus::Available, message: reached.message, host_key: Some(host_key) },
                Err(_) => unavailable("the server's host key cannot be written down".to_owned()),
            },
            Err(failure) => {
                if failure == Failure::HostKeyChanged {
                    let (name, address) = (&machine.spec.name, &machine.spec.ip_address);
                    tracing::warn!(machine = %machine.id, name, address, "the host key of a machine has changed");
                }
                unavailable(failure.to_string())
            }
        }
    }

    fn login(&self, machine: &Machine) -> Result<Login, &'static str> {
        let row = machine.id.to_string();
        let open = |column, sealed: &Option<Vec<u8>>| {
            let place = Place { table: "machines", column, row: &row };
            let plain = sealed.as_ref().map(|sealed| self.sealer.open(place, sealed)).transpose();
            let plain = plain.map_err(|_| "the secret that is kept cannot be opened; set it anew")?;
            plain.map(String::from_utf8).transpose().map_err(|_| "the secret that is kept is no text; set it anew")
        };
        let private_key = open("sealed_private_key", &machine.login.private_key)?;
        let private_key = private_key.map(|text| ssh::private_key(&text)).transpose();
        Ok(Login {
            private_key: private_key.map_err(|_| "the private key that is kept cannot be read; set it anew")?.map(Arc::new),
            password: open("sealed_password", &machine.login.password)?,
        })
    }
}

fn target(machine: &Machine) -> Result<Target, &'static str> {
    let pinned = (!machine.host_key.is_empty()).then(|| ssh::host_key(&machine.host_key)).transpose();
    Ok(Target {
        address: machine.spec.ip_address.clone(),
        port: machine.spec.ssh_port,
        user: machine.spec.user.clone(),
        pinned: pinned.map_err(|_| "the pinned host key cannot be read; set it anew")?,
    })
}

fn stopping() -> Error {
    Error::Unavailable { reason: "Stopping".into(), message: "the control plane is stopping".to_owned() }
}
