//! Whether a machine can be logged in to over SSH: connect, exchange keys, log in, run a command, leave.
//!
//! Every step has a deadline, and its failure is a sentence that says what to do something about. Nothing that the server says goes
//! into a sentence. A server without modern algorithms, or with another host key than the pinned one, never sees a credential.

use std::{
    borrow::Cow,
    fmt, io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use russh::{
    AlgorithmKind, ChannelMsg, Disconnect, Preferred,
    client::{self, AuthResult, Handle},
    compression, kex,
    keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate},
};
use tokio::{net::TcpStream, time::timeout};

pub use self::key::{host_key, private_key};

mod key;

/// How long one step may take.
const STEP: Duration = Duration::from_secs(5);

/// How long all steps together may take.
const OVERALL: Duration = Duration::from_secs(15);

/// A command that every machine has, and that does nothing.
const COMMAND: &str = "true";

/// Where to log in, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// An address or a host name.
    pub address: String,
    /// The port of SSH.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The host key that is expected; any when there is none.
    pub pinned: Option<PublicKey>,
}

/// What to log in with. The key is tried first.
#[derive(Clone, Default)]
pub struct Login {
    /// A private key without a passphrase.
    pub private_key: Option<Arc<russh::keys::PrivateKey>>,
    /// A password.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { private_key, password } = self;
        f.debug_struct("Login")
            .field("private_key", &private_key.is_some())
            .field("password", &password.is_some())
            .finish_non_exhaustive()
    }
}

/// The log-in worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The server's key.
    pub host_key: PublicKey,
    /// What was logged in with, as a sentence.
    pub message: String,
}

/// It did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server's key is not the pinned one: another machine has the address, somebody stands between, or it was set up anew.
    #[error("the host key has changed: it is not the pinned one; if that is expected, set the new host key")]
    HostKeyChanged,
    /// Any other reason, as a sentence.
    #[error("{0}")]
    Unreachable(Cow<'static, str>),
}

impl From<&'static str> for Failure {
    fn from(message: &'static str) -> Self {
        Self::Unreachable(message.into())
    }
}

/// Logs in, runs a command that does nothing, and leaves.
///
/// # Errors
/// Why it did not work.
pub async fn check(target: &Target, login: &Login) -> Result<Reached, Failure> {
    let steps = Box::pin(steps(target, login));
    timeout(OVERALL, steps).await.unwrap_or_else(|_| Err("logging in took longer than 15 s".into()))
}

async fn steps(target: &Target, login: &Login) -> Result<Reached, Failure> {
    let stream = connect(target).await?;
    let (mut session, host_key) = exchange_keys(target, stream).await?;
    let outcome = use_session(&mut session, target, login).await;
    // The server sees an orderly end also of a log-in that failed; that it may be gone by now does not matter.
    session.disconnect(Disconnect::ByApplication, "", "").await.ok();
    Ok(Reached { host_key, message: outcome? })
}

async fn connect(target: &Target) -> Result<TcpStream, Failure> {
    match timeout(STEP, TcpStream::connect((target.address.as_str(), target.port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::Unreachable(why_not_connected(&error).into())),
        Err(_) => Err("no answer within 5 s: is the machine running, and does no firewall drop the connection?".into()),
    }
}

fn why_not_connected(error: &io::Error) -> &'static str {
    use io::ErrorKind;
    if error.kind() == ErrorKind::ConnectionRefused {
        "connection refused: does an SSH server listen on this port?"
    } else if matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) {
        "there is no way to this address"
    } else if error.kind() == ErrorKind::TimedOut {
        "no answer: is the machine running, and does no firewall drop the connection?"
    } else if error.raw_os_error().is_none() {
        // The resolver's errors have no number of the system.
        "the host name cannot be resolved"
    } else {
        "the connection cannot be made"
    }
}

async fn exchange_keys(target: &Target, stream: TcpStream) -> Result<(Handle<Client>, PublicKey), Failure> {
    let seen = Arc::new(OnceLock::new());
    let client = Client { pinned: target.pinned.clone(), seen: seen.clone() };
    match timeout(STEP, client::connect_stream(config(target.pinned.as_ref()), stream, client)).await {
        Ok(Ok(session)) => {
            let host_key = seen.get().cloned().ok_or("the server showed no host key")?;
            Ok((session, host_key))
        }
        Ok(Err(error)) => Err(why_not_exchanged(&error)),
        Err(_) => Err("the connection was accepted, but no SSH server answered within 5 s".into()),
    }
}

fn why_not_exchanged(error: &russh::Error) -> Failure {
    if matches!(error, russh::Error::UnknownKey) {
        Failure::HostKeyChanged
    } else if let russh::Error::NoCommonAlgo { kind, .. } = error {
        let kind = match kind {
            AlgorithmKind::Kex => "key exchange",
            AlgorithmKind::Key => "host key",
            AlgorithmKind::Cipher => "cipher",
            AlgorithmKind::Compression => "compression",
            AlgorithmKind::Mac => "message authentication",
        };
        Failure::Unreachable(format!("the SSH server offers no {kind} algorithm that is still safe").into())
    } else if matches!(error, russh::Error::WrongServerSig) {
        "the server does not own the host key that it shows".into()
    } else {
        tracing::debug!(%error, "no key exchange");
        "the connection was accepted, but it does not speak SSH or closed at once".into()
    }
}

