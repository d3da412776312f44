//! A PostgreSQL database for one test.

use std::process::{Command, Stdio};

use super::skip;

/// A database of its own, dropped with this.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// None, said visibly, when there is no server.
    pub(crate) fn create() -> Option<Self> {
        let server = std::env::var("UTOPIA_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgresql://postgres@127.0.0.1:15432/postgres".to_owned());
        let name = format!("utopia_{}", uuid::Uuid::new_v4().simple());
        if !psql(&server, &format!("create database {name}")) {
            skip("PostgreSQL does not answer");
            return None;
        }
        Some(Self { server, name })
    }

    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql(&self.server, &format!("drop database {} with (force)", self.name));
    }
}

fn psql(url: &str, statement: &str) -> bool {
    let mut command = Command::new("psql");
    command.args(["--quiet", "--no-psqlrc", "--command", statement, url]).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
