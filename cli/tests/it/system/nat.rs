//! A machine behind NAT: a network namespace of its own, joined to this one by a cable. It reaches us; what comes from
//! outside without having been asked for is dropped.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::skip;

const TRIES: u32 = 20;

/// The namespace with its cable; removed when dropped, which is after the programs in it.
pub(crate) struct Nat {
    namespace: String,
    /// Our end of the cable.
    outer: String,
    /// The machine's end of the cable.
    inner: String,
    network: Ipv4Addr,
}

impl Nat {
    /// None, said visibly, where networks cannot be made.
    pub(crate) fn create() -> Option<Arc<Self>> {
        let id = &uuid::Uuid::new_v4().simple().to_string()[..10];
        let [namespace, outer, inner] = ["utopia-", "uto", "uti"].map(|prefix| format!("{prefix}{id}"));
        let missing = if !rustix::process::geteuid().is_root() {
            "networks are made by root only"
        } else if !does(Command::new("nft").arg("--version")) {
            "nft is not installed"
        } else if !does(Command::new("ip").args(["netns", "add", &namespace])) {
            "`ip netns add` does not work"
        } else {
            let nat = Self { namespace, outer, inner, network: free_network() };
            nat.connect();
            nat.drop_what_comes_in();
            return Some(Arc::new(nat));
        };
        skip(missing);
        None
    }

    fn connect(&self) {
        let Self { namespace, outer, inner, .. } = self;
        ip(&["link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace]);
        ip(&["address", "add", &format!("{}/30", self.outside()), "dev", outer]);
        ip(&["link", "set", outer, "up"]);
        ip(&["-netns", namespace, "address", "add", &format!("{}/30", self.inside()), "dev", inner]);
        ip(&["-netns", namespace, "link", "set", "lo", "up"]);
        self.mend();
    }

    fn drop_what_comes_in(&self) {
        let rules = "add table inet nat; \
                     add chain inet nat inbound { type filter hook input priority 0; policy drop; }; \
                     add rule inet nat inbound iifname lo accept; \
                     add rule inet nat inbound ct state established,related accept";
        assert!(does(self.command("nft").arg(rules)), "nft failed");
    }

    /// Lets in what comes from outside, as a machine without a NAT does.
    pub(crate) fn open(&self) {
        assert!(does(self.command("nft").arg("delete table inet nat")), "nft failed");
    }

    /// Our address, which the machine can dial.
    pub(crate) fn outside(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() + 1)
    }

    /// The machine's address.
    pub(crate) fn inside(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() + 2)
    }

    /// A program on the machine.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// Pulls the cable out at the machine.
    pub(crate) fn cut(&self) {
        ip(&["-netns", &self.namespace, "link", "set", &self.inner, "down"]);
    }

    /// Plugs the cable in again.
    pub(crate) fn mend(&self) {
        ip(&["-netns", &self.namespace, "link", "set", &self.inner, "up"]);
    }

    /// Whether somebody on the machine listens on this port of all its addresses.
    pub(crate) fn listens(&self, port: u16) -> bool {
        let output = self.command("ss").arg("-Hltn").output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains(&format!(" 0.0.0.0:{port} "))
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        // The other end goes with it. Processes may still hold the namespace, but not its name.
        does(Command::new("ip").args(["link", "delete", &self.outer]));
        does(Command::new("ip").args(["netns", "delete", &self.namespace]));
    }
}

/// A network of four private addresses to which nothing but the default route leads.
fn free_network() -> Ipv4Addr {
    for _ in 0..TRIES {
        let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
        let network = Ipv4Addr::new(10, a, b, c & !3);
        let routes = |how: &str| {
            let output = Command::new("ip").args(["-4", "route", "show", how, &format!("{network}/30")]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        if routes("root").is_empty() && routes("match").lines().all(|route| route.starts_with("default ")) {
            return network;
        }
    }
    panic!("{TRIES} networks in 10.0.0.0/8 were all in use");
}

fn ip(arguments: &[&str]) {
    assert!(does(Command::new("ip").args(arguments)), "ip {} failed", arguments.join(" "));
}

fn does(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
