//! When a running backup ends: the clocks' readings and past runs in one figure, with an interval.
//!
//! Everything is done in the logarithm of the run's whole duration, where errors are symmetric: the
//! clocks are averaged by their weights, and that average is blended with "the median past run, scaled
//! by the database's growth" by inverse variance.

use super::clocks::{Clock, clocks};
use super::facts::TableFacts;
use super::physical;
use super::progress::{DumpProgress, dump_progress};
use crate::model::{
    Backup, BackupRun, BackupTool, Estimate, Oid, RelationName, RunOutcome, Session, Snapshot, age,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// What an estimate is made of.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The look.
    pub snapshot: &'a Snapshot,
    /// The backup's session in it.
    pub session: &'a Session,
    /// The tables that it has locked.
    pub facts: &'a BTreeMap<Oid, TableFacts>,
    /// Past runs that match it, oldest first.
    pub past: &'a [BackupRun],
    /// What earlier looks saw of this very run: how wide the rows of its finished tables were.
    pub watched: Option<&'a BackupRun>,
}

/// `z` of an 80 % interval.
const Z80: f64 = 1.2816;

/// When it ends; `None`: the session is no backup.
#[must_use]
pub fn estimate(question: &Question) -> Option<Estimate> {
    let backup = question.session.backup.as_ref()?;
    let elapsed = question.elapsed_s();
    if backup.leaked {
        let mut told = question.blank(backup, "leaked");
        told.unknown = Some("its client seems to be gone: it will not end by itself".into());
        return Some(told);
    }
    Some(match backup.tool {
        BackupTool::PgDump | BackupTool::PgDumpall => dump(question, backup, elapsed),
        _ => physical::estimate(question, backup, elapsed),
    })
}

impl Question<'_> {
    fn started(&self) -> DateTime<Utc> {
        let backend = self.snapshot.backend(self.session.pid);
        backend
            .and_then(|b| b.xact_start.or(b.query_start).or(b.backend_start))
            .unwrap_or(self.snapshot.taken_at)
    }

    pub(super) fn elapsed_s(&self) -> f64 {
        seconds(age(self.started(), self.snapshot.taken_at))
    }

    /// An estimate that says nothing yet.
    pub(super) fn blank(&self, backup: &Backup, phase: &str) -> Estimate {
        Estimate {
            phase: phase.to_owned(),
            started: self.started(),
            fraction_done: None,
            tables_done: 0,
            tables_total: backup.tables.len(),
            copying: Vec::new(),
            remaining_s: None,
            earliest_s: None,
            latest_s: None,
            basis: String::new(),
            unknown: None,
        }
    }
}

fn seconds(span: chrono::TimeDelta) -> f64 {
    span.as_seconds_f64().max(0.0)
}

fn dump(question: &Question, backup: &Backup, elapsed: f64) -> Estimate {
    let progress = dump_progress(question.snapshot, question.session, backup, question.facts);
    let complete: Vec<BackupRun> = question
        .past
        .iter()
        .filter(|run| run.outcome == RunOutcome::Complete)
        .cloned()
        .collect();
    let readings = if progress.has_begun {
        clocks(question, &progress, &complete)
    } else {
        Vec::new()
    };
    let mut told = question.blank(
        backup,
        if progress.has_begun {
            "copying"
        } else {
            "preparing"
        },
    );
    told.tables_done = progress.done.len();
    told.tables_total = progress.tables.len();
    told.copying = names(&progress, question.facts);
    told.fraction_done = fraction(&readings);
    let by_clocks = by_clocks(&readings, elapsed);
    let by_history = by_history(&complete, question.facts, elapsed);
    let Some(belief) = blend(by_clocks, by_history) else {
        told.unknown = Some(why_unknown(question, &progress, backup));
        return told;
    };
    told.basis = basis(&told, &complete);
    told.remaining_s = Some((belief.mean.exp() - elapsed).max(0.0));
    let at = |z: f64| (belief.sigma.mul_add(z, belief.mean).exp() - elapsed).max(0.0);
    told.earliest_s = Some(at(-Z80));
    told.latest_s = Some(at(Z80));
    told
}

fn names(progress: &DumpProgress, facts: &BTreeMap<Oid, TableFacts>) -> Vec<RelationName> {
    progress
        .copying
        .iter()
        .filter_map(|c| facts.get(&c.table))
        .map(|f| f.name.clone())
        .collect()
}

/// The weighted share that is done.
fn fraction(readings: &[Clock]) -> Option<f64> {
    let weight: f64 = readings.iter().map(|c| c.prior).sum();
    let done: f64 = readings.iter().map(|c| c.prior * c.fraction()).sum();
    (weight > 0.0).then(|| done / weight)
}

/// What is believed of the logarithm of the whole duration, in seconds.
#[derive(Debug, Clone, Copy)]
struct Belief {
    mean: f64,
    sigma: f64,
}

