//! Credentials at the wrong door, and tokens that do not hold.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value as Json, json};
use utopia_controlplane::{
    seal::Place,
    store::{KeptSecret, SigningKey},
};
use uuid::Uuid;

use crate::{
    databases::on_both_databases,
    plane::{Plane, sealer, text},
};

on_both_databases!(a_token_that_does_not_hold_is_refused_everywhere, tokens_survive_a_new_signing_key);

/// What a token of the user says.
fn claims(plane: &Plane) -> Json {
    let now = Timestamp::now();
    json!({
        "iss": "utopia", "aud": "utopia-user", "sub": plane.people.user.id.to_string(), "jti": Uuid::new_v4().to_string(),
        "iat": now.as_second(), "exp": (now + SignedDuration::from_hours(1)).as_second(), "epoch": 0, "username": "uma",
        "role": "user",
    })
}

fn place(kid: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "secret", row: kid }
}

/// A key that signs tokens, opened.
#[derive(Clone)]
pub(crate) struct Opened {
    kid: String,
    secret: Vec<u8>,
}

impl Opened {
    pub(crate) fn new(key: SigningKey) -> Self {
        let KeptSecret::Sealed(sealed) = key.secret else { panic!("the signing key is not sealed") };
        let secret = sealer().open(place(&key.kid), &sealed).unwrap();
        Self { kid: key.kid, secret }
    }
}

/// A token with these claims under this key.
pub(crate) fn signed(key: &Opened, claims: &Json) -> String {
    let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&key.secret)).unwrap()
}

fn with(mut claims: Json, name: &str, value: impl Into<Json>) -> Json {
    claims[name] = value.into();
    claims
}

async fn a_token_that_does_not_hold_is_refused_everywhere(plane: &Plane) {
    let store = plane.store().await;
    let key = Opened::new(store.signing_keys().await.unwrap().remove(0));
    store.close().await;
    let good = signed(&key, &claims(plane));
    plane.http.with_token(&good).get("/api/gpu-claims").await.expect(200);

    let hour_ago = (Timestamp::now() - SignedDuration::from_hours(1)).as_second();
    let other_key = Opened { secret: vec![7; 32], ..key.clone() };
    let unknown_key = Opened { kid: "unknown".into(), ..key.clone() };
    let join_token = plane.join_token(1).await;
    let (head, signature) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{head}.");
    let promoted = signed(&other_key, &with(claims(plane), "role", "admin"));
    let foreign_signature = format!("{}.{signature}", promoted.rsplit_once('.').unwrap().0);
    for (what, token, reason) in [
        ("expired", signed(&key, &with(claims(plane), "exp", hour_ago)), "TokenExpired"),
        ("another audience", signed(&key, &with(claims(plane), "aud", "utopia-agent")), "InvalidToken"),
        ("another issuer", signed(&key, &with(claims(plane), "iss", "elsewhere")), "InvalidToken"),
        ("another epoch", signed(&key, &with(claims(plane), "epoch", 1)), "TokenRevoked"),
        ("nobody", signed(&key, &with(claims(plane), "sub", "999")), "TokenRevoked"),
        ("no epoch", signed(&key, &with(claims(plane), "epoch", Json::Null)), "InvalidToken"),
        ("made in the future", signed(&key, &with(claims(plane), "iat", hour_ago + 7_200)), "InvalidToken"),
        ("an API token of nobody", format!("utp_{}_{}", Uuid::new_v4().simple(), "A".repeat(43)), "InvalidToken"),
        ("half an API token", "utp_".to_owned(), "InvalidToken"),
        ("another key", signed(&other_key, &claims(plane)), "InvalidToken"),
        ("an unknown key", signed(&unknown_key, &claims(plane)), "InvalidToken"),
        ("no signature", unsigned, "InvalidToken"),
        ("another's signature", foreign_signature, "InvalidToken"),
        ("a join token", text(&join_token, "token").to_owned(), "InvalidToken"),
        ("nonsense", "abc".to_owned(), "InvalidToken"),
    ] {
        let bearer = plane.http.with_token(&token);
        for path in ["/api/gpu-claims", "/api/nodes"] {
            assert_eq!(bearer.get(path).await.outcome(), (401, reason.to_owned()), "{what} at {path}");
        }
    }
    plane.http.get("/api/gpu-claims").await.expect_error(401, "MissingToken");
}

async fn tokens_survive_a_new_signing_key(plane: &Plane) {
    let store = plane.store().await;
    let first = store.signing_keys().await.unwrap().remove(0);
    // As another replica does it: the new key first, then the old one retires.
    let now = Timestamp::now() - SignedDuration::from_mins(1);
    let sealed = sealer().seal(place("second"), &[9; 32]).unwrap();
    store.insert_signing_key("second", &sealed, now).await.unwrap();
    store.retire_signing_key(&first.kid, now).await.unwrap();
    store.close().await;
    plane.as_user().get("/api/gpu-claims").await.expect(200);
}
