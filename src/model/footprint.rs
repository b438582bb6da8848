//! A footprint: the locks that a migration will request, statement by statement, and what else it waits for.

use super::{Allowance, Comparison, Job, LockMode, Oid, RelationKind, RelationName, Tally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a migration will request, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// In the order they will run.
    pub statements: Vec<Statement>,
}

impl Footprint {
    /// What a rehearsal of it came to; `None`: nothing of it was measured.
    #[must_use]
    pub fn rehearsal(&self) -> Option<Tally> {
        Tally::of(self.statements.iter().map(|s| s.measured.as_ref()))
    }

    /// The relations that it asks for, each once.
    #[must_use]
    pub fn relations(&self) -> Vec<Oid> {
        let asked = self.statements.iter().flat_map(|s| &s.locks);
        let oids: BTreeSet<Oid> = asked.filter_map(|lock| lock.oid).collect();
        oids.into_iter().collect()
    }
}

/// One statement of a migration and its share of the footprint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Statement {
    /// Which file, as it was named; `-` for standard input; empty: of no file (a dump, any schema change).
    pub file: String,
    /// The line its first word is on, from 1; 0: of no file.
    pub line: usize,
    /// Its text, without the semicolon.
    pub sql: String,
    /// Its kind in Postgres's words, such as `ALTER TABLE` (the command tag, without counts).
    pub command: String,
    /// The relation locks it will request, in the order of acquisition.
    pub locks: Vec<LockRequest>,
    /// What it waits for besides relation locks, in order.
    pub phases: Vec<WaitPhase>,
    /// Advisory locks it takes, as (key, waits): keys of two ints are `classid << 32 | objid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisory: Vec<AdvisoryRequest>,
    /// Locks on what is no relation: schemas, types, functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectRequest>,
    /// Why not everything it locks can be known; `None`: the list is complete.
    pub opaque: Option<String>,
    /// Statements with the same number share a transaction and keep their locks to its end.
    pub transaction: usize,
    /// Why Postgres will refuse it, where that is known (it may still wait for its locks first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// Whether Postgres refuses it for certain: nothing that is unknown can make it run.
    #[serde(default)]
    pub fails_for_certain: bool,
    /// `lock_timeout` in force while it runs as far as the migration itself sets it, in milliseconds
    /// (0: none); `None`: whatever the session starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout_ms: Option<i64>,
    /// The same for `statement_timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout_ms: Option<i64>,
    /// Things worth knowing that are no lock: `adds an index that exists and is invalid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What a comment above it lets through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allows: Vec<Allowance>,
    /// The work that takes longer the larger its relations are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// What a rehearsal measured, beside what the rules predict; `None`: it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Comparison>,
}

impl Statement {
    /// Why a step is opaque that its tool runs as code of its own language.
    pub const CODE: &str = "this step is code, not SQL: what it locks is unknown";

    /// Whether it is such a step.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.opaque.as_deref() == Some(Self::CODE)
    }

    /// The row of its command.
    #[must_use]
    pub fn kind(&self) -> &'static super::Command {
        super::Command::of(&self.command)
    }
}

/// One lock that a statement will request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LockRequest {
    /// The relation's oid; `None`: an earlier statement of the migration makes it, in whichever transaction, so
    /// that nobody else can have a lock on it yet.
    pub oid: Option<Oid>,
    /// Schema and name, as the statement finds them.
    #[serde(flatten)]
    pub name: RelationName,
    /// Table, index, sequence…
    pub kind: RelationKind,
    /// How strong the lock is.
    pub mode: LockMode,
    /// Whether the statement names the relation.
    pub named: bool,
    /// Why it is locked, in words that name the path: `the table of index orders_pkey`.
    pub reason: String,
    /// How long it works while it has the lock.
    pub work: LockWork,
    /// Released before the statement ends (it still waits for it): not seen in `pg_locks` afterwards.
    #[serde(default)]
    pub transient: bool,
    /// COMMIT in the statement's own code gives it back before what comes later in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_given_back: bool,
    /// Whether the relation was made by an earlier statement of the same transaction: nobody else sees it before
    /// the transaction ends.
    #[serde(default)]
    pub own: bool,
    /// `NOWAIT`, `SKIP LOCKED` or a conditional lock: it fails or skips instead of waiting.
    #[serde(default)]
    pub nowait: bool,
    /// Asked for only where the conditional lock on that relation was granted: what is skipped is not
    /// looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_after: Option<Oid>,
    /// It may or may not be requested: only the row values decide (the partition that
    /// a row belongs to).
    #[serde(default)]
    pub possible: bool,
    /// The partitioned table of which one partition at least is asked for, this one or another: a row
    /// goes there for certain. `None`: perhaps none of them is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Oid>,
    /// Which rows of others the statement would wait for; `None`: it touches none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowWait>,
    /// Size of the relation's main storage in bytes (`relpages` × 8 KiB), where known: how much a scan reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
}

