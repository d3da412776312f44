//! No file descriptor left: new agents are refused, which the log and a metric say; old ones stay, and room that is made is used.

use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use utopia_load_tests::api::Api;
use utopia_load_tests::control_plane::ControlPlane;
use utopia_load_tests::outcome::{Limit, Outcome};

use super::FIGURE;
use crate::args::{Faults, Target};
use crate::subject::Subject;
use crate::swarm::Swarm;

/// While new agents try in vain.
const HOLD: Duration = Duration::from_secs(8);
/// One at the first failure, and few enough afterwards to be read.
const MOST_LINES: f64 = 20.0;
const METRIC: &str = "utopia_connections_refused";

pub(super) async fn inflict(settings: &Faults, target: &Target, outcome: &mut Outcome) -> anyhow::Result<()> {
    let subject = Subject::own(&[]).await?;
    let own = subject.as_own()?;
    let old = settings.fleet / 2;
    let join = subject.join(settings.fleet).await?;
    let mut swarm = Swarm::new(&join, target.concurrency);
    swarm.resize(settings.fleet, &join).await?;
    swarm.leave(usize::try_from(settings.fleet - old)?).await?;
    let api = own.api().await?;
    let before = refused(&api).await?;
    let logged = own.log().lines().count();
    swarm.meter().take();

    // Room for half of those that are to come.
    let room = (settings.fleet - old) / 2;
    limit_files(own, room)?;
    swarm.come(usize::MAX);
    tokio::time::sleep(HOLD).await;
    let (refusals, lines) = (refused(&api).await? - before, own.log().lines().count() - logged);
    let tally = swarm.meter().take();
    let admitted = swarm.meter().online();
    // The old ones, which came first, leave, and make room for all others.
    swarm.leave(usize::try_from(old)?).await?;
    let resumed = swarm.wait_online(settings.fleet - old).await;
    if let Err(error) = &resumed {
        tracing::warn!(%error, "agents are still refused");
    }

    let lines = f64::from(u32::try_from(lines)?);
    outcome.measure(subject.name, "no file descriptors: agents online before", "", vec![old.into()]);
    outcome.measure(subject.name, "no file descriptors: agents online with further ones trying", "", vec![admitted.into()]);
    outcome.measure(subject.name, "no file descriptors: attempts that failed", "", vec![tally.failed_attempts.into()]);
    let mut verdict =
        |what: &str, value, limit| outcome.verdict(FIGURE, &format!("no file descriptors, {what}"), value, limit, "");
    verdict("old agents lost", tally.lost_sessions.into(), Limit::AtMost(0.0));
    verdict("connections refused by the metric", refusals, Limit::AtLeast(1.0));
    verdict("log lines that say so", lines, Limit::AtLeast(1.0));
    verdict("log lines in 8 s", lines, Limit::AtMost(MOST_LINES));
    let missing = (settings.fleet - old).saturating_sub(swarm.meter().online());
    verdict("agents still out once others have left", missing.into(), Limit::AtMost(0.0));
    swarm.stop().await
}

/// Leaves a running process so many descriptors more than it has open.
fn limit_files(own: &ControlPlane, room: u32) -> anyhow::Result<()> {
    let pid = own.pid()?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).context("cannot count open files")?.count();
    let limit = Some(u64::try_from(open)? + u64::from(room));
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("the control plane has ended")?;
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: limit, maximum: limit })?;
    Ok(())
}

/// The metric, over all its labels.
async fn refused(api: &Api) -> anyhow::Result<f64> {
    let text = api.send(reqwest::Method::GET, "/metrics", None).await?.text().await?;
    let values =
        text.lines().filter(|line| line.starts_with(METRIC)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}
