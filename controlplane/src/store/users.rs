//! People. A deleted person's row stays, because claims and the audit log refer to it; every query here passes over it.
//!
//! Changes that could leave nobody to administer take the lock on the counter of users first: so the last administrator is found
//! out one change at a time.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Any, AnyConnection, AnyPool, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Doing as _, Store, audit, is_taken, login_failures, row};
use crate::{
    error::{Error, Result},
    model::{
        Page, PageRequest, Role,
        audit::{Change, Trail},
        people::{NewUser, User, UserChange, UserFilter},
    },
};

/// The columns of a person, and of what more is asked for.
macro_rules! select_users {
    ($rest:literal) => {
        select_users!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "select id, uuid, username, email, password_hash, role, token_epoch, created_at, updated_at, last_login_at",
            $more,
            " from users ",
            $rest
        )
    };
}
pub(super) use select_users;

/// What became of a deletion.
#[derive(Debug)]
pub struct DeletedUser {
    /// Who they were.
    pub user: User,
    /// Their live claims, which are deleted as well.
    pub claims: Vec<Uuid>,
}

impl Store {
    /// Adds a person. Ids ascend from 1 and are never given again: tokens name people by them.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] when the name (`UsernameTaken`) or the e-mail address (`EmailTaken`) is taken, without regard to
    /// case.
    pub async fn create_user(&self, new: NewUser<'_>, now: Timestamp, trail: &Trail) -> Result<User> {
        const CONTEXT: &str = "create a user";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let next = sqlx::query_scalar("update counters set value = value + 1 where name = 'users' returning value");
        let id: i64 = next.fetch_one(&mut *transaction).await.doing(CONTEXT)?;
        let uuid = Uuid::new_v4();
        // Under the lock nobody else takes the name or the address meanwhile.
        let by_name = sqlx::query(select_users!("where lower(username) = lower($1) and deleted_at is null")).bind(new.username);
        if by_name.fetch_optional(&mut *transaction).await.doing(CONTEXT)?.is_some() {
            let message = format!("the user name {} is taken", new.username);
            return Err(Error::AlreadyExists { reason: "UsernameTaken", message });
        }
        let insert = sqlx::query(
            "insert into users (id, uuid, username, email, password_hash, role, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $7)",
        );
        let insert = insert.bind(id).bind(uuid.to_string()).bind(new.username).bind(new.email).bind(new.password_hash);
        let inserted = insert.bind(new.role.as_str()).bind(row::ms(now)).execute(&mut *transaction).await;
        email_free(inserted)?;
        let user = User {
            id,
            uuid,
            username: new.username.to_owned(),
            email: new.email.to_owned(),
            password_hash: new.password_hash.to_owned(),
            role: new.role,
            token_epoch: 0,
            created_at: now,
            updated_at: now,
            last_login_at: None,
        };
        audit::append(&mut transaction, trail, Change::created(uuid, user.audit_value()), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(user)
    }

    /// The person with this name, without regard to case.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<User>> {
        // Nobody has such a name, and PostgreSQL refuses to look for it.
        if username.contains('\0') {
            return Ok(None);
        }
        let query = sqlx::query(select_users!("where lower(username) = lower($1) and deleted_at is null"));
        one(&self.read, query.bind(username)).await
    }

    /// The person with this id.
    pub async fn user_by_id(&self, id: i64) -> Result<Option<User>> {
        one(&self.read, sqlx::query(select_users!("where id = $1 and deleted_at is null")).bind(id)).await
    }

    /// The person with this UUID.
    pub async fn user_by_uuid(&self, uuid: Uuid) -> Result<Option<User>> {
        one(&self.read, sqlx::query(select_users!("where uuid = $1 and deleted_at is null")).bind(uuid.to_string())).await
    }

    /// Whether there is anybody to administer.
    pub async fn has_administrator(&self) -> Result<bool> {
        const CONTEXT: &str = "look for an administrator";
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        other_administrators(&mut connection, 0).await
    }

