//! How often callers may call: classes of methods, each with a number per minute for every key.
//!
//! A key is a user, or where nobody is known an address. A class holds no more than [`MAX_KEYS`] of them. Only a steady clock is
//! asked: setting the machine's time neither opens nor closes anything.

mod settings;
mod sharing;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::Clock as _,
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::keyed::DashMapStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Code, Status};
use utopia_proto::{
    policy::{Access, Limit, MethodPolicy},
    status,
};

pub use self::{settings::Settings, sharing::Sharing};
use super::identity::{Caller, Identity};
use crate::telemetry::Metrics;

/// The most keys of a class. Beyond it, new keys that anybody can make up share a few.
const MAX_KEYS: usize = 100_000;

/// How many they share.
const SHARED_KEYS: u64 = 1024;

/// The most keys of which other processes are told at once.
const MAX_SHARED: usize = 5_000;

/// The reason of a refusal.
pub const REASON: &str = "RateLimited";

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The limits. Clones count together.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Classes>);

#[derive(Debug)]
struct Classes {
    login: Option<Class>,
    general: Option<Class>,
    admin: Option<Class>,
    /// Spreads keys over the shared ones with a secret of this process, so that nobody can make up those that collide.
    hasher: RandomState,
    /// What was admitted and other processes do not know yet; none when nothing is shared.
    admitted: Option<Mutex<HashMap<(&'static str, Key), u32>>>,
    metrics: Arc<Metrics>,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    User(i64),
    /// IPv6 by its /64, of which one client has all addresses.
    Address(IpAddr),
    /// All whose address is not known.
    Nowhere,
    /// The beginning of the SHA-256 of a user name in lower case, the same in every process.
    Username(u64),
    /// What is left for new keys when there are too many.
    Shared(u64),
}

impl Key {
    fn of_address(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Nowhere,
            Some(IpAddr::V6(address)) => Self::Address(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
            Some(address @ IpAddr::V4(_)) => Self::Address(address),
        }
    }

    /// Whether anybody can make up as many as they like.
    fn is_open(self) -> bool {
        match self {
            Self::Address(_) | Self::Username(_) => true,
            Self::User(_) | Self::Nowhere | Self::Shared(_) => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user {id}"),
            Self::Address(address) => write!(f, "address {address}"),
            Self::Nowhere => f.write_str("nowhere -"),
            Self::Username(hash) => write!(f, "name {hash}"),
            Self::Shared(number) => write!(f, "shared {number}"),
        }
    }
}

impl Key {
    /// Reads a key that another process wrote.
    fn parse(text: &str) -> Option<Self> {
        let (kind, text) = text.split_once(' ')?;
        match kind {
            "user" => text.parse().ok().map(Self::User),
            "address" => text.parse().ok().map(Self::Address),
            "nowhere" => Some(Self::Nowhere),
            "name" => text.parse().ok().map(Self::Username),
            _ => None,
        }
    }
}

/// How a key stands after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Calls per minute.
    limit: u32,
    /// Calls that are possible at once.
    remaining: u32,
    /// When the limit is whole again.
    reset: Duration,
}

impl Standing {
    /// Writes the headers that tell it, unless a narrower limit has done so.
    pub fn write(self, headers: &mut HeaderMap) {
        if headers.contains_key(LIMIT) {
            return;
        }
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, HeaderValue::from(whole_seconds(self.reset)));
    }
}

/// A call that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    standing: Standing,
    retry_after: Duration,
}

impl From<Refused> for Status {
    fn from(Refused { standing, retry_after }: Refused) -> Self {
        let (limit, seconds) = (standing.limit, whole_seconds(retry_after));
        let message = format!("too many requests: {limit} a minute are allowed; try again in {seconds} s");
        let mut status = status::retry_after(Code::ResourceExhausted, REASON, &message, retry_after);
        let mut headers = std::mem::take(status.metadata_mut()).into_headers();
        standing.write(&mut headers);
        *status.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        status
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

impl Limits {
    /// Limits as the settings say. When they are shared, a [`Sharing`] has to be run.
    #[must_use]
    pub fn new(settings: Settings, shared: bool, metrics: Arc<Metrics>) -> Self {
        let start = Instant::now();
        Self::with_clock(settings, shared, metrics, Steady(Arc::new(move || start.elapsed())))
    }

    fn with_clock(settings: Settings, shared: bool, metrics: Arc<Metrics>, clock: Steady) -> Self {
        let class = |name, per_minute: Option<NonZeroU32>| Some(Class::new(name, per_minute?, clock.clone()));
        Self(Arc::new(Classes {
            login: class("login", settings.login),
            general: class("general", settings.general),
            admin: class("admin", settings.admin),
            hasher: RandomState::new(),
            admitted: shared.then(Mutex::default),
            metrics,
        }))
    }

    /// Counts a call of a method. Without a standing, the caller is not counted.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn admit(&self, policy: MethodPolicy, identity: &Identity) -> Result<Option<Standing>, Refused> {
        let address = Key::of_address(identity.address);
        let caller = match &identity.caller {
            Caller::Person(person) => Key::User(person.id),
            Caller::Anonymous | Caller::Host(_) | Caller::Gateway => address,
            Caller::Node(_) => return Ok(None),
        };
        let (class, key) = match policy.limit {
            _ if matches!(policy.access, Access::AgentCertificate | Access::AgentToken) => return Ok(None),
            Limit::None => return Ok(None),
            Limit::Login => (&self.0.login, address),
            Limit::General | Limit::Unspecified => (&self.0.general, caller),
            Limit::Admin => (&self.0.admin, caller),
        };
        class.as_ref().map(|class| self.count(class, key)).transpose()
    }

    /// Counts an attempt to log in or register under a user name, from wherever it comes.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn username(&self, name: &str) -> Result<(), Refused> {
        let Some(class) = &self.0.login else { return Ok(()) };
        let digest = ring::digest::digest(&ring::digest::SHA256, name.to_lowercase().as_bytes());
        let name = digest.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        self.count(class, Key::Username(name)).map(drop)
    }

