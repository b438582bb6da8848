//! One look, indexed for questions: who is this lock's owner, who holds and waits on that relation.

pub use super::party::Party;

use super::policy::Policy;
use super::signs::{Signs, signs};
use crate::model::{
    Backend, Clears, Estimate, Footprint, Lock, LockTarget, Oid, Pid, Session, Snapshot, WaitPhase,
};
use crate::sessions::Sessions;
use crate::sessions::queue::Queue;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeSet, HashMap};

/// The catalogs that schema changes write: pg_type, pg_attribute, pg_proc, pg_class, pg_constraint,
/// pg_depend, pg_index, pg_namespace.
pub const CATALOGS: [Oid; 8] = [1247, 1249, 1255, 1259, 2606, 2608, 2610, 2615];

/// A snapshot and what else is known, indexed.
pub struct Scene<'a> {
    pub snapshot: &'a Snapshot,
    /// How to judge.
    pub policy: &'a Policy,
    backends: HashMap<Pid, &'a Backend>,
    sessions: &'a Sessions,
    virtual_xacts: HashMap<Pid, &'a str>,
    queues: HashMap<Oid, Queue<'a, Party<'a>>>,
    nobody: Queue<'a, Party<'a>>,
    /// Open transactions with an id, and what they show of schema changes.
    pub signs: Vec<Signs<'a>>,
}

impl<'a> Scene<'a> {
    /// Indexes a snapshot for the relations that a footprint reaches.
    #[must_use]
    pub fn new(
        footprint: &Footprint,
        snapshot: &'a Snapshot,
        sessions: &'a Sessions,
        policy: &'a Policy,
    ) -> Self {
        let mut scene = Self {
            snapshot,
            policy,
            backends: snapshot.backends.iter().map(|b| (b.pid, b)).collect(),
            sessions,
            virtual_xacts: snapshot
                .locks
                .iter()
                .filter(|lock| matches!(lock.target, LockTarget::VirtualXid { .. }) && lock.granted)
                .filter_map(|lock| Some((lock.pid?, &*lock.virtualtransaction)))
                .collect(),
            queues: HashMap::new(),
            nobody: Queue::default(),
            signs: signs(snapshot),
        };
        let mut oids = Self::relations_of(footprint);
        oids.extend(CATALOGS);
        scene.queues = scene.queues_of(&oids);
        scene
    }

    /// Every relation that the footprint asks for and that exists.
    fn relations_of(footprint: &Footprint) -> BTreeSet<Oid> {
        let mut oids = BTreeSet::new();
        for statement in &footprint.statements {
            oids.extend(statement.locks.iter().filter_map(|l| l.oid));
            oids.extend(statement.phases.iter().filter_map(|phase| match phase {
                WaitPhase::Lockers { oid, .. } | WaitPhase::ThenLock { oid, .. } => *oid,
                WaitPhase::Snapshots | WaitPhase::SafeSnapshot | WaitPhase::Transactions => None,
            }));
        }
        oids
    }

    fn queues_of(&self, oids: &BTreeSet<Oid>) -> HashMap<Oid, Queue<'a, Party<'a>>> {
        let datid = self.snapshot.server.datid;
        let mut rows: HashMap<Oid, Vec<&'a Lock>> = HashMap::new();
        for lock in &self.snapshot.locks {
            // Oids are unique within one database only: a copy made with CREATE DATABASE … TEMPLATE
            // keeps them. Database 0 is a shared catalog.
            if let Some((database, oid)) = lock.relation()
                && (database == datid || database == 0)
                && lock.pid != Some(self.snapshot.server.own_pid)
                && oids.contains(&oid)
            {
                rows.entry(oid).or_default().push(lock);
            }
        }
        rows.into_iter()
            .map(|(oid, locks)| (oid, Queue::new(&locks, |lock| self.party(lock))))
            .collect()
    }

    /// Who has or wants a relation.
    #[must_use]
    pub fn queue(&self, oid: Oid) -> &Queue<'a, Party<'a>> {
        self.queues.get(&oid).unwrap_or(&self.nobody)
    }

    /// Who owns a lock.
    #[must_use]
    pub fn party(&self, lock: &'a Lock) -> Party<'a> {
        lock.pid
            .map_or(Party::Prepared(&lock.virtualtransaction), |pid| {
                self.party_of(pid)
            })
    }

    /// The lock group of a process.
    #[must_use]
    pub fn party_of(&self, pid: Pid) -> Party<'a> {
        Party::Group(self.backend(pid).map_or(pid, Backend::lock_group))
    }

    /// The party that will run the migration, where it is connected already.
    #[must_use]
    pub fn asker(&self) -> Option<Party<'a>> {
        self.policy.asking.map(|pid| self.party_of(pid))
    }

    /// Whether the party that will run the migration has written in a transaction that is still open.
    #[must_use]
    pub fn asker_has_written(&self) -> bool {
        let backend = self.policy.asking.and_then(|pid| self.backend(pid));
        backend.is_some_and(|backend| backend.backend_xid.is_some())
    }

    /// The row of a process.
    #[must_use]
    pub fn backend(&self, pid: Pid) -> Option<&'a Backend> {
        self.backends.get(&pid).copied()
    }

    /// The virtual transaction that a process runs.
    #[must_use]
    pub fn virtual_xact(&self, pid: Pid) -> Option<&'a str> {
        self.virtual_xacts.get(&pid).copied()
    }

    /// When a session is expected to be gone.
    #[must_use]
    pub fn clears(&self, pid: Pid) -> Option<Clears> {
        let pid = self.session(pid).map_or(pid, |session| session.pid);
        let estimate = self.policy.estimates.get(&pid)?;
        Some(clears(estimate, self.snapshot.taken_at))
    }

    /// The session that a process belongs to.
    #[must_use]
    pub fn session(&self, pid: Pid) -> Option<&'a Session> {
        self.sessions.of(pid)
    }
}

/// An estimate in seconds, as times of the server's clock.
fn clears(estimate: &Estimate, now: DateTime<Utc>) -> Clears {
    let after = |seconds: Option<f64>| {
        let milliseconds = (seconds? * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        now.checked_add_signed(TimeDelta::try_milliseconds(milliseconds as i64)?)
    };
    Clears {
        earliest: after(estimate.earliest_s),
        expected: after(estimate.remaining_s),
        latest: after(estimate.latest_s),
        basis: estimate
            .unknown
            .clone()
            .unwrap_or_else(|| estimate.basis.clone()),
        from_past_runs: estimate.longest_past_s.is_some(),
    }
}
