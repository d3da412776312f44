//! The agent as a program: what its flags, its exit code and its output say.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::fake_nvml::FakeNvml;

/// A join token and a CA hash of nobody.
const NOWHERE: [&str; 6] = [
    "--server=https://127.0.0.1:1",
    "--docker-socket=/nowhere/docker.sock",
    "--join-token",
    "utj_abcdefghij_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "--ca-hash",
    "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
];

fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utopia-agent"));
    command.env_clear().args(["--http-addr=127.0.0.1:0", "--log-format=json"]);
    command
}

/// A program that is killed when it is dropped. Until then its log has a reader.
struct Running {
    child: Child,
    _log: BufReader<ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> (Self, String) {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut entries = log.by_ref().lines().map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
        let address = entries.find_map(|entry| entry["address"].as_str().map(str::to_owned));
        (Self { child, _log: log }, address.expect("the agent says where it listens"))
    }
}

fn get(address: &str, path: &str, token: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn help_teaches_flags_and_environment() {
    let help = agent().arg("--help").output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    for word in [
        "UTOPIA_DATA_DIR",
        "UTOPIA_SERVER",
        "UTOPIA_JOIN_TOKEN",
        "UTOPIA_CA_HASH",
        "UTOPIA_AGENT_HTTP_ADDR",
        "UTOPIA_AGENT_API_TOKEN",
        "UTOPIA_GPUS",
        "UTOPIA_DOCKER_SOCKET",
        "UTOPIA_VOLUME_ALLOW",
        "simulated:N",
        "--join-token-file token --ca-hash",
    ] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn a_machine_that_has_not_joined_is_told_how() {
    let dir = tempfile::tempdir().unwrap();
    let ended = agent().args(["--gpus=none", "--data-dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let output = String::from_utf8(ended.stderr).unwrap();
    let errors: Vec<&str> = output.lines().filter(|line| line.starts_with("error: ")).collect();
    let message = "error: this machine has not joined a control plane yet: start the agent with a join token and a CA hash";
    assert_eq!(errors, [message]);
}

#[test]
fn the_node_api_shows_the_gpus_of_nvml_before_the_machine_has_joined() {
    let healthy = "count 8\nname NVIDIA H100 80GB HBM3\nmemory 85520809984\nused 1073741824\nutil 5\ntemp 45\n";
    let fake = FakeNvml::new(healthy);
    let dir = tempfile::tempdir().unwrap();
    let mut command = agent();
    command.args(NOWHERE).arg("--data-dir").arg(dir.path()).env("UTOPIA_NVML_LIBRARY", fake.library());
    let (_running, address) = Running::start(&mut command);

    let token_file = dir.path().join("agent/api-token");
    assert_eq!(std::fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(token_file).unwrap();

    fake.set(&format!("{healthy}2.pids 1\n6.fail 15\n"));
    // The first answer may be half a second old.
    let metrics = loop {
        let metrics = get(&address, "/api/v1/metrics", token.trim());
        if metrics["gpus"][6]["error"] != "" {
            break metrics;
        }
    };
    let gpus = metrics["gpus"].as_array().unwrap();
    assert_eq!(gpus.len(), 8);
    assert_eq!(gpus[0]["name"], "NVIDIA H100 80GB HBM3");
    assert_eq!((gpus[0]["memory_total_mb"].as_i64(), gpus[0]["memory_used_mb"].as_i64()), (Some(81_559), Some(1024)));
    assert_eq!(
        (gpus[0]["busy"].as_bool(), gpus[2]["busy"].as_bool()),
        (Some(false), Some(true)),
        "a stranger's process has the third"
    );
    assert_eq!(gpus[6]["error"], "the GPU has fallen off the bus");
    assert_eq!(gpus[6]["uuid"], "GPU-00000000-0000-0000-0000-000000000006");
    assert_eq!(get(&address, "/api/v1/metrics", "wrong")["code"], "InvalidToken");
}
