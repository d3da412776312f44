//! Accounts on real stores, under a clock of the tests' own.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    auth::{Caller, Person, agent_token::AgentTokens, api_token::ApiTokenSecret, credentials::Credentials, keys::KeyRing},
    model::people::ApiToken,
    seal::Sealer,
    store::testing::{at, new_claim, on_both_databases},
};

on_both_databases!(
    guessing_locks_a_name_for_longer_and_longer,
    a_lock_is_for_names_of_nobody_as_well,
    success_an_administrator_and_a_new_password_lift_a_lock,
    a_clock_that_jumps_back_locks_no_longer_than_the_longest_lock,
    a_crowd_of_guesses_is_counted_one_by_one,
    a_token_is_exchanged_once,
    a_token_is_exchanged_within_its_grace,
    what_revokes_a_session_does_so_at_once,
    a_change_by_another_replica_is_noticed,
    of_administrators_who_remove_each_other_one_remains,
    a_deleted_user_is_gone_and_their_name_is_free,
    live_claims_hold_a_user,
    test_tokens_are_for_development_and_plain_users,
    the_use_of_api_tokens_is_written_down_apart,
);

const PASSWORD: &str = "correct horse";

struct Scene {
    store: Store,
    second: Arc<AtomicI64>,
    clock: Clock,
    tokens: Tokens,
    accounts: Accounts,
    credentials: Credentials,
}

impl Scene {
    async fn new(store: Store) -> Self {
        Self::with(store, false).await
    }

    async fn with(store: Store, development: bool) -> Self {
        let second = Arc::new(AtomicI64::new(0));
        let shared = Arc::clone(&second);
        let clock = Clock::from_fn(move || at(shared.load(Ordering::Relaxed)));
        let keys = KeyRing::load(store.clone(), Sealer::new([7; 32]), clock.clone()).await.unwrap();
        let tokens = Tokens::new(keys, clock.clone());
        let sessions = Sessions::new(store.clone(), clock.clone());
        let credentials = Credentials::new(tokens.clone(), sessions.clone(), AgentTokens::new(store.clone()));
        let (store_too, tokens_too) = (store.clone(), tokens.clone());
        let accounts = Accounts::new(store_too, Passwords::new(), tokens_too, sessions, clock.clone(), development);
        Self { store, second, clock, tokens, accounts, credentials }
    }

    /// The same accounts, as another replica has them.
    fn replica(&self) -> Self {
        let sessions = Sessions::new(self.store.clone(), self.clock.clone());
        let credentials = Credentials::new(self.tokens.clone(), sessions.clone(), AgentTokens::new(self.store.clone()));
        let (store, tokens) = (self.store.clone(), self.tokens.clone());
        let accounts = Accounts::new(store, Passwords::new(), tokens, sessions, self.clock.clone(), false);
        let (store, tokens) = (self.store.clone(), self.tokens.clone());
        Self { store, second: Arc::clone(&self.second), clock: self.clock.clone(), tokens, accounts, credentials }
    }

    fn at(&self, second: i64) {
        self.second.store(second, Ordering::Relaxed);
    }

