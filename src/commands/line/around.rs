//! What commands read besides their arguments, for help and man pages.

/// What a command reads besides its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// A server.
    Server,
    /// Past backup runs.
    History,
    /// A terminal's colours.
    Colours,
    /// A configuration file.
    Config,
    /// GitHub's runner.
    Github,
    /// An installation of Postgres, to start a server.
    Installation,
    /// Crontabs and timers.
    Schedulers,
}

use Reads::{Colours, Config, Github, History, Installation, Schedulers, Server};

/// Variables of the environment, by who reads them.
pub const ENVIRONMENT: &[(Reads, &str, &str)] = &[
    (
        Server,
        "PGHOST, PGPORT, PGUSER, PGDATABASE",
        "The server, where no option names it.",
    ),
    (
        Server,
        "PGPASSWORD, PGPASSFILE",
        "The password, or the file that has it.",
    ),
    (
        Server,
        "PGSERVICE, PGSERVICEFILE",
        "A connection by its name in libpq's service file.",
    ),
    (
        Server,
        "PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY",
        "Whether and how the connection is encrypted.",
    ),
    (
        Server,
        "DATABASE_URL",
        "A URL of a database, where nothing else names one.",
    ),
    (
        History,
        "PGGUARD_HISTORY",
        "Where past backup runs are kept: a SQLite file, or a postgres:// URL.",
    ),
    (
        History,
        "XDG_STATE_HOME",
        "The user's state folder, where they are kept otherwise.",
    ),
    (
        Github,
        "GITHUB_STEP_SUMMARY",
        "With --format github: the file that the step's summary is added to.",
    ),
    (
        Installation,
        "PGGUARD_PG_BIN",
        "The folder with the programs of a Postgres installation.",
    ),
    (
        Installation,
        "PGGUARD_PG_USER",
        "For root: the account that the throw-away server runs as.",
    ),
    (Installation, "TMPDIR", "Where its folder is made."),
    (
        Colours,
        "NO_COLOR, TERM",
        "No colours where NO_COLOR is set and not empty, or the terminal is dumb.",
    ),
];

/// Files, by who reads them.
pub const FILES: &[(Reads, &str, &str)] = &[
    (
        Server,
        "~/.pgpass, ~/.pg_service.conf",
        "Passwords and services, as libpq reads them.",
    ),
    (
        History,
        "~/.local/state/pgguard/history.sqlite",
        "Past backup runs.",
    ),
    (
        Config,
        "the file of --config",
        "TOML: [[target]] with name and url, [[backup]] with cron, tz and expect, takes, tz, history.",
    ),
    (
        Schedulers,
        "/etc/crontab, /etc/cron.d, systemd timers",
        "When the next backup begins, where nothing else tells it.",
    ),
];