/// Whose rows a statement waits for when it meets them. A weaker wait comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowWait {
    /// Rows that others have written and not committed: a unique index must know whether they stay
    /// (`_bt_check_unique`, `check_exclusion_or_unique_constraint`).
    Written,
    /// Rows that others have written or locked (`heap_lock_tuple`, `heap_update`, `heap_delete`).
    Locked,
}

/// How long a statement works on a relation, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockWork {
    /// Catalog changes only.
    Instant,
    /// Reads the whole relation.
    Scan,
    /// Rewrites the whole relation.
    Rewrite,
}

/// A wait for transactions to end, besides the queue for a relation lock.
///
/// Source: `WaitForLockersMultiple` (lmgr.c) and `WaitForOlderSnapshots` (indexcmds.c).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitPhase {
    /// Until the transactions end that hold a lock on the relation conflicting with `mode`.
    Lockers {
        /// The relation; `None` as in [`LockRequest::oid`].
        oid: Option<Oid>,
        /// Schema and name, as the catalog has them.
        #[serde(flatten)]
        name: RelationName,
        /// Holders that conflict with this mode are waited for.
        mode: LockMode,
    },
    /// Until the transactions of this database end whose snapshot is older than now.
    Snapshots,
    /// Until the serializable transactions end that may write (`GetSafeSnapshot`, predicate.c): the first query
    /// of a transaction that is SERIALIZABLE READ ONLY DEFERRABLE.
    SafeSnapshot,
    /// Until every transaction of the server ends that has an id now, prepared ones included.
    Transactions,
    /// A lock on the relation that is queued for after the phases before (second half of DETACH … CONCURRENTLY).
    ThenLock {
        /// The relation; `None` as in [`LockRequest::oid`].
        oid: Option<Oid>,
        /// Schema and name, as the catalog has them.
        #[serde(flatten)]
        name: RelationName,
        /// How strong the lock is.
        mode: LockMode,
    },
}

impl WaitPhase {
    /// The word in JSON's `waits_for`: `lockers`, `snapshots`, `safe_snapshot` or `transactions`; a queued lock has none.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Lockers { .. } => Some("lockers"),
            Self::Snapshots => Some("snapshots"),
            Self::SafeSnapshot => Some("safe_snapshot"),
            Self::Transactions => Some("transactions"),
            Self::ThenLock { .. } => None,
        }
    }
}

/// An advisory lock that a statement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvisoryRequest {
    /// High half, or first key.
    pub classid: u32,
    /// Low half, or second key.
    pub objid: u32,
    /// 1: one bigint key; 2: two int keys; 0: the key is computed at run time.
    pub objsubid: i16,
    /// The shared form.
    pub shared: bool,
    /// A `pg_try_` form: does not wait.
    pub nowait: bool,
}

impl AdvisoryRequest {
    /// Whether its key is only known at run time.
    #[must_use]
    pub const fn is_computed(&self) -> bool {
        self.objsubid == 0
    }
}

/// A lock that a statement takes on what is no relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRequest {
    /// The catalog that lists it.
    pub classid: Oid,
    /// Its oid in that catalog.
    pub objid: Oid,
    /// How strong the lock is.
    pub mode: LockMode,
    /// What it is, in words: `schema app`.
    pub what: String,
    /// Whether it is requested is not certain.
    #[serde(default)]
    pub possible: bool,
}
