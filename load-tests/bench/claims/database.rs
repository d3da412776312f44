//! The database of one round.

use anyhow::Context as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, any::AnyConnectOptions};
use utopia_load_tests::control_plane::ControlPlane;
use uuid::Uuid;

/// Where a control plane keeps its rows.
#[derive(Debug)]
pub(crate) enum Database {
    /// In its data directory, which goes with it.
    Sqlite,
    /// In a database of its own on this server.
    Postgres { server: String, name: String, url: String },
}

impl Database {
    pub(crate) const fn sqlite() -> Self {
        Self::Sqlite
    }

    /// Makes an empty database.
    pub(crate) async fn postgres(server: &str) -> anyhow::Result<Self> {
        let name = format!("utopia_bench_{}", Uuid::new_v4().simple());
        // The parser's message may quote the URL, and with it a password.
        let options = server.parse::<AnyConnectOptions>().ok().context("the PostgreSQL URL cannot be read")?;
        let mut url = options.database_url;
        url.set_path(&name);
        execute(server, format!("create database {name}")).await?;
        Ok(Self::Postgres { server: server.to_owned(), name, url: url.into() })
    }

    /// What the control plane is to be started with.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres { url, .. } => vec!["--database-url", url],
        }
    }

    /// Where others find it.
    pub(crate) fn url(&self, server: &ControlPlane) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", server.data_dir().join("utopia.db").display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres { server, name, .. } => execute(&server, format!("drop database {name} with (force)")).await,
        }
    }
}

async fn execute(server: &str, sql: String) -> anyhow::Result<()> {
    let mut connection = AnyConnection::connect(server).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}
