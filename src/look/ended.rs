//! What became of a dump that is gone, and of one that a command was wrapped around.

use crate::backup::End;
use crate::history::Watch;
use crate::model::{
    BackendIdentity, BackupRun, BackupTool, Certainty, DatabaseFacts, Manner, RunKey, RunOutcome,
    Session, Snapshot,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// Looks are close together that are no further apart than this: a check each minute, and one that came late.
const CLOSE: TimeDelta = TimeDelta::seconds(130);

/// No backup becomes this many times faster than it was.
const TIMES_FASTER: i32 = 50;

/// A run that a command was wrapped around.
pub struct Recorded<'a> {
    /// The backends that led it.
    pub own: &'a BTreeSet<BackendIdentity>,
    /// When the command began, by the server's clock.
    pub begun: DateTime<Utc>,
    /// When it ended, by the server's clock.
    pub at: DateTime<Utc>,
    /// How.
    pub outcome: RunOutcome,
    /// The program, without its folder.
    pub program: &'a str,
    /// The database that it was told to dump.
    pub database: Option<String>,
    /// It was told to dump some of the tables.
    pub is_selected: bool,
    /// How it dumps.
    pub manner: Manner,
}

impl Recorded<'_> {
    /// The run, where none of its sessions was seen: it took less than a moment.
    pub(super) fn without_a_look(&self, seen: &Snapshot) -> BackupRun {
        let server = &seen.server;
        BackupRun {
            key: RunKey {
                server: server.history_key(),
                database: self
                    .database
                    .clone()
                    .unwrap_or_else(|| server.datname.clone()),
                tool: self.program.to_owned(),
                user: server.user.clone(),
                application_name: self.program.to_owned(),
            },
            started: self.begun,
            ended: self.at,
            outcome: self.outcome,
            workers: 0,
            manner: self.manner,
            database_bytes: 0,
            tables: Vec::new(),
            source: "record".into(),
        }
    }
}

/// Whether a session's begin and end are those of a run: a dump's transaction, or a stream of files. Others
/// work now and then in a session of theirs.
pub(super) fn is_a_run(snapshot: &Snapshot, session: &Session) -> bool {
    let Some(leader) = snapshot.backend(session.pid) else {
        return false;
    };
    match session.backup.as_ref().map(|b| b.tool) {
        // An application's COPY looks a little like one.
        Some(BackupTool::PgDump | BackupTool::PgDumpall) => {
            leader.xact_start.is_some() && session.certainty > Certainty::Possible
        }
        Some(BackupTool::PgBasebackup | BackupTool::Barman) => {
            leader.backend_start.is_some() && snapshot.progress_of(leader.pid).next().is_some()
        }
        _ => false,
    }
}

/// The run that was watched, now that it is over; `None`: too little of it was seen, a dump of the schema
/// alone looks the same.
///
/// A complete one ended when what was left at the last look was done; of one that vanished is known that it
/// was there until then.
pub(super) fn past_run(
    watch: &Watch,
    facts: &DatabaseFacts,
    past: &[BackupRun],
    now: DateTime<Utc>,
) -> Option<BackupRun> {
    let watcher = &watch.watcher;
    let seen = watcher.seen()?;
    let is_physical = watcher.points.iter().any(|p| p.streamed.is_some());
    if !watcher.has_begun() && !watcher.by_cursor && !is_physical {
        return None;
    }
    let run = |at, outcome| {
        let end = End { at, outcome };
        watcher.run(watch.key.clone(), facts, Some(end))
    };
    let estimate = watcher.estimate(facts, past);
    let after = |seconds: Option<f64>| {
        let left = Duration::try_from_secs_f64(seconds?).ok()?;
        TimeDelta::from_std(left).ok()
    };
    let found = run(now, None)?.outcome;
    if found != RunOutcome::Complete {
        // No counter tells of a physical backup: that it was stopped is certain only where far too little time
        // was left for what was left.
        let left = after(estimate.and_then(|e| e.remaining_s));
        let was_stopped = if is_physical {
            now - seen <= CLOSE && left.is_some_and(|left| (now - seen) * TIMES_FASTER < left)
        } else {
            found == RunOutcome::Unseen && watcher.is_stopped(facts, past)
        };
        let outcome = was_stopped.then_some(RunOutcome::Aborted);
        return run(seen, outcome);
    }
    let left = after(estimate.and_then(|e| e.remaining_s));
    let expected = left.map_or(seen + (now - seen) / 2, |left| seen + left);
    run(expected.clamp(seen, now), None)
}
