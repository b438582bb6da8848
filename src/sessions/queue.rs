//! The grant rule: who is ahead of a request for a lock, and who of a waiter.
//!
//! A request is granted when its mode conflicts with nothing that others hold and with nothing that
//! they wait for. So a reader waits behind a waiting ALTER although both could read next to the holder:
//! the ALTER is a *soft* blocker, the holder a *hard* one. One exception: who already has a lock that a
//! waiter waits for goes before that waiter, since otherwise both would wait for each other.
//!
//! `pg_locks` has no queue order. `waitstart` gives the order of arrival; who already holds a lock on
//! the thing is put before the first waiter that must wait for it, as the server does.
//!
//! Source: `LockAcquireExtended` and `LockCheckConflicts` (lock.c), `JoinWaitQueue` (proc.c; in
//! `ProcSleep` before 18).

use crate::model::{Lock, LockMode};
use std::collections::HashMap;
use std::hash::Hash;

/// One party's claim on a thing: a mode it holds or waits for. `P` says who owns locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a, P> {
    /// Whose.
    pub party: P,
    pub lock: &'a Lock,
}

impl<P> Claim<'_, P> {
    /// Held or waited for in this mode.
    #[must_use]
    pub const fn mode(&self) -> LockMode {
        self.lock.mode
    }
}

/// Who holds one thing, and who waits for it, in the order in which the server would wake them.
#[derive(Debug)]
pub struct Queue<'a, P> {
    holders: Vec<Claim<'a, P>>,
    waiters: Vec<Claim<'a, P>>,
}

impl<P> Default for Queue<'_, P> {
    fn default() -> Self {
        Self {
            holders: Vec::new(),
            waiters: Vec::new(),
        }
    }
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front<'a, P> {
    /// Others who hold a conflicting mode: hard blockers.
    pub holders: Vec<Claim<'a, P>>,
    /// Others who wait ahead for a conflicting mode: soft blockers.
    pub waiters: Vec<Claim<'a, P>>,
    /// The request would wait for somebody who waits for the asker: Postgres fails it at once.
    pub deadlock: bool,
}

impl<P> Default for Front<'_, P> {
    fn default() -> Self {
        Self {
            holders: Vec::new(),
            waiters: Vec::new(),
            deadlock: false,
        }
    }
}

impl<P> Front<'_, P> {
    /// Whether it is granted at once.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty() && !self.deadlock
    }
}

