//! Whether a session is done with: gone, or without the locks that it had.

use crate::model::{Backend, BackendIdentity, Lock, LockTarget, Pid, Snapshot};

/// What a session had when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    identity: BackendIdentity,
    members: Vec<Pid>,
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
    /// Remembers a session: its leader and members, and every lock that the leader has or waits for.
    #[must_use]
    pub fn of(leader: &Backend, members: &[Pid], snapshot: &Snapshot) -> Self {
        Self {
            identity: leader.identity(),
            members: members.to_vec(),
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
        match (is_there, self.members_linger(later)) {
            (false, false) => Outcome::Gone,
            (true, false) if !later.locks.iter().any(|lock| self.had(lock)) => Outcome::Released,
            _ => Outcome::StillThere,
        }
    }

    /// A dump's workers, which end by themselves a moment after their leader.
    fn members_linger(&self, later: &Snapshot) -> bool {
        later.locks.iter().any(|lock| {
            lock.pid
                .is_some_and(|pid| pid != self.identity.pid && self.members.contains(&pid))
        })
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
