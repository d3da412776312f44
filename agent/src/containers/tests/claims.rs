//! Claims of the control plane.

use super::*;

#[tokio::test]
async fn a_claim_is_made_with_labels_and_gpus() {
    let agent = Agent::new();
    let mut events = agent.containers.events();
    let accepted = agent.ensure(&claim("train", 1, &["GPU-0", "GPU-2"])).await.unwrap();
    assert_eq!(accepted.phase(), ContainerPhase::Preparing);

    let progress = until(&mut events, |state| state.message.contains("MB")).await;
    assert_eq!(progress.message, "Pulling image: 12.3 of 65.0 MB");
    let running = until(&mut events, |state| state.phase() == ContainerPhase::Running).await;
    assert!(!running.container_id.is_empty());
    assert_eq!((running.claim_id.as_str(), running.epoch), ("train", 1));
    assert_eq!(running.gpu_uuids, ["GPU-0", "GPU-2"]);
    assert_eq!(agent.containers.inventory().await, std::slice::from_ref(&running));
    assert_eq!(agent.held(), ["GPU-0", "GPU-2"]);

    let spec = &agent.fake.specs()[0];
    assert_eq!(spec.name, "utopia-train-01234567-1");
    assert_eq!(spec.gpu_uuids, ["GPU-2"], "the runtime does not know simulated GPUs");
    assert!(spec.env.contains(&"UTOPIA_GPU_UUIDS=GPU-0,GPU-2".to_owned()));
    assert_eq!(spec.labels[ledger::NODE], NODE.to_string());
    assert_eq!(spec.labels[ledger::GPUS], "GPU-0,GPU-2");

    let again = agent.ensure(&claim("train", 1, &["GPU-0", "GPU-2"])).await.unwrap();
    assert_eq!(again, running, "doing it again has no effect");
    assert_eq!(agent.fake.calls(Step::Create), 1);
}

#[tokio::test]
async fn a_repeated_command_joins_the_work_in_flight() {
    let agent = Agent::new();
    let mut pull = agent.fake.hold(Step::Pull);
    let mut events = agent.containers.events();
    agent.ensure(&claim("train", 1, &[])).await.unwrap();
    pull.reached().await;
    assert_eq!(agent.ensure(&claim("train", 1, &[])).await.unwrap().phase(), ContainerPhase::Preparing);
    pull.go_on();
    until(&mut events, |state| state.phase() == ContainerPhase::Running).await;
    assert_eq!(agent.fake.calls(Step::Pull), 1);
    assert_eq!(agent.fake.containers().len(), 1);
}

#[tokio::test]
async fn an_older_placement_is_refused() {
    let agent = Agent::new();
    agent.ensured(&claim("train", 5, &[])).await;
    let error = agent.ensure(&claim("train", 4, &[])).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::FailedPrecondition, STALE_PLACEMENT));

    let restarted = Agent::over(agent.fake.clone());
    let error = restarted.ensure(&claim("train", 4, &[])).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::FailedPrecondition, STALE_PLACEMENT), "the labels tell it after a restart");
}

#[tokio::test]
async fn a_newer_placement_supersedes_the_older_one() {
    let agent = Agent::new();
    let old = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    let mut events = agent.containers.events();
    agent.ensure(&claim("train", 2, &["GPU-0"])).await.unwrap();
    let removed = until(&mut events, |state| state.phase() == ContainerPhase::Removed).await;
    assert_eq!((removed.epoch, &removed.container_id), (1, &old.container_id));
    let running = until(&mut events, |state| state.phase() == ContainerPhase::Running).await;
    assert_eq!(running.epoch, 2);
    assert_eq!(agent.fake.containers().len(), 1);
    assert_eq!(agent.containers.inventory().await, [running]);
}

#[tokio::test]
async fn a_newer_placement_calls_off_the_older_ones_pull() {
    let agent = Agent::new();
    let mut pull = agent.fake.hold(Step::Pull);
    agent.ensure(&claim("train", 1, &["GPU-0"])).await.unwrap();
    pull.reached().await;
    let running = agent.ensured(&claim("train", 2, &["GPU-0"])).await;
    assert_eq!(running.phase(), ContainerPhase::Running);
    assert_eq!(agent.fake.specs()[0].name, "utopia-train-01234567-2");
    assert_eq!(agent.fake.containers().len(), 1);
}

#[tokio::test]
async fn another_specification_for_the_same_placement_is_refused() {
    let agent = Agent::new();
    agent.ensured(&claim("train", 1, &[])).await;
    let mut other = claim("train", 1, &[]);
    other.spec = Some(ClaimSpec { image: "registry/b:1".to_owned(), ..ClaimSpec::default() });
    let error = agent.ensure(&other).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::AlreadyExists, SPEC_DIFFERS));
}

#[tokio::test]
async fn a_gpu_is_given_once() {
    let agent = Agent::new();
    agent.ensured(&claim("first", 1, &["GPU-0"])).await;
    let failed = agent.ensured(&claim("second", 1, &["GPU-0"])).await;
    assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, GPU_BUSY));
    assert_eq!(failed.message, "the container of first has GPU GPU-0");
    let failed = agent.ensured(&claim("third", 1, &["GPU-9"])).await;
    assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, GPU_NOT_FOUND));

    let first = agent.fake.containers()[0].id.clone();
    agent.fake.exit(&first, 0);
    agent.containers.adopt().await.unwrap();
    assert!(agent.held().is_empty(), "a container that has ended holds no GPU");
    assert_eq!(agent.ensured(&claim("second", 1, &["GPU-0"])).await.phase(), ContainerPhase::Running);
}

