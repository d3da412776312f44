//! People.

use jiff::Timestamp;
use sqlx::{AnyPool, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, is_taken, row};
use crate::{
    error::{Error, Result},
    model::{Role, User},
};

impl Store {
    /// Adds a person. Ids ascend from 1 and are never given again: tokens name people by them.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`UsernameTaken`) when the name is taken, without regard to case.
    pub async fn create_user(&self, username: &str, password_hash: &str, role: Role, now: Timestamp) -> Result<User> {
        const CONTEXT: &str = "create a user";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let next = sqlx::query_scalar("update counters set value = value + 1 where name = 'users' returning value");
        let id: i64 = next.fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        let uuid = Uuid::new_v4();
        let inserted = sqlx::query(
            "insert into users (id, uuid, username, password_hash, role, created_at) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(uuid.to_string())
        .bind(username)
        .bind(password_hash)
        .bind(role.as_str())
        .bind(row::ms(now))
        .execute(&mut *transaction)
        .await;
        match inserted {
            Err(error) if is_taken(&error) => {
                let message = format!("the user name {username} is taken");
                return Err(Error::AlreadyExists { reason: "UsernameTaken", message });
            }
            inserted => inserted.doing(CONTEXT)?,
        };
        transaction.commit().await.doing(CONTEXT)?;
        Ok(User { id, uuid, username: username.to_owned(), password_hash: password_hash.to_owned(), role, created_at: now })
    }

    /// The person with this name, without regard to case.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<User>> {
        let query = sqlx::query(
            "select id, uuid, username, password_hash, role, created_at from users where lower(username) = lower($1)",
        );
        one(&self.read, query.bind(username)).await
    }

    /// The person with this id.
    pub async fn user_by_id(&self, id: i64) -> Result<Option<User>> {
        let query = sqlx::query("select id, uuid, username, password_hash, role, created_at from users where id = $1");
        one(&self.read, query.bind(id)).await
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

async fn one(pool: &AnyPool, query: Query<'_>) -> Result<Option<User>> {
    let row = query.fetch_optional(pool).await.doing("load a user")?;
    row.as_ref().map(user).transpose().doing("read a user")
}

fn user(row: &AnyRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get("id")?,
        uuid: row::uuid(row, "uuid")?,
        username: row.try_get("username")?,
        password_hash: row.try_get("password_hash")?,
        role: row::parsed(row, "role")?,
        created_at: row::timestamp(row, "created_at")?,
    })
}
