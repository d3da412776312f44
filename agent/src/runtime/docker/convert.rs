//! Between our types and Docker's. No I/O.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, DeviceRequest, HostConfig, PortBinding, PortMap,
    RestartPolicy, RestartPolicyNameEnum,
};

use crate::{
    error::{Error, Result},
    runtime::{ContainerSpec, Observed, Port, Status},
};

/// The body of a create request.
pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: some(&spec.command),
        env: some(&spec.env),
        working_dir: (!spec.working_dir.is_empty()).then(|| spec.working_dir.clone()),
        exposed_ports: Some(spec.ports.iter().map(port_key).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    HostConfig {
        binds: Some(spec.binds.iter().map(|bind| format!("{}:{}", bind.host, bind.container)).collect()),
        port_bindings: Some(port_bindings(&spec.ports)),
        memory: spec.memory_bytes,
        // Without this Docker allows as much swap on top.
        memory_swap: spec.memory_bytes,
        nano_cpus: spec.nano_cpus,
        device_requests: (!spec.gpu_uuids.is_empty()).then(|| {
            vec![DeviceRequest {
                driver: Some("nvidia".to_owned()),
                device_ids: Some(spec.gpu_uuids.clone()),
                capabilities: Some(vec![vec!["gpu".to_owned()]]),
                ..DeviceRequest::default()
            }]
        }),
        // What becomes of a container that ended is for the control plane to say.
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        ..HostConfig::default()
    }
}

fn port_key(port: &Port) -> String {
    format!("{}/{}", port.container, port.protocol.as_str())
}

fn port_bindings(ports: &[Port]) -> PortMap {
    let mut map: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in ports {
        // An empty port lets Docker choose one.
        let host_port = port.host.map(|port| port.to_string()).unwrap_or_default();
        let binding = PortBinding { host_ip: None, host_port: Some(host_port) };
        map.entry(port_key(port)).or_default().get_or_insert_default().push(binding);
    }
    map
}

/// What an inspect answer tells.
pub(super) fn observed(answer: ContainerInspectResponse) -> Result<Observed> {
    let state = answer.state.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let status = state.status.and_then(status);
    let (Some(id), Some(status)) = (answer.id, status) else {
        return Err(Error::Internal { message: "Docker's answer has no container id or state".to_owned() });
    };
    let ports = answer.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
    Ok(Observed {
        id,
        name: answer.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image: config.image.unwrap_or_default(),
        status,
        exit_code: state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1),
        out_of_memory: state.oom_killed.unwrap_or_default(),
        created_s: unix_seconds(answer.created.as_deref()),
        started_s: unix_seconds(state.started_at.as_deref()),
        ports: ports.into_iter().filter_map(|(port, bindings)| Some((port, host_port(bindings)?))).collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(),
    })
}

/// Docker lists a port once per address family, with the same number.
fn host_port(bindings: Option<Vec<PortBinding>>) -> Option<String> {
    bindings?.into_iter().find_map(|binding| binding.host_port.filter(|port| !port.is_empty()))
}

/// Docker writes the year 1 for "never".
fn unix_seconds(time: Option<&str>) -> i64 {
    time.and_then(|time| time.parse::<jiff::Timestamp>().ok()).map_or(0, |time| time.as_second().max(0))
}

fn status(word: ContainerStateStatusEnum) -> Option<Status> {
    match word {
        ContainerStateStatusEnum::EMPTY => None,
        ContainerStateStatusEnum::CREATED => Some(Status::Created),
        // One that is being stopped runs until it has ended.
        ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING => Some(Status::Running),
        ContainerStateStatusEnum::PAUSED => Some(Status::Paused),
        ContainerStateStatusEnum::RESTARTING => Some(Status::Restarting),
        ContainerStateStatusEnum::REMOVING => Some(Status::Removing),
        ContainerStateStatusEnum::EXITED => Some(Status::Exited),
        ContainerStateStatusEnum::DEAD => Some(Status::Dead),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, ContainerState, NetworkSettings};

    use super::*;
    use crate::runtime::Protocol;

    #[test]
    fn gpus_are_asked_for_by_uuid() {
        let spec = ContainerSpec { gpu_uuids: vec!["GPU-1".to_owned(), "GPU-2".to_owned()], ..ContainerSpec::default() };
        let requests = host_config(&spec).device_requests.unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].driver.as_deref(), Some("nvidia"));
        assert_eq!(requests[0].count, None, "a count beside ids is refused by Docker");
        assert_eq!(requests[0].device_ids.as_deref(), Some(&["GPU-1".to_owned(), "GPU-2".to_owned()][..]));
        assert_eq!(host_config(&ContainerSpec::default()).device_requests, None);
    }

    #[test]
    fn ports_are_bound_as_wished_or_chosen() {
        let port = |host, container, protocol| Port { host, container, protocol };
        let map =
            port_bindings(&[port(Some(8080), 80, Protocol::Tcp), port(None, 80, Protocol::Tcp), port(None, 53, Protocol::Udp)]);
        let hosts = |key: &str| {
            let bindings = map[key].clone().unwrap();
            bindings.into_iter().map(|binding| binding.host_port.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(hosts("80/tcp"), ["8080", ""]);
        assert_eq!(hosts("53/udp"), [""]);
    }

    #[test]
    fn an_inspection_is_read() {
        let answer = ContainerInspectResponse {
            id: Some("abc".to_owned()),
            name: Some("/utopia-c".to_owned()),
            created: Some("2026-01-02T03:04:05.678Z".to_owned()),
            state: Some(ContainerState {
                status: Some(ContainerStateStatusEnum::EXITED),
                exit_code: Some(137),
                oom_killed: Some(true),
                started_at: Some("0001-01-01T00:00:00Z".to_owned()),
                ..ContainerState::default()
            }),
            config: Some(ContainerConfig { image: Some("a:1".to_owned()), ..ContainerConfig::default() }),
            network_settings: Some(NetworkSettings {
                ports: Some(HashMap::from([
                    ("80/tcp".to_owned(), Some(vec![PortBinding { host_ip: None, host_port: Some("32768".to_owned()) }])),
                    ("81/tcp".to_owned(), None),
                ])),
                ..NetworkSettings::default()
            }),
            ..ContainerInspectResponse::default()
        };
        let expected = Observed {
            id: "abc".to_owned(),
            name: "utopia-c".to_owned(),
            image: "a:1".to_owned(),
            status: Status::Exited,
            exit_code: 137,
            out_of_memory: true,
            created_s: 1_767_323_045,
            started_s: 0,
            ports: BTreeMap::from([("80/tcp".to_owned(), "32768".to_owned())]),
            labels: BTreeMap::new(),
        };
        assert_eq!(observed(answer).unwrap(), expected);
    }

    #[test]
    fn an_answer_without_an_id_is_an_error() {
        assert!(observed(ContainerInspectResponse::default()).is_err());
    }
}
