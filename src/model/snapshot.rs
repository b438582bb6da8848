//! A snapshot: one look at a server's sessions and locks. Plain values, so that it can be recorded and replayed.

use super::{Backend, Lock, LockMode, LockTarget, Oid, Pid, RelationKind, RelationName};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Everything that one look brought back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `clock_timestamp()` of the server as it looked: all ages are counted from here.
    pub taken_at: DateTime<Utc>,
    /// Which server, database and role looked.
    pub server: Server,
    /// `pg_stat_activity`, this tool's own session included.
    pub backends: Vec<Backend>,
    /// `pg_locks`.
    pub locks: Vec<Lock>,
    /// `pg_prepared_xacts`.
    #[serde(default)]
    pub prepared: Vec<PreparedXact>,
    /// The progress views.
    #[serde(default)]
    pub progress: Vec<Progress>,
    /// `pg_stat_replication`: the walsenders.
    #[serde(default)]
    pub walsenders: Vec<Walsender>,
    /// Processes with `SIReadLock` rows in `pg_locks`: their transaction is SERIALIZABLE, or an earlier one was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serializable: Vec<Pid>,
    /// Schemas for temporary relations, of those that somebody has locked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub temporary_schemas: BTreeSet<Oid>,
    /// Sessions that have run something since an earlier look.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub working: BTreeSet<Pid>,
    /// Catalog rows that open transactions have changed; read only where a migration is judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_rows: Vec<ChangedRow>,
    /// Which transactions have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xids: Option<Xids>,
    /// Names of the locked relations of the own database, by oid. One that vanished meanwhile is missing.
    #[serde(default)]
    pub relations: BTreeMap<Oid, LockedRelation>,
}

/// Which transactions have ended: `pg_current_snapshot()`, in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Xids {
    /// All below have ended.
    pub xmin: i64,
    /// None from here on has ended.
    pub xmax: i64,
}

/// Which server looked, and through whose eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `server_version_num`, such as 150018.
    pub version_num: i32,
    /// The own backend's pid.
    pub own_pid: Pid,
    /// Oid of the connected database.
    pub datid: Oid,
    /// As `pg_catalog` has it, without quotes.
    pub datname: String,
    /// The role that looked.
    pub user: String,
    /// `pg_is_in_recovery()`: a standby.
    pub in_recovery: bool,
    /// Whether the role may see other roles' rows (`pg_read_all_stats`, or superuser).
    pub sees_all: bool,
    /// `deadlock_timeout` in milliseconds: after it a waiter cancels an ordinary autovacuum.
    pub deadlock_timeout_ms: i64,
    /// `max_connections`.
    #[serde(default)]
    pub max_connections: i32,
    /// Settings of the role and database that a migration run inherits, such as `lock_timeout`, in
    /// milliseconds as text. Filled by who asks for it.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The server started: `pg_postmaster_start_time()`.
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    /// `pg_control_system().system_identifier` as text, where it may be read: tells servers apart in the history.
    #[serde(default)]
    pub system_identifier: Option<String>,
    /// Where it was reached: `host:port`, or the socket's path.
    #[serde(default)]
    pub address: Option<String>,
    /// Whether a pooler (pgbouncer) is in between: `own_pid` is then one of its sessions, and clients'
    /// addresses are the pooler's.
    #[serde(default)]
    pub pooled: bool,
}

impl Server {
    /// A server that has not said anything of itself yet.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            version_num: 0,
            own_pid: 0,
            datid: 0,
            datname: String::new(),
            user: String::new(),
            in_recovery: false,
            sees_all: false,
            deadlock_timeout_ms: 1000,
            max_connections: 0,
            settings: BTreeMap::new(),
            started_at: None,
            system_identifier: None,
            address: None,
            pooled: false,
        }
    }

    /// What the history knows this server by: its system identifier, or where it was reached if that may
    /// not be read (some hosts keep `pg_control_system()` from everybody).
    #[must_use]
    pub fn history_key(&self) -> String {
        let known = self.system_identifier.as_ref().or(self.address.as_ref());
        known.cloned().unwrap_or_default()
    }

    /// Major version, such as 15.
    #[must_use]
    pub const fn major(&self) -> i32 {
        self.version_num / 10_000
    }
}

