//! Tokens and the keys that sign them, on a real store and a clock of their own.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;

use super::*;
use crate::{
    model::Role,
    seal::Sealer,
    store::{
        KeptSecret, Options, Store,
        testing::{at, on_sqlite, user},
    },
};

fn sealer() -> Sealer {
    Sealer::new([7; 32])
}

struct Scene {
    store: Store,
    second: Arc<AtomicI64>,
    clock: Clock,
    keys: KeyRing,
    tokens: Tokens,
    alice: User,
}

impl Scene {
    async fn new(store: Store) -> Self {
        let second = Arc::new(AtomicI64::new(0));
        let clock = Clock::from_fn({
            let second = Arc::clone(&second);
            move || match second.load(Ordering::Relaxed) {
                i64::MAX => Timestamp::MAX,
                second => at(second),
            }
        });
        let keys = KeyRing::load(store.clone(), sealer(), clock.clone()).await.unwrap();
        let tokens = Tokens::new(keys.clone(), clock.clone());
        let alice = user(&store, "alice", Role::Operator).await;
        Self { store, second, clock, keys, tokens, alice }
    }

    fn issue(&self) -> String {
        self.tokens.issue(&self.alice).unwrap().token
    }

    fn at(&self, second: i64) {
        self.second.store(second, Ordering::Relaxed);
    }

    async fn refusal(&self, token: &str) -> (&'static str, &'static str) {
        match self.tokens.verify(token).await {
            Err(Error::Unauthenticated { reason, message }) => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    /// A token under the key that signs now, with other claims.
    fn forge(&self, change: impl FnOnce(&mut serde_json::Value)) -> String {
        let payload = self.issue().split('.').nth(1).unwrap().to_owned();
        let mut claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        change(&mut claims);
        let key = self.keys.signing().unwrap();
        let header = Header { kid: Some(key.kid), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &key.encoding).unwrap()
    }
}

#[tokio::test]
async fn a_token_stands_for_its_user_until_it_expires() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let token = scene.issue();
        let identity = scene.tokens.verify(&token).await.unwrap();
        assert_eq!((identity.user_id, identity.epoch), (scene.alice.id, 0));
        assert_eq!(identity.expires_at, at(24 * 3600));
        assert_ne!(identity.token_id, scene.tokens.verify(&scene.issue()).await.unwrap().token_id);

        scene.at(24 * 3600 + 4);
        assert_eq!(scene.tokens.verify(&token).await.unwrap(), identity);
        scene.at(24 * 3600 + 5);
        assert_eq!(scene.refusal(&token).await, ("TokenExpired", "the token has expired"));
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_prolong_a_life() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let token = scene.issue();
        scene.at(-5);
        scene.tokens.verify(&token).await.unwrap();
        for second in [-6, -3600, -1_000_000_000] {
            scene.at(second);
            assert_eq!(scene.refusal(&token).await.1, "the token was made later than now: log in again", "{second}");
        }
        scene.at(0);
        scene.tokens.verify(&token).await.unwrap();
        scene.second.store(i64::MAX, Ordering::Relaxed);
        assert!(scene.tokens.issue(&scene.alice).is_err(), "there is no day after the last");
        assert_eq!(scene.refusal(&token).await.0, "TokenExpired");
    })
    .await;
}

#[tokio::test]
async fn grace_is_for_those_who_ask_for_it() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let token = scene.issue();
        let end = 24 * 3600;
        for (second, holds, within_grace) in
            [(0, true, true), (end + 5, false, true), (end + 604, false, true), (end + 605, false, false)]
        {
            scene.at(second);
            assert_eq!(scene.tokens.verify(&token).await.is_ok(), holds, "{second}");
            assert_eq!(scene.tokens.verify_within(&token, REFRESH_GRACE).await.is_ok(), within_grace, "{second}");
        }
    })
    .await;
}

#[tokio::test]
async fn refusals_say_why() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        assert_eq!(scene.refusal("").await, ("InvalidToken", "a bearer token is needed"));
        for malformed in ["x", "a.b.c", "…", &scene.issue().replace('.', "")] {
            assert_eq!(scene.refusal(malformed).await, ("InvalidToken", "the token cannot be read"), "{malformed}");
        }
        let other = scene.forge(|claims| claims["aud"] = "utopia-agent".into());
        assert_eq!(scene.refusal(&other).await, ("InvalidToken", "the token is for another purpose"));
        for claim in ["iss", "aud", "sub", "iat", "exp", "jti", "epoch"] {
            let without = scene.forge(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(scene.refusal(&without).await, ("InvalidToken", "the token cannot be read"), "{claim}");
        }
        for (claim, value) in [("sub", "alice"), ("jti", "1"), ("exp", "soon")] {
            let odd = scene.forge(|claims| claims[claim] = value.into());
            assert_eq!(scene.refusal(&odd).await, ("InvalidToken", "the token cannot be read"), "{claim}");
        }
        let endless = scene.forge(|claims| claims["exp"] = i64::MAX.into());
        assert_eq!(scene.refusal(&endless).await, ("InvalidToken", "the token cannot be read"));
        let elsewhere = scene.forge(|claims| claims["iss"] = "elsewhere".into());
        assert_eq!(scene.refusal(&elsewhere).await.0, "InvalidToken");
    })
    .await;
}

