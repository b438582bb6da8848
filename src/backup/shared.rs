//! The time of a parallel dump, shared among its tables.
//!
//! Its workers have one line and one disk: while several tables are copied, each takes its part of the time, by the bytes
//! that it copied in it. So the parts of all tables are the time that the whole took, and one that was copied alone at
//! the end has all of that time.

use super::elapsed::seconds;
use super::rows::Amount;
use super::seen::TableSeen;
use super::watcher::Watcher;
use chrono::{DateTime, Utc};

/// When a table was copied, in seconds since the dump began, and bytes a second.
struct Flight {
    place: usize,
    from: f64,
    until: f64,
    rate: f64,
}

/// Seconds of each table's part; `None`: it is not done.
pub(super) fn spans(watcher: &Watcher, amounts: &[Amount]) -> Vec<Option<f64>> {
    let flights = flights(watcher, amounts);
    let mut spans: Vec<Option<f64>> = watcher
        .tables
        .iter()
        .map(|t| t.done_at.map(|_| 0.0))
        .collect();
    let end = watcher.tables.iter().filter_map(|t| t.done_at).max();
    let end = end.map(|end| since(watcher, end));
    let mut edges: Vec<f64> = flights.iter().flat_map(|f| [f.from, f.until]).collect();
    edges.extend(end);
    edges.sort_by(f64::total_cmp);
    for edge in edges.windows(2) {
        let middle = 0.5 * (edge[0] + edge[1]);
        let mut active: Vec<&Flight> = flights
            .iter()
            .filter(|f| f.from <= middle && middle < f.until)
            .collect();
        if active.is_empty() {
            // What lies in the buffers of the last one is still read.
            let before = flights.iter().filter(|f| f.until <= middle);
            active.extend(before.max_by(|a, b| a.until.total_cmp(&b.until)));
        }
        let all: f64 = active.iter().map(|f| f.rate).sum();
        for flight in active {
            if let Some(span) = &mut spans[flight.place] {
                *span += (edge[1] - edge[0]) * flight.rate / all;
            }
        }
    }
    spans
}

fn since(watcher: &Watcher, at: DateTime<Utc>) -> f64 {
    watcher.started.map_or(0.0, |started| seconds(started, at))
}

fn flights(watcher: &Watcher, amounts: &[Amount]) -> Vec<Flight> {
    let tables = watcher.tables.iter().enumerate();
    tables
        .filter_map(|(place, table)| {
            let (from, until) = flight(watcher, table)?;
            let (from, until) = (since(watcher, from), since(watcher, until));
            (until > from).then(|| Flight {
                place,
                from,
                until,
                rate: (amounts[place].bytes() + 1.0) / (until - from),
            })
        })
        .collect()
}

/// From its begin until its client had read it. One that no look saw was copied between two of them.
fn flight(watcher: &Watcher, table: &TableSeen) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let done = table.done_at?;
    let Some(from) = table.copy_start else {
        let before = watcher.points.iter().rev().find(|p| p.at < done)?;
        return Some((before.at, done));
    };
    let drained = watcher
        .points
        .iter()
        .rev()
        .find(|p| p.draining.iter().any(|(oid, _)| *oid == table.oid))
        .map(|p| p.at);
    let ended = table.copy_end.or_else(|| likely_end(table));
    Some((from, ended.max(drained)?))
}

/// Between the last look that saw it and the first that missed it.
fn likely_end(table: &TableSeen) -> Option<DateTime<Utc>> {
    let (last, done) = (table.last_seen?, table.done_at?);
    Some(last + (done - last) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::rows::amounts;
    use crate::model::{DatabaseFacts, RelationName};
    use chrono::TimeDelta;
    use std::sync::Arc;

    fn at(seconds: i64) -> Option<DateTime<Utc>> {
        Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds))
    }

    #[test]
    fn tables_that_are_copied_together_share_the_time() {
        let table = |oid, from: i64, until: i64| {
            let name = Arc::new(RelationName::new("public".to_owned(), format!("t{oid}")));
            let mut table = TableSeen::new(oid, name, 100.0);
            table.tuples = 1000.0 * (until - from) as f64;
            table.bytes = 100.0 * table.tuples;
            table.set_flight((at(from), at(until), table.tuples, table.bytes, at(until)));
            table.done_at = at(until);
            table
        };
        let watcher = Watcher {
            started: at(0),
            workers: 2,
            // Two together, then the longer one alone, and what its client still reads until the end.
            tables: vec![table(1, 2, 12), table(2, 2, 6), table(3, 12, 14)],
            ..Watcher::default()
        };
        let spans = spans(&watcher, &amounts(&watcher, &DatabaseFacts::default(), &[]));
        let spans: Vec<f64> = spans.into_iter().flatten().collect();
        for (span, expected) in spans.iter().zip([8.0, 2.0, 2.0]) {
            assert!((span - expected).abs() < 0.01, "{spans:?}");
        }
    }
}
