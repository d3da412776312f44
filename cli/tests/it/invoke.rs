//! Runs the `aiinfra` binary with settings of its own.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// A user at a shell: a home directory and a few variables.
pub(crate) struct Shell {
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// At a shell where `UTOPIA_URL` is set.
    pub(crate) fn at(url: &str) -> Self {
        let mut shell = Self::new();
        shell.set("UTOPIA_URL", url);
        shell
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.path().join(".config/aiinfra/config.json")
    }

    /// Starts `aiinfra` with these arguments; it ends when dropped.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_aiinfra"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Runs `aiinfra` with these arguments to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "").await
    }

    /// The same with something on standard input.
    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut child = self.start(arguments);
        // A command that does not read its input may be gone before it is written.
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.ok();
        let output = child.wait_with_output().await.unwrap();
        Finished {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Finished {
    /// The output of a command that succeeded.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// What a command said that failed.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }
}
