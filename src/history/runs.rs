//! Past runs: what is kept of each, and what two observers of one run make together.

use super::History;
use super::sets::{self, Sets, know_set, set_of};
use super::store::{damaged, from_row, transaction};
use super::tables;
use crate::Result;
use crate::backup::MOST_RUNS;
use crate::model::{BackupRun, Manner, RelationName, RunKey, RunOutcome, TableRun};
use chrono::{DateTime, SubsecRound as _, Utc};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Which runs; an empty one: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this server: [`RunKey::server`].
    pub server: Option<String>,
    /// Of this database; runs of no database (physical backups) are among them.
    pub database: Option<String>,
    /// Of this program.
    pub tool: Option<String>,
    /// Not more than this many, the newest.
    pub limit: Option<u32>,
    /// Without their tables, which are most of a run.
    pub without_tables: bool,
}

/// One row of `backup_run`.
#[derive(Debug)]
struct Row {
    server: String,
    database: String,
    tool: String,
    role: String,
    application_name: String,
    started: DateTime<Utc>,
    ended: DateTime<Utc>,
    outcome: String,
    workers: i64,
    by_cursor: Option<i64>,
    compressed: Option<i64>,
    database_bytes: i64,
    source: String,
    table_set: Option<i64>,
    figures: Option<Vec<u8>>,
}

from_row!(Row {
    server,
    database,
    tool,
    role,
    application_name,
    started,
    ended,
    outcome,
    workers,
    by_cursor,
    compressed,
    database_bytes,
    source,
    table_set,
    figures
});

const OUTCOMES: [(RunOutcome, &str); 4] = [
    (RunOutcome::Running, "running"),
    (RunOutcome::Complete, "complete"),
    (RunOutcome::Aborted, "aborted"),
    (RunOutcome::Unseen, "unseen"),
];

const BY_FILTER: &str = "
SELECT server, database, tool, role, application_name, started, ended, outcome, workers, by_cursor, compressed,
       database_bytes, source, table_set, CASE WHEN $5 THEN NULL ELSE figures END AS figures
  FROM pgguard.backup_run
 WHERE ($1 = '' OR server = $1)
   AND ($2 = '' OR database IN ($2, ''))
   AND ($3 = '' OR tool = $3)
 ORDER BY started DESC, server, database, tool, role, application_name
 LIMIT $4";

const ONE: &str = "
SELECT server, database, tool, role, application_name, started, ended, outcome, workers, by_cursor, compressed,
       database_bytes, source, table_set, figures
  FROM pgguard.backup_run
 WHERE server = $1 AND database = $2 AND tool = $3 AND role = $4 AND application_name = $5 AND started = $6";

/// A question of which the first places are the key of runs.
macro_rules! of_key {
    ($question:expr, $key:expr) => {{
        let key: &RunKey = $key;
        $question
            .bind(&key.server)
            .bind(&key.database)
            .bind(&key.tool)
            .bind(&key.user)
            .bind(&key.application_name)
    }};
}

/// The run that began at the same time as this one.
macro_rules! one_run {
    ($tx:ident, $sql:ident, $run:expr) => {
        of_key!(sqlx::query_as($sql(ONE)), &$run.key)
            .bind($run.started)
            .fetch_optional(&mut **$tx)
            .await?
    };
}

