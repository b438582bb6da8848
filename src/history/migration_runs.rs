//! Runs of migration commands under `pgguard run`.

use super::History;
use super::store::{damaged, from_row, transaction};
use crate::Result;
use crate::model::{MigrationRun, RunResult};
use crate::safe::masked_command;
use chrono::{DateTime, Utc};

#[derive(Debug)]
struct Row {
    run: String,
    server: String,
    database: String,
    host: String,
    pid: i64,
    asked_by: String,
    command: String,
    started: DateTime<Utc>,
    seen: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    result: String,
    exit_status: Option<i64>,
    tries: i64,
    facts: String,
}

from_row!(Row {
    run,
    server,
    database,
    host,
    pid,
    asked_by,
    command,
    started,
    seen,
    ended,
    result,
    exit_status,
    tries,
    facts
});

/// The newest first; `$1` and `$2`: of this server and database, `$3`: of this name, each where it is not empty.
const SOME: &str = "
SELECT run, server, database, host, pid, asked_by, command, started, seen, ended, result, exit_status, tries, facts
  FROM pgguard.migration_run
 WHERE ($1 = '' OR server = $1) AND ($2 = '' OR database = $2) AND ($3 = '' OR run = $3)
 ORDER BY started DESC, run DESC
 LIMIT $4";

/// What comes late does not take the place of an end.
const KEEP: &str = "
INSERT INTO pgguard.migration_run (run, server, database, host, pid, asked_by, command, started, seen, ended, result,
                                   exit_status, tries, facts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (run)
DO UPDATE SET server = excluded.server, database = excluded.database, seen = excluded.seen, ended = excluded.ended,
              result = excluded.result, exit_status = excluded.exit_status, tries = excluded.tries,
              facts = excluded.facts
        WHERE migration_run.ended IS NULL OR excluded.ended IS NOT NULL";

/// Which runs; an empty one: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhichRuns {
    /// Of this server.
    pub server: Option<String>,
    /// Of this database.
    pub database: Option<String>,
    /// Of this name.
    pub run: Option<String>,
    /// Not more than this many, the newest.
    pub limit: Option<u32>,
}

impl History {
    /// The runs of migration commands, the newest first.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn migration_runs(&mut self, which: &WhichRuns) -> Result<Vec<MigrationRun>> {
        let rows = transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let rows: Vec<Row> = sqlx::query_as(sql(SOME))
                    .bind(which.server.as_deref().unwrap_or_default())
                    .bind(which.database.as_deref().unwrap_or_default())
                    .bind(which.run.as_deref().unwrap_or_default())
                    .bind(i64::from(which.limit.unwrap_or(u32::MAX)))
                    .fetch_all(&mut **tx)
                    .await?;
                rows
            }
        )?;
        let place = self.place().to_owned();
        rows.into_iter()
            .map(|row| run_of(row).ok_or_else(|| damaged(&place, "a run of a migration")))
            .collect()
    }

    /// Keeps a run as it is now.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn keep_migration_run(&mut self, run: &MigrationRun) -> Result<()> {
        transaction!(
            &mut self.store,
            write | tx,
            sql | {
                sqlx::query(sql(KEEP))
                    .bind(&run.run)
                    .bind(&run.server)
                    .bind(&run.database)
                    .bind(&run.host)
                    .bind(i64::from(run.pid))
                    .bind(&run.asked_by)
                    .bind(serde_json::to_string(&run.command).unwrap_or_default())
                    .bind(run.started)
                    .bind(run.seen)
                    .bind(run.ended)
                    .bind(run.result.word())
                    .bind(run.exit_status.map(i64::from))
                    .bind(i64::from(run.tries))
                    .bind(serde_json::to_string(&run.facts).unwrap_or_default())
                    .execute(&mut **tx)
                    .await?;
            }
        )
    }
}

/// `None`: it makes no sense.
fn run_of(row: Row) -> Option<MigrationRun> {
    Some(MigrationRun {
        run: row.run,
        server: row.server,
        database: row.database,
        host: row.host,
        pid: u32::try_from(row.pid).ok()?,
        asked_by: row.asked_by,
        // An older pgguard knew fewer ways to write a password.
        command: masked_command(&serde_json::from_str::<Vec<String>>(&row.command).ok()?),
        started: row.started,
        seen: row.seen,
        ended: row.ended,
        result: RunResult::from_word(&row.result)?,
        exit_status: row.exit_status.and_then(|status| u8::try_from(status).ok()),
        tries: u32::try_from(row.tries).ok()?,
        facts: serde_json::from_str(&row.facts).ok()?,
    })
}
