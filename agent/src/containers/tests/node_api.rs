//! Containers made through the node API.

use super::*;

#[tokio::test]
async fn a_container_is_made_and_shown() {
    let agent = Agent::new();
    let wanted = CreateContainerRequest {
        port_mappings: vec![
            PortMapping { host_port: 0, container_port: 80, protocol: String::new() },
            PortMapping { host_port: 5353, container_port: 53, protocol: "udp".to_owned() },
        ],
        env_vars: vec!["A=1".to_owned()],
        command: vec!["sleep".to_owned(), "60".to_owned()],
        working_dir: "/tmp".to_owned(),
        memory_limit_mb: 64,
        cpu_limit: 0.5,
        ..request("notebook", 2)
    };
    let id = agent.create(&wanted).await.unwrap();
    let shown = agent.containers.get(&id).await.unwrap();
    assert_eq!(shown.claim_id, "notebook");
    assert_eq!(shown.status, "running");
    assert_eq!(shown.gpu_ids, [0, 1]);
    assert_eq!(shown.ports, BTreeMap::from([("80/tcp".into(), "32768".into()), ("53/udp".into(), "5353".into())]));
    assert_eq!((shown.created, shown.started), (1_700_000_001, 1_700_000_002));
    assert_eq!(shown.labels[ledger::EPOCH], "0");
    assert_eq!(agent.containers.list().await.unwrap(), std::slice::from_ref(&shown));
    assert_eq!(agent.containers.get(&id[..12]).await.unwrap(), shown);

    let spec = &agent.fake.specs()[0];
    assert_eq!(spec.memory_bytes, Some(64 * 1024 * 1024));
    assert_eq!(spec.nano_cpus, Some(500_000_000));
    assert_eq!(spec.env, ["A=1", "NVIDIA_VISIBLE_DEVICES=GPU-0,GPU-1", "UTOPIA_GPU_UUIDS=GPU-0,GPU-1"]);
    assert!(agent.containers.allocations().values().all(|allocation| allocation.local));

    agent.containers.delete(&id).await.unwrap();
    assert!(agent.containers.list().await.unwrap().is_empty());
    assert_eq!(agent.containers.delete(&id).await.unwrap_err().parts().0, Code::NotFound);
    assert!(agent.held().is_empty());
}

#[tokio::test]
async fn the_key_answers_the_same_container() {
    let agent = Agent::new();
    let id = agent.create(&request("notebook", 1)).await.unwrap();
    assert_eq!(agent.create(&request("notebook", 1)).await.unwrap(), id);
    let routed = CreateContainerRequest { node_id: NODE.to_string(), ..request("notebook", 1) };
    assert_eq!(agent.create(&routed).await.unwrap(), id, "the way it came does not matter");
    let error = agent.create(&request("notebook", 2)).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::AlreadyExists, SPEC_DIFFERS));
    agent.fake.exit(&id, 0);
    assert_eq!(agent.create(&request("notebook", 1)).await.unwrap(), id);
    assert_eq!(agent.fake.calls(Step::Start), 1, "one that has ended is not started again");
}

#[tokio::test]
async fn concurrent_creates_give_one_container() {
    let agent = Agent::new();
    let wanted = request("notebook", 1);
    let mut pull = agent.fake.hold(Step::Pull);
    let creates = futures_util::future::join_all((0..8).map(|_| agent.create(&wanted)));
    let (ids, ()) = tokio::join!(creates, async {
        pull.reached().await;
        pull.go_on();
    });
    let ids: BTreeSet<String> = ids.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(agent.fake.containers().len(), 1);
}

#[tokio::test]
async fn gpus_run_out() {
    let agent = Agent::new();
    agent.containers.set_unfit_gpus(BTreeSet::from(["GPU-1".to_owned()]));
    agent.create(&request("first", 1)).await.unwrap();
    let second = agent.create(&request("second", 1)).await.unwrap();
    assert_eq!(agent.held(), ["GPU-0", "GPU-2"], "an unfit GPU is not given out");
    let error = agent.create(&request("third", 1)).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::FailedPrecondition, INSUFFICIENT_GPUS));
    assert_eq!(error.to_string(), "1 GPUs are wanted and 0 of 3 are free");
    agent.create(&request("without", 0)).await.unwrap();
    agent.containers.delete(&second).await.unwrap();
    agent.create(&request("third", 1)).await.unwrap();
}

