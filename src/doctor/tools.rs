//! What a migration tool's run that did not end left: its lock, and the migration that it was at.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Place, Remedy};
use crate::model::{Backend, BackendState, Certainty, Role, ToolRow};
use crate::safe::shell_word;
use crate::tools::{Tool, Trace, named};
use crate::words::{literal, span};
use chrono::TimeDelta;

/// A run is never idle for so long between two statements.
const IDLE: TimeDelta = TimeDelta::minutes(1);

/// Advisory locks of tools whose sessions do nothing, and nobody else migrates.
pub fn advisory_locks(case: &Case<'_>) -> Vec<Finding> {
    if at_work(case).next().is_some() {
        return Vec::new();
    }
    let clients = case.snapshot.backends.iter();
    clients
        .filter(|b| b.is_client() && b.state == Some(BackendState::Idle))
        .filter_map(|b| {
            Some((
                b,
                b.state_age(case.snapshot.taken_at)?,
                case.tool_lock_of(b)?,
            ))
        })
        .filter(|(_, idle, _)| *idle >= IDLE)
        .map(|(backend, idle, tool)| advisory(case, backend, idle, tool))
        .collect()
}

fn advisory(case: &Case<'_>, backend: &Backend, idle: TimeDelta, tool: &str) -> Finding {
    Finding {
        kind: Kind::ToolLock,
        harm: Harm::StopsMigrations,
        certainty: Certainty::Likely,
        what: format!(
            "{} has {tool}'s advisory lock, and no migration of {tool} is running",
            case.words.session(backend.pid)
        ),
        relation: None,
        session: Some(backend.identity()),
        since: backend.state_change,
        proof: vec![format!(
            "it has been idle for {}, and no session changes the schema; a pooler keeps a lock with its connection",
            span(idle)
        )],
        cost: format!("the next run of {tool} waits for it or fails"),
        remedy: Remedy::shell(
            "if no migration is running, end the session that has it",
            format!("pgguard kill {}", backend.pid),
        ),
    }
}

/// Sessions that migrate the connected database, and whose client is not gone.
fn at_work<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Backend> {
    case.clients().filter(move |b| {
        !case.is_gone(b)
            && case.words.role_of(b.pid) == Role::Migration
            && b.state.is_some_and(|state| state != BackendState::Idle)
    })
}

/// Rows of tools that say that a run did not end, and nobody runs it.
pub fn rows(case: &Case<'_>) -> Vec<Finding> {
    if at_work(case).next().is_some() {
        return Vec::new();
    }
    let rows = case.leftovers.rows.iter();
    rows.filter_map(|row| {
        let tool = named(&row.tool)?;
        Some(left(case, row, tool, tool.traces.get(row.trace)?))
    })
    .collect()
}

fn left(case: &Case<'_>, row: &ToolRow, tool: &Tool, trace: &Trace) -> Finding {
    let perhaps = perhaps_its(case, tool);
    let who = match perhaps {
        None => "no session of it is connected".to_owned(),
        Some(backend) => format!(
            "{} may belong to it, or wait for it",
            case.words.session(backend.pid)
        ),
    };
    let of = match trace.is_lock {
        true => String::new(),
        false => format!(" ({})", row.id),
    };
    Finding {
        kind: match trace.is_lock {
            true => Kind::ToolLock,
            false => Kind::UnfinishedMigration,
        },
        harm: Harm::StopsMigrations,
        certainty: match perhaps {
            Some(_) => Certainty::Possible,
            None => Certainty::Likely,
        },
        what: format!("{} {}{of}", tool.name, trace.means),
        relation: Some(row.table.clone()),
        session: perhaps.map(Backend::identity),
        since: None,
        proof: vec![
            format!("{} says: {}", row.table, row.detail),
            format!("no session changes the schema; {who}"),
        ],
        cost: trace.cost.to_owned(),
        remedy: remedy(row, trace),
    }
}

/// A client whose last statement is about the tool's tables, if there is one.
fn perhaps_its<'a>(case: &'a Case<'_>, tool: &Tool) -> Option<&'a Backend> {
    let tables = [tool.version_table, tool.lock_table];
    case.clients().find(|b| {
        let text = b.query.to_ascii_lowercase();
        let names = |table: &&str| text.contains(&table.to_ascii_lowercase());
        !case.is_gone(b) && tables.iter().flatten().any(names)
    })
}

fn remedy(row: &ToolRow, trace: &Trace) -> Remedy {
    let (place, id) = match trace.is_sql {
        true => (Place::Sql, literal(&row.id)),
        false => (Place::Shell, shell_word(&row.id)),
    };
    Remedy {
        advice: trace.advice.to_owned(),
        command: trace
            .command
            .replace("{table}", &row.table.to_string())
            .replace("{id}", &id),
        place,
    }
}
