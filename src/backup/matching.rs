//! Which past runs tell about this one.

use super::watcher::Watcher;
use crate::model::{BackupRun, RunKey, RunOutcome, Session, Snapshot};
use std::collections::HashSet;

/// No more past runs than this are clocks: the newest.
const MOST_RUNS: usize = 6;

/// Two dump sets are the same when they share nine tenths of their tables.
const SAME_SET: f64 = 0.9;

/// What identifies the run of a session among all that the history keeps.
#[must_use]
pub fn key_of(snapshot: &Snapshot, session: &Session) -> Option<RunKey> {
    let leader = snapshot.backend(session.pid)?;
    let backup = session.backup.as_ref()?;
    Some(RunKey {
        server: snapshot
            .server
            .system_identifier
            .clone()
            .unwrap_or_default(),
        database: leader.datname.clone().unwrap_or_default(),
        tool: backup.tool.word().to_owned(),
        user: leader.usename.clone().unwrap_or_default(),
        application_name: leader.application_name.clone(),
    })
}

/// The complete runs that dumped the same tables in the same manner, the newest first.
#[must_use]
pub fn matching<'a>(watcher: &Watcher, past: &'a [BackupRun]) -> Vec<&'a BackupRun> {
    let mut runs: Vec<&BackupRun> = past
        .iter()
        .filter(|r| r.outcome == RunOutcome::Complete)
        .filter(|r| Some(r.started) != watcher.started)
        .filter(|r| (r.workers > 1) == (watcher.workers > 1))
        .collect();
    runs.sort_by_key(|r| std::cmp::Reverse(r.started));
    let names: HashSet<_> = watcher.tables.iter().map(|t| &t.name).collect();
    runs.into_iter()
        .filter(|r| same_set(&names, r))
        .take(MOST_RUNS)
        .collect()
}

fn same_set(names: &HashSet<&crate::model::RelationName>, run: &BackupRun) -> bool {
    if names.is_empty() && run.tables.is_empty() {
        return true;
    }
    let common = run
        .tables
        .iter()
        .filter(|t| names.contains(&t.name))
        .count();
    let united = names.len() + run.tables.len() - common;
    // In a small database one new table is more than a tenth.
    common as f64 >= SAME_SET * united as f64 || (common >= 3 && united - common <= 1)
}
