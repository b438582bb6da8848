//! Clocks: what costs a dump its time. Each measures the whole run in units of its own and says how much
//! of them is behind it; no single one is right for all dumps (a network-bound one moves in bytes, one
//! that compresses in what its data cost it last time, a cold one in blocks).

use super::facts::TableFacts;
use super::progress::{Copying, DumpProgress};
use crate::model::{BackupRun, Oid, TableRun};
use std::collections::BTreeMap;

/// One clock's reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// What it counts, for the basis.
    pub name: &'static str,
    /// Units behind it.
    pub done: f64,
    /// Units in all.
    pub total: f64,
    /// How much it is trusted beside the others.
    pub prior: f64,
    /// For a clock in seconds of a past run: its own speed is believed to be near 1.
    pub in_seconds: bool,
}

impl Clock {
    /// Share of the work that is behind, 0 to 1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        if self.total > 0.0 {
            (self.done / self.total).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// A table counts for something even when it is empty: its COPY is a round trip.
const LEAST: f64 = 4096.0;

/// The same in seconds.
const LEAST_SECONDS: f64 = 0.002;

/// A table in flight has at least so many more rows than were seen.
const IN_FLIGHT: f64 = 1.03;

/// How many past runs have a clock of their own.
const RUNS: usize = 5;

/// All clocks that can be read.
#[must_use]
pub fn clocks(
    progress: &DumpProgress,
    facts: &BTreeMap<Oid, TableFacts>,
    past: &[BackupRun],
) -> Vec<Clock> {
    let mut clocks = vec![
        read(progress, facts, "bytes", 1.0, bytes),
        read(progress, facts, "blocks", 0.25, |f, _| {
            f.disk_bytes().max(LEAST)
        }),
    ];
    let runs = past.iter().rev().take(RUNS);
    let count = runs.len().max(1);
    for run in runs {
        #[expect(clippy::cast_precision_loss, reason = "at most five")]
        let prior = 3.0 / count as f64;
        let by_name: BTreeMap<_, _> = run.tables.iter().map(|t| (&t.name, t)).collect();
        let pace = pace(run);
        let mut clock = read(progress, facts, "past run", prior, |f, _| {
            seconds(f, by_name.get(&f.name).copied(), pace)
        });
        clock.in_seconds = true;
        clocks.push(clock);
    }
    clocks.retain(|clock| clock.total > 0.0);
    clocks
}

fn read(
    progress: &DumpProgress,
    facts: &BTreeMap<Oid, TableFacts>,
    name: &'static str,
    prior: f64,
    units: impl Fn(&TableFacts, Option<&Copying>) -> f64,
) -> Clock {
    let mut clock = Clock {
        name,
        done: 0.0,
        total: 0.0,
        prior,
        in_seconds: false,
    };
    for oid in &progress.tables {
        let Some(f) = facts.get(oid) else { continue };
        let copying = progress.copying.iter().find(|c| c.table == *oid);
        let all = units(f, copying);
        clock.total += all;
        if progress.done.contains(oid) {
            clock.done += all;
        } else if let Some(copying) = copying {
            clock.done += all * share(f, copying);
        }
    }
    clock
}

/// How much of a table in flight is copied, by rows.
fn share(facts: &TableFacts, copying: &Copying) -> f64 {
    match (copying.tuples, copying.bytes) {
        (Some(tuples), _) => {
            let rows = facts.rows().max(tuples * IN_FLIGHT);
            if rows > 0.0 { tuples / rows } else { 0.0 }
        }
        (None, Some(bytes)) => {
            let all = facts.copy_bytes().max(bytes * IN_FLIGHT);
            if all > 0.0 { bytes / all } else { 0.0 }
        }
        (None, None) => 0.5,
    }
}

/// Rows that must be seen before their width is believed.
const ENOUGH_ROWS: f64 = 200.0;

/// What COPY prints; where rows were seen, their own width decides.
fn bytes(facts: &TableFacts, copying: Option<&Copying>) -> f64 {
    let seen = copying.and_then(|c| Some((c.tuples?, c.bytes?)));
    match seen {
        Some((tuples, bytes)) if tuples >= ENOUGH_ROWS => {
            facts.rows().max(tuples * IN_FLIGHT) * bytes / tuples
        }
        _ => facts.copy_bytes(),
    }
    .max(LEAST)
}

/// Seconds a byte on disk took over a whole past run: for tables that it did not have.
fn pace(run: &BackupRun) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate needs no more than 52 bits"
    )]
    let bytes = run.database_bytes.max(1) as f64;
    run.tables.iter().map(|t| t.seconds).sum::<f64>() / bytes
}

/// What a past run needed for the table, scaled by its growth in rows.
fn seconds(facts: &TableFacts, past: Option<&TableRun>, pace: f64) -> f64 {
    match past {
        Some(past) if past.tuples > 0.0 => past.seconds * (facts.rows() / past.tuples),
        Some(past) => past.seconds,
        None => facts.disk_bytes() * pace,
    }
    .max(LEAST_SECONDS)
}
