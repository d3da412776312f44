//! What standard tools find: reflection, health, metrics, readiness; and how the control plane stops.

use std::collections::BTreeSet;

use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};
use utopia_proto::link::v1::control_frame::Frame as Heard;

use crate::{agent::Agent, databases::on_both_databases, machine::Machine, plane::Plane};

mod running {
    use super::{reflection_lists_every_service, the_control_plane_says_that_it_is_well};

    crate::databases::on_both_databases!(reflection_lists_every_service, the_control_plane_says_that_it_is_well);
}

on_both_databases!(urls: agents_are_told_to_come_back_when_the_control_plane_stops);

async fn reflect(plane: &Plane, request: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(plane.channel().await);
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap()
}

async fn reflection_lists_every_service(plane: &Plane) {
    let MessageResponse::ListServicesResponse(list) = reflect(plane, MessageRequest::ListServices(String::new())).await else {
        panic!("no list")
    };
    let listed = list.service.into_iter().map(|service| service.name).collect::<BTreeSet<_>>();
    let pool = utopia_proto::descriptor_pool();
    for service in pool.services() {
        assert!(listed.contains(service.full_name()), "{} is not in {listed:?}", service.full_name());
    }
    assert!(listed.contains("grpc.health.v1.Health"), "{listed:?}");
    let symbol = MessageRequest::FileContainingSymbol("utopia.claim.v1.ClaimService".into());
    let MessageResponse::FileDescriptorResponse(files) = reflect(plane, symbol).await else { panic!("no file") };
    assert!(!files.file_descriptor_proto.is_empty());
}

async fn the_control_plane_says_that_it_is_well(plane: &Plane) {
    let mut health = HealthClient::new(plane.channel().await);
    let answer = health.check(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    assert_eq!(plane.http.get("/ready").await.text, "ready\n");

    let node = Machine::new("n1", 0).join(plane).await;
    let _agent = Agent::obedient(plane, &node).await;
    let metrics = plane.http.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let enrolled = metrics.text.lines().any(|line| line.contains("EnrolmentService/Enrol"));
    assert!(enrolled, "{}", metrics.text);
}

async fn agents_are_told_to_come_back_when_the_control_plane_stops(url: &str) {
    let plane = Plane::start(url).await;
    let node = Machine::new("n1", 0).join(&plane).await;
    let agent = Agent::obedient(&plane, &node).await;
    plane.running.begin_stop();
    let told = agent.hears("the Drain", |frame| match frame {
        Heard::Drain(drain) => Some(drain.reconnect_after_ms),
        Heard::Welcome(_) | Heard::Command(_) | Heard::Cancel(_) | Heard::HeartbeatAck(_) | Heard::Grant(_) => None,
    });
    assert!(told.await > 0);
    assert_eq!(agent.is_cut().await.code(), Code::Unavailable);
    plane.stop().await;
}