async fn use_session(session: &mut Handle<Client>, target: &Target, login: &Login) -> Result<String, Failure> {
    let message = log_in(session, target, login).await?;
    match timeout(STEP, run_command(session)).await {
        Ok(Ok(Some(0))) => Ok(message),
        Ok(Ok(Some(status))) => {
            Err(Failure::Unreachable(format!("{message}, but the command `{COMMAND}` ended with status {status}").into()))
        }
        Ok(Ok(None) | Err(_)) => Err(Failure::Unreachable(format!("{message}, but no command can be run").into())),
        Err(_) => Err(Failure::Unreachable(format!("{message}, but a command did not end within 5 s").into())),
    }
}

/// Logs in; answers with what, as a sentence.
async fn log_in(session: &mut Handle<Client>, target: &Target, login: &Login) -> Result<String, Failure> {
    let mut refused = Vec::new();
    if let Some(key) = &login.private_key {
        let attempt = async {
            let hash = if key.algorithm().is_rsa() { rsa_hash(session).await? } else { None };
            let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
            session.authenticate_publickey(&target.user, key).await
        };
        if attempted(timeout(STEP, attempt).await)? {
            return Ok("logged in with the private key".to_owned());
        }
        refused.push("the private key");
    }
    if let Some(password) = &login.password {
        let attempt = session.authenticate_password(&target.user, password);
        if attempted(timeout(STEP, attempt).await)? {
            let before = if refused.is_empty() { "" } else { "the private key was refused; " };
            return Ok(format!("{before}logged in with the password"));
        }
        refused.push("the password");
    }
    match *refused {
        [] => Err("neither a password nor a private key is known".into()),
        [one] => Err(Failure::Unreachable(format!("{one} was refused for this user").into())),
        [..] => Err("the private key and the password were refused for this user".into()),
    }
}

/// Never SHA-1, which is what none would mean.
async fn rsa_hash(session: &Handle<Client>) -> Result<Option<HashAlg>, russh::Error> {
    Ok(session.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha256)))
}

/// Whether the server let us in.
fn attempted(result: Result<Result<AuthResult, russh::Error>, tokio::time::error::Elapsed>) -> Result<bool, Failure> {
    match result {
        Ok(Ok(AuthResult::Success)) => Ok(true),
        Ok(Ok(AuthResult::Failure { partial_success: true, .. })) => {
            Err("the server wants a second factor, which cannot be given".into())
        }
        // Nothing left to try means that the connection is gone: a server that only refuses names what it would take.
        Ok(Ok(AuthResult::Failure { remaining_methods, .. })) if remaining_methods.is_empty() => {
            Err("the SSH server closed the connection during the log-in".into())
        }
        Ok(Ok(AuthResult::Failure { .. })) => Ok(false),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no log-in");
            Err("the SSH server closed the connection during the log-in".into())
        }
        Err(_) => Err("the SSH server did not answer the log-in within 5 s".into()),
    }
}

/// The exit status of the command; none when it was not run.
async fn run_command(session: &Handle<Client>) -> Result<Option<u32>, russh::Error> {
    let mut channel = session.channel_open_session().await?;
    channel.exec(true, COMMAND).await?;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::ExitStatus { exit_status } = message {
            return Ok(Some(exit_status));
        }
    }
    Ok(None)
}

/// Algorithms without known weaknesses. The kind of the pinned key comes first, so that a server with several keys shows that one.
fn config(pinned: Option<&PublicKey>) -> Arc<client::Config> {
    let mut keys = vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ];
    if let Some(pinned) = pinned.map(PublicKey::algorithm) {
        let same_kind = |key: &Algorithm| match (key, &pinned) {
            (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
            (key, pinned) => key == pinned,
        };
        keys.sort_by_key(|key| !same_kind(key));
    }
    let exchanges = [
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::DH_G18_SHA512,
        kex::DH_G16_SHA512,
        kex::EXTENSION_SUPPORT_AS_CLIENT,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    ];
    Arc::new(client::Config {
        preferred: Preferred {
            kex: exchanges.to_vec().into(),
            key: keys.into(),
            compression: vec![compression::NONE].into(),
            ..Preferred::DEFAULT
        },
        // Ends the session's own task also when nobody waits for it any more.
        inactivity_timeout: Some(OVERALL),
        nodelay: true,
        ..client::Config::default()
    })
}

/// Looks at the host key.
struct Client {
    pinned: Option<PublicKey>,
    seen: Arc<OnceLock<PublicKey>>,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        // Certificates are not asked for: there is no authority to trust.
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let expected = self.pinned.as_ref().is_none_or(|pinned| pinned.key_data() == key.key_data());
        self.seen.get_or_init(|| key.clone());
        Ok(expected)
    }
}
