//! Who waits behind whom, from one look at `pg_locks`.
//!
//! A waiter has two kinds of blockers. *Hard* ones hold a mode that conflicts with the one it asks for.
//! *Soft* ones only wait themselves, but are ahead of it in the queue with a conflicting request:
//! a plain SELECT waits behind an ALTER TABLE that waits behind a dump. The rule is in [`super::queue`];
//! the answer equals that of `pg_blocking_pids` (`GetBlockerStatusData`), prepared transactions named
//! instead of pid 0.

use super::list::Sessions;
use super::party::Party;
use super::queue::{Front, Queue};
use super::reach;
use crate::model::{Lock, LockMode, LockTarget, Pid, Role, Snapshot};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One that blocks a waiter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFront {
    /// Who.
    pub party: Party,
    /// Whether it holds the lock (hard), or waits for it further ahead (soft).
    pub granted: bool,
    /// The strongest mode it has, or asks for, that conflicts.
    pub mode: LockMode,
}

/// One that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// The process to name: see [`Party::Pid`].
    pub pid: Pid,
    /// What it waits for.
    pub target: LockTarget,
    /// The mode it asks for.
    pub mode: LockMode,
    /// Since when; `None` for a moment after the wait began.
    pub since: Option<DateTime<Utc>>,
    /// Everyone directly ahead, holders first. Empty where the holder left between two rows of the look.
    pub in_front: Vec<InFront>,
}

/// Who waits behind whom, in one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitGraph {
    waiters: BTreeMap<Pid, Vec<Waiter>>,
    behind: BTreeMap<Party, BTreeSet<Pid>>,
    counts: HashMap<Party, usize>,
}

/// A node of the tree: who, and those that wait behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Who.
    pub party: Party,
    /// How deep: 0 for a root.
    pub depth: usize,
    /// Those that are shown below it, in the order of their wait.
    pub below: Vec<Node>,
}

impl Node {
    /// How many nodes are below it, at any depth.
    #[must_use]
    pub fn count_below(&self) -> usize {
        self.below.iter().map(|node| 1 + node.count_below()).sum()
    }
}

