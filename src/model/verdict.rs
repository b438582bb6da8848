//! A verdict: would the migration block, on whom, until when, and who would pile up behind it.

use super::{
    Accepted, Allowable, Hold, LockMode, Oid, Pid, RelationName, Role, RunningMigration, SaferForm,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The answer of a gate, and its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nothing is in the way: exit status 0.
    Clear,
    /// It would wait: exit status 1.
    WouldBlock,
    /// Postgres will refuse it for certain: exit status 1.
    WouldFail,
    /// Not known: exit status 2.
    CannotTell,
}

impl Answer {
    /// The gate's exit status.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::WouldBlock | Self::WouldFail => 1,
            Self::CannotTell => 2,
        }
    }

    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::WouldBlock => "would_block",
            Self::WouldFail => "would_fail",
            Self::CannotTell => "cannot_tell",
        }
    }

    /// The headline for people.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::WouldBlock => "WOULD BLOCK",
            Self::WouldFail => "WOULD FAIL",
            Self::CannotTell => "CANNOT TELL",
        }
    }
}

/// A gate's answer with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer over all statements.
    pub answer: Answer,
    /// For each statement of the footprint, in the same order.
    pub statements: Vec<StatementVerdict>,
    /// Why it cannot tell, each with what would help.
    #[serde(default)]
    pub doubts: Vec<Doubt>,
    /// What does not stop the migration and is still worth a line.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What would have weighed and was let through by name.
    #[serde(default)]
    pub accepted: Vec<Accepted>,
    /// Whether a second look, a patience later, may change it: a blocking transaction has only just started.
    #[serde(default)]
    pub look_again: bool,
    /// Migrations that are running already.
    #[serde(default)]
    pub running: Vec<RunningMigration>,
}

/// What blocks one statement.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StatementVerdict {
    /// Every wait, in the order the statement meets them.
    pub waits: Vec<Wait>,
    /// Who would queue behind it.
    #[serde(default)]
    pub behind: Option<Behind>,
    /// `lock_timeout` in force while it runs, in milliseconds (0: none); `None`: not known.
    #[serde(default)]
    pub lock_timeout_ms: Option<i64>,
    /// The locks that it takes and that keep others out, and how long each is held.
    #[serde(default)]
    pub holds: Vec<Held>,
    /// Why it will not run, where that is certain and was not let through.
    #[serde(default)]
    pub fails: Option<String>,
    /// A form that keeps others out less, where something is in the statement's way and nothing in the form's.
    #[serde(default)]
    pub safer: Option<SaferForm>,
    /// Facts about the wait that are worth a line: what it holds meanwhile, what a timeout means for
    /// the others, that it would end a running dump.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Verdict {
    /// Whether no later look can change the answer to a better one: what it says does not hang on who is
    /// connected.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        let holds = |wait: &Wait| wait.counts && wait.kind == WaitKind::Hold;
        let waits = self.statements.iter().flat_map(|s| &s.waits);
        let fails = self.statements.iter().any(|s| s.fails.is_some());
        fails || self.doubts.iter().any(|doubt| doubt.lasting) || waits.into_iter().any(holds)
    }
}

impl StatementVerdict {
    /// Whether something that counts is in the statement's way.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.waits.iter().any(|wait| wait.counts)
    }
}

/// A lock that keeps others out, and whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The lock, and how long it is held.
    #[serde(flatten)]
    pub hold: Hold,
    /// Who uses the relation now and would wait.
    pub users: Behind,
    /// The longest time that the gate lets through, in seconds, where this is longer.
    #[serde(default)]
    pub over_s: Option<f64>,
}

/// Why the answer is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Index of the statement, where it is about one.
    pub statement: Option<usize>,
    /// What is not known, on which thing.
    pub what: String,
    /// What would help.
    pub help: String,
    /// Whether looking again cannot change it: a standby, an opaque statement.
    #[serde(default)]
    pub lasting: bool,
    /// By which name it can be let through; `None`: by none.
    #[serde(default)]
    pub accepts: Option<Allowable>,
}

