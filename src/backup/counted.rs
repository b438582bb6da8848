//! What the server's counters tell of a dump that is gone.
//!
//! A session's scans and the rows that they read are counted when its transaction ends, however it ends
//! (`pgstat_report_stat`, pgstat.c): those of a dump come together, and what it read of each table since the last
//! look is exact. A dump that came to its end has read every table whole, one that was killed stopped in one.

use super::matching::PastRun;
use super::rows::{Amount, grown};
use super::seen::TableSeen;
use super::watcher::Watcher;
use crate::model::{DatabaseFacts, Oid, RunOutcome, TableFacts};
use std::collections::HashMap;

/// Share of the work after which a vanished dump counts as complete: the catalogs' counts of rows are not exact.
pub(super) const NEARLY_ALL: f64 = 0.99;

/// A table of which less was read than this share of its rows was not read to its end.
const PART: f64 = 0.9;

/// The same where a past run counted the rows: they are exact, but for what was deleted since.
const PART_OF_COUNTED: f64 = 0.98;

/// What was read of each table since the last look.
pub(super) struct Counted<'a> {
    watcher: &'a Watcher,
    now: HashMap<Oid, &'a TableFacts>,
}

impl<'a> Counted<'a> {
    /// By the counters of the last look and those of now.
    pub fn of(watcher: &'a Watcher, facts: &'a DatabaseFacts) -> Self {
        Self {
            watcher,
            now: facts.tables.iter().map(|t| (t.oid, t)).collect(),
        }
    }

    /// Scans and rows. A counter that went back was reset.
    fn since(&self, table: &TableSeen) -> Option<(f64, f64)> {
        let now = self.now.get(&table.oid)?;
        let scans = now.scans? - self.watcher.scans.get(&table.oid)?;
        let rows = now.reads? - self.watcher.reads.get(&table.oid)?;
        (scans >= 0.0 && rows >= 0.0).then_some((scans, rows))
    }

    /// Rows of a table that was scanned once since: then it was the dump's scan.
    pub fn exact_rows(&self, table: &TableSeen) -> Option<f64> {
        let (scans, rows) = self.since(table)?;
        (scans == 1.0).then_some(rows)
    }

    /// Whether a table was not read at all, although it was locked: its rows are left out (`--exclude-table-data`).
    pub fn is_left_out(&self, table: &TableSeen) -> bool {
        let is_counted = |t: &TableSeen| self.since(t).is_some_and(|(scans, _)| scans > 0.0);
        self.since(table) == Some((0.0, 0.0)) && self.watcher.tables.iter().any(is_counted)
    }

    /// How it ended; `None`: the counters do not tell. Others scan tables too, but hardly every one: that all
    /// were is the dump's work. Where some were not, it was the dump that stopped only if one before them was read
    /// in part: tables may be left out (`--exclude-table-data`).
    pub fn outcome(&self, amounts: &[Amount]) -> Option<RunOutcome> {
        let tables = &self.watcher.tables;
        let counted = self.all()?;
        let rows = |place: usize| self.fewest_rows(&tables[place], &amounts[place]);
        let is_scanned = |place: &usize| counted[*place].0 > 0.0;
        if (0..counted.len()).all(|place| is_scanned(&place)) {
            let work = |rows: f64, place: usize| rows * amounts[place].row_bytes.max(1.0);
            let all: f64 = (0..counted.len()).map(|i| work(rows(i), i)).sum();
            let read: f64 = (0..counted.len())
                .map(|i| work(counted[i].1.min(rows(i)), i))
                .sum();
            return (read >= NEARLY_ALL * all).then_some(RunOutcome::Complete);
        }
        let is_part = |place: usize| counted[place].1 < PART * rows(place);
        self.is_stopped(&counted, is_part)
            .then_some(RunOutcome::Aborted)
    }

    /// Whether it stopped in a table, beside a complete run of the same kind: that one read tables which this one did
    /// not, and the table at which this one left off is larger by each of the counts that there are.
    pub fn is_stopped_beside(&self, run: &PastRun, amounts: &[Amount]) -> bool {
        let Some(counted) = self.all() else {
            return false;
        };
        let was_read = |place: usize| run.whole(place).is_some_and(|then| then.tuples > 0.0);
        let is_missing = (0..counted.len()).any(|place| counted[place].0 <= 0.0 && was_read(place));
        let by_past = |place: usize| {
            let then = run.whole(place)?;
            if then.promised > 0.0 {
                grown(then, amounts[place].promised)
            } else {
                Some(then.tuples)
            }
        };
        let is_part = |place: usize| {
            let fewest = self.fewest_rows(&self.watcher.tables[place], &amounts[place]);
            let few = |rows: f64| counted[place].1 < PART_OF_COUNTED * fewest.min(rows);
            by_past(place).is_some_and(few)
        };
        is_missing && self.is_stopped(&counted, is_part)
    }

    /// Scans and rows of all tables; `None`: there are none, or some are not counted.
    fn all(&self) -> Option<Vec<(f64, f64)>> {
        let counted = self.watcher.tables.iter().map(|table| self.since(table));
        let counted: Vec<(f64, f64)> = counted.collect::<Option<_>>()?;
        (!counted.is_empty()).then_some(counted)
    }

    /// Whether it left off in a table of which it read only a part: a serial dump in the last that it came to.
    fn is_stopped(&self, counted: &[(f64, f64)], is_part: impl Fn(usize) -> bool) -> bool {
        let is_scanned = |place: &usize| counted[*place].0 > 0.0;
        let is_part = |place: usize| is_scanned(&place) && is_part(place);
        if self.watcher.workers > 0 {
            return (0..counted.len()).any(is_part);
        }
        let last = (0..counted.len()).rev().find(is_scanned);
        last.is_some_and(|last| last + 1 < counted.len() && is_part(last))
    }

    /// Rows that a whole scan reads at least, of the two counts that there are.
    fn fewest_rows(&self, table: &TableSeen, amount: &Amount) -> f64 {
        let facts = self.now.get(&table.oid);
        let counts = facts.map_or([0.0; 2], |t| [t.live_tuples, t.tuples]);
        counts
            .into_iter()
            .filter(|rows| *rows > 0.0)
            .reduce(f64::min)
            .unwrap_or(amount.rows)
    }
}