#[tokio::test]
async fn a_failed_pull_is_told_and_can_be_tried_again() {
    let agent = Agent::new();
    let mut unknown = claim("train", 1, &["GPU-0"]);
    unknown.spec = Some(ClaimSpec { image: "registry/none:1".to_owned(), ..ClaimSpec::default() });
    for _ in 0..2 {
        let failed = agent.ensured(&unknown).await;
        assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, "ImagePullFailed"));
        assert!(failed.message.contains("manifest unknown"), "{}", failed.message);
        assert_eq!(agent.containers.inventory().await, [failed]);
    }
    assert!(agent.held().is_empty());
    assert_eq!(agent.fake.calls(Step::Pull), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_stands_still_is_given_up() {
    let agent = Agent::new();
    let _pull = agent.fake.hold(Step::Pull);
    let failed = {
        let mut events = agent.containers.events();
        agent.ensure(&claim("train", 1, &[])).await.unwrap();
        loop {
            let state = events.recv().await.unwrap();
            if state.phase() == ContainerPhase::Failed {
                break state;
            }
        }
    };
    assert_eq!(failed.reason, "ImagePullFailed");
    assert_eq!(failed.message, "the pull of registry/a:1 stood still for 60 s");
}

#[tokio::test]
async fn a_container_that_does_not_start_is_removed() {
    let agent = Agent::new();
    let taken = Error::FailedPrecondition { reason: "PortInUse", message: "a port is taken".to_owned() };
    agent.fake.fail(Step::Start, taken);
    let failed = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, "PortInUse"));
    assert!(agent.fake.containers().is_empty());
    assert!(agent.held().is_empty());
}

#[tokio::test]
async fn a_volume_outside_the_allow_list_fails_the_claim() {
    let agent = Agent::new();
    let mut wanted = claim("train", 1, &[]);
    wanted.spec.as_mut().unwrap().volumes.insert("/etc".to_owned(), "/data".to_owned());
    let failed = agent.ensured(&wanted).await;
    assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, VOLUME_NOT_ALLOWED));
}

#[tokio::test]
async fn releasing_removes_up_to_the_epoch_and_is_idempotent() {
    let agent = Agent::new();
    agent.ensured(&claim("train", 3, &["GPU-0"])).await;
    agent.containers.release_claim("train", 2).await.unwrap();
    assert_eq!(agent.fake.containers().len(), 1, "a newer placement stays");
    agent.containers.release_claim("train", 3).await.unwrap();
    agent.containers.release_claim("train", 3).await.unwrap();
    assert!(agent.fake.containers().is_empty());
    assert!(agent.containers.inventory().await.is_empty());
    let error = agent.ensure(&claim("train", 3, &[])).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::FailedPrecondition, STALE_PLACEMENT), "a late repetition has no effect");
    assert_eq!(agent.ensured(&claim("train", 4, &[])).await.phase(), ContainerPhase::Running);
}

#[tokio::test]
async fn releasing_calls_off_a_pull() {
    let agent = Agent::new();
    let mut pull = agent.fake.hold(Step::Pull);
    let mut events = agent.containers.events();
    agent.ensure(&claim("train", 1, &["GPU-0"])).await.unwrap();
    pull.reached().await;
    agent.containers.release_claim("train", 1).await.unwrap();
    until(&mut events, |state| state.phase() == ContainerPhase::Removed).await;
    assert!(agent.fake.containers().is_empty());
    assert!(agent.held().is_empty());
    assert_eq!(agent.fake.calls(Step::Create), 0);
}

#[tokio::test]
async fn releasing_while_the_container_is_started_leaves_nothing() {
    let agent = Agent::new();
    let mut start = agent.fake.hold(Step::Start);
    agent.ensure(&claim("train", 1, &["GPU-0"])).await.unwrap();
    start.reached().await;
    let release = agent.containers.release_claim("train", 1);
    let (released, ()) = tokio::join!(release, async { start.go_on() });
    released.unwrap();
    assert!(agent.fake.containers().is_empty());
    assert!(agent.held().is_empty());
}

#[tokio::test]
async fn a_failure_is_forgotten_when_the_claim_is_released() {
    let agent = Agent::new();
    agent.ensured(&claim("train", 1, &["GPU-9"])).await;
    agent.containers.release_claim("train", 1).await.unwrap();
    assert!(agent.containers.inventory().await.is_empty());
}

#[tokio::test]
async fn bad_fields_are_named() {
    let agent = Agent::new();
    let cases: [(EnsureClaim, &str); 3] = [
        (claim("", 1, &[]), "claim_id"),
        (claim("train", 0, &[]), "epoch"),
        (EnsureClaim { spec: None, ..claim("train", 1, &[]) }, "spec.image"),
    ];
    for (wanted, field) in cases {
        let error = agent.ensure(&wanted).await.unwrap_err();
        assert_eq!(error.parts().2, Some(field));
    }
}

#[tokio::test]
async fn before_the_agent_has_joined_nothing_is_made() {
    let fake = Arc::new(Fake::new());
    let containers = Containers::new(fake, Vec::new(), Settings::default(), TaskTracker::new(), CancellationToken::new());
    let error = containers.ensure_claim(claim("train", 1, &[])).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::Unavailable, NOT_ENROLLED));
}
