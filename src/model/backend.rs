//! Backends: one row of `pg_stat_activity` each.

use super::Oid;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A process id of the server. Reused by the operating system: see [`BackendIdentity`].
pub type Pid = i32;

/// What tells one backend from every other one that ever was: its process id alone is reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackendIdentity {
    /// `pg_stat_activity.pid`
    pub pid: Pid,
    /// `pg_stat_activity.backend_start`; `None` where the role may not see it.
    pub backend_start: Option<DateTime<Utc>>,
}

impl fmt::Display for BackendIdentity {
    /// `4711@2026-11-23T14:03:11.123456Z`, the pid alone where the start is hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.backend_start {
            Some(start) => write!(
                f,
                "{}@{}",
                self.pid,
                start.to_rfc3339_opts(SecondsFormat::Micros, true)
            ),
            None => write!(f, "{}", self.pid),
        }
    }
}

impl FromStr for BackendIdentity {
    type Err = String;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let (pid, start) = match text.split_once('@') {
            Some((pid, start)) => (pid, Some(start)),
            None => (text, None),
        };
        let wrong = || {
            format!("cannot read the identity `{text}`: take it from pgguard status --format json")
        };
        Ok(Self {
            pid: pid.parse().map_err(|_| wrong())?,
            backend_start: start
                .map(|start| DateTime::parse_from_rfc3339(start).map(|start| start.to_utc()))
                .transpose()
                .map_err(|_| wrong())?,
        })
    }
}

/// `pg_stat_activity.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BackendState {
    /// Runs a statement.
    #[serde(rename = "active")]
    Active,
    /// Waits for its client, outside a transaction.
    #[serde(rename = "idle")]
    Idle,
    /// Waits for its client, inside a transaction: its locks stay.
    #[serde(rename = "idle in transaction")]
    IdleInTransaction,
    /// As before, after an error.
    #[serde(rename = "idle in transaction (aborted)")]
    IdleInTransactionAborted,
    /// Runs a function call of the fast-path interface (large objects).
    #[serde(rename = "fastpath function call")]
    FastpathFunctionCall,
    /// `track_activities` is off for it.
    #[serde(rename = "disabled")]
    Disabled,
    /// Authenticates (18 and later).
    #[serde(rename = "starting")]
    Starting,
}

const STATES: [(BackendState, &str); 7] = [
    (BackendState::Active, "active"),
    (BackendState::Idle, "idle"),
    (BackendState::IdleInTransaction, "idle in transaction"),
    (
        BackendState::IdleInTransactionAborted,
        "idle in transaction (aborted)",
    ),
    (BackendState::FastpathFunctionCall, "fastpath function call"),
    (BackendState::Disabled, "disabled"),
    (BackendState::Starting, "starting"),
];

impl BackendState {
    /// Reads the view's text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        STATES.iter().find(|s| s.1 == text).map(|s| s.0)
    }

    /// The view's text.
    #[must_use]
    pub fn text(self) -> &'static str {
        STATES.iter().find(|s| s.0 == self).map_or("", |s| s.1)
    }

    /// Whether it waits for its client inside a transaction.
    #[must_use]
    pub const fn is_idle_in_transaction(self) -> bool {
        matches!(
            self,
            Self::IdleInTransaction | Self::IdleInTransactionAborted
        )
    }
}

/// One row of `pg_stat_activity`. Texts are made valid UTF-8 on reading; times are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Backend {
    /// Process id.
    pub pid: Pid,
    /// Leader of the parallel group, where this is a parallel worker.
    pub leader_pid: Option<Pid>,
    /// Database; `None` for processes that serve none (walsenders of physical replication, launchers).
    pub datid: Option<Oid>,
    /// As `pg_catalog` has it, without quotes.
    pub datname: Option<String>,
    /// Role's name.
    pub usename: Option<String>,
    /// Set by the client: a hint, never a proof.
    pub application_name: String,
    /// Client's address; `None` on a unix socket.
    pub client_addr: Option<String>,
    /// Client's port; −1 on a unix socket.
    pub client_port: Option<i32>,
    /// When the process began.
    pub backend_start: Option<DateTime<Utc>>,
    /// When its transaction began.
    pub xact_start: Option<DateTime<Utc>>,
    /// When its running, or last, statement began.
    pub query_start: Option<DateTime<Utc>>,
    /// When `state` last changed.
    pub state_change: Option<DateTime<Utc>>,
    /// `wait_event_type`, such as `Lock` or `Client`.
    pub wait_event_type: Option<String>,
    /// `wait_event`, such as `relation` or `ClientWrite`.
    pub wait_event: Option<String>,
    /// State; `None` for auxiliary processes and masked rows.
    pub state: Option<BackendState>,
    /// Top-level transaction id, once it wrote.
    pub backend_xid: Option<u32>,
    /// Oldest transaction id its snapshot needs: CREATE INDEX CONCURRENTLY waits for it.
    pub backend_xmin: Option<u32>,
    /// The running, or last, statement, perhaps cut at `track_activity_query_size`.
    pub query: String,
    /// Whether `query` was cut off by the server.
    pub query_truncated: bool,
    /// `backend_type`, such as `client backend`; `None` where masked.
    pub backend_type: Option<String>,
    /// Whether the role that looked may not see this row (`<insufficient privilege>`).
    pub masked: bool,
}

impl Backend {
    /// What tells it from any later process with the same pid.
    #[must_use]
    pub const fn identity(&self) -> BackendIdentity {
        BackendIdentity {
            pid: self.pid,
            backend_start: self.backend_start,
        }
    }

    /// The lock group (`proc.h lockGroupLeader`): locks within one never conflict.
    ///
    /// `leader_pid` is also set for the parallel apply workers of logical replication (16 and
    /// later, `GetLeaderApplyWorkerPid`), which are no lock group.
    #[must_use]
    pub fn lock_group(&self) -> Pid {
        match self.leader_pid {
            Some(leader) if self.backend_type.as_deref() == Some("parallel worker") => leader,
            _ => self.pid,
        }
    }

    /// Whether it serves a client. The type of a masked row is hidden: it is none.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.backend_type.as_deref() == Some("client backend")
    }

    /// Whether it is in the given wait event, such as `("Client", "ClientWrite")`.
    #[must_use]
    pub fn waits_in(&self, event_type: &str, event: &str) -> bool {
        self.wait_event_type.as_deref() == Some(event_type)
            && self.wait_event.as_deref() == Some(event)
    }

    /// Age of the transaction at `now`.
    #[must_use]
    pub fn xact_age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.xact_start.map(|start| age(start, now))
    }

    /// Age of the running, or last, statement at `now`.
    #[must_use]
    pub fn query_age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.query_start.map(|start| age(start, now))
    }

    /// How long it has been in its state at `now`.
    #[must_use]
    pub fn state_age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.state_change.map(|start| age(start, now))
    }
}

/// Time since `start`, never negative: rows are read a moment after the clock is.
#[must_use]
pub fn age(start: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    (now - start).max(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_to_the_microsecond() {
        for text in ["4711@2026-11-23T14:03:11.123456Z", "4711"] {
            assert_eq!(
                text.parse::<BackendIdentity>().map(|i| i.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "x", "4711@yesterday", "@"] {
            assert!(text.parse::<BackendIdentity>().is_err(), "{text}");
        }
    }
}
