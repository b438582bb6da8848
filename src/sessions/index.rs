//! A snapshot's rows by process, found once: a busy server has a thousand backends and fifty thousand locks.

use crate::model::{Backend, Lock, LockTarget, Pid, RelationName, Snapshot, Walsender, Work};
use std::collections::HashMap;

/// What the snapshot knows of each process.
pub struct Index<'a> {
    pub snapshot: &'a Snapshot,
    backends: HashMap<Pid, &'a Backend>,
    granted: HashMap<Pid, Vec<&'a Lock>>,
    awaited: HashMap<Pid, Vec<&'a Lock>>,
    work: HashMap<Pid, Vec<&'a Work>>,
    walsenders: HashMap<Pid, &'a Walsender>,
}

impl<'a> Index<'a> {
    /// Reads every row once.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let mut granted: HashMap<Pid, Vec<&Lock>> = HashMap::new();
        let mut awaited: HashMap<Pid, Vec<&Lock>> = HashMap::new();
        // A process's locks come together: it is looked up once for many of them.
        for locks in snapshot
            .locks
            .chunk_by(|a, b| a.pid == b.pid && a.granted == b.granted)
        {
            let rows = if locks[0].granted {
                &mut granted
            } else {
                &mut awaited
            };
            if let Some(pid) = locks[0].pid {
                rows.entry(pid).or_default().extend(locks);
            }
        }
        let mut work: HashMap<Pid, Vec<&Work>> = HashMap::new();
        for row in &snapshot.progress {
            work.entry(row.pid).or_default().push(&row.work);
        }
        Self {
            snapshot,
            backends: snapshot.backends.iter().map(|b| (b.pid, b)).collect(),
            granted,
            awaited,
            work,
            walsenders: snapshot.walsenders.iter().map(|w| (w.pid, w)).collect(),
        }
    }

    /// The backend of a pid.
    #[must_use]
    pub fn backend(&self, pid: Pid) -> Option<&'a Backend> {
        self.backends.get(&pid).copied()
    }

    /// The locks that a process holds.
    #[must_use]
    pub fn granted(&self, pid: Pid) -> &[&'a Lock] {
        self.granted.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// The locks that a process waits for: one at most, but for a moment between two reads.
    #[must_use]
    pub fn awaited(&self, pid: Pid) -> &[&'a Lock] {
        self.awaited.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// The name of a locked relation of the database that was looked at; oids of other databases mean other relations.
    #[must_use]
    pub fn name_of(&self, lock: &Lock) -> Option<&'a RelationName> {
        self.name_of_target(&lock.target)
    }

    /// The same for what a lock is on.
    #[must_use]
    pub fn name_of_target(&self, target: &LockTarget) -> Option<&'a RelationName> {
        let LockTarget::Relation {
            database,
            relation: oid,
        } = *target
        else {
            return None;
        };
        let own = database == self.snapshot.server.datid || database == 0;
        own.then(|| self.snapshot.relations.get(&oid))
            .flatten()
            .map(|locked| &locked.name)
    }

    /// Its rows of the progress views.
    #[must_use]
    pub fn work(&self, pid: Pid) -> &[&'a Work] {
        self.work.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// Its row of `pg_stat_replication`.
    #[must_use]
    pub fn walsender(&self, pid: Pid) -> Option<&'a Walsender> {
        self.walsenders.get(&pid).copied()
    }
}
