//! How far a dump is, from one look.

use super::copy_text::table_of;
use super::facts::TableFacts;
use crate::model::{
    Backend, Backup, FIRST_NORMAL_OID, LockMode, LockTarget, Oid, Pid, Session, Snapshot, Work, age,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What is done, in flight and to do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DumpProgress {
    /// The dump set, in dump order where that is known.
    pub tables: Vec<Oid>,
    /// Those whose COPY has ended.
    pub done: BTreeSet<Oid>,
    /// Those being copied.
    pub copying: Vec<Copying>,
    /// Whether any COPY has been seen: before, it only prepares (or dumps the schema alone).
    pub has_begun: bool,
}

impl DumpProgress {
    /// Seconds since the tables in flight were begun, on average.
    #[must_use]
    pub fn in_flight_s(&self, now: DateTime<Utc>) -> f64 {
        let spans: Vec<f64> = self
            .copying
            .iter()
            .filter_map(|c| Some(age(c.since?, now).as_seconds_f64()))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "a count of workers")]
        let count = spans.len().max(1) as f64;
        spans.iter().sum::<f64>() / count
    }
}

/// A table being copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Copying {
    /// Which process.
    pub pid: Pid,
    /// Which table.
    pub table: Oid,
    /// Rows so far; `None`: may not be seen.
    pub tuples: Option<f64>,
    /// Bytes so far; `None`: may not be seen.
    pub bytes: Option<f64>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// Reads a dump's progress.
///
/// A serial pg_dump copies its tables ordered by schema, then by name, both as bytes
/// (`DOTypeNameCompare`, `pg_dump_sort.c`), so whatever stands before the table in flight is done. A
/// parallel worker locks each table as it begins to copy it and keeps the lock (`lockTableForWorker`,
/// parallel.c), so whatever workers have locked and do not copy any more is done.
#[must_use]
pub fn dump_progress(
    snapshot: &Snapshot,
    session: &Session,
    backup: &Backup,
    facts: &BTreeMap<Oid, TableFacts>,
) -> DumpProgress {
    let mut tables: Vec<Oid> = backup
        .tables
        .iter()
        .copied()
        .filter(|oid| facts.contains_key(oid))
        .collect();
    tables.sort_by_key(|oid| facts.get(oid).map(|f| (&f.name.schema, &f.name.relation)));
    let members: Vec<&Backend> = session
        .members
        .iter()
        .filter_map(|pid| snapshot.backend(*pid))
        .collect();
    let copying: Vec<Copying> = members
        .iter()
        .filter_map(|b| copying(snapshot, b))
        .collect();
    let last: Vec<Oid> = members
        .iter()
        .filter_map(|b| named_in_query(b, facts))
        .collect();
    let done = if session.members.len() > 1 {
        locked_by_workers(snapshot, session, &tables)
    } else {
        passed(&tables, &copying, &last)
    };
    let in_flight: BTreeSet<Oid> = copying.iter().map(|c| c.table).collect();
    DumpProgress {
        has_begun: !copying.is_empty() || !last.is_empty(),
        done: done.difference(&in_flight).copied().collect(),
        tables,
        copying,
    }
}

fn copying(snapshot: &Snapshot, backend: &Backend) -> Option<Copying> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate needs no more than 52 bits"
    )]
    snapshot
        .progress_of(backend.pid)
        .find_map(|work| match *work {
            Work::Copy {
                relid: Some(table @ 1..),
                bytes_processed,
                tuples_processed,
                ..
            } => Some(Copying {
                pid: backend.pid,
                table,
                tuples: tuples_processed.map(|n| n as f64),
                bytes: bytes_processed.map(|n| n as f64),
                since: backend.query_start,
            }),
            _ => None,
        })
}

/// The table that a member's running or last COPY names.
fn named_in_query(backend: &Backend, facts: &BTreeMap<Oid, TableFacts>) -> Option<Oid> {
    let name = table_of(&backend.query)?;
    facts
        .iter()
        .find(|(_, f)| f.name == name)
        .map(|(&oid, _)| oid)
}

/// Serial: everything before the table in flight, and the last one too once its COPY has ended.
fn passed(tables: &[Oid], copying: &[Copying], last: &[Oid]) -> BTreeSet<Oid> {
    let place = |oid: Oid| tables.iter().position(|&t| t == oid);
    let reached = match (copying.first(), last.first()) {
        (Some(now), _) => place(now.table),
        (None, Some(&last)) => place(last).map(|at| at + 1),
        (None, None) => None,
    };
    tables[..reached.unwrap_or(0)].iter().copied().collect()
}

/// Parallel: what the workers, not the leader, have locked.
fn locked_by_workers(snapshot: &Snapshot, session: &Session, tables: &[Oid]) -> BTreeSet<Oid> {
    let workers = |pid: Option<Pid>| {
        pid.is_some_and(|pid| pid != session.pid && session.members.contains(&pid))
    };
    let ours: BTreeSet<Oid> = tables.iter().copied().collect();
    snapshot
        .locks
        .iter()
        .filter(|lock| lock.granted && lock.mode == LockMode::AccessShare && workers(lock.pid))
        .filter_map(|lock| match lock.target {
            LockTarget::Relation { relation, .. } if relation >= FIRST_NORMAL_OID => Some(relation),
            _ => None,
        })
        .filter(|oid| ours.contains(oid))
        .collect()
}