impl<'a, P: Clone + Eq + Hash> Queue<'a, P> {
    /// The queue of one thing from its rows in `pg_locks`.
    #[must_use]
    pub fn new(rows: &[&'a Lock], party: impl Fn(&'a Lock) -> P) -> Self {
        let claim = |&lock: &&'a Lock| Claim {
            party: party(lock),
            lock,
        };
        let holders: Vec<Claim<'a, P>> = rows.iter().filter(|l| l.granted).map(claim).collect();
        let mut held: HashMap<&P, Vec<LockMode>> = HashMap::new();
        for holder in &holders {
            held.entry(&holder.party).or_default().push(holder.mode());
        }
        let mut arrivals: Vec<Claim<'a, P>> =
            rows.iter().filter(|l| !l.granted).map(claim).collect();
        // `waitstart` is empty for a moment after the wait began: the newest.
        arrivals.sort_by_key(|c| (c.lock.waitstart.is_none(), c.lock.waitstart, c.lock.pid));
        let mut waiters: Vec<Claim<'a, P>> = Vec::with_capacity(arrivals.len());
        for arriving in arrivals {
            // Before the first that waits for what it holds, else to the end.
            let place = held.get(&arriving.party).and_then(|mine| {
                waiters.iter().position(|other| {
                    other.party != arriving.party
                        && mine.iter().any(|mode| mode.conflicts_with(other.mode()))
                })
            });
            waiters.insert(place.unwrap_or(waiters.len()), arriving);
        }
        Self { holders, waiters }
    }

    /// The modes that a party holds.
    pub fn held_by(&self, party: &P) -> impl Iterator<Item = LockMode> {
        self.holders
            .iter()
            .filter(move |c| c.party == *party)
            .map(Claim::mode)
    }

    /// The others whose transactions must end before a wait for lockers does: everybody who holds a
    /// mode that conflicts with `mode`. Waiters are not waited for (`GetLockConflicts`, lock.c).
    pub fn lockers(
        &self,
        mode: LockMode,
        asker: Option<P>,
        will_hold: &[LockMode],
    ) -> impl Iterator<Item = &Claim<'a, P>> {
        self.holders
            .iter()
            .filter(move |c| asker.as_ref() != Some(&c.party))
            .filter(move |c| mode.conflicts_with(c.mode()))
            .filter(move |c| !will_hold.iter().any(|m| m.conflicts_with(c.mode())))
    }

    /// Everybody who holds it.
    #[must_use]
    pub fn holders(&self) -> &[Claim<'a, P>] {
        &self.holders
    }

    /// Everybody who waits for it, in order.
    #[must_use]
    pub fn waiters(&self) -> &[Claim<'a, P>] {
        &self.waiters
    }

    /// Everybody who holds it or waits for it.
    pub fn claims(&self) -> impl Iterator<Item = &Claim<'a, P>> {
        self.holders.iter().chain(&self.waiters)
    }

    /// Who is ahead of the waiter at a place of [`Queue::waiters`]; of nobody where there is none.
    #[must_use]
    pub fn front_of_waiter(&self, place: usize) -> Front<'a, P> {
        let Some(waiter) = self.waiters.get(place) else {
            return Front::default();
        };
        let in_its_way =
            |c: &&Claim<'a, P>| c.party != waiter.party && waiter.mode().conflicts_with(c.mode());
        Front {
            holders: self.holders.iter().filter(in_its_way).cloned().collect(),
            waiters: self.waiters[..place]
                .iter()
                .filter(in_its_way)
                .cloned()
                .collect(),
            deadlock: false,
        }
    }

    /// Who is ahead of a conditional request (`NOWAIT`): before 17 it does not go before a waiter
    /// that waits for the asker, but fails (`LockAcquireExtended`, lock.c).
    #[must_use]
    pub fn front_of_conditional(
        &self,
        mode: LockMode,
        asker: Option<P>,
        will_hold: &[LockMode],
        major: i32,
    ) -> Front<'a, P> {
        let mut front = self.front(mode, asker.clone(), will_hold);
        if major < 17 && !self.has(mode, asker.as_ref(), will_hold) {
            front.waiters = self
                .waiters
                .iter()
                .filter(|c| asker.as_ref() != Some(&c.party) && mode.conflicts_with(c.mode()))
                .cloned()
                .collect();
        }
        front
    }

    /// Whether the asker has the mode already (`LOCALLOCK` nLocks > 0).
    fn has(&self, mode: LockMode, asker: Option<&P>, will_hold: &[LockMode]) -> bool {
        will_hold.contains(&mode)
            || asker.is_some_and(|party| self.held_by(party).any(|held| held == mode))
    }

    /// Who is ahead of a request in this mode by `asker` (`None`: a session that does not exist
    /// yet), which will hold the modes `will_hold` by then, from its earlier requests.
    #[must_use]
    pub fn front(&self, mode: LockMode, asker: Option<P>, will_hold: &[LockMode]) -> Front<'a, P> {
        let asker = asker.as_ref();
        if self.has(mode, asker, will_hold) {
            // Granted without a look at anybody.
            return Front::default();
        }
        let held: Vec<LockMode> =
            asker.map_or_else(Vec::new, |party| self.held_by(party).collect());
        let others = |c: &&Claim<'a, P>| asker != Some(&c.party);
        // Who conflicts with a mode that the migration will hold by then is gone by then, and was
        // named when that mode was asked for.
        let still_there =
            |c: &&Claim<'a, P>| !will_hold.iter().any(|&m| m.conflicts_with(c.mode()));
        let holders: Vec<Claim<'a, P>> = self
            .holders
            .iter()
            .filter(others)
            .filter(still_there)
            .filter(|c| mode.conflicts_with(c.mode()))
            .cloned()
            .collect();
        let mut ahead = Vec::new();
        for waiter in self.waiters.iter().filter(others) {
            if held.iter().any(|&h| waiter.mode().conflicts_with(h)) {
                // It waits for the asker. Waiting for it too would be a deadlock; else the asker goes before it.
                let deadlock = self
                    .held_by(&waiter.party)
                    .any(|theirs| mode.conflicts_with(theirs));
                return Front {
                    holders,
                    waiters: ahead,
                    deadlock,
                };
            }
            if mode.conflicts_with(waiter.mode()) && still_there(&waiter) {
                ahead.push(waiter.clone());
            }
        }
        Front {
            holders,
            waiters: ahead,
            deadlock: false,
        }
    }
}
