//! Whether a session that is idle inside its transaction is at work, between two of its statements: nobody is
//! advised to end such a one.
//!
//! One look shows how long it has been idle. Two looks show whether it ran anything between them.

use super::party::Party;
use super::query_text;
use super::waits::WaitGraph;
use crate::model::{Backend, BackendState, Pid, Snapshot};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeSet, HashMap};

/// A program at work sends its next statement within this time.
const BETWEEN_STATEMENTS: TimeDelta = TimeDelta::seconds(5);

/// Who reads through a cursor may work on what it has read for so long.
const BETWEEN_FETCHES: TimeDelta = TimeDelta::seconds(60);

/// The client of a session of postgres_fdw is another server, which may join and sort for long.
const FOREIGN: TimeDelta = TimeDelta::minutes(15);

/// Idle for longer than this, a second look a moment later tells nothing.
const A_LOOK_TELLS: TimeDelta = TimeDelta::seconds(60);

/// Whether it is at work inside its transaction: it ran something between an earlier look and this one, or has been
/// idle for no longer than a program at work is.
#[must_use]
pub fn works_between_statements(backend: &Backend, look: &Snapshot) -> bool {
    let is_in_transaction = backend
        .state
        .is_some_and(BackendState::is_idle_in_transaction);
    is_in_transaction && is_at_work(backend, look)
}

/// Whether it is idle, inside a transaction or outside, and not at work: perhaps its client is gone.
#[must_use]
pub fn waits_for_client(backend: &Backend, look: &Snapshot) -> bool {
    let is_idle = backend
        .state
        .is_some_and(|s| s == BackendState::Idle || s.is_idle_in_transaction());
    is_idle && !is_at_work(backend, look)
}

/// Whether a second look would tell if it is at work.
#[must_use]
pub fn needs_second_look(backend: &Backend, look: &Snapshot) -> bool {
    let idle = backend.state_age(look.taken_at);
    waits_for_client(backend, look) && idle.is_some_and(|idle| idle < A_LOOK_TELLS)
}

/// Whether one who keeps others waiting needs a second look.
#[must_use]
pub fn somebody_needs_second_look(look: &Snapshot) -> bool {
    let mut unsure = look
        .backends
        .iter()
        .filter(|b| needs_second_look(b, look))
        .peekable();
    if unsure.peek().is_none() {
        return false;
    }
    let roots = WaitGraph::of(look).roots();
    unsure.any(|b| roots.contains(&Party::Pid(b.lock_group())))
}

fn is_at_work(backend: &Backend, look: &Snapshot) -> bool {
    let pause = if backend.application_name.starts_with("postgres_fdw") {
        FOREIGN
    } else if fetches(&backend.query) {
        BETWEEN_FETCHES
    } else {
        BETWEEN_STATEMENTS
    };
    let idle = backend.state_age(look.taken_at);
    idle.is_some_and(|idle| idle < pause)
        || look.working.contains(&backend.pid)
        || keeps_the_snapshot_of_a_copy(backend, look)
}

/// Whether it is idle in its transaction only to keep the snapshot with which others copy rows out: it exported that
/// snapshot, or is another session of the same program (pgcopydb, `pg_dump --snapshot`).
fn keeps_the_snapshot_of_a_copy(backend: &Backend, look: &Snapshot) -> bool {
    let is_idle = backend
        .state
        .is_some_and(BackendState::is_idle_in_transaction);
    if !is_idle || backend.backend_xmin.is_none() {
        return false;
    }
    let exports = backend.query.contains("pg_export_snapshot");
    let is_one_job = |other: &Backend| {
        !other.application_name.is_empty()
            && other.application_name == backend.application_name
            && other.usename == backend.usename
            && other.client_addr == backend.client_addr
    };
    look.backends.iter().any(|other| {
        other.pid != backend.pid
            && other.datid == backend.datid
            && other.backend_xmin == backend.backend_xmin
            && (exports || is_one_job(other))
            && copies_out(other, look)
    })
}

/// Whether it copies rows out, or did so a moment ago.
fn copies_out(backend: &Backend, look: &Snapshot) -> bool {
    let idle = backend.state_age(look.taken_at);
    let is_busy = backend.state == Some(BackendState::Active)
        || idle.is_some_and(|idle| idle < BETWEEN_STATEMENTS);
    is_busy
        && (query_text::kind(&backend.query) == query_text::Kind::Export
            || query_text::is_dump_copy(&backend.query, backend.query_truncated))
}

/// Whether its last statement read on in a cursor.
fn fetches(text: &str) -> bool {
    let last = query_text::heads(text).into_iter().next_back();
    let verb = last.and_then(|head| head.into_iter().next());
    verb.is_some_and(|verb| verb == "FETCH" || verb == "MOVE")
}

/// Begin of the session, of its transaction, of its last statement, and of its state.
type Times = [Option<DateTime<Utc>>; 4];

/// What an earlier look saw of each session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier(HashMap<Pid, Times>);

impl Earlier {
    /// By that look.
    #[must_use]
    pub fn of(look: &Snapshot) -> Self {
        Self(look.backends.iter().map(|b| (b.pid, times(b))).collect())
    }

