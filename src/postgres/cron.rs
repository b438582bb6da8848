//! Jobs of pg_cron, where the connected database has it and the role may read them.
//!
//! The table is the extension's, and reading it takes ACCESS SHARE for a moment: not where somebody has or
//! awaits ACCESS EXCLUSIVE on it, and for a tenth of a second at most.

use super::connect::Connection;
use crate::Result;
use crate::model::{Oid, Snapshot};

/// A table of that name which somebody else made could run code when it is read: by policies, or by its columns' casts.
const TABLE: &str = "
SELECT c.oid::int8 AS job, coalesce(pg_catalog.current_setting('cron.timezone', true), 'GMT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'cron' AND c.relname = 'job' AND c.relkind = 'r'
  AND (NOT c.relrowsecurity OR (SELECT o.rolsuper FROM pg_catalog.pg_roles o WHERE o.oid = c.relowner))
  AND 4 = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid < 16384
              AND a.attname IN ('jobid', 'schedule', 'command', 'active'))
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";

const JOBS: &str = "
SET LOCAL lock_timeout = 100;
SELECT schedule AS schedule, command, jobid FROM cron.job WHERE active ORDER BY jobid";

/// One active job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// `jobid`
    pub id: i64,
    /// As crontab has it, with `$` for the last day of the month; or `30 seconds`.
    pub schedule: String,
    /// What it runs.
    pub command: String,
    /// The zone of its schedule.
    pub zone: String,
}

/// The active jobs that the role may see; `look` tells who has the table locked.
///
/// # Errors
/// As the server has it.
pub async fn jobs(connection: &mut Connection, look: &Snapshot) -> Result<Vec<Job>> {
    let what = "read the jobs of pg_cron";
    let mut found: Option<(Oid, String)> = None;
    connection
        .ask(what, TABLE, |row| {
            let zone = row.word(1).unwrap_or("GMT").to_owned();
            found = row.number(0).map(|oid| (oid, zone));
        })
        .await?;
    let closed = look.closed_to_readers();
    let Some((_, zone)) = found.filter(|(oid, _)| !closed.contains(oid)) else {
        return Ok(Vec::new());
    };
    let encoding = connection.encoding();
    let mut jobs = Vec::new();
    connection
        .ask(what, JOBS, |row| {
            let texts = (row.text(0, encoding), row.text(1, encoding));
            if let ((Some(schedule), Some(command)), Some(id)) = (texts, row.number(2)) {
                jobs.push(Job {
                    id,
                    schedule,
                    command,
                    zone: zone.clone(),
                });
            }
        })
        .await?;
    Ok(jobs)
}
