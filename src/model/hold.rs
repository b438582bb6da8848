//! How long a migration holds a lock that keeps others out.

use super::{LockMode, Oid, RelationKind, RelationName};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A lock that keeps out reads or writes of a relation that exists before the migration, and how long it
/// is held: from the statement that takes it to the end of its transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The statement that takes the lock: its place in the footprint.
    pub statement: usize,
    /// The last statement of the transaction that works while the lock is held.
    pub until: usize,
    /// `pg_class.oid` of what is locked.
    pub oid: Oid,
    /// Schema and name, as the catalog has them.
    #[serde(flatten)]
    pub name: RelationName,
    /// Table, index, sequence…
    pub kind: RelationKind,
    /// How strong the lock is.
    pub mode: LockMode,
    /// How long, as far as it is known.
    pub time: HoldTime,
    /// What is done meanwhile, in words: `202 MB rewritten, 1.5 million rows`.
    pub basis: String,
    /// What the work writes into new files, in bytes: the old ones go when the transaction ends.
    #[serde(default)]
    pub disk_bytes: f64,
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

/// Longest time that a lock may keep others out; `None`: however long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MaxHold(pub Option<TimeDelta>);

impl Default for MaxHold {
    fn default() -> Self {
        Self(Some(TimeDelta::seconds(10)))
    }
}

impl FromStr for MaxHold {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let found = humantime::parse_duration(text).map_err(|e| format!("{e}, or none"))?;
        let found = TimeDelta::from_std(found).map_err(|e| e.to_string())?;
        Ok(Self(Some(found)))
    }
}

impl TryFrom<String> for MaxHold {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}