/// A locked relation's name and what else is known of it without touching it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LockedRelation {
    /// Schema and name.
    #[serde(flatten)]
    pub name: RelationName,
    /// `relkind`
    pub kind: RelationKind,
    /// `relpages` × 8 KiB as of the last vacuum or analyze, in bytes.
    #[serde(default)]
    pub bytes: i64,
    /// `reltuples`; −1: never analyzed.
    #[serde(default)]
    pub tuples: f64,
    /// `pg_class.relispartition`
    #[serde(default)]
    pub is_partition: bool,
}

/// A row of a system catalog that an open transaction has updated or deleted. Others still see its old version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedRow {
    /// The catalog, as `pg_class` numbers it.
    pub catalog: Oid,
    /// The row; for a column its relation.
    pub oid: Oid,
    /// The object's name without its schema; empty where it has none.
    pub name: String,
    /// The row's `xmax`: the transaction, or a part of it (a savepoint, a block with EXCEPTION).
    pub transaction: u32,
}

/// A prepared transaction (`PREPARE TRANSACTION`): it has locks and no process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedXact {
    /// Its transaction id: the lock rows with this `transactionid` name its virtual transaction.
    pub transaction: u32,
    /// The name for COMMIT PREPARED and ROLLBACK PREPARED.
    pub gid: String,
    /// When it was prepared.
    pub prepared: DateTime<Utc>,
    /// Who did.
    pub owner: String,
    /// In which database.
    pub database: String,
}

impl PreparedXact {
    /// `GID@2026-03-01T02:00:00.123456Z`: the word that `--yes` takes. A gid alone can be used again.
    #[must_use]
    pub fn identity(&self) -> String {
        let prepared = self.prepared.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("{}@{prepared}", self.gid)
    }
}

/// One row of a `pg_stat_progress_*` view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which process.
    pub pid: Pid,
    /// Which database.
    pub datid: Option<Oid>,
    /// Which command, with its own columns.
    #[serde(flatten)]
    pub work: Work,
    /// How far it is in its phase, where the view counts towards an end: done, of how many.
    #[serde(default)]
    pub part: Option<(i64, i64)>,
}

/// What a process in a progress view is at. Counts are `None` where the role may not see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Work {
    /// `pg_stat_progress_copy`
    Copy {
        /// Table, 0 for `COPY (query)`; `None`: may not be seen.
        relid: Option<Oid>,
        /// `COPY TO` or `COPY FROM`
        direction: Option<String>,
        /// `FILE`, `PROGRAM`, `PIPE`, `CALLBACK`
        kind: Option<String>,
        /// Bytes so far.
        bytes_processed: Option<i64>,
        /// Rows so far.
        tuples_processed: Option<i64>,
    },
    /// `pg_stat_progress_vacuum`
    Vacuum {
        /// Table
        relid: Option<Oid>,
        /// Phase
        phase: Option<String>,
        /// Blocks in all
        blocks_total: Option<i64>,
        /// Blocks scanned
        blocks_done: Option<i64>,
    },
    /// `pg_stat_progress_analyze`
    Analyze {
        /// Table
        relid: Option<Oid>,
        /// Phase
        phase: Option<String>,
    },
    /// `pg_stat_progress_create_index`
    CreateIndex {
        /// Table
        relid: Option<Oid>,
        /// Index, 0 while it is created non-concurrently
        index_relid: Option<Oid>,
        /// `CREATE INDEX`, `CREATE INDEX CONCURRENTLY`, `REINDEX`, `REINDEX CONCURRENTLY`
        form: Option<String>,
        /// Phase, such as `waiting for old snapshots`
        phase: Option<String>,
        /// Whom it waits for now
        current_locker_pid: Option<Pid>,
        /// Whether the index has expressions or a predicate: other CONCURRENTLY builds wait for such a
        /// one while it builds (`PROC_IN_SAFE_IC` is not set). `None`: not known.
        #[serde(default)]
        has_expressions: Option<bool>,
    },
    /// `pg_stat_progress_cluster`
    Cluster {
        /// Table
        relid: Option<Oid>,
        /// `CLUSTER` or `VACUUM FULL`
        form: Option<String>,
        /// Phase
        phase: Option<String>,
    },
    /// `pg_stat_progress_basebackup`
    Basebackup {
        /// Phase
        phase: Option<String>,
        /// Estimated size in bytes
        backup_total: Option<i64>,
        /// Sent so far, in bytes
        backup_streamed: Option<i64>,
    },
}