/// What kind of wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// Behind a holder.
    Lock,
    /// Behind somebody who waits ahead of it.
    Queue,
    /// For an old snapshot to end.
    Snapshot,
    /// For a serializable transaction that may write to end.
    SafeSnapshot,
    /// For a transaction with an id to end, of any database.
    Transactions,
    /// For a transaction that has a lock on the relation to end.
    Lockers,
    /// Clears by itself within moments: an ordinary autovacuum, a query younger than the patience.
    SelfClearing,
    /// The other way round: it waits for nobody, and would keep others out for too long.
    Hold,
    /// The other way round: that one would have to wait for what is asked about (a backup).
    HoldsUp,
}

/// One wait: what is asked for, and who has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The relation; none for a snapshot wait and advisory locks.
    pub oid: Option<Oid>,
    /// Schema and name, as the catalog has them.
    pub name: Option<RelationName>,
    /// What it is on that is no relation: `schema app`, `advisory lock 7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How strong the lock is.
    pub mode: Option<LockMode>,
    /// Kind of wait.
    pub kind: WaitKind,
    /// Whether it counts for the answer (a self-clearing one does not, unless a timeout is shorter).
    pub counts: bool,
    /// Who is ahead of it.
    pub blocker: Blocker,
    /// When that one is expected to be gone.
    pub clears: Option<Clears>,
    /// Why it does not count, where it does not.
    #[serde(default)]
    pub clears_by: Option<ClearsBy>,
    /// It does not wait but fails at once (`NOWAIT`, a deadlock with a waiter).
    #[serde(default)]
    pub fails: bool,
}

/// Why a wait clears by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearsBy {
    /// An ordinary autovacuum: the waiter cancels it after `deadlock_timeout`.
    Autovacuum,
    /// Younger than the patience, and not looked at a second time yet.
    NotSeenTwice,
    /// Younger than the patience, in the second look too: another one each time.
    Young,
    /// The statement continues without the lock instead of waiting (`SKIP_LOCKED`, a `pg_try_` function).
    Skipped,
}

/// Who is in the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blocker {
    /// The session's leading pid; `None` for a prepared transaction.
    pub pid: Option<Pid>,
    /// The name of a prepared transaction.
    pub gid: Option<String>,
    /// What kind of session it is.
    pub role: Role,
    /// As it calls itself.
    pub application_name: String,
    /// The database role.
    pub user: String,
    /// `pg_stat_activity.state`, or `prepared`.
    pub state: String,
    /// The mode it has or waits for; `None` for a snapshot.
    pub mode: Option<LockMode>,
    /// Holds it (true) or waits for it.
    pub granted: bool,
    /// Since when its transaction runs (or was prepared).
    pub since: Option<DateTime<Utc>>,
    /// When its process began, for `kill`.
    pub backend_start: Option<DateTime<Utc>>,
    /// Words for people: `pg_dump, now copying public.jobs, 31 of 44 tables`.
    #[serde(default)]
    pub detail: String,
    /// What a person can do about it.
    #[serde(default)]
    pub advice: String,
}

/// When a blocker is expected to be gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clears {
    /// Lower end of the 80 % interval.
    pub earliest: Option<DateTime<Utc>>,
    /// Best guess; `None`: unknown.
    pub expected: Option<DateTime<Utc>>,
    /// Upper end.
    pub latest: Option<DateTime<Utc>>,
    /// Where it comes from, in words: `31 of 44 tables, 14 past runs`.
    pub basis: String,
    /// Past runs of the same backup are a part of it: without them, the pace of a moment is all that is known.
    #[serde(default)]
    pub from_past_runs: bool,
}

/// Who would queue behind a waiting statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behind {
    /// The relation on which they would queue.
    pub name: RelationName,
    /// Sessions that hold or wait for it now and whose next use would queue.
    pub sessions_now: usize,
    /// Uses a minute that would queue, from the relation's counters between two looks; `None`: not measured.
    pub per_minute: Option<f64>,
    /// What would queue, in words.
    pub what: String,
}