    /// Notes in a later look who has run something since. A pooler's connection counts too: somebody works on it.
    pub fn note_who_works(&self, look: &mut Snapshot) {
        let has_moved = |backend: &&Backend| {
            let (then, now) = (self.0.get(&backend.pid), times(backend));
            then.is_some_and(|then| then[0] == now[0] && then[1..] != now[1..])
        };
        let working: BTreeSet<Pid> = look
            .backends
            .iter()
            .filter(has_moved)
            .map(|b| b.pid)
            .collect();
        look.working = working;
    }
}

const fn times(backend: &Backend) -> Times {
    [
        backend.backend_start,
        backend.xact_start,
        backend.query_start,
        backend.state_change,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;
    use crate::sessions::scene::Scene;
    use crate::sessions::understand;

    /// A session that has been idle in its transaction for this many seconds.
    fn idle(seconds: i64, application: &str, query: &str) -> Snapshot {
        let scene = Scene::new();
        let since = scene.0.taken_at - TimeDelta::seconds(seconds);
        scene
            .client(20, BackendState::IdleInTransaction, query)
            .with(|backend| {
                backend.application_name = application.into();
                backend.state_change = Some(since);
                backend.query_start = Some(since);
            })
            .0
    }

    fn role(look: &Snapshot) -> Option<Role> {
        understand(look).of(20).map(|session| session.role)
    }

    /// `cases/ops/01`
    #[test]
    fn who_reads_a_cursor_pauses_for_longer() {
        for (seconds, application, query, works) in [
            (4, "importer", "INSERT INTO t VALUES (1)", true),
            (6, "importer", "INSERT INTO t VALUES (1)", false),
            (30, "importer", "FETCH FORWARD 100 FROM c", true),
            (30, "importer", "move 100 in c", true),
            (61, "importer", "FETCH FORWARD 100 FROM c", false),
            (300, "postgres_fdw", "FETCH 100 FROM c1", true),
            (
                300,
                "postgres_fdw",
                "DECLARE c1 CURSOR FOR SELECT a FROM t",
                true,
            ),
            (901, "postgres_fdw", "FETCH 100 FROM c1", false),
        ] {
            let look = idle(seconds, application, query);
            let backend = look.backend(20).expect("the session");
            assert_eq!(
                works_between_statements(backend, &look),
                works,
                "{seconds} s {query}"
            );
            assert_eq!(
                waits_for_client(backend, &look),
                !works,
                "{seconds} s {query}"
            );
            let expected = if works {
                Role::Application
            } else {
                Role::IdleInTransaction
            };
            assert_eq!(role(&look), Some(expected), "{seconds} s {query}");
        }
    }

    /// `cases/ops/02`
    #[test]
    fn who_keeps_the_snapshot_of_a_copy_is_at_work() {
        let keeper = "SELECT pg_catalog.pg_export_snapshot()";
        let copy = "copy \"public\".\"orders\" to stdout";
        for (application, query, other, copies, xmin, works) in [
            ("keeper", keeper, "pg_dump", copy, 700, true),
            ("keeper", keeper, "pg_dump", copy, 701, false),
            ("keeper", keeper, "pg_dump", "SELECT 1", 700, false),
            ("pgcopydb", "SET x TO 0", "pgcopydb", copy, 700, true),
            ("pgcopydb", "SET x TO 0", "psql", copy, 700, false),
            ("", "SET x TO 0", "", copy, 700, false),
        ] {
            let mut look = idle(1_200, application, query);
            look.backends[0].backend_xmin = Some(700);
            let mut busy = look.backends[0].clone();
            busy.pid = 21;
            busy.application_name = other.into();
            busy.query = copies.into();
            busy.state = Some(BackendState::Active);
            busy.backend_xmin = Some(xmin);
            look.backends.push(busy);
            let backend = look.backend(20).expect("the session");
            let told = works_between_statements(backend, &look);
            assert_eq!(told, works, "{application} {query} beside {other} {copies}");
        }
    }

    #[test]
    fn two_looks_show_who_works() {
        let text = "UPDATE t SET a = 1";
        let first = idle(20, "importer", text);
        let backend = first.backend(20).expect("the session");
        assert!(needs_second_look(backend, &first));
        let mut same = first.clone();
        same.taken_at += TimeDelta::seconds(1);
        Earlier::of(&first).note_who_works(&mut same);
        assert_eq!(role(&same), Some(Role::IdleInTransaction));
        // It ran a statement between the looks, and has been idle for long again at the second one.
        let mut moved = first.clone();
        moved.taken_at += TimeDelta::seconds(60);
        let at = moved.taken_at - TimeDelta::seconds(30);
        moved.backends[0].state_change = Some(at);
        moved.backends[0].query_start = Some(at);
        Earlier::of(&first).note_who_works(&mut moved);
        assert_eq!(role(&moved), Some(Role::Application));
        // Another process with the same pid is another session.
        let mut other = moved.clone();
        other.backends[0].backend_start = Some(at);
        Earlier::of(&first).note_who_works(&mut other);
        assert_eq!(role(&other), Some(Role::IdleInTransaction));
    }
}
