//! Keys as people write them. What cannot be used is refused when it comes in, not at the first log-in.

use russh::keys::{Error, PrivateKey, PublicKey, decode_secret_key, ssh_key};

/// The fewest bits of an RSA key.
const MIN_RSA_BITS: u32 = 2048;

/// A private key in a text of OpenSSH or PEM.
///
/// # Errors
/// The rule it breaks, as the end of a sentence that begins with the field.
pub fn private_key(text: &str) -> Result<PrivateKey, &'static str> {
    const UNREADABLE: &str = "must be a private key of kind ed25519, ecdsa or rsa as OpenSSH or PEM writes it";
    const ENCRYPTED: &str = "must be a private key without a passphrase";
    let text = text.trim();
    if !text.starts_with("-----BEGIN ") {
        return Err(UNREADABLE);
    }
    // PEM says it in words; OpenSSH inside.
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(ENCRYPTED);
    }
    let key = decode_secret_key(text, None).map_err(|error| {
        let encrypted = matches!(error, Error::KeyIsEncrypted | Error::SshKey(ssh_key::Error::Encrypted));
        if encrypted { ENCRYPTED } else { UNREADABLE }
    })?;
    if key.is_encrypted() {
        return Err(ENCRYPTED);
    }
    is_strong(key.public_key())
        .then_some(key)
        .ok_or("must be a private key of kind ed25519, ecdsa, or rsa with 2048 bits or more")
}

/// A host key in a line of OpenSSH, without its comment.
///
/// # Errors
/// The rule it breaks, as the end of a sentence that begins with the field.
pub fn host_key(line: &str) -> Result<PublicKey, &'static str> {
    let unreadable = "must be a host key of kind ed25519, ecdsa or rsa as OpenSSH writes it: `ssh-ed25519 AAAA…`";
    let mut key = PublicKey::from_openssh(line.trim()).map_err(|_| unreadable)?;
    key.set_comment("");
    is_strong(&key).then_some(key).ok_or(unreadable)
}

/// Whether it is of a kind that is still safe.
fn is_strong(key: &PublicKey) -> bool {
    let data = key.key_data();
    data.is_ed25519() || data.is_ecdsa() || data.rsa().is_some_and(|rsa| rsa.key_size() >= MIN_RSA_BITS)
}
