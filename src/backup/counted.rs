//! What the server's counters tell of a dump that is gone.
//!
//! A session's scans and the rows that they read are counted when its transaction ends, however it ends
//! (`pgstat_report_stat`, pgstat.c): those of a dump come together, and what it read of each table since the last
//! look is exact. A dump that came to its end has read every table whole, one that was killed stopped in one.

use super::rows::Amount;
use super::seen::TableSeen;
use super::watcher::Watcher;
use crate::model::{DatabaseFacts, Oid, RunOutcome, TableFacts};
use std::collections::HashMap;

/// Share of the work after which a vanished dump counts as complete: the catalogs' counts of rows are not exact.
pub(super) const NEARLY_ALL: f64 = 0.99;

/// A table of which less was read than this share of its rows was not read to its end.
const PART: f64 = 0.9;

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
        let counted: Vec<(f64, f64)> = tables
            .iter()
            .map(|table| self.since(table))
            .collect::<Option<_>>()?;
        if counted.is_empty() {
            return None;
        }
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
        let last = (0..counted.len()).rev().find(is_scanned)?;
        let is_part = |place: usize| is_scanned(&place) && counted[place].1 < PART * rows(place);
        let stopped = if self.watcher.workers > 0 {
            (0..counted.len()).any(is_part)
        } else {
            last + 1 < counted.len() && is_part(last)
        };
        stopped.then_some(RunOutcome::Aborted)
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
