//! How long a migration holds the locks that keep others out: from the statement that takes one to the end
//! of its transaction, so that the work of all later statements counts.
//!
//! | file | says |
//! |---|---|
//! | `cost.rs` | how long a piece of work takes |
//! | `pace.rs` | how fast this server is, by past runs |
//! | `slots.rs` | whether the lock table has room for all of them |
//! | `words.rs` | what is done meanwhile, in words |
//!
//! It knows neither the server's load nor the idle time between two statements: what it says is the work.

pub mod cost;
pub mod pace;
pub mod slots;
mod words;

pub use pace::Pace;
pub use words::size;

use crate::model::{
    Footprint, Hold, HoldTime, Job, JobKind, LockMode, LockRequest, Oid, RelationKind,
    RelationName, Statement, WorkSeen,
};
use std::collections::BTreeMap;

/// Every lock of a migration that keeps out reads or writes of a relation that exists already, each once:
/// by the statement that takes it, and again where a later one takes it in a stronger mode.
#[must_use]
pub fn of(footprint: &Footprint, pace: &Pace) -> Vec<Hold> {
    let held = held(footprint, pace).into_iter();
    held.map(|(hold, _)| hold).collect()
}

/// What the work under each lock was thought to take on any server, and what it took, by the time that the lock was
/// held. Where several kinds of work were done, each has the whole.
#[must_use]
pub fn seen(
    footprint: &Footprint,
    held_s: impl Fn(&RelationName, LockMode) -> Option<f64>,
) -> Vec<WorkSeen> {
    let mut found: Vec<WorkSeen> = Vec::new();
    for (hold, jobs) in held(footprint, &Pace::default()) {
        let Some(took_s) = held_s(&hold.name, hold.mode) else {
            continue;
        };
        let counts = |job: &&&Job| cost::of(job).expected >= LARGE_PART * hold.time.expected;
        for job in jobs.iter().filter(counts) {
            let work = WorkSeen {
                kind: job.kind,
                method: job.method.clone(),
                slow_keys: job.slow_keys,
                said_s: hold.time.expected,
                took_s,
            };
            if hold.unknown.is_empty() && !found.contains(&work) {
                found.push(work);
            }
        }
    }
    found
}

/// Work that is at least this part of all says how fast its kind is.
const LARGE_PART: f64 = 0.3;

fn held<'a>(footprint: &'a Footprint, pace: &Pace) -> Vec<(Hold, Vec<&'a Job>)> {
    let mut found = Vec::new();
    let mut transaction = None;
    let mut held: BTreeMap<Oid, LockMode> = BTreeMap::new();
    for (at, statement) in footprint.statements.iter().enumerate() {
        if transaction != Some(statement.transaction) {
            held.clear();
            transaction = Some(statement.transaction);
        }
        let until = last_of_transaction(footprint, at);
        let mut work = None;
        for lock in strongest(statement) {
            let Some(oid) = lock.oid else { continue };
            let before = held.get(&oid).copied();
            held.insert(oid, before.map_or(lock.mode, |mode| mode.max(lock.mode)));
            if before.is_some_and(|mode| keeps_out(mode) >= keeps_out(lock.mode)) {
                continue;
            }
            let meanwhile = &footprint.statements[at..=until];
            let work = if each_alone(meanwhile) {
                Work::on(oid, statement, pace)
            } else {
                work.get_or_insert_with(|| Work::of(meanwhile, pace))
                    .clone()
            };
            let hold = Hold {
                statement: at,
                until,
                oid,
                name: lock.name.clone(),
                kind: lock.kind,
                mode: lock.mode,
                time: work.time,
                basis: work.basis,
                disk_bytes: work.jobs.iter().fold(0.0, |sum, job| sum + new_files(job)),
                unknown: work.unknown,
            };
            found.push((hold, work.jobs));
        }
    }
    found
}

/// What a mode keeps out: nothing of a user's, writes, or reads too.
const fn keeps_out(mode: LockMode) -> u8 {
    match mode {
        LockMode::AccessExclusive => 2,
        LockMode::Share | LockMode::ShareRowExclusive | LockMode::Exclusive => 1,
        _ => 0,
    }
}