    /// A page of people, in the order in which they registered.
    pub async fn list_users(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>> {
        const CONTEXT: &str = "list users";
        let role = filter.role.map(Role::as_str).unwrap_or_default();
        let search = contains(&filter.search);
        let mut connection = self.read.acquire().await.doing(CONTEXT)?;
        let total = sqlx::query_scalar(
            "select count(*) from users where deleted_at is null and ($1 = '' or role = $1) \
             and (lower(username) like $2 escape '!' or lower(email) like $2 escape '!')",
        );
        let total = total.bind(role).bind(&search).fetch_one(&mut *connection).await.doing(CONTEXT)?;
        let items = sqlx::query(select_users!(
            "where deleted_at is null and ($1 = '' or role = $1) \
             and (lower(username) like $2 escape '!' or lower(email) like $2 escape '!') order by id limit $3 offset $4"
        ));
        let items = items.bind(role).bind(&search).bind(i64::from(page.limit)).bind(page.offset());
        let rows = items.fetch_all(&mut *connection).await.doing(CONTEXT)?;
        let items = rows.iter().map(user).collect::<Result<_, _>>().doing(CONTEXT)?;
        Ok(Page { items, total })
    }

    /// Changes a person. A changed role begins a new epoch of tokens. None when there is no such person.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] (`EmailTaken`); [`Error::FailedPrecondition`] (`LastAdministrator`).
    pub async fn update_user(&self, id: i64, change: UserChange, now: Timestamp, trail: &Trail) -> Result<Option<User>> {
        const CONTEXT: &str = "change a user";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(old) = lock_administration(&mut transaction, id).await? else { return Ok(None) };
        let role = change.role.unwrap_or(old.role);
        if old.role == Role::Admin && role != Role::Admin && !other_administrators(&mut transaction, id).await? {
            return Err(last_administrator());
        }
        let new = User {
            email: change.email.unwrap_or_else(|| old.email.clone()),
            role,
            token_epoch: old.token_epoch + i64::from(role != old.role),
            updated_at: now,
            ..old.clone()
        };
        let update = sqlx::query("update users set email = $2, role = $3, token_epoch = $4, updated_at = $5 where id = $1");
        let update = update.bind(id).bind(&new.email).bind(role.as_str()).bind(new.token_epoch).bind(row::ms(now));
        email_free(update.execute(&mut *transaction).await)?;
        let change = Change::updated(new.uuid, old.audit_value(), new.audit_value());
        audit::append(&mut transaction, trail, change, now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Some(new))
    }

    /// Sets a new password and begins a new epoch of tokens, if the password's hash still is the one that was checked. False when
    /// it is not, or there is no such person.
    pub async fn set_password(&self, user: &User, password_hash: &str, now: Timestamp, trail: &Trail) -> Result<bool> {
        const CONTEXT: &str = "set a password";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let update = sqlx::query(
            "update users set password_hash = $3, token_epoch = token_epoch + 1, updated_at = $4 \
             where id = $1 and password_hash = $2 and deleted_at is null",
        );
        let update = update.bind(user.id).bind(&user.password_hash).bind(password_hash).bind(row::ms(now));
        if update.execute(&mut *transaction).await.doing(CONTEXT)?.rows_affected() == 0 {
            return Ok(false);
        }
        login_failures::clear(&mut transaction, &user.username).await?;
        let masked = || json!({ "username": user.username, "password": "***" });
        audit::append(&mut transaction, trail, Change::updated(user.uuid, masked(), masked()), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(true)
    }

    /// Deletes a person: their tokens hold no longer, and their name is free. None when there is no such person.
    ///
    /// # Errors
    /// [`Error::FailedPrecondition`]: `LastAdministrator`; `UserHasClaims` with live claims, unless these are to go as well.
    pub async fn delete_user(&self, id: i64, with_claims: bool, now: Timestamp, trail: &Trail) -> Result<Option<DeletedUser>> {
        const CONTEXT: &str = "delete a user";
        let mut transaction = self.transaction().await.doing(CONTEXT)?;
        let Some(user) = lock_administration(&mut transaction, id).await? else { return Ok(None) };
        if user.role == Role::Admin && !other_administrators(&mut transaction, id).await? {
            return Err(last_administrator());
        }
        // The lock on the person's row: nobody admits a claim of theirs from here on.
        let delete = sqlx::query(
            "update users set deleted_at = $2, updated_at = $2, token_epoch = token_epoch + 1, password_hash = '' where id = $1",
        );
        delete.bind(id).bind(row::ms(now)).execute(&mut *transaction).await.doing(CONTEXT)?;
        let claims = delete_live_claims(&mut transaction, id, now).await?;
        if !claims.is_empty() && !with_claims {
            let message = format!("{} has {} live claims: delete these first, or use force", user.username, claims.len());
            return Err(Error::FailedPrecondition { reason: "UserHasClaims".into(), message });
        }
        let forget = sqlx::query("delete from api_tokens where user_id = $1").bind(id);
        forget.execute(&mut *transaction).await.doing(CONTEXT)?;
        login_failures::clear(&mut transaction, &user.username).await?;
        let mut old = user.audit_value();
        old["live_claims"] = claims.iter().map(ToString::to_string).collect();
        audit::append(&mut transaction, trail, Change::deleted(user.uuid, old), now).await?;
        transaction.commit().await.doing(CONTEXT)?;
        Ok(Some(DeletedUser { user, claims }))
    }
}

/// Takes the lock that orders changes of who administers, then loads the person.
async fn lock_administration(connection: &mut AnyConnection, id: i64) -> Result<Option<User>> {
    const CONTEXT: &str = "lock the users";
    let lock = sqlx::query("update counters set value = value where name = 'users'");
    lock.execute(&mut *connection).await.doing(CONTEXT)?;
    let query = sqlx::query(select_users!("where id = $1 and deleted_at is null")).bind(id);
    let row = query.fetch_optional(&mut *connection).await.doing(CONTEXT)?;
    row.as_ref().map(user).transpose().doing(CONTEXT)
}

async fn other_administrators(connection: &mut AnyConnection, id: i64) -> Result<bool> {
    let query = sqlx::query_scalar("select count(*) from users where role = 'admin' and deleted_at is null and id <> $1");
    let count: i64 = query.bind(id).fetch_one(connection).await.doing("count administrators")?;
    Ok(count > 0)
}

fn last_administrator() -> Error {
    let message = "nobody else administers: make another user an administrator first".to_owned();
    Error::FailedPrecondition { reason: "LastAdministrator".into(), message }
}

/// Their ids. The reconciler releases what they hold.
async fn delete_live_claims(connection: &mut AnyConnection, user_id: i64, now: Timestamp) -> Result<Vec<Uuid>> {
    const CONTEXT: &str = "delete a user's claims";
    let query = sqlx::query(
        "update claims set deleted_at = $2, updated_at = $2, generation = generation + 1 \
         where user_id = $1 and deleted_at is null and phase in ('pending', 'scheduled', 'running') returning id",
    );
    let rows = query.bind(user_id).bind(row::ms(now)).fetch_all(connection).await.doing(CONTEXT)?;
    rows.iter().map(|row| row::uuid(row, "id")).collect::<Result<_, _>>().doing(CONTEXT)
}

/// A unique index says that the address is somebody's: no other key can be taken under the lock.
fn email_free<T>(done: Result<T, sqlx::Error>) -> Result<T> {
    match done {
        Err(error) if is_taken(&error) => {
            let message = "the e-mail address belongs to another user".to_owned();
            Err(Error::AlreadyExists { reason: "EmailTaken", message })
        }
        done => done.doing("keep a user"),
    }
}

/// A pattern of `like` with `!` as its escape.
fn contains(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars().flat_map(char::to_lowercase) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

type Query<'q> = sqlx::query::Query<'q, Any, sqlx::any::AnyArguments>;

async fn one(pool: &AnyPool, query: Query<'_>) -> Result<Option<User>> {
    let row = query.fetch_optional(pool).await.doing("load a user")?;
    row.as_ref().map(user).transpose().doing("read a user")
}

pub(super) fn user(row: &AnyRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get("id")?,
        uuid: row::uuid(row, "uuid")?,
        username: row.try_get("username")?,
        email: row.try_get("email")?,
        password_hash: row.try_get("password_hash")?,
        role: row::parsed(row, "role")?,
        token_epoch: row.try_get("token_epoch")?,
        created_at: row::timestamp(row, "created_at")?,
        updated_at: row::timestamp(row, "updated_at")?,
        last_login_at: row::maybe_timestamp(row, "last_login_at")?,
    })
}
