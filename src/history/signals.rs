//! Whom pgguard signalled.

use super::History;
use super::store::{from_row, transaction};
use crate::Result;
use crate::model::Pid;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One session that was signalled, or prepared transaction that was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalNote {
    /// When.
    pub at: DateTime<Utc>,
    /// Server: as [`crate::model::RunKey::server`].
    pub server: String,
    /// Database of the session.
    pub database: String,
    /// Its pid; `None`: a prepared transaction.
    pub pid: Option<Pid>,
    /// The prepared transaction's name.
    pub gid: Option<String>,
    /// Database role of the session.
    pub role: String,
    /// `application_name`
    pub application_name: String,
    /// What it was: [`crate::model::Role::word`].
    pub kind: String,
    /// What was done: `cancel`, `terminate`, `roll back`.
    pub deed: String,
    /// Who asked for it: the system's user, and the database role it was done as.
    pub asked_by: String,
    /// Why: whom it blocked, or which migration.
    pub why: String,
    /// What became of it.
    pub outcome: String,
}

/// One row of `signal`.
struct Row {
    at: DateTime<Utc>,
    server: String,
    database: String,
    pid: Option<i64>,
    gid: Option<String>,
    role: String,
    application_name: String,
    kind: String,
    deed: String,
    asked_by: String,
    why: String,
    outcome: String,
}

from_row!(Row {
    at,
    server,
    database,
    pid,
    gid,
    role,
    application_name,
    kind,
    deed,
    asked_by,
    why,
    outcome
});

impl From<Row> for SignalNote {
    fn from(row: Row) -> Self {
        Self {
            at: row.at,
            server: row.server,
            database: row.database,
            pid: row.pid.and_then(|pid| Pid::try_from(pid).ok()),
            gid: row.gid,
            role: row.role,
            application_name: row.application_name,
            kind: row.kind,
            deed: row.deed,
            asked_by: row.asked_by,
            why: row.why,
            outcome: row.outcome,
        }
    }
}

const RECORD: &str = "
INSERT INTO pgguard.signal (at, server, database, pid, gid, role, application_name, kind, deed, asked_by, why, outcome)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
 WHERE NOT EXISTS (SELECT 1 FROM pgguard.signal
                    WHERE at = $1 AND server = $2 AND pid IS NOT DISTINCT FROM $4 AND gid IS NOT DISTINCT FROM $5)";

const ALL: &str = "
SELECT at, server, database, pid, gid, role, application_name, kind, deed, asked_by, why, outcome
  FROM pgguard.signal ORDER BY at DESC, id DESC";

impl History {
    /// Notes who was signalled.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn record_signal(&mut self, note: &SignalNote) -> Result<()> {
        self.record_signals(std::slice::from_ref(note))
            .await
            .map(|_| ())
    }

    /// How many of them were not known before.
    pub(super) async fn record_signals(&mut self, notes: &[SignalNote]) -> Result<usize> {
        transaction!(
            &mut self.store,
            write | tx,
            sql | {
                let mut new = 0;
                for note in notes {
                    new += sqlx::query(sql(RECORD))
                        .bind(note.at)
                        .bind(&note.server)
                        .bind(&note.database)
                        .bind(note.pid.map(i64::from))
                        .bind(&note.gid)
                        .bind(&note.role)
                        .bind(&note.application_name)
                        .bind(&note.kind)
                        .bind(&note.deed)
                        .bind(&note.asked_by)
                        .bind(&note.why)
                        .bind(&note.outcome)
                        .execute(&mut **tx)
                        .await?
                        .rows_affected();
                }
                usize::try_from(new).unwrap_or(usize::MAX)
            }
        )
    }

    /// All that were signalled, the newest first.
    ///
    /// # Errors
    /// When the place cannot be read.
    pub async fn signals(&mut self) -> Result<Vec<SignalNote>> {
        transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let rows: Vec<Row> = sqlx::query_as(sql(ALL)).fetch_all(&mut **tx).await?;
                rows.into_iter().map(SignalNote::from).collect()
            }
        )
    }
}
