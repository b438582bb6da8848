//! Sessions: backends that belong together (a parallel dump's leader and workers are one), with the role they play.

use super::{Oid, Pid};
use serde::{Deserialize, Serialize};

/// What a session is there for. The words of `--format json` and of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A backup: pg_dump, pg_dumpall, pg_basebackup and other vendors'.
    Backup,
    /// A migration, or a schema change by hand.
    Migration,
    /// Runs a statement for an application.
    Application,
    /// Waits for its client, outside a transaction.
    Idle,
    /// Waits for its client inside a transaction.
    IdleInTransaction,
    /// VACUUM, ANALYZE, REINDEX, CLUSTER: by autovacuum or by hand.
    Maintenance,
    /// Replication: walsenders, logical workers and a subscription's first copy.
    Replication,
    /// This tool, and others that only look.
    Monitoring,
    /// A process of the server itself.
    Server,
    /// Hidden from the role that looked.
    Masked,
}

impl Role {
    /// All of them, in the order in which a person wants to read them.
    pub const ALL: [Self; 10] = [
        Self::Backup,
        Self::Migration,
        Self::IdleInTransaction,
        Self::Application,
        Self::Maintenance,
        Self::Replication,
        Self::Monitoring,
        Self::Masked,
        Self::Idle,
        Self::Server,
    ];

    /// Reads the word of JSON and filters; blanks and hyphens will do for its underscores.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// The word for people: `idle in transaction`.
    #[must_use]
    pub fn in_words(self) -> String {
        self.word().replace('_', " ")
    }

    /// The word in JSON and in filters.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Migration => "migration",
            Self::Application => "application",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle_in_transaction",
            Self::Maintenance => "maintenance",
            Self::Replication => "replication",
            Self::Monitoring => "monitoring",
            Self::Server => "server",
            Self::Masked => "masked",
        }
    }
}

impl Certainty {
    /// The word in JSON and for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// How sure the recognition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// One weak sign.
    Possible,
    /// Signs that other programs could give too.
    Likely,
    /// Signs that nothing else gives.
    Certain,
}

/// One session: a backend, or several that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The backend to name, wait for and signal: a parallel dump's leader, a parallel query's leader.
    pub pid: Pid,
    /// All its backends, the leader first.
    pub members: Vec<Pid>,
    /// What it is there for.
    pub role: Role,
    /// How sure that is.
    pub certainty: Certainty,
    /// What was seen, in words, the strongest first.
    pub evidence: Vec<String>,
    /// More about it, where it is a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    /// A word more on the role, such as `autovacuum to prevent wraparound` or `rails (advisory lock)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Which program makes a backup. The word is what people call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupTool {
    /// pg_dump, or what dumps exactly as it does.
    PgDump,
    /// pg_dumpall, with the pg_dump it runs at the moment.
    PgDumpall,
    /// pg_basebackup, or another that streams `BASE_BACKUP`.
    PgBasebackup,
    /// pgBackRest
    #[serde(rename = "pgbackrest")]
    PgBackRest,
    /// Barman
    Barman,
    /// WAL-G
    #[serde(rename = "wal_g")]
    WalG,
    /// pg_probackup
    PgProbackup,
    /// Something that called `pg_backup_start`.
    LowLevelApi,
}

impl BackupTool {
    /// What people call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PgDump => "pg_dump",
            Self::PgDumpall => "pg_dumpall",
            Self::PgBasebackup => "pg_basebackup",
            Self::PgBackRest => "pgBackRest",
            Self::Barman => "Barman",
            Self::WalG => "WAL-G",
            Self::PgProbackup => "pg_probackup",
            Self::LowLevelApi => "low-level backup API",
        }
    }
}

/// What is known of a backup besides its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// Which program.
    pub tool: BackupTool,
    /// Whether it holds table locks or a snapshot that DDL waits for. A physical backup does not.
    pub blocks_ddl: bool,
    /// The tables (kind `r`) it has locked, by oid: what it dumps.
    #[serde(default)]
    pub tables: Vec<Oid>,
    /// Workers besides the leader; 0 for a serial dump.
    #[serde(default)]
    pub workers: usize,
    /// Its client seems gone: idle in transaction for longer than any dump pauses.
    #[serde(default)]
    pub leaked: bool,
}
