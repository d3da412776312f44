//! The key that seals secrets, over starts of a control plane.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    databases::on_both_databases,
    plane::{Running, SEAL_KEY, config},
    wait::soon,
};

on_both_databases!(urls: a_lost_or_wrong_key_is_told_at_start);

/// Why a control plane with these settings does not start.
async fn refused(directory: &TempDir, settings: &[&str]) -> String {
    let run = utopia_controlplane::run(config(directory, settings), None, CancellationToken::new());
    format!("{:#}", soon("the end", Box::pin(run)).await.expect_err("it starts"))
}

async fn a_lost_or_wrong_key_is_told_at_start(url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data/seal-key");
    let settings = ["--database-url", url];
    Running::start(config(&directory, &settings)).await.stop().await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = std::fs::read_to_string(&file).unwrap();
    Running::start(config(&directory, &settings)).await.stop().await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key, "it is made once");

    let wrong = refused(&directory, &[&settings[..], &["--seal-key", SEAL_KEY]].concat()).await;
    assert!(wrong.contains("UTOPIA_SEAL_KEY") && wrong.contains("cannot be opened"), "{wrong}");
    let malformed = refused(&directory, &[&settings[..], &["--seal-key", "too short"]].concat()).await;
    assert!(malformed.contains("32 bytes in base64") && !malformed.contains("too short"), "{malformed}");

    std::fs::remove_file(&file).unwrap();
    let lost = refused(&directory, &settings).await;
    assert!(lost.contains("UTOPIA_SEAL_KEY") && lost.contains("seal-key"), "{lost}");
    assert!(!file.exists(), "no other key is made");
    Running::start(config(&directory, &[&settings[..], &["--seal-key", key.trim()]].concat())).await.stop().await;
}
