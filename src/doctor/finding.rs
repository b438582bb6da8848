//! A finding: what was left behind, how that is known, what it costs while it lasts, and what ends it.

use crate::model::{BackendIdentity, Certainty, RelationName};
use chrono::{DateTime, Utc};

/// How much harm something does while it lasts, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Sessions wait for it, or will as soon as they come.
    Blocks,
    /// The next migration will not run, or fails.
    StopsMigrations,
    /// Statements may fail, or what they write is not checked.
    Risks,
    /// It takes work, space, or old rows' removal.
    Costs,
    /// It may be meant to be so.
    Information,
}

impl Harm {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::StopsMigrations => "stops_migrations",
            Self::Risks => "risks",
            Self::Costs => "costs",
            Self::Information => "information",
        }
    }
}

/// What kind of left-over it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A statement or a transaction whose client is gone.
    Zombie,
    /// A prepared transaction that nobody ends.
    PreparedTransaction,
    /// A migration tool's lock, and no run of the tool.
    ToolLock,
    /// A row that says that a migration was not finished.
    UnfinishedMigration,
    /// Objects that a tool has made for the time of its work.
    ToolObjects,
    /// A pending migration, some or all statements of which are done.
    HalfApplied,
    /// A partition whose DETACH … CONCURRENTLY did not end.
    DetachPending,
    /// Something that is disabled.
    Disabled,
    /// Sessions that began before the last schema change.
    OlderSessions,
    /// A backup whose client is gone.
    LeakedBackup,
    /// A replication slot that nobody uses.
    ReplicationSlot,
    /// An index that no query uses.
    InvalidIndex,
    /// A constraint whose old rows were never checked.
    NotValidConstraint,
}

/// Each kind with its word in JSON and its label for people.
const KINDS: [(Kind, &str, &str); 13] = [
    (Kind::Zombie, "zombie", "ZOMBIE"),
    (
        Kind::PreparedTransaction,
        "prepared_transaction",
        "PREPARED",
    ),
    (Kind::ToolLock, "tool_lock", "TOOL LOCK"),
    (
        Kind::UnfinishedMigration,
        "unfinished_migration",
        "UNFINISHED",
    ),
    (Kind::ToolObjects, "tool_objects", "TOOL OBJECTS"),
    (Kind::HalfApplied, "half_applied", "HALF APPLIED"),
    (Kind::DetachPending, "detach_pending", "DETACH PENDING"),
    (Kind::Disabled, "disabled", "DISABLED"),
    (Kind::OlderSessions, "older_sessions", "BEGAN BEFORE"),
    (Kind::LeakedBackup, "leaked_backup", "LEAKED BACKUP"),
    (Kind::ReplicationSlot, "replication_slot", "UNUSED SLOT"),
    (Kind::InvalidIndex, "invalid_index", "INVALID INDEX"),
    (
        Kind::NotValidConstraint,
        "not_valid_constraint",
        "NOT VALID",
    ),
];

impl Kind {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|k| k.0 == self).map_or("", |k| k.1)
    }

    /// The label for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        KINDS.iter().find(|k| k.0 == self).map_or("", |k| k.2)
    }
}

/// Where a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In psql, connected to the database.
    Sql,
    /// In a shell.
    Shell,
}

impl Place {
    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Shell => "shell",
        }
    }
}

/// What ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What to do, and when: a sentence, before the command.
    pub advice: String,
    /// The one command; empty: there is none.
    pub command: String,
    /// Where it is run.
    pub place: Place,
}

impl Remedy {
    /// In psql.
    #[must_use]
    pub fn sql(advice: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            command: command.into(),
            place: Place::Sql,
        }
    }

    /// In a shell.
    #[must_use]
    pub fn shell(advice: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            place: Place::Shell,
            ..Self::sql(advice, command)
        }
    }
}

/// One thing that was left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// How much harm it does.
    pub harm: Harm,
    /// How sure it is that it was left behind.
    pub certainty: Certainty,
    /// What, in one sentence.
    pub what: String,
    /// The relation that it is about, where it is one.
    pub relation: Option<RelationName>,
    /// The session that it is about, where it is one.
    pub session: Option<BackendIdentity>,
    /// Since when, where that is known.
    pub since: Option<DateTime<Utc>>,
    /// How it is known.
    pub proof: Vec<String>,
    /// What it costs while it lasts.
    pub cost: String,
    /// What ends it.
    pub remedy: Remedy,
}

impl Finding {
    /// Whether it is only worth knowing.
    #[must_use]
    pub fn is_information(&self) -> bool {
        self.harm == Harm::Information
    }
}
