//! What a rehearsal measured, joined with what the rules predict: the stronger of both counts.
//!
//! An empty copy shows every lock of code that reads no rows. What reads rows there, or catches errors (the locks of
//! what failed are gone by then), stays unknown.

use super::act::Act;
use super::world::World;
use crate::migration::rehearsed;
use crate::model::{
    Command, Comparison, Effect, LockMode, LockOn, LockRequest, Measured, Oid, RelationName,
};
use std::collections::HashMap;

/// The relations by the names that they had before the first statement, and what the open transaction has locked.
pub struct Ground {
    names: HashMap<RelationName, Oid>,
    held: Vec<(Oid, LockMode)>,
    transaction: Option<usize>,
}

impl Ground {
    /// Before the first statement.
    pub fn of(world: &World) -> Self {
        Self {
            names: world
                .relations()
                .map(|relation| (relation.name.clone(), relation.oid))
                .collect(),
            held: Vec::new(),
            transaction: None,
        }
    }

    /// Adds what was measured to a statement that has been played. `command`: its tag.
    pub fn join(&mut self, act: &mut Act, measured: &Measured, command: &str) -> Comparison {
        if self.transaction != Some(act.source.transaction) {
            self.transaction = Some(act.source.transaction);
            self.held.clear();
        }
        let mut comparison = Comparison::default();
        let was_opaque = act.is_opaque();
        let foretold: Vec<LockRequest> = act.requested().to_vec();
        for lock in &measured.locks {
            let owner = self.names.get(&lock.name).copied();
            let oid = match lock.is_toast {
                true => owner.and_then(|oid| Some(act.world.relation(oid)?.toast)),
                false => owner,
            };
            let Some(oid) = oid.filter(|oid| act.world.relation(*oid).is_some()) else {
                continue;
            };
            self.held.push((oid, lock.mode));
            // New files come with another TOAST table, which takes the name of the one that was locked.
            let name = act.world.relation(oid).map(|r| r.name.clone());
            let is_it = |asked: &LockRequest| {
                asked.oid == Some(oid) || lock.is_toast && Some(&asked.name) == name.as_ref()
            };
            let covers = |asked: &LockRequest| {
                is_it(asked) && !asked.possible && asked.mode.covers(lock.mode)
            };
            if was_opaque {
                act.works(oid, lock.work);
            }
            if !foretold.iter().any(covers) {
                act.lock(oid, lock.mode, "seen in the rehearsal");
                if !was_opaque {
                    comparison.more.push(on(act, oid, lock.mode));
                }
            }
        }
        if !was_opaque {
            let fewer = self.fewer(act, &foretold);
            match hangs_on_rows(command) {
                true => comparison.data_dependent = fewer,
                false => comparison.fewer = fewer,
            }
        }
        if was_opaque {
            comparison.answers = answers(act, measured);
        }
        note(act, &comparison);
        comparison
    }

    /// Locks that are kept for certain, and that the transaction does not have.
    fn fewer(&self, act: &Act, foretold: &[LockRequest]) -> Vec<LockOn> {
        let is_certain = |asked: &&LockRequest| {
            let leaves = asked.transient || asked.is_given_back || asked.nowait;
            !leaves && !asked.possible && !asked.own && asked.only_after.is_none()
        };
        let missing = foretold.iter().filter(is_certain).filter_map(|asked| {
            let oid = asked.oid?;
            let relation = act.world.relation(oid);
            // A TOAST table's index goes with it, and is not in the measure.
            let is_toast = asked.name.schema == "pg_toast";
            let is_new = is_toast || act.world.created_in(oid).is_some() || relation.is_none();
            let has = |(held, mode): &(Oid, LockMode)| *held == oid && mode.covers(asked.mode);
            (!is_new && !self.held.iter().any(has)).then(|| LockOn {
                name: asked.name.clone(),
                mode: asked.mode,
            })
        });
        missing.collect()
    }
}

fn on(act: &Act, oid: Oid, mode: LockMode) -> LockOn {
    let name = act.world.relation(oid).map(|r| r.name.clone());
    LockOn {
        name: name.unwrap_or_else(|| RelationName::new("", oid.to_string())),
        mode,
    }
}

/// Whether the measure is the answer to what the rules do not know.
fn answers(act: &mut Act, measured: &Measured) -> bool {
    if !measured.reads.is_empty() {
        act.is_opaque_because(rehearsed::not_seen(&rehearsed::shown(&measured.reads)));
        return false;
    }
    if measured.unclear.is_some() {
        return false;
    }
    act.is_known();
    true
}

/// Whether which locks it takes hangs on the rows that it meets: partitions, references, triggers.
fn hangs_on_rows(command: &str) -> bool {
    !matches!(Command::of(command).effect, Effect::Schema) && command != "LOCK TABLE"
}

/// A difference is said: either the rules are wrong, or the copy is no copy.
fn note(act: &mut Act, comparison: &Comparison) {
    let list = |locks: &[LockOn]| {
        let each = locks
            .iter()
            .map(|lock| format!("{} on {}", lock.mode, lock.name));
        each.collect::<Vec<_>>().join(", ")
    };
    if !comparison.more.is_empty() {
        let locks = list(&comparison.more);
        act.notes.push(format!(
            "the rehearsal took {locks}, which the rules do not predict: both are counted"
        ));
    }
    if !comparison.fewer.is_empty() {
        let locks = list(&comparison.fewer);
        act.notes.push(format!(
            "the rules predict {locks}, which the rehearsal did not take: both are counted"
        ));
    }
    if !comparison.data_dependent.is_empty() {
        let locks = list(&comparison.data_dependent);
        act.notes.push(format!(
            "{locks} depends on rows, which the rehearsal's copy does not have: it counts"
        ));
    }
}
