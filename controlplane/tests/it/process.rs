//! The binary: its first start, its end, and what it says when it cannot start.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{
    http::Http,
    plane::{Running, config, text},
    wait::soon,
};

fn binary(directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-controlplane"));
    command.env_clear().kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.arg("--data-dir").arg(directory.path().join("data"));
    command.args(["--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0"]);
    command
}

/// Runs the binary, which must fail with one line; answers that line.
async fn failure(command: &mut Command) -> String {
    let output = soon("the binary to fail", command.output()).await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let lines = stderr.lines().collect::<Vec<_>>();
    assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{stderr}");
    lines[0].to_owned()
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--http-addr", "--grpc-addr"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-controlplane"));
        command.env_clear().arg("--data-dir").arg(directory.path().join("data")).args([flag, &address]);
        let other = if flag == "--http-addr" { "--grpc-addr" } else { "--http-addr" };
        command.args([other, "127.0.0.1:0"]);
        let line = failure(&mut command).await;
        assert!(line.contains(&address), "{line}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let is_a_directory = format!("sqlite://{}", directory.path().display());
    let below_a_file = directory.path().join("file");
    std::fs::write(&below_a_file, "").unwrap();
    let below_a_file = format!("sqlite://{}/utopia.db", below_a_file.display());
    let no_database = directory.path().join("text");
    std::fs::write(&no_database, "this is no database\n".repeat(100)).unwrap();
    let no_database = format!("sqlite://{}", no_database.display());
    let unbound = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("postgres://utopia:hunter2@{unbound}/utopia");
    for (url, says) in [
        (is_a_directory.as_str(), "the database file"),
        (&below_a_file, "the database"),
        (&no_database, "the database file"),
        (&nobody, "cannot be reached"),
        ("mysql://utopia:hunter2@localhost/utopia", "must begin with"),
        ("postgres://utopia:hunter2@[/utopia", "cannot be read"),
    ] {
        let line = failure(binary(&directory).env("UTOPIA_DATABASE_URL", url)).await;
        assert!(line.contains(says) && !line.contains("hunter2"), "{url}: {line}");
    }
}

#[tokio::test]
async fn a_bad_setting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let line = failure(binary(&directory).env("UTOPIA_ADMIN_PASSWORD", "short")).await;
    assert!(line.contains("UTOPIA_ADMIN_PASSWORD") && !line.contains("short"), "{line}");

    std::fs::write(directory.path().join("file"), "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-controlplane"));
    command.env_clear().arg("--data-dir").arg(directory.path().join("file"));
    let line = failure(&mut command).await;
    assert!(line.contains("file"), "{line}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_makes_an_administrator_whose_password_only_the_owner_reads() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut passwords = Vec::new();
    for _start in 0..2 {
        let running = Running::start(config(&directory, &[])).await;
        let password = std::fs::read_to_string(data.join("admin-password")).unwrap().trim().to_owned();
        let http = Http::new(running.started.http_addr);
        let login = http.post("/api/auth/login", &json!({"username": "admin", "password": password})).await.expect(200);
        assert_eq!(login["user"]["role"], "admin");
        http.with_token(text(&login, "token")).get("/api/join-tokens").await.expect(200);
        running.stop().await;
        passwords.push(password);
    }
    assert_eq!(passwords[0], passwords[1]);
    assert!(passwords[0].len() >= 20);
    assert_eq!((mode(&data), mode(&data.join("admin-password")), mode(&data.join("utopia.db"))), (0o700, 0o600, 0o600));
}

#[tokio::test]
async fn a_signal_stops_the_binary_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = binary(&directory).args(["--log-format", "json"]).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        loop {
            let line = log.next_line().await.unwrap().expect("the binary gets ready");
            let event: Json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if line.contains("control plane is ready") {
                return event;
            }
        }
    };
    let ready = soon("the binary to be ready", ready).await.to_string();
    assert!(ready.contains("127.0.0.1:"), "{ready}");
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let rest = async { while log.next_line().await.unwrap().is_some() {} };
    soon("the log to end", rest).await;
    assert_eq!(soon("the binary to end", child.wait()).await.unwrap().code(), Some(0));
}
