//! A run of a migration command under watch: what `pgguard run` keeps of it.

use super::{BackendIdentity, LockMode, Pid, RelationName, Role, WorkSeen};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What became of a run, as the server tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// It has not ended, or nobody has seen its end.
    Running,
    /// The command was never started.
    NotStarted,
    /// It did what it should.
    Applied,
    /// It succeeded, and the catalog and the version tables are as before.
    NothingToDo,
    /// It left nothing behind.
    NotApplied,
    /// A part of it is there.
    HalfApplied,
    /// The server could not be asked.
    Unknown,
}

impl RunResult {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::NotStarted,
        Self::Applied,
        Self::NothingToDo,
        Self::NotApplied,
        Self::HalfApplied,
        Self::Unknown,
    ];

    /// The word in JSON and in the history.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NotStarted => "not_started",
            Self::Applied => "applied",
            Self::NothingToDo => "nothing_to_do",
            Self::NotApplied => "not_applied",
            Self::HalfApplied => "half_applied",
            Self::Unknown => "unknown",
        }
    }

    /// The word for people.
    #[must_use]
    pub fn in_words(self) -> String {
        self.word().replace('_', " ")
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.word() == word)
    }
}

/// One run of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MigrationRun {
    /// Its name, which its sessions bear: `application_name` contains `pgguard:<run>`.
    pub run: String,
    /// Server: as [`super::RunKey::server`].
    pub server: String,
    /// Database that was watched.
    pub database: String,
    /// The machine on which the command runs.
    pub host: String,
    /// The process there that watches it.
    pub pid: u32,
    /// The system's user who started it.
    pub asked_by: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// When pgguard began with it.
    pub started: DateTime<Utc>,
    /// When it was last seen running.
    pub seen: DateTime<Utc>,
    /// When it was over; `None`: it runs, or nobody saw its end.
    pub ended: Option<DateTime<Utc>>,
    /// What became of it.
    pub result: RunResult,
    /// The exit status of `pgguard run`.
    pub exit_status: Option<u8>,
    /// How often the command was started.
    pub tries: u32,
    /// What was seen.
    #[serde(default)]
    pub facts: RunFacts,
}

/// What was seen of a run. New fields have a default: an older history does not know them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// What it is at, or how it ended, in words.
    pub told: String,
    /// Its log on its machine.
    pub log: Option<PathBuf>,
    /// A maintenance page that it may have put up on its machine.
    pub page: Option<PathBuf>,
    /// The process of the command on its machine, which leads a process group.
    pub child: Option<u32>,
    /// When the command itself was first started.
    pub begun: Option<DateTime<Utc>>,
    /// Sessions that the command has had.
    pub sessions: Vec<BackendIdentity>,
    /// Migrations that were recorded as applied meanwhile, each `version table: row`.
    pub recorded: Vec<String>,
    /// When the schema was last seen to have changed.
    pub changed_at: Option<DateTime<Utc>>,
    /// The locks that kept others out.
    pub locks: Vec<RunLock>,
    /// The work under them, as far as its guess was known.
    pub work: Vec<WorkSeen>,
    /// Whom it waited for.
    pub waits: Vec<RunWait>,
    /// How often it was cancelled so that others could go on.
    pub cancels: u32,
    /// The longest time that somebody waited behind it, in seconds.
    pub others_waited_s: f64,
    /// The most sessions that waited behind it at once.
    pub others_waiting: usize,
    /// Invalid indexes that it left.
    pub invalid_indexes: Vec<RelationName>,
    /// The steps of its long statements, as the progress views showed them.
    pub steps: Vec<RunStep>,
}

/// A step of a long statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStep {
    /// The command and its phase.
    pub what: String,
    /// For how long it was seen, in seconds.
    pub took_s: f64,
    /// How far it was when it was last seen, in blocks, rows or bytes.
    pub done: Option<i64>,
    /// Of how many.
    pub total: Option<i64>,
}

/// A lock that a run held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLock {
    /// On what.
    #[serde(flatten)]
    pub name: RelationName,
    /// In which mode.
    pub mode: LockMode,
    /// For how long it was seen, in seconds.
    pub held_s: f64,
}

/// A wait of a run for somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunWait {
    /// For what, in words.
    pub target: String,
    /// In which mode.
    pub mode: LockMode,
    /// Who was in the way; `None`: a prepared transaction.
    pub pid: Option<Pid>,
    /// What kind of session it is.
    pub role: Role,
    /// Who that is, in words.
    pub who: String,
    /// For how long it was seen, in seconds.
    pub waited_s: f64,
}
