//! One statement: what stands in its way, request by request, in the order it meets it.

use super::behind;
use super::blocker::Owner;
use super::catalog_rows;
use super::clearing::{self, Weight};
use super::held::{Held, HeldLock};
use super::notes;
use super::old_snapshots::{self, Awaited};
use super::routed;
use super::rows;
use super::safe_snapshot;
use super::scene::{Party, Scene};
use super::timeouts::Timeouts;
use crate::model::{
    Allowable, Clears, ClearsBy, Doubt, LockMode, LockRequest, Oid, RelationName, Statement,
    StatementVerdict, Wait, WaitKind, WaitPhase,
};
use crate::sessions::queue::Claim;
use chrono::TimeDelta;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// Judges one statement of a migration.
pub struct Judge<'j, 'a> {
    /// The look.
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
    skipped: HashSet<Oid>,
    /// Where in the verdict each blocker's wait on a relation stands.
    places: HashMap<(Option<Oid>, Party<'a>), usize>,
}

/// What a statement asks for as it waits.
#[derive(Debug, Clone, Copy)]
struct Asked<'r> {
    oid: Option<Oid>,
    name: Option<&'r RelationName>,
    mode: Option<LockMode>,
    /// `NOWAIT`
    conditional: bool,
}

impl Asked<'_> {
    /// A wait for a transaction to end, whatever it has locked.
    const NOTHING: Self = Self {
        oid: None,
        name: None,
        mode: None,
        conditional: false,
    };
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

    /// Asks every request in order. `held`: what the migration's transaction has locked before.
    #[must_use]
    pub fn run(mut self, held: &mut Held) -> (StatementVerdict, Vec<Doubt>) {
        for request in &self.statement.locks {
            self.request(request, held);
        }
        for phase in &self.statement.phases {
            self.phase(phase, held);
            self.note_what_it_holds(held);
        }
        safe_snapshot::judge(&mut self);
        rows::judge(&mut self, held);
        catalog_rows::judge(&mut self);
        super::objects::judge(&mut self);
        super::advisory::judge(&mut self);
        self.note_what_it_holds(held);
        self.verdict.behind = behind::of(&self);
        self.verdict.notes = notes::of(&self);
        held.end_statement();
        (self.verdict, self.doubts)
    }

    fn request(&mut self, request: &LockRequest, held: &mut Held) {
        let skipped = request
            .only_after
            .is_some_and(|oid| self.skipped.contains(&oid));
        if request.own || skipped {
            return;
        }
        // Made by an earlier statement of the run: nobody else can hold a lock on it yet.
        let Some(oid) = request.oid else {
            return;
        };
        if request.possible && !routed::surely_waits(self, request, held) {
            return self.possible(oid, request, &held.modes_on(oid));
        }
        self.lock(
            oid,
            &request.name,
            request.mode,
            request.nowait,
            held.modes_on(oid),
        );
        self.note_what_it_holds(held);
        if self.skipped.contains(&oid) && request.nowait {
            return;
        }
        held.add(oid, request, self.statement);
    }

    fn note_what_it_holds(&mut self, held: &Held) {
        if self.meanwhile.is_none() && self.verdict.blocks() {
            self.meanwhile = Some(held.locks().to_vec());
        }
    }

    fn lock(
        &mut self,
        oid: Oid,
        name: &RelationName,
        mode: LockMode,
        nowait: bool,
        will_hold: Vec<LockMode>,
    ) {
        let asked = Asked {
            oid: Some(oid),
            name: Some(name),
            mode: Some(mode),
            conditional: nowait,
        };
        let queue = self.scene.queue(oid);
        let (asker, server) = (self.scene.asker(), &self.scene.snapshot.server);
        let front = if nowait {
            queue.front_of_conditional(mode, asker, &will_hold, server.major())
        } else {
            queue.front(mode, asker, &will_hold)
        };
        if nowait && !front.is_empty() {
            self.skipped.insert(oid);
        }
        for claim in &front.holders {
            self.meet(owner(claim), asked, WaitKind::Lock, front.deadlock);
        }
        for claim in &front.waiters {
            self.meet(owner(claim), asked, WaitKind::Queue, front.deadlock);
        }
    }

    /// A lock that it may never ask for: who is in front makes a doubt, no wait.
    fn possible(&mut self, oid: Oid, request: &LockRequest, will_hold: &[LockMode]) {
        let scene = self.scene;
        let front = scene
            .queue(oid)
            .front(request.mode, scene.asker(), will_hold);
        let in_front = front.holders.iter().chain(&front.waiters);
        let who = in_front.map(owner).filter(|owner| rows::lasts(self, owner));
        if let Some(who) = Owner::names(who, scene) {
            self.acceptable(
                Allowable::DataDependent,
                format!(
                    "it may need {} on {} ({}), and {who} is in front",
                    request.mode, request.name, request.reason
                ),
                "look again once that transaction is over; what the statement reaches, only its rows tell",
            );
        }
    }

    fn phase(&mut self, phase: &WaitPhase, held: &Held) {
        match phase {
            WaitPhase::Lockers { oid, name, mode } => {
                if let Some(oid) = *oid {
                    self.lockers(oid, name, *mode, held.modes_on(oid));
                }
            }
            WaitPhase::ThenLock { oid, name, mode } => {
                if let Some(oid) = *oid {
                    self.lock(oid, name, *mode, false, held.modes_on(oid));
                }
            }
            WaitPhase::Snapshots => self.snapshots(),
            WaitPhase::SafeSnapshot => safe_snapshot::wait(self),
        }
    }

    fn lockers(&mut self, oid: Oid, name: &RelationName, mode: LockMode, will_hold: Vec<LockMode>) {
        let asked = Asked {
            oid: Some(oid),
            name: Some(name),
            mode: Some(mode),
            conditional: false,
        };
        let scene = self.scene;
        for claim in scene.queue(oid).lockers(mode, scene.asker(), &will_hold) {
            self.meet(owner(claim), asked, WaitKind::Lockers, false);
        }
    }

    fn snapshots(&mut self) {
        for (party, awaited) in old_snapshots::old_snapshots(self.scene) {
            let owner = Owner { party, lock: None };
            match awaited {
                Awaited::Yes => self.meet(owner, Asked::NOTHING, WaitKind::Snapshot, false),
                Awaited::Unknown => self.hidden(
                    owner,
                    "builds an index concurrently: whether others wait for its snapshot hangs on \
                     the index's expressions",
                ),
            }
        }
    }

    /// A safe snapshot waits for this transaction to end.
    pub fn wait_for_writer(&mut self, owner: Owner<'a>) {
        self.meet(owner, Asked::NOTHING, WaitKind::SafeSnapshot, false);
    }

    /// Somebody is in front.
    fn meet(&mut self, owner: Owner<'a>, asked: Asked, kind: WaitKind, deadlock: bool) {
        let skips = asked.conditional && self.statement.kind().passes_over;
        let fails = deadlock || (asked.conditional && !skips);
        let directly = kind != WaitKind::Queue;
        let weight = if skips {
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
            object: None,
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
        match self.places.entry((wait.oid, owner.named(self.scene))) {
            Entry::Occupied(place) => {
                let earlier = &mut self.verdict.waits[*place.get()];
                if wait.counts && !earlier.counts {
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
        }
    }

    /// Something that the role may not see decides.
    fn hidden(&mut self, owner: Owner<'a>, what: &str) {
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
}

/// Whose claim it is.
pub fn owner<'a>(claim: &Claim<'a, Party<'a>>) -> Owner<'a> {
    Owner {
        party: claim.party,
        lock: Some(claim.lock),
    }
}
