//! Machines that are reached over SSH: what is known of one, how changes and checks move its status. No I/O.

use jiff::Timestamp;
use serde_json::{Value, json};
use utopia_proto::machine::v1::{MachineRole, MachineStatus};
use uuid::Uuid;

use super::{audit::Change, selector::Labels};

/// What stands for a secret where only its presence may be told.
const MASK: &str = "***";

/// What people say of a machine, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSpec {
    /// Unique without regard to case.
    pub name: String,
    /// An address or host name; unique with the port.
    pub ip_address: String,
    /// The port of SSH.
    pub ssh_port: u16,
    /// Its address inside the cluster's network; may be empty.
    pub internal_address: String,
    /// The user to log in as.
    pub user: String,
    /// What it is for.
    pub role: MachineRole,
    /// A path below the artifact directory; may be empty.
    pub artifact_path: String,
    /// A repository of images; may be empty.
    pub image_repo: String,
    /// A registry's host and port; may be empty.
    pub registry_address: String,
    /// Labels.
    pub labels: Labels,
}

/// What a machine is logged in to with, sealed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SealedLogin {
    /// The password.
    pub password: Option<Vec<u8>>,
    /// The private key.
    pub private_key: Option<Vec<u8>>,
}

impl std::fmt::Debug for SealedLogin {
    /// Without the values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { password, private_key } = self;
        f.debug_struct("SealedLogin").field("password", &password.is_some()).field("private_key", &private_key.is_some()).finish()
    }
}

impl SealedLogin {
    /// Whether there is nothing to log in with.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.password.is_none() && self.private_key.is_none()
    }

    /// Each secret of the newer one, or this one's where it has none.
    #[must_use]
    pub fn or_kept(newer: Self, kept: Self) -> Self {
        Self { password: newer.password.or(kept.password), private_key: newer.private_key.or(kept.private_key) }
    }

    /// The secrets that are there, for the audit log.
    fn masked(&self, value: &mut Value) {
        for (name, secret) in [("password", &self.password), ("private_key", &self.private_key)] {
            if secret.is_some() {
                value[name] = MASK.into();
            }
        }
    }
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its id.
    pub id: Uuid,
    /// What people say of it.
    pub spec: MachineSpec,
    /// What it is logged in to with.
    pub login: SealedLogin,
    /// Where it stands.
    pub status: MachineStatus,
    /// Why it stands so; may be empty.
    pub message: String,
    /// The pinned host key as OpenSSH writes it; empty for none.
    pub host_key: String,
    /// When it was last checked; none since its address, user or credentials changed.
    pub last_checked_at: Option<Timestamp>,
    /// Grows with every change of the row but that of the last check's time.
    pub generation: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What an update says.
#[derive(Debug, Clone)]
pub struct MachineUpdate {
    /// All of it replaces what was.
    pub spec: MachineSpec,
    /// What is left out stays.
    pub login: SealedLogin,
    /// The host key to expect. Without one the pinned one stays, unless the address or port changes.
    pub host_key: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `Available` or `Unavailable`.
    pub status: MachineStatus,
    /// Why, as a sentence.
    pub message: String,
    /// The host key of a log-in that worked, as OpenSSH writes it.
    pub host_key: Option<String>,
}

impl Machine {
    /// A machine that was never checked.
    #[must_use]
    pub fn new(id: Uuid, spec: MachineSpec, login: SealedLogin, host_key: String, now: Timestamp) -> Self {
        Self {
            id,
            spec,
            login,
            status: MachineStatus::Offline,
            message: String::new(),
            host_key,
            last_checked_at: None,
            generation: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether its status belongs to somebody: a check leaves it alone.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        match self.status {
            MachineStatus::Maintenance | MachineStatus::InUse | MachineStatus::Deploying => true,
            MachineStatus::Unspecified
            | MachineStatus::Available
            | MachineStatus::Unavailable
            | MachineStatus::Error
            | MachineStatus::Offline => false,
        }
    }

    /// Whether a cluster has it, or is about to: it can be neither deleted nor set aside.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        matches!(self.status, MachineStatus::InUse | MachineStatus::Deploying)
    }

