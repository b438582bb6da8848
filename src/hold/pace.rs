//! How fast this server is: by how much past work of a kind took longer than the guess for any server.

use super::cost;
use crate::model::{HoldTime, Job, JobKind, WorkSeen};
use std::collections::BTreeMap;

/// Past work counts no more than this many times as slow or as fast as the guess: what stood still meanwhile was
/// no work.
const MOST: f64 = 10.0;

/// The number of the newest pieces of work that count.
const NEWEST: usize = 5;

/// By this power the interval is narrower with past work: `./dev hold` tells it.
const NARROWER: f64 = 0.8;

/// By how much work took longer than the guess, by its kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pace(BTreeMap<Kind, Vec<f64>>);

/// A kind of work, the access method of an index, and whether its keys are slow.
type Kind = (JobKind, String, bool);

impl Pace {
    /// What past work tells; the newest first.
    pub fn of<'a>(seen: impl IntoIterator<Item = &'a WorkSeen>) -> Self {
        let mut pace = Self::default();
        for work in seen {
            let factor = work.took_s / work.said_s;
            let kind = kind(work.kind, work.method.as_deref(), work.slow_keys);
            let factors = pace.0.entry(kind).or_default();
            if factor.is_finite() && factor > 0.0 && factors.len() < NEWEST {
                factors.push(factor.clamp(1.0 / MOST, MOST));
            }
        }
        pace
    }

    /// How long a job takes on this server, and how many pieces of past work tell it.
    pub(super) fn time(&self, job: &Job) -> (HoldTime, usize) {
        let plain = cost::of(job);
        let kind = kind(job.kind, job.method.as_deref(), job.slow_keys);
        match self.0.get(&kind) {
            Some(factors) if !factors.is_empty() => (learned(plain, factors), factors.len()),
            _ => (plain, 0),
        }
    }
}

/// The guess by the median of past work. One piece of it says as much of its table and of the load then as of the
/// server: it counts as half, two as two thirds, and so on.
fn learned(plain: HoldTime, factors: &[f64]) -> HoldTime {
    let mut factors = factors.to_vec();
    factors.sort_by(f64::total_cmp);
    let pieces = f64::from(u32::try_from(factors.len()).unwrap_or(u32::MAX));
    let factor = factors[factors.len() / 2].powf(pieces / (pieces + 1.0));
    let expected = plain.expected * factor;
    let nearer = |end: f64| expected * (end / plain.expected).powf(NARROWER);
    match plain.expected > 0.0 {
        true => HoldTime {
            earliest: nearer(plain.earliest),
            expected,
            latest: nearer(plain.latest),
        },
        false => plain,
    }
}

/// B-tree is what an index is without another word.
fn kind(kind: JobKind, method: Option<&str>, slow_keys: bool) -> Kind {
    (kind, method.unwrap_or("btree").to_owned(), slow_keys)
}
