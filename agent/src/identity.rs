//! Who the agent is: its key, its certificate, and how it gets and keeps one.
//!
//! The key is made here and never leaves the machine. A certificate is got once with a join token, over a connection that is
//! pinned to the authority's hash; renewed at half of its life by itself; and recovered after its expiry by the same key. A
//! control plane that refuses the identity is final: everything else is tried again.

mod files;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use utopia_certs::tls::{client_config, pinned_client_config};
use utopia_certs::{JoinToken, NodeKey, PeerIdentity, Validity, certificate_hash};
use utopia_proto::link::v1::enrolment_service_client::EnrolmentServiceClient;
use utopia_proto::link::v1::{EnrolRequest, EnrolResponse, MachineFacts, RecoverRequest, RenewRequest};
use uuid::Uuid;

use self::files::Files;
use crate::backoff::Backoff;
use crate::dial::{self, DialError, InvalidServer, Server};

const BACKOFF_BASE: Duration = Duration::from_millis(500);
const BACKOFF_CAP: Duration = Duration::from_secs(60);
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Time asleep in one piece: a machine that was suspended notices soon that its renewal is due.
const NAP: Duration = Duration::from_secs(60);

/// Where the identity is kept, and how to get one.
#[derive(Debug, Clone)]
pub struct IdentitySettings {
    /// The directory of key and certificate.
    pub dir: PathBuf,
    /// The control plane.
    pub server: Server,
    /// What joins the machine when it has no certificate, or none of this token yet.
    pub join: Option<Join>,
    /// The id under which the machine was announced; empty when it was not.
    pub announced_node_id: String,
}

/// What a join command says.
#[derive(Debug, Clone)]
pub struct Join {
    /// The join token.
    pub token: JoinToken,
    /// The hash of the authority's certificate.
    pub ca_hash: String,
}

/// Why the agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// No certificate and no way to get one.
    #[error("this machine has not joined a control plane yet: start the agent with a join token and a CA hash")]
    NotJoined,
    /// The join token or the machine was refused.
    #[error("the control plane did not let this machine join: {0}")]
    JoinRefused(String),
    /// The server is another one than the join command names.
    #[error("the server is not the control plane of the join command, check the address and the CA hash: {0}")]
    WrongServer(String),
    /// The certificate was refused, e.g. because the node was deleted.
    #[error("the control plane refused this agent: {0}; a new join token lets the machine join again")]
    Refused(String),
    /// The control plane's answer makes no sense.
    #[error("the control plane answered with a certificate that does not fit: {0}")]
    UnfitCertificate(String),
    /// The address of the control plane cannot be used.
    #[error(transparent)]
    Server(#[from] InvalidServer),
    /// A file of the identity cannot be used.
    #[error(transparent)]
    Files(#[from] utopia_certs::Error),
    /// A file of the identity is damaged.
    #[error("{} does not hold {what}; remove it to begin anew", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is expected in it.
        what: &'static str,
    },
    /// The agent was stopped before it had an identity.
    #[error("stopped before this machine had joined")]
    Stopped,
}

/// Why an identity could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// It never will be.
    #[error(transparent)]
    Fatal(#[from] Fatal),
    /// Another attempt may work.
    #[error("{0}")]
    Retry(String),
}

/// The agent's identity, for as long as it runs.
#[derive(Debug)]
pub struct Identity {
    node_id: Uuid,
    server: Server,
    key: NodeKey,
    files: Files,
    credential: ArcSwap<Credential>,
    refreshing: Mutex<()>,
}

/// A certificate, ready for use.
#[derive(Debug)]
struct Credential {
    certificate: CertificateDer<'static>,
    validity: Validity,
    renew_at: Timestamp,
    /// Shows the certificate.
    mutual_tls: Arc<ClientConfig>,
    /// Shows none.
    server_tls: Arc<ClientConfig>,
}

/// The id of an agent's data directory, made when there is none yet.
pub fn machine_id(dir: &Path) -> Result<Uuid, Fatal> {
    Files::open(dir)?.machine_id()
}

