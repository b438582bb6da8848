//! The bytes between server and client.
//!
//! The server counts a row as copied when it lies in the socket's buffer; a slow client reads it
//! seconds later. So each COPY begins with a leap (the buffer fills), runs at the client's pace, and
//! ends with a pause (the buffer drains while the backend is idle in its transaction). Work that a
//! client has not read is not done.

use super::elapsed::seconds;
use super::rows::Amount;
use super::seen::{CopySeen, Point};
use super::watcher::Watcher;
use crate::model::Oid;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// What a socket's buffers usually hold: `tcp_wmem`'s largest of 4 MiB on Linux.
const USUAL: f64 = 4.3e6;

/// No buffer is believed to hold more.
const MOST: f64 = 9.0e6;

/// What lies between the server and one of the dump's connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Buffer {
    /// Bytes it holds when full.
    bytes: f64,
    /// Bytes a second that the client reads from it.
    rate: f64,
}

impl Buffer {
    /// As far as the looks tell.
    pub fn of(watcher: &Watcher, client_wait: f64) -> Self {
        if !watcher.buffered || client_wait < 0.2 {
            return Self {
                bytes: 0.0,
                rate: 1.0,
            };
        }
        let slope = slope(watcher);
        let mut leaps: Vec<f64> = first_looks(watcher)
            .into_iter()
            .map(|(age, bytes)| match slope {
                Some(rate) => (bytes - rate * age).clamp(0.0, MOST),
                None => bytes.min(USUAL),
            })
            .collect();
        leaps.push(
            USUAL.min(
                leaps
                    .iter()
                    .copied()
                    .fold(f64::INFINITY, f64::min)
                    .max(0.5 * USUAL),
            ),
        );
        leaps.sort_by(f64::total_cmp);
        let bytes = leaps[leaps.len() / 2];
        let rate = slope
            .unwrap_or_else(|| one_look_rate(watcher, bytes))
            .max(1.0);
        Self { bytes, rate }
    }

    /// Share of a table in flight that the client has read of what was copied.
    pub fn delivered(&self, copy: &CopySeen) -> f64 {
        if copy.bytes <= 0.0 {
            1.0
        } else {
            ((copy.bytes - self.bytes) / copy.bytes).max(0.0)
        }
    }

    /// Share of a table, whose COPY has ended, that still lies in the buffer.
    pub fn undelivered(&self, amount: &Amount, ended: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
        let all = amount.bytes().max(1.0);
        let held = self.bytes.min(all);
        ((held - self.rate * seconds(ended, now)) / all).clamp(0.0, 1.0)
    }

    /// Tables that drain at a look, with the share that is not delivered.
    pub fn draining<'a>(
        &'a self,
        point: &'a Point,
        amounts: &'a [Amount],
        index: &'a HashMap<Oid, usize>,
    ) -> impl Iterator<Item = (usize, f64)> + 'a {
        point.draining.iter().filter_map(move |(oid, ended)| {
            let i = *index.get(oid)?;
            Some((i, self.undelivered(&amounts[i], *ended, point.at)))
        })
    }
}

/// Age and bytes of each COPY as it was first seen.
fn first_looks(watcher: &Watcher) -> Vec<(f64, f64)> {
    let mut seen: HashMap<Oid, (f64, f64)> = HashMap::new();
    for point in &watcher.points {
        for copy in &point.copies {
            let age = copy.since.map_or(0.0, |since| seconds(since, point.at));
            seen.entry(copy.oid).or_insert((age, copy.bytes));
        }
    }
    seen.into_values()
        .filter(|(age, _)| (0.05..5.0).contains(age))
        .collect()
}

/// Bytes a second and connection, from how the tables in flight moved between two looks: the leap at
/// their begin is left out.
fn slope(watcher: &Watcher) -> Option<f64> {
    let (mut moved, mut time) = (0.0, 0.0);
    for pair in watcher.points.windows(2) {
        for now in &pair[1].copies {
            let Some(before) = pair[0].copies.iter().find(|c| c.oid == now.oid) else {
                continue;
            };
            moved += (now.bytes - before.bytes).max(0.0);
            time += seconds(pair[0].at, pair[1].at);
        }
    }
    (time >= 2.0 && moved > 0.0).then(|| moved / time)
}

fn one_look_rate(watcher: &Watcher, buffer: f64) -> f64 {
    let rates: Vec<f64> = watcher
        .points
        .iter()
        .flat_map(|p| p.copies.iter().map(move |c| (p, c)))
        .filter_map(|(p, c)| {
            Some((c.bytes - buffer).max(0.1 * c.bytes) / seconds(c.since?, p.at).max(0.5))
        })
        .collect();
    if rates.is_empty() {
        1e6
    } else {
        rates.iter().sum::<f64>() / rates.len() as f64
    }
}
