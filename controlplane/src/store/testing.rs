//! Stores for tests: each its own empty database, gone afterwards.

use std::{env, panic::AssertUnwindSafe, sync::LazyLock};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, any::AnyConnectOptions};
use utopia_certs::join_token::TokenKind;
use utopia_proto::{
    claim::v1::{ClaimPhase, ClaimSpec, Resources},
    link::v1::{GpuFacts, MachineFacts},
};
use uuid::Uuid;

use super::{AdmitError, Admitted, EnrolNode, NewClaim, NewJoinToken, Options, PlaceOutcome, Placement, StatusChange, Store};
use crate::{
    error::Result,
    model::{Refusal, Role, User, audit::Trail, people::NewUser},
};

/// Runs a test on a SQLite database in a directory of its own.
pub(crate) async fn on_sqlite(test: impl AsyncFnOnce(Store)) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("utopia.db").display());
    let store = Store::open(&url, Options::default()).await.unwrap();
    test(store.clone()).await;
    store.close().await;
}

/// Runs a test on a database of its own in PostgreSQL. Without a server the test is skipped, except where `CI` is set.
pub(crate) async fn on_postgres(test: impl AsyncFnOnce(Store)) {
    let server = env::var("UTOPIA_TEST_POSTGRES_URL");
    let server = server.unwrap_or_else(|_| "postgresql://postgres@127.0.0.1:15432/postgres".to_owned());
    sqlx::any::install_default_drivers();
    let mut admin = match AnyConnection::connect(&server).await {
        Ok(admin) => admin,
        Err(error) if env::var("CI").is_ok_and(|ci| ci == "true") => panic!("there is no PostgreSQL to test on: {error}"),
        Err(error) => return eprintln!("SKIPPED: there is no PostgreSQL to test on: {error}"),
    };
    let name = format!("utopia_test_{}", Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();

    let mut url = server.parse::<AnyConnectOptions>().unwrap().database_url;
    url.set_path(&name);
    let options = Options { postgres_connections: 6, ..Options::default() };
    let outcome = AssertUnwindSafe(async {
        let store = Store::open(url.as_str(), options).await.unwrap();
        test(store.clone()).await;
        store.close().await;
    });
    let outcome = outcome.catch_unwind().await;

    sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut admin).await.unwrap();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Makes a test of each function, once for each database.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::store::testing::on_sqlite(super::$test).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::store::testing::on_postgres(super::$test).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;

/// So many seconds after a fixed beginning.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// A trail that no test looks at.
pub(crate) fn trail() -> &'static Trail {
    static TRAIL: LazyLock<Trail> = LazyLock::new(|| Trail::system("test", "Test"));
    &TRAIL
}

/// A person.
pub(crate) async fn user(store: &Store, username: &str, role: Role) -> User {
    let new = NewUser { username, email: "", password_hash: "$argon2id$hash", role };
    store.create_user(new, at(0), trail()).await.unwrap()
}

/// A machine.
pub(crate) fn machine(hostname: &str) -> MachineFacts {
    let labels = [("rack".to_owned(), "r1".to_owned())].into();
    MachineFacts { hostname: hostname.to_owned(), cpu_count: 64, memory_bytes: 512 << 30, labels, ..MachineFacts::default() }
}

/// Its GPUs, `GPU-<hostname>-<index>`.
pub(crate) fn gpus(hostname: &str, count: u32) -> Vec<GpuFacts> {
    let gpu = |index| GpuFacts {
        uuid: format!("GPU-{hostname}-{index}"),
        index,
        name: "NVIDIA H100".to_owned(),
        memory_bytes: 80 << 30,
    };
    (0..count).map(gpu).collect()
}

/// A join token for any number of machines, with the secret hash `hash`.
pub(crate) async fn open_token(store: &Store, id: &str) {
    let token = NewJoinToken {
        id,
        secret_hash: b"hash",
        node_id: None,
        max_uses: 0,
        description: "",
        expires_at: at(3600),
        created_by: None,
    };
    store.create_join_token(token, at(0), trail()).await.unwrap();
}

