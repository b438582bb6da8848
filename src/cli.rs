//! Every command and flag. `-h` is the host, as in psql; help is `--help` or `-?`.

mod run;
mod shared;

pub use run::RunArgs;
pub use shared::{
    ConnectArgs, Format, FromCatalogArgs, HistoryArgs, JudgeArgs, MigrationArgs, RecordArgs,
    RehearseArgs, SampleArgs, Transaction,
};

use crate::words::duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Will this migration block: on whom, until when, and who piles up behind it?
#[derive(Debug, Parser)]
#[command(
    name = "pgguard",
    version,
    disable_help_flag = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// This page; --help-all lists every option.
    #[arg(short = '?', long, action = ArgAction::HelpShort, global = true)]
    pub help: Option<bool>,
    /// Help with every option.
    #[arg(long, action = ArgAction::HelpShort, global = true)]
    pub help_all: Option<bool>,
    /// When to use colours.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true, value_name = "WHEN")]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also in a pipe.
    Always,
    /// Not at all.
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who is connected, who waits behind whom, how far the backup is.
    Status(StatusArgs),
    /// Would this migration block: on whom, until when?
    Gate(Box<GateArgs>),
    /// Which locks a migration takes, and why.
    Explain(ExplainArgs),
    /// A monitoring plugin: one line by the Nagios rules.
    Check(CheckArgs),
    /// Shows a session and what ending it costs, asks, and ends it.
    Kill(KillArgs),
    /// Runs a migration command: waits, watches, makes way for others.
    Run(Box<RunArgs>),
    /// Past backup runs, the running one, the next one.
    Backups(BackupsArgs),
    /// Runs a framework's migrations on a throw-away copy of the schema.
    Rehearse(RehearseCommandArgs),
    /// Schema and sizes in a file, to judge pull requests by.
    Catalog(CatalogArgs),
    /// What was left behind by what did not end, and what ends it.
    Doctor(DoctorArgs),
    /// What pgguard has done and seen: kills, runs, backups.
    Log(LogArgs),
    /// Which migration tools are known, and what of each.
    Tools {
        /// Output form.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// A throw-away server, a real backup, a real migration.
    Demo(DemoArgs),
    /// Print the completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page of a command.
    Man {
        /// Which command; with none: pgguard itself.
        command: Vec<String>,
        /// Write every page into this folder.
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        folder: Option<PathBuf>,
    },
    /// Print the help of a command.
    Help {
        /// Which command; with none: pgguard itself.
        command: Vec<String>,
        /// Every option.
        #[arg(long)]
        all: bool,
    },
}

/// Output forms of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// One self-contained page, to paste or attach.
    Html,
    /// For a chat.
    Markdown,
}

