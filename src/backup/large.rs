//! Large objects: a dump reads them after its tables, piece by piece, and no view counts the pieces.
//!
//! So their share of the time comes from past runs, which spent it after their last table, or from their bytes.

use super::elapsed::seconds;
use super::matching::PastRun;
use super::rows::Amount;
use super::view::View;
use crate::model::DatabaseFacts;

/// Bytes of a plain dump for each of theirs: between one (`-Fc`) and two (hexadecimal).
const BYTES_EACH: f64 = 1.5;

/// Variance of the logarithm of the time that they take: by their bytes, and by past runs.
const BY_BYTES: f64 = 0.3;
const BY_PAST: f64 = 0.1;

/// The time that the large objects of a dump take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Large {
    /// Seconds in all.
    pub seconds: f64,
    /// How sure that is: variance of its logarithm.
    pub variance: f64,
}

impl Large {
    /// What they take by past runs, else at the speed that the tables had; `None`: there are none, or nothing was
    /// copied yet.
    pub fn of(view: &View, facts: &DatabaseFacts, past: &[PastRun]) -> Option<Self> {
        let bytes = BYTES_EACH * facts.large_object_bytes;
        if bytes <= 0.0 {
            return None;
        }
        let mut tails: Vec<f64> = past
            .iter()
            .map(|run| run.tail)
            .filter(|t| *t > 0.0)
            .collect();
        tails.sort_by(f64::total_cmp);
        if let Some(seconds) = tails.get(tails.len() / 2) {
            return Some(Self {
                seconds: *seconds,
                variance: BY_PAST,
            });
        }
        let speed = speed(view)?;
        Some(Self {
            seconds: bytes / speed,
            variance: BY_BYTES,
        })
    }

    /// Seconds that remain of them, with the variance of the logarithm; `None`: they take longer than expected, or
    /// since when they are read is not known.
    pub fn left(&self, view: &View) -> Option<(f64, f64)> {
        let (since, now) = (view.watcher.large_since?, view.watcher.seen()?);
        let left = self.seconds - seconds(since, now);
        (left > 0.0).then(|| (left, self.variance * (self.seconds / left).powi(2)))
    }
}

/// Share of the bytes of a dump that its tables have, the large objects the others.
pub(super) fn share_of_tables(view: &View, facts: &DatabaseFacts) -> f64 {
    let tables: f64 = view.amounts.iter().map(Amount::bytes).sum();
    let all = tables + BYTES_EACH * facts.large_object_bytes;
    if all > 0.0 { tables / all } else { 1.0 }
}

/// Bytes a second of the tables.
fn speed(view: &View) -> Option<f64> {
    let bytes: Vec<f64> = view.amounts.iter().map(Amount::bytes).collect();
    let total: f64 = bytes.iter().sum();
    let course = view.course(&bytes);
    let whole = course.iter().find(|point| point.1 >= 0.999 * total);
    let (time, done) = *whole.or(course.last())?;
    (time > 1.0 && done > 0.0).then(|| done / time)
}
