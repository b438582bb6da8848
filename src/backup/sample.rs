//! Which tables a few rows are read of, where that was allowed, and what they told.

use super::matching::matching;
use super::rows::{disk_of, remembered};
use super::watcher::{Stage, Watcher};
use crate::model::{
    BackupRun, DatabaseFacts, Oid, RelationName, Snapshot, TableFacts, TableSample,
};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of no more tables than this, the largest, are rows read.
const MOST: usize = 100;

impl Watcher {
    /// The tables of a dump under way whose rows would tell more than is known: those that are still to be
    /// copied first, the largest first. What a past run or an earlier sample told is not read again, and a
    /// table on which somebody holds or waits for ACCESS EXCLUSIVE is left alone.
    #[must_use]
    pub fn to_sample(
        &self,
        facts: &DatabaseFacts,
        past: &[BackupRun],
        look: &Snapshot,
    ) -> Vec<Oid> {
        let is_copied = self.stage == Stage::Copying && self.has_begun();
        if !is_copied || self.leaked || self.database != look.server.datname {
            return Vec::new();
        }
        let disk: BTreeMap<Oid, f64> = facts.tables.iter().map(|t| (t.oid, disk_of(t))).collect();
        let locked = look.closed_to_readers();
        let past = matching(self, past);
        let memory = remembered(&past);
        let mut found: Vec<(bool, Reverse<u64>, &Arc<RelationName>, Oid)> = self
            .tables
            .iter()
            .enumerate()
            .filter(|(place, _)| memory.get(*place).copied().flatten().is_none())
            .map(|(_, table)| table)
            .filter(|table| !self.samples.contains_key(&table.oid) && !locked.contains(&table.oid))
            .filter_map(|table| {
                let size = Reverse(*disk.get(&table.oid)? as u64);
                Some((table.done_at.is_some(), size, &table.name, table.oid))
            })
            .collect();
        found.sort();
        found.truncate(MOST.saturating_sub(self.samples.len()));
        found.into_iter().map(|(.., oid)| oid).collect()
    }

    /// Remembers what rows told; one without rows stands for a table that could not be read.
    pub fn know_samples(&mut self, samples: impl IntoIterator<Item = (Oid, TableSample)>) {
        self.samples.extend(samples);
    }

    /// What rows of a table told, read now or at an earlier look.
    pub(super) fn sample_of(&self, oid: Oid, facts: Option<&TableFacts>) -> Option<TableSample> {
        let known = self.samples.get(&oid).copied();
        known.or(facts.and_then(|f| f.sample))
    }

    /// How many tables rows were read of.
    pub(super) fn sampled(&self, facts: &DatabaseFacts) -> usize {
        let samples = facts.tables.iter();
        let read = samples.filter_map(|t| self.sample_of(t.oid, Some(t)));
        read.filter(|sample| sample.rows > 0.0).count()
    }
}