    /// Forgets the keys that are as good as new.
    pub fn shrink(&self) {
        let Classes { login, general, admin, .. } = &*self.0;
        [login, general, admin].into_iter().flatten().for_each(Class::shrink);
    }

    fn count(&self, class: &Class, key: Key) -> Result<Standing, Refused> {
        let key = if key.is_open() && class.is_full() { Key::Shared(self.0.hasher.hash_one(key) % SHARED_KEYS) } else { key };
        let standing = class.count(key).inspect_err(|_| self.0.metrics.limited(class.name))?;
        if let Some(admitted) = &self.0.admitted {
            let mut admitted = admitted.lock().unwrap_or_else(PoisonError::into_inner);
            if admitted.len() < MAX_SHARED || admitted.contains_key(&(class.name, key)) {
                *admitted.entry((class.name, key)).or_default() += 1;
            }
        }
        Ok(standing)
    }

    /// What was admitted since the last time, in words that [`Limits::take_off`] knows.
    fn take_admitted(&self) -> BTreeMap<String, u32> {
        let Some(admitted) = &self.0.admitted else { return BTreeMap::new() };
        let admitted = std::mem::take(&mut *admitted.lock().unwrap_or_else(PoisonError::into_inner));
        admitted.into_iter().map(|((class, key), count)| (format!("{class} {key}"), count)).collect()
    }

    /// Takes what another process admitted off what is left of a key here. What is more than is left is forgotten.
    fn take_off(&self, key: &str, count: u32) {
        let Some((class, key)) = key.split_once(' ') else { return };
        let Classes { login, general, admin, .. } = &*self.0;
        let class = [login, general, admin].into_iter().flatten().find(|known| known.name == class);
        let (Some(class), Some(key)) = (class, Key::parse(key)) else { return };
        if key.is_open() && class.is_full() {
            return;
        }
        // One by one: all at once is refused when there is less left.
        for _ in 0..count.min(class.per_minute.get()) {
            if class.count(key).is_err() {
                break;
            }
        }
    }
}

/// A clock that only goes forward, at its own pace: the time since it was made.
#[derive(Clone)]
struct Steady(Arc<dyn Fn() -> Duration + Send + Sync>);

impl governor::clock::Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

type Limiter = RateLimiter<Key, DashMapStateStore<Key>, Steady, StateInformationMiddleware>;

/// One class.
struct Class {
    name: &'static str,
    per_minute: NonZeroU32,
    /// After so long one more call is possible.
    interval: Duration,
    limiter: Limiter,
    clock: Steady,
    /// When a full class was shrunk, in seconds of the clock.
    shrunk_at: AtomicU64,
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class").field("name", &self.name).field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

impl Class {
    fn new(name: &'static str, per_minute: NonZeroU32, clock: Steady) -> Self {
        let quota = Quota::per_minute(per_minute);
        let limiter = Limiter::new(quota, DashMapStateStore::default(), clock.clone());
        Self { name, per_minute, interval: quota.replenish_interval(), limiter, clock, shrunk_at: AtomicU64::new(u64::MAX) }
    }

    fn count(&self, key: Key) -> Result<Standing, Refused> {
        let limit = self.per_minute.get();
        let standing = |snapshot: StateSnapshot| {
            let remaining = snapshot.remaining_burst_capacity();
            Standing { limit, remaining, reset: self.interval * limit.saturating_sub(remaining) }
        };
        self.limiter.check_key(&key).map(standing).map_err(|refused| {
            let retry_after = refused.wait_time_from(self.clock.now());
            let reset = retry_after + self.interval * (limit - 1);
            Refused { standing: Standing { limit, remaining: 0, reset }, retry_after }
        })
    }

    /// Whether there is room for no further key, also after those that are as good as new were forgotten. That is looked into
    /// once a second, because it visits every key.
    fn is_full(&self) -> bool {
        if self.limiter.len() < MAX_KEYS {
            return false;
        }
        let now = self.clock.now().as_secs();
        if self.shrunk_at.swap(now, Ordering::Relaxed) != now {
            self.shrink();
        }
        self.limiter.len() >= MAX_KEYS
    }

    fn shrink(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}
