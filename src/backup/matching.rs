//! Which past runs tell about this one.

use super::elapsed::seconds;
use super::watcher::Watcher;
use crate::model::{
    BackupRun, Manner, RelationName, RunKey, RunOutcome, Session, Snapshot, TableRun,
};
use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::Arc;

/// No more past runs than this are clocks: the newest.
pub const MOST_RUNS: usize = 6;

/// Two dump sets are the same when they share nine tenths of their tables.
const SAME_SET: f64 = 0.9;

/// Whether two dump sets of so many tables, of which so many are common, are the same.
fn is_same(common: usize, one: usize, other: usize) -> bool {
    let united = one + other - common;
    // In a small database one new table is more than a tenth.
    common as f64 >= SAME_SET * united as f64 || (common >= 3 && united - common <= 1)
}

/// Tells which sets of tables are the same as a running dump's: runs of no other can tell about it.
#[derive(Debug)]
pub struct Similar<'a> {
    /// The running one's, sorted.
    names: Vec<&'a RelationName>,
}

impl<'a> Similar<'a> {
    /// The dump that is watched.
    #[must_use]
    pub fn to(watcher: &'a Watcher) -> Self {
        let mut names: Vec<&RelationName> = watcher.tables.iter().map(|t| &*t.name).collect();
        names.sort();
        Self { names }
    }

    /// Whether a set is the same; its names are sorted.
    #[must_use]
    pub fn has(&self, other: &[Arc<RelationName>]) -> bool {
        let mut rest = self.names.iter().peekable();
        let common = other
            .iter()
            .filter(|name| {
                while rest.next_if(|ours| ***ours < ***name).is_some() {}
                rest.next_if(|ours| ***ours == ***name).is_some()
            })
            .count();
        is_same(common, self.names.len(), other.len())
    }
}

/// What identifies the run of a session among all that the history keeps.
#[must_use]
pub fn key_of(snapshot: &Snapshot, session: &Session) -> Option<RunKey> {
    let leader = snapshot.backend(session.pid)?;
    let backup = session.backup.as_ref()?;
    Some(RunKey {
        server: snapshot.server.history_key(),
        database: leader.datname.clone().unwrap_or_default(),
        tool: backup.tool.word().to_owned(),
        user: leader.usename.clone().unwrap_or_default(),
        application_name: leader.application_name.clone(),
    })
}

/// A past run beside the running one.
#[derive(Debug)]
pub(super) struct PastRun<'a> {
    pub run: &'a BackupRun,
    /// What it tells of each table of the running one, in that one's order.
    pub tables: Vec<Option<&'a TableRun>>,
    /// Seconds that it spent on large objects, after its tables; 0: there are none.
    pub tail: f64,
}

impl PastRun<'_> {
    /// How long it took.
    pub fn seconds(&self) -> f64 {
        seconds(self.run.started, self.run.ended)
    }

    /// The same in a database with large objects: a serial dump reads them when its tables are done.
    pub fn with_large_objects(mut self) -> Self {
        let timed: f64 = self.run.tables.iter().map(|t| t.seconds).sum();
        if self.run.workers == 0 && timed > 0.0 {
            self.tail = (self.seconds() - timed).max(0.0);
        }
        self
    }

    /// What it saw to the end of the table at this place.
    pub fn whole(&self, place: usize) -> Option<&TableRun> {
        self.tables
            .get(place)
            .copied()
            .flatten()
            .filter(|t| t.complete)
    }
}

/// The complete runs that dumped the same tables in the same manner, the newest first.
pub(super) fn matching<'a>(watcher: &Watcher, past: &'a [BackupRun]) -> Vec<PastRun<'a>> {
    let mut runs: Vec<&BackupRun> = past
        .iter()
        .filter(|r| r.outcome == RunOutcome::Complete)
        .filter(|r| Some(r.started) != watcher.started)
        .filter(|r| (r.workers > 1) == (watcher.workers > 1))
        .filter(|r| manner(r).agrees_with(watcher.manner()))
        .collect();
    runs.sort_by_key(|r| std::cmp::Reverse(r.started));
    let places = LazyCell::new(|| -> HashMap<&RelationName, usize> {
        let names = watcher.tables.iter().map(|t| &*t.name);
        names
            .enumerate()
            .map(|(place, name)| (name, place))
            .collect()
    });
    runs.into_iter()
        .map(|run| beside(watcher, run, |name| places.get(name).copied()))
        .filter(is_same_set)
        .take(MOST_RUNS)
        .collect()
}

/// A run's tables at the places of now. Two dumps take their tables in one order, so each is looked for
/// behind the one before it first: with many tables there is no time to look each of them up.
fn beside<'a>(
    watcher: &Watcher,
    run: &'a BackupRun,
    place_of: impl Fn(&RelationName) -> Option<usize>,
) -> PastRun<'a> {
    let mut tables = vec![None; watcher.tables.len()];
    let mut next = 0;
    for table in &run.tables {
        let is_next = watcher
            .tables
            .get(next)
            .is_some_and(|t| t.name == table.name);
        let place = if is_next {
            Some(next)
        } else {
            place_of(&table.name)
        };
        if let Some(place) = place {
            tables[place] = Some(table);
            next = place + 1;
        }
    }
    PastRun {
        run,
        tables,
        tail: 0.0,
    }
}

/// How a run read and wrote. An older version did not keep it: reading row by row times no table.
fn manner(run: &BackupRun) -> Manner {
    let times_nothing = run.tables.iter().all(|t| t.seconds <= 0.0);
    run.manner.or(Manner {
        by_cursor: (!run.tables.is_empty()).then_some(times_nothing),
        compressed: None,
    })
}

fn is_same_set(past: &PastRun) -> bool {
    let common = past.tables.iter().flatten().count();
    is_same(common, past.tables.len(), past.run.tables.len())
}
