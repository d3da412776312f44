//! How further machines join, and how they are sent away.

use serde_json::json;

use crate::invoke::Shell;
use crate::system::agent::Agent;
use crate::system::docker::Docker;
use crate::system::server::Server;

#[tokio::test]
async fn a_second_machine_joins_with_the_command_that_is_printed() {
    let up = Server::up().await;
    let mut shell = Shell::at(up.api().url());
    shell.set("UTOPIA_PASSWORD", &up.secret("admin-password"));
    shell.run(&["login", "admin"]).await.ok();
    let command = shell.run(&["join-token", "create", "--max-uses", "1"]).await.ok();
    assert_eq!(command.lines().count(), 1, "{command}");

    let _agent = Agent::join(&command, &[]);
    up.admin().await.nodes_online(2).await;
    let listed = shell.run(&["nodes", "list", "--status", "online"]).await.ok();
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

#[tokio::test]
async fn a_token_that_is_used_up_revoked_or_of_another_server_joins_nothing() {
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let once = admin.post("/api/join-tokens", json!({"max_uses": 1})).await.expect(201);
    let once = once["command"].as_str().unwrap();
    let first = Agent::join(once, &[]);
    admin.nodes_online(1).await;

    let revoked = admin.post("/api/join-tokens", json!({})).await.expect(201);
    admin.delete(&format!("/api/join-tokens/{}", revoked["id"].as_str().unwrap())).await.expect(204);
    let revoked = revoked["command"].as_str().unwrap();
    let elsewhere = admin.post("/api/join-tokens", json!({})).await.expect(201);
    let other_ca = format!("sha256:{}", "0".repeat(64));
    let elsewhere = elsewhere["command"].as_str().unwrap().replace(elsewhere["ca_hash"].as_str().unwrap(), &other_ca);
    for command in [once, revoked, &elsewhere] {
        let mut refused = Agent::join(command, &[]);
        let status = refused.process.wait().await;
        assert_eq!(status.code(), Some(1), "{}", refused.process.log());
        assert_eq!(refused.process.errors().len(), 1, "{}", refused.process.log());
    }
    admin.nodes_online(1).await;
    drop(first);
}

#[tokio::test]
async fn a_registered_host_gets_its_agent_with_its_own_token() {
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let host = admin.post("/api/v1/hosts", json!({"name": "gpu-server-01", "total_cpu": 1})).await.expect(201);
    let (id, token) = (host["data"]["host_id"].as_str().unwrap(), host["data"]["agent_token"].as_str().unwrap());
    let join = admin.post("/api/join-tokens", json!({"max_uses": 1})).await.expect(201);
    let command = join["command"].as_str().unwrap().replace(join["token"].as_str().unwrap(), token);

    let mut agent = Agent::join(&command, &[]);
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    assert_eq!(node["id"], id);
    let host = admin.get(&format!("/api/v1/hosts/{id}")).await.expect(200)["data"].clone();
    assert_eq!((&host["name"], &host["status"]), (&json!("gpu-server-01"), &json!("online")));
    assert_eq!((&host["hostname"], &host["agent_connected"]), (&node["hostname"], &json!(true)));

    // The token is spent for every other machine, and needed no more by this one.
    let mut second = Agent::join(&command, &[]);
    assert_eq!(second.process.wait().await.code(), Some(1), "{}", second.process.log());
    assert_eq!(second.process.errors().len(), 1, "{}", second.process.log());
    assert!(agent.process.terminate().await.success(), "{}", agent.process.log());
    admin.nodes_online(0).await;
    agent.start_again();
    assert_eq!(admin.nodes_online(1).await[0]["id"], id);
}

#[tokio::test]
async fn a_deleted_node_is_cut_off_and_its_agent_says_so() {
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    admin.delete(&format!("/api/nodes/{}", node["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(agent.process.wait().await.code(), Some(1), "{}", agent.process.log());
    let [said] = agent.process.errors().try_into().unwrap();
    assert!(said.contains("a new join token lets the machine join again"), "{said}");
    admin.nodes_online(0).await;

    agent.start_again();
    assert_eq!(agent.process.wait().await.code(), Some(1), "{}", agent.process.log());
    assert_eq!(agent.process.errors(), [said.clone(), said]);
    admin.nodes_online(0).await;
}

#[tokio::test]
async fn a_machine_with_claims_is_deleted_by_force_only_and_its_claims_fail() {
    let Some(docker) = Docker::find() else { return };
    let image = docker.image();
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    let [node] = admin.nodes_online(1).await.try_into().unwrap();
    let node = format!("/api/nodes/{}", node["id"].as_str().unwrap());
    let id = admin.claim(json!({"image": image.name, "resources": {"gpuCount": 1}})).await;
    admin.claim_in_phase(&id, "Running").await;

    assert_eq!(admin.delete(&node).await.refused(409), "NodeHasClaims");
    assert_eq!(admin.get(&node).await.expect(200)["status"], "Online");
    admin.delete(&format!("{node}?force=true")).await.expect(204);
    let claim = admin.claim_with_reason(&id, "NodeDeleted").await;
    assert_eq!(claim["status"]["phase"], "Failed");
    assert_eq!(agent.process.wait().await.code(), Some(1), "{}", agent.process.log());
    assert_eq!(agent.process.errors().len(), 1, "{}", agent.process.log());
}

#[tokio::test]
async fn a_machine_stays_the_same_node_over_restarts() {
    let control_plane = Server::control_plane().await;
    let admin = control_plane.admin().await;
    let mut agent = Agent::join_as(&admin, &[]).await;
    let [before] = admin.nodes_online(1).await.try_into().unwrap();
    assert!(agent.process.terminate().await.success(), "{}", agent.process.log());
    admin.nodes_online(0).await;
    agent.start_again();
    let [after] = admin.nodes_online(1).await.try_into().unwrap();
    assert_eq!(before["id"], after["id"]);
    assert_eq!(before["gpus"], after["gpus"]);
}
