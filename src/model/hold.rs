//! How long a migration holds a lock that keeps others out.

use super::{LockMode, Oid, RelationKind, RelationName};
use serde::{Deserialize, Serialize};

/// A lock that keeps out reads or writes of a relation that exists before the migration, and how long it
/// is held: from the statement that takes it to the end of its transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The statement that takes the lock: its place in the footprint.
    pub statement: usize,
    /// The last statement of the transaction that works while the lock is held.
    pub until: usize,
    /// The relation.
    pub oid: Oid,
    /// Its name.
    #[serde(flatten)]
    pub name: RelationName,
    /// Its kind.
    pub kind: RelationKind,
    /// The mode.
    pub mode: LockMode,
    /// How long, as far as it is known.
    pub time: HoldTime,
    /// What is done meanwhile, in words: `202 MB rewritten, 1.5 million rows`.
    pub basis: String,
    /// What is done meanwhile and takes a time that is unknown, in words.
    #[serde(default)]
    pub unknown: Vec<String>,
}

impl Hold {
    /// Whether it is worth a line: it takes some time, or nobody knows how long.
    #[must_use]
    pub fn is_worth_a_line(&self) -> bool {
        self.time.latest >= 0.5 || !self.unknown.is_empty()
    }
}

/// A time in seconds, with its 80 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HoldTime {
    /// Lower end.
    pub earliest: f64,
    /// Best guess.
    pub expected: f64,
    /// Upper end.
    pub latest: f64,
}

impl HoldTime {
    /// One after the other.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self {
            earliest: self.earliest + next.earliest,
            expected: self.expected + next.expected,
            latest: self.latest + next.latest,
        }
    }
}
