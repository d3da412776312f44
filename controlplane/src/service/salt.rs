//! `utopia.salt.v1.SaltService`: minions, functions and states.
//!
//! What a caller may run is decided by the contract (who) and by the client (what); here requests are checked and answers shown.

mod request;
mod show;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::salt::v1::{
    DeployRequest, Deployment, ExecuteRequest, GetMinionRequest, GetSaltJobRequest, ListMinionsRequest, ListMinionsResponse,
    Minion, MinionStatus, SaltJob, salt_service_server::SaltService,
};

use self::request::Order;
use super::finish::finish;
use crate::{
    auth::Identity,
    backend::{
        Backends,
        salt::{Begun, Command, Job, Salt, Target},
    },
    clock::Clock,
    error::{Error, Result},
    model::{
        PageRequest,
        audit::{AuditResult, Change, Trail},
    },
    store::Store,
};

/// Pauses between questions for a job begin so, and double up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The service.
#[derive(Debug, Clone)]
pub struct SaltStack {
    /// Has salt-api, if there is one.
    pub backends: Backends,
    /// Has the audit log.
    pub store: Store,
    /// Tells the time.
    pub clock: Clock,
    /// Where what was begun is finished.
    pub tracker: TaskTracker,
}

#[async_trait]
impl SaltService for SaltStack {
    async fn list_minions(&self, request: Request<ListMinionsRequest>) -> Result<Response<ListMinionsResponse>, Status> {
        let request = request.into_inner();
        let window = PageRequest::new(request.page, request.limit, request.page_size);
        let salt = self.backends.salt()?;
        let found = salt.status("*").await?;
        let up = found.up.into_iter().map(|name| (name, MinionStatus::Up));
        let mut all = up.chain(found.down.into_iter().map(|name| (name, MinionStatus::Down))).collect::<Vec<_>>();
        all.retain(|(_, status)| request.status() == MinionStatus::Unspecified || *status == request.status());
        all.sort();
        let page = window.cut(all);
        let names = page.items.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let mut grains = salt.grains(&names).await?;
        let minions = page.items.into_iter().map(|(name, status)| {
            let grains = grains.remove(&name).unwrap_or_default();
            Minion { grains: Some(prost_types::Struct::default()), ..show::minion(name, status, &grains) }
        });
        Ok(Response::new(ListMinionsResponse {
            minions: minions.collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_minion(&self, request: Request<GetMinionRequest>) -> Result<Response<Minion>, Status> {
        let id = request.into_inner().id;
        let none = || Error::not_found("minion", request::shorten(&id));
        let salt = self.backends.salt()?;
        if !request::is_minion(&id) {
            return Err(none().into());
        }
        let found = salt.status(&id).await?;
        let status = match (found.up.contains(&id), found.down.contains(&id)) {
            (true, _) => MinionStatus::Up,
            (false, true) => MinionStatus::Down,
            (false, false) => return Err(none().into()),
        };
        let grains = salt.grains(std::slice::from_ref(&id)).await?.remove(&id).unwrap_or_default();
        Ok(Response::new(show::minion(id, status, &grains)))
    }

    async fn execute(&self, request: Request<ExecuteRequest>) -> Result<Response<SaltJob>, Status> {
        let trail = Identity::trail(&request);
        let salt = self.backends.salt()?;
        let order = Order::execute(request.into_inner())?;
        let (id, job) = self.carry_out(salt, trail, order).await?;
        Ok(Response::new(show::job(id, job)))
    }

    async fn deploy(&self, request: Request<DeployRequest>) -> Result<Response<Deployment>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        let (salt, state) = (self.backends.salt()?, request.state.clone());
        let (id, job) = self.carry_out(salt, trail, Order::deploy(request)?).await?;
        Ok(Response::new(show::deployment(id, state, job)))
    }

    async fn get_salt_job(&self, request: Request<GetSaltJobRequest>) -> Result<Response<SaltJob>, Status> {
        let id = request.into_inner().job_id;
        let none = || Error::not_found("job", request::shorten(&id));
        let salt = self.backends.salt()?;
        if !request::is_job(&id) {
            return Err(none().into());
        }
        let job = salt.job(&id).await?.ok_or_else(none)?;
        Ok(Response::new(show::job(id, job)))
    }
}

impl SaltStack {
    /// Begins a job, and waits for it as long as was asked. Once it has begun the answer has its id, whatever becomes of Salt.
    async fn carry_out(&self, salt: &Salt, trail: Trail, order: Order) -> Result<(String, Job)> {
        let Order { command, wait } = order;
        let begun = finish(&self.tracker, self.clone().begin(salt.clone(), trail, command.clone())).await?;
        let mut job = just_begun(&begun, &command);
        let Some(wait) = wait else { return Ok((begun.id, job)) };
        let deadline = Instant::now() + wait;
        let mut pause = FIRST_PAUSE;
        loop {
            sleep_until(deadline.min(Instant::now() + pause)).await;
            match timeout_at(deadline, salt.job(&begun.id)).await {
                Ok(Ok(Some(seen))) => job = merged(job, seen),
                // The master has not written it down yet.
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(%error, job = begun.id, "a job of Salt cannot be looked up"),
                Err(_) => return Ok((begun.id, job)),
            }
            let is_complete = begun.minions.iter().all(|minion| job.outcomes.contains_key(minion));
            if is_complete || Instant::now() >= deadline {
                return Ok((begun.id, job));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Begins a job and writes it down. It has begun: that it could not be written down is for our log, not for the caller.
    async fn begin(self, salt: Salt, trail: Trail, command: Command) -> Result<Begun> {
        let begun = salt.begin(&command).await?;
        let change = Change::created(&command.target, audit_value(&begun, &command));
        if let Err(error) = self.store.record(&trail, change, AuditResult::Success, self.clock.now()).await {
            let Trail { action, user, .. } = &trail;
            tracing::error!(%error, %action, %user, job = begun.id, "what was begun could not be written to the audit log");
        }
        Ok(begun)
    }
}

/// A job of which nothing is known but that it began.
fn just_begun(begun: &Begun, command: &Command) -> Job {
    let mut expected = begun.minions.clone();
    if let Target::List(names) = &command.target {
        expected.extend(names.iter().cloned());
    }
    Job::begun(&begun.id, command.function.clone(), command.target.to_string(), expected)
}

/// What is known now: nobody who was asked for is forgotten.
fn merged(before: Job, mut seen: Job) -> Job {
    let asked: BTreeSet<String> = before.expected;
    seen.expected.extend(asked);
    seen
}

/// What the audit log shows of a job. Pillar is where secrets are; of it only the names are shown.
fn audit_value(begun: &Begun, command: &Command) -> Value {
    let mut kwargs = command.kwargs.clone();
    if let Some(Value::Object(pillar)) = kwargs.get_mut("pillar") {
        pillar.values_mut().for_each(|value| *value = json!("***"));
    }
    let kind = match &command.target {
        Target::Glob(_) => "glob",
        Target::List(_) => "list",
        Target::Grain(_) => "grain",
    };
    json!({
        "job_id": begun.id,
        "function": command.function,
        "target_type": kind,
        "minions": begun.minions,
        "args": command.args,
        "kwargs": kwargs,
    })
}
