//! `pgguard run`

use super::shared::{ConnectArgs, Format, HistoryArgs, JudgeArgs, MigrationArgs, RehearseArgs};
use crate::words::duration;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `pgguard run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The migration command and its arguments, after --.
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["list", "attach"])]
    pub command: Vec<String>,
    /// What the command will run, as SQL: files, or folders. Without it the command waits until ACCESS EXCLUSIVE on
    /// every table would be clear, or, where its last run failed, on the tables that it locked then.
    #[arg(long, value_name = "MIGRATION", num_args = 1.., conflicts_with = "no_gate")]
    pub gate: Vec<PathBuf>,
    /// Rehearse it on a throw-away copy of the schema first, and ask the gate about what it sent there.
    #[arg(long, conflicts_with_all = ["gate", "no_gate", "list", "attach"])]
    pub rehearse: bool,
    /// How it is rehearsed.
    #[command(flatten)]
    pub rehearsing: RehearseArgs,
    /// Start it whatever is in the way.
    #[arg(long)]
    pub no_gate: bool,
    /// Wait up to this long until nothing is in the way.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Cancel its own statement when others have waited behind it for longer than this.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub max_queue: Duration,
    /// `lock_timeout` of its sessions, as a start-up option [default: none; --max-queue works from outside].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lock_timeout: Option<Duration>,
    /// Start it up to N times, where it was stopped by a lock and nothing can happen twice.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub tries: u32,
    /// The command may be started again whatever it has done so far.
    #[arg(long)]
    pub repeat_is_safe: bool,
    /// Pass no settings to its sessions (PGOPTIONS), only a name (PGAPPNAME): for a pooler that refuses them.
    #[arg(long)]
    pub no_options: bool,
    /// Run this in a shell before the command, with PGGUARD_REASON, PGGUARD_UNTIL and PGGUARD_RETRY_AFTER, and
    /// REASON and UNTIL, in its environment. If it fails, nothing is started.
    #[arg(long, value_name = "SHELL COMMAND")]
    pub before: Option<String>,
    /// Run this in a shell at the end, whatever became of the command, once --before was begun.
    #[arg(long, value_name = "SHELL COMMAND")]
    pub after: Option<String>,
    /// Run this in a shell after the command has succeeded.
    #[arg(long, value_name = "SHELL COMMAND")]
    pub then: Option<String>,
    /// Have a maintenance page in this file while the command runs; it is always taken away.
    #[arg(long, value_name = "FILE")]
    pub maintenance_page: Option<PathBuf>,
    /// The page's template, with {{reason}}, {{until}} and {{retry_after}}; Capistrano's ERB templates will do.
    #[arg(long, value_name = "FILE", requires = "maintenance_page")]
    pub template: Option<PathBuf>,
    /// Why: for the page and for --before.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// How long the command takes, for the page [default: as its past runs, else `takes` in the settings file, else
    /// 15m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub takes: Option<Duration>,
    /// After success, look up to this long for sessions that began before the schema changed.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "60s", value_parser = duration)]
    pub settle: Option<Duration>,
    /// Start it in the background, and print its name.
    #[arg(long, conflicts_with_all = ["list", "attach"])]
    pub detach: bool,
    /// Instead of a command: show a run's log from its start, and follow it [default: the newest run].
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "", conflicts_with = "command")]
    pub attach: Option<String>,
    /// Instead of a command: past and running runs.
    #[arg(long, conflicts_with_all = ["command", "attach"])]
    pub list: bool,
    /// With --list: no more than this many.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub last: u32,
    /// How to read the migrations of --gate.
    #[command(flatten)]
    pub migration: MigrationArgs,
    /// How to judge them.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// How to reach the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Where runs are kept.
    #[command(flatten)]
    pub history: HistoryArgs,
    /// text, or json: one event a line on standard output, the command's output among them.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
