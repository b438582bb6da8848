//! A migration that is running now, as far as the server and the history show it.

use super::Pid;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// By what a running migration is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningBy {
    /// The history has a run of pgguard that has not ended.
    History,
    /// A session bears the name of a run of pgguard.
    Name,
    /// A session has a tool's advisory lock.
    AdvisoryLock,
    /// A session has a lock on a tool's table that only the tool takes.
    TableLock,
    /// A row in a tool's table says that the tool has its lock.
    LockRow,
    /// A session runs a statement of the migration that was asked about.
    Statement,
}

/// A migration that is running now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningMigration {
    /// By what it is known.
    pub known_by: RunningBy,
    /// In one line, for people.
    pub text: String,
    /// The tool, where that is known.
    pub tool: Option<String>,
    /// The names of the tools that it may be, where a lock tells: names of tables collide.
    #[serde(skip)]
    pub owners: Vec<&'static str>,
    /// The run of pgguard, where it is one.
    pub run: Option<String>,
    /// The session's process, where it has one.
    pub pid: Option<Pid>,
    /// Since when, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// Where it runs: the client's address, or the machine's name.
    pub host: Option<String>,
}

impl RunningMigration {
    /// In a sentence. A lock row alone may have been left by a run that is gone.
    #[must_use]
    pub fn in_words(&self) -> String {
        let verb = match (self.known_by, self.pid) {
            (RunningBy::LockRow, None) => "may be",
            _ => "is",
        };
        format!("a migration {verb} running: {}", self.text)
    }
}
