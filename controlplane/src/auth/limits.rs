//! How often callers may call: classes of methods, each with a number per minute for every key.
//!
//! A key is a user, or where nobody is known an address. A class holds no more than [`MAX_KEYS`] of them. Only a steady clock is
//! asked: setting the machine's time neither opens nor closes anything.

mod settings;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
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

pub use self::settings::Settings;
use super::identity::{Caller, Identity};
use crate::telemetry::Metrics;

/// The most keys of a class. Beyond it, new keys that anybody can make up share a few.
const MAX_KEYS: usize = 100_000;

/// How many they share.
const SHARED_KEYS: u64 = 1024;

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
    /// Names and addresses are hashed with a secret of this process, so that nobody can make up those that collide.
    hasher: RandomState,
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
    /// The hash of a user name in lower case.
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
    /// Limits as the settings say.
    #[must_use]
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Self {
        let start = Instant::now();
        Self::with_clock(settings, metrics, Steady(Arc::new(move || start.elapsed())))
    }

    fn with_clock(settings: Settings, metrics: Arc<Metrics>, clock: Steady) -> Self {
        let class = |name, per_minute: Option<NonZeroU32>| Some(Class::new(name, per_minute?, clock.clone()));
        Self(Arc::new(Classes {
            login: class("login", settings.login),
            general: class("general", settings.general),
            admin: class("admin", settings.admin),
            hasher: RandomState::new(),
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
        let name = self.0.hasher.hash_one(name.to_lowercase());
        self.count(class, Key::Username(name)).map(drop)
    }

    /// Forgets the keys that are as good as new.
    pub fn shrink(&self) {
        let Classes { login, general, admin, .. } = &*self.0;
        [login, general, admin].into_iter().flatten().for_each(Class::shrink);
    }

    fn count(&self, class: &Class, key: Key) -> Result<Standing, Refused> {
        let key = if key.is_open() && class.is_full() { Key::Shared(self.0.hasher.hash_one(key) % SHARED_KEYS) } else { key };
        class.count(key).inspect_err(|_| self.0.metrics.limited(class.name))
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

impl std::fmt::Debug for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
