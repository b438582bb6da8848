//! One statement: what is in its way, kind by kind, in the order in which it meets it.

use super::held::Held;
use super::judge::Judge;
use super::waits::{
    advisory, catalog_rows, databases, objects, phases, relation, rows, safe_snapshot,
};
use super::{behind, notes};
use crate::model::{Doubt, StatementVerdict};

/// Plays the statement through. `held`: what the migration's transaction has locked before.
#[must_use]
pub fn run(mut judge: Judge, held: &mut Held) -> (StatementVerdict, Vec<Doubt>) {
    relation::judge(&mut judge, held);
    phases::judge(&mut judge, held);
    safe_snapshot::judge(&mut judge);
    rows::judge(&mut judge, held);
    catalog_rows::judge(&mut judge);
    objects::judge(&mut judge);
    databases::judge(&mut judge);
    advisory::judge(&mut judge);
    judge.note_what_it_holds(held);
    judge.verdict.behind = behind::of(&judge);
    judge.verdict.notes = notes::of(&judge);
    held.end_statement();
    (judge.verdict, judge.doubts)
}