    fn wait(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn register(&self, username: &str, role: Role) -> User {
        let new = Registration { username: username.into(), email: String::new(), password: PASSWORD.into(), role };
        self.accounts.register(new, trail()).await.unwrap()
    }

    async fn log_in(&self, username: &str, password: &str) -> Result<(Issued, User)> {
        self.accounts.log_in(username, password, trail()).await
    }

    async fn token(&self, username: &str) -> String {
        self.log_in(username, PASSWORD).await.unwrap().0.token
    }

    /// For how many seconds a name is locked; none when it is not, and the password was wrong.
    async fn guess(&self, username: &str) -> Option<u64> {
        match self.log_in(username, "a wrong guess").await.map(|_| ()) {
            Err(Error::Exhausted { reason: "LoginLocked", retry_after: Some(after), .. }) => Some(after.as_secs()),
            Err(Error::Unauthenticated { reason: "InvalidCredentials", .. }) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Makes so many wrong guesses that count, waiting for each lock to end.
    async fn guess_often(&self, username: &str, times: usize) {
        for _ in 0..times {
            while let Some(seconds) = self.guess(username).await {
                self.wait(seconds.cast_signed());
            }
        }
    }

    async fn person(&self, token: &str) -> Result<Person> {
        match self.credentials.caller(token).await? {
            Caller::Person(person) => Ok(person),
            Caller::Anonymous | Caller::Node(_) | Caller::Host(_) | Caller::Gateway => panic!("no person"),
        }
    }

    async fn refused(&self, token: &str) -> bool {
        let at_hand = self.credentials.at_hand(token).map(|caller| caller.is_err());
        let refused = matches!(self.person(token).await, Err(Error::Unauthenticated { .. }));
        assert!(at_hand.is_none_or(|at_hand| at_hand == refused), "the cache and the store say the same");
        refused
    }

    async fn user(&self, username: &str) -> User {
        self.store.user_by_name(username).await.unwrap().unwrap()
    }
}

fn trail() -> Trail {
    Trail { user: String::new(), ..Trail::system("session", "Test") }
}

fn reason<T: std::fmt::Debug>(result: Result<T>) -> String {
    utopia_proto::status::reason(&result.unwrap_err().into())
}

async fn guessing_locks_a_name_for_longer_and_longer(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    for lock in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        let free = if lock == 1 { 5 } else { 1 };
        for _ in 0..free {
            assert_eq!(scene.guess("ada").await, None, "before the lock of {lock} s");
        }
        assert_eq!(scene.guess("aDA").await, Some(lock), "whatever the case of the letters");
        assert_eq!(
            reason(scene.log_in("ada", PASSWORD).await.map(|_| ())),
            "LoginLocked",
            "the right password is refused as well"
        );
        assert_eq!(scene.replica().guess("ada").await, Some(lock), "another replica, or this one after a restart");
        scene.wait(lock.cast_signed());
    }
    scene.token("ada").await;
    assert!(scene.store.login_failures("ada").await.unwrap().is_none());
}

async fn a_lock_is_for_names_of_nobody_as_well(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    for round in 0..7 {
        assert_eq!(scene.guess("ada").await, scene.guess("nobody").await, "round {round}");
        scene.wait(i64::from(round == 5));
    }
    // Nobody can have this name: there is nothing to count.
    for _ in 0..7 {
        assert_eq!(scene.guess("no such name").await, None);
    }
    assert!(scene.store.login_failures("no such name").await.unwrap().is_none());
}

async fn success_an_administrator_and_a_new_password_lift_a_lock(store: Store) {
    let scene = Scene::new(store).await;
    let ada = scene.register("ada", Role::User).await;
    for way in 0..3 {
        scene.guess_often("ada", 5).await;
        assert!(scene.guess("ada").await.is_some());
        match way {
            0 => {
                scene.wait(1);
                scene.token("ada").await;
            }
            1 => scene.accounts.unlock(&ada, &trail()).await.unwrap(),
            _ => {
                let ada = scene.user("ada").await;
                scene.accounts.change_password(&ada, Proof::Administrator, "battery staple", &trail()).await.unwrap();
            }
        }
        assert_eq!(scene.guess("ada").await, None, "way {way}");
        scene.accounts.unlock(&ada, &trail()).await.unwrap();
    }
    // Guessing the old password is guessing.
    let ada = scene.user("ada").await;
    for _ in 0..5 {
        let guess = scene.accounts.change_password(&ada, Proof::OldPassword("a wrong guess"), "something new", &trail()).await;
        assert_eq!(reason(guess), "WrongPassword");
    }
    let right = scene.accounts.change_password(&ada, Proof::OldPassword("battery staple"), "something new", &trail()).await;
    assert_eq!(reason(right), "LoginLocked");
    assert!(scene.guess("ada").await.is_some());
}

async fn a_clock_that_jumps_back_locks_no_longer_than_the_longest_lock(store: Store) {
    let scene = Scene::new(store).await;
    scene.at(1_000_000);
    scene.guess_often("ada", 12).await;
    assert_eq!(scene.guess("ada").await, Some(128));
    scene.wait(-600);
    assert_eq!(scene.guess("ada").await, Some(728));
    scene.at(0);
    assert_eq!(scene.guess("ada").await, None, "a lock that ends in days is none");

    let now = scene.clock.now();
    let hours = SignedDuration::from_hours;
    assert_eq!(scene.store.expire_login_failures(now - hours(1), now + hours(1)).await.unwrap(), 0);
    assert_eq!(scene.store.expire_login_failures(now - hours(2), now - hours(1)).await.unwrap(), 1, "from the future");
}

async fn a_crowd_of_guesses_is_counted_one_by_one(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    let guesses = join_all((0..12).map(|_| scene.guess("ada"))).await;
    assert_eq!(guesses.iter().filter(|guess| guess.is_none()).count(), 5, "{guesses:?}");
    assert_eq!(scene.store.login_failures("ada").await.unwrap().unwrap().count, 5);
}

async fn a_token_is_exchanged_once(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    let old = scene.token("ada").await;
    assert!(!scene.refused(&old).await);
    let answers = join_all((0..8).map(|_| scene.accounts.refresh(&old, trail()))).await;
    let new = answers.into_iter().filter_map(Result::ok).map(|(issued, _)| issued.token).collect::<Vec<_>>();
    assert_eq!(new.len(), 1);
    assert!(scene.refused(&old).await && !scene.refused(&new[0]).await);
    assert_eq!(reason(scene.accounts.refresh(&old, trail()).await.map(|_| ())), "TokenRevoked");
    let (newer, user) = scene.accounts.refresh(&new[0], trail()).await.unwrap();
    assert_eq!(user.username, "ada");
    assert!(scene.refused(&new[0]).await && !scene.refused(&newer.token).await);
}

async fn a_token_is_exchanged_within_its_grace(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    let (first, second) = (scene.token("ada").await, scene.token("ada").await);
    scene.at(24 * 3600 + 300);
    assert!(scene.refused(&first).await);
    let (fresh, _) = scene.accounts.refresh(&first, trail()).await.unwrap();
    assert!(!scene.refused(&fresh.token).await);
    assert_eq!(scene.store.expire_revocations(scene.clock.now()).await.unwrap(), 0, "the exchanged one is still remembered");
    assert_eq!(reason(scene.accounts.refresh(&first, trail()).await.map(|_| ())), "TokenRevoked");
    scene.at(24 * 3600 + 606);
    for token in [&first, &second] {
        assert_eq!(reason(scene.accounts.refresh(token, trail()).await.map(|_| ())), "TokenExpired");
    }
    scene.at(25 * 3600);
    assert_eq!(scene.store.expire_revocations(scene.clock.now()).await.unwrap(), 1);
    assert_eq!(reason(scene.accounts.refresh("", trail()).await.map(|_| ())), "MissingField");
    assert_eq!(reason(scene.accounts.refresh("nonsense", trail()).await.map(|_| ())), "InvalidToken");
}

async fn what_revokes_a_session_does_so_at_once(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("root", Role::Admin).await;
    scene.register("ada", Role::User).await;
    let role = |role| UserChange { email: None, role: Some(role) };
    for cause in ["log-out", "password", "role", "deletion"] {
        let (token, other) = (scene.token("ada").await, scene.token("ada").await);
        let ada = scene.user("ada").await;
        // Both are in the cache now.
        let person = scene.person(&token).await.unwrap();
        assert!(!scene.refused(&other).await);
        match cause {
            "log-out" => scene.accounts.log_out(person.session().unwrap(), &trail()).await.unwrap(),
            "password" => scene.accounts.change_password(&ada, Proof::OldPassword(PASSWORD), PASSWORD, &trail()).await.unwrap(),
            "role" => drop(scene.accounts.update(&ada, role(Role::Operator), &trail()).await.unwrap()),
            _ => drop(scene.accounts.delete(&ada, false, &trail()).await.unwrap()),
        }
        assert!(scene.refused(&token).await, "{cause}");
        assert_eq!(scene.refused(&other).await, cause != "log-out", "{cause}");
        assert_eq!(reason(scene.accounts.refresh(&token, trail()).await.map(|_| ())), "TokenRevoked", "{cause}");
    }
}

async fn a_change_by_another_replica_is_noticed(store: Store) {
    let scene = Scene::new(store).await;
    scene.register("ada", Role::User).await;
    let token = scene.token("ada").await;
    assert!(!scene.refused(&token).await);
    let replica = scene.replica();
    let ada = scene.user("ada").await;
    replica.accounts.change_password(&ada, Proof::Administrator, "battery staple", &trail()).await.unwrap();
    let noticed = async {
        while !scene.refused(&token).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), noticed).await.expect("a replica's change holds soon");
}

async fn of_administrators_who_remove_each_other_one_remains(store: Store) {
    let scene = Scene::new(store).await;
    let mut names = ["ann", "bob", "cid"].map(str::to_owned);
    for round in 0..3 {
        let admins = join_all(names.iter().map(|name| scene.register(name, Role::Admin))).await;
        let outcomes = join_all(admins.iter().enumerate().map(async |(index, admin)| {
            let demote = UserChange { email: None, role: Some(Role::User) };
            match (index + round) % 2 {
                0 => scene.accounts.delete(admin, false, &trail()).await.map(drop),
                _ => scene.accounts.update(admin, demote, &trail()).await.map(drop),
            }
        }))
        .await;
        // From the second round on, one of the first is there besides.
        let refused = outcomes.into_iter().filter(Result::is_err).map(reason).collect::<Vec<_>>();
        assert!(
            refused.iter().all(|reason| reason == "LastAdministrator") && refused.len() == usize::from(round == 0),
            "{refused:?}"
        );
        assert!(scene.store.has_administrator().await.unwrap());
        names = names.map(|name| format!("{name}{round}"));
    }
}

async fn a_deleted_user_is_gone_and_their_name_is_free(store: Store) {
    let scene = Scene::new(store).await;
    let first = scene.register("ada", Role::User).await;
    scene.guess_often("ada", 3).await;
    scene.accounts.delete(&first, false, &trail()).await.unwrap();
    assert_eq!(reason(scene.accounts.delete(&first, false, &trail()).await), "NotFound");
    assert_eq!(reason(scene.accounts.update(&first, UserChange::default(), &trail()).await), "NotFound");
    assert_eq!(scene.guess("ada").await, None);
    assert!(scene.store.user_by_name("ada").await.unwrap().is_none());
    assert!(scene.store.user_by_uuid(first.uuid).await.unwrap().is_none());

    let second = scene.register("Ada", Role::User).await;
    assert!(second.id > first.id && second.uuid != first.uuid);
    assert_eq!(scene.log_in("ada", PASSWORD).await.unwrap().1.id, second.id);
}

async fn live_claims_hold_a_user(store: Store) {
    let scene = Scene::new(store).await;
    let ada = scene.register("ada", Role::User).await;
    let claims = join_all(
        (0..2).map(async |_| scene.store.admit_claim(new_claim(&ada, 0, at(0)), Role::User, &trail()).await.unwrap().claim.id),
    );
    let mut claims = claims.await;
    scene.store.delete_claim(claims.pop().unwrap(), None, at(0), &trail()).await.unwrap();
    assert_eq!(reason(scene.accounts.delete(&ada, false, &trail()).await), "UserHasClaims");
    assert!(scene.store.claim(claims[0]).await.unwrap().is_some(), "nothing was deleted");
    assert!(!scene.refused(&scene.token("ada").await).await);

    let deleted = scene.accounts.delete(&ada, true, &trail()).await.unwrap();
    assert_eq!(deleted.claims, claims);
    assert!(scene.store.claim(claims[0]).await.unwrap().is_none());
    assert_eq!(scene.store.unsettled_claims().await.unwrap().len(), 2, "the reconciler still releases them");
    let late = scene.store.admit_claim(new_claim(&ada, 0, at(0)), Role::User, &trail()).await.unwrap_err();
    assert_eq!(reason(Err::<(), _>(Error::from(late))), "NotFound");
}

async fn test_tokens_are_for_development_and_plain_users(store: Store) {
    let strict = Scene::new(store.clone()).await;
    assert_eq!(reason(strict.accounts.test_token(trail()).await.map(|_| ())), "NotFound");
    assert!(store.user_by_name("developer").await.unwrap().is_none());

    let scene = Scene::with(store, true).await;
    let made = join_all((0..4).map(|_| scene.accounts.test_token(trail()))).await;
    for issued in made {
        let person = scene.person(&issued.unwrap().token).await.unwrap();
        assert_eq!((person.username.as_str(), person.role), ("developer", Role::User));
    }
    let developer = scene.user("developer").await;
    let promote = UserChange { email: None, role: Some(Role::Operator) };
    scene.accounts.update(&developer, promote, &trail()).await.unwrap();
    assert_eq!(reason(scene.accounts.test_token(trail()).await.map(|_| ())), "NotFound");
}

async fn the_use_of_api_tokens_is_written_down_apart(store: Store) {
    let scene = Scene::new(store).await;
    let ada = scene.register("ada", Role::User).await;
    let secrets = [(); 2].map(|()| ApiTokenSecret::generate().unwrap());
    for (secret, name) in secrets.iter().zip(["used", "idle"]) {
        let token = ApiToken {
            id: secret.id,
            user_id: ada.id,
            username: ada.username.clone(),
            name: name.to_owned(),
            role: Role::Readonly,
            expires_at: at(3600),
            created_at: at(0),
            last_used_at: None,
        };
        scene.store.create_api_token(&token, &secret.hash(), &trail()).await.unwrap();
    }
    let used = secrets[0].to_string();
    for _ in 0..3 {
        assert_eq!(scene.person(&used).await.unwrap().role, Role::Readonly);
    }
    let last_used =
        async |secret: &ApiTokenSecret| scene.store.api_token_state(secret.id).await.unwrap().unwrap().token.last_used_at;
    assert_eq!(last_used(&secrets[0]).await, None, "no call waits for it");
    scene.at(30);
    // One that is cancelled writes what there is, and ends.
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    scene.accounts.sessions.clone().note_use(cancelled).await;
    assert_eq!((last_used(&secrets[0]).await, last_used(&secrets[1]).await), (Some(at(30)), None));

    scene.at(-10);
    assert!(scene.refused(&used).await, "a clock that is set back does not prolong its life");
    scene.at(3600);
    assert!(scene.refused(&used).await);
    assert_eq!(scene.store.expire_api_tokens(scene.clock.now()).await.unwrap(), 2);
}
