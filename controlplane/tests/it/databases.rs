//! The databases that tests run on: each test has its own, which is gone afterwards.

use std::{env, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, any::AnyConnectOptions};
use uuid::Uuid;

use crate::plane::Plane;

/// Runs a test on SQLite.
pub(crate) async fn on_sqlite(test: impl AsyncFnOnce(&Plane)) {
    with_sqlite(async |url| on(url, test).await).await;
}

/// Runs a test on PostgreSQL.
pub(crate) async fn on_postgres(test: impl AsyncFnOnce(&Plane)) {
    with_postgres(async |url| on(url, test).await).await;
}

async fn on(url: &str, test: impl AsyncFnOnce(&Plane)) {
    let plane = Plane::start(url).await;
    test(&plane).await;
    plane.stop().await;
}

/// Gives a test the URL of a SQLite database.
pub(crate) async fn with_sqlite(test: impl AsyncFnOnce(&str)) {
    let directory = tempfile::tempdir().unwrap();
    test(&format!("sqlite://{}", directory.path().join("utopia.db").display())).await;
}

/// Gives a test the URL of a PostgreSQL database. Without a server the test is skipped, except where `CI` is set.
pub(crate) async fn with_postgres(test: impl AsyncFnOnce(&str)) {
    let server = env::var("UTOPIA_TEST_POSTGRES_URL");
    let server = server.unwrap_or_else(|_| "postgresql://postgres@127.0.0.1:15432/postgres".to_owned());
    sqlx::any::install_default_drivers();
    let mut admin = match AnyConnection::connect(&server).await {
        Ok(admin) => admin,
        Err(error) if env::var("CI").is_ok_and(|ci| ci == "true") => panic!("there is no PostgreSQL to test on: {error}"),
        Err(error) => return eprintln!("SKIPPED: there is no PostgreSQL to test on: {error}"),
    };
    let name = format!("utopia_it_{}", Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();

    let mut url = server.parse::<AnyConnectOptions>().unwrap().database_url;
    url.set_path(&name);
    let outcome = AssertUnwindSafe(test(url.as_str())).catch_unwind().await;

    sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut admin).await.unwrap();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Makes a test of each function, once for each database. The functions take a running control plane, or, after `urls:`, the
/// database's URL.
macro_rules! on_both_databases {
    (urls: $($test:ident),+ $(,)?) => {
        crate::databases::on_both_databases!(@with_sqlite, with_postgres: $($test),+);
    };
    ($($test:ident),+ $(,)?) => {
        crate::databases::on_both_databases!(@on_sqlite, on_postgres: $($test),+);
    };
    (@$sqlite:ident, $postgres:ident: $($test:ident),+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::databases::$sqlite(super::$test).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::databases::$postgres(super::$test).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;
