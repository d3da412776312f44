//! Opening: which database, its connections, and its schema. Whatever is wrong here is told in one sentence that an operator
//! can act on, without the password that a URL may carry.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AnyConnection, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::Migrator,
};

use super::Store;
use crate::error::{Error, Result};

static MIGRATOR: Migrator = sqlx::migrate!();

/// A connection to PostgreSQL that has lain idle for longer is asked whether it is still there before it is used: that is one more way
/// to the server and back.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// How many connections, and how long to wait for one.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most connections to PostgreSQL.
    pub postgres_connections: u32,
    /// The connections that read SQLite beside the one that writes.
    pub sqlite_readers: u32,
    /// How long an operation waits for a connection, and opening for the first one.
    pub acquire_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { postgres_connections: 16, sqlite_readers: 4, acquire_timeout: Duration::from_secs(10) }
    }
}

impl Store {
    /// Opens the database that the URL names and brings its schema up to date.
    ///
    /// `sqlite://<path>` is a file, made when missing, with its directory; `postgres://…` is a database that exists.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (`DatabaseUnavailable`) with a sentence that says what stands in the way.
    pub async fn open(url: &str, options: Options) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let store = if let Some(path) = url.strip_prefix("sqlite:") {
            open_sqlite(path.strip_prefix("//").unwrap_or(path), options).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, options).await?
        } else {
            return Err(unavailable("the database URL must begin with `sqlite://` or `postgres://`"));
        };
        MIGRATOR
            .run(&store.write)
            .await
            .map_err(|error| unavailable(format!("the database's schema cannot be brought up to date: {error}")))?;
        Ok(store)
    }
}

async fn open_sqlite(path: &str, options: Options) -> Result<Store> {
    let path = prepare_file(path).await?;
    let connect = connect_options(&sqlite_url(&path)?)?;
    let pool = AnyPoolOptions::new().acquire_timeout(options.acquire_timeout).idle_timeout(None).max_lifetime(None);
    // A file does not go away like a server.
    let pool = pool.test_before_acquire(false);
    let write = pool.clone().max_connections(1).after_connect(|connection, _| {
        Box::pin(async move {
            // Full: a commit that was answered survives a loss of power. Fast: what is deleted or replaced leaves nothing readable
            // in pages that are written anyway.
            sqlx::raw_sql(
                "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
                 pragma secure_delete = fast",
            )
            .execute(connection)
            .await?;
            Ok(())
        })
    });
    let read = pool.max_connections(options.sqlite_readers.max(1)).after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::raw_sql("pragma busy_timeout = 5000; pragma query_only = on").execute(connection).await?;
            Ok(())
        })
    });
    // The first to write makes the log; whether this is a database at all shows here too.
    let probed = probe(&connect, "pragma journal_mode = wal", options.acquire_timeout).await;
    probed.map_err(|why| unavailable(format!("the database file {} cannot be opened: {why}", path.display())))?;
    Ok(Store {
        write: write.connect_lazy_with(connect.clone()),
        read: read.connect_lazy_with(connect),
        begin: "begin immediate",
        lock_rows: ")",
        appended: Arc::default(),
    })
}

/// Makes the file and its directory where they are missing, readable by their owner only, and makes sure that the file can be
/// written: SQLite would quietly open it for reading and fail at the first change.
async fn prepare_file(path: &str) -> Result<PathBuf> {
    if path.is_empty() || path == ":memory:" || path.contains('?') {
        return Err(unavailable("the database URL must name a file, without parameters: `sqlite://<path>`"));
    }
    let path =
        std::path::absolute(path).map_err(|error| unavailable(format!("the database file {path} has no place: {error}")))?;
    if let Some(directory) = path.parent() {
        let made = tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).await;
        made.map_err(|error| unavailable(format!("the database's directory {} cannot be made: {error}", directory.display())))?;
    }
    let opened = tokio::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).await;
    opened.map_err(|error| unavailable(format!("the database file {} cannot be written: {error}", path.display())))?;
    Ok(path)
}

/// The URL that sqlx reads back as this path: everything that could mean something else is percent-encoded.
fn sqlite_url(path: &Path) -> Result<String> {
    use std::fmt::Write as _;
    let text = path.to_str().ok_or_else(|| unavailable(format!("the database file {} is not UTF-8", path.display())))?;
    let mut url = "sqlite://".to_owned();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~') {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").map_err(|error| Error::internal("write the database URL", error))?;
        }
    }
    Ok(url)
}

async fn open_postgres(url: &str, options: Options) -> Result<Store> {
    let connect = connect_options(url)?;
    let address = connect.database_url.host_str().unwrap_or("localhost").to_owned();
    let probed = probe(&connect, "select 1", options.acquire_timeout).await;
    probed.map_err(|why| unavailable(format!("the database at {address} cannot be reached: {why}")))?;
    let pool = AnyPoolOptions::new()
        .max_connections(options.postgres_connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, pooled| {
            Box::pin(async move {
                // It was seen to be well when it was put back.
                if pooled.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(connect);
    let lock_rows = ") order by id for no key update";
    Ok(Store { write: pool.clone(), read: pool, begin: "begin", lock_rows, appended: Arc::default() })
}

/// Whether a connection can be made and used, and if not, why. A pool would not say: it goes on trying until its time is over.
async fn probe(connect: &AnyConnectOptions, statement: &'static str, limit: Duration) -> Result<(), String> {
    let probe = async {
        let mut connection = AnyConnection::connect_with(connect).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    };
    match tokio::time::timeout(limit, probe).await {
        Ok(probed) => probed.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {limit:?}")),
    }
}

fn connect_options(url: &str) -> Result<AnyConnectOptions> {
    // The parser's own message may quote the URL, and with it a password.
    url.parse().map_err(|_| unavailable("the database URL cannot be read"))
}

fn unavailable(message: impl Into<String>) -> Error {
    Error::Unavailable { reason: "DatabaseUnavailable".into(), message: message.into() }
}
