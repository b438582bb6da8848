//! Backup runs: what the history keeps and what an estimate says.

use super::RelationName;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One backup run, past or running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupRun {
    /// Which server and database: see [`RunKey`].
    pub key: RunKey,
    /// When the dump's transaction began.
    pub started: DateTime<Utc>,
    /// When it was last seen, or ended.
    pub ended: DateTime<Utc>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Parallel workers; 0 for a serial dump.
    pub workers: u32,
    /// How it read and wrote its tables, as far as that is known.
    #[serde(default, skip_serializing_if = "Manner::is_unknown")]
    pub manner: Manner,
    /// Sum of the relations' sizes as the run began, in bytes; 0: not known.
    pub database_bytes: i64,
    /// What it dumped, as far as it was seen, in dump order.
    pub tables: Vec<TableRun>,
    /// Who saw it: `watch` (several looks), `record` (wrapped, exact), `import`.
    pub source: String,
}

/// How a dump reads and writes its tables: one of another manner takes another time for the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// It reads row by row through cursors (`--inserts`), and not by COPY.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_cursor: Option<bool>,
    /// It compresses what it writes. The server does not see it: known where the command was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<bool>,
}

impl Manner {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Whether two may be the same: what only one of them knows tells nothing.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        let agree =
            |one: Option<bool>, other: Option<bool>| one.zip(other).is_none_or(|(a, b)| a == b);
        agree(self.by_cursor, other.by_cursor) && agree(self.compressed, other.compressed)
    }

    /// What either of them knows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            by_cursor: self.by_cursor.or(other.by_cursor),
            compressed: self.compressed.or(other.compressed),
        }
    }
}

/// What must be equal for one run to tell about another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// Server: `system_identifier`, or `host:port` where it may not be read.
    pub server: String,
    /// Database's name; empty for physical backups.
    pub database: String,
    /// Program: [`super::BackupTool::word`].
    pub tool: String,
    /// Role that dumps.
    pub user: String,
    /// `application_name`
    pub application_name: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Still there when last seen.
    Running,
    /// The last table was seen done, or the wrapped command ended with status 0.
    Complete,
    /// Failed, as its command said; or gone while it was watched, with work left that takes longer than it
    /// was out of sight.
    Aborted,
    /// Gone when somebody looked again: whether it came to its end nobody saw.
    Unseen,
}

/// One table of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRun {
    /// Schema and name: shared, since many runs dump the same thousands of tables.
    #[serde(flatten)]
    pub name: Arc<RelationName>,
    /// Rows copied, as last seen.
    pub tuples: f64,
    /// Rows that the catalogs promised then; 0: not known.
    #[serde(default)]
    pub promised: f64,
    /// Bytes copied, as last seen.
    pub bytes: f64,
    /// Seconds its COPY took, as far as it was seen.
    pub seconds: f64,
    /// Whether its end was seen: the figures are the whole table's.
    pub complete: bool,
}

impl TableRun {
    /// Whether it was locked, and its rows were left out (`--exclude-table-data`).
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.complete && self.tuples <= 0.0 && self.promised > 0.0
    }
}

/// A backup of which nothing moves: no byte, no table, no state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsStill {
    /// Since when, at least.
    pub since: DateTime<Utc>,
    /// What it waits for, in words: `its client takes no data (ClientWrite)`.
    pub why: String,
    /// The machine that runs it, in words: `127.0.0.1, port 5555`.
    pub client: String,
}

/// When a running backup ends.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Stage: `preparing`, `copying`, `large objects`, `leaked`, `transferring`…
    pub phase: String,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// Share of the work that is done, 0 to 1; `None`: unknown.
    pub fraction_done: Option<f64>,
    /// Tables done, in flight included only when done.
    pub tables_done: usize,
    /// Tables of the dump set.
    pub tables_total: usize,
    /// The tables being copied now.
    pub copying: Vec<RelationName>,
    /// Seconds that remain: best guess; `None`: unknown.
    pub remaining_s: Option<f64>,
    /// Lower end of the 80 % interval, seconds that remain.
    pub earliest_s: Option<f64>,
    /// Upper end of the 80 % interval, seconds that remain.
    pub latest_s: Option<f64>,
    /// Where it comes from, in words: `31 of 44 tables, 14 past runs`.
    pub basis: String,
    /// Why there is no figure, with what would help.
    pub unknown: Option<String>,
    /// Nothing of it has moved for some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_still: Option<StandsStill>,
    /// The longest of the past runs that dumped the same, in seconds; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_past_s: Option<f64>,
    /// Of pg_dumpall: which database it is at, and how many it dumps; all else is of this one database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub databases: Option<(usize, usize)>,
    /// How long past runs that dumped the same took, the one in the middle, in seconds; `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_past_s: Option<f64>,
    /// When the last complete run that dumped the same ended; `None`: none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_complete: Option<DateTime<Utc>>,
    /// How many times as long as past runs it took for the tables that are done; `None`: not known, or usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_slower: Option<f64>,
}
