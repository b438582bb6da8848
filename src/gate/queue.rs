//! The grant rule: who is in front of a request for a relation lock.
//!
//! A request is granted when its mode conflicts with nothing that others hold and with nothing that
//! they wait for. So a reader waits behind a waiting ALTER although both could read beside the holder:
//! the ALTER is a *soft* blocker, the holder a *hard* one. One exception: who already has a lock that a
//! waiter waits for goes before that waiter, since otherwise both would wait for each other.
//!
//! Source: `LockAcquireExtended` and `LockCheckConflicts` (lock.c), `JoinWaitQueue` (proc.c; in
//! `ProcSleep` before 18).

use super::scene::Party;
use crate::model::{Lock, LockMode};

/// One party's claim on a relation: a mode it holds or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Whose.
    pub party: Party<'a>,
    /// The row.
    pub lock: &'a Lock,
}

impl Claim<'_> {
    /// Held or waited for in this mode.
    #[must_use]
    pub const fn mode(&self) -> LockMode {
        self.lock.mode
    }
}

/// Who holds one relation, and who waits for it, in the order of the queue.
#[derive(Debug, Default)]
pub struct RelationQueue<'a> {
    holders: Vec<Claim<'a>>,
    waiters: Vec<Claim<'a>>,
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Front<'a> {
    /// Others who hold a conflicting mode: hard blockers.
    pub holders: Vec<Claim<'a>>,
    /// Others who wait in front for a conflicting mode: soft blockers.
    pub waiters: Vec<Claim<'a>>,
    /// The request would wait for somebody who waits for the asker: Postgres fails it at once.
    pub deadlock: bool,
}

impl Front<'_> {
    /// Whether it is granted at once.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty() && !self.deadlock
    }
}

impl<'a> RelationQueue<'a> {
    /// The queue of one relation from its rows in `pg_locks`.
    #[must_use]
    pub fn new(rows: &[&'a Lock], party: impl Fn(&'a Lock) -> Party<'a>) -> Self {
        let claim = |&lock: &&'a Lock| Claim {
            party: party(lock),
            lock,
        };
        let mut queue = Self {
            holders: rows.iter().filter(|l| l.granted).map(claim).collect(),
            waiters: Vec::new(),
        };
        let mut arrivals: Vec<Claim<'a>> = rows.iter().filter(|l| !l.granted).map(claim).collect();
        // The view has no order. `waitstart` is empty for a moment after the wait began: the newest.
        arrivals.sort_by_key(|c| (c.lock.waitstart.is_none(), c.lock.waitstart, c.lock.pid));
        for waiter in arrivals {
            let at = queue.place_of(&waiter);
            queue.waiters.insert(at, waiter);
        }
        queue
    }

    /// Where an arriving waiter went: before the first that waits for what it holds, else to the end.
    fn place_of(&self, arriving: &Claim<'a>) -> usize {
        self.waiters
            .iter()
            .position(|other| {
                other.party != arriving.party
                    && self
                        .held_by(arriving.party)
                        .any(|held| other.mode().conflicts_with(held))
            })
            .unwrap_or(self.waiters.len())
    }

    /// The modes that a party holds.
    pub fn held_by(&self, party: Party<'a>) -> impl Iterator<Item = LockMode> {
        self.holders
            .iter()
            .filter(move |c| c.party == party)
            .map(Claim::mode)
    }

    /// The others whose transactions must end before a wait for lockers does: everybody who holds a
    /// mode that conflicts with `mode`. Waiters are not waited for (`GetLockConflicts`, lock.c).
    pub fn lockers(
        &self,
        mode: LockMode,
        asker: Option<Party<'a>>,
        will_hold: &[LockMode],
    ) -> impl Iterator<Item = &Claim<'a>> {
        self.holders
            .iter()
            .filter(move |c| Some(c.party) != asker)
            .filter(move |c| mode.conflicts_with(c.mode()))
            .filter(move |c| !will_hold.iter().any(|m| m.conflicts_with(c.mode())))
    }

    /// Everybody who holds it.
    #[must_use]
    pub fn holders(&self) -> &[Claim<'a>] {
        &self.holders
    }

    /// Everybody who holds it or waits for it.
    pub fn claims(&self) -> impl Iterator<Item = &Claim<'a>> {
        self.holders.iter().chain(&self.waiters)
    }

    /// Who is in front of a conditional request (`NOWAIT`): before 17 it does not go before a waiter
    /// that waits for the asker, but fails (`LockAcquireExtended`, lock.c).
    #[must_use]
    pub fn front_of_conditional(
        &self,
        mode: LockMode,
        asker: Option<Party<'a>>,
        will_hold: &[LockMode],
        major: i32,
    ) -> Front<'a> {
        let mut front = self.front(mode, asker, will_hold);
        if major < 17 && !self.has(mode, asker, will_hold) {
            front.waiters = self
                .waiters
                .iter()
                .filter(|c| Some(c.party) != asker && mode.conflicts_with(c.mode()))
                .copied()
                .collect();
        }
        front
    }

    /// Whether the asker has the mode already (`LOCALLOCK` nLocks > 0).
    fn has(&self, mode: LockMode, asker: Option<Party<'a>>, will_hold: &[LockMode]) -> bool {
        will_hold.contains(&mode)
            || asker.is_some_and(|party| self.held_by(party).any(|held| held == mode))
    }

    /// Who is in front of a request in this mode by `asker` (`None`: a session that does not exist
    /// yet), which will hold the modes `will_hold` by then, from its earlier requests.
    #[must_use]
    pub fn front(
        &self,
        mode: LockMode,
        asker: Option<Party<'a>>,
        will_hold: &[LockMode],
    ) -> Front<'a> {
        if self.has(mode, asker, will_hold) {
            // Granted without a look at anybody.
            return Front::default();
        }
        let held: Vec<LockMode> =
            asker.map_or_else(Vec::new, |party| self.held_by(party).collect());
        let others = |c: &&Claim<'a>| Some(c.party) != asker;
        // Whoever conflicts with a mode that the migration will hold by then is gone by then, and was
        // named when that mode was asked for.
        let still_there = |c: &&Claim<'a>| !will_hold.iter().any(|&m| m.conflicts_with(c.mode()));
        let holders: Vec<Claim<'a>> = self
            .holders
            .iter()
            .filter(others)
            .filter(still_there)
            .filter(|c| mode.conflicts_with(c.mode()))
            .copied()
            .collect();
        let mut ahead = Vec::new();
        for waiter in self.waiters.iter().filter(others) {
            if held.iter().any(|&h| waiter.mode().conflicts_with(h)) {
                // It waits for the asker. Waiting for it too would be a deadlock; else the asker goes before it.
                let deadlock = self
                    .held_by(waiter.party)
                    .any(|theirs| mode.conflicts_with(theirs));
                return Front {
                    holders,
                    waiters: ahead,
                    deadlock,
                };
            }
            if mode.conflicts_with(waiter.mode()) && still_there(&waiter) {
                ahead.push(*waiter);
            }
        }
        Front {
            holders,
            waiters: ahead,
            deadlock: false,
        }
    }
}