    /// The machine after an update, and what the audit log says of it. What was found of another address, user or credential holds
    /// no longer.
    #[must_use]
    pub fn updated(self, update: MachineUpdate, now: Timestamp) -> (Self, Change) {
        let MachineUpdate { spec, login, host_key } = update;
        let moved = (&spec.ip_address, spec.ssh_port) != (&self.spec.ip_address, self.spec.ssh_port);
        let host_key = host_key.unwrap_or_else(|| if moved { String::new() } else { self.host_key.clone() });
        let as_before = !moved && spec.user == self.spec.user && login.is_empty() && host_key == self.host_key;

        let old = self.audit_value();
        let mut after = Self { spec, host_key, generation: self.generation + 1, updated_at: now, ..self };
        if !as_before {
            after.last_checked_at = None;
            if !after.is_held() {
                after.status = MachineStatus::Offline;
                after.message.clear();
            }
        }
        let mut new = after.audit_value();
        login.masked(&mut new);
        after.login = SealedLogin::or_kept(login, after.login);
        let change = Change::updated(after.id, old, new);
        (after, change)
    }

    /// The machine with a status set by hand, and what the audit log says of it.
    #[must_use]
    pub fn set_by_hand(self, status: MachineStatus, message: String, now: Timestamp) -> (Self, Change) {
        let value = |machine: &Self| json!({"status": word(machine.status), "message": machine.message});
        let old = value(&self);
        let after = Self { status, message, generation: self.generation + 1, updated_at: now, ..self };
        let change = Change::updated(after.id, old, value(&after));
        (after, change)
    }

    /// The machine after a check. A status that belongs to somebody stays; the first host key that was logged in to is pinned.
    #[must_use]
    pub fn checked(self, finding: &Finding, now: Timestamp) -> Self {
        let mut after = Self { last_checked_at: Some(now), ..self.clone() };
        if !after.is_held() {
            after.status = finding.status;
            after.message.clone_from(&finding.message);
        }
        if after.host_key.is_empty() {
            after.host_key = finding.host_key.clone().unwrap_or_default();
        }
        if (after.status, &after.message, &after.host_key) != (self.status, &self.message, &self.host_key) {
            after.generation += 1;
            after.updated_at = now;
        }
        after
    }

    /// What the audit log says of a new machine.
    #[must_use]
    pub fn creation(&self) -> Change {
        let mut value = self.audit_value();
        self.login.masked(&mut value);
        Change::created(self.id, value)
    }

    /// What the audit log says of a machine that is gone.
    #[must_use]
    pub fn deletion(&self) -> Change {
        Change::deleted(self.id, self.audit_value())
    }

    /// What the audit log says of a check that somebody asked for.
    #[must_use]
    pub fn examination(&self) -> Change {
        let found = json!({"status": word(self.status), "message": self.message});
        Change { new: Some(found), ..Change::touched(self.id) }
    }

    /// Without secrets.
    fn audit_value(&self) -> Value {
        let spec = &self.spec;
        json!({
            "name": spec.name,
            "ip_address": spec.ip_address,
            "ssh_port": spec.ssh_port,
            "internal_address": spec.internal_address,
            "user": spec.user,
            "role": role_word(spec.role),
            "artifact_path": spec.artifact_path,
            "image_repo": spec.image_repo,
            "registry_address": spec.registry_address,
            "labels": spec.labels,
            "status": word(self.status),
            "host_key": self.host_key,
        })
    }
}

/// The word for a status; empty for none.
#[must_use]
pub const fn word(status: MachineStatus) -> &'static str {
    match status {
        MachineStatus::Unspecified => "",
        MachineStatus::Available => "available",
        MachineStatus::Unavailable => "unavailable",
        MachineStatus::Maintenance => "maintenance",
        MachineStatus::Error => "error",
        MachineStatus::InUse => "in_use",
        MachineStatus::Deploying => "deploying",
        MachineStatus::Offline => "offline",
    }
}