/// A node that has enrolled, with GPUs. Its machine id is its host name.
pub(crate) async fn node(store: &Store, hostname: &str, gpu_count: u32) -> Uuid {
    let token = Uuid::new_v4().to_string();
    open_token(store, &token).await;
    let facts = machine(hostname);
    let request = EnrolNode {
        token_kind: TokenKind::Join,
        token_id: &token,
        token_secret_hash: b"hash",
        machine_id: hostname,
        node_id: None,
        facts: &facts,
        now: at(0),
        new_id: Uuid::new_v4(),
    };
    let id = store.enrol(request, trail()).await.unwrap();
    assert!(store.update_node(id, &facts, &gpus(hostname, gpu_count), at(0)).await.unwrap());
    id
}

/// What asks for so many GPUs.
pub(crate) fn spec(gpu_count: i32) -> ClaimSpec {
    let resources = Some(Resources { gpu_count, ..Resources::default() });
    ClaimSpec { image: "train:1".to_owned(), resources, command: vec!["run".to_owned()], ..ClaimSpec::default() }
}

/// A claim to admit, without a key.
pub(crate) fn new_claim(user: &User, gpu_count: i32, now: Timestamp) -> NewClaim {
    let (role, trail) = (user.role, trail().clone());
    NewClaim {
        id: Uuid::now_v7(),
        user_id: user.id,
        role,
        request_id: None,
        spec: spec(gpu_count),
        refusal: Refusal::default(),
        trail,
        now,
    }
}

/// One at a time what the store does in groups.
impl Store {
    /// Admits a claim, as if its owner had this role.
    pub(crate) async fn admit_claim(&self, new: NewClaim, role: Role, trail: &Trail) -> Result<Admitted, AdmitError> {
        let new = NewClaim { role, trail: trail.clone(), ..new };
        self.admit_claims(&[new]).await?.pop().unwrap()
    }

    pub(crate) async fn place_claim(
        &self,
        id: Uuid,
        generation: i64,
        node_id: Uuid,
        gpu_uuids: &[String],
        now: Timestamp,
    ) -> Result<PlaceOutcome> {
        let gpu_uuids = gpu_uuids.to_vec();
        let placed = self.place_claims(&[Placement { id, generation, node_id, gpu_uuids }], now).await?;
        assert_eq!(placed.len(), 1);
        Ok(placed[0])
    }

    pub(crate) async fn set_claim_status(&self, id: Uuid, generation: i64, change: StatusChange, now: Timestamp) -> Result<bool> {
        let changed = self.set_claim_statuses(&[StatusChange { id, generation, ..change }], now).await?;
        Ok(changed.contains(&id))
    }

    /// Takes a claim from its node.
    pub(crate) async fn unplace_claim(&self, id: Uuid, generation: i64, now: Timestamp) -> Result<bool> {
        self.set_claim_status(id, generation, status(ClaimPhase::Pending, "NodeLost"), now).await
    }

    pub(crate) async fn forget_claim(&self, id: Uuid) -> Result<bool> {
        Ok(self.forget_claims(&[id]).await? == 1)
    }
}

/// A status that frees GPUs where the phase does.
pub(crate) fn status(phase: ClaimPhase, reason: &str) -> StatusChange {
    StatusChange {
        id: Uuid::nil(),
        generation: 0,
        before: ClaimPhase::Unspecified,
        phase,
        reason: reason.to_owned(),
        message: "it is so".to_owned(),
        container_id: if phase == ClaimPhase::Running { "c1".to_owned() } else { String::new() },
        free_gpus: !matches!(phase, ClaimPhase::Scheduled | ClaimPhase::Running),
    }
}

/// A pending claim of somebody without limits.
pub(crate) async fn claim(store: &Store, user: &User, gpu_count: i32) -> Uuid {
    store.admit_claim(new_claim(user, gpu_count, at(0)), Role::Admin, trail()).await.unwrap().claim.id
}
