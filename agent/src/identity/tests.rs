//! Joining, renewing and recovering against a real server.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;

use super::fixture::{ControlPlane, DAY};
use super::*;

async fn ensure(settings: IdentitySettings) -> Result<Arc<Identity>, Fatal> {
    Identity::ensure(settings, MachineFacts::default(), &CancellationToken::new()).await
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_machine_joins_once_and_keeps_its_identity() {
    let plane = ControlPlane::start().await;
    let settings = plane.settings();
    let node_id = ensure(settings.clone()).await.unwrap().node_id();
    assert_eq!(ensure(settings.clone()).await.unwrap().node_id(), node_id);
    assert_eq!(ensure(IdentitySettings { join: None, ..settings.clone() }).await.unwrap().node_id(), node_id);
    assert_eq!(count(&plane.state.enrolled), 1);

    let mode = |name: &str| std::fs::metadata(settings.dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("key.pem")), (0o700, 0o600));
    let kept = std::fs::read_to_string(settings.dir.join("node-id")).unwrap();
    assert_eq!(kept.trim(), node_id.to_string());
    assert_eq!(machine_id(&settings.dir).unwrap(), machine_id(&settings.dir).unwrap());
}

#[tokio::test]
async fn another_join_token_joins_again_as_the_same_node() {
    let plane = ControlPlane::start().await;
    let node_id = plane.joined().await.node_id();
    let token = JoinToken::generate().unwrap();
    let mut settings = plane.settings();
    settings.join.as_mut().unwrap().token = token.clone();

    assert_eq!(ensure(settings.clone()).await.unwrap().node_id(), node_id, "a token of no use does no harm");
    assert_eq!(count(&plane.state.enrolled), 1);
    plane.accept_token(&token);
    assert_eq!(ensure(settings).await.unwrap().node_id(), node_id);
    assert_eq!(count(&plane.state.enrolled), 2);
}

#[tokio::test]
async fn what_keeps_a_machine_from_joining_is_said() {
    let plane = ControlPlane::start().await;
    let settings = plane.settings();
    let fatal = ensure(IdentitySettings { join: None, ..settings.clone() }).await.unwrap_err();
    assert!(matches!(fatal, Fatal::NotJoined), "{fatal}");

    let mut wrong_token = settings.clone();
    wrong_token.join.as_mut().unwrap().token = JoinToken::generate().unwrap();
    let fatal = ensure(wrong_token).await.unwrap_err();
    assert_eq!(fatal.to_string(), "the control plane did not let this machine join: the join token is not known");

    let mut wrong_hash = settings.clone();
    wrong_hash.join.as_mut().unwrap().ca_hash = format!("sha256:{}", "0".repeat(64));
    let fatal = ensure(wrong_hash).await.unwrap_err();
    assert!(matches!(fatal, Fatal::WrongServer(_)), "{fatal}");
    assert_eq!(count(&plane.state.enrolled), 0, "the token was not shown to a server that is not trusted");

    std::fs::write(settings.dir.join("key.pem"), "junk").unwrap();
    let fatal = ensure(settings).await.unwrap_err().to_string();
    assert!(fatal.contains("key.pem does not hold a private key"), "{fatal}");
}

#[tokio::test]
async fn a_control_plane_that_is_busy_is_asked_again() {
    let plane = ControlPlane::start().await;
    *plane.state.failures.lock().unwrap() = vec![Status::unavailable("starting"), Status::resource_exhausted("slowly")];
    plane.joined().await;
    assert_eq!(count(&plane.state.enrolled), 1);
}

#[tokio::test]
async fn joining_can_be_stopped() {
    let plane = ControlPlane::start().await;
    let mut settings = plane.settings();
    // Nothing listens there.
    settings.server = "https://127.0.0.1:1".parse().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let fatal = Identity::ensure(settings, MachineFacts::default(), &cancel).await.unwrap_err();
    assert!(matches!(fatal, Fatal::Stopped), "{fatal}");
}

#[tokio::test]
async fn a_certificate_past_half_of_its_life_is_renewed_and_kept() {
    let plane = ControlPlane::start().await;
    plane.backdate(DAY * 3 / 4);
    let identity = plane.joined().await;
    plane.backdate(SignedDuration::ZERO);
    let (before, cancel) = (identity.not_after(), CancellationToken::new());

    let renewing = Arc::clone(&identity).renew_loop(cancel.clone());
    let renewed = async {
        while identity.not_after() == before {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(renewing, renewed);
    ended.unwrap();
    assert_eq!((count(&plane.state.renewed), count(&plane.state.recovered)), (1, 0));
    let reopened = plane.joined().await;
    assert_eq!((reopened.not_after(), reopened.node_id()), (identity.not_after(), identity.node_id()));
    identity.dial().await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_is_recovered() {
    let plane = ControlPlane::start().await;
    plane.backdate(DAY * 2);
    let identity = plane.joined().await;
    assert!(identity.is_expired());
    plane.backdate(SignedDuration::ZERO);
    identity.refresh(true).await.unwrap();
    assert!(!identity.is_expired());
    assert_eq!((count(&plane.state.renewed), count(&plane.state.recovered)), (0, 1));
}

#[tokio::test]
async fn a_server_that_knows_better_makes_renewal_a_recovery() {
    let plane = ControlPlane::start().await;
    plane.backdate(DAY * 2);
    let identity = plane.joined().await;
    plane.backdate(SignedDuration::ZERO);
    // As a machine whose clock is behind does. A connection that is reset can swallow the server's reason.
    while let Err(error) = identity.refresh(false).await {
        assert!(matches!(error, RefreshError::Retry(_)), "{error}");
    }
    assert_eq!((count(&plane.state.renewed), count(&plane.state.recovered)), (0, 1));
}

#[tokio::test]
async fn a_node_that_was_deleted_is_told_so_and_a_busy_server_is_not_final() {
    let plane = ControlPlane::start().await;
    let identity = plane.joined().await;
    for expired in [false, true] {
        *plane.state.refusal.lock().unwrap() = Some(Status::permission_denied("this node was deleted"));
        let error = identity.refresh(expired).await.unwrap_err();
        assert!(matches!(&error, RefreshError::Fatal(Fatal::Refused(reason)) if reason == "this node was deleted"), "{error}");
        *plane.state.refusal.lock().unwrap() = Some(Status::unavailable("stopping"));
        let error = identity.refresh(expired).await.unwrap_err();
        assert!(matches!(&error, RefreshError::Retry(reason) if reason == "stopping"), "{error}");
    }
}

#[tokio::test]
async fn a_disk_that_fails_does_not_keep_a_new_certificate_from_use() {
    let plane = ControlPlane::start().await;
    plane.backdate(DAY / 4);
    let identity = plane.joined().await;
    let before = identity.not_after();
    plane.backdate(SignedDuration::ZERO);
    let dir = plane.settings().dir;
    std::fs::remove_dir_all(&dir).unwrap();
    let error = identity.refresh(false).await.unwrap_err();
    assert!(matches!(&error, RefreshError::Retry(reason) if reason.contains("cannot write")), "{error}");
    assert!(identity.not_after() > before);
    std::fs::create_dir(&dir).unwrap();
    identity.refresh(false).await.unwrap();
    assert!(dir.join("certificate.der").exists());
}

#[test]
fn nothing_secret_is_shown() {
    let join = Join { token: JoinToken::generate().unwrap(), ca_hash: String::new() };
    let secret = join.token.to_string();
    assert!(!format!("{join:?}").contains(secret.rsplit_once('_').unwrap().1));
}
