//! Signatures of what is sent, as Standard Webhooks has them, and once more over the body alone.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use ring::hmac::{self, HMAC_SHA256};

use crate::error::{Error, Result};

/// What secrets begin with whose key is in base64.
const PREFIX: &str = "whsec_";

/// The length of such a key in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The length of other secrets in bytes.
const PLAIN_BYTES: std::ops::RangeInclusive<usize> = 8..=256;

/// With or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A new secret.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate_secret() -> Result<String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::internal("make a webhook's secret", error))?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(key)))
}

/// The key that a secret stands for: what follows `whsec_` decoded, or the secret's own bytes.
///
/// # Errors
/// `Invalid` when it is no secret; it is not repeated.
pub fn key(secret: &str) -> Result<Vec<u8>> {
    let invalid = || Error::invalid("secret", "must be 8 to 256 bytes, or `whsec_` and 24 to 64 bytes in base64");
    match secret.strip_prefix(PREFIX) {
        Some(encoded) => LENIENT.decode(encoded).ok().filter(|key| KEY_BYTES.contains(&key.len())).ok_or_else(invalid),
        None if PLAIN_BYTES.contains(&secret.len()) && !secret.contains(char::is_control) => Ok(secret.into()),
        None => Err(invalid()),
    }
}

/// The headers of a message that is sent at a time in seconds.
pub(super) fn headers(key: &[u8], id: &str, timestamp: i64, body: &str) -> [(&'static str, String); 4] {
    let key = hmac::Key::new(HMAC_SHA256, key);
    let timestamp = timestamp.to_string();
    let signature = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    let of_body = hmac::sign(&key, body.as_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
        ("x-webhook-signature", of_body.as_ref().iter().fold("sha256=".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_has_its_signature() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let [_, _, (_, signature), _] = headers(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_body_alone_is_signed_too() {
        let [.., (name, signature)] = headers(b"Jefe", "id", 0, "what do ya want for nothing?");
        // RFC 4231, test case 2.
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!((name, &*signature), ("x-webhook-signature", expected));
    }

    #[test]
    fn secrets_are_keys_in_base64_or_themselves() {
        assert_eq!(key("your-webhook-secret").unwrap(), b"your-webhook-secret");
        assert_eq!(key(&generate_secret().unwrap()).unwrap().len(), 32);
        assert_ne!(generate_secret().unwrap(), generate_secret().unwrap());
        assert_eq!(
            key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap(),
            key("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==").unwrap()
        );
        for bad in ["", "hunter2", "whsec_", "whsec_short", "whsec_!!!!", "a\nb-and-more", &"a".repeat(257)] {
            let error = key(bad).unwrap_err().to_string();
            assert!(bad.len() <= PREFIX.len() || !error.contains(bad), "{error}");
        }
    }
}
