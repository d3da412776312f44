//! An SSH server on a machine of its own: a network namespace, and a mount namespace where `root` has a password that only the test
//! knows.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::nat::Nat;
use super::skip;

const SERVER: &str = "/usr/sbin/sshd";

/// The password of `root` on the machine.
pub(crate) const PASSWORD: &str = "pass word of a machine 9";

/// The server; it ends when dropped.
pub(crate) struct Sshd {
    nat: Arc<Nat>,
    directory: TempDir,
    server: Option<Child>,
}

impl Sshd {
    /// A machine that lets nothing in yet. None, said visibly, where there is no `sshd` or no networks can be made.
    pub(crate) fn create() -> Option<Self> {
        if !Path::new(SERVER).exists() {
            skip("sshd is not installed");
            return None;
        }
        let sshd = Self { nat: Nat::create()?, directory: tempfile::tempdir().unwrap(), server: None };
        sshd.new_host_key();
        let path = sshd.directory.path();
        let config = format!(
            "ListenAddress {}\nHostKey {1}/host_key\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication yes\nKbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\n",
            sshd.nat.inside(),
            path.display()
        );
        fs::write(path.join("config"), config).unwrap();
        let hash = Command::new("openssl").args(["passwd", "-6", "-salt", "utopia", PASSWORD]).output().unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        fs::write(path.join("shadow"), format!("root:{}:20000:0:99999:7:::\n", hash.trim())).unwrap();
        Some(sshd)
    }

    /// The machine's network.
    pub(crate) fn nat(&self) -> &Nat {
        &self.nat
    }

    /// Gives the machine a new host key, as a new installation does.
    pub(crate) fn new_host_key(&self) {
        let path = self.directory.path().join("host_key");
        fs::remove_file(&path).ok();
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
        assert!(made.unwrap().success(), "ssh-keygen failed");
    }

    /// The host key as OpenSSH writes it.
    pub(crate) fn host_key(&self) -> String {
        fs::read_to_string(self.directory.path().join("host_key.pub")).unwrap().trim().to_owned()
    }

    /// Starts the server.
    pub(crate) fn start(&mut self) {
        let path = self.directory.path().display();
        let script =
            format!("mkdir -p /run/sshd && mount --bind {path}/shadow /etc/shadow && exec {SERVER} -D -e -f {path}/config");
        let mut command = self.nat.command("unshare");
        command.args(["--mount", "sh", "-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.server = Some(command.spawn().unwrap());
    }

    /// Ends the server; the machine stays.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Everything on the way to the server replaced itself by the next, so this is the server.
            server.kill().ok();
            server.wait().unwrap();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}