/// `pgguard status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Recording.
    #[command(flatten)]
    pub record: RecordArgs,
    /// Output form.
    #[arg(long, value_enum, default_value_t = StatusFormat::Text)]
    pub format: StatusFormat,
    /// List idle sessions and the server's own processes too.
    #[arg(long)]
    pub all: bool,
    /// Show why each session was given its role.
    #[arg(long)]
    pub evidence: bool,
    /// Only sessions in this role (backup, migration, application, idle, idle_in_transaction, maintenance, replication…).
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
    /// Only sessions of this database.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Only sessions of this database role.
    #[arg(id = "only_user", long = "user", value_name = "NAME")]
    pub user: Option<String>,
    /// Only sessions whose application, query or client contains this text.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// What was seen at this time of the last hour: 03:15, "2026-11-28 03:15", -10m.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["watch", "replay", "record"])]
    pub at: Option<String>,
    /// A live screen, refreshed this often.
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "1s", value_parser = duration)]
    pub watch: Option<Duration>,
    /// Reading user data.
    #[command(flatten)]
    pub sample: SampleArgs,
    /// Where past backup runs are kept.
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// `pgguard gate`
#[derive(Debug, Args)]
pub struct GateArgs {
    /// Files, folders or -; none: ACCESS EXCLUSIVE on every table.
    #[arg(value_name = "MIGRATION")]
    pub migrations: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub migration: MigrationArgs,
    /// How to judge them.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Recording.
    #[command(flatten)]
    pub record: RecordArgs,
    /// From a file.
    #[command(flatten)]
    pub from: FromCatalogArgs,
    /// Rehearse first: run the command after --, or the files, on a throw-away copy of the schema, and judge what was
    /// sent and locked there.
    #[arg(long, conflicts_with_all = ["catalog", "replay", "target", "before"])]
    pub rehearse: bool,
    /// How it is rehearsed.
    #[command(flatten)]
    pub rehearsing: RehearseArgs,
    /// The command for --rehearse; without it, more migrations.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Output form.
    #[arg(long, value_enum, default_value_t = GateFormat::Text)]
    pub format: GateFormat,
    /// Wait up to this long until it is clear.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "catalog")]
    pub wait: Option<Duration>,
    /// With --wait: require N consecutive clear looks.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "wait")]
    pub stable: u32,
    /// With --wait: how often to look.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub interval: Duration,
    /// Is it safe then? +10m, or the next 03:15: says what would be clear by the estimates. Never exits with 0.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["wait", "before", "catalog", "warn_only"],
          allow_hyphen_values = true)]
    pub at: Option<String>,
    /// How long the migration takes: a warning says if it would run into the next backup [default: `takes` in the
    /// configuration, or 15m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub takes: Option<Duration>,
    /// Where it would block, watch the tables this long to count how often they are used.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub count_uses: Option<Duration>,
    /// Report everything, and exit with 0 all the same: for teams that begin.
    #[arg(long)]
    pub warn_only: bool,
    /// The other way round: would a backup started now block or be blocked?
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with_all = ["migrations", "catalog"])]
    pub before: Option<Before>,
    /// A further server: NAME=URL, or a URL; may be given more than once. All are looked at side by side.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["dbname", "catalog"])]
    pub target: Vec<String>,
    /// Reading user data.
    #[command(flatten)]
    pub sample: SampleArgs,
    /// Where past backup runs are kept.
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// What is about to start, if not a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Before {
    /// A pg_dump of the database.
    Backup,
}

/// Output forms of `gate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// GitHub Actions: annotations, and a step summary where $GITHUB_STEP_SUMMARY names a file.
    Github,
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// GitLab code quality.
    Gitlab,
    /// Markdown, for the comment of a pull request.
    Markdown,
    /// One self-contained page, to paste or attach.
    Html,
}

/// `pgguard explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Files, folders or - for standard input.
    #[arg(value_name = "MIGRATION", required = true)]
    pub migrations: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub migration: MigrationArgs,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Recording.
    #[command(flatten)]
    pub record: RecordArgs,
    /// From a file.
    #[command(flatten)]
    pub from: FromCatalogArgs,
    /// Print the whole migration with safer forms, for psql, instead of its locks.
    #[arg(long, conflicts_with = "format")]
    pub rewrite: bool,
    /// Output form.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `pgguard catalog`
