//! Rows of `pg_locks`, unfolded from the short form of `locks.sql`.

use crate::model::{Lock, LockMode, LockTarget, Oid, Pid};
use crate::postgres::connect::{Row, time};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::Arc;

/// Locks as they come, and what is filled in at the end.
pub struct Locks {
    own_database: Oid,
    locks: Vec<Lock>,
    /// Virtual transactions, sent once a process and not with each of its locks.
    virtual_of: HashMap<Pid, Arc<str>>,
    serializable: BTreeSet<Pid>,
}

/// What `more` says of a lock. For a granted lock of a process on a relation it ends after the database, and
/// for ACCESS SHARE in the own database it is not sent.
struct More<'a> {
    mode: &'a str,
    database: Oid,
    locktype: &'a str,
    granted: bool,
    virtualtransaction: &'a str,
    waitstart: Option<DateTime<Utc>>,
    /// `virtualxid` and what follows it in `locks.sql`.
    rest: [&'a str; 7],
}

impl<'a> More<'a> {
    fn read(text: Option<&'a str>, own_database: Oid) -> Self {
        let mut parts = text.into_iter().flat_map(|text| text.split('|'));
        let mode = parts.next();
        let database = parts.next().map(|oid| oid.parse().unwrap_or_default());
        let locktype = parts.next();
        let granted = parts.next();
        let mut next = || parts.next().unwrap_or_default();
        Self {
            mode: mode.unwrap_or("AccessShareLock"),
            database: database.unwrap_or(own_database),
            locktype: locktype.unwrap_or("relation"),
            granted: granted.is_none_or(|granted| granted == "t"),
            virtualtransaction: next(),
            waitstart: time(next().as_bytes()),
            rest: [(); 7].map(|()| next()),
        }
    }

    fn number<T: FromStr + Default>(&self, at: usize) -> T {
        self.rest[at].parse().unwrap_or_default()
    }

    fn target(&self, relation: Option<Oid>, own_database: Oid) -> LockTarget {
        let database = self.database;
        match self.locktype {
            "relation" => LockTarget::Relation {
                database,
                relation: relation.unwrap_or_default(),
            },
            "virtualxid" => LockTarget::VirtualXid {
                virtualxid: self.rest[0].to_owned(),
            },
            "transactionid" => LockTarget::TransactionId {
                transactionid: self.number(1),
            },
            "tuple" => LockTarget::Tuple {
                database,
                relation: relation.unwrap_or_default(),
                page: self.number(2),
                tuple: self.number(3),
            },
            "advisory" => LockTarget::Advisory {
                database,
                classid: self.number(4),
                objid: self.number(5),
                objsubid: self.number(6),
            },
            "object" => LockTarget::Object {
                database,
                classid: self.number(4),
                objid: self.number(5),
            },
            other => LockTarget::Other {
                name: other.to_owned(),
                relation: relation.filter(|_| database == own_database),
            },
        }
    }
}

impl Locks {
    pub fn new(own_database: Oid) -> Self {
        Self {
            own_database,
            locks: Vec::new(),
            virtual_of: HashMap::new(),
            serializable: BTreeSet::new(),
        }
    }

    /// Who has `SIReadLock` rows.
    pub fn serializable(&self) -> Vec<Pid> {
        self.serializable.iter().copied().collect()
    }

    /// Takes a row in; of those of the predicate lock manager (`SIReadLock`) only the process.
    pub fn take(&mut self, row: &Row<'_>) {
        let own = self.own_database;
        let more = More::read(row.word(1), own);
        if more.mode == "SIReadLock" {
            self.serializable.extend(row.number::<Pid>(0));
            return;
        }
        let Some(mode) = LockMode::from_pg_locks(more.mode) else {
            return;
        };
        let pid: Option<Pid> = row.number(0);
        let virtualtransaction: Arc<str> = more.virtualtransaction.into();
        if let Some(pid) = pid.filter(|_| more.locktype == "virtualxid") {
            self.virtual_of.insert(pid, Arc::clone(&virtualtransaction));
        }
        let lock = |relation: Option<Oid>| Lock {
            target: more.target(relation, own),
            pid,
            virtualtransaction: Arc::clone(&virtualtransaction),
            mode,
            granted: more.granted,
            waitstart: more.waitstart,
        };
        // An array of oids: `{16384,16385}`, or `{NULL}` for what is on no relation.
        let relations = row.word(2).unwrap_or("NULL").trim_matches(['{', '}']);
        let relations = relations.split(',');
        self.locks
            .extend(relations.map(|oid| lock(oid.parse().ok())));
    }

    /// Whether any is held by no process.
    pub fn has_prepared(&self) -> bool {
        self.locks.iter().any(|lock| lock.pid.is_none())
    }

    /// All of them, each with its virtual transaction. A process has one at a time, and holds its own
    /// `virtualxid` lock while it has; one that holds a lock between transactions has none to fill in.
    pub fn finish(mut self) -> Vec<Lock> {
        // A row unfolds into locks of one process: it is looked up once for all of them.
        for locks in self.locks.chunk_by_mut(|a, b| a.pid == b.pid) {
            let Some(known) = locks[0].pid.and_then(|pid| self.virtual_of.get(&pid)) else {
                continue;
            };
            for lock in locks.iter_mut().filter(|l| l.virtualtransaction.is_empty()) {
                lock.virtualtransaction.clone_from(known);
            }
        }
        self.locks
    }
}
