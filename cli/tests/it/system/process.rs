//! One server process with its log. It is killed when dropped, and a failing test shows the end of its log.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::nat::Nat;
use super::{PATIENCE, until};

const SHOWN_LOG_LINES: usize = 60;

/// A running program.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program of the workspace in this directory. Nothing of the caller's settings reaches it.
    pub(crate) fn start(
        name: &str,
        directory: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        settings: &[(String, String)],
    ) -> Self {
        Self::start_at(None, name, directory, arguments, settings)
    }

    /// The same on the machine behind a NAT, if there is one.
    pub(crate) fn start_at(
        nat: Option<&Nat>,
        name: &str,
        directory: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        settings: &[(String, String)],
    ) -> Self {
        let mut command = match nat {
            Some(nat) => Command::from(nat.command(binary(name))),
            None => Command::new(binary(name)),
        };
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", directory)
            .envs(settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { name: name.to_owned(), child, log }
    }

    /// What it has written so far, over all starts in this directory.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit status if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait().await
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait().await;
    }

    /// Has it ended as a crash would, without waiting for it.
    pub(crate) fn abandon(&mut self) {
        // It may have ended already.
        self.child.start_kill().ok();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("it still runs"), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}\n{}", self.last_words())).unwrap()
    }

    /// Waits until this is in the log.
    pub(crate) async fn says(&self, text: &str) {
        until(&format!("{} says {text:?}", self.name), async || self.log().contains(text).then_some(())).await;
    }

    /// The lines in which it said why it ended.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.log().lines().filter(|line| line.starts_with("error: ")).map(str::to_owned).collect()
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines = log.lines().collect::<Vec<_>>();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..];
        format!("---- {} ----\n{}\n", self.log.display(), shown.join("\n"))
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "it is shown with the test that failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprint!("{}", self.last_words());
        }
    }
}

/// A program of the workspace. Cargo builds `aiinfra` for these tests, and the others with the workspace.
fn binary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_aiinfra")).with_file_name(name);
    assert!(path.exists(), "{name} is not built: run `cargo build --workspace --bins` first, as `make test` does");
    path
}
