//! Tokens and the keys that sign them, on a real store and a clock of their own.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;

use super::*;
use crate::store::{
    Store,
    testing::{at, on_sqlite, user},
};

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
            move || at(second.load(Ordering::Relaxed))
        });
        let keys = KeyRing::load(store.clone(), clock.clone()).await.unwrap();
        let tokens = Tokens::new(keys.clone(), clock.clone());
        let alice = user(&store, "alice", Role::Operator).await;
        Self { store, second, clock, keys, tokens, alice }
    }

    fn issue(&self) -> String {
        self.tokens.issue(&self.alice).unwrap()
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
        assert_eq!((identity.user_id, identity.username.as_str(), identity.role), (scene.alice.id, "alice", Role::Operator));
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
async fn refusals_say_why() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        assert_eq!(scene.refusal("").await, ("InvalidToken", "a bearer token is needed"));
        for malformed in ["x", "a.b.c", "…", &scene.issue().replace('.', "")] {
            assert_eq!(scene.refusal(malformed).await, ("InvalidToken", "the token cannot be read"), "{malformed}");
        }
        let other = scene.forge(|claims| claims["aud"] = "utopia-agent".into());
        assert_eq!(scene.refusal(&other).await, ("InvalidToken", "the token is for another purpose"));
        for claim in ["iss", "aud", "sub", "exp", "jti", "role", "username"] {
            let without = scene.forge(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(scene.refusal(&without).await, ("InvalidToken", "the token cannot be read"), "{claim}");
        }
        let unknown_role = scene.forge(|claims| claims["role"] = "root".into());
        assert_eq!(scene.refusal(&unknown_role).await, ("InvalidToken", "the token cannot be read"));
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

        let restarted = KeyRing::load(scene.store.clone(), scene.clock.clone()).await.unwrap();
        assert_eq!(restarted.signing().unwrap().kid, kid);
        Tokens::new(restarted, scene.clock.clone()).verify(&old).await.unwrap();

        scene.at(3600 + 24 * 3600 + 6);
        let restarted = KeyRing::load(scene.store.clone(), scene.clock.clone()).await.unwrap();
        assert_eq!(format!("{restarted:?}").matches("kid").count(), 1);
    })
    .await;
}

#[tokio::test]
async fn another_replicas_new_key_is_found_without_asking_the_store_for_every_token() {
    on_sqlite(async |store| {
        let scene = Scene::new(store).await;
        let replica = KeyRing::load(scene.store.clone(), scene.clock.clone()).await.unwrap();
        replica.rotate().await.unwrap();
        let token = Tokens::new(replica, scene.clock.clone()).issue(&scene.alice).unwrap();
        assert_eq!(scene.refusal(&token).await.0, "InvalidToken");
        scene.at(10);
        scene.tokens.verify(&token).await.unwrap();
    })
    .await;
}
