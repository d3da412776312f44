//! Completion, as the shells themselves do it.

use std::process::Command;

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;
use crate::system::skip;

async fn script(shell: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, Shell::new().run(&["completions", shell]).await.ok()).unwrap();
    file
}

#[tokio::test]
async fn each_shell_understands_what_it_is_given() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = script(shell).await;
        match Command::new(shell).arg(check).arg(script.path()).output() {
            Ok(checked) => assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}"),
            Err(_) => skip(&format!("there is no {shell}")),
        }
    }
}

/// What bash offers after these words, at a home without settings.
async fn offered(words: &[&str], url: &str) -> Vec<String> {
    let script = script("bash").await;
    let home = tempfile::tempdir().unwrap();
    let ask = format!(
        "source {} && COMP_WORDS=({}) COMP_CWORD={} COMP_TYPE=9 && _clap_complete_aiinfra aiinfra '{}' && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.path().display(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1,
        words.last().unwrap(),
    );
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["--norc", "-c", &ask]).env("HOME", home.path()).env("UTOPIA_URL", url).kill_on_drop(true);
    let asked = bash.output().await.unwrap();
    assert!(asked.status.success(), "{asked:?}");
    String::from_utf8(asked.stdout).unwrap().lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[tokio::test]
async fn bash_completes_commands_options_values_and_ids() {
    let api = FakeApi::start().await;
    let claim = |id: &str| json!({"id": id, "spec": {"image": "train:1"}, "status": {"phase": "Running"}});
    api.answer("GET /api/gpu-claims?page=1&limit=100", 200, json!({"claims": [claim("0197-a"), claim("0198-b")], "total": 2}));
    for (words, expected) in [
        (&["aiinfra", "cla"] as &[_], &["claims"] as &[_]),
        (&["aiinfra", "slurm", "jobs", "sub"], &["submit"]),
        (&["aiinfra", "slurm", "jobs", "submit", "--scr"], &["--script"]),
        (&["aiinfra", "nodes", "list", "--status", "on"], &["online"]),
        (&["aiinfra", "claims", "get", "0198"], &["0198-b"]),
    ] {
        assert_eq!(offered(words, &api.url).await, expected, "{words:?}");
    }
    // A server that is away is no reason to fail.
    assert_eq!(offered(&["aiinfra", "claims", "get", "01"], "http://127.0.0.1:9").await, [""; 0]);
}
