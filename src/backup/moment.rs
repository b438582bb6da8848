//! What had been done of each table at the times of the looks.

use super::buffer::Buffer;
use super::elapsed::seconds;
use super::rows::Amount;
use super::seen::Point;
use super::watcher::Watcher;
use crate::model::Oid;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// How far the dump was at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Moment {
    /// Seconds since copying began.
    pub at: f64,
    /// Places of the tables that were done since the moment before.
    pub ended: Vec<usize>,
    /// Tables in flight, with the share of each that its client has read.
    pub in_flight: Vec<(usize, f64)>,
    /// Tables that are done for the server, with the share of each that its client has not read yet.
    pub held: Vec<(usize, f64)>,
}

impl Moment {
    /// Share of a table that its client has read; `None`: it has not begun, or all of it.
    pub fn share_of(&self, place: usize) -> Option<f64> {
        let share = |shares: &[(usize, f64)]| shares.iter().find(|s| s.0 == place).map(|s| s.1);
        share(&self.held)
            .map(|held| 1.0 - held)
            .or_else(|| share(&self.in_flight))
    }
}

/// The buffers are not believed to hold more than this share of all that was done.
const MOST_HELD: f64 = 0.75;

/// The moments since `origin`, the first of them before anything was done.
pub(super) fn moments(
    watcher: &Watcher,
    amounts: &[Amount],
    origin: DateTime<Utc>,
    index: &HashMap<Oid, usize>,
    buffer: &Buffer,
) -> Vec<Moment> {
    let tables = watcher.tables.iter().enumerate();
    let mut ends: Vec<(DateTime<Utc>, usize)> = tables
        .filter_map(|(place, t)| t.done_at.map(|at| (at, place)))
        .collect();
    ends.sort_by_key(|e| e.0);
    let mut ends = ends.into_iter().peekable();
    let mut moments = vec![Moment::default()];
    let points = watcher.points.iter().enumerate();
    for (nth, point) in points.filter(|(_, p)| p.at > origin) {
        let mut ended: Vec<usize> = Vec::new();
        while let Some((_, place)) = ends.next_if(|e| e.0 <= point.at) {
            ended.push(place);
        }
        let copies = point
            .copies
            .iter()
            .filter_map(|c| index.get(&c.oid).map(|i| (c, *i)))
            .filter(|(_, i)| watcher.tables[*i].done_at.is_none_or(|at| at > point.at));
        let in_flight: Vec<(usize, f64)> = copies
            .map(|(c, i)| (i, amounts[i].share(c.tuples) * buffer.delivered(c)))
            .collect();
        if nth == 0
            && let Some((at, shares)) = before_first(point, &in_flight, origin, index)
        {
            moments.push(Moment {
                at,
                ended: std::mem::take(&mut ended),
                in_flight: shares,
                held: Vec::new(),
            });
        }
        moments.push(Moment {
            at: seconds(origin, point.at),
            ended,
            in_flight,
            held: buffer.draining(point, amounts, index).collect(),
        });
    }
    moments
}

/// The first look alone tells two times: now, and when the youngest COPY began. How far the others were by then
/// follows from their age.
fn before_first(
    point: &Point,
    in_flight: &[(usize, f64)],
    origin: DateTime<Utc>,
    index: &HashMap<Oid, usize>,
) -> Option<(f64, Vec<(usize, f64)>)> {
    let since = point.copies.iter().filter_map(|c| c.since).max()?;
    if since <= origin || since >= point.at {
        return None;
    }
    let earlier = point.copies.iter().filter_map(|copy| {
        let place = *index.get(&copy.oid)?;
        let share = in_flight.iter().find(|f| f.0 == place)?.1;
        let start = copy.since?;
        let age = seconds(start, point.at).max(1e-3);
        Some((place, share * seconds(start, since) / age))
    });
    Some((seconds(origin, since), earlier.collect()))
}

/// Work done at each moment, in units of a clock; it never falls.
pub(super) fn work(moments: &[Moment], units: &[f64]) -> Vec<f64> {
    let sum = |shares: &[(usize, f64)]| -> f64 { shares.iter().map(|(i, s)| units[*i] * s).sum() };
    let (mut done, mut before) = (0.0, 0.0_f64);
    moments
        .iter()
        .map(|moment| {
            done += moment.ended.iter().map(|i| units[*i]).sum::<f64>();
            let all = done + sum(&moment.in_flight);
            before = before.max((all - sum(&moment.held)).max((1.0 - MOST_HELD) * all));
            before
        })
        .collect()
}
