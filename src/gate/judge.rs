//! The judge of one statement: weighs who is ahead of it, once, for every kind of wait.

use super::blocker::Owner;
use super::clearing::{self, Weight};
use super::held::{Held, HeldLock};
use super::scene::{Party, Scene};
use super::timeouts::Timeouts;
use crate::model::{
    Allowable, Clears, ClearsBy, Doubt, LockMode, Oid, RelationName, Statement, StatementVerdict,
    Wait, WaitKind,
};
use chrono::TimeDelta;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Judges one statement of a migration.
pub struct Judge<'j, 'a> {
    pub scene: &'j Scene<'a>,
    /// What is judged.
    pub statement: &'j Statement,
    /// Its place in the footprint.
    pub index: usize,
    /// The timeouts in force.
    pub timeouts: Timeouts,
    /// The answer so far.
    pub verdict: StatementVerdict,
    /// What is not known.
    pub doubts: Vec<Doubt>,
    /// What the migration holds as it comes to the first wait that counts; `None`: there is none.
    pub meanwhile: Option<Vec<HeldLock>>,
    /// What a `SKIP_LOCKED` statement passes over.
    pub skipped: HashSet<Oid>,
    /// Where in the verdict each blocker's wait on a relation or object stands.
    places: HashMap<(Option<Oid>, Option<String>, Party<'a>), usize>,
}

/// What a statement asks for as it waits.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    oid: Option<Oid>,
    name: Option<&'r RelationName>,
    object: Option<&'r str>,
    mode: Option<LockMode>,
    otherwise: Otherwise,
}

/// What a statement does where it cannot have a lock at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// It waits.
    Waits,
    /// It fails (`NOWAIT`).
    Fails,
    /// It runs without the lock (`SKIP_LOCKED`, a `pg_try_` function).
    Skips,
}

impl<'r> Asked<'r> {
    /// A wait for a transaction to end, whatever it has locked.
    pub const NOTHING: Self = Self {
        oid: None,
        name: None,
        object: None,
        mode: None,
        otherwise: Otherwise::Waits,
    };

    /// A lock on a relation.
    #[must_use]
    pub const fn relation(oid: Oid, name: &'r RelationName, mode: LockMode) -> Self {
        Self {
            oid: Some(oid),
            name: Some(name),
            mode: Some(mode),
            ..Self::NOTHING
        }
    }

    /// The same with what happens where the lock cannot be had.
    #[must_use]
    pub const fn or(self, otherwise: Otherwise) -> Self {
        Self { otherwise, ..self }
    }

    /// A lock on what is no relation, in words: `schema app`.
    #[must_use]
    pub const fn object(what: &'r str, mode: LockMode) -> Self {
        Self {
            object: Some(what),
            mode: Some(mode),
            ..Self::NOTHING
        }
    }
}

impl<'j, 'a> Judge<'j, 'a> {
    /// Before the first request.
    #[must_use]
    pub fn new(scene: &'j Scene<'a>, statement: &'j Statement, index: usize) -> Self {
        let timeouts = Timeouts::of(statement, &scene.snapshot.server);
        Self {
            scene,
            statement,
            index,
            timeouts,
            verdict: StatementVerdict {
                lock_timeout_ms: timeouts.lock_ms,
                ..StatementVerdict::default()
            },
            doubts: Vec::new(),
            meanwhile: None,
            skipped: HashSet::new(),
            places: HashMap::new(),
        }
    }

    /// Remembers what the migration holds as it comes to the first wait that counts.
    pub fn note_what_it_holds(&mut self, held: &Held) {
        if self.meanwhile.is_none() && self.verdict.blocks() {
            self.meanwhile = Some(held.locks().to_vec());
        }
    }

    /// The same where it has given everything back before it waits.
    pub fn note_that_it_holds_nothing(&mut self) {
        if self.meanwhile.is_none() && self.verdict.blocks() {
            self.meanwhile = Some(Vec::new());
        }
    }

    /// Somebody is ahead.
    pub fn meet(&mut self, owner: Owner<'a>, asked: Asked, kind: WaitKind, deadlock: bool) {
        let fails = deadlock || asked.otherwise == Otherwise::Fails;
        let directly = kind != WaitKind::Queue;
        let weight = if asked.otherwise == Otherwise::Skips {
            Weight::Clears(ClearsBy::Skipped)
        } else {
            clearing::weight(self.scene, owner, directly, fails, self.timeouts)
        };
        match weight {
            Weight::Counts => self.add(owner, asked, kind, None, fails),
            Weight::Clears(by) => {
                self.add(owner, asked, WaitKind::SelfClearing, Some(by), fails);
            }
            Weight::Hidden => self.hidden(
                owner,
                "is an autovacuum: whether it gives way or prevents wraparound is hidden",
            ),
        }
    }

