//! What one look at the catalogs of a database found that an interrupted change may have left behind. Plain values:
//! whether something is a left-over, the doctor decides.

use super::{Certainty, Oid, Pid, RelationName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that was found, and what could not be read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Leftovers {
    /// Indexes that are not valid, not ready or not live.
    pub indexes: Vec<UnfinishedIndex>,
    /// Partitions whose DETACH … CONCURRENTLY has not ended.
    pub detaching: Vec<Detaching>,
    /// Triggers, rules and event triggers that are disabled.
    pub disabled: Vec<Disabled>,
    /// Constraints that are NOT VALID.
    pub not_valid: Vec<NotValid>,
    /// Replication slots that nobody uses.
    pub slots: Vec<Slot>,
    /// Since when the server is in an exclusive backup (14 only).
    pub exclusive_backup: Option<DateTime<Utc>>,
    /// Rows of migration tools: their locks, and migrations that they did not finish.
    pub rows: Vec<ToolRow>,
    /// The last changes of the schema, the latest first.
    pub changes: Vec<Change>,
    /// Relations whose columns have changed, by the transaction that was the last to do so; read only where the server
    /// does not keep the times of commits.
    pub changed_by: Vec<(RelationName, i64)>,
    /// Since when looks of pgguard tell when the schema changed.
    pub watched_since: Option<DateTime<Utc>>,
    /// Objects that a tool has made for the time of its work.
    pub objects: Vec<ToolObject>,
    /// Base backups of which nothing was sent from one look to another.
    pub stalled: Vec<Stalled>,
    /// Whether the server keeps the times of commits (`track_commit_timestamp`), from which changes are known.
    pub commits_are_tracked: bool,
    /// What is known of the client of each session; who is missing is unknown.
    pub clients: BTreeMap<Pid, Client>,
    /// The port that the server listens on.
    pub port: Option<u16>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

impl Leftovers {
    /// What was there at an earlier look too: what came meanwhile is work that goes on.
    #[must_use]
    pub fn that_stayed(mut self, earlier: &Self) -> Self {
        self.indexes.retain(|index| earlier.indexes.contains(index));
        self.detaching.retain(|one| earlier.detaching.contains(one));
        self.rows.retain(|row| earlier.rows.contains(row));
        self.objects.retain(|one| earlier.objects.contains(one));
        self
    }

    /// Whether work that goes on could look like any of it.
    #[must_use]
    pub const fn may_be_work(&self) -> bool {
        !(self.indexes.is_empty()
            && self.detaching.is_empty()
            && self.rows.is_empty()
            && self.objects.is_empty())
    }
}

/// An index whose flags say that its making, or its dropping, did not end. Source: `index_set_state_flags` (index.c).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the columns of pg_index as they are"
)]
pub struct UnfinishedIndex {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// Schema and name, as the catalog has them.
    pub name: RelationName,
    /// Its table; of a TOAST table's index that TOAST table.
    pub table_oid: Oid,
    /// The table's name; of a TOAST table's index the table that it belongs to.
    pub table: RelationName,
    /// `relkind` is `I`: the index of a partitioned table.
    pub is_partitioned: bool,
    /// `indisvalid`: queries may use it.
    pub is_valid: bool,
    /// `indisready`: writes keep it up to date.
    pub is_ready: bool,
    /// `indislive`: it is not being dropped.
    pub is_live: bool,
    /// `indisunique`
    pub is_unique: bool,
    /// It is part of a partitioned index.
    pub is_attached: bool,
}

/// A partition whose DETACH … CONCURRENTLY has begun and not ended (`pg_inherits.inhdetachpending`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detaching {
    /// As the catalog numbers it.
    pub partition_oid: Oid,
    /// Schema and name, as the catalog has them.
    pub partition: RelationName,
    /// The partitioned table.
    pub parent_oid: Oid,
    /// Schema and name, as the catalog has them.
    pub parent: RelationName,
}

/// What is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// A trigger that somebody made.
    Trigger,
    /// The triggers behind a foreign key or another constraint: nothing checks it.
    Constraint,
    /// A rule.
    Rule,
    /// An event trigger.
    EventTrigger,
}

/// Something that is disabled (`tgenabled`, `ev_enabled`, `evtenabled` is `D`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// What it is.
    pub what: Switch,
    /// Its name; of a constraint's triggers the constraint's.
    pub name: String,
    /// Its table; `None`: an event trigger.
    pub table: Option<RelationName>,
}

/// A constraint that is NOT VALID: new rows are checked, old ones were not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotValid {
    /// As `pg_catalog` has it, without quotes.
    pub name: String,
    /// Schema and name, as the catalog has them.
    pub table: RelationName,
    /// `contype`: `c`, `f` or `n`.
    pub kind: char,
}

/// A replication slot that nobody uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// As `pg_catalog` has it, without quotes.
    pub name: String,
    /// Whether it is a logical one.
    pub is_logical: bool,
    /// Bytes of WAL since its `restart_lsn`; `None`: it holds back none.
    pub retained_bytes: Option<i64>,
    /// `wal_status` is `lost`: what it would need is gone.
    pub is_lost: bool,
    /// Since when nobody uses it (17 and later).
    pub since: Option<DateTime<Utc>>,
}

/// A row in the table of a migration tool that says: a run began and did not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRow {
    /// The tool, as its row of the table of tools calls it.
    pub tool: String,
    /// Which of the tool's traces it is: its place in the tool's row.
    pub trace: usize,
    /// Schema and name, as the catalog has them.
    pub table: RelationName,
    /// Which migration, or which lock: as the row says it.
    pub id: String,
    /// What else the row says, in words.
    pub detail: String,
}

/// An object that a tool makes for the time of its work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToolObject {
    /// Which tool, by the object's name.
    pub tool: Maker,
    /// The table that it works on.
    pub table_oid: Oid,
    /// Schema and name, as the catalog has them.
    pub table: RelationName,
    /// What it is: `trigger`, `column`, `log`, `copy`, `index`, `constraint`.
    pub what: String,
    /// Its name, in SQL.
    pub name: String,
}

/// A tool that makes objects for the time of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// `pg_repack`
    Repack,
    /// `pgroll`
    Pgroll,
}

/// A base backup that sends nothing: its client takes no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalled {
    /// `pg_stat_replication.pid`.
    pub pid: Pid,
    /// Bytes that were sent when it was last seen to move.
    pub sent: i64,
    /// It had sent as much then.
    pub since: DateTime<Utc>,
}

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, or not before this.
    pub at: DateTime<Utc>,
    /// Not after this, where it is known only so.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// How that is known.
    pub known_by: KnownBy,
}

/// How it is known when the schema changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The commit of this relation's rows in the catalog.
    Commit(RelationName),
    /// A version table, in which a migration is recorded by the time when its transaction began.
    VersionTable(RelationName),
    /// A run that pgguard watched.
    Run(String),
    /// Two looks of pgguard, before and after this relation changed.
    Looks(RelationName),
}

/// What is known of the program at the other end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Whether it is still there.
    pub is_there: bool,
    /// How sure that is.
    pub certainty: Certainty,
    /// How it is known.
    pub proof: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// What, and why.
    pub what: String,
    /// What helps; empty: nothing that pgguard knows.
    pub help: String,
}
