//! What Postgres will refuse for certain: waiting does not help, and it is no green.

use super::allow::Allowed;
use super::scene::Scene;
use crate::hold::slots;
use crate::model::{Allowable, Doubt, Footprint, StatementVerdict};

/// Says of each statement that will not run why, unless that was let through; returns what may go wrong. It is a doubt
/// where the session that will run it has written already: what it changed nobody else sees.
pub fn judge(
    scene: &Scene,
    footprint: &Footprint,
    verdicts: &mut [StatementVerdict],
    doubts: &mut Vec<Doubt>,
    allowed: &mut Allowed,
) -> Vec<String> {
    let has_written = scene.asker_has_written();
    let mut warnings = Vec::new();
    let too_many = slots::too_many(footprint, scene.snapshot);
    for (at, verdict) in verdicts.iter_mut().enumerate() {
        let statement = &footprint.statements[at];
        let refused = statement
            .fails
            .as_ref()
            .filter(|_| statement.fails_for_certain);
        let out_of_slots = too_many.iter().find(|found| found.statement == at);
        if let Some(found) = out_of_slots.filter(|found| !found.is_certain) {
            warnings.push(format!(
                "{}:{}: {}",
                statement.file, statement.line, found.why
            ));
        }
        let slots = out_of_slots
            .filter(|found| found.is_certain)
            .map(|found| &found.why);
        let Some(why) = refused.or(slots) else {
            continue;
        };
        if has_written && slots.is_none() {
            doubts.push(Doubt {
                statement: Some(at),
                what: format!("Postgres will refuse it by what others see: {why}"),
                help: "the session of --asking has changes that are not committed; ask before it begins".to_owned(),
                lasting: true,
                accepts: Some(Allowable::Failing),
            });
            continue;
        }
        let what = || format!("Postgres will refuse it: {why}");
        if !allowed.accepts(Allowable::Failing, Some(at), None, what) {
            verdict.fails = Some(why.clone());
        }
    }
    warnings
}
