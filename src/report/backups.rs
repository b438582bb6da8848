//! What `backups` tells: the running ones, the next one, past runs.

use crate::backup::schedule::NextBackup;
use crate::model::{BackupRun, Estimate, Pid};
use chrono::{DateTime, Utc};

#[derive(Debug)]
pub struct BackupsReport {
    /// When it was made.
    pub now: DateTime<Utc>,
    /// Where the history is, as it may be shown; `None`: none was asked.
    pub history: Option<String>,
    /// Past runs, the newest first.
    pub runs: Vec<BackupRun>,
    /// How many the history has in all.
    pub known_runs: usize,
    /// The running ones; `None`: the server could not be looked at.
    pub running: Option<Vec<RunningBackup>>,
    /// The next one, if that can be told.
    pub next: Option<NextBackup>,
    /// What could not be done, and what would help.
    pub notes: Vec<String>,
}

/// A backup that runs now.
#[derive(Debug)]
pub struct RunningBackup {
    /// Its leading backend.
    pub pid: Pid,
    /// The program: [`crate::model::BackupTool::word`].
    pub tool: String,
    /// Its database; empty for a physical backup.
    pub database: String,
    pub user: String,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ends.
    pub estimate: Option<Estimate>,
}
