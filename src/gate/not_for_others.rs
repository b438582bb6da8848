//! What stops a migration although nobody is in its way.

use crate::model::Verdict;
use crate::words;

/// In words, each: what Postgres will refuse, and the locks that would keep others out for too long.
#[must_use]
pub fn not_for_others(verdict: &Verdict) -> Vec<String> {
    let mut reasons = Vec::new();
    for statement in &verdict.statements {
        let refused = statement.fails.iter();
        reasons.extend(refused.map(|why| format!("Postgres will refuse it: {why}")));
        for held in statement.holds.iter().filter(|held| held.over_s.is_some()) {
            let hold = &held.hold;
            reasons.push(format!(
                "it would hold {} on {} for {}",
                hold.mode,
                hold.name,
                words::guess(hold.time)
            ));
        }
    }
    reasons
}