fn last_of_transaction(footprint: &Footprint, first: usize) -> usize {
    let transaction = footprint.statements[first].transaction;
    let rest = footprint.statements[first..].iter();
    first + rest.take_while(|s| s.transaction == transaction).count() - 1
}

/// For each relation that others use by itself, the strongest lock that is kept and keeps others out.
fn strongest(statement: &Statement) -> Vec<&LockRequest> {
    let closes_a_table = statement
        .locks
        .iter()
        .any(|lock| keeps_out(lock.mode) == 2 && !lock.kind.is_index() && counts(lock));
    let mut found: Vec<&LockRequest> = Vec::new();
    for lock in statement.locks.iter().filter(|lock| counts(lock)) {
        let is_part = lock.kind.is_index() || lock.kind == RelationKind::Toast;
        if is_part && closes_a_table {
            continue;
        }
        match found.iter_mut().find(|l| l.oid == lock.oid) {
            Some(same) if same.mode < lock.mode => *same = lock,
            Some(_) => {}
            None => found.push(lock),
        }
    }
    found
}

fn counts(lock: &LockRequest) -> bool {
    // Nobody writes a materialized view but REFRESH, nor an index but through its table.
    let is_written = !lock.kind.is_index()
        && !matches!(
            lock.kind,
            RelationKind::MaterializedView | RelationKind::Toast
        );
    let least = if is_written { 1 } else { 2 };
    !lock.own && !lock.transient && !lock.possible && !lock.nowait && keeps_out(lock.mode) >= least
}

/// What is done while a lock is held.
#[derive(Clone)]
struct Work<'a> {
    jobs: Vec<&'a Job>,
    time: HoldTime,
    basis: String,
    unknown: Vec<String>,
}

impl<'a> Work<'a> {
    /// All that these statements do.
    fn of(statements: &'a [Statement], pace: &Pace) -> Self {
        let jobs = statements.iter().flat_map(|s| &s.jobs).collect();
        Self::with(jobs, statements, pace)
    }

    /// What a statement does to one relation.
    fn on(oid: Oid, statement: &'a Statement, pace: &Pace) -> Self {
        let is_its = |job: &&Job| job.oid == Some(oid) || job.index == Some(oid);
        let jobs = statement.jobs.iter().filter(is_its).collect();
        Self::with(jobs, &[], pace)
    }

    fn with(jobs: Vec<&'a Job>, statements: &[Statement], pace: &Pace) -> Self {
        let times: Vec<(HoldTime, usize)> = jobs.iter().map(|job| pace.time(job)).collect();
        let mut basis = words::work(&jobs);
        let runs = times.iter().map(|(_, runs)| *runs).max();
        if let Some(runs) = runs.filter(|runs| *runs > 0) {
            basis = format!("{basis}, by {}", words::past_runs(runs));
        }
        Self {
            time: times
                .iter()
                .fold(HoldTime::default(), |sum, (time, _)| sum.and(*time)),
            basis,
            unknown: unknown(&jobs, statements),
            jobs,
        }
    }
}

/// Bytes that a job writes into new files.
fn new_files(job: &Job) -> f64 {
    match job.kind {
        JobKind::Rewrite | JobKind::Move => job.bytes + job.toast_bytes,
        JobKind::Build => job.index_bytes,
        JobKind::Scan | JobKind::Join | JobKind::Read | JobKind::Write => 0.0,
    }
}

/// Whether it is a command that is a transaction for each relation that it works on.
fn each_alone(statements: &[Statement]) -> bool {
    matches!(statements, [one] if matches!(one.command.as_str(), "VACUUM" | "CLUSTER" | "REINDEX"))
}

/// Work of which nothing tells how long it takes.
fn unknown(jobs: &[&Job], meanwhile: &[Statement]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for job in jobs.iter().filter(|job| job.rows.is_none()) {
        let text = format!("the size of {} is unknown: it was never analyzed", job.name);
        if !found.contains(&text) {
            found.push(text);
        }
    }
    let opaque = meanwhile
        .iter()
        .filter(|s| s.opaque.is_some() && s.fails.is_none());
    found.extend(opaque.map(|s| format!("how long {} takes is unknown", words::called(s))));
    found
}
