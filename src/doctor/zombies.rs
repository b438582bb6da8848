//! Zombies: statements that wait or work, and transactions that stay open, for a client that is gone.
//!
//! A backend that waits for a lock does not look at its socket: it stays in the queue, and everybody behind it, until
//! it gets its lock (<https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL>).

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Backend, BackendState, Certainty, LockMode, Role};
use crate::sessions::query_text::{self, Kind as Text};
use crate::words::{many, one_line, span};
use chrono::TimeDelta;

/// A client of which nothing is known may be gone when its migration has stood still for so long.
const STANDS_STILL: TimeDelta = TimeDelta::minutes(1);

/// What a backend is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// It waits for a lock.
    Waits,
    /// It runs a statement.
    Works,
    /// Its transaction is open, and it runs nothing.
    Idles,
}

/// Sessions whose client is gone, or may be.
pub fn zombies(case: &Case<'_>) -> Vec<Finding> {
    case.clients()
        .filter(|b| case.words.role_of(b.pid) != Role::Backup)
        .filter_map(|backend| finding(case, backend))
        .collect()
}

fn finding(case: &Case<'_>, backend: &Backend) -> Option<Finding> {
    let at = at(case, backend)?;
    let client = case.leftovers.clients.get(&backend.pid);
    let (certainty, proof) = match client {
        Some(client) if client.is_there => return None,
        Some(client) if matters(case, backend, at) => (client.certainty, client.proof.clone()),
        None if may_be_left(case, backend, at) => (Certainty::Possible, unknown(backend)),
        _ => return None,
    };
    let tool = case.tool_lock_of(backend);
    let proof = std::iter::once(proof).chain(tool.map(|tool| {
        format!("it has {tool}'s advisory lock: the next run of the tool waits or fails while it is there")
    }));
    let waiters = case.graph.waiters_behind(backend.pid);
    Some(Finding {
        kind: Kind::Zombie,
        harm: match waiters > 0 || at == At::Waits {
            true => Harm::Blocks,
            false if tool.is_some() => Harm::StopsMigrations,
            false => Harm::Costs,
        },
        certainty,
        what: what(case, backend, at, certainty),
        relation: None,
        session: Some(backend.identity()),
        since: since(backend, at),
        proof: proof.collect(),
        cost: cost(backend, at, waiters),
        remedy: remedy(backend, at),
    })
}

fn at(case: &Case<'_>, backend: &Backend) -> Option<At> {
    match backend.state? {
        BackendState::Active if case.graph.waiter(backend.pid).is_some() => Some(At::Waits),
        BackendState::Active | BackendState::FastpathFunctionCall => Some(At::Works),
        state if state.is_idle_in_transaction() => Some(At::Idles),
        _ => None,
    }
}

/// Whether somebody is harmed by it, or a migration goes on with nobody who notes that it did.
fn matters(case: &Case<'_>, backend: &Backend, at: At) -> bool {
    at == At::Waits
        || case.graph.waiters_behind(backend.pid) > 0
        || changes(backend)
        || has_strong_lock(case, backend)
        || case.tool_lock_of(backend).is_some()
}

/// Whether it looks like a migration that nobody ends, where nothing is known of its client.
fn may_be_left(case: &Case<'_>, backend: &Backend, at: At) -> bool {
    let still = since(backend, at).is_some_and(|since| case.words.age(since) >= STANDS_STILL);
    let migrates = case.words.role_of(backend.pid) == Role::Migration;
    still && migrates && at != At::Works
}

fn changes(backend: &Backend) -> bool {
    let kind = query_text::kind(&backend.query);
    matches!(kind, Text::SchemaChange | Text::Maintenance)
}

fn has_strong_lock(case: &Case<'_>, backend: &Backend) -> bool {
    let held = case.words.index().granted(backend.pid).iter();
    let mut relations = held.filter(|lock| {
        lock.relation()
            .is_some_and(|(_, oid)| oid >= crate::model::FIRST_NORMAL_OID)
    });
    relations.any(|lock| lock.mode >= LockMode::ShareUpdateExclusive)
}

fn since(backend: &Backend, at: At) -> Option<chrono::DateTime<chrono::Utc>> {
    match at {
        At::Idles => backend.state_change,
        At::Waits | At::Works => backend.query_start,
    }
}

fn unknown(backend: &Backend) -> String {
    match backend.client_addr.as_deref() {
        Some(address) => format!(
            "its client ({address}) cannot be seen from this machine: run pgguard doctor there, or on the server's host"
        ),
        None => "its client is on the server's host, and cannot be seen from here: run pgguard doctor there, as root"
            .into(),
    }
}

fn what(case: &Case<'_>, backend: &Backend, at: At, certainty: Certainty) -> String {
    let gone = match certainty {
        Certainty::Possible => "its client may be gone",
        _ => "its client is gone",
    };
    let statement = one_line(&backend.query, 80);
    let long = since(backend, at).map_or_else(String::new, |since| {
        format!(" for {}", span(case.words.age(since)))
    });
    let does = match (at, case.graph.waiter(backend.pid)) {
        (At::Waits, Some(waiter)) => format!(
            "waits{long} for {} on {}",
            waiter.mode,
            case.words.target(&waiter.target)
        ),
        (At::Idles, _) => format!("has been idle in its transaction{long}"),
        _ => format!("has run{long}"),
    };
    let statement = match at {
        At::Idles => format!("last statement: {statement}"),
        _ => format!("statement: {statement}"),
    };
    format!(
        "{} {does}, and {gone}; {statement}",
        case.words.session(backend.pid)
    )
}

fn cost(backend: &Backend, at: At, waiters: usize) -> String {
    let behind = match (waiters, at) {
        (0, At::Waits) => "the next session that needs its table waits behind it".to_owned(),
        (0, At::Idles) => "its locks stay".to_owned(),
        (0, At::Works) => "it works for a client that is gone".to_owned(),
        (1, _) => "1 session waits behind it".to_owned(),
        (some, _) => format!("{} wait behind it", many(some, "session")),
    };
    match end(backend, at) {
        Some(end) => format!("{behind}; {end}"),
        None => behind,
    }
}

/// What becomes of its statement in the end. A message of the simple protocol without BEGIN is a transaction of its own:
/// both begin at the same time (`SetCurrentTransactionStartTimestamp`, `pgstat_report_activity`).
fn end(backend: &Backend, at: At) -> Option<&'static str> {
    if at == At::Idles || !changes(backend) {
        return None;
    }
    let alone = backend.xact_start.is_some() && backend.xact_start == backend.query_start;
    Some(match (is_concurrent(backend), alone) {
        (true, _) => "if it finishes, its index is valid, and the tool has not recorded it",
        (_, true) => "when it finishes, it is committed, and the tool has not recorded it",
        (_, false) => "when it finishes, its transaction is rolled back, if the tool began one",
    })
}

fn is_concurrent(backend: &Backend) -> bool {
    let words = backend.query.to_ascii_uppercase();
    words.contains("CONCURRENTLY") && words.contains("INDEX")
}

fn remedy(backend: &Backend, at: At) -> Remedy {
    let command = format!("pgguard kill {}", backend.pid);
    match is_concurrent(backend) && at != At::Idles {
        true => Remedy::shell(
            "let it finish: ending it now leaves an index that is not valid; to end it anyway",
            command,
        ),
        false => Remedy::shell("end it", command),
    }
}
