//! What a watcher saw, as the history keeps it.

use super::counted::{Counted, NEARLY_ALL};
use super::elapsed::seconds;
use super::matching::matching;
use super::physical;
use super::rows::{Amount, amounts};
use super::seen::TableSeen;
use super::shared;
use super::watcher::{Stage, Watcher};
use crate::model::{BackupRun, DatabaseFacts, RunKey, RunOutcome, TableRun};
use chrono::{DateTime, Utc};

/// Bytes that the buffers of a socket hold, about.
const HELD: f64 = 4.3e6;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When it was over: the first look that missed it, or exactly.
    pub at: DateTime<Utc>,
    /// How, where that is known exactly.
    pub outcome: Option<RunOutcome>,
}

impl Watcher {
    /// The run so far, if its begin is known. `end`: the session is no longer there.
    ///
    /// Unless its outcome is known, it is complete only if its last table was seen done, or 99 % of
    /// the work, or of the bytes of a physical backup, or where the server's [counters](super::counted) say so.
    #[must_use]
    pub fn run(&self, key: RunKey, facts: &DatabaseFacts, end: Option<End>) -> Option<BackupRun> {
        let started = self.started?;
        let amounts = amounts(self, facts, &[]);
        let outcome = match end {
            None => RunOutcome::Running,
            Some(end) => end.outcome.unwrap_or_else(|| self.outcome(facts, &amounts)),
        };
        let ended = end.map_or(self.seen()?, |e| e.at);
        let finished = (outcome == RunOutcome::Complete).then(|| self.finished(ended));
        Some(BackupRun {
            key,
            started,
            ended,
            outcome,
            workers: u32::try_from(self.workers).unwrap_or(u32::MAX),
            manner: self.manner(),
            database_bytes: amounts.iter().map(|a| a.disk).sum::<f64>() as i64,
            tables: match finished {
                Some(finished) => self.counted(finished.table_runs(&amounts), facts),
                None => self.table_runs(&amounts),
            },
            source: "watch".into(),
        })
    }

    /// Whether the counters show, beside the newest complete run of its kind, that it stopped before its end.
    #[must_use]
    pub fn is_stopped(&self, facts: &DatabaseFacts, past: &[BackupRun]) -> bool {
        let past = matching(self, past);
        let counted = Counted::of(self, facts);
        let amounts = amounts(self, facts, &[]);
        past.first()
            .is_some_and(|run| counted.is_stopped_beside(run, &amounts))
    }

    /// The tables of a complete run, with the rows that the server counted where it did.
    fn counted(&self, mut tables: Vec<TableRun>, facts: &DatabaseFacts) -> Vec<TableRun> {
        let counted = Counted::of(self, facts);
        for (run, seen) in tables.iter_mut().zip(&self.tables) {
            if seen.tuples <= 0.0 && counted.is_left_out(seen) {
                (run.tuples, run.bytes, run.seconds) = (0.0, 0.0, 0.0);
                run.complete = true;
                continue;
            }
            if let Some(rows) = counted.exact_rows(seen).filter(|rows| *rows >= seen.tuples) {
                run.bytes *= if run.tuples > 0.0 {
                    rows / run.tuples
                } else {
                    1.0
                };
                run.tuples = rows;
                if rows <= 0.0 {
                    run.promised = 0.0;
                }
            }
        }
        tables
    }

    fn outcome(&self, facts: &DatabaseFacts, amounts: &[Amount]) -> RunOutcome {
        if self.is_complete(amounts) {
            return RunOutcome::Complete;
        }
        let counted = Counted::of(self, facts).outcome(amounts);
        counted.unwrap_or(RunOutcome::Unseen)
    }

    /// As if one more look had seen everything done.
    fn finished(&self, at: DateTime<Utc>) -> Self {
        let mut finished = self.clone();
        for table in &mut finished.tables {
            table.done_at = table.done_at.or(Some(at));
        }
        finished
    }