#[tokio::test]
async fn concurrent_creates_never_share_a_gpu() {
    let agent = Agent::new();
    let wanted: Vec<_> = (0..8).map(|index| request(&format!("c{index}"), 1)).collect();
    let results = futures_util::future::join_all(wanted.iter().map(|wanted| agent.create(wanted))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    assert_eq!(agent.held(), ["GPU-0", "GPU-1", "GPU-2"]);
}

#[tokio::test]
async fn a_failure_leaves_nothing_and_can_be_tried_again() {
    let agent = Agent::new();
    let error = Error::FailedPrecondition { reason: "StartFailed", message: "no such file".to_owned() };
    agent.fake.fail(Step::Start, error);
    let error = agent.create(&request("notebook", 1)).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::FailedPrecondition, "StartFailed"));
    assert!(agent.fake.containers().is_empty());
    assert!(agent.containers.inventory().await.is_empty());
    agent.create(&request("notebook", 1)).await.unwrap();
}

#[tokio::test]
async fn cancelling_in_a_pull_releases_everything() {
    let agent = Agent::new();
    let mut pull = agent.fake.hold(Step::Pull);
    let cancel = CancellationToken::new();
    let create = agent.containers.create(request("notebook", 3), cancel.clone());
    let (result, ()) = tokio::join!(create, async {
        pull.reached().await;
        assert_eq!(agent.held().len(), 3);
        cancel.cancel();
    });
    assert!(matches!(result.unwrap_err(), Error::Cancelled));
    assert!(agent.held().is_empty());
    assert!(agent.fake.containers().is_empty());
    assert_eq!(agent.fake.calls(Step::Create), 0);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_spoil_it_for_others() {
    let agent = Agent::new();
    let mut pull = agent.fake.hold(Step::Pull);
    let impatient = CancellationToken::new();
    let first = agent.containers.create(request("notebook", 1), impatient.clone());
    let wanted = request("notebook", 1);
    let second = agent.create(&wanted);
    let (first, second, ()) = tokio::join!(first, second, async {
        pull.reached().await;
        impatient.cancel();
        tokio::task::yield_now().await;
        pull.go_on();
    });
    assert!(matches!(first.unwrap_err(), Error::Cancelled));
    assert!(second.is_ok());
    assert_eq!(agent.fake.containers().len(), 1);
}

#[tokio::test]
async fn a_dropped_call_is_called_off() {
    let agent = Agent::new();
    let mut events = agent.containers.events();
    let mut pull = agent.fake.hold(Step::Pull);
    {
        let create = agent.containers.create(request("notebook", 1), CancellationToken::new());
        tokio::select! {
            _ = create => panic!("the pull is held"),
            () = pull.reached() => {}
        }
    }
    until(&mut events, |state| state.phase() == ContainerPhase::Removed).await;
    assert!(agent.held().is_empty());
    agent.create(&request("notebook", 1)).await.unwrap();
}

#[tokio::test]
async fn a_container_left_unstarted_is_started_by_the_next_call() {
    let killed = Agent::new();
    let mut start = killed.fake.hold(Step::Start);
    let wanted = request("notebook", 1);
    tokio::select! {
        _ = killed.create(&wanted) => panic!("the start is held"),
        () = start.reached() => {}
    }
    let agent = Agent::over(killed.fake.clone());
    let id = agent.create(&wanted).await.unwrap();
    let containers = agent.fake.containers();
    assert_eq!(containers.len(), 1);
    assert_eq!((containers[0].id.as_str(), containers[0].status), (id.as_str(), Status::Running));
}

#[tokio::test]
async fn claims_do_not_touch_containers_of_the_same_key() {
    let agent = Agent::new();
    let local = agent.create(&request("train", 1)).await.unwrap();
    agent.ensured(&claim("train", 1, &["GPU-1"])).await;
    assert_eq!(agent.fake.containers().len(), 2);
    agent.containers.release_claim("train", 1).await.unwrap();
    let left = agent.fake.containers();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, local);
}

#[tokio::test]
async fn ids_must_be_long_enough_and_exist() {
    let agent = Agent::new();
    let id = agent.create(&request("notebook", 0)).await.unwrap();
    for bad in ["", &id[..11], "ffffffffffffffff"] {
        assert_eq!(agent.containers.get(bad).await.unwrap_err().parts().0, Code::NotFound, "{bad}");
    }
}

#[tokio::test]
async fn a_volume_that_is_not_allowed_is_the_callers_mistake() {
    let agent = Agent::new();
    let mut wanted = request("notebook", 0);
    wanted.volumes.insert("/etc".to_owned(), "/data".to_owned());
    let error = agent.create(&wanted).await.unwrap_err();
    assert_eq!(error.parts(), (Code::InvalidArgument, "InvalidField", Some("volumes")));
}

#[tokio::test]
async fn without_the_runtime_nothing_can_be_listed() {
    let agent = Agent::new();
    agent.create(&request("notebook", 0)).await.unwrap();
    agent.fake.set_away(true);
    let error = agent.containers.list().await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::Unavailable, "RuntimeUnavailable"));
}