/// How far the logarithm of a past run's speed strays.
const PAST_SPEED: f64 = 0.3;

/// The clocks' average, and how far they are from each other.
fn by_clocks(readings: &[Clock], elapsed: f64) -> Option<Belief> {
    let totals: Vec<(f64, f64)> = readings
        .iter()
        .filter_map(|clock| Some((clock.weight(), remaining(clock)?)))
        .map(|(weight, remaining)| (weight, (elapsed + remaining).ln()))
        .collect();
    let weight: f64 = totals.iter().map(|(w, _)| w).sum();
    if weight <= 0.0 {
        return None;
    }
    let mean = totals.iter().map(|(w, t)| w * t).sum::<f64>() / weight;
    let between = totals
        .iter()
        .map(|(w, t)| w * (t - mean).powi(2))
        .sum::<f64>()
        / weight;
    let left = 1.0 - fraction(readings).unwrap_or(0.0);
    // The rest may run at another speed than what was seen: the less was seen, the more.
    let within = (0.5 * left).powi(2) + 0.02_f64.powi(2);
    Some(Belief {
        mean,
        sigma: (between + within).sqrt(),
    })
}

/// Seconds that a clock leaves. A clock in seconds of a past run starts out at that run's pace and
/// believes what it sees the more, the more it has seen.
fn remaining(clock: &Clock) -> Option<f64> {
    let left = (clock.total - clock.done).max(0.0);
    let speed = match (clock.log_speed(), clock.usual_speed) {
        (seen, None) => seen?,
        (None, Some(usual)) => usual,
        (Some(seen), Some(usual)) => {
            // A run that goes at another pace shows it soon: the farther, the less the past counts.
            let past = 1.0 / 0.5_f64.mul_add((seen - usual).powi(2), PAST_SPEED.powi(2));
            let own = 16.0 * clock.fraction().sqrt();
            (own * seen + past * usual) / (own + past)
        }
    };
    Some(left / speed.exp())
}

/// The median of past runs, scaled by the growth of what is dumped.
fn by_history(
    past: &[BackupRun],
    facts: &BTreeMap<Oid, TableFacts>,
    elapsed: f64,
) -> Option<Belief> {
    let now: f64 = facts.values().map(TableFacts::disk_bytes).sum();
    let mut totals: Vec<f64> = past
        .iter()
        .map(|run| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "an estimate needs no more than 52 bits"
            )]
            let then = run.database_bytes as f64;
            let growth = if then > 0.0 && now > 0.0 {
                (now / then).clamp(0.05, 4.0)
            } else {
                1.0
            };
            seconds(run.ended - run.started) * growth
        })
        .filter(|total| *total > 0.0)
        .map(f64::ln)
        .collect();
    totals.sort_by(f64::total_cmp);
    let mean = *totals.get(totals.len() / 2)?;
    // Already longer than ever: the past has nothing more to say.
    if elapsed.max(0.1).ln() > mean {
        return None;
    }
    let spread = totals.iter().map(|t| (t - mean).abs()).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let sigma = (0.2 + spread) / (totals.len() as f64).sqrt();
    Some(Belief {
        mean,
        sigma: sigma.max(0.12),
    })
}

/// Inverse variance; far apart, both are believed less.
fn blend(clocks: Option<Belief>, history: Option<Belief>) -> Option<Belief> {
    let (a, b) = match (clocks, history) {
        (Some(a), Some(b)) => (a, b),
        (one, other) => return one.or(other),
    };
    let apart = (a.mean - b.mean).powi(2);
    // What was seen of this run is nearer than any past one: only the past is doubted for the distance.
    let (va, vb) = (a.sigma.powi(2), b.sigma.powi(2) + apart);
    let mean = (a.mean / va + b.mean / vb) / (1.0 / va + 1.0 / vb);
    Some(Belief {
        mean,
        sigma: (1.0 / (1.0 / va + 1.0 / vb)).sqrt(),
    })
}

fn basis(told: &Estimate, past: &[BackupRun]) -> String {
    let tables = format!("{} of {} tables", told.tables_done, told.tables_total);
    match past.len() {
        0 => format!("{tables}, no past runs"),
        1 => format!("{tables}, 1 past run"),
        n => format!("{tables}, {n} past runs"),
    }
}

fn why_unknown(question: &Question, progress: &DumpProgress, backup: &Backup) -> String {
    if backup.tables.is_empty() || question.facts.is_empty() {
        "its tables are not known here (another database?): look from its own database".into()
    } else if !progress.has_begun && !question.snapshot.server.sees_all {
        format!(
            "what it copies may not be seen: GRANT pg_monitor TO {}",
            crate::model::quoted(&question.snapshot.server.user)
        )
    } else {
        "it has not copied anything yet, and no past run is known: look again, or record it with pgguard backups record".into()
    }
}
