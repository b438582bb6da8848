//! Locks: rows of `pg_locks`.

use super::{LockMode, Oid, Pid};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a lock is on: `pg_locks.locktype` with the columns that belong to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "locktype", rename_all = "lowercase")]
pub enum LockTarget {
    /// A relation of one database; `database` 0 is a shared catalog.
    Relation {
        /// `pg_database.oid`
        database: Oid,
        /// `pg_class.oid` in that database
        relation: Oid,
    },
    /// A virtual transaction, such as `3/129`: waited for by CREATE INDEX CONCURRENTLY and its kin.
    VirtualXid {
        /// As the view writes it.
        virtualxid: String,
    },
    /// A transaction: waited for by who meets its row.
    TransactionId {
        /// As the view writes it.
        transactionid: u32,
    },
    /// A row, while somebody waits for it.
    Tuple {
        /// `pg_database.oid`
        database: Oid,
        /// `pg_class.oid`
        relation: Oid,
        /// Block
        page: i32,
        /// Line within it
        tuple: i32,
    },
    /// An advisory lock.
    Advisory {
        /// `pg_database.oid`
        database: Oid,
        /// High half of a bigint key, or the first of two int keys.
        classid: Oid,
        /// Low half, or the second key.
        objid: Oid,
        /// 1: one bigint key; 2: two int keys.
        objsubid: i16,
    },
    /// An object that is no relation: a schema, type, role, extension.
    Object {
        /// `pg_database.oid`, 0 for shared objects
        database: Oid,
        /// Catalog that lists the object
        classid: Oid,
        /// The object
        objid: Oid,
    },
    /// Anything else (`extend`, `page`, `spectoken`, `frozenid`, `applytransaction`).
    Other {
        /// `pg_locks.locktype`
        name: String,
        /// `pg_locks.relation`, where there is one.
        relation: Option<Oid>,
    },
}

/// One lock held or waited for. Modes of other lock managers (`SIReadLock`) are left out on reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it is on.
    #[serde(flatten)]
    pub target: LockTarget,
    /// Holder's or waiter's process; `None`: a prepared transaction.
    pub pid: Option<Pid>,
    /// Its virtual transaction: the only thing that joins a prepared transaction's locks. Shared, since a
    /// process can hold hundreds of locks.
    pub virtualtransaction: Arc<str>,
    /// Mode held or asked for.
    pub mode: LockMode,
    /// Held (true) or waited for.
    pub granted: bool,
    /// Since when it waits (14 and later; `None` for a moment after the wait began).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waitstart: Option<DateTime<Utc>>,
}

impl Lock {
    /// The relation, if it is a lock on one.
    #[must_use]
    pub const fn relation(&self) -> Option<(Oid, Oid)> {
        match self.target {
            LockTarget::Relation { database, relation } => Some((database, relation)),
            _ => None,
        }
    }

    /// Whether it is on this relation of this database (or on a shared catalog of that oid).
    #[must_use]
    pub const fn is_on(&self, datid: Oid, oid: Oid) -> bool {
        matches!(self.target, LockTarget::Relation { database, relation }
            if relation == oid && (database == datid || database == 0))
    }
}
