//! Dumps that are still running, as they were seen so far: the next look goes on from there.

use super::History;
use super::sets::{self, Sets, TIDY, know_set, set_of};
use super::store::{damaged, from_row, transaction};
use super::watched;
use crate::Result;
use crate::backup::Watcher;
use crate::model::{BackendIdentity, BackupRun, RunKey, Snapshot};
use chrono::{DateTime, Utc};

/// A running dump.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Which run, with its begin ([`Watcher::started`]).
    pub key: RunKey,
    /// Its leading backend.
    pub leader: BackendIdentity,
    /// When the server started that it runs on: a standby has its primary's identifier.
    pub instance: Option<DateTime<Utc>>,
    /// What was seen of it.
    pub watcher: Watcher,
}

#[derive(Debug)]
struct Row {
    server: String,
    database: String,
    tool: String,
    role: String,
    application_name: String,
    instance: Option<DateTime<Utc>>,
    pid: i64,
    backend_start: Option<DateTime<Utc>>,
    state: String,
    table_set: Option<i64>,
    tables: Option<String>,
}

from_row!(Row {
    server,
    database,
    tool,
    role,
    application_name,
    instance,
    pid,
    backend_start,
    state,
    table_set,
    tables
});

const OF_SERVER: &str = "
SELECT server, database, tool, role, application_name, instance, pid, backend_start, state, table_set, tables
  FROM pgguard.backup_watch
 WHERE server = $1
 ORDER BY started";

/// A look that comes late does not take the place of a later one.
const KEEP: &str = "
INSERT INTO pgguard.backup_watch (server, database, tool, role, application_name, started, seen, instance, pid,
                                  backend_start, state, table_set, tables)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (server, database, tool, role, application_name, started)
DO UPDATE SET seen = excluded.seen, instance = excluded.instance, pid = excluded.pid,
              backend_start = excluded.backend_start, state = excluded.state,
              table_set = excluded.table_set, tables = excluded.tables
        WHERE backup_watch.seen < excluded.seen";

const FORGET: &str = "
DELETE FROM pgguard.backup_watch
 WHERE server = $1 AND database = $2 AND tool = $3 AND role = $4 AND application_name = $5 AND started = $6";

impl History {
    /// The dumps of a server that ran when last seen.
    ///
    /// # Errors
    /// When the place cannot be read, or is damaged.
    pub async fn watches(&mut self, server: &str) -> Result<Vec<Watch>> {
        let rows = transaction!(
            &mut self.store,
            read | tx,
            sql | {
                let rows: Vec<Row> = sqlx::query_as(sql(OF_SERVER))
                    .bind(server)
                    .fetch_all(&mut **tx)
                    .await?;
                for id in rows.iter().filter_map(|row| row.table_set) {
                    know_set!(tx, sql, self.sets, id);
                }
                rows
            }
        )?;
        rows.into_iter()
            .map(|row| watch_of(row, &self.sets, self.place()))
            .collect()
    }

    /// What earlier looks saw of one run, for an estimate to go on from.
    ///
    /// # Errors
    /// As [`Self::watches`].
    pub async fn watched(
        &mut self,
        key: &RunKey,
        started: DateTime<Utc>,
    ) -> Result<Option<Watcher>> {
        let watches = self.watches(&key.server).await?;
        Ok(watches
            .into_iter()
            .find(|w| w.key == *key && w.watcher.started == Some(started))
            .map(|w| w.watcher))
    }

    /// Keeps what was seen of running dumps.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn observe(&mut self, watches: &[Watch]) -> Result<()> {
        let kept = transaction!(
            &mut self.store,
            write | tx,
            sql | {
                let (mut is_grown, mut used) = (false, Vec::new());
                for watch in watches {
                    let watcher = &watch.watcher;
                    let (Some(started), Some(seen)) = (watcher.started, watcher.seen()) else {
                        continue;
                    };
                    let names = sets::names(watcher.tables.iter().map(|t| &t.name));
                    is_grown |= self.sets.id_of(&names).is_none();
                    let set = set_of!(tx, sql, self.sets, &names);
                    used.extend(set);
                    sqlx::query(sql(KEEP))
                        .bind(&watch.key.server)
                        .bind(&watch.key.database)
                        .bind(&watch.key.tool)
                        .bind(&watch.key.user)
                        .bind(&watch.key.application_name)
                        .bind(started)
                        .bind(seen)
                        .bind(watch.instance)
                        .bind(i64::from(watch.leader.pid))
                        .bind(watch.leader.backend_start)
                        .bind(serde_json::to_string(watcher).unwrap_or_default())
                        .bind(set)
                        .bind(set.map(|_| watched::pack(&watcher.tables, &names)))
                        .execute(&mut **tx)
                        .await?;
                }
                // While a dump takes its locks, each look sees another set.
                if is_grown {
                    sqlx::query(sql(TIDY)).execute(&mut **tx).await?;
                    self.sets.keep_only(&used);
                }
            }
        );
        self.only_committed_sets(kept)
    }

    /// A dump has ended: it becomes a past run, and is watched no more.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn ended(&mut self, watch: &Watch, run: &BackupRun) -> Result<()> {
        self.save(run).await?;
        self.forget(watch).await
    }

    /// Watches a dump no more.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub async fn forget(&mut self, watch: &Watch) -> Result<()> {
        transaction!(
            &mut self.store,
            write | tx,
            sql | {
                sqlx::query(sql(FORGET))
                    .bind(&watch.key.server)
                    .bind(&watch.key.database)
                    .bind(&watch.key.tool)
                    .bind(&watch.key.user)
                    .bind(&watch.key.application_name)
                    .bind(watch.watcher.started)
                    .execute(&mut **tx)
                    .await?;
                sqlx::query(sql(TIDY)).execute(&mut **tx).await?;
                self.sets.keep_only(&[]);
            }
        )
    }
}

fn watch_of(row: Row, sets: &Sets, place: &str) -> Result<Watch> {
    let mut watcher: Watcher = serde_json::from_str(&row.state)
        .map_err(|error| damaged(place, &format!("a running dump: {error}")))?;
    // An older pgguard had them in the state.
    if let (Some(set), Some(tables)) = (row.table_set, &row.tables) {
        watcher.tables = sets
            .names(set)
            .and_then(|names| watched::unpack(tables, names))
            .ok_or_else(|| damaged(place, "the tables of a running dump"))?;
    }
    Ok(Watch {
        key: RunKey {
            server: row.server,
            database: row.database,
            tool: row.tool,
            user: row.role,
            application_name: row.application_name,
        },
        leader: BackendIdentity {
            pid: i32::try_from(row.pid).unwrap_or(0),
            backend_start: row.backend_start,
        },
        instance: row.instance,
        watcher,
    })
}

impl Watch {
    /// Whether its session is no longer there. `None`: this look cannot tell, since it is at another
    /// server of the same origin, or may not see when the session with its pid began.
    #[must_use]
    pub fn is_over(&self, look: &Snapshot) -> Option<bool> {
        if self.instance != look.server.started_at {
            return None;
        }
        let Some(backend) = look.backend(self.leader.pid) else {
            return Some(true);
        };
        match (backend.backend_start, self.leader.backend_start) {
            (Some(now), Some(then)) if now != then => Some(true),
            // As `Watcher::look` has it: the transaction's begin, or the session's.
            (Some(start), Some(_)) => {
                Some(backend.xact_start.or(Some(start)) != self.watcher.started)
            }
            _ => None,
        }
    }
}
