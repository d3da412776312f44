//! What callers ask for, checked and turned into one form: node API requests and claims share every rule. No I/O.

use std::collections::BTreeMap;

use utopia_proto::{
    claim::v1::ClaimSpec,
    node::v1::{CreateContainerRequest, PortMapping},
};

use super::{image, ledger, volumes};
use crate::{
    error::{Error, Result},
    runtime::{Bind, Port, Protocol},
};

const MAX_CLAIM_ID: usize = 128;
const MAX_GPUS: i32 = 1024;
const MAX_ITEMS: usize = 256;
/// Docker refuses smaller limits.
const MIN_MEMORY_MB: i64 = 6;
const MIB: i64 = 1024 * 1024;
const NANO: f64 = 1e9;
const MAX_CPUS: f64 = 4096.0;

/// Set by the agent: which GPUs the container has, or `void`.
pub(super) const VISIBLE_DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";
/// Set by the agent: the UUIDs of the container's GPUs.
pub(super) const GPU_UUIDS: &str = "UTOPIA_GPU_UUIDS";

/// A container that somebody wants, all fields checked but the host paths, which need a look at the disk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) working_dir: String,
    pub(super) ports: Vec<Port>,
    pub(super) binds: Vec<Bind>,
    pub(super) memory_bytes: Option<i64>,
    pub(super) nano_cpus: Option<i64>,
    /// Of the message it came in.
    pub(super) spec_hash: String,
}

/// What the fields are called where they came from, so that errors name them as the caller wrote them.
struct Names {
    prefix: &'static str,
    ports: &'static str,
    env: &'static str,
    working_dir: &'static str,
    memory: &'static str,
    cpus: &'static str,
}

const REQUEST: Names = Names {
    prefix: "",
    ports: "port_mappings",
    env: "env_vars",
    working_dir: "working_dir",
    memory: "memory_limit_mb",
    cpus: "cpu_limit",
};

const CLAIM: Names = Names {
    prefix: "spec.",
    ports: "ports",
    env: "env",
    working_dir: "workingDir",
    memory: "resources.memoryMb",
    cpus: "resources.cpus",
};

/// A node API request: the wish and how many GPUs it wants.
pub(super) fn from_request(request: &CreateContainerRequest) -> Result<(Wish, usize)> {
    claim_id(&request.claim_id)?;
    if !(0..=MAX_GPUS).contains(&request.gpu_count) {
        return Err(invalid("gpu_count", format!("must be between 0 and {MAX_GPUS}")));
    }
    let same_but_for_routing = CreateContainerRequest { node_id: String::new(), claim_id: String::new(), ..request.clone() };
    let fields = Fields {
        names: &REQUEST,
        image: &request.image,
        command: &request.command,
        env: &request.env_vars,
        working_dir: &request.working_dir,
        ports: &request.port_mappings,
        volumes: &request.volumes,
        memory_mb: request.memory_limit_mb,
        cpus: request.cpu_limit,
    };
    let wish = fields.check(ledger::hash(&same_but_for_routing))?;
    Ok((wish, usize::try_from(request.gpu_count).unwrap_or_default()))
}

/// A claim's specification. Its GPUs come beside it.
pub(super) fn from_claim(spec: &ClaimSpec) -> Result<Wish> {
    let resources = spec.resources.clone().unwrap_or_default();
    let fields = Fields {
        names: &CLAIM,
        image: &spec.image,
        command: &spec.command,
        env: &spec.env,
        working_dir: &spec.working_dir,
        ports: &spec.ports,
        volumes: &spec.volumes,
        memory_mb: resources.memory_mb,
        cpus: resources.cpus,
    };
    fields.check(ledger::hash(spec))
}

/// Checks the key of a container. It is part of the container's name.
pub(super) fn claim_id(claim_id: &str) -> Result<()> {
    let fits = (1..=MAX_CLAIM_ID).contains(&claim_id.len())
        && claim_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        return Ok(());
    }
    Err(invalid("claim_id", format!("must be 1 to {MAX_CLAIM_ID} letters, digits, `.`, `_` or `-`")))
}

struct Fields<'a> {
    names: &'static Names,
    image: &'a str,
    command: &'a [String],
    env: &'a [String],
    working_dir: &'a str,
    ports: &'a [PortMapping],
    volumes: &'a BTreeMap<String, String>,
    memory_mb: i64,
    cpus: f64,
}