#[tokio::test]
async fn nothing_but_the_key_makes_a_signature() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let bad = ("InvalidToken", "the token's signature is not valid");
        let token = scene.issue();
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = head.split_once('.').unwrap();
        let admin = scene.forge(|claims| claims["role"] = "admin".into());
        let payload = admin.split('.').nth(1).unwrap();
        assert_eq!(scene.refusal(&format!("{header}.{payload}.{signature}")).await, bad);

        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let own = EncodingKey::from_secret(&[7; 64]);
        let kid = scene.keys.signing().unwrap().kid;
        for (kid, algorithm) in
            [(kid.as_str(), Algorithm::HS256), (kid.as_str(), Algorithm::HS512), ("another", Algorithm::HS256)]
        {
            let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
            assert_eq!(scene.refusal(&jsonwebtoken::encode(&header, &claims, &own).unwrap()).await, bad, "{header:?}");
        }
        let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{kid}"}}"#));
        assert_eq!(scene.refusal(&format!("{none}.{payload}.")).await, ("InvalidToken", "the token cannot be read"));
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_verifies_what_it_signed_and_no_longer() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        scene.at(3600);
        let old = scene.issue();
        let kid = scene.keys.rotate().await.unwrap();
        assert_eq!(scene.keys.signing().unwrap().kid, kid);
        scene.tokens.verify(&old).await.unwrap();
        scene.tokens.verify(&scene.issue()).await.unwrap();

        let restarted = KeyRing::load(scene.store.clone(), sealer(), scene.clock.clone()).await.unwrap();
        assert_eq!(restarted.signing().unwrap().kid, kid);
        Tokens::new(restarted, scene.clock.clone()).verify(&old).await.unwrap();

        scene.at(3600 + 24 * 3600 + 606);
        let restarted = KeyRing::load(scene.store.clone(), sealer(), scene.clock.clone()).await.unwrap();
        assert_eq!(format!("{restarted:?}").matches("kid").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn another_replicas_new_key_is_found_without_asking_the_store_for_every_token() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let replica = KeyRing::load(scene.store.clone(), sealer(), scene.clock.clone()).await.unwrap();
        replica.rotate().await.unwrap();
        let token = Tokens::new(replica, scene.clock.clone()).issue(&scene.alice).unwrap().token;
        assert_eq!(scene.refusal(&token).await.0, "InvalidToken");
        scene.at(10);
        scene.tokens.verify(&token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn keys_lie_sealed_and_another_seal_key_is_told_at_once() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let kept = scene.store.signing_keys().await.unwrap();
        assert!(matches!(&kept[..], [key] if matches!(key.secret, KeptSecret::Sealed(_))), "{kept:?}");
        let other = Sealer::new([8; 32]);
        let error = KeyRing::load(scene.store.clone(), other, scene.clock.clone()).await.unwrap_err();
        assert!(error.to_string().contains("UTOPIA_SEAL_KEY"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_an_older_version_left_in_plain_is_sealed_and_still_verifies() {
    on_sqlite(async |store| {
        store.insert_plain_signing_key("old", &[9; 32], at(0)).await;
        let scene = Scene::new(store).await;
        let token = scene.issue();
        let kept = scene.store.signing_keys().await.unwrap();
        assert!(matches!(&kept[..], [key] if matches!(&key.secret, KeptSecret::Sealed(sealed) if sealed.len() > 32)), "{kept:?}");
        let restarted = KeyRing::load(scene.store.clone(), sealer(), scene.clock.clone()).await.unwrap();
        assert!(Tokens::new(restarted, scene.clock.clone()).verify(&token).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_lay_in_plain_leaves_no_trace_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("utopia.db");
    let store = Store::open(&format!("sqlite://{}", path.display()), Options::default()).await.unwrap();
    let secret = b"32 bytes of a key that is plain!";
    store.insert_plain_signing_key("old", secret, at(0)).await;
    KeyRing::load(store.clone(), sealer(), Clock::from_fn(|| at(0))).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(path).unwrap();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the key can still be read");
}
