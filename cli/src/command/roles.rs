//! `aiinfra roles …`.

use super::{Context, typed};
use crate::api::{Role, RoleList};
use crate::args::{RolesCommand, SetRole};
use crate::output::Table;

const ROLES: [&str; 2] = ["api", "roles"];

pub(super) async fn run(context: &Context, command: RolesCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        RolesCommand::List => output.show(client.get(&ROLES, &[]).await?, |list: RoleList| table(&list.roles)),
        RolesCommand::Set(SetRole { role, max_gpus, allow_all }) => {
            let body = typed([("allow_all", Some(allow_all.into())), ("max_gpu_count", max_gpus.map(Into::into))]);
            let [api, roles] = ROLES;
            let answer = client.put(&[api, roles, &role, "policy"], &body).await?;
            output.show(answer, |role: Role| table(&[role]))
        }
    }
}

fn table(roles: &[Role]) -> String {
    let mut table = Table::new(["ROLE", "GPUS OF ONE USER"]);
    for role in roles {
        let most = match role.policy.max_gpu_count {
            _ if role.policy.allow_all => "any number".to_owned(),
            most => format!("at most {}", most.unwrap_or_default()),
        };
        table.row([role.name.clone(), most]);
    }
    table.render()
}
