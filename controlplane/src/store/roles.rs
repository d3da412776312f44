//! What each role allows. The four roles are there from the first migration on.

use sqlx::{Any, Executor, Row as _};

use super::{Doing as _, Store};
use crate::{
    error::{Error, Result},
    model::{Role, RolePolicy},
};

impl Store {
    /// What a role allows.
    pub async fn role_policy(&self, role: Role) -> Result<RolePolicy> {
        policy_of(&self.read, role).await
    }

    /// All roles with what they allow, by name.
    pub async fn role_policies(&self) -> Result<Vec<(Role, RolePolicy)>> {
        const CONTEXT: &str = "load the roles";
        let rows = sqlx::query("select name, policy from roles order by name").fetch_all(&self.read).await.doing(CONTEXT)?;
        let pair = |row: &sqlx::any::AnyRow| {
            let role = super::row::parsed(row, "name").doing(CONTEXT)?;
            Ok((role, parse(row.try_get("policy").doing(CONTEXT)?)?))
        };
        rows.iter().map(pair).collect()
    }

    /// Sets what a role allows; the next admission goes by it.
    pub async fn set_role_policy(&self, role: Role, policy: RolePolicy) -> Result<()> {
        const CONTEXT: &str = "set a role's policy";
        let json = serde_json::to_string(&policy).map_err(|error| Error::internal(CONTEXT, error))?;
        let query = sqlx::query("update roles set policy = $2 where name = $1").bind(role.as_str()).bind(json);
        let changed = query.execute(&self.write).await.doing(CONTEXT)?.rows_affected();
        if changed == 1 { Ok(()) } else { Err(Error::not_found("role", role)) }
    }
}

/// What a role allows, as the executor's transaction sees it.
pub(super) async fn policy_of<'e>(executor: impl Executor<'e, Database = Any>, role: Role) -> Result<RolePolicy> {
    const CONTEXT: &str = "load a role's policy";
    let query = sqlx::query("select policy from roles where name = $1").bind(role.as_str());
    let row = query.fetch_one(executor).await.doing(CONTEXT)?;
    parse(row.try_get("policy").doing(CONTEXT)?)
}

fn parse(json: &str) -> Result<RolePolicy> {
    serde_json::from_str(json).map_err(|error| Error::internal("read a role's policy", error))
}
