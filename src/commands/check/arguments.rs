//! The plugin's own arguments. Plugins have other habits than libpq's programs: `-H` is the host, `-h`
//! help, `-t` seconds, nothing is positional, and no text goes to standard error.

use crate::check::{CONNECTION, MODES, Range, State};
use crate::cli::{JudgeArgs, MigrationArgs};
use crate::model::Role;
use crate::words;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, FromArgMatches, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// `pgguard check`, as a monitoring system calls it.
#[derive(Debug, Clone, Parser)]
#[command(
    bin_name = "pgguard check",
    name = "pgguard check",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 100,
    about = "A monitoring plugin: one line by the Nagios rules"
)]
pub struct Arguments {
    /// What to check; see below [default: lock-wait].
    #[arg(short, long, value_name = "MODE", default_value = "lock-wait", hide_default_value = true, value_parser = mode_name)]
    pub mode: String,
    /// Warn outside this range (seconds or a count; durations such as 5m are seconds).
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub warning: Option<Range>,
    /// Alarm outside this range.
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub critical: Option<Range>,
    /// Server's host, or the folder of its socket.
    #[arg(
        short = 'H',
        long = "hostname",
        visible_alias = "host",
        value_name = "HOST"
    )]
    pub host: Option<String>,
    /// Server's port.
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Role to connect as; it needs pg_monitor, and nothing else.
    #[arg(
        short = 'U',
        short_alias = 'u',
        long = "username",
        visible_alias = "logname",
        value_name = "ROLE"
    )]
    pub user: Option<String>,
    /// Database, URL or key=value string.
    #[arg(
        short = 'd',
        long = "dbname",
        visible_alias = "database",
        value_name = "DATABASE"
    )]
    pub dbname: Option<String>,
    /// Seconds until it gives up, in all.
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// More words: -v details in the line, -vv one line each, -vvv how it looked.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// What a failed connection is [default: critical for the mode connection, else unknown].
    #[arg(long, value_enum, value_name = "STATE")]
    pub connect_fail: Option<ConnectFail>,
    /// For the mode blocked: a wait counts from this on.
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = words::duration)]
    pub counts_from: Duration,
    /// Leave sessions of this role out, such as backup; may be given more than once.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub exclude_role: Vec<Role>,
    /// Only sessions of this database.
    #[arg(long, value_name = "NAME")]
    pub only_database: Option<String>,
    /// For the mode migration: files or folders; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub migration: Vec<PathBuf>,
    /// How to read them.
    #[command(flatten)]
    pub how: MigrationArgs,
    /// How to judge them.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Where past backup runs are kept: a SQLite file, or a postgres:// URL [default: $PGGUARD_HISTORY, or the user's state folder].
    #[arg(long, value_name = "WHERE")]
    pub history: Option<String>,
    /// Neither read nor write past backup runs.
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
    /// nagios: one line. openmetrics: everything at once, for a textfile collector.
    #[arg(long, value_enum, default_value_t = Form::Nagios)]
    pub format: Form,
    /// This page; --help-all lists every option (exit status 3).
    #[arg(short = 'h', long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// Help with every option.
    #[arg(long, action = ArgAction::HelpShort)]
    help_all: Option<bool>,
    /// Print the version (exit status 3).
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// What a failed connection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConnectFail {
    /// The server is down, and this check says so.
    Critical,
    /// Another check says so; this one cannot tell.
    Unknown,
}

/// Output forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One line by the plugin rules.
    Nagios,
    /// `OpenMetrics` text.
    Openmetrics,
}

/// What is printed instead of a check: help, the version, or what is wrong with the arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// To be printed as it is.
    Text(String),
    /// One sentence on bad usage.
    Wrong(String),
}