#[derive(Debug, Args)]
pub struct CatalogArgs {
    /// Write to this file, which only its owner can read [default: standard output].
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Watch the tables this long to count how often they are used [default: the average since the counters were
    /// reset, where that is known].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub count_uses: Option<Duration>,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// `pgguard rehearse`
#[derive(Debug, Args)]
pub struct RehearseCommandArgs {
    /// Write what was sent to this file, which only its owner can read [default: standard output].
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How it is rehearsed.
    #[command(flatten)]
    pub rehearse: RehearseArgs,
    /// How to reach production.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// The command that migrates, after --.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `pgguard check`: parsed by the plugin's own rules (`-H` host, `-h` help).
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct CheckArgs {
    /// The plugin's own arguments.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENT"
    )]
    pub arguments: Vec<String>,
}

/// `pgguard kill`
#[derive(Debug, Args)]
pub struct KillArgs {
    /// The session's process id, as `pgguard status` shows it.
    #[arg(value_name = "PID", required_unless_present_any = ["blocking", "prepared"])]
    pub pid: Option<i32>,
    /// Instead of a pid: the true roots in the way of these migrations, nobody else.
    #[arg(long, value_name = "MIGRATION", num_args = 1.., conflicts_with = "pid")]
    pub blocking: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub migration: MigrationArgs,
    /// How to judge them.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Instead of a pid: roll back the prepared transaction of this name.
    #[arg(long, value_name = "GID", conflicts_with_all = ["pid", "blocking"])]
    pub prepared: Option<String>,
    /// Do not ask; names the session as `status --format json` does in `identity`.
    #[arg(long, value_name = "IDENTITY")]
    pub yes: Vec<String>,
    /// Only cancel its statement.
    #[arg(long, conflicts_with = "terminate")]
    pub cancel: bool,
    /// End the session at once, without trying to cancel first.
    #[arg(long)]
    pub terminate: bool,
    /// How long to wait until it is gone.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub wait: Duration,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Where the kill is noted.
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// `pgguard backups`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupsArgs {
    /// What to do; with none: past runs, the running one, the next one.
    #[command(subcommand)]
    pub action: Option<BackupsAction>,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Reading user data.
    #[command(flatten)]
    pub sample: SampleArgs,
    /// Where past runs are kept.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// A TOML file with the place of the history, the backup's schedule ([[backup]] with cron, tz, expect), and
    /// `tz`, the zone that past backups' starts keep to [default: the server's log_timezone, or this machine's].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show no more than this many past runs.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub last: u32,
    /// Output form.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `pgguard backups …`
#[derive(Debug, Subcommand)]
pub enum BackupsAction {
    /// Run a backup command and record it exactly.
    Record {
        /// How to reach the server that it dumps.
        #[command(flatten)]
        connect: Box<ConnectArgs>,
        /// Where past runs are kept.
        #[command(flatten)]
        history: HistoryArgs,
        /// The command, after --.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Write all past runs as JSON.
    Export {
        /// To this file [default: standard output].
        file: Option<PathBuf>,
        /// Where past runs are kept.
        #[command(flatten)]
        history: HistoryArgs,
    },
    /// Add past runs from such JSON.
    Import {
        /// From this file, or - for standard input.
        file: PathBuf,
        /// Where past runs are kept.
        #[command(flatten)]
        history: HistoryArgs,
    },
    /// Create a history in a Postgres database, for machines to share.
    Init {
        /// Where: a postgres:// URL.
        #[command(flatten)]
        history: HistoryArgs,
    },
}

/// `pgguard log`
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Show no more than this many, the newest.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub last: u32,
    /// Only what began within this time.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Instead: who kept whom waiting in the last hour, the worst first.
    #[arg(long, conflicts_with_all = ["only", "last"])]
    pub waits: bool,
    /// Only kills, runs or backups.
    #[arg(long, value_name = "KIND", value_parser = ["kill", "run", "backup"])]
    pub only: Option<String>,
    /// Only what was done to this database.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Output form.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Where it is kept.
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// `pgguard doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Folders or files of migrations: which are applied and not recorded, or half applied?
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub migrations: Vec<PathBuf>,
    /// Treat them as this tool's (sqlx, flyway, dbmate, goose…) instead of recognising the layout.
    #[arg(long, value_name = "TOOL", requires = "migrations")]
    pub tool: Option<String>,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Recording.
    #[command(flatten)]
    pub record: RecordArgs,
    /// Output form.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Where past backup runs are kept.
    #[command(flatten)]
    pub history: HistoryArgs,
}

/// `pgguard demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Major version of the server, among those found [default: the system's own].
    #[arg(long, value_name = "MAJOR")]
    pub pg: Option<u32>,
    /// Keep the server until Enter is pressed, to try things by hand.
    #[arg(long)]
    pub keep: bool,
}
