//! A real SSH server on loopback, on a port of the system's choice: each connection that is accepted here is handed to an `sshd` of
//! its own, in a mount namespace where the user it is for has a password that only the test knows.

use std::{
    env, fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

/// Whose log-ins the server takes.
pub(crate) const USER: &str = "root";

/// The password of that user, there.
pub(crate) const PASSWORD: &str = "pass word of a machine 7";

const SERVER: &str = "/usr/sbin/sshd";

/// The server; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Sshd {
    directory: TempDir,
    port: u16,
    _accepting: JoinSet<()>,
}

impl Sshd {
    /// None, said visibly, where there is no `sshd` or only root could start it; except where `CI` is set.
    pub(crate) async fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let missing = if !Path::new(SERVER).exists() {
            "sshd is not installed"
        } else if !prepare(directory.path()) {
            "sshd needs root and mount namespaces"
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut accepting = JoinSet::new();
            accepting.spawn(accept(listener, directory.path().to_owned()));
            return Some(Self { directory, port, _accepting: accepting });
        };
        assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{missing}");
        eprintln!("SKIPPED: {missing}");
        None
    }

    /// Gives the machine another host key, as a new installation does.
    pub(crate) fn change_host_key(&self) {
        let path = self.directory.path().join("host_key");
        fs::remove_file(&path).unwrap();
        generate(&path, &["-t", "ed25519"]);
    }

    /// The host key as OpenSSH writes it, without a comment.
    pub(crate) fn host_key(&self) -> String {
        let line = fs::read_to_string(self.directory.path().join("host_key.pub")).unwrap();
        line.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    /// A new private key that the server takes, made with these options of `ssh-keygen`.
    pub(crate) fn private_key(&self, options: &[&str]) -> String {
        let key = private_key(options);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, &key).unwrap();
        Command::new("chmod").arg("600").arg(&path).status().unwrap();
        let public = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output().unwrap().stdout;
        let authorized = self.directory.path().join("authorized_keys");
        let mut all = fs::read(&authorized).unwrap_or_default();
        all.extend(public);
        fs::write(authorized, all).unwrap();
        key
    }

    /// What a machine here is added with, and no credential.
    pub(crate) fn machine(&self, name: &str) -> Json {
        json!({"name": name, "ip_address": "127.0.0.1", "ssh_port": self.port, "user": USER, "role": "worker"})
    }
}

async fn accept(listener: TcpListener, directory: PathBuf) {
    let mut servers = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        let socket = OwnedFd::from(stream);
        let mut server = command(&directory, &format!("exec {SERVER} -i -e -f '{}/config'", directory.display()));
        server.stdin(socket.try_clone().unwrap()).stdout(socket).stderr(Stdio::null());
        servers.push(server.spawn().unwrap());
        servers.retain_mut(|server| !matches!(server.try_wait(), Ok(Some(_))));
    }
}

/// A new private key that no server takes, made with these options of `ssh-keygen`.
pub(crate) fn private_key(options: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    generate(&path, options);
    fs::read_to_string(path).unwrap()
}

fn generate(path: &Path, options: &[&str]) {
    let passphrase = if options.contains(&"-N") { &[][..] } else { &["-N", ""] };
    let made = Command::new("ssh-keygen").arg("-q").args(options).args(passphrase).arg("-f").arg(path).status();
    assert!(made.unwrap().success(), "ssh-keygen failed");
}

/// Writes what the server reads; false where it could not be started.
fn prepare(directory: &Path) -> bool {
    generate(&directory.join("host_key"), &["-t", "ed25519"]);
    let path = directory.display();
    let config = format!(
        "HostKey {path}/host_key\nAuthorizedKeysFile {path}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n\
         PermitRootLogin yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\n"
    );
    fs::write(directory.join("config"), config).unwrap();
    let hash = Command::new("openssl").args(["passwd", "-6", "-salt", "utopia", PASSWORD]).output();
    let Ok(hash) = hash else { return false };
    let hash = String::from_utf8(hash.stdout).unwrap();
    fs::write(directory.join("shadow"), format!("{USER}:{}:20000:0:99999:7:::\n", hash.trim())).unwrap();
    command(directory, &format!("exec {SERVER} -t -f '{path}/config'"))
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|done| done.success())
}

/// A shell command where the test's passwords hold.
fn command(directory: &Path, script: &str) -> Command {
    let shadow = directory.join("shadow");
    let script = format!("mkdir -p /run/sshd && mount --bind '{}' /etc/shadow && {script}", shadow.display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    command
}
