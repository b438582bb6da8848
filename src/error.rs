//! What can go wrong, in three parts: what failed, on which thing, what to do. One place turns it
//! into an exit status.

use thiserror::Error;

/// The result of anything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. Every message says the way out.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line or a setting cannot be used.
    #[error("{0}")]
    Usage(String),
    /// No connection, or it was lost.
    #[error("cannot connect to {target}: {why}; {help}")]
    Connect {
        /// `host:port/database` or the socket, without the password.
        target: String,
        /// What the server or the system said.
        why: String,
        /// What to try.
        help: String,
    },
    /// The server refused or failed a query of ours.
    #[error("cannot {what}: {why}; {help}")]
    Server {
        /// What was attempted, such as `read pg_locks`.
        what: String,
        /// What the server said.
        why: String,
        /// What to try.
        help: String,
    },
    /// A right is missing.
    #[error("cannot {what}: {why}; {help}")]
    Privilege {
        /// What was attempted, on which thing.
        what: String,
        /// What the server said.
        why: String,
        /// The grant that would help.
        help: String,
    },
    /// A migration that cannot be read as SQL.
    #[error("{file}:{line}: {why}")]
    Sql {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What the parser said, and what to do.
        why: String,
    },
    /// A file or folder of the user's.
    #[error("cannot {what} {path}: {why}")]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which one.
        path: String,
        /// What the system said, and what to do.
        why: String,
    },
    /// The history of backup runs cannot be used.
    #[error("cannot use the history {path}: {why}")]
    History {
        /// Which file or database.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// It took longer than it may.
    #[error("timed out after {seconds} s while {stage}; {help}")]
    Timeout {
        /// The limit, in seconds.
        seconds: f64,
        /// What it was at.
        stage: String,
        /// What to try.
        help: String,
    },
    /// A program that is needed cannot be run.
    #[error("cannot run {program}: {why}; {help}")]
    Program {
        /// Which one.
        program: String,
        /// What happened.
        why: String,
        /// What to try.
        help: String,
    },
}

impl Error {
    /// A value from outside cannot be used. Neither part holds a piece of a connection string: a password
    /// may be in it.
    #[must_use]
    pub fn unusable(what: &str, why: &str) -> Self {
        Self::Usage(format!("cannot use {what}: {why}"))
    }

    /// The message in two parts: what failed and why, and what to do. Kinds whose message says both in
    /// one breath have their help in the first part.
    #[must_use]
    pub fn what_and_help(&self) -> (String, String) {
        let message = self.to_string();
        let help = match self {
            Self::Connect { help, .. }
            | Self::Server { help, .. }
            | Self::Privilege { help, .. }
            | Self::Timeout { help, .. }
            | Self::Program { help, .. } => help.clone(),
            Self::Usage(_) | Self::Sql { .. } | Self::File { .. } | Self::History { .. } => {
                String::new()
            }
        };
        let what = message.strip_suffix(&help).unwrap_or(&message);
        (what.trim_end_matches("; ").to_owned(), help)
    }

    /// The exit status of every command but `check` (which answers 3) and `run` (which passes its
    /// child's on): 2, "could not look".
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        2
    }
}
