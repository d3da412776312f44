//! Who people are in Slurm.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::slurm::{UserMapping, is_posix_name},
    error::{Error, Result},
};

/// Users of the system and of its services on the machines of clusters. Nobody becomes one of them by having its name: only the settings
/// can say so.
const SYSTEM: [&str; 46] = [
    "_apt",
    "adm",
    "backup",
    "bin",
    "chrony",
    "daemon",
    "dbus",
    "ftp",
    "games",
    "gdm",
    "gnats",
    "halt",
    "irc",
    "list",
    "lp",
    "mail",
    "man",
    "messagebus",
    "mongodb",
    "munge",
    "mysql",
    "news",
    "nobody",
    "ntp",
    "nvidia-persistenced",
    "operator",
    "polkitd",
    "postfix",
    "postgres",
    "proxy",
    "root",
    "rpc",
    "rpcuser",
    "shutdown",
    "slurm",
    "slurmdbd",
    "slurmrest",
    "slurmrestd",
    "sshd",
    "sssd",
    "sync",
    "sys",
    "tss",
    "utopia",
    "uucp",
    "www-data",
];

/// Who people are in Slurm. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Users {
    by_name: Arc<BTreeMap<String, String>>,
    /// Whoever is not named has the same name there. Where people register themselves they choose who they are so.
    same_name: bool,
}

impl Users {
    /// What the settings say.
    ///
    /// # Errors
    /// When they name somebody twice.
    pub fn new(mappings: &[UserMapping]) -> anyhow::Result<Self> {
        let (mut by_name, mut same_name) = (BTreeMap::new(), false);
        for mapping in mappings {
            match mapping {
                UserMapping::Named { name, slurm_name } => {
                    let earlier = by_name.insert(name.to_ascii_lowercase(), slurm_name.clone());
                    anyhow::ensure!(earlier.is_none(), "UTOPIA_SLURM_USERS names {name} twice");
                }
                UserMapping::SameName => same_name = true,
            }
        }
        Ok(Self { by_name: Arc::new(by_name), same_name })
    }

    /// The Slurm user that a person is.
    ///
    /// # Errors
    /// [`Error::Denied`] (`NoSlurmUser`) when there cannot be one.
    pub fn slurm_name<'a>(&'a self, username: &'a str) -> Result<&'a str> {
        if let Some(name) = self.by_name.get(&username.to_ascii_lowercase()) {
            return Ok(name);
        }
        let is_system = is_system(username) || username.starts_with("systemd-");
        if self.same_name && is_posix_name(username) && !is_system { Ok(username) } else { Err(no_slurm_user(username)) }
    }

    /// The names that people may have here who are this user there, those of the settings first.
    pub fn names_of(&self, slurm_name: &str) -> Vec<String> {
        let named = self.by_name.iter().filter(|(_, name)| *name == slurm_name).map(|(username, _)| username.clone());
        let same = self.slurm_name(slurm_name).is_ok_and(|name| name == slurm_name).then(|| slurm_name.to_owned());
        named.chain(same.filter(|name| !self.by_name.contains_key(&name.to_ascii_lowercase()))).collect()
    }
}

fn is_system(name: &str) -> bool {
    SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(name))
}

/// Says that a person is nobody in Slurm.
pub(super) fn no_slurm_user(name: &str) -> Error {
    let message = format!("{name} is no user of Slurm; UTOPIA_SLURM_USERS can say who is");
    Error::Denied { reason: "NoSlurmUser", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(mappings: &[&str]) -> Users {
        Users::new(&mappings.iter().map(|mapping| mapping.parse().unwrap()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn people_are_who_the_settings_say_they_are() {
        assert!(users(&["alice=a1"]).slurm_name("bob").is_err());
        assert_eq!(users(&["alice=a1"]).names_of("bob"), [""; 0]);
        let users = users(&["Alice=a1", "boss=root", "*"]);
        assert_eq!(users.slurm_name("alice").unwrap(), "a1");
        assert_eq!(users.slurm_name("boss").unwrap(), "root");
        assert_eq!(users.slurm_name("bob").unwrap(), "bob");
        assert_eq!(users.names_of("a1"), ["alice", "a1"]);
        assert_eq!(users.names_of("alice"), [""; 0]);
        assert_eq!(users.names_of("root"), ["boss"]);
        assert_eq!(users.names_of("bob"), ["bob"]);
    }

    #[test]
    fn nobody_becomes_a_user_of_the_system_by_name() {
        for name in ["root", "ROOT", "slurm", "munge", "systemd-network", "000", "0", "a b", "", "$(id)", "-x"] {
            let Err(Error::Denied { reason, .. }) = users(&["*"]).slurm_name(name) else { panic!("{name}") };
            assert_eq!(reason, "NoSlurmUser");
        }
    }

    #[test]
    fn nobody_is_named_twice() {
        assert!(Users::new(&["a=b".parse().unwrap(), "A=c".parse().unwrap()]).is_err());
    }
}
