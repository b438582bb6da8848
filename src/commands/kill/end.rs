//! Ends one session, step by step, and waits until it and its locks are gone. The live screen ends
//! sessions through this very door.

use crate::Result;
use crate::kill::{Dossier, Outcome, Seen, Step, dossier};
use crate::model::{Pid, Role, Snapshot};
use crate::postgres::connect::Connection;
use crate::postgres::signal::{self, Sent, Signal};
use crate::postgres::snapshot;
use crate::sessions::{Earlier, WaitGraph, needs_second_look, understand};
use std::time::{Duration, Instant};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The process and its locks are gone.
    Gone,
    /// The statement was cancelled; the transaction and its locks are gone, the connection stays.
    Released,
    /// It is no longer who was looked at: nothing was done.
    Changed(String),
    /// Signalled, and still there.
    StillThere,
}

impl End {
    /// What became of it, as a person is told.
    #[must_use]
    pub fn in_words(&self, dossier: &Dossier, waited: Duration) -> String {
        let pid = dossier.identity.pid;
        match self {
            Self::Gone => format!("gone: pid {pid}, and its locks with it"),
            Self::Released => format!(
                "cancelled: the transaction of pid {pid} is over and its locks are gone; its connection stays"
            ),
            Self::Changed(why) => format!("{why}: nothing was done"),
            Self::StillThere => format!(
                "still there: pid {pid} was signalled {} s ago and has not ended; it may be in a part of the \
                 server that cannot be interrupted, or a rollback: see pgguard status. Never \
                 kill -9 it: the server would end every session",
                waited.as_secs()
            ),
        }
    }
}

/// How long a cancel may take before the next step.
const CANCEL_TAKES: Duration = Duration::from_secs(3);

/// Between two looks at whether it is gone.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A pid as it is now: the dossier, and the look it is from.
pub struct Looked {
    pub snapshot: Snapshot,
    /// Who it is; `None`: nobody has that pid.
    pub dossier: Option<Dossier>,
}

/// Looks at one pid. A COPY that waits for its client, or a session that has been idle for a moment, is looked at
/// twice: a stalled one does not move.
///
/// # Errors
/// When it cannot look.
pub async fn look_at(connection: &mut Connection, pid: Pid) -> Result<Looked> {
    let first = snapshot::look(connection).await?;
    let waits_for_client = first
        .backend(pid)
        .is_some_and(|b| b.wait_event_type.as_deref() == Some("Client"))
        && first.progress_of(pid).next().is_some();
    let may_work = first
        .backend(pid)
        .is_some_and(|b| needs_second_look(b, &first));
    if !waits_for_client && !may_work {
        let dossier = dossier_in(&first, pid, None);
        return Ok(Looked {
            snapshot: first,
            dossier,
        });
    }
    tokio::time::sleep(LOOK_EVERY * if may_work { 10 } else { 5 }).await;
    let mut second = snapshot::look(connection).await?;
    Earlier::of(&first).note_who_works(&mut second);
    let dossier = dossier_in(&second, pid, Some(&first));
    Ok(Looked {
        snapshot: second,
        dossier,
    })
}

fn dossier_in(snapshot: &Snapshot, pid: Pid, before: Option<&Snapshot>) -> Option<Dossier> {
    let sessions = understand(snapshot);
    let graph = WaitGraph::between_sessions(snapshot, &sessions);
    dossier(pid, snapshot, &sessions, &graph, before)
}

/// Ends whom the dossier describes. `steps` says how; `tell` is told each step before it is taken.
///
/// # Errors
/// When the server refuses, or cannot be asked.
pub async fn end(
    connection: &mut Connection,
    shown: &Dossier,
    steps: &[Step],
    patience: Duration,
    mut tell: impl FnMut(&str),
) -> Result<End> {
    let now = snapshot::look(connection).await?;
    if let Some(changed) = changed(shown, &now) {
        return Ok(End::Changed(changed));
    }
    let seen = Seen::of(shown.identity, &shown.members, &now);
    let mut signalled = false;
    for (nth, &step) in steps.iter().enumerate() {
        if nth > 0 {
            tell(&format!(
                "the cancel did nothing for {} s: {}",
                CANCEL_TAKES.as_secs(),
                step.deed()
            ));
        } else {
            tell(step.deed());
        }
        let sent = signal_all(connection, shown, signal_of(step)).await?;
        match sent {
            Sent::Signalled => signalled = true,
            Sent::NotSignalled => {}
            Sent::Changed if !signalled => {
                let now = snapshot::look(connection).await?;
                let why = changed(shown, &now).unwrap_or_else(|| ended(shown));
                return Ok(End::Changed(why));
            }
            // The cancel has worked after all.
            Sent::Changed => {}
        }
        let is_last = nth + 1 == steps.len();
        let limit = if is_last {
            patience
        } else {
            CANCEL_TAKES.min(patience)
        };
        match wait(connection, &seen, step, limit).await? {
            Outcome::Gone => return Ok(End::Gone),
            Outcome::Released if step == Step::Cancel => return Ok(End::Released),
            Outcome::Released | Outcome::StillThere => {}
        }
    }
    Ok(End::StillThere)
}

/// Signals the leader and then the others. Whether the leader was signalled is what counts: the others
/// can have ended because of that.
async fn signal_all(connection: &mut Connection, shown: &Dossier, with: Signal) -> Result<Sent> {
    let leader = signal::signal(connection, with, shown.identity, shown.xact_start).await?;
    if leader != Sent::Changed {
        for other in &shown.members {
            if other.identity != shown.identity {
                signal::signal(connection, with, other.identity, other.xact_start).await?;
            }
        }
    }
    Ok(leader)
}

const fn signal_of(step: Step) -> Signal {
    match step {
        Step::Cancel => Signal::Cancel,
        Step::Terminate => Signal::Terminate,
    }
}

/// Looks until it is done with, or the time is up. After a terminate only a process that is gone is done.
async fn wait(
    connection: &mut Connection,
    seen: &Seen,
    step: Step,
    limit: Duration,
) -> Result<Outcome> {
    let started = Instant::now();
    loop {
        let outcome = seen.outcome(&snapshot::look(connection).await?);
        let done = match outcome {
            Outcome::Gone => true,
            Outcome::Released => step == Step::Cancel,
            Outcome::StillThere => false,
        };
        if done || started.elapsed() >= limit {
            return Ok(outcome);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is different from what was shown, in words; `None`: nothing that matters.
fn changed(shown: &Dossier, now: &Snapshot) -> Option<String> {
    let pid = shown.identity.pid;
    let Some(backend) = now.backend(pid) else {
        return Some(ended(shown));
    };
    if backend.identity() != shown.identity {
        return Some(format!(
            "pid {pid} is another session now: the one that was looked at has ended"
        ));
    }
    if backend.xact_start != shown.xact_start {
        return Some(format!(
            "the session with pid {pid} has ended the transaction that was looked at, and its locks with it"
        ));
    }
    let role = dossier_in(now, pid, None).map(|dossier| dossier.role)?;
    // One that worked then and only waits for its client now is no other.
    let is_same =
        role == shown.role || (role, shown.role) == (Role::IdleInTransaction, Role::Application);
    (!is_same).then(|| {
        format!(
            "the session with pid {pid} is now {}, and was {}",
            role.word(),
            shown.role.word()
        )
    })
}

fn ended(shown: &Dossier) -> String {
    format!(
        "the session with pid {} has ended by itself",
        shown.identity.pid
    )
}
