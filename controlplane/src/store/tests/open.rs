//! Opening, and what is said when it cannot be done.

use std::os::unix::fs::PermissionsExt as _;

use crate::{
    error::Error,
    model::Role,
    store::{Options, Store, testing::user},
};

async fn refusal(url: &str) -> String {
    match Store::open(url, Options::default()).await {
        Err(Error::Unavailable { reason, message }) => {
            assert_eq!(reason, "DatabaseUnavailable");
            message
        }
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("a b%?#").join("data");
    let url = format!("sqlite://{}", place.join("utopia.db").display());
    // A question mark would begin parameters.
    assert!(refusal(&url).await.contains("without parameters"));

    let url = url.replace('?', "ä");
    let place = directory.path().join("a b%ä#").join("data");
    let store = Store::open(&url, Options::default()).await.unwrap();
    user(&store, "alice", Role::User).await;
    store.ping().await.unwrap();
    store.close().await;
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })));

    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&place.join("utopia.db"))), (0o700, 0o600));
    let store = Store::open(&url, Options::default()).await.unwrap();
    assert!(store.user_by_name("alice").await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "no database").unwrap();

    let message = refusal(&format!("sqlite://{}", directory.path().display())).await;
    assert!(message.starts_with(&format!("the database file {} cannot be written", directory.path().display())), "{message}");

    let message = refusal(&format!("sqlite://{}/utopia.db", file.display())).await;
    assert!(message.starts_with(&format!("the database's directory {} cannot be made", file.display())), "{message}");

    let message = refusal(&format!("sqlite://{}", file.display())).await;
    assert!(message.starts_with(&format!("the database file {} cannot be opened", file.display())), "{message}");

    // A superuser may write what is read-only.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    let message = refusal(&format!("sqlite://{}", file.display())).await;
    assert!(message.contains(&file.display().to_string()), "{message}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_at_once_and_without_the_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let message = refusal(&format!("postgres://utopia:geheim@127.0.0.1:{port}/utopia")).await;
    assert!(message.starts_with("the database at 127.0.0.1 cannot be reached: "), "{message}");
    assert!(!message.contains("geheim"), "{message}");
}

#[tokio::test]
async fn urls_of_other_kinds_are_refused() {
    assert!(refusal("mysql://u:geheim@h/d").await.contains("must begin with `sqlite://` or `postgres://`"));
    assert!(refusal("sqlite::memory:").await.contains("must name a file"));
    assert!(refusal("sqlite://").await.contains("must name a file"));
    let message = refusal("postgres://u:geheim@h:port/d").await;
    assert_eq!(message, "the database URL cannot be read");
}
