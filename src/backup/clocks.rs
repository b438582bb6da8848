//! Clocks: what costs a dump its time. Each measures the whole run in units of its own and says how much
//! of them is behind it; no single one is right for all dumps (a network-bound one moves in bytes, one
//! that compresses in what its data cost it last time, a cold one in blocks).

use super::estimate::Question;
use super::facts::TableFacts;
use super::progress::{Copying, DumpProgress};
use crate::model::{BackupRun, RelationName, TableRun};
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
    /// Units of the tables in flight, among `done`.
    pub in_flight: f64,
    /// Seconds since those were begun, on average.
    pub in_flight_s: f64,
    /// Seconds since the dump began.
    pub elapsed: f64,
    /// For a clock in seconds of a past run: the logarithm of the speed it is believed to have, as many
    /// seconds of copying a second as that run had tables in flight.
    pub usual_speed: Option<f64>,
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

    /// The logarithm of its speed, in units a second: the mean over the run and over the tables in
    /// flight, which are the best measured and the most recent, averaged by how long these have lasted.
    #[must_use]
    pub fn log_speed(&self) -> Option<f64> {
        let overall = speed(self.done, self.elapsed);
        let now = speed(self.in_flight, self.in_flight_s);
        match (overall, now) {
            (Some(overall), Some(now)) => {
                let share = self.in_flight_s / (self.in_flight_s + 2.0 + 0.25 * self.elapsed);
                // Slower than ever may be a stall, which ends: it counts half.
                let share = if now < overall { share * 0.5 } else { share };
                Some(share.mul_add(now - overall, overall))
            }
            (one, other) => one.or(other),
        }
    }

    /// Trust: less for a clock that runs at another speed in the table in flight than before.
    #[must_use]
    pub fn weight(&self) -> f64 {
        let overall = speed(self.done - self.in_flight, self.elapsed - self.in_flight_s);
        let now = speed(self.in_flight, self.in_flight_s);
        match (overall, now) {
            (Some(overall), Some(now)) if self.in_flight_s > 1.0 => {
                self.prior * (-0.5 * (now - overall).powi(2)).exp().max(0.05)
            }
            _ => self.prior,
        }
    }
}

/// The logarithm of a speed, where there is one.
fn speed(units: f64, seconds: f64) -> Option<f64> {
    (units > 0.0 && seconds > 0.2).then(|| (units / seconds).ln())
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
pub fn clocks(question: &Question, progress: &DumpProgress, past: &[BackupRun]) -> Vec<Clock> {
    let seen = by_name(question.watched);
    let mut clocks = vec![
        read(question, progress, "bytes", 1.0, |f, c| {
            bytes(f, c, seen.get(&f.name).copied())
        }),
        read(question, progress, "blocks", 0.2, |f, _| {
            f.disk_bytes().max(LEAST)
        }),
    ];
    let runs = past.iter().rev().take(RUNS);
    let count = runs.len().max(1);
    for run in runs {
        #[expect(clippy::cast_precision_loss, reason = "at most five")]
        let prior = 3.0 / count as f64;
        let tables = by_name(Some(run));
        let pace = pace(run);
        let mut clock = read(question, progress, "past run", prior, |f, _| {
            seconds(f, tables.get(&f.name).copied(), pace)
        });
        clock.usual_speed = usual_speed(run);
        clocks.push(clock);
        // What a row is wide, a past run knows as well as this one.
        clocks[0] = read(question, progress, "bytes", 1.0, |f, c| {
            bytes(f, c, seen.get(&f.name).or(tables.get(&f.name)).copied())
        });
    }
    clocks.retain(|clock| clock.total > 0.0);
    clocks
}

fn by_name(run: Option<&BackupRun>) -> BTreeMap<&RelationName, &TableRun> {
    run.into_iter()
        .flat_map(|run| &run.tables)
        .map(|t| (&t.name, t))
        .collect()
}

fn read(
    question: &Question,
    progress: &DumpProgress,
    name: &'static str,
    prior: f64,
    units: impl Fn(&TableFacts, Option<&Copying>) -> f64,
) -> Clock {
    let mut clock = Clock {
        name,
        done: 0.0,
        total: 0.0,
        prior,
        in_flight: 0.0,
        in_flight_s: progress.in_flight_s(question.snapshot.taken_at),
        elapsed: question.elapsed_s(),
        usual_speed: None,
    };
    for oid in &progress.tables {
        let Some(f) = question.facts.get(oid) else {
            continue;
        };
        let copying = progress.copying.iter().find(|c| c.table == *oid);
        let all = units(f, copying);
        clock.total += all;
        if progress.done.contains(oid) {
            clock.done += all;
        } else if let Some(copying) = copying {
            clock.in_flight += all * share(f, copying);
        }
    }
    clock.done += clock.in_flight;
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

/// What COPY prints; where rows were seen, now or before, their own width decides.
fn bytes(facts: &TableFacts, copying: Option<&Copying>, before: Option<&TableRun>) -> f64 {
    let now = copying.and_then(|c| Some((c.tuples?, c.bytes?)));
    let before = before.map(|t| (t.tuples, t.bytes));
    let enough = |seen: &(f64, f64)| seen.0 >= ENOUGH_ROWS;
    match now.filter(enough).or(before.filter(enough)) {
        Some((tuples, bytes)) => {
            let at_least = now.map_or(0.0, |(tuples, _)| tuples * IN_FLIGHT);
            facts.rows().max(at_least) * bytes / tuples
        }
        None => facts.copy_bytes(),
    }
    .max(LEAST)
}

/// Tables in flight at a time over a past run, as a logarithm.
fn usual_speed(run: &BackupRun) -> Option<f64> {
    let copying: f64 = run.tables.iter().map(|t| t.seconds).sum();
    Some(speed(copying, (run.ended - run.started).as_seconds_f64()).unwrap_or(0.0))
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
