//! Agents that are killed, engines that go away, and people who work on the same engine.

use futures_util::FutureExt as _;

use super::*;

#[tokio::test]
async fn killed_between_create_and_start_leaves_one_container_that_runs() {
    let killed = Agent::new();
    let mut start = killed.fake.hold(Step::Start);
    killed.ensure(&claim("train", 1, &["GPU-0"])).await.unwrap();
    start.reached().await;

    let agent = Agent::over(killed.fake.clone());
    let mut events = agent.containers.events();
    agent.containers.adopt().await.unwrap();
    let running = until(&mut events, |state| state.phase() == ContainerPhase::Running).await;
    assert_eq!(agent.held(), ["GPU-0"]);
    assert_eq!(agent.ensure(&claim("train", 1, &["GPU-0"])).await.unwrap(), running, "the replay finds it");
    assert_eq!(agent.fake.containers().len(), 1);
    drop(killed);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_taken_over() {
    let agent = Agent::new();
    agent.fake.lose_answer(Step::Create);
    let failed = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    assert_eq!((failed.phase(), failed.reason.as_str()), (ContainerPhase::Failed, "RuntimeUnavailable"));
    let running = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    assert_eq!(running.phase(), ContainerPhase::Running);
    assert_eq!(agent.fake.containers().len(), 1);
}

#[tokio::test]
async fn a_container_made_without_the_agent_knowing_is_released_too() {
    let agent = Agent::new();
    agent.fake.lose_answer(Step::Create);
    agent.ensured(&claim("train", 1, &[])).await;
    assert_eq!(agent.fake.containers().len(), 1);
    agent.containers.release_claim("train", 1).await.unwrap();
    assert!(agent.fake.containers().is_empty());
}

#[tokio::test]
async fn a_restarted_agent_knows_what_runs() {
    let first = Agent::new();
    let running = first.ensured(&claim("train", 2, &["GPU-1"])).await;
    let agent = Agent::over(first.fake.clone());
    agent.containers.adopt().await.unwrap();
    assert_eq!(agent.containers.inventory().await, [running]);
    assert_eq!(agent.held(), ["GPU-1"]);
}

#[tokio::test]
async fn an_exit_is_told_at_once() {
    let agent = Agent::new();
    agent.follow();
    let running = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    let mut events = agent.containers.events();
    agent.fake.exit(&running.container_id, 3);
    let exited = until(&mut events, |state| state.phase() == ContainerPhase::Exited).await;
    assert_eq!(exited.exit_code, 3);
    assert_eq!(exited.container_id, running.container_id);
}

#[tokio::test]
async fn a_container_removed_by_hand_is_told() {
    let agent = Agent::new();
    agent.follow();
    let running = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    let mut events = agent.containers.events();
    agent.fake.remove_behind(&running.container_id);
    until(&mut events, |state| state.phase() == ContainerPhase::Removed).await;
    assert!(agent.containers.inventory().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_runtime_goes_away_and_comes_back() {
    let agent = Agent::new();
    agent.follow();
    let running = agent.ensured(&claim("train", 1, &["GPU-0"])).await;
    assert!(agent.containers.runtime_ready().await);

    agent.fake.set_away(true);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(!agent.containers.runtime_ready().await);
    assert_eq!(agent.containers.runtime_version().await, None);
    assert_eq!(agent.containers.inventory().await, std::slice::from_ref(&running), "what was known stays known");
    let failed = agent.ensured(&claim("other", 1, &["GPU-1"])).await;
    assert_eq!(failed.reason, "RuntimeUnavailable");
    let error = agent.containers.release_claim("train", 1).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::Unavailable, "RuntimeUnavailable"));

    let mut events = agent.containers.events();
    agent.fake.exit(&running.container_id, 137);
    agent.fake.set_away(false);
    // The watch reconnects by itself and reads what happened meanwhile.
    let exited = until(&mut events, |state| state.phase() == ContainerPhase::Exited).await;
    assert_eq!(exited.exit_code, 137);
    agent.containers.release_claim("train", 1).await.unwrap();
    assert!(agent.fake.containers().is_empty());
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(agent.containers.runtime_version().await.as_deref(), Some("Fake 1"));
}

#[tokio::test]
async fn an_agent_that_starts_without_the_runtime_does_not_claim_to_have_nothing() {
    let agent = Agent::new();
    agent.fake.set_away(true);
    let error = agent.ensure(&claim("train", 1, &[])).await.unwrap_err();
    assert_eq!(code_and_reason(&error), (Code::Unavailable, "RuntimeUnavailable"));

    let containers = agent.containers.clone();
    let mut inventory = Box::pin(containers.inventory());
    assert!((&mut inventory).now_or_never().is_none(), "nobody knows yet");
    agent.fake.set_away(false);
    agent.containers.adopt().await.unwrap();
    assert!(inventory.await.is_empty());
}

#[tokio::test]
async fn foreign_containers_are_left_alone() {
    let agent = Agent::new();
    let foreign = agent.fake.add_foreign("somebody");
    let squatter = agent.fake.add_foreign("utopia-train-01234567-1");
    let neighbour = Agent::over(agent.fake.clone());
    neighbour.containers.set_node_id(Uuid::from_u128(1));
    neighbour.ensured(&claim("train", 1, &[])).await;

    agent.containers.adopt().await.unwrap();
    assert!(agent.containers.inventory().await.is_empty());
    let failed = agent.ensured(&claim("train", 1, &[])).await;
    assert_eq!(failed.reason, "NameConflict");
    agent.containers.release_claim("train", 1).await.unwrap();
    let error = agent.containers.delete(&foreign).await.unwrap_err();
    assert_eq!(error.parts().0, Code::NotFound);
    let left: Vec<String> = agent.fake.containers().into_iter().map(|container| container.id).collect();
    assert_eq!(left.len(), 3);
    assert!(left.contains(&foreign) && left.contains(&squatter));
}

#[tokio::test]
async fn a_stopping_agent_calls_off_pulls_and_keeps_containers() {
    let agent = Agent::new();
    agent.ensured(&claim("kept", 1, &[])).await;
    let mut pull = agent.fake.hold(Step::Pull);
    let mut other = claim("other", 1, &[]);
    other.spec = Some(ClaimSpec { image: "registry/b:1".to_owned(), ..ClaimSpec::default() });
    agent.ensure(&other).await.unwrap();
    pull.reached().await;
    agent.shutdown.cancel();
    agent.containers.tasks.close();
    timeout(PATIENCE, agent.containers.tasks.wait()).await.expect("the work ends");
    assert_eq!(agent.fake.containers().len(), 1);
    assert_eq!(agent.fake.containers()[0].status, Status::Running);
}
