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

/// What a shell offers after these words, at a home without settings; none where there is no such shell.
async fn offered(shell: &str, words: &[&str], url: &str) -> Option<Vec<String>> {
    let script = script(shell).await;
    let (script, home) = (script.path().display(), tempfile::tempdir().unwrap());
    let quoted = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let (count, last) = (words.len(), words.last().unwrap());
    let (options, ask): (&[&str], String) = match shell {
        "bash" => (
            &["--norc"],
            format!(
                "source {script} && COMP_WORDS=({quoted}) COMP_CWORD={} COMP_TYPE=9 && _clap_complete_aiinfra aiinfra '{last}' && \
                 printf '%s\n' \"${{COMPREPLY[@]}}\"",
                count - 1
            ),
        ),
        // What the completion system of an interactive zsh would do with the candidates is to show them.
        "zsh" => (
            &["-f"],
            format!(
                "compdef() {{ : }}; _describe() {{ print -rl -- ${{(P)3}} }}; words=({quoted}) CURRENT={count}; source {script}; \
                 _clap_dynamic_completer_aiinfra; true"
            ),
        ),
        "fish" => (&["--no-config"], format!("source {script}; complete --do-complete '{}'", words.join(" "))),
        other => panic!("{other}"),
    };
    let mut asking = tokio::process::Command::new(shell);
    asking.args(options).args(["-c", &ask]).env("HOME", home.path()).env("UTOPIA_URL", url).kill_on_drop(true);
    let Ok(asked) = asking.output().await else {
        skip(&format!("there is no {shell}"));
        return None;
    };
    assert!(asked.status.success(), "{asked:?}");
    let offered = String::from_utf8(asked.stdout).unwrap();
    // What a candidate is comes after it, behind a tab or a colon.
    let value = |line: &str| line.split(['\t', ':']).next().unwrap().trim().to_owned();
    Some(offered.lines().map(value).filter(|value| !value.is_empty()).collect())
}

#[tokio::test]
async fn shells_complete_commands_options_values_and_ids() {
    let api = FakeApi::start().await;
    let claim = |id: &str| json!({"id": id, "spec": {"image": "train:1"}, "status": {"phase": "Running"}});
    api.answer("GET /api/gpu-claims?page=1&limit=100", 200, json!({"claims": [claim("0197-a"), claim("0198-b")], "total": 2}));
    for shell in ["bash", "zsh", "fish"] {
        for (words, expected) in [
            (&["aiinfra", "cla"] as &[_], &["claims"] as &[_]),
            (&["aiinfra", "slurm", "jobs", "sub"], &["submit"]),
            (&["aiinfra", "slurm", "jobs", "submit", "--scr"], &["--script"]),
            (&["aiinfra", "nodes", "list", "--status", "on"], &["online"]),
            (&["aiinfra", "claims", "get", "0198"], &["0198-b"]),
            (&["aiinfra", "claims", "logs", "-f", "0197"], &["0197-a"]),
        ] {
            let Some(offered) = offered(shell, words, &api.url).await else { break };
            assert_eq!(offered, expected, "{shell}: {words:?}");
        }
        // A server that is away is no reason to fail.
        let offered = offered(shell, &["aiinfra", "claims", "get", "01"], "http://127.0.0.1:9").await;
        assert!(offered.is_none_or(|offered| offered.is_empty()), "{shell}");
    }
}
