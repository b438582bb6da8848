//! Whether a session is done with: gone, or without the locks that it had.

use super::member::Member;
use crate::model::{BackendIdentity, Lock, LockTarget, Snapshot};

/// What a session had when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    identity: BackendIdentity,
    others: Vec<BackendIdentity>,
    locks: Vec<Lock>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The process is gone, and its locks with it.
    Gone,
    /// The transaction is over and its locks are gone; the connection stays.
    Released,
    /// It, or a lock of it, is still there.
    StillThere,
}

impl Seen {
    /// Remembers a session: its leader and other members, and every lock that the leader has or waits for.
    #[must_use]
    pub fn of(leader: BackendIdentity, members: &[Member], snapshot: &Snapshot) -> Self {
        let others = members.iter().map(|member| member.identity);
        Self {
            identity: leader,
            others: others.filter(|other| *other != leader).collect(),
            locks: snapshot
                .locks
                .iter()
                .filter(|lock| lock.pid == Some(leader.pid))
                .cloned()
                .collect(),
        }
    }

    /// What became of it, by a later look. A transaction holds its own virtual id from its first statement
    /// to its end, so one that is over has no row left; an advisory lock can outlive it.
    #[must_use]
    pub fn outcome(&self, later: &Snapshot) -> Outcome {
        let is_there = later.backends.iter().any(|b| b.identity() == self.identity);
        match (is_there, self.others_are_there(later)) {
            (false, false) => Outcome::Gone,
            (true, false) if !later.locks.iter().any(|lock| self.had(lock)) => Outcome::Released,
            _ => Outcome::StillThere,
        }
    }

    /// A dump's workers.
    fn others_are_there(&self, later: &Snapshot) -> bool {
        let mut backends = later.backends.iter();
        backends.any(|b| self.others.contains(&b.identity()))
    }

    fn had(&self, lock: &Lock) -> bool {
        lock.pid == Some(self.identity.pid)
            && self.locks.iter().any(|had| {
                had.target == lock.target
                    && had.mode == lock.mode
                    && (had.virtualtransaction == lock.virtualtransaction
                        || matches!(lock.target, LockTarget::Advisory { .. }))
            })
    }
}
