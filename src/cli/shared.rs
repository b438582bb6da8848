//! Flags that several commands share.

use crate::migration::source::Limits;
use crate::model::{Allowance, MaxHold};
use crate::words::duration;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How to reach the server: libpq's flags.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectArgs {
    /// Server's host, or the folder of its socket [default: $PGHOST, or the local socket].
    #[arg(short = 'h', long, value_name = "HOST")]
    pub host: Option<String>,
    /// Server's port [default: $PGPORT, or 5432].
    #[arg(short = 'p', long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Role to connect as [default: $PGUSER, or the system's user].
    #[arg(short = 'U', long = "username", value_name = "ROLE")]
    pub user: Option<String>,
    /// Database, URL or key=value string [default: $PGDATABASE, $DATABASE_URL, or the role's name].
    #[arg(short = 'd', long = "dbname", value_name = "DATABASE")]
    pub dbname: Option<String>,
    /// Give up after this long, in all.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub timeout: Duration,
}

/// Recording and replaying what a command reads.
#[derive(Debug, Clone, Default, Args)]
pub struct RecordArgs {
    /// Write what was read from the server to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Read from this file instead of a server.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
}

/// Text for people or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: version 1, snake_case, RFC 3339 times, seconds as numbers.
    Json,
}

/// Which migration, and how its runner treats it.
#[derive(Debug, Clone, Default, Args)]
pub struct MigrationArgs {
    /// Treat the files as this tool's (sqlx, flyway, dbmate, goose…) instead of recognising the layout.
    #[arg(long, value_name = "TOOL")]
    pub tool: Option<String>,
    /// How the runner opens transactions [default: as the tool does; for plain files each statement by itself].
    #[arg(long, value_enum, value_name = "HABIT")]
    pub transaction: Option<Transaction>,
    /// The role that the migration acts in, where its session has set one (SET ROLE) before: what that role has
    /// no right to touch fails before it waits. A SET ROLE of the migration itself is read.
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Look at all migrations of a folder, also those that the tool's version table says are applied.
    #[arg(long)]
    pub all: bool,
    /// The largest migration that is read, in bytes: beyond it the answer is "cannot tell".
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().bytes, hide_short_help = true)]
    pub max_bytes: usize,
    /// The most statements that are read.
    #[arg(long, value_name = "N", default_value_t = Limits::default().statements, hide_short_help = true)]
    pub max_statements: usize,
}

/// How the runner of a migration opens transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transaction {
    /// Each statement by itself, unless the file says BEGIN (psql).
    Statement,
    /// One around each file (psql -1, most tools).
    File,
    /// One around all files of the run.
    Run,
}

/// How a migration is judged: the same for `gate`, `check -m migration` and `kill --blocking`.
#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// A blocker counts when it outlives this.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub patience: Duration,
    /// Longest time that a lock may keep reads or writes out of a relation that exists; `none`: however long
    /// [default: `max_hold` in the settings file, or 10s].
    #[arg(long, value_name = "DURATION", value_parser = MaxHold::from_str)]
    pub max_hold: Option<MaxHold>,
    /// Let through what would stop it: NAME is opaque, failing, hold, newer-server, rows, data-dependent or hidden;
    /// with a PATTERN only in files or on relations of that name (`*` stands for any characters).
    #[arg(long, value_name = "NAME[=PATTERN]", value_parser = Allowance::from_str)]
    pub allow: Vec<Allowance>,
    /// Do not say "cannot tell" because of statements whose locks cannot be known (DO blocks, functions): the same as
    /// `--allow opaque`.
    #[arg(long)]
    pub allow_opaque: bool,
    /// The backend that will run the migration, where it is connected already: its locks are its own, and a SET ROLE
    /// that was its last statement is read.
    #[arg(long, value_name = "PID")]
    pub asking: Option<i32>,
    /// A TOML file with [[target]] entries (name, url), the backup's schedule ([[backup]] with cron, tz, expect),
    /// `takes`, and `tz`, the zone that past backups' starts keep to.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How a migration is rehearsed.
#[derive(Debug, Clone, Default, Args)]
pub struct RehearseArgs {
    /// Load the schema from this file instead of reading it with pg_dump: the schema of the revision that is deployed.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Run this command of the shell on the copy first, where it is confined like the migration.
    #[arg(long, value_name = "COMMAND")]
    pub prepare: Option<String>,
    /// A further table in which the command keeps which migrations are applied.
    #[arg(long, value_name = "NAME")]
    pub version_table: Vec<String>,
    /// A further database of the server that the command uses.
    #[arg(long, value_name = "DATABASE")]
    pub also: Vec<String>,
    /// A further port at which the command looks for the server.
    #[arg(long, value_name = "PORT")]
    pub also_port: Vec<u16>,
    /// Let the command reach these TCP ports outside, such as 443,6379. What speaks Postgres's protocol there is led to the
    /// copy all the same.
    #[arg(
        long,
        value_name = "PORTS",
        value_delimiter = ',',
        conflicts_with = "unconfined"
    )]
    pub network: Vec<u16>,
    /// How long the command may take on the copy.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub command_timeout: Duration,
    /// Run the command where nothing keeps it from production, only with an environment that leads to the copy.
    #[arg(long)]
    pub unconfined: bool,
}

/// Facts from a file that `pgguard catalog` wrote.
#[derive(Debug, Clone, Default, Args)]
pub struct FromCatalogArgs {
    /// Read schema, sizes and rates of use from this file of `pgguard catalog` instead of a server: who is connected is
    /// not asked.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["replay", "record", "dbname", "host"])]
    pub catalog: Option<PathBuf>,
}

/// Where past backup runs are kept.
#[derive(Debug, Clone, Default, Args)]
pub struct HistoryArgs {
    /// A SQLite file, or a postgres:// URL whose `pgguard` schema holds it [default: $PGGUARD_HISTORY, or the user's state folder].
    #[arg(long, value_name = "WHERE")]
    pub history: Option<String>,
    /// Neither read nor write past runs.
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
}

/// Reading user data for an estimate.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SampleArgs {
    /// Read a few rows of the tables that a running dump copies, for a better estimate of its end.
    ///
    /// Without it no user data is read and no user table is locked. With it, where no past run tells, a second at
    /// most goes to rows of about 40 blocks of each table, the largest first: ACCESS SHARE, taken at once or not at
    /// all, for a moment each, and never on a table where somebody holds or waits for ACCESS EXCLUSIVE. The role needs
    /// SELECT on the tables (or pg_read_all_data).
    #[arg(long)]
    pub sample: bool,
}
