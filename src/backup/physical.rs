//! pg_basebackup and its kin: the server itself counts.

use super::estimate::Question;
use crate::model::{Backup, Estimate, Work};

/// What `pg_stat_progress_basebackup` says of it.
#[must_use]
pub fn estimate(question: &Question, backup: &Backup, elapsed_s: f64) -> Estimate {
    let mut told = question.blank(backup, "transferring");
    let row = question
        .session
        .members
        .iter()
        .flat_map(|pid| question.snapshot.progress_of(*pid))
        .find_map(|work| match work {
            Work::Basebackup {
                phase,
                backup_total,
                backup_streamed,
            } => Some((phase.clone(), *backup_total, *backup_streamed)),
            _ => None,
        });
    let Some((phase, total, streamed)) = row else {
        told.unknown = Some(
            "its tool copies files outside SQL: only its own report tells how far it is".into(),
        );
        return told;
    };
    if let Some(phase) = phase {
        told.phase = phase;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate needs no more than 52 bits"
    )]
    let fraction = match (total, streamed) {
        (Some(total @ 1..), Some(streamed @ 1..)) => (streamed as f64 / total as f64).min(1.0),
        _ => {
            told.unknown = Some(
                "the server has no size to compare with (--no-estimate-size), or pg_monitor is missing".into(),
            );
            return told;
        }
    };
    told.fraction_done = Some(fraction);
    // The rate of a base backup wanders; a third either way held for four of five readings in trials.
    let remaining = elapsed_s * (1.0 - fraction) / fraction;
    told.remaining_s = Some(remaining);
    told.earliest_s = Some(remaining / 1.5);
    told.latest_s = Some(remaining * 1.5);
    told.basis = format!(
        "{:.0} % of the bytes that the server will send",
        fraction * 100.0
    );
    told
}
