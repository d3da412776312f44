use utopia_proto::claim::v1::Resources;

use super::*;

fn request() -> CreateContainerRequest {
    CreateContainerRequest {
        claim_id: "train-1".to_owned(),
        image: "registry/a:1".to_owned(),
        ..CreateContainerRequest::default()
    }
}

fn port(host_port: i32, container_port: i32, protocol: &str) -> PortMapping {
    PortMapping { host_port, container_port, protocol: protocol.to_owned() }
}

fn field_of(error: &Error) -> String {
    error.parts().2.expect("a field is named").to_owned()
}

#[test]
fn each_bad_field_of_a_request_is_named() {
    let with = |change: &dyn Fn(&mut CreateContainerRequest)| {
        let mut request = request();
        change(&mut request);
        request
    };
    let volume = |host: &str, container: &str| BTreeMap::from([(host.to_owned(), container.to_owned())]);
    let cases = [
        (with(&|it| it.claim_id = String::new()), "claim_id"),
        (with(&|it| it.claim_id = "a/b".to_owned()), "claim_id"),
        (with(&|it| it.claim_id = "a".repeat(129)), "claim_id"),
        (with(&|it| it.image = String::new()), "image"),
        (with(&|it| it.gpu_count = -1), "gpu_count"),
        (with(&|it| it.port_mappings = vec![port(0, 0, "")]), "port_mappings[0].container_port"),
        (with(&|it| it.port_mappings = vec![port(0, 80, ""), port(70_000, 80, "")]), "port_mappings[1].host_port"),
        (with(&|it| it.port_mappings = vec![port(-1, 80, "")]), "port_mappings[0].host_port"),
        (with(&|it| it.port_mappings = vec![port(0, 80, "sctp")]), "port_mappings[0].protocol"),
        (with(&|it| it.port_mappings = vec![port(80, 80, ""), port(80, 81, "tcp")]), "port_mappings[1].host_port"),
        (with(&|it| it.env_vars = vec!["A=1".to_owned(), "B".to_owned()]), "env_vars[1]"),
        (with(&|it| it.env_vars = vec!["=1".to_owned()]), "env_vars[0]"),
        (with(&|it| it.env_vars = vec!["NVIDIA_VISIBLE_DEVICES=all".to_owned()]), "env_vars[0]"),
        (with(&|it| it.command = vec!["a".to_owned(), "\0".to_owned()]), "command[1]"),
        (with(&|it| it.working_dir = "tmp".to_owned()), "working_dir"),
        (with(&|it| it.volumes = volume("data", "/data")), "volumes[\"data\"]"),
        (with(&|it| it.volumes = volume("/a/../b", "/data")), "volumes[\"/a/../b\"]"),
        (with(&|it| it.volumes = volume("/a:ro", "/data")), "volumes[\"/a:ro\"]"),
        (with(&|it| it.volumes = volume("/a", "/")), "volumes[\"/a\"]"),
        (with(&|it| it.memory_limit_mb = 1), "memory_limit_mb"),
        (with(&|it| it.memory_limit_mb = i64::MAX), "memory_limit_mb"),
        (with(&|it| it.cpu_limit = -1.0), "cpu_limit"),
        (with(&|it| it.cpu_limit = f64::NAN), "cpu_limit"),
    ];
    for (request, field) in cases {
        assert_eq!(field_of(&from_request(&request).unwrap_err()), field, "{request:?}");
    }
}

#[test]
fn fields_of_a_claim_are_named_as_in_its_json() {
    let spec = ClaimSpec { image: "a:1".to_owned(), ..ClaimSpec::default() };
    let cases = [
        (ClaimSpec { image: "A B".to_owned(), ..spec.clone() }, "spec.image"),
        (ClaimSpec { working_dir: "x".to_owned(), ..spec.clone() }, "spec.workingDir"),
        (ClaimSpec { env: vec!["B".to_owned()], ..spec.clone() }, "spec.env[0]"),
        (ClaimSpec { ports: vec![port(0, 0, "")], ..spec.clone() }, "spec.ports[0].container_port"),
        (ClaimSpec { resources: Some(Resources { memory_mb: -1, ..Resources::default() }), ..spec }, "spec.resources.memoryMb"),
    ];
    for (spec, field) in cases {
        assert_eq!(field_of(&from_claim(&spec).unwrap_err()), field, "{spec:?}");
    }
}

#[test]
fn the_same_port_may_be_chosen_twice_or_used_by_two_protocols() {
    let mut wanted = request();
    wanted.port_mappings = vec![port(0, 80, ""), port(0, 81, ""), port(53, 53, "tcp"), port(53, 53, "UDP")];
    let (wish, _) = from_request(&wanted).unwrap();
    assert_eq!(wish.ports[0], Port { host: None, container: 80, protocol: Protocol::Tcp });
    assert_eq!(wish.ports[3], Port { host: Some(53), container: 53, protocol: Protocol::Udp });
}

#[test]
fn the_hash_tells_specifications_apart_and_ignores_the_way() {
    let hash = |request: &CreateContainerRequest| from_request(request).unwrap().0.spec_hash;
    let plain = hash(&request());
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, hash(&CreateContainerRequest { node_id: "n".to_owned(), ..request() }));
    assert_ne!(plain, hash(&CreateContainerRequest { gpu_count: 1, ..request() }));
    assert_ne!(plain, hash(&CreateContainerRequest { command: vec!["a".to_owned()], ..request() }));
}
