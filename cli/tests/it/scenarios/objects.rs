//! Files into buckets and out of them by the command line, against the object storage of a real control plane.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tokio::io::AsyncWriteExt as _;

use crate::invoke::Shell;
use crate::system::server::Server;
use crate::system::{until, within};

const MIB: usize = 1 << 20;

/// A control plane, and a shell of its administrator with a key that is kept.
async fn storage() -> (Server, Shell) {
    let server = Server::control_plane().await;
    let shell = Shell::at(server.api().url());
    shell.run_with_input(&["login", "admin", "--password-stdin"], &server.secret("admin-password")).await.ok();
    let said = shell.run(&["s3", "keys", "create", "laptop", "--save"]).await.ok();
    assert!(said.contains(" is kept for ") && !said.contains("secret"), "{said}");
    (server, shell)
}

async fn json(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.run(&[arguments, &["-o", "json"]].concat()).await.ok()).unwrap()
}

/// Bytes that differ wherever parts could be mixed up.
fn content(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8))
        .flat_map(|number| (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(length)
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Uploads that have begun, and parts of them.
async fn under_way(server: &Server) -> (i64, i64) {
    let mut database = SqliteConnection::connect(&server.database_url()).await.unwrap();
    let count = "select (select count(*) from s3_uploads), (select count(*) from s3_parts)";
    sqlx::query_as(count).fetch_one(&mut database).await.unwrap()
}

fn interrupt(child: &tokio::process::Child) {
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_comes_back_the_same() {
    let (server, shell) = storage().await;
    let directory = tempfile::tempdir().unwrap();
    let (file, back) = (directory.path().join("model.bin"), directory.path().join("back"));
    fs::write(&file, content(40 * MIB + 5)).unwrap();
    assert_eq!(shell.run(&["s3", "mb", "s3://models"]).await.ok(), "bucket s3://models is made\n");
    assert!(shell.run(&["s3", "mb", "s3://models"]).await.failed(5).contains("BucketAlreadyOwnedByYou"));

    let copied = shell.run(&["s3", "cp", text(&file), "s3://models/v1/"]).await;
    // Nobody looks at a terminal: no bar.
    assert_eq!(copied.stderr, "");
    assert_eq!(copied.ok(), format!("{} is copied to s3://models/v1/model.bin (40.00 MiB)\n", text(&file)));
    let listed = json(&shell, &["s3", "ls", "s3://models", "--recursive"]).await;
    let object = &listed["objects"][0];
    assert_eq!((&object["name"], &object["size"]), (&json!("v1/model.bin"), &json!(40 * MIB + 5)), "{listed:#}");
    assert!(object["etag"].as_str().unwrap().ends_with("-3"), "{object}");
    assert_eq!(under_way(&server).await, (0, 0));

    fs::write(&back, "old").unwrap();
    let copied = json(&shell, &["s3", "cp", "s3://models/v1/model.bin", text(&back)]).await;
    assert_eq!(copied, json!({"name": text(&back), "source": "s3://models/v1/model.bin", "bytes": 40 * MIB + 5}));
    assert!(fs::read(&back).unwrap() == fs::read(&file).unwrap(), "it came back otherwise");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);

    assert_eq!(shell.run(&["s3", "ls", "-o", "name"]).await.ok(), "models\n");
    let level = shell.run(&["s3", "ls", "s3://models"]).await.ok();
    assert_eq!(level.lines().nth(1).unwrap().split_whitespace().next(), Some("v1/"), "{level}");
    assert!(shell.run(&["s3", "rb", "s3://models"]).await.failed(5).contains("BucketNotEmpty"));
    assert_eq!(shell.run(&["s3", "rm", "s3://models/v1/model.bin"]).await.ok(), "s3://models/v1/model.bin is removed\n");
    assert_eq!(shell.run(&["s3", "ls", "s3://models", "-o", "name"]).await.ok(), "");
    shell.run(&["s3", "rb", "s3://models"]).await.ok();
    assert_eq!(json(&shell, &["s3", "ls"]).await, json!({"buckets": []}));
}

#[tokio::test]
async fn a_directory_goes_there_and_comes_back() {
    let (_server, shell) = storage().await;
    let directory = tempfile::tempdir().unwrap();
    let (source, back) = (directory.path().join("runs"), directory.path().join("back"));
    for (name, text) in [("loss.txt", "0.25"), ("a b/ü+%.txt", "odd"), ("a b/empty", ""), ("deep/er/x", "x")] {
        let file = source.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    shell.run(&["s3", "mb", "s3://lab"]).await.ok();
    let said = shell.run(&["s3", "cp", text(&source), "s3://lab/42"]).await.failed(2);
    assert!(said.contains("--recursive"), "{said}");
    let copied = shell.run(&["s3", "cp", "-r", text(&source), "s3://lab/42", "-o", "name"]).await.ok();
    let mut names = copied.lines().collect::<Vec<_>>();
    names.sort_unstable();
    assert_eq!(names, ["s3://lab/42/a b/empty", "s3://lab/42/a b/ü+%.txt", "s3://lab/42/deep/er/x", "s3://lab/42/loss.txt"]);

    assert_eq!(shell.run(&["s3", "cp", "-r", "-q", "s3://lab/42", text(&back)]).await.ok(), "");
    for (name, text) in [("loss.txt", "0.25"), ("a b/ü+%.txt", "odd"), ("a b/empty", ""), ("deep/er/x", "x")] {
        assert_eq!(fs::read_to_string(back.join(name)).unwrap(), text);
    }
    let removed = shell.run(&["s3", "rm", "-r", "s3://lab/42"]).await.ok();
    assert_eq!(removed, "4 objects are removed below s3://lab/42/\n");
    shell.run(&["s3", "rm", "-r", "s3://lab/42"]).await.failed(4);
    shell.run(&["s3", "cp", "-r", "s3://lab/42", text(&back)]).await.failed(4);
}

#[tokio::test]
async fn pipes_and_urls_carry_objects() {
    let (server, shell) = storage().await;
    shell.run(&["s3", "mb", "s3://lab"]).await.ok();
    shell.run_with_input(&["s3", "cp", "-", "s3://lab/note"], "from a pipe").await.ok();
    let read = shell.run(&["s3", "cp", "s3://lab/note", "-"]).await;
    assert_eq!(read.stderr, "");
    assert_eq!(read.ok(), "from a pipe");
    // More than a part, of which the second is short.
    let long = "0123456789abcdef".repeat(MIB + 1);
    shell.run_with_input(&["s3", "cp", "-", "s3://lab/long"], &long).await.ok();
    assert!(shell.run(&["s3", "cp", "s3://lab/long", "-"]).await.ok() == long, "it came back otherwise");

    let url = shell.run(&["s3", "presign", "s3://lab/note", "--expires", "60"]).await.ok();
    let path = url.trim().strip_prefix(server.api().url()).unwrap();
    assert_eq!(server.api().status(path).await, Some(200));
    assert_eq!(server.api().status(path.split('?').next().unwrap()).await, Some(403));
    assert!(shell.run(&["s3", "presign", "s3://lab/note", "--expires", "8d"]).await.failed(2).contains("at most 7d"));
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_says_so_by_its_exit_code() {
    let (server, shell) = storage().await;
    shell.run(&["s3", "mb", "s3://lab"]).await.ok();
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("x");
    let said = shell.run(&["s3", "cp", "s3://lab/missing", text(&target)]).await.failed(4);
    assert_eq!(said, "error: s3://lab/missing: The specified key does not exist (NoSuchKey)\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(shell.run(&["s3", "rm", "s3://lab/missing"]).await.failed(4), "error: there is no s3://lab/missing\n");
    fs::write(&target, content(MIB)).unwrap();
    for arguments in [
        &["s3", "cp", text(&target), "s3://elsewhere/x"] as &[_],
        &["s3", "cp", "s3://elsewhere/x", "-"],
        &["s3", "cp", "/nowhere/x", "s3://lab/x"],
        &["s3", "ls", "s3://elsewhere"],
        &["s3", "rm", "s3://elsewhere/x"],
        &["s3", "rb", "s3://elsewhere"],
    ] {
        shell.run(arguments).await.failed(4);
    }
    let nobody = Shell::at(server.api().url());
    assert!(nobody.run(&["s3", "ls"]).await.failed(3).contains("aiinfra s3 keys create NAME --save"));
    let mut stranger = Shell::at(server.api().url());
    stranger.set("AWS_ACCESS_KEY_ID", "AKNOBODY");
    assert!(stranger.run(&["s3", "ls"]).await.failed(3).contains("set both"));
    stranger.set("AWS_SECRET_ACCESS_KEY", "wrong");
    let said = stranger.run(&["s3", "ls"]).await.failed(3);
    assert!(said.contains("InvalidAccessKeyId") && said.contains("hint: make an access key"), "{said}");
}

#[tokio::test]
async fn a_kept_key_follows_what_becomes_of_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_server, shell) = storage().await;
    assert_eq!(fs::metadata(shell.config_file()).unwrap().permissions().mode() & 0o777, 0o600);
    let id = json(&shell, &["s3", "keys", "list"]).await["access_keys"][0]["id"].as_str().unwrap().to_owned();
    let before = fs::read_to_string(shell.config_file()).unwrap();
    shell.run(&["s3", "keys", "rotate", &id]).await.ok();
    assert_ne!(fs::read_to_string(shell.config_file()).unwrap(), before);
    shell.run(&["s3", "ls"]).await.ok();
    shell.run(&["s3", "keys", "revoke", &id]).await.ok();
    assert!(!fs::read_to_string(shell.config_file()).unwrap().contains(&id));
    shell.run(&["s3", "ls"]).await.failed(3);
}

#[tokio::test]
async fn an_upload_that_is_broken_off_leaves_nothing() {
    let (server, shell) = storage().await;
    shell.run(&["s3", "mb", "s3://lab"]).await.ok();
    let mut child = shell.start(&["s3", "cp", "-", "s3://lab/half"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(&content(20 * MIB)).await.unwrap();
    until("a part is on the server", async || (under_way(&server).await == (1, 1)).then_some(())).await;
    interrupt(&child);
    // Its input stays open: it ends without it.
    let ended = within(Duration::from_secs(30), "it ends", async || Some(child.wait().await.unwrap())).await;
    assert_eq!(ended.code(), Some(130));
    drop(input);
    assert_eq!(under_way(&server).await, (0, 0));
    assert_eq!(shell.run(&["s3", "ls", "s3://lab", "-o", "name"]).await.ok(), "");
    shell.run(&["s3", "rb", "s3://lab"]).await.ok();
}
