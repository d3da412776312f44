//! The parts of a container that claims and nodes take alike, under names of their own.

use serde_json::{Map, Value, json};

use crate::args::{EnvVar, Port, Volume};

pub(super) fn ports(ports: Vec<Port>) -> Value {
    let ports = ports.into_iter();
    ports.map(|port| json!({"host_port": port.host, "container_port": port.container, "protocol": port.protocol})).collect()
}

pub(super) fn variables(variables: Vec<EnvVar>) -> Value {
    variables.into_iter().map(|variable| variable.0).collect()
}

pub(super) fn volumes(volumes: Vec<Volume>) -> Value {
    volumes.into_iter().map(|volume| (volume.host, Value::from(volume.container))).collect::<Map<_, _>>().into()
}