impl Identity {
    /// Loads the identity; joins with the token when there is none, or when the token is another one than the identity was
    /// made with. Waits for a control plane that cannot be reached.
    pub async fn ensure(settings: IdentitySettings, facts: MachineFacts, cancel: &CancellationToken) -> Result<Arc<Self>, Fatal> {
        let IdentitySettings { dir, server, join, announced_node_id } = settings;
        let files = Files::open(&dir)?;
        let (key, machine_id) = (files.key()?, files.machine_id()?);
        let kept = files.certificates()?.and_then(|kept| {
            let credential = Credential::new(&key, kept.certificate, &kept.ca);
            credential.inspect_err(|error| tracing::warn!(%error, "the kept certificate cannot be used")).ok()
        });
        let used_token = files.joined_with()?;
        let join = join.filter(|join| kept.is_none() || used_token.as_ref() != Some(&join.token.id));
        let (node_id, credential) = match (kept, join) {
            (Some(kept), None) => kept,
            (None, None) => return Err(Fatal::NotJoined),
            (kept, Some(join)) => {
                let request = EnrolRequest {
                    token: join.token.to_string(),
                    csr: key.csr()?,
                    machine_id: machine_id.to_string(),
                    node_id: announced_node_id,
                    facts: Some(facts),
                };
                let joined = tokio::select! {
                    joined = enrol(&server, &join, &request) => joined,
                    () = cancel.cancelled() => return Err(Fatal::Stopped),
                };
                match (joined.and_then(|response| keep_joined(&files, &key, &join, &response)), kept) {
                    (Ok(joined), _) => joined,
                    (Err(error), None) => return Err(error),
                    (Err(error), Some(kept)) => {
                        tracing::warn!(%error, "the new join token is of no use, keeping the identity that is there");
                        kept
                    }
                }
            }
        };
        let credential = ArcSwap::from_pointee(credential);
        Ok(Arc::new(Self { node_id, server, key, files, credential, refreshing: Mutex::default() }))
    }

    /// The node's id.
    #[must_use]
    pub fn node_id(&self) -> Uuid {
        self.node_id
    }

    /// When the present certificate expires.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.credential.load().validity.not_after
    }

    /// Whether the present certificate has expired by this machine's clock.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        Timestamp::now() >= self.not_after()
    }

    /// Connects with the present certificate.
    pub(crate) async fn dial(&self) -> Result<Channel, DialError> {
        let tls = Arc::clone(&self.credential.load().mutual_tls);
        dial::connect(&self.server, tls).await
    }

    /// Renews the certificate at half of its life, for as long as the agent runs.
    pub async fn renew_loop(self: Arc<Self>, cancel: CancellationToken) -> Result<(), Fatal> {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        let mut earliest = Timestamp::MIN;
        loop {
            let due = self.credential.load().renew_at.max(earliest);
            tokio::select! {
                () = sleep_until(due) => {}
                () = cancel.cancelled() => return Ok(()),
            }
            let refreshed = tokio::select! {
                refreshed = self.refresh(self.is_expired()) => refreshed,
                () = cancel.cancelled() => return Ok(()),
            };
            match refreshed {
                Ok(()) => {
                    backoff.reset();
                    // With a clock far ahead, the new certificate too is past half of its life.
                    let quarter = self.credential.load().validity.lifetime() / 4;
                    earliest = Timestamp::now().checked_add(quarter).unwrap_or(Timestamp::MAX);
                }
                Err(RefreshError::Fatal(fatal)) => return Err(fatal),
                Err(RefreshError::Retry(reason)) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(%reason, ?delay, not_after = %self.not_after(), "the certificate was not renewed, trying again");
                    earliest = Timestamp::now().checked_add(delay).unwrap_or(Timestamp::MAX);
                }
            }
        }
    }

    /// Gets a new certificate for the same key: by the present one, or, when that has expired, by proving the key.
    pub(crate) async fn refresh(&self, expired: bool) -> Result<(), RefreshError> {
        let before = self.credential.load_full();
        let _alone = self.refreshing.lock().await;
        if !Arc::ptr_eq(&before, &self.credential.load()) {
            // Somebody else has just done it.
            return Ok(());
        }
        let response = if expired { self.recover(&before).await } else { self.renew(&before).await }?;
        // Neither a full disk nor a faulty answer is a reason to stop.
        self.adopt(response).map_err(|error| RefreshError::Retry(error.to_string()))?;
        tracing::info!(not_after = %self.not_after(), recovered = expired, "the certificate was renewed");
        Ok(())
    }

    async fn renew(&self, credential: &Credential) -> Result<EnrolResponse, RefreshError> {
        let request = RenewRequest { csr: self.key.csr().map_err(Fatal::from)? };
        let mut client = self.client(&credential.mutual_tls).await?;
        match answer(client.renew(request)).await {
            Err(status) if dial::says_expired(&status) => self.recover(credential).await,
            answer => answer.map_err(|status| refusal(&status)),
        }
    }

    async fn recover(&self, credential: &Credential) -> Result<EnrolResponse, RefreshError> {
        let expired_certificate = credential.certificate.to_vec();
        let request = RecoverRequest { csr: self.key.csr().map_err(Fatal::from)?, expired_certificate };
        let mut client = self.client(&credential.server_tls).await?;
        answer(client.recover(request)).await.map_err(|status| refusal(&status))
    }

    async fn client(&self, tls: &Arc<ClientConfig>) -> Result<EnrolmentServiceClient<Channel>, RefreshError> {
        let channel = dial::connect(&self.server, Arc::clone(tls)).await;
        channel.map(EnrolmentServiceClient::new).map_err(|error| RefreshError::Retry(error.to_string()))
    }

    fn adopt(&self, response: EnrolResponse) -> Result<(), Fatal> {
        let EnrolResponse { certificate, ca_certificate, .. } = response;
        let (node_id, credential) = Credential::new(&self.key, certificate.clone().into(), &ca_certificate.as_slice().into())?;
        if node_id != self.node_id {
            return Err(Fatal::UnfitCertificate(format!("it is of node {node_id}, this is node {}", self.node_id)));
        }
        self.credential.store(Arc::new(credential));
        self.files.keep(node_id, &certificate, &ca_certificate)
    }
}

