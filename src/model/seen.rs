//! What looks saw that are over: the flight recorder's values.

use super::{Estimate, Pid, Session, Snapshot};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A look that is kept, as far as it tells a story: who was there, who waited for whom, how far backups were.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptLook {
    /// What was read. Of the locks those that somebody waited for, and those that keep writers out.
    pub snapshot: Snapshot,
    /// Who was who in it.
    pub sessions: Vec<Session>,
    /// When backups would end.
    pub estimates: BTreeMap<Pid, Estimate>,
    /// Who kept others waiting.
    pub waits: Vec<SeenWait>,
}

/// The same, before it is kept.
#[derive(Debug, Clone, Copy)]
pub struct LookToKeep<'a> {
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// Who is who in it.
    pub sessions: &'a [Session],
    /// When backups end.
    pub estimates: &'a BTreeMap<Pid, Estimate>,
    /// Who keeps others waiting.
    pub waits: &'a [SeenWait],
}

/// What one look saw of somebody who kept others waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenWait {
    /// Who it is for as long as it lives: `PID@START`, or the gid of a prepared transaction.
    pub root: String,
    /// Who, in words: `pg_dump (pid 5)`.
    pub who: String,
    /// The waiter that kept most of the others waiting, in words.
    #[serde(default)]
    pub through: Option<String>,
    /// In which database they waited.
    #[serde(default)]
    pub database: String,
    /// What they waited for, by its numbers: looks in different databases know different names.
    #[serde(default)]
    pub target: String,
    /// What they waited for; empty where that has no name.
    #[serde(default)]
    pub on: String,
    /// Since when the longest of them waited.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// How many waited.
    pub waiting: usize,
}

/// Looks in a row that saw the same one keep others waiting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// Who it is: `PID@START`, or the gid of a prepared transaction.
    pub root: String,
    /// Who, in words.
    pub who: String,
    /// The waiter that kept most of the others waiting, in words.
    pub through: Option<String>,
    /// In which database they waited.
    pub database: String,
    /// What they waited for, by its numbers.
    #[serde(skip)]
    pub target: String,
    /// What they waited for.
    pub on: String,
    /// When the first wait began, as far as it was seen.
    pub began: DateTime<Utc>,
    /// The last look that saw it.
    pub last_seen: DateTime<Utc>,
    /// The first look after it that did not; `None`: it was the last look, or nobody looked for a while.
    pub over_by: Option<DateTime<Utc>>,
    /// The most that waited at once.
    pub most_waiting: usize,
    /// What all of them waited together, in seconds, as far as looks tell.
    pub waited_seconds: f64,
}

/// A time in which nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// The last look before it.
    pub from: DateTime<Utc>,
    /// The first look after it.
    pub to: DateTime<Utc>,
}