impl WaitGraph {
    /// The graph between lock groups: parallel workers are folded into their leader, as
    /// `pg_blocking_pids()` does.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::folded(snapshot, &HashMap::new())
    }

    /// The graph between sessions: the members of one backup are folded into its leader too.
    /// Two connections of one migration run stay apart: one can wait for the other for ever.
    #[must_use]
    pub fn between_sessions(snapshot: &Snapshot, sessions: &Sessions) -> Self {
        let leaders = sessions
            .iter()
            .filter(|session| session.role == Role::Backup)
            .flat_map(|session| session.members.iter().map(|&pid| (pid, session.pid)))
            .collect();
        Self::folded(snapshot, &leaders)
    }

    fn folded(snapshot: &Snapshot, leaders: &HashMap<Pid, Pid>) -> Self {
        let names = Names::new(snapshot, leaders);
        let mut graph = Self::default();
        for queue in queues(snapshot, &names) {
            for waiter in waiters_of(&queue) {
                graph.add(waiter);
            }
        }
        graph.counts = reach::counts(&graph.behind);
        graph
    }

    fn add(&mut self, waiter: Waiter) {
        for front in &waiter.in_front {
            self.behind
                .entry(front.party.clone())
                .or_default()
                .insert(waiter.pid);
        }
        self.waiters.entry(waiter.pid).or_default().push(waiter);
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Everyone who waits, by pid. One process waits for one lock; a parallel group may for several.
    pub fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.waiters.values().flatten()
    }

    /// What this pid waits for (first of its group), if it does.
    #[must_use]
    pub fn waiter(&self, pid: Pid) -> Option<&Waiter> {
        self.waiters.get(&pid).and_then(|waits| waits.first())
    }

    /// Everyone directly ahead of this pid, each once.
    #[must_use]
    pub fn blockers_of(&self, pid: Pid) -> BTreeSet<&Party> {
        self.waiters
            .get(&pid)
            .into_iter()
            .flatten()
            .flat_map(|waiter| &waiter.in_front)
            .map(|front| &front.party)
            .collect()
    }

    /// Those directly behind, by pid.
    pub fn directly_behind(&self, party: &Party) -> impl Iterator<Item = Pid> {
        self.behind.get(party).into_iter().flatten().copied()
    }

    /// Everyone behind, directly or behind somebody who is.
    #[must_use]
    pub fn all_behind(&self, party: &Party) -> BTreeSet<Pid> {
        let mut found = BTreeSet::new();
        let mut todo: Vec<Pid> = self.directly_behind(party).collect();
        while let Some(pid) = todo.pop() {
            if Party::Pid(pid) != *party && found.insert(pid) {
                todo.extend(self.directly_behind(&Party::Pid(pid)));
            }
        }
        found
    }

    /// How many continue at once when this waiter is ended: they wait for nobody else, directly or through
    /// others who do.
    #[must_use]
    pub fn freed_without(&self, waiter: Pid) -> usize {
        let behind = self.all_behind(&Party::Pid(waiter));
        let mut gone = BTreeSet::from([waiter]);
        loop {
            let next: Vec<Pid> = behind
                .iter()
                .copied()
                .filter(|pid| !gone.contains(pid))
                .filter(|&pid| {
                    self.blockers_of(pid)
                        .iter()
                        .all(|party| party.pid().is_some_and(|p| gone.contains(&p)))
                })
                .collect();
            if next.is_empty() {
                return gone.len() - 1;
            }
            gone.extend(next);
        }
    }

    /// How many wait behind a party, directly or not.
    #[must_use]
    pub fn count_behind(&self, party: &Party) -> usize {
        self.counts.get(party).copied().unwrap_or(0)
    }

    /// How many wait behind this pid, directly or not.
    #[must_use]
    pub fn waiters_behind(&self, pid: Pid) -> usize {
        self.count_behind(&Party::Pid(pid))
    }

    /// Those who block somebody and wait for nobody: where a wait ends. Most waiters behind first.
    #[must_use]
    pub fn roots(&self) -> Vec<Party> {
        let mut roots: Vec<(usize, Party)> = self
            .behind
            .keys()
            .filter(|party| {
                party
                    .pid()
                    .is_none_or(|pid| !self.waiters.contains_key(&pid))
            })
            .map(|party| (self.count_behind(party), party.clone()))
            .collect();
        roots.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        roots.into_iter().map(|(_, party)| party).collect()
    }

    /// The graph as a forest in which everyone who blocks or waits stands once, roots first.
    ///
    /// A waiter with several ahead is below the nearest to a root. One that no root leads to (a
    /// cycle that `deadlock_timeout` has yet to break, a holder that just left) begins a tree of its own.
    #[must_use]
    pub fn forest(&self) -> Vec<Node> {
        let mut parent: HashMap<Pid, Party> = HashMap::new();
        let mut tops = self.roots();
        let mut seen: HashSet<Pid> = tops.iter().filter_map(Party::pid).collect();
        self.adopt(&tops, &mut parent, &mut seen);
        for &pid in self.waiters.keys() {
            if seen.insert(pid) {
                let top = Party::Pid(pid);
                self.adopt(std::slice::from_ref(&top), &mut parent, &mut seen);
                tops.push(top);
            }
        }
        let mut below: HashMap<Party, Vec<Pid>> = HashMap::new();
        for (pid, party) in parent {
            below.entry(party).or_default().push(pid);
        }
        for pids in below.values_mut() {
            pids.sort_by_key(|&pid| (self.since(pid).is_none(), self.since(pid), pid));
        }
        tops.into_iter().map(|top| grow(top, 0, &below)).collect()
    }

    fn since(&self, pid: Pid) -> Option<DateTime<Utc>> {
        self.waiter(pid).and_then(|waiter| waiter.since)
    }

    /// Breadth first: everyone is adopted by the first that reaches it.
    fn adopt(&self, from: &[Party], parent: &mut HashMap<Pid, Party>, seen: &mut HashSet<Pid>) {
        let mut level = from.to_vec();
        while !level.is_empty() {
            let mut next = Vec::new();
            for party in level {
                for pid in self.directly_behind(&party) {
                    if seen.insert(pid) {
                        parent.insert(pid, party.clone());
                        next.push(Party::Pid(pid));
                    }
                }
            }
            level = next;
        }
    }
}