impl Arguments {
    /// Reads the arguments after `check`.
    ///
    /// # Errors
    /// What to print instead.
    pub fn read(command: Command, words: impl IntoIterator<Item = OsString>) -> Result<Self, Said> {
        let words = std::iter::once("check".into()).chain(words);
        command
            .try_get_matches_from(words)
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Said::Text(error.to_string()),
                _ => Said::Wrong(first_sentence(&error.to_string())),
            })
    }

    /// The state of a failed connection.
    #[must_use]
    pub fn when_connect_fails(&self) -> State {
        match self.connect_fail {
            Some(ConnectFail::Critical) => State::Critical,
            Some(ConnectFail::Unknown) => State::Unknown,
            None if self.mode == CONNECTION => State::Critical,
            None => State::Unknown,
        }
    }
}

/// Clap's message without its usage block, on one line.
fn first_sentence(message: &str) -> String {
    message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim_start_matches("error: ")
        .to_owned()
}

/// What the modes judge, a line each.
#[must_use]
pub fn modes_help() -> String {
    use std::fmt::Write as _;
    let mut out = String::from("Modes, and what -w and -c are compared with:\n");
    for mode in &MODES {
        let defaults = match (mode.warning, mode.critical) {
            ("", "") => String::new(),
            ("", critical) => format!(" [-c {critical}]"),
            (warning, critical) => format!(" [-w {warning} -c {critical}]"),
        };
        let _ = writeln!(out, "  {:<20} {}{defaults}", mode.name, mode.judges);
    }
    let _ = writeln!(out, "  {CONNECTION:<20} how long it takes to connect");
    out
}

/// Every mode's name.
#[must_use]
pub fn mode_names() -> String {
    let names = MODES.iter().map(|mode| mode.name).chain([CONNECTION]);
    names.collect::<Vec<_>>().join(", ")
}

fn mode_name(text: &str) -> Result<String, String> {
    if text == CONNECTION || MODES.iter().any(|mode| mode.name == text) {
        Ok(text.to_owned())
    } else {
        Err(format!("modes are {}", mode_names()))
    }
}

fn role(text: &str) -> Result<Role, String> {
    let known = [
        Role::Backup,
        Role::Migration,
        Role::Application,
        Role::Idle,
        Role::IdleInTransaction,
        Role::Maintenance,
        Role::Replication,
        Role::Monitoring,
        Role::Server,
        Role::Masked,
    ];
    known
        .into_iter()
        .find(|role| role.word() == text)
        .ok_or_else(|| format!("roles are {}", known.map(Role::word).join(", ")))
}

/// Plain seconds, as plugins take them, or a duration.
fn seconds(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<f64>() {
        Ok(number) => Duration::try_from_secs_f64(number).map_err(|e| e.to_string())?,
        Err(_) => words::duration(text)?,
    };
    if duration.is_zero() {
        return Err("it must be more than 0".into());
    }
    words::not_too_long(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn read(words: &[&str]) -> Result<Arguments, Said> {
        Arguments::read(Arguments::command(), words.iter().map(OsString::from))
    }

    #[test]
    fn flags_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_plugin_is_called_as_plugins_are() {
        let line = "-H db1 -p 5433 -u nagios -d shop -m blocked -w 5 -c @10:20 -t 7 -vv";
        let words: Vec<&str> = line.split(' ').collect();
        let read = read(&words).expect(line);
        assert_eq!(read.host.as_deref(), Some("db1"));
        assert_eq!(read.user.as_deref(), Some("nagios"));
        assert_eq!(read.timeout, Duration::from_secs(7));
        assert_eq!(read.verbose, 2);
        assert_eq!(read.warning, Some(Range::up_to(5.0)));
    }

    #[test]
    fn bad_usage_is_one_sentence() {
        for words in [
            &["--nonsense"][..],
            &["-w", "5:1"],
            &["-t", "0"],
            &["-t", "-1"],
            &["-m", "everything"],
            &["positional"],
            &["-c"],
            &["--exclude-role", "dba"],
        ] {
            match read(words) {
                Err(Said::Wrong(text)) => {
                    assert!(!text.contains('\n') && !text.is_empty(), "{text}");
                    assert!(!text.contains("Usage"), "{text}");
                }
                other => panic!("{words:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn help_names_every_mode() {
        for mode in &MODES {
            assert!(modes_help().contains(mode.name), "{}", mode.name);
        }
    }
}
