//! What was seen of a run over all looks, for its summary and the history.

use super::sight::{OwnSession, Sight};
use crate::model::{LockMode, Pid, RelationName, RunFacts, RunLock, RunWait};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// A wait: for what, in which mode, and for whom.
type Wait = (String, LockMode, Option<Pid>, String);

/// Kept of a run with very many relations.
const MOST: usize = 200;

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Record {
    locks: BTreeMap<(RelationName, LockMode), f64>,
    waits: BTreeMap<Wait, RunWait>,
    others_waited_s: f64,
    others_waiting: usize,
    waited_alone: bool,
    waited_in_block: bool,
    last: Option<DateTime<Utc>>,
}

impl Record {
    /// Takes in a look.
    pub fn note(&mut self, sight: &Sight) {
        let passed = self.last.replace(sight.at).map_or(0.0, |last| {
            crate::words::seconds((sight.at - last).max(chrono::TimeDelta::zero()))
        });
        for session in &sight.own {
            self.note_session(session, passed);
        }
    }

    fn note_session(&mut self, session: &OwnSession, passed: f64) {
        for lock in &session.holds {
            *self.locks.entry(lock.clone()).or_default() += passed;
        }
        if let Some(wait) = &session.wait {
            self.waited_alone |= session.alone;
            self.waited_in_block |= !session.alone;
            let key = (wait.target.clone(), wait.mode, wait.pid, wait.who.clone());
            let known = self.waits.entry(key).or_insert_with(|| wait.clone());
            known.waited_s = known.waited_s.max(wait.waited_s);
        }
        let waited = crate::words::seconds(session.others_waited);
        self.others_waited_s = self.others_waited_s.max(waited);
        self.others_waiting = self.others_waiting.max(session.behind.len());
    }

    /// Forgets the time of the last look: what follows is another try.
    pub const fn begin_again(&mut self) {
        self.last = None;
        (self.waited_alone, self.waited_in_block) = (false, false);
    }

    /// Whether what waited in this try was seen, and each time in a transaction block: what came before it in its
    /// migration was not committed.
    #[must_use]
    pub const fn waited_in_block(&self) -> bool {
        self.waited_in_block && !self.waited_alone
    }

    /// Writes it down.
    pub fn put_into(&self, facts: &mut RunFacts) {
        let locks = self.locks.iter().take(MOST);
        facts.locks = locks
            .map(|((name, mode), held_s)| RunLock {
                name: name.clone(),
                mode: *mode,
                held_s: *held_s,
            })
            .collect();
        facts.waits = self.waits.values().take(MOST).cloned().collect();
        facts.others_waited_s = self.others_waited_s;
        facts.others_waiting = self.others_waiting;
    }
}