/// Builds a tree without recursion in its depth being a danger: depth is bounded by the number of sessions.
fn grow(party: Party, depth: usize, below: &HashMap<Party, Vec<Pid>>) -> Node {
    let nodes = below
        .get(&party)
        .into_iter()
        .flatten()
        .map(|&pid| grow(Party::Pid(pid), depth + 1, below))
        .collect();
    Node {
        party,
        depth,
        below: nodes,
    }
}

/// Which party a row of `pg_locks` belongs to.
struct Names<'a> {
    groups: HashMap<Pid, Pid>,
    leaders: &'a HashMap<Pid, Pid>,
    prepared: HashMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    fn new(snapshot: &'a Snapshot, leaders: &'a HashMap<Pid, Pid>) -> Self {
        let gids: HashMap<u32, &str> = snapshot
            .prepared
            .iter()
            .map(|xact| (xact.transaction, xact.gid.as_str()))
            .collect();
        let prepared = snapshot
            .locks
            .iter()
            .filter(|lock| lock.pid.is_none())
            .filter_map(|lock| match lock.target {
                LockTarget::TransactionId { transactionid } => {
                    Some((&*lock.virtualtransaction, *gids.get(&transactionid)?))
                }
                _ => None,
            })
            .collect();
        let groups = snapshot
            .backends
            .iter()
            .map(|backend| (backend.pid, backend.lock_group()))
            .collect();
        Self {
            groups,
            leaders,
            prepared,
        }
    }

    fn of(&self, lock: &Lock) -> Party {
        match lock.pid {
            Some(pid) => Party::Pid(self.group(pid)),
            None => Party::Prepared(
                self.prepared
                    .get(&*lock.virtualtransaction)
                    .copied()
                    .unwrap_or(&lock.virtualtransaction)
                    .to_owned(),
            ),
        }
    }

    fn group(&self, pid: Pid) -> Pid {
        let leader = self.groups.get(&pid).copied().unwrap_or(pid);
        self.leaders.get(&leader).copied().unwrap_or(leader)
    }
}

/// The queues of the things that somebody waits for; the many that nobody does are passed over.
fn queues<'a>(snapshot: &'a Snapshot, names: &Names<'_>) -> Vec<Queue<'a, Party>> {
    let wanted = snapshot.awaited();
    let mut rows: BTreeMap<&LockTarget, Vec<&'a Lock>> = BTreeMap::new();
    if wanted.is_empty() {
        return Vec::new();
    }
    // Who has no process waits for nothing.
    let is_real = |lock: &&Lock| lock.granted || lock.pid.is_some();
    for lock in snapshot.locks.iter().filter(is_real) {
        if wanted.contains(&lock.target) {
            rows.entry(&lock.target).or_default().push(lock);
        }
    }
    rows.into_values()
        .map(|rows| Queue::new(&rows, |lock| names.of(lock)))
        .collect()
}

fn waiters_of(queue: &Queue<'_, Party>) -> impl Iterator<Item = Waiter> {
    queue
        .waiters()
        .iter()
        .enumerate()
        .filter_map(|(at, claim)| {
            Some(Waiter {
                pid: claim.party.pid()?,
                target: claim.lock.target.clone(),
                mode: claim.mode(),
                since: claim.lock.waitstart,
                in_front: once_each(&queue.front_of_waiter(at)),
            })
        })
}

/// Everyone ahead once: a holder with its strongest mode, others with the first that they wait for.
fn once_each(front: &Front<'_, Party>) -> Vec<InFront> {
    let mut hard: BTreeMap<&Party, LockMode> = BTreeMap::new();
    for claim in &front.holders {
        let strongest = hard.entry(&claim.party).or_insert(claim.mode());
        *strongest = (*strongest).max(claim.mode());
    }
    let mut soft: BTreeMap<&Party, LockMode> = BTreeMap::new();
    for claim in &front.waiters {
        if !hard.contains_key(&claim.party) {
            soft.entry(&claim.party).or_insert(claim.mode());
        }
    }
    let row = |granted| {
        move |(party, mode): (&Party, LockMode)| InFront {
            party: party.clone(),
            granted,
            mode,
        }
    };
    hard.into_iter()
        .map(row(true))
        .chain(soft.into_iter().map(row(false)))
        .collect()
}
