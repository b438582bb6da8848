//! How many rows each table of the dump set has, and how many are copied.

use super::elapsed::seconds;
use super::matching::PastRun;
use super::seen::TableSeen;
use super::watcher::Watcher;
use super::width::{RowText, row_text};
use crate::model::{DatabaseFacts, Oid, TableFacts, TableRun, TableSample};
use std::collections::HashMap;

/// The amount of work in one table.
#[derive(Debug, Clone)]
pub(super) struct Amount {
    /// Rows in all, best guess.
    pub rows: f64,
    /// Rows that the catalogs promise; 0: not known.
    pub promised: f64,
    /// Rows copied, as last seen.
    pub copied: f64,
    /// Done as of the last look.
    pub done: bool,
    /// Bytes that COPY writes a row: observed, sampled, remembered or guessed.
    pub row_bytes: f64,
    /// Variance of the logarithm of what a table holds, as far as `rows` and `row_bytes` are guesses.
    pub doubt: f64,
    /// Relative time to compress a row.
    pub row_effort: f64,
    /// Bytes a row, compressed.
    pub row_packed: f64,
    /// Columns a row.
    pub columns: f64,
    /// Bytes on disk, TOAST included.
    pub disk: f64,
    /// It is locked but its rows are left out (`--exclude-table-data`).
    pub skipped: bool,
}

impl Amount {
    /// Bytes that COPY writes of it in all.
    pub fn bytes(&self) -> f64 {
        self.rows * self.row_bytes
    }

    /// Share of its rows that `tuples` are.
    pub fn share(&self, tuples: f64) -> f64 {
        if self.rows <= 0.0 {
            0.0
        } else {
            (tuples / self.rows).clamp(0.0, 1.0)
        }
    }
}

/// What past runs remember of each table, in dump order: the newest that saw it whole.
pub(super) fn remembered<'a>(past: &'a [PastRun]) -> Vec<Option<&'a TableRun>> {
    let tables = past.first().map_or(0, |p| p.tables.len());
    (0..tables)
        .map(|place| {
            let mut runs = past.iter().filter_map(|p| p.whole(place));
            runs.find(|t| t.tuples > 0.0 || t.is_left_out())
        })
        .collect()
}

/// The amounts of the dump set, in dump order. `memory`: as [`remembered`].
pub(super) fn amounts(
    watcher: &Watcher,
    facts: &DatabaseFacts,
    memory: &[Option<&TableRun>],
) -> Vec<Amount> {
    let by_oid: HashMap<Oid, &TableFacts> = facts.tables.iter().map(|t| (t.oid, t)).collect();
    watcher
        .tables
        .iter()
        .enumerate()
        .map(|(place, table)| {
            let past = memory.get(place).copied().flatten();
            let facts = by_oid.get(&table.oid).copied();
            amount(table, facts, past, watcher.sample_of(table.oid, facts))
        })
        .collect()
}

fn amount(
    seen: &TableSeen,
    facts: Option<&TableFacts>,
    past: Option<&TableRun>,
    sample: Option<TableSample>,
) -> Amount {
    let skipped = seen.copy_start.is_none() && past.is_some_and(TableRun::is_left_out);
    let past = past.filter(|past| past.tuples > 0.0);
    let heap_bytes = sample.map_or(0.0, |s| s.heap_bytes);
    let promised = facts.map_or(0.0, |f| rows_of(f, f.heap_bytes.max(heap_bytes)));
    let guess = match past {
        Some(past) => grown(past, promised).unwrap_or(past.tuples.max(promised)),
        None if facts.is_none() => seen.pages * 8192.0 / 100.0,
        None => promised,
    };
    let rows = rows_seen(seen, guess);
    let text = facts.map_or_else(|| unknown_text(seen, rows), |f| row_text(f, rows));
    let sample = sample.filter(|s| s.rows > 0.0);
    let observed = seen.tuples >= 1.0 && seen.bytes > 0.0;
    let row_bytes = if observed {
        seen.bytes / seen.tuples
    } else if let Some(past) = past.filter(|p| p.bytes > 0.0) {
        past.bytes / past.tuples
    } else {
        sample.map_or(text.bytes, |s| s.bytes_per_row)
    };
    let doubt = if observed {
        0.005
    } else if past.is_some_and(|p| p.bytes > 0.0) || sample.is_some() {
        0.02
    } else {
        facts.map_or(1.0, |f| doubt(f, &text))
    };
    let row_effort = match sample {
        Some(s) if s.zlib_seconds_per_row > 0.0 => {
            s.zlib_seconds_per_row * 1e9 * row_bytes / s.bytes_per_row.max(1.0)
        }
        _ => text.effort * (row_bytes / text.bytes.max(1.0)).powf(0.7),
    };
    Amount {
        rows,
        promised,
        copied: seen.tuples.min(rows),
        done: seen.done_at.is_some(),
        row_bytes,
        doubt,
        row_effort,
        row_packed: row_bytes * text.packed / text.bytes.max(1.0),
        columns: facts.map_or(5.0, |f| f.columns.len() as f64),
        disk: facts.map_or(seen.pages * 8192.0, disk_of),
        skipped,
    }
}

