//! The timeouts in force while a statement waits, and what they mean for the others.

use crate::model::{LockMode, Server, Statement};
use crate::words::setting;

/// `lock_timeout` and `statement_timeout` in force, in milliseconds; 0: none, `None`: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `lock_timeout`
    pub lock_ms: Option<i64>,
    /// `statement_timeout`
    pub statement_ms: Option<i64>,
}

impl Timeouts {
    /// What the migration sets itself, else what its role and database begin with.
    #[must_use]
    pub fn of(statement: &Statement, server: &Server) -> Self {
        let default = |name: &str| server.settings.get(name).and_then(|text| text.parse().ok());
        Self {
            lock_ms: statement
                .lock_timeout_ms
                .or_else(|| default("lock_timeout")),
            statement_ms: statement
                .statement_timeout_ms
                .or_else(|| default("statement_timeout")),
        }
    }

    /// The shorter of both that is set.
    #[must_use]
    pub fn shortest(self) -> Option<i64> {
        [self.lock_ms, self.statement_ms]
            .into_iter()
            .flatten()
            .filter(|&ms| ms > 0)
            .min()
    }

    /// Whether one of them ends the statement before or as `milliseconds` of waiting are over.
    #[must_use]
    pub fn end_within(self, milliseconds: i64) -> bool {
        self.shortest().is_some_and(|ms| ms <= milliseconds)
    }

    /// What they mean for a wait for a lock in this mode (`None`: a wait in which nobody queues).
    #[must_use]
    pub fn in_words(self, mode: Option<LockMode>) -> String {
        let stalled = mode.and_then(stalled);
        let name = match (self.lock_ms, self.statement_ms) {
            (Some(lock), Some(statement)) if statement > 0 && (lock <= 0 || statement < lock) => {
                "statement_timeout"
            }
            (None, Some(statement)) if statement > 0 => "statement_timeout",
            _ => "lock_timeout",
        };
        match (self.shortest(), stalled) {
            (Some(ms), Some(who)) => {
                format!("{} of {name} are up to {0} of stalled {who}", setting(ms))
            }
            (Some(ms), None) => format!("it would give up after {} ({name})", setting(ms)),
            (None, _) if self.lock_ms.is_none() => {
                "no lock_timeout is known: it may wait without end".into()
            }
            (None, Some(who)) => {
                format!("no lock_timeout: it would wait without end, and so would {who}")
            }
            (None, None) => "no lock_timeout: it would wait without end".into(),
        }
    }
}

/// Whom a request in this mode stalls while it waits: what it conflicts with.
fn stalled(mode: LockMode) -> Option<&'static str> {
    match mode {
        LockMode::AccessExclusive => Some("readers and writers"),
        LockMode::Share | LockMode::ShareRowExclusive | LockMode::Exclusive => Some("writers"),
        _ => None,
    }
}
