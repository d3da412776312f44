//! What each role allows. The four roles are there from the first migration on.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{Any, Executor, Row as _, any::AnyRow};

use super::{Doing as _, Store, audit, row};
use crate::{
    error::{Error, Result},
    model::{
        Role, RolePolicy,
        audit::{Change, Trail},
    },
};

impl Store {
    /// All roles with what they allow, by name.
    pub async fn role_policies(&self) -> Result<Vec<(Role, RolePolicy)>> {
        policies(&self.read).await
    }

    /// Sets what a role allows; the next admission goes by it.
    pub async fn set_role_policy(&self, role: Role, policy: RolePolicy, now: Timestamp, trail: &Trail) -> Result<()> {
        const CONTEXT: &str = "set a role's policy";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        // Takes the row's lock, so that the value before is the one that is replaced.
        let before = sqlx::query("update roles set name = name where name = $1 returning policy").bind(role.as_str());
        let before = before.fetch_optional(&mut *transaction).await.doing(CONTEXT)?;
        let before = before.ok_or_else(|| Error::not_found("role", role))?;
        let before = audit_value(parse(before.try_get("policy").doing(CONTEXT)?)?)?;
        let after = audit_value(policy)?;
        let query = sqlx::query("update roles set policy = $2 where name = $1").bind(role.as_str()).bind(after.to_string());
        query.execute(&mut *transaction).await.doing(CONTEXT)?;
        audit::append(&mut transaction, trail, Change::updated(role, before, after), now).await?;
        transaction.commit().await.doing(CONTEXT)
    }
}

/// A policy as the audit log shows it, and as the database keeps it.
fn audit_value(policy: RolePolicy) -> Result<Value> {
    serde_json::to_value(policy).map_err(|error| Error::internal("write a role's policy", error))
}

/// What each role allows, by name, as the executor's transaction sees it.
pub(super) async fn policies(executor: impl Executor<'_, Database = Any>) -> Result<Vec<(Role, RolePolicy)>> {
    const CONTEXT: &str = "load the roles";
    let rows = sqlx::query("select name, policy from roles order by name").fetch_all(executor).await.doing(CONTEXT)?;
    let pair = |row: &AnyRow| Ok((row::parsed(row, "name").doing(CONTEXT)?, parse(row.try_get("policy").doing(CONTEXT)?)?));
    rows.iter().map(pair).collect()
}

fn parse(json: &str) -> Result<RolePolicy> {
    serde_json::from_str(json).map_err(|error| Error::internal("read a role's policy", error))
}
