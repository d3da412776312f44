//! The limits under a clock of the tests' own.

use prometheus_client::registry::Registry;
use utopia_proto::policy::Owner;
use uuid::Uuid;

use super::*;
use crate::{
    auth::{Credential, Person},
    model::Role,
};

/// Limits whose clock stands still until it is set.
struct Bench {
    limits: Limits,
    now_ms: Arc<AtomicU64>,
}

impl Bench {
    fn new(settings: &str) -> Self {
        let now_ms = Arc::new(AtomicU64::new(0));
        let clock = now_ms.clone();
        let clock = Steady(Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed))));
        let metrics = Metrics::register(&mut Registry::default());
        Self { limits: Limits::with_clock(settings.parse().unwrap(), true, metrics, clock), now_ms }
    }

    fn wait(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// What is left after a call; none when it was refused.
    fn call(&self, limit: Limit, identity: &Identity) -> Option<u32> {
        self.limits.admit(policy(limit), identity).ok().map(|standing| standing.expect("counted").remaining)
    }
}

fn policy(limit: Limit) -> MethodPolicy {
    MethodPolicy { access: Access::Public, limit, owner: Owner::Unspecified, streams: false }
}

fn from(address: &str) -> Identity {
    Identity { caller: Caller::Anonymous, address: Some(address.parse().unwrap()) }
}

fn person(id: i64, address: &str) -> Identity {
    let credential = Credential::ApiToken(Uuid::nil());
    let person = Person { id, username: format!("u{id}"), role: Role::Admin, credential };
    Identity { caller: Caller::Person(person), ..from(address) }
}

#[test]
fn a_limit_is_a_burst_that_comes_back_little_by_little() {
    let bench = Bench::new("general=4");
    let ada = person(1, "10.0.0.1");
    assert_eq!([3, 2, 1, 0].map(Some), [(); 4].map(|()| bench.call(Limit::General, &ada)));
    let refused = bench.limits.admit(policy(Limit::General), &ada).unwrap_err();
    let whole = Duration::from_secs(60);
    assert_eq!(refused, Refused { standing: Standing { limit: 4, remaining: 0, reset: whole }, retry_after: whole / 4 });
    bench.wait(14_999);
    assert_eq!(bench.call(Limit::General, &ada), None);
    bench.wait(1);
    assert_eq!(bench.call(Limit::General, &ada), Some(0));
    bench.wait(60_000);
    let standing = bench.limits.admit(policy(Limit::General), &ada).unwrap();
    assert_eq!(standing, Some(Standing { limit: 4, remaining: 3, reset: whole / 4 }));
}

#[test]
fn people_are_counted_by_themselves_and_strangers_by_their_addresses() {
    let bench = Bench::new("login=1,general=1,admin=1");
    for limit in [Limit::General, Limit::Unspecified, Limit::Admin] {
        let bench = Bench::new("general=1,admin=1");
        assert_eq!(bench.call(limit, &person(1, "10.0.0.1")), Some(0), "{limit:?}");
        assert_eq!(bench.call(limit, &person(1, "10.0.0.2")), None, "{limit:?}");
        assert_eq!(bench.call(limit, &person(2, "10.0.0.1")), Some(0), "{limit:?}");
        assert_eq!(bench.call(limit, &from("10.0.0.1")), Some(0), "{limit:?}");
        assert_eq!(bench.call(limit, &from("10.0.0.1")), None, "{limit:?}");
    }
    assert_eq!(bench.call(Limit::Login, &person(1, "10.0.0.1")), Some(0));
    assert_eq!(bench.call(Limit::Login, &person(2, "10.0.0.1")), None);
    assert_eq!(bench.call(Limit::Login, &from("10.0.0.2")), Some(0));
    // The classes do not share.
    assert_eq!(bench.call(Limit::General, &from("10.0.0.2")), Some(0));
}

#[test]
fn an_address_is_what_one_client_has() {
    let bench = Bench::new("login=1");
    assert_eq!(bench.call(Limit::Login, &from("2001:db8:0:1::1")), Some(0));
    assert_eq!(bench.call(Limit::Login, &from("2001:db8:0:1:ffff::2")), None);
    assert_eq!(bench.call(Limit::Login, &from("2001:db8:0:2::1")), Some(0));
    assert_eq!(bench.call(Limit::Login, &from("::ffff:10.0.0.1")), Some(0));
    assert_eq!(bench.call(Limit::Login, &from("10.0.0.1")), None);
    let nowhere = Identity { caller: Caller::Anonymous, address: None };
    assert_eq!(bench.call(Limit::Login, &nowhere), Some(0));
    assert_eq!(bench.call(Limit::Login, &nowhere), None);
}