const SAVE: &str = "
INSERT INTO pgguard.backup_run (server, database, tool, role, application_name, started, ended, outcome, workers,
                                database_bytes, source, table_set, figures, by_cursor, compressed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (server, database, tool, role, application_name, started)
DO UPDATE SET ended = excluded.ended, outcome = excluded.outcome, workers = excluded.workers,
              database_bytes = excluded.database_bytes, source = excluded.source,
              table_set = excluded.table_set, figures = excluded.figures,
              by_cursor = excluded.by_cursor, compressed = excluded.compressed";

/// Candidates for an estimate: complete runs of the database, those of the same key first.
const PAST: &str = "
SELECT id, coalesce(table_set, 0), role = $4 AND application_name = $5
  FROM pgguard.backup_run
 WHERE server = $1 AND database = $2 AND tool = $3 AND outcome = 'complete' AND (workers > 1) = $6
   AND ($7 IS NULL OR by_cursor IS NULL OR by_cursor = $7)
   AND ($8 IS NULL OR compressed IS NULL OR compressed = $8)
 ORDER BY CASE WHEN role = $4 AND application_name = $5 THEN 0 ELSE 1 END, started DESC
 LIMIT 200";

const BY_ID: &str = "
SELECT server, database, tool, role, application_name, started, ended, outcome, workers, by_cursor, compressed,
       database_bytes, source, table_set, figures
  FROM pgguard.backup_run WHERE id = $1";

/// Where a run of its very key is known, those of other roles or names tell nothing more: they may be of another
/// manner.
const ENOUGH: usize = 1;

impl History {
    /// The runs of a filter, the newest first.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn runs(&mut self, filter: &Filter) -> Result<Vec<BackupRun>> {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let rows = transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let rows: Vec<Row> = sqlx::query_as(sql(BY_FILTER))
                    .bind(text(&filter.server))
                    .bind(text(&filter.database))
                    .bind(text(&filter.tool))
                    .bind(i64::from(filter.limit.unwrap_or(u32::MAX)))
                    .bind(filter.without_tables)
                    .fetch_all(&mut **tx)
                    .await?;
                if !filter.without_tables {
                    for id in rows.iter().filter_map(|row| row.table_set) {
                        know_set!(tx, sql, self.sets, id);
                    }
                }
                rows
            }
        )?;
        rows.into_iter()
            .map(|row| run_of(row, &self.sets, self.place()))
            .collect()
    }

    /// The tables of one run.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn tables_of(&mut self, run: &BackupRun) -> Result<Vec<TableRun>> {
        let row: Option<Row> = transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let row: Option<Row> = one_run!(tx, sql, run);
                if let Some(id) = row.as_ref().and_then(|row| row.table_set) {
                    know_set!(tx, sql, self.sets, id);
                }
                row
            }
        )?;
        row.map_or_else(
            || Ok(Vec::new()),
            |row| Ok(run_of(row, &self.sets, self.place())?.tables),
        )
    }

    /// Past runs that can tell about a running one: complete, of its database and program, as parallel as
    /// it, of no other manner, and of a set of tables that `is_same` accepts. Those of its very key, and others where they are few.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn past(
        &mut self,
        key: &RunKey,
        parallel: bool,
        manner: Manner,
        is_same: impl Fn(&[Arc<RelationName>]) -> bool,
    ) -> Result<Vec<BackupRun>> {
        let rows = transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let candidates: Vec<(i64, i64, bool)> = of_key!(sqlx::query_as(sql(PAST)), key)
                    .bind(parallel)
                    .bind(manner.by_cursor.map(i64::from))
                    .bind(manner.compressed.map(i64::from))
                    .fetch_all(&mut **tx)
                    .await?;
                let mut same = HashMap::from([(0, is_same(&[]))]);
                let mut rows: Vec<Row> = Vec::new();
                for (id, set, exact) in candidates {
                    if rows.len() >= if exact { MOST_RUNS } else { ENOUGH } {
                        break;
                    }
                    let fits = if let Some(fits) = same.get(&set) {
                        *fits
                    } else {
                        know_set!(tx, sql, self.sets, set);
                        let fits = self.sets.names(set).is_some_and(|names| is_same(names));
                        same.insert(set, fits);
                        fits
                    };
                    if fits {
                        let row = sqlx::query_as(sql(BY_ID))
                            .bind(id)
                            .fetch_one(&mut **tx)
                            .await?;
                        rows.push(row);
                    }
                }
                rows
            }
        )?;
        rows.into_iter()
            .map(|row| run_of(row, &self.sets, self.place()))
            .collect()
    }

    /// Keeps a run. One that is known already is merged with it: see [`merged`].
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn save(&mut self, run: &BackupRun) -> Result<()> {
        self.save_all(std::slice::from_ref(run)).await.map(|_| ())
    }

    /// Keeps several runs in one transaction: all or none. How many of them were not known before.
    pub(super) async fn save_all(&mut self, runs: &[BackupRun]) -> Result<usize> {
        let place = self.place().to_owned();
        let saved = transaction!(
            &mut self.store,
            write | tx,
            sql | {
                let mut new = 0;
                for run in runs {
                    let run = to_microseconds(run);
                    let known: Option<Row> = one_run!(tx, sql, run);
                    let run = match known {
                        None => {
                            new += 1;
                            run
                        }
                        Some(row) => {
                            if let Some(id) = row.table_set {
                                know_set!(tx, sql, self.sets, id);
                            }
                            // One that is damaged there is written anew.
                            match run_of(row, &self.sets, &place) {
                                Ok(known) => merged(known, run),
                                Err(_) => run,
                            }
                        }
                    };
                    let names = sets::names(run.tables.iter().map(|t| &t.name));
                    let set = set_of!(tx, sql, self.sets, &names);
                    let key = &run.key;
                    of_key!(sqlx::query(sql(SAVE)), key)
                        .bind(run.started)
                        .bind(run.ended)
                        .bind(word_of(run.outcome))
                        .bind(i64::from(run.workers))
                        .bind(run.database_bytes)
                        .bind(&run.source)
                        .bind(set)
                        .bind(tables::pack(&run.tables, &names))
                        .bind(run.manner.by_cursor.map(i64::from))
                        .bind(run.manner.compressed.map(i64::from))
                        .execute(&mut **tx)
                        .await?;
                }
                new
            }
        );
        self.only_committed_sets(saved)
    }
}

