//! Room in the lock table: a migration that locks thousands of partitions may find none.
//!
//! The table has `max_locks_per_transaction` slots for each possible session and prepared transaction
//! (`NLOCKENTS`, lock.c), and some more: the server asks for a tenth more, and rounds up. A lock on a relation in
//! a weak mode needs none as long as the session has few of them (`FastPathStrongRelationLocks`).

use crate::model::{Footprint, LockMode, LockTarget, Oid, Pid, RelationName, Snapshot, Statement};
use std::collections::{BTreeMap, BTreeSet};

/// A transaction whose locks find no room, or hardly any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooMany {
    /// The statement at which that happens.
    pub statement: usize,
    /// Whether it is certain: far more than the settings give.
    pub is_certain: bool,
    /// In words.
    pub why: String,
}

/// Locks in weak modes that a session keeps outside of the table (`FP_LOCK_SLOTS_PER_BACKEND`; 18 has more).
const OUTSIDE: usize = 16;

/// Shared memory that other parts of the server have asked for and do not use serves for locks too. Measured with
/// small settings: 1,220 locks where 14 asks for 608, 1,952 where 18 asks for 816.
const MORE: usize = 500;

/// The settings' slots; 0: unknown.
fn capacity(look: &Snapshot) -> usize {
    let said = look.server.settings.get("lock_slots");
    said.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The statements at which the lock table runs out, the first of each transaction.
#[must_use]
pub fn too_many(footprint: &Footprint, look: &Snapshot) -> Vec<TooMany> {
    let capacity = capacity(look);
    // Nothing with few locks is worth counting those of all others.
    let most: usize = footprint.statements.iter().map(|s| s.locks.len()).sum();
    if capacity == 0 || most < capacity / 4 {
        return Vec::new();
    }
    let others = held_now(look);
    let mut found: Vec<TooMany> = Vec::new();
    let mut transaction = None;
    let mut names: BTreeSet<(Option<Oid>, &RelationName)> = BTreeSet::new();
    let mut told = false;
    for (at, statement) in footprint.statements.iter().enumerate() {
        if transaction != Some(statement.transaction) || each_alone(statement) {
            names.clear();
            told = false;
            transaction = Some(statement.transaction);
        }
        if each_alone(statement) {
            continue;
        }
        let kept = statement
            .locks
            .iter()
            .filter(|l| !l.transient && !l.possible);
        names.extend(kept.map(|lock| (lock.oid, &lock.name)));
        let needed = names.len() + others;
        if told || needed <= capacity {
            continue;
        }
        told = true;
        let held = match others {
            0 => String::new(),
            n => format!(" and {n} of others"),
        };
        let is_certain = needed > capacity * 5 / 2 + MORE;
        let word = if is_certain { "would" } else { "may" };
        found.push(TooMany {
            statement: at,
            is_certain,
            why: format!(
                "it {word} run out of lock slots: {} locks{held}, and max_locks_per_transaction gives room \
                 for about {capacity}",
                names.len()
            ),
        });
    }
    found
}

/// Whether it lets go of its locks from one relation to the next.
fn each_alone(statement: &Statement) -> bool {
    matches!(statement.command.as_str(), "VACUUM" | "CLUSTER" | "REINDEX")
}

/// How many slots are taken now.
fn held_now(look: &Snapshot) -> usize {
    let mut weak: BTreeMap<Option<Pid>, usize> = BTreeMap::new();
    let mut taken: BTreeSet<&LockTarget> = BTreeSet::new();
    for lock in &look.locks {
        let is_weak = matches!(lock.target, LockTarget::Relation { .. })
            && lock.mode < LockMode::ShareUpdateExclusive;
        if is_weak {
            let count = weak.entry(lock.pid).or_default();
            *count += 1;
            if *count <= OUTSIDE {
                continue;
            }
        }
        if !matches!(lock.target, LockTarget::VirtualXid { .. }) {
            taken.insert(&lock.target);
        }
    }
    taken.len()
}