    /// A session is in the way for as long as it is connected, whatever its transactions do.
    pub fn meet_connected(&mut self, owner: Owner<'a>, asked: Asked) {
        let fails = asked.otherwise == Otherwise::Fails;
        self.add(owner, asked, WaitKind::Lock, None, fails);
    }

    fn add(
        &mut self,
        owner: Owner<'a>,
        asked: Asked,
        kind: WaitKind,
        clears_by: Option<ClearsBy>,
        fails: bool,
    ) {
        let blocker = owner.describe(self.scene);
        let wait = Wait {
            oid: asked.oid,
            name: asked.name.cloned(),
            object: asked.object.map(str::to_owned),
            mode: asked.mode,
            kind,
            counts: clears_by.is_none(),
            clears: match clears_by {
                Some(ClearsBy::Autovacuum) => Some(self.autovacuum_clears()),
                _ => owner.clears(self.scene),
            },
            blocker,
            clears_by,
            fails,
        };
        // One session's several locks on a relation, or a parallel dump's several backends: one wait.
        let place = (wait.oid, wait.object.clone(), owner.named(self.scene));
        match self.places.entry(place) {
            Entry::Occupied(place) => {
                let earlier = &mut self.verdict.waits[*place.get()];
                if weighs(&wait) > weighs(earlier) {
                    *earlier = wait;
                }
            }
            Entry::Vacant(place) => {
                place.insert(self.verdict.waits.len());
                self.verdict.waits.push(wait);
            }
        }
    }

    fn autovacuum_clears(&self) -> Clears {
        let snapshot = self.scene.snapshot;
        let after = TimeDelta::try_milliseconds(snapshot.server.deadlock_timeout_ms);
        let when = after.and_then(|span| snapshot.taken_at.checked_add_signed(span));
        Clears {
            earliest: when,
            expected: when,
            latest: when,
            basis: "deadlock_timeout, after which a waiter cancels an autovacuum".into(),
            from_past_runs: false,
        }
    }

    /// Something that the role may not see decides.
    pub fn hidden(&mut self, owner: Owner<'a>, what: &str) {
        let pid = match owner.party {
            Party::Group(pid) => pid,
            Party::Prepared(_) => 0,
        };
        let help = format!(
            "GRANT pg_monitor TO {}",
            crate::model::quoted(&self.scene.snapshot.server.user)
        );
        self.acceptable(Allowable::Hidden, format!("pid {pid} {what}"), &help);
    }

    /// Notes what is not known.
    pub fn doubt(&mut self, what: String, help: &str, lasting: bool) {
        self.add_doubt(None, what, help, lasting);
    }

    /// Notes what is not known and can be let through by that name.
    pub fn acceptable(&mut self, name: Allowable, what: String, help: &str) {
        self.add_doubt(Some(name), what, help, false);
    }

    fn add_doubt(&mut self, accepts: Option<Allowable>, what: String, help: &str, lasting: bool) {
        let doubt = Doubt {
            statement: Some(self.index),
            what,
            help: help.to_owned(),
            lasting,
            accepts,
        };
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// Whether an owner has a transaction id: without one it has written and locked no row.
    #[must_use]
    pub fn has_xid(&self, owner: &Owner) -> bool {
        let backend = owner.backend(self.scene);
        backend.is_none_or(|b| b.backend_xid.is_some())
    }

    /// Whether an owner is there for longer than the patience, or has not been looked at twice yet.
    #[must_use]
    pub fn lasts(&self, owner: &Owner) -> bool {
        let scene = self.scene;
        clearing::weight(scene, *owner, false, false, self.timeouts) == Weight::Counts
            || scene.policy.first_look.is_none()
    }
}

/// What a wait means for the answer, for the stronger of two on the same blocker.
fn weighs(wait: &Wait) -> u8 {
    match wait.clears_by {
        None => 2,
        // A second look may show that it counts.
        Some(ClearsBy::NotSeenTwice) => 1,
        Some(ClearsBy::Autovacuum | ClearsBy::Young | ClearsBy::Skipped) => 0,
    }
}
