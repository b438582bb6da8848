//! How a session is ended: a cancel first where one can work, a terminate where only that does.

use crate::model::{Backend, BackendState, Role, Session, Snapshot, Work};

/// One way to end a session, or its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `pg_cancel_backend`: ends the statement, and with it the transaction that it runs in.
    Cancel,
    /// `pg_terminate_backend`: ends the session.
    Terminate,
}

impl Step {
    /// What is done, as a person says it.
    #[must_use]
    pub const fn deed(self) -> &'static str {
        match self {
            Self::Cancel => "cancel its statement",
            Self::Terminate => "terminate the session",
        }
    }
}

/// The steps, in order; the next is taken when the one before did nothing. `before` is an earlier look:
/// a COPY whose counters did not move between the two is stalled. Empty: it is a process that no signal
/// of ours may end.
#[must_use]
pub fn plan(
    backend: &Backend,
    session: Option<&Session>,
    now: &Snapshot,
    before: Option<&Snapshot>,
) -> Vec<Step> {
    let role = session.map_or(Role::Server, |s| s.role);
    let kind = backend.backend_type.as_deref().unwrap_or_default();
    match (role, kind, backend.state) {
        // The worker takes the next table; its launcher would start another one anyway.
        (_, "autovacuum worker", _) => vec![Step::Cancel],
        // A walsender in replication has no statement that a cancel would end.
        (Role::Replication, ..) | (_, "walsender", _) => vec![Step::Terminate],
        (Role::Server | Role::Masked, ..) => Vec::new(),
        // `ProcessInterrupts`, postgres.c: a cancel is ignored while the session waits for a command.
        (_, _, Some(BackendState::Idle)) => vec![Step::Terminate],
        (_, _, Some(state)) if state.is_idle_in_transaction() => vec![Step::Terminate],
        // `ProcessClientWriteInterrupt`: a cancel does not interrupt a write to a client that does not read.
        _ if is_stalled_copy(backend, now, before) => vec![Step::Terminate],
        _ => vec![Step::Cancel, Step::Terminate],
    }
}

fn is_stalled_copy(backend: &Backend, now: &Snapshot, before: Option<&Snapshot>) -> bool {
    let Some(before) = before else {
        return false;
    };
    let waits_for_client = |snapshot: &Snapshot| {
        snapshot
            .backend(backend.pid)
            .is_some_and(|b| b.wait_event_type.as_deref() == Some("Client"))
    };
    let counters = |snapshot: &Snapshot| {
        snapshot
            .progress_of(backend.pid)
            .find_map(|work| match work {
                Work::Copy {
                    bytes_processed,
                    tuples_processed,
                    ..
                } => Some((*bytes_processed, *tuples_processed)),
                _ => None,
            })
    };
    waits_for_client(before)
        && waits_for_client(now)
        && counters(now).is_some()
        && counters(now) == counters(before)
}