/// Rows of now, by those that a past run counted and what the catalogs promise. That may be off; by how much it grew since
/// is better known. `None`: nothing is promised.
pub(super) fn grown(past: &TableRun, promised: f64) -> Option<f64> {
    let is_promised = promised > 0.0 && past.promised > 0.0;
    is_promised.then(|| past.tuples * promised / past.promised)
}

/// Bytes on disk, TOAST included.
pub(super) fn disk_of(facts: &TableFacts) -> f64 {
    facts.heap_bytes.max(facts.pages * 8192.0) + facts.toast_pages * 8192.0
}

/// How far off statistics may be. Values out of line may be compressed, tenfold and more; so may wide
/// values within the page (of rows over 2 kB, `TOAST_TUPLE_THRESHOLD`); unanalyzed tables tell little.
fn doubt(facts: &TableFacts, text: &RowText) -> f64 {
    let known = facts.columns.iter().all(|c| c.avg_width.is_some());
    let statistics = if known && facts.tuples >= 0.0 {
        0.04
    } else {
        0.5
    };
    let wide = if text.wide { 0.6 } else { 0.0 };
    statistics + wide + 1.2 * text.toasted / text.bytes.max(1.0)
}

/// Without a catalog: a row of a hundred bytes.
fn unknown_text(seen: &TableSeen, rows: f64) -> RowText {
    let stored = if rows > 0.0 {
        seen.pages * 8192.0 / rows
    } else {
        100.0
    };
    RowText {
        bytes: stored,
        effort: stored * 25.0,
        packed: stored * 0.35,
        toasted: 0.0,
        wide: false,
        stored,
    }
}

/// The planner's rule (`estimate_rel_size`, plancat.c): the density of the last analyze times the
/// size of now. Where the size may not be asked for: the running count of live rows.
fn rows_of(facts: &TableFacts, heap_bytes: f64) -> f64 {
    let analyzed = facts.pages > 0.0 && facts.tuples >= 0.0;
    if heap_bytes > 0.0 && analyzed {
        facts.tuples * (heap_bytes / 8192.0) / facts.pages
    } else if facts.live_tuples > 0.0 {
        live_rows(facts)
    } else if heap_bytes > 0.0 {
        heap_bytes / row_text(facts, 1000.0).stored
    } else {
        facts.tuples.max(0.0)
    }
}

/// Counters that are complete to this share have seen the table from its first row on.
const COMPLETE: f64 = 0.98;

/// The running count of live rows. An INSERT and an ANALYZE of one job make it too high: the ANALYZE counts the
/// rows, and the statistics of the INSERT, which come later, count them again (`pgstat_report_analyze`,
/// pgstat_relation.c). Each row is inserted once, so no more are there than were inserted and not deleted, where
/// the counters have seen all of them.
fn live_rows(facts: &TableFacts) -> f64 {
    let left = match (facts.inserted, facts.deleted) {
        (Some(inserted), Some(deleted)) => inserted - deleted,
        _ => return facts.live_tuples,
    };
    if left > 0.0 && left >= COMPLETE * facts.tuples {
        facts.live_tuples.min(left.max(facts.tuples))
    } else {
        facts.live_tuples
    }
}

/// What this run saw overrules the guess: no fewer rows than were copied, and for a table that is
/// done no more than its pace allows until it was last missing.
fn rows_seen(seen: &TableSeen, guess: f64) -> f64 {
    let Some(most) = most_rows(seen) else {
        return guess.max(seen.tuples * 1.03);
    };
    if seen.done_at.is_some() {
        guess.clamp(seen.tuples, most.max(seen.tuples))
    } else {
        guess.max(seen.tuples * 1.03)
    }
}

fn most_rows(seen: &TableSeen) -> Option<f64> {
    let (start, last) = (seen.copy_start?, seen.last_seen?);
    let end = seen.copy_end.or(seen.done_at).unwrap_or(last);
    let watched = seconds(start, last);
    (watched > 0.05).then(|| seen.tuples * (1.0 + 2.0 * (seconds(last, end) / watched)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(tuples: f64, live: f64, inserted: f64) -> TableFacts {
        TableFacts {
            tuples,
            pages: 100.0,
            live_tuples: live,
            inserted: Some(inserted),
            deleted: Some(0.0),
            ..TableFacts::default()
        }
    }

    #[test]
    fn rows_that_an_analyze_and_their_insert_counted_are_there_once() {
        // cases/ops/15: 10,757 rows, and a job that inserted 6,477 and analyzed.
        assert!((rows_of(&table(17_234.0, 23_711.0, 17_234.0), 0.0) - 17_234.0).abs() < 0.1);
        // Inserted since the ANALYZE.
        assert!((rows_of(&table(10_757.0, 17_234.0, 17_234.0), 0.0) - 17_234.0).abs() < 0.1);
        // The counters were reset before.
        assert!((rows_of(&table(10_000.0, 15_000.0, 5_000.0), 0.0) - 15_000.0).abs() < 0.1);
        // Never analyzed.
        assert!((rows_of(&table(-1.0, 700.0, 700.0), 0.0) - 700.0).abs() < 0.1);
    }
}