/// The word for a role; empty for none.
#[must_use]
pub const fn role_word(role: MachineRole) -> &'static str {
    match role {
        MachineRole::Unspecified => "",
        MachineRole::Master => "master",
        MachineRole::Worker => "worker",
        MachineRole::Etcd => "etcd",
        MachineRole::Registry => "registry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn spec() -> MachineSpec {
        MachineSpec {
            name: "m1".into(),
            ip_address: "10.0.0.1".into(),
            ssh_port: 22,
            internal_address: String::new(),
            user: "root".into(),
            role: MachineRole::Worker,
            artifact_path: String::new(),
            image_repo: String::new(),
            registry_address: String::new(),
            labels: Labels::new(),
        }
    }

    fn machine(status: MachineStatus) -> Machine {
        let login = SealedLogin { password: Some(b"sealed".to_vec()), private_key: None };
        let new = Machine::new(Uuid::nil(), spec(), login, "key".into(), at(0));
        Machine { status, message: "why".into(), last_checked_at: Some(at(1)), ..new }
    }

    fn update(spec: MachineSpec) -> MachineUpdate {
        MachineUpdate { spec, login: SealedLogin::default(), host_key: None }
    }

    #[test]
    fn an_update_starts_anew_only_when_the_way_to_the_machine_changes() {
        let private_key = SealedLogin { private_key: Some(b"new".to_vec()), ..SealedLogin::default() };
        let table = [
            ("name", update(MachineSpec { name: "m2".into(), ..spec() }), "available", "key"),
            ("user", update(MachineSpec { user: "ada".into(), ..spec() }), "offline", "key"),
            ("address", update(MachineSpec { ip_address: "10.0.0.2".into(), ..spec() }), "offline", ""),
            ("port", update(MachineSpec { ssh_port: 2222, ..spec() }), "offline", ""),
            ("credential", MachineUpdate { login: private_key, ..update(spec()) }, "offline", "key"),
            ("host key", MachineUpdate { host_key: Some("other".into()), ..update(spec()) }, "offline", "other"),
        ];
        for (what, update, status, host_key) in table {
            let (after, _) = machine(MachineStatus::Available).updated(update, at(2));
            assert_eq!((word(after.status), &*after.host_key), (status, host_key), "{what}");
            assert_eq!(after.last_checked_at.is_none(), status == "offline", "{what}");
            assert_eq!((after.generation, after.updated_at), (2, at(2)), "{what}");
            assert_eq!(after.login.password.as_deref(), Some(&b"sealed"[..]), "{what}");
        }
        let moved = MachineSpec { ip_address: "10.0.0.2".into(), ..spec() };
        let (held, _) = machine(MachineStatus::Maintenance).updated(update(moved), at(2));
        assert_eq!((held.status, &*held.message), (MachineStatus::Maintenance, "why"));
    }

    #[test]
    fn a_check_writes_what_it_finds_unless_the_status_belongs_to_somebody() {
        let finding = Finding { status: MachineStatus::Unavailable, message: "refused".into(), host_key: None };
        for status in ["available", "unavailable", "error", "offline", "maintenance", "in_use", "deploying"] {
            let status = (1..=7).map(|at| MachineStatus::try_from(at).unwrap()).find(|one| word(*one) == status).unwrap();
            let before = machine(status);
            let after = before.clone().checked(&finding, at(9));
            let expected = if before.is_held() { (status, "why") } else { (MachineStatus::Unavailable, "refused") };
            assert_eq!((after.status, &*after.message), expected);
            assert_eq!((after.last_checked_at, after.generation), (Some(at(9)), if before.is_held() { 1 } else { 2 }));
            assert_eq!(after.updated_at, if before.is_held() { at(0) } else { at(9) });
        }
    }

    #[test]
    fn the_first_host_key_is_pinned_and_stays() {
        let found =
            |key: &str| Finding { status: MachineStatus::Available, message: String::new(), host_key: Some(key.to_owned()) };
        let fresh = Machine { host_key: String::new(), ..machine(MachineStatus::Offline) };
        let pinned = fresh.checked(&found("first"), at(2));
        assert_eq!(pinned.host_key, "first");
        assert_eq!(pinned.checked(&found("second"), at(3)).host_key, "first");
    }

    #[test]
    fn the_audit_log_sees_that_a_secret_changed_and_never_which() {
        let login = SealedLogin { password: Some(b"new".to_vec()), private_key: None };
        let (_, change) = machine(MachineStatus::Available).updated(MachineUpdate { login, ..update(spec()) }, at(2));
        let (old, new) = (change.old.unwrap(), change.new.unwrap());
        assert_eq!((old.get("password"), &new["password"], new.get("private_key")), (None, &MASK.into(), None));
        assert_eq!(machine(MachineStatus::Available).creation().new.unwrap()["password"], MASK);
        assert_eq!(machine(MachineStatus::Available).deletion().old.unwrap().get("password"), None);
    }
}
