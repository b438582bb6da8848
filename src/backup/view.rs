//! What was seen of a dump, as the clocks read it.

use super::buffer::Buffer;
use super::clock::Clock;
use super::elapsed::seconds;
use super::moment::{Moment, moments, work};
use super::rows::Amount;
use super::watcher::Watcher;
use crate::model::Oid;
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};

/// What the clocks read.
pub(super) struct View<'a> {
    pub watcher: &'a Watcher,
    /// Its tables' work.
    pub amounts: &'a [Amount],
    /// Share of the looks in which it waited for its client.
    pub wait: f64,
    /// When copying began.
    pub origin: DateTime<Utc>,
    /// How far it was since then.
    pub moments: Vec<Moment>,
}

impl<'a> View<'a> {
    /// What was seen of a dump; `None`: nothing yet.
    pub fn of(watcher: &'a Watcher, amounts: &'a [Amount]) -> Option<Self> {
        watcher.points.last()?;
        let wait = client_wait(watcher);
        let index = index(watcher);
        let buffer = Buffer::of(watcher, wait);
        let origin = origin(watcher)?;
        Some(Self {
            moments: moments(watcher, amounts, origin, &index, &buffer),
            watcher,
            amounts,
            wait,
            origin,
        })
    }

    /// Work done at the times of the looks, in units of a clock, with the seconds since copying began.
    pub fn course(&self, units: &[f64]) -> Vec<(f64, f64)> {
        let at = self.moments.iter().map(|m| m.at);
        at.zip(work(&self.moments, units)).collect()
    }

    /// The stretch of the course before the first look, of which only the end was seen: until when,
    /// in seconds, and how far off the work in it may be (variance of its logarithm).
    pub fn unseen(&self, clock: &Clock) -> Option<(f64, f64)> {
        let first = self.watcher.points.first()?;
        let since = first.copies.iter().filter_map(|c| c.since).max();
        let until = seconds(self.origin, since.unwrap_or(first.at).min(first.at));
        let before = |at: Option<DateTime<Utc>>| at == Some(first.at);
        let (mut all, mut doubt) = (0.0, 0.0);
        for (i, table) in self.watcher.tables.iter().enumerate() {
            if before(table.done_at) {
                all += clock.units[i];
                doubt += clock.units[i].powi(2) * self.amounts[i].doubt;
            }
        }
        (until > 0.5 && all > 0.0).then(|| (until, doubt / (all * all)))
    }

    /// How far off the work may be that remains: variance of its logarithm.
    pub fn doubt(&self, clock: &Clock) -> f64 {
        let (mut all, mut doubt) = (0.0, 0.0);
        for (amount, units) in self.amounts.iter().zip(&clock.units) {
            if !amount.done {
                let left = units * (1.0 - amount.share(amount.copied));
                all += left;
                doubt += left * left * amount.doubt;
            }
        }
        doubt / (all * all).max(1e-9)
    }
}

/// Where the tables are that any look saw in flight: a few of perhaps twenty thousand.
fn index(watcher: &Watcher) -> HashMap<Oid, usize> {
    let points = watcher.points.iter();
    let mentioned: BTreeSet<Oid> = points
        .flat_map(|p| {
            let copies = p.copies.iter().map(|c| c.oid);
            copies.chain(p.draining.iter().map(|d| d.0))
        })
        .collect();
    let tables = watcher.tables.iter().enumerate();
    tables
        .filter(|(_, t)| mentioned.contains(&t.oid))
        .map(|(i, t)| (t.oid, i))
        .collect()
}

/// Where copying began: the first COPY that was seen, if that was the dump's first; else its begin.
fn origin(watcher: &Watcher) -> Option<DateTime<Utc>> {
    let first = watcher.points.first()?;
    let before = watcher.tables.iter().any(|t| t.done_at == Some(first.at));
    let earliest = watcher.tables.iter().filter_map(|t| t.copy_start).min();
    match earliest {
        Some(earliest) if !before => Some(earliest),
        _ => watcher.started,
    }
}

fn client_wait(watcher: &Watcher) -> f64 {
    let copying: Vec<f64> = watcher
        .points
        .iter()
        .filter(|p| !p.copies.is_empty())
        .map(|p| p.client_wait)
        .collect();
    if copying.is_empty() {
        0.5
    } else {
        copying.iter().sum::<f64>() / copying.len() as f64
    }
}
