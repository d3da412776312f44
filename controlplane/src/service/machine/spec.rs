//! What callers say of a machine: the same rules for a new one and for one that is replaced.

use std::net::IpAddr;

use utopia_proto::machine::v1::{CreateMachineRequest, MachineRole, UpdateMachineRequest};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    model::{
        machine::{MachineSpec, SealedLogin},
        selector::{self, Labels},
    },
    seal::{Place, Sealer},
    ssh,
};

/// The port of SSH when the caller does not say.
const DEFAULT_PORT: u16 = 22;

/// The longest password in bytes.
const MAX_PASSWORD: usize = 1024;

/// The longest private key in bytes.
const MAX_PRIVATE_KEY: usize = 16 * 1024;

/// The longest host key in bytes.
const MAX_HOST_KEY: usize = 4096;

/// A replacement has the same fields as a new machine.
pub(super) fn contents(update: UpdateMachineRequest) -> CreateMachineRequest {
    CreateMachineRequest {
        name: update.name,
        ip_address: update.ip_address,
        internal_address: update.internal_address,
        user: update.user,
        password: update.password,
        role: update.role,
        artifact_path: update.artifact_path,
        image_repo: update.image_repo,
        registry_address: update.registry_address,
        labels: update.labels,
        ssh_port: update.ssh_port,
        private_key: update.private_key,
        host_key: update.host_key,
    }
}

/// What is said of the machine.
///
/// # Errors
/// [`Error::Missing`], [`Error::Invalid`].
pub(super) fn machine(request: CreateMachineRequest) -> Result<MachineSpec> {
    required("name", &request.name)?;
    required("ip_address", &request.ip_address)?;
    required("user", &request.user)?;
    if request.role == 0 {
        return Err(Error::missing("role"));
    }
    name(&request.name)?;
    user(&request.user)?;
    artifact_path(&request.artifact_path)?;
    characters("image_repo", &request.image_repo, 512)?;
    if request.image_repo.contains(char::is_whitespace) {
        return Err(Error::invalid("image_repo", "must not contain white space"));
    }
    if !request.registry_address.is_empty() {
        registry_address(&request.registry_address)?;
    }
    let internal_address = match &*request.internal_address {
        "" => String::new(),
        given => address("internal_address", given)?,
    };
    let role = MachineRole::try_from(request.role);
    Ok(MachineSpec {
        ip_address: address("ip_address", &request.ip_address)?,
        ssh_port: port(request.ssh_port)?,
        internal_address,
        role: role.map_err(|_| Error::invalid("role", "must be master, worker, etcd or registry"))?,
        labels: labels(request.labels)?,
        name: request.name,
        user: request.user,
        artifact_path: request.artifact_path,
        image_repo: request.image_repo,
        registry_address: request.registry_address,
    })
}

/// The secrets that were sent, sealed for the machine's row.
///
/// # Errors
/// [`Error::Invalid`], which never repeats a secret.
pub(super) fn sealed_login(request: &CreateMachineRequest, sealer: &Sealer, id: Uuid) -> Result<SealedLogin> {
    let CreateMachineRequest { password, private_key, .. } = request;
    if password.len() > MAX_PASSWORD || password.chars().any(char::is_control) {
        return Err(Error::invalid("password", "must be at most 1024 bytes without control characters"));
    }
    if private_key.len() > MAX_PRIVATE_KEY {
        return Err(Error::invalid("private_key", "must be at most 16 KiB"));
    }
    if !private_key.is_empty() {
        ssh::private_key(private_key).map_err(|rule| Error::invalid("private_key", rule))?;
    }
    let row = id.to_string();
    let seal = |column, secret: &str| {
        let place = Place { table: "machines", column, row: &row };
        let sealed = (!secret.is_empty()).then(|| sealer.seal(place, secret.as_bytes())).transpose();
        sealed.map_err(|error| Error::internal("seal a machine's secret", error))
    };
    Ok(SealedLogin { password: seal("sealed_password", password)?, private_key: seal("sealed_private_key", private_key)? })
}