fn word_of(outcome: RunOutcome) -> &'static str {
    OUTCOMES
        .iter()
        .find(|(known, _)| *known == outcome)
        .map_or("running", |(_, word)| word)
}

fn run_of(row: Row, sets: &Sets, place: &str) -> Result<BackupRun> {
    let started = row.started;
    let wrong = |what: &str| damaged(place, &format!("{what} of the run of {started}"));
    let outcome = OUTCOMES
        .iter()
        .find(|(_, word)| *word == row.outcome)
        .map(|(outcome, _)| *outcome)
        .ok_or_else(|| wrong("the outcome"))?;
    let tables = match (row.table_set, &row.figures) {
        (None, _) | (_, None) => Vec::new(),
        (Some(id), Some(figures)) => sets
            .names(id)
            .and_then(|names| tables::unpack(figures, names))
            .ok_or_else(|| wrong("the tables"))?,
    };
    Ok(BackupRun {
        key: RunKey {
            server: row.server,
            database: row.database,
            tool: row.tool,
            user: row.role,
            application_name: row.application_name,
        },
        started,
        ended: row.ended,
        outcome,
        workers: u32::try_from(row.workers).unwrap_or(0),
        manner: Manner {
            by_cursor: row.by_cursor.map(|known| known != 0),
            compressed: row.compressed.map(|known| known != 0),
        },
        database_bytes: row.database_bytes,
        tables,
        source: row.source,
    })
}

/// The places keep microseconds, as Postgres does: a run is found again by its begin.
fn to_microseconds(run: &BackupRun) -> BackupRun {
    BackupRun {
        started: run.started.trunc_subsecs(6),
        ended: run.ended.trunc_subsecs(6),
        ..run.clone()
    }
}

/// What two observers of one run know together. Who wrapped it (`record`) knows how it ended; else one
/// that saw it complete is right, and one that saw it end knows more than one that saw it run. Of two ends
/// that were seen from outside, the earlier one is nearer. Each table's figures are those of who saw it whole,
/// or further.
fn merged(known: BackupRun, new: BackupRun) -> BackupRun {
    let rank = |run: &BackupRun| {
        let exact = run.source == "record" && run.outcome != RunOutcome::Running;
        let known = match run.outcome {
            RunOutcome::Complete => 3,
            RunOutcome::Aborted => 2,
            RunOutcome::Unseen => 1,
            RunOutcome::Running => 0,
        };
        (exact, known)
    };
    let is_tie = rank(&known) == rank(&new);
    let (mut better, other) = if rank(&new) > rank(&known) {
        (new, known)
    } else {
        (known, new)
    };
    if is_tie {
        let was_seen_until = matches!(better.outcome, RunOutcome::Running | RunOutcome::Unseen);
        better.ended = if was_seen_until {
            better.ended.max(other.ended)
        } else {
            better.ended.min(other.ended)
        };
    }
    better.workers = better.workers.max(other.workers);
    better.manner = better.manner.or(other.manner);
    if better.database_bytes == 0 {
        better.database_bytes = other.database_bytes;
    }
    let mut others: BTreeMap<Arc<RelationName>, TableRun> = other
        .tables
        .into_iter()
        .map(|t| (Arc::clone(&t.name), t))
        .collect();
    for table in &mut better.tables {
        if let Some(other) = others.remove(&table.name)
            && (other.complete, other.tuples) > (table.complete, table.tuples)
        {
            *table = other;
        }
    }
    better.tables.extend(others.into_values());
    better
}