#[test]
fn a_user_name_is_counted_wherever_it_comes_from_and_however_it_is_written() {
    let bench = Bench::new("login=2");
    assert!(bench.limits.username("Ada").is_ok());
    assert!(bench.limits.username("aDA").is_ok());
    let status = Status::from(bench.limits.username("ada").unwrap_err());
    assert_eq!((status.code(), status::reason(&status)), (Code::ResourceExhausted, REASON.to_owned()));
    let sent = |name| status.metadata().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(
        ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(sent),
        [Some("30"), Some("2"), Some("0"), Some("60")]
    );
    assert!(bench.limits.username("bob").is_ok());
    assert!(Bench::new("off").limits.username("ada").is_ok());
}

#[test]
fn agents_and_methods_without_a_limit_are_not_counted() {
    let bench = Bench::new("login=1,general=1,admin=1");
    let node = Identity { caller: Caller::Node(uuid::Uuid::nil()), address: None };
    let agents = |access| MethodPolicy { access, ..policy(Limit::General) };
    for _ in 0..3 {
        assert_eq!(bench.limits.admit(policy(Limit::General), &node), Ok(None));
        assert_eq!(bench.limits.admit(policy(Limit::None), &from("10.0.0.1")), Ok(None));
        assert_eq!(bench.limits.admit(agents(Access::AgentCertificate), &from("10.0.0.1")), Ok(None));
        assert_eq!(bench.limits.admit(agents(Access::AgentToken), &from("10.0.0.1")), Ok(None));
    }
    assert_eq!(Bench::new("off").limits.admit(policy(Limit::Login), &from("10.0.0.1")), Ok(None));
}

#[test]
fn made_up_addresses_do_not_fill_the_memory() {
    let bench = Bench::new("login=1");
    let class = bench.limits.0.login.as_ref().unwrap();
    let address = |number: usize| from(&format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255));
    for number in 0..MAX_KEYS + 5_000 {
        bench.call(Limit::Login, &address(number));
    }
    assert!(class.limiter.len() <= MAX_KEYS + usize::try_from(SHARED_KEYS).unwrap(), "{}", class.limiter.len());
    assert_eq!(bench.call(Limit::Login, &address(MAX_KEYS + 1)), None, "a shared key is used up");
    bench.wait(121_000);
    // Whoever comes after the flood has a key of their own again.
    assert_eq!(bench.call(Limit::Login, &address(MAX_KEYS + 1)), Some(0));
    assert!(class.limiter.len() < 10);
    bench.wait(121_000);
    bench.limits.shrink();
    assert_eq!(class.limiter.len(), 0);
}

#[test]
fn what_another_process_admitted_is_taken_off() {
    let (here, there) = (Bench::new("login=3,general=5"), Bench::new("login=3,general=5"));
    let nowhere = Identity { caller: Caller::Anonymous, address: None };
    for identity in [&person(7, "10.0.0.1"), &person(7, "10.0.0.1"), &from("10.0.0.1"), &from("2001:db8::1"), &nowhere] {
        there.call(Limit::General, identity);
    }
    assert!(there.limits.username("Ada").is_ok() && there.limits.username("ada").is_ok());
    let told = there.limits.take_admitted();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(there.limits.take_admitted().is_empty());
    told.iter().for_each(|(key, count)| here.limits.take_off(key, *count));
    // What it was told of it does not tell on.
    assert!(here.limits.take_admitted().is_empty());

    assert_eq!(here.call(Limit::General, &person(7, "10.0.0.2")), Some(2));
    assert_eq!(here.call(Limit::General, &from("10.0.0.1")), Some(3));
    assert_eq!(here.call(Limit::General, &from("2001:db8::2")), Some(3));
    assert_eq!(here.call(Limit::General, &nowhere), Some(3));
    assert!(here.limits.username("ADA").is_ok() && here.limits.username("ada").is_err());
    // More than is left, and what nobody understands.
    here.limits.take_off("general user 8", 1_000_000);
    assert_eq!(here.call(Limit::General, &person(8, "10.0.0.2")), None);
    for nonsense in ["", "general", "general user", "general user x", "general shared 1", "other user 7", "login name -1"] {
        here.limits.take_off(nonsense, 1);
    }
}
