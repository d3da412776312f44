//! Rules for what callers say of hosts.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;
use prost_types::{Struct, value::Kind};
use utopia_proto::host::v1::{
    CreateHostRequest, HostHealth, MaintenanceClaims as WireClaims, ReportHeartbeatRequest, SetMaintenanceRequest,
    UpdateHostRequest,
};

use crate::{
    error::{Error, Result},
    link::reports::Report,
    model::{
        host::{MaintenanceClaims, Registration},
        selector::Labels,
    },
    service::validate,
    store::HostChange,
};

/// The longest name in characters.
const MAX_NAME: usize = 128;

/// The longest version in characters.
const MAX_VERSION: usize = 128;

/// The longest reason of a maintenance in characters.
const MAX_REASON: usize = 200;

/// The most CPUs and GPUs that anybody has.
const MAX_UNITS: i32 = 1 << 20;

/// A new host.
pub(super) fn registration(request: CreateHostRequest) -> Result<Registration> {
    name(&request.name)?;
    validate::characters("os_version", &request.os_version, MAX_VERSION)?;
    if !(0..=MAX_UNITS).contains(&request.total_cpu) {
        return Err(Error::invalid("total_cpu", format!("must be 0 to {MAX_UNITS}")));
    }
    not_negative("total_memory", request.total_memory)?;
    not_negative("total_disk", request.total_disk)?;
    validate::labels("labels", &request.labels)?;
    Ok(Registration {
        ip_address: ip_address(&request.ip_address)?,
        os_type: os_type(&request.os_type, "linux")?,
        deployment_mode: deployment_mode(&request.deployment_mode)?,
        name: request.name,
        os_version: request.os_version,
        total_cpu: request.total_cpu,
        total_memory: request.total_memory,
        total_disk: request.total_disk,
        labels: request.labels,
    })
}

/// What shall change of a host.
pub(super) fn change(request: UpdateHostRequest) -> Result<HostChange> {
    if let Some(new) = &request.name {
        name(new)?;
    }
    if let Some(version) = &request.os_version {
        validate::characters("os_version", version, MAX_VERSION)?;
    }
    Ok(HostChange {
        labels: request.labels.map(labels).transpose()?,
        ip_address: request.ip_address.map(|address| ip_address(&address)).transpose()?,
        deployment_mode: request.deployment_mode.map(|mode| deployment_mode(&mode)).transpose()?,
        name: request.name,
        os_version: request.os_version,
    })
}

/// What a host says of itself.
pub(super) fn report(request: &ReportHeartbeatRequest, now: Timestamp) -> Result<Report> {
    validate::characters("status", &request.status, 64)?;
    let health = HostHealth::try_from(request.health_status);
    let health = health.map_err(|_| Error::invalid("health_status", "is none that a host can have"))?;
    // Not a number is in no range.
    if !(0.0..=f64::from(MAX_UNITS)).contains(&request.used_cpu) {
        return Err(Error::invalid("used_cpu", format!("must be 0 to {MAX_UNITS}")));
    }
    not_negative("used_memory", request.used_memory)?;
    if !(0..=MAX_UNITS).contains(&request.used_gpu) {
        return Err(Error::invalid("used_gpu", format!("must be 0 to {MAX_UNITS}")));
    }
    Ok(Report { at: now, health, used_cpu: request.used_cpu, used_memory: request.used_memory, used_gpu: request.used_gpu })
}

/// Why a host goes into maintenance, and what happens to its claims.
pub(super) fn maintenance(request: &SetMaintenanceRequest) -> Result<(&str, MaintenanceClaims)> {
    validate::characters("reason", &request.reason, MAX_REASON)?;
    let claims = match WireClaims::try_from(request.claims) {
        Ok(WireClaims::Unspecified | WireClaims::Keep) => MaintenanceClaims::Keep,
        Ok(WireClaims::Move) => MaintenanceClaims::Move,
        Err(_) => return Err(Error::invalid("claims", "must be `keep` or `move`")),
    };
    Ok((&request.reason, claims))
}

/// An operating system; `absent` when it is left out.
pub(super) fn os_type(word: &str, absent: &str) -> Result<String> {
    one_of("os_type", word, absent, &["linux", "windows"])
}

fn deployment_mode(word: &str) -> Result<String> {
    one_of("deployment_mode", word, "traditional", &["traditional", "container", "kubernetes"])
}

fn one_of(field: &'static str, word: &str, absent: &str, words: &[&str]) -> Result<String> {
    let word = if word.is_empty() { absent } else { word };
    match words.iter().find(|known| known.eq_ignore_ascii_case(word)) {
        Some(known) => Ok((*known).to_owned()),
        None if word == absent => Ok(String::new()),
        None => Err(Error::invalid(field, format!("must be one of: {}", words.join(", ")))),
    }
}

fn name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::missing("name"));
    }
    validate::characters("name", name, MAX_NAME)?;
    if name.trim() == name { Ok(()) } else { Err(Error::invalid("name", "must not begin or end with white space")) }
}

fn ip_address(address: &str) -> Result<String> {
    if address.is_empty() {
        return Ok(String::new());
    }
    let address: Result<IpAddr, _> = address.parse();
    address.map(|address| address.to_string()).map_err(|_| Error::invalid("ip_address", "must be an IPv4 or IPv6 address"))
}

fn not_negative(field: &'static str, value: i64) -> Result<()> {
    if value >= 0 { Ok(()) } else { Err(Error::invalid(field, "must not be negative")) }
}

/// Labels as they come in an update, where none at all is not the same as an empty object.
fn labels(object: Struct) -> Result<Labels> {
    let text = |(key, value): (String, prost_types::Value)| match value.kind {
        Some(Kind::StringValue(text)) => Ok((key, text)),
        Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::BoolValue(_) | Kind::StructValue(_) | Kind::ListValue(_))
        | None => Err(Error::invalid("labels", "must be an object of strings")),
    };
    let labels = object.fields.into_iter().map(text).collect::<Result<BTreeMap<_, _>>>()?;
    validate::labels("labels", &labels)?;
    Ok(labels)
}
