//! Every operation of the contract is reached by a command.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

/// An id as the server makes them.
const ID: &str = "0197a5b0-0000-7000-8000-000000000001";

/// A command for each operation. Those that only agents and programs call have no command of their own and are reached by `api`.
const COMMANDS: [&str; 110] = [
    "register alice --password-file PASSWORD",
    "login alice --password-file PASSWORD",
    "refresh",
    "whoami",
    "logout",
    "roles list",
    "roles set user --max-gpus 2",
    "api POST /api/v1/auth/login --data {}",
    "api POST /api/v1/auth/register --data {}",
    "api GET /api/v1/auth/token",
    "users list",
    "users create bob --password-file PASSWORD",
    "users get ID",
    "users update ID --email a@example.com",
    "users delete ID",
    "users passwd ID --old-password-file PASSWORD --password-file PASSWORD",
    "users unlock ID",
    "tokens create ci",
    "tokens list",
    "tokens revoke ID",
    "api POST /api/v1/containers --data {}",
    "api GET /api/v1/containers",
    "api GET /api/v1/containers/x",
    "api DELETE /api/v1/containers/x",
    "api GET /api/v1/metrics",
    "api GET /health",
    "api GET /api/nodes/x/metrics",
    "nodes containers create x busybox --claim-id mine",
    "nodes containers list x",
    "nodes containers get x y",
    "nodes containers delete x y",
    "nodes containers logs x y",
    "api GET /api/v1/containers/x/logs",
    "nodes health x",
    "api POST /api/nodes/register --data {}",
    "nodes status x",
    "nodes list",
    "nodes get x",
    "nodes delete x",
    "nodes approve x",
    "join-token create",
    "join-token list",
    "join-token revoke x",
    "hosts create gpu-01",
    "hosts list",
    "hosts gpus ID",
    "hosts get ID",
    "hosts update ID --name gpu-02",
    "hosts delete ID",
    "api POST /api/v1/hosts/x/heartbeat --data {}",
    "hosts rotate-token ID",
    "hosts maintenance start ID",
    "hosts maintenance end ID",
    "machines create web-1 192.0.2.1 --user root --role worker --password-file PASSWORD",
    "machines list",
    "machines get ID",
    "machines update ID --user admin",
    "machines delete ID",
    "machines status ID maintenance",
    "machines check ID",
    "audit list",
    "audit get x",
    "audit verify",
    "claims create busybox",
    "claims list",
    "claims get x",
    "claims delete x",
    "claims explain x",
    "claims watch x",
    "claims logs x",
    "watch --once",
    "jupyter users",
    "jupyter create alice",
    "jupyter get alice",
    "jupyter delete alice",
    "jupyter start alice",
    "jupyter stop alice",
    "jupyter start alice --server gpu",
    "jupyter stop alice --server gpu",
    "jupyter progress alice",
    "jupyter progress alice --server gpu",
    "salt minions",
    "salt minions node-1",
    "salt run * test.ping",
    "salt deploy * motd",
    "salt job x",
    "webhooks create https://example.com --event job.*",
    "webhooks list",
    "webhooks get x",
    "webhooks update x --pause",
    "webhooks delete x",
    "webhooks test x",
    "webhooks deliveries x",
    "webhooks redeliver x y",
    "metrics --now",
    "metrics --metric cpu_usage",
    "metrics",
    "slurm clusters",
    "slurm jobs submit --script PASSWORD",
    "slurm jobs list",
    "slurm jobs get 1",
    "slurm jobs cancel 1",
    "slurm nodes",
    "gpus",
    "backends",
    "s3 keys create backups",
    "s3 keys list",
    "s3 keys rotate x",
    "s3 keys revoke x",
    "s3 usage",
];

#[tokio::test]
async fn every_operation_of_the_contract_has_a_command() {
    let contract = operations();
    let mut missing = contract.clone();
    let api = FakeApi::start().await;
    // Something of everything: what matters is what is asked.
    api.answer_otherwise(json!({"id": ID, "username": "alice", "token": "t", "status": {"phase": "Completed"}, "total": 0}));
    api.answer_data(&format!("GET /api/v1/machines/{ID}"), 200, json!({"id": ID}));
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(&password, "#!/bin/sh\n").unwrap();
    let shell = Shell::at(&api.url);
    let mut needless = Vec::new();
    for command in COMMANDS {
        let words = command.split(' ').map(|word| match word {
            "ID" => ID,
            "PASSWORD" => password.path().to_str().unwrap(),
            word => word,
        });
        let before = api.asked().len();
        let finished = shell.run(&words.collect::<Vec<_>>()).await;
        assert!(finished.code != 2 && !finished.stderr.contains("panicked"), "{command}: {finished:?}");
        let reached: Vec<_> = api.asked()[before..].iter().filter_map(|asked| operation(&contract, &asked.line)).collect();
        let new = reached.iter().filter(|reached| missing.remove(*reached)).count();
        if new == 0 {
            needless.push((command, reached, finished));
        }
    }
    assert!(needless.is_empty(), "these reach nothing that no other does: {needless:#?}");
    assert!(missing.is_empty(), "no command reaches {missing:#?}");
}

/// Method and path template of every operation of the contract, and of every further way to it.
fn operations() -> BTreeSet<String> {
    let pool = utopia_proto::descriptor_pool();
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let rules = methods.filter(|method| method.options().has_extension(&http)).flat_map(|method| {
        let rule = method.options().get_extension(&http).into_owned();
        let rule = rule.as_message().unwrap().clone();
        let further = rule.get_field_by_name("additional_bindings").unwrap().into_owned();
        let further = further.as_list().unwrap().iter().map(|rule| rule.as_message().unwrap().clone()).collect::<Vec<_>>();
        further.into_iter().chain([rule])
    });
    let routes = rules.filter_map(|rule| {
        let methods = ["get", "put", "post", "delete", "patch"];
        let method = methods.into_iter().find(|method| rule.has_field_by_name(method))?;
        let path = rule.get_field_by_name(method)?.as_str()?.to_owned();
        Some(format!("{} {path}", method.to_uppercase()))
    });
    routes.collect()
}

/// The operation that a request is for: of those whose template fits, the one with the fewest variables.
fn operation(contract: &BTreeSet<String>, line: &str) -> Option<String> {
    let (method, path) = line.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let is_like = |(given, wanted): (&str, &str)| given == wanted || wanted.starts_with('{');
        path.split('/').count() == template.split('/').count() && path.split('/').zip(template.split('/')).all(is_like)
    };
    let fitting =
        contract.iter().filter(|key| key.split_once(' ').is_some_and(|(own, template)| own == method && fits(template)));
    fitting.min_by_key(|key| key.matches('{').count()).cloned()
}
