//! Rows of `pg_locks`, in the short form of `locks.sql`.

use super::Row;
use crate::model::{Lock, LockMode, LockTarget, Oid, Pid};
use std::collections::HashMap;

/// Locks as they come, and what is filled in at the end.
pub struct Locks {
    own_database: Oid,
    locks: Vec<Lock>,
    /// Virtual transactions, sent once a process and not with each of its locks.
    virtual_of: HashMap<Pid, String>,
}

impl Locks {
    pub fn new(own_database: Oid) -> Self {
        Self {
            own_database,
            locks: Vec::new(),
            virtual_of: HashMap::new(),
        }
    }

    /// Takes a row in; modes of other lock managers (`SIReadLock`) are left out.
    pub fn take(&mut self, row: &Row<'_>) {
        let Some(mode) = row.word(1).and_then(LockMode::from_pg_locks) else {
            return;
        };
        let pid: Option<Pid> = row.number(0);
        let virtualtransaction = row.word(6).unwrap_or_default().to_owned();
        if let Some(pid) =
            pid.filter(|_| row.word(3) == Some("virtualxid") && row.bytes(5).is_none())
        {
            self.virtual_of.insert(pid, virtualtransaction.clone());
        }
        self.locks.push(Lock {
            target: self.target(row),
            pid,
            virtualtransaction,
            mode,
            granted: row.bytes(5).is_none(),
            waitstart: row.time(7),
        });
    }

    fn target(&self, row: &Row<'_>) -> LockTarget {
        let relation = row.number(2);
        // NULL stands for the own database, and for none at all.
        let database = row.number(4).unwrap_or(self.own_database);
        match row.word(3) {
            None => LockTarget::Relation {
                database,
                relation: relation.unwrap_or_default(),
            },
            Some("virtualxid") => LockTarget::VirtualXid {
                virtualxid: row.word(8).unwrap_or_default().to_owned(),
            },
            Some("transactionid") => LockTarget::TransactionId {
                transactionid: row.number(9).unwrap_or_default(),
            },
            Some("tuple") => LockTarget::Tuple {
                database,
                relation: relation.unwrap_or_default(),
                page: row.number(10).unwrap_or_default(),
                tuple: row.number(11).unwrap_or_default(),
            },
            Some("advisory") => LockTarget::Advisory {
                database,
                classid: row.number(12).unwrap_or_default(),
                objid: row.number(13).unwrap_or_default(),
                objsubid: row.number(14).unwrap_or_default(),
            },
            Some("object") => LockTarget::Object {
                database,
                classid: row.number(12).unwrap_or_default(),
                objid: row.number(13).unwrap_or_default(),
            },
            Some(other) => LockTarget::Other {
                name: other.to_owned(),
                relation: relation.filter(|_| database == self.own_database),
            },
        }
    }

    /// All of them, each with its virtual transaction. A process has one at a time; one that holds locks
    /// without any (between transactions, an advisory lock) has none to fill in.
    pub fn finish(mut self) -> Vec<Lock> {
        for lock in &mut self.locks {
            if lock.virtualtransaction.is_empty()
                && let Some(virtual_of) = lock.pid.and_then(|pid| self.virtual_of.get(&pid))
            {
                lock.virtualtransaction.clone_from(virtual_of);
            }
        }
        self.locks
    }
}