/// The host key that was sent, without its comment.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn host_key(request: &CreateMachineRequest) -> Result<Option<String>> {
    if request.host_key.is_empty() {
        return Ok(None);
    }
    if request.host_key.len() > MAX_HOST_KEY {
        return Err(Error::invalid("host_key", "must be at most 4 KiB"));
    }
    let key = ssh::host_key(&request.host_key).map_err(|rule| Error::invalid("host_key", rule))?;
    key.to_openssh().map(Some).map_err(|error| Error::internal("write a host key", error))
}

fn required(field: &'static str, value: &str) -> Result<()> {
    if value.is_empty() { Err(Error::missing(field)) } else { Ok(()) }
}

/// Text of limited length in characters, without control characters.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn characters(field: &'static str, value: &str, max: usize) -> Result<()> {
    if value.chars().take(max + 1).count() > max || value.chars().any(char::is_control) {
        return Err(Error::invalid(field, format!("must be at most {max} characters without control characters")));
    }
    Ok(())
}

fn name(name: &str) -> Result<()> {
    if name.trim() != name {
        return Err(Error::invalid("name", "must not begin or end with white space"));
    }
    characters("name", name, 128)
}

/// By the rule of `useradd`, and capitals, which some directories have.
fn user(user: &str) -> Result<()> {
    let body = user.strip_suffix('$').unwrap_or(user);
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = user.len() <= 32 && body.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && body.chars().all(inner);
    let rule = "must be 1 to 32 letters, digits, `_`, `-` or `.`, and begin with a letter, a digit or `_`";
    if fits { Ok(()) } else { Err(Error::invalid("user", rule)) }
}

/// An address in its one spelling, or a host name in lower case.
fn address(field: &'static str, value: &str) -> Result<String> {
    if let Ok(address) = value.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() {
            return Err(Error::invalid(field, "must be the address of one machine"));
        }
        return Ok(address.to_canonical().to_string());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number is an address that is none.
    let numeric = value.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    if value.len() <= 253 && !numeric && value.split('.').all(label) {
        return Ok(value.to_ascii_lowercase());
    }
    Err(Error::invalid(field, "must be an IPv4 or IPv6 address or a host name"))
}

fn port(port: i32) -> Result<u16> {
    match u16::try_from(port) {
        Ok(0) => Ok(DEFAULT_PORT),
        Ok(port) => Ok(port),
        Err(_) => Err(Error::invalid("ssh_port", "must be 1 to 65535")),
    }
}

