//! Which migrations are running now, from a look, the lock rows of tools and the history.

use super::facts::Facts;
use super::past::Past;
use crate::history::WhichRuns;
use crate::model::{MigrationRun, RunningMigration, Snapshot};
use crate::supervise::{self, Signs, running};
use chrono::{DateTime, Utc};
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// Of more runs at the same time nobody needs to know.
const MOST_RUNS: u32 = 50;

/// The run that a process belongs to: hooks and commands of a run have its name in their environment.
const RUN: &str = "PGGUARD_RUN";

/// Every migration that is seen to run. `statements`: what is about to run, where that is known.
pub async fn now(
    facts: &mut Facts,
    past: &mut Past,
    look: &Snapshot,
    statements: &[String],
) -> Vec<RunningMigration> {
    let rows = facts.lock_rows().await;
    let which = WhichRuns {
        server: Some(look.server.history_key()),
        database: Some(look.server.datname.clone()),
        run: None,
        limit: Some(MOST_RUNS),
    };
    let runs = going_on(past.migration_runs(&which).await, look);
    let own_run = std::env::var(RUN).ok();
    let signs = Signs {
        rows: &rows,
        runs: &runs,
        statements,
        own_run: own_run.as_deref(),
    };
    running(look, &signs)
}

/// Those that have not ended.
#[must_use]
pub fn going_on(runs: Vec<MigrationRun>, look: &Snapshot) -> Vec<MigrationRun> {
    let going = runs.into_iter();
    going.filter(|run| goes_on(run, look.taken_at)).collect()
}

/// Whether a run in the history has not ended yet.
#[must_use]
pub fn goes_on(run: &MigrationRun, now: DateTime<Utc>) -> bool {
    let here = gethostname().ok().and_then(|name| name.into_string().ok());
    supervise::running::goes_on(run, &here.unwrap_or_default(), now, is_alive)
}

/// Whether a process of this machine is there: one of somebody else's may not be signalled, and is there.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).unwrap_or(i32::MAX);
    kill(Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH)
}