impl Credential {
    fn new(key: &NodeKey, certificate: CertificateDer<'static>, ca: &CertificateDer<'_>) -> Result<(Uuid, Self), Fatal> {
        let unfit = |error: utopia_certs::Error| Fatal::UnfitCertificate(error.to_string());
        let PeerIdentity::Node(node_id) = PeerIdentity::from_certificate(&certificate).map_err(unfit)? else {
            return Err(Fatal::UnfitCertificate("it is not of a node".to_owned()));
        };
        let validity = Validity::from_certificate(&certificate).map_err(unfit)?;
        let mutual_tls = client_config(ca, Some((vec![certificate.clone()], key.to_der()))).map_err(unfit)?;
        let server_tls = client_config(ca, None).map_err(unfit)?;
        // At half of its life and up to a tenth of it later, so that nodes that joined together do not renew together.
        let share = 0.5 + rand::random_range(0.0..0.1);
        let renew_at = validity.issued_at.checked_add(validity.lifetime().mul_f64(share)).unwrap_or(validity.not_after);
        Ok((node_id, Self { certificate, validity, renew_at, mutual_tls, server_tls }))
    }
}

/// Joins, and tries again for as long as nobody refuses.
async fn enrol(server: &Server, join: &Join, request: &EnrolRequest) -> Result<EnrolResponse, Fatal> {
    let tls = pinned_client_config(&join.ca_hash)?;
    let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
    loop {
        let reason = match dial::connect(server, Arc::clone(&tls)).await {
            Ok(channel) => match answer(EnrolmentServiceClient::new(channel).enrol(request.clone())).await {
                Ok(response) => return Ok(response),
                Err(status)
                    if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument) =>
                {
                    return Err(Fatal::JoinRefused(status.message().to_owned()));
                }
                Err(status) => dial::describe_status(&status),
            },
            Err(DialError::Untrusted(problem)) => return Err(Fatal::WrongServer(problem)),
            Err(DialError::Unreachable(problem)) => problem,
        };
        let delay = backoff.next_delay();
        tracing::warn!(%reason, ?delay, "this machine could not join, trying again");
        tokio::time::sleep(delay).await;
    }
}

fn keep_joined(files: &Files, key: &NodeKey, join: &Join, response: &EnrolResponse) -> Result<(Uuid, Credential), Fatal> {
    let EnrolResponse { certificate, ca_certificate, .. } = response;
    if !certificate_hash(ca_certificate).eq_ignore_ascii_case(join.ca_hash.trim()) {
        return Err(Fatal::UnfitCertificate("its authority is not that of the CA hash".to_owned()));
    }
    let joined = Credential::new(key, certificate.clone().into(), &ca_certificate.as_slice().into())?;
    files.keep(joined.0, certificate, ca_certificate)?;
    files.keep_joined_with(&join.token.id)?;
    tracing::info!(node = %joined.0, "this machine has joined");
    Ok(joined)
}

async fn answer(call: impl Future<Output = Result<Response<EnrolResponse>, Status>>) -> Result<EnrolResponse, Status> {
    let answer = tokio::time::timeout(CALL_TIMEOUT, call).await;
    answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("the control plane did not answer"))).map(Response::into_inner)
}

fn refusal(status: &Status) -> RefreshError {
    if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) {
        return Fatal::Refused(status.message().to_owned()).into();
    }
    RefreshError::Retry(dial::describe_status(status))
}

async fn sleep_until(due: Timestamp) {
    while let Ok(left) = Duration::try_from(due.duration_since(Timestamp::now())) {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}