fn artifact_path(path: &str) -> Result<()> {
    if path.len() > 1024 || path.chars().any(char::is_control) || path.split('/').any(|part| part == "..") {
        return Err(Error::invalid("artifact_path", "must be a path of at most 1024 bytes without `..` and control characters"));
    }
    Ok(())
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn registry_address(value: &str) -> Result<()> {
    let wrong = || Error::invalid("registry_address", "must be a host with an optional port: `registry.example:5000`");
    let (host, port) = match value.strip_prefix('[').map(|rest| rest.split_once(']').ok_or_else(wrong)).transpose()? {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
        None => value.split_once(':').map_or((value, None), |(host, port)| (host, Some(port))),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    if port_fits && address("registry_address", host).is_ok() { Ok(()) } else { Err(wrong()) }
}

fn labels(labels: Labels) -> Result<Labels> {
    match selector::check(&labels) {
        Ok(()) => Ok(labels),
        Err(("", rule)) => Err(Error::invalid("labels", rule.to_string())),
        Err((key, rule)) => {
            let key = key.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
            Err(Error::invalid(format!("labels.{key}"), rule.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> CreateMachineRequest {
        CreateMachineRequest {
            name: "machine-1".into(),
            ip_address: "192.168.1.10".into(),
            user: "root".into(),
            role: MachineRole::Master.into(),
            ..CreateMachineRequest::default()
        }
    }

    /// The field that is refused; an asterisk before those that are missing.
    fn refused(request: CreateMachineRequest) -> String {
        match machine(request) {
            Ok(_) => String::new(),
            Err(Error::Invalid { field, .. }) => field.into_owned(),
            Err(Error::Missing { field, .. }) => format!("*{field}"),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_tells_missing_from_bad() {
        let long = "a".repeat(129);
        let labels = |key: &str, value: &str| Labels::from([(key.to_owned(), value.to_owned())]);
        let table = [
            (request(), ""),
            (CreateMachineRequest { name: String::new(), ..request() }, "*name"),
            (CreateMachineRequest { ip_address: String::new(), ..request() }, "*ip_address"),
            (CreateMachineRequest { user: String::new(), ..request() }, "*user"),
            (CreateMachineRequest { role: 0, ..request() }, "*role"),
            (CreateMachineRequest { role: 99, ..request() }, "role"),
            (CreateMachineRequest { name: long, ..request() }, "name"),
            (CreateMachineRequest { name: "ä".repeat(128), ..request() }, ""),
            (CreateMachineRequest { name: "a\u{7}b".into(), ..request() }, "name"),
            (CreateMachineRequest { name: " a".into(), ..request() }, "name"),
            (CreateMachineRequest { user: "a b".into(), ..request() }, "user"),
            (CreateMachineRequest { user: "-a".into(), ..request() }, "user"),
            (CreateMachineRequest { user: "host$".into(), ..request() }, ""),
            (CreateMachineRequest { ssh_port: -1, ..request() }, "ssh_port"),
            (CreateMachineRequest { ssh_port: 65_536, ..request() }, "ssh_port"),
            (CreateMachineRequest { artifact_path: "a/../b".into(), ..request() }, "artifact_path"),
            (CreateMachineRequest { artifact_path: "a/..b".into(), ..request() }, ""),
            (CreateMachineRequest { image_repo: "a b".into(), ..request() }, "image_repo"),
            (CreateMachineRequest { registry_address: "registry:5000".into(), ..request() }, ""),
            (CreateMachineRequest { registry_address: "[fd00::1]:5000".into(), ..request() }, ""),
            (CreateMachineRequest { registry_address: "registry:0".into(), ..request() }, "registry_address"),
            (CreateMachineRequest { registry_address: "http://registry".into(), ..request() }, "registry_address"),
            (CreateMachineRequest { internal_address: "10.0.0.256".into(), ..request() }, "internal_address"),
            (CreateMachineRequest { labels: labels("rack", "rack1"), ..request() }, ""),
            (CreateMachineRequest { labels: labels("a b", ""), ..request() }, "labels.a b"),
        ];
        for (request, expected) in table {
            assert_eq!(refused(request.clone()), expected, "{}", request.name);
        }
    }

    #[test]
    fn an_address_has_one_spelling() {
        let table = [
            ("192.168.1.10", Some("192.168.1.10")),
            ("2001:DB8::0:1", Some("2001:db8::1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("Node-1.Example", Some("node-1.example")),
            ("999.1.1.1", None),
            ("10.0.0", None),
            ("0.0.0.0", None),
            ("224.0.0.1", None),
            ("a..b", None),
            ("-a", None),
            ("a b", None),
            ("a/b", None),
        ];
        for (given, expected) in table {
            assert_eq!(address("ip_address", given).ok().as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let sealer = Sealer::new([1; 32]);
        let secrets =
            [("hunter2\n", ""), (&*"hunter2".repeat(200), ""), ("", "-----BEGIN hunter2"), ("", &*"hunter2".repeat(3000))];
        for (password, private_key) in secrets {
            let request =
                CreateMachineRequest { password: password.to_owned(), private_key: private_key.to_owned(), ..request() };
            let error = sealed_login(&request, &sealer, Uuid::nil()).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }) && !format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