    fn is_complete(&self, amounts: &[Amount]) -> bool {
        if self.tables.is_empty() {
            return self.is_sent();
        }
        let total: f64 = amounts.iter().map(Amount::bytes).sum();
        let done: f64 = amounts
            .iter()
            .map(|a| {
                if a.done {
                    a.bytes()
                } else {
                    a.copied * a.row_bytes
                }
            })
            .sum();
        let last_is_done =
            self.workers == 0 && self.tables.last().is_some_and(|t| t.done_at.is_some());
        last_is_done || (total > 0.0 && done >= NEARLY_ALL * total)
    }

    /// Whether a physical backup had sent all there was: it only waited for the write-ahead log, or had
    /// sent 99 % of the bytes that the server counted.
    fn is_sent(&self) -> bool {
        let nearly = || {
            let (course, total) = physical::course(self)?;
            Some(course.last()?.1 >= NEARLY_ALL * total)
        };
        self.stage == Stage::Finishing || nearly().unwrap_or(false)
    }

    /// Each table's time: from its begin to the next one's, where both were seen; what lies
    /// between two looks is shared among the tables that fit in, by bytes.
    fn table_runs(&self, amounts: &[Amount]) -> Vec<TableRun> {
        let spans = if self.workers > 0 {
            shared::spans(self, amounts)
        } else {
            self.serial_spans(amounts)
        };
        self.tables
            .iter()
            .zip(amounts)
            .zip(spans)
            .map(|((table, amount), seconds)| {
                let complete = table.done_at.is_some() && seconds.is_some();
                let rows = if complete {
                    amount.rows.max(table.tuples)
                } else {
                    table.tuples
                };
                TableRun {
                    name: table.name.clone(),
                    tuples: rows,
                    promised: amount.promised,
                    bytes: rows * amount.row_bytes,
                    seconds: seconds.unwrap_or(0.0),
                    complete,
                }
            })
            .collect()
    }

    fn serial_spans(&self, amounts: &[Amount]) -> Vec<Option<f64>> {
        let mut spans = vec![None; self.tables.len()];
        let seen: Vec<usize> = (0..self.tables.len())
            .filter(|i| self.tables[*i].copy_start.is_some())
            .collect();
        for (place, &i) in seen.iter().enumerate() {
            let table = &self.tables[i];
            let (Some(start), Some(last)) = (table.copy_start, table.copy_end.or(table.last_seen))
            else {
                continue;
            };
            let next = seen.get(place + 1).copied();
            let until = next
                .and_then(|n| self.tables[n].copy_start)
                .or(table.done_at);
            let (Some(until), true) = (until, table.done_at.is_some()) else {
                continue;
            };
            let range = i + 1..next.unwrap_or(self.tables.len());
            share_gap(
                &mut spans,
                &self.tables,
                amounts,
                i,
                (start, last, until),
                range,
            );
        }
        // Watched from the start, the tables before the first COPY that was seen took no time.
        if self.points.first().is_some_and(|p| {
            p.copies.is_empty() && self.tables.iter().all(|t| t.done_at != Some(p.at))
        }) {
            for span in spans.iter_mut().take(seen.first().copied().unwrap_or(0)) {
                *span = Some(0.02);
            }
        }
        spans
    }
}

/// Shares the time after the last look at table `i` between its rest and the tables after it.
fn share_gap(
    spans: &mut [Option<f64>],
    tables: &[TableSeen],
    amounts: &[Amount],
    i: usize,
    (start, last, until): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
    others: std::ops::Range<usize>,
) {
    let bytes = |a: &Amount| a.bytes() + 1.0;
    // What is left of it, or still lies in the buffer between server and client.
    let rest = if tables[i].copy_end.is_some() {
        bytes(&amounts[i]).min(HELD)
    } else {
        bytes(&amounts[i]) * (1.0 - amounts[i].share(amounts[i].copied)) + 1.0
    };
    let among: f64 = rest + others.clone().map(|o| bytes(&amounts[o])).sum::<f64>();
    let gap = seconds(last, until);
    spans[i] = Some(seconds(start, last) + gap * rest / among.max(1.0));
    for other in others {
        if tables[other].done_at.is_some() {
            spans[other] = Some(gap * bytes(&amounts[other]) / among.max(1.0));
        }
    }
}