impl Fields<'_> {
    fn check(&self, spec_hash: String) -> Result<Wish> {
        Ok(Wish {
            image: image::complete(self.image).map_err(|rule| self.invalid("image", rule))?,
            command: self.command()?,
            env: self.env()?,
            working_dir: self.working_dir()?,
            ports: self.ports()?,
            binds: self.binds()?,
            memory_bytes: self.memory_bytes()?,
            nano_cpus: self.nano_cpus()?,
            spec_hash,
        })
    }

    fn command(&self) -> Result<Vec<String>> {
        self.at_most("command", self.command.len())?;
        match self.command.iter().position(|word| word.contains('\0')) {
            Some(index) => Err(self.invalid(&format!("command[{index}]"), "must not contain a NUL character")),
            None => Ok(self.command.to_vec()),
        }
    }

    fn env(&self) -> Result<Vec<String>> {
        let field = self.names.env;
        self.at_most(field, self.env.len())?;
        for (index, variable) in self.env.iter().enumerate() {
            let rule = match variable.split_once('=') {
                None | Some(("", _)) => "must have the form NAME=value",
                Some(_) if variable.contains('\0') => "must not contain a NUL character",
                Some((VISIBLE_DEVICES | GPU_UUIDS, _)) => "sets a variable that the agent itself sets",
                Some(_) => continue,
            };
            return Err(self.invalid(&format!("{field}[{index}]"), rule));
        }
        Ok(self.env.to_vec())
    }

    fn working_dir(&self) -> Result<String> {
        if self.working_dir.is_empty() || (self.working_dir.starts_with('/') && !self.working_dir.contains('\0')) {
            return Ok(self.working_dir.to_owned());
        }
        Err(self.invalid(self.names.working_dir, "must be an absolute path"))
    }

    fn ports(&self) -> Result<Vec<Port>> {
        let field = self.names.ports;
        self.at_most(field, self.ports.len())?;
        let mut ports: Vec<Port> = Vec::with_capacity(self.ports.len());
        for (index, mapping) in self.ports.iter().enumerate() {
            let at = |part: &str| format!("{field}[{index}].{part}");
            let number = |part: &str, value: i32, least: i32| {
                u16::try_from(value)
                    .ok()
                    .filter(|_| value >= least)
                    .ok_or_else(|| self.invalid(&at(part), format!("must be between {least} and 65535")))
            };
            let container = number("container_port", mapping.container_port, 1)?;
            let host = Some(number("host_port", mapping.host_port, 0)?).filter(|&port| port != 0);
            let protocol = match mapping.protocol.to_ascii_lowercase().as_str() {
                "" | "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => return Err(self.invalid(&at("protocol"), "must be tcp or udp")),
            };
            if host.is_some() && ports.iter().any(|other| (other.host, other.protocol) == (host, protocol)) {
                return Err(self.invalid(&at("host_port"), "is mapped twice"));
            }
            ports.push(Port { host, container, protocol });
        }
        Ok(ports)
    }

    fn binds(&self) -> Result<Vec<Bind>> {
        self.at_most("volumes", self.volumes.len())?;
        let mut binds: Vec<Bind> = Vec::with_capacity(self.volumes.len());
        for (host, container) in self.volumes {
            let path = |path: &str| volumes::is_normal(path) && !path.contains([':', '\0']);
            let rule = if !path(host) {
                "the host path must be absolute, without `..` and without a colon"
            } else if !path(container) || container == "/" {
                "the container path must be absolute, not the root, without `..` and without a colon"
            } else if binds.iter().any(|bind| bind.container == *container) {
                "the container path is used twice"
            } else {
                binds.push(Bind { host: host.clone(), container: container.clone() });
                continue;
            };
            return Err(self.invalid(&format!("volumes[{host:?}]"), rule));
        }
        Ok(binds)
    }

    fn memory_bytes(&self) -> Result<Option<i64>> {
        match self.memory_mb {
            0 => Ok(None),
            MIN_MEMORY_MB.. => self
                .memory_mb
                .checked_mul(MIB)
                .map(Some)
                .ok_or_else(|| self.invalid(self.names.memory, "is larger than any machine")),
            _ => Err(self.invalid(self.names.memory, format!("must be 0 (no limit) or at least {MIN_MEMORY_MB}"))),
        }
    }

    fn nano_cpus(&self) -> Result<Option<i64>> {
        if self.cpus == 0.0 {
            return Ok(None);
        }
        if !(0.01..=MAX_CPUS).contains(&self.cpus) {
            return Err(self.invalid(self.names.cpus, format!("must be 0 (no limit) or between 0.01 and {MAX_CPUS}")));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 4096e9, which an i64 holds")]
        let nano_cpus = (self.cpus * NANO).round() as i64;
        Ok(Some(nano_cpus))
    }

    fn at_most(&self, field: &str, items: usize) -> Result<()> {
        if items <= MAX_ITEMS {
            return Ok(());
        }
        Err(self.invalid(field, format!("must have at most {MAX_ITEMS} items")))
    }

    fn invalid(&self, field: &str, rule: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        invalid(format!("{}{field}", self.names.prefix), rule)
    }
}

/// A field that breaks a rule.
pub(super) fn invalid(
    field: impl Into<std::borrow::Cow<'static, str>>,
    rule: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    Error::Invalid { field: field.into(), rule: rule.into() }
}

#[cfg(test)]
mod tests;