/// One row of `pg_stat_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walsender {
    /// `pid`, the process that sends.
    pub pid: Pid,
    /// `startup`, `catchup`, `streaming`, `backup`, `stopping`
    pub state: Option<String>,
    /// Name the standby gave itself.
    pub application_name: String,
    /// Client's address
    pub client_addr: Option<String>,
}

impl Snapshot {
    /// A look at a server that saw nobody: who is connected was not asked.
    #[must_use]
    pub fn of_nobody(server: Server, taken_at: DateTime<Utc>) -> Self {
        Self {
            taken_at,
            server,
            backends: Vec::new(),
            locks: Vec::new(),
            prepared: Vec::new(),
            progress: Vec::new(),
            walsenders: Vec::new(),
            serializable: Vec::new(),
            temporary_schemas: BTreeSet::new(),
            working: BTreeSet::new(),
            changed_rows: Vec::new(),
            xids: None,
            relations: BTreeMap::new(),
        }
    }

    /// The backend of a pid.
    #[must_use]
    pub fn backend(&self, pid: Pid) -> Option<&Backend> {
        self.backends.iter().find(|b| b.pid == pid)
    }

    /// How many rows the role may not see.
    #[must_use]
    pub fn masked_rows(&self) -> usize {
        self.backends.iter().filter(|b| b.masked).count()
    }

    /// Relations of the connected database, and shared ones, on which somebody has or awaits the one lock that a
    /// reader would queue behind (ACCESS SHARE conflicts with no other:
    /// <https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES>): pgguard reads none of them.
    #[must_use]
    pub fn closed_to_readers(&self) -> BTreeSet<Oid> {
        self.locks
            .iter()
            .filter(|lock| lock.mode == LockMode::AccessExclusive)
            .filter_map(Lock::relation)
            .filter(|(database, _)| *database == self.server.datid || *database == 0)
            .map(|(_, relation)| relation)
            .collect()
    }

    /// The things that somebody waits to lock.
    #[must_use]
    pub fn awaited(&self) -> HashSet<&LockTarget> {
        let waits = self.locks.iter().filter(|lock| !lock.granted);
        waits.map(|lock| &lock.target).collect()
    }

    /// The prepared transaction that owns a lock row without a pid.
    ///
    /// Its rows keep the virtual transaction of the backend that prepared it (or `-1/xid` after a
    /// restart); the `transactionid` row with the same virtual transaction names the transaction.
    #[must_use]
    pub fn prepared_of(&self, lock: &Lock) -> Option<&PreparedXact> {
        if lock.pid.is_some() {
            return None;
        }
        let xid = self.locks.iter().find_map(|row| match row.target {
            LockTarget::TransactionId { transactionid }
                if row.pid.is_none() && row.virtualtransaction == lock.virtualtransaction =>
            {
                Some(transactionid)
            }
            _ => None,
        })?;
        self.prepared.iter().find(|p| p.transaction == xid)
    }

    /// The rows of the progress views of a pid.
    pub fn progress_of(&self, pid: Pid) -> impl Iterator<Item = &Work> {
        self.progress_rows_of(pid).map(|p| &p.work)
    }

    /// The same rows, with how far each is.
    pub fn progress_rows_of(&self, pid: Pid) -> impl Iterator<Item = &Progress> {
        self.progress.iter().filter(move |p| p.pid == pid)
    }
}
