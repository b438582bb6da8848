//! Recognising a migration: a known tool by its locks, else a session that changes the schema.

use super::group::Group;
use super::index::Index;
use super::query_text::{self, Kind};
use crate::model::{
    Backend, BackendState, Certainty, FIRST_NORMAL_OID, Lock, LockMode, RelationName,
};
use crate::tools;

/// What makes a session a migration.
pub struct Found {
    /// How sure.
    pub certainty: Certainty,
    /// Why.
    pub evidence: Vec<String>,
    /// Which tool, or which command.
    pub detail: String,
}

/// Whether a backend changes the schema: it runs DDL, or its open transaction's last statement was
/// some and it still holds the lock that DDL takes.
pub fn changes_schema(backend: &Backend, index: &Index<'_>) -> bool {
    let at_work = match backend.state {
        Some(BackendState::Active) => true,
        Some(state) => state.is_idle_in_transaction() && strongest(backend, index).is_some(),
        None => false,
    };
    at_work && backend.is_client() && query_text::kind(&backend.query) == Kind::SchemaChange
}

/// Whether it holds a lock that a migration tool takes for the length of a run.
pub fn keeps_lock(backend: &Backend, index: &Index<'_>) -> bool {
    tool_by_key(backend, index).is_some() || tool_by_table(backend, index).is_some()
}

/// Recognises a migration, the surest sign first.
pub fn recognise(group: &Group<'_>, index: &Index<'_>) -> Option<Found> {
    let mut evidence = Vec::new();
    let mut detail = None;
    let mut certainty = None;
    for member in &group.members {
        if let Some(tool) = tool_by_key(member, index) {
            evidence.push(format!(
                "pid {} has {tool}'s advisory lock, or waits for it",
                member.pid
            ));
            detail.get_or_insert(format!("{tool} (advisory lock)"));
            certainty = Some(Certainty::Certain);
        }
        if let Some((lock, table)) = tool_by_table(member, index) {
            let owners = tools::owners_in_words(table);
            evidence.push(format!(
                "pid {} has {} on {table}, the table of {owners}",
                member.pid, lock.mode
            ));
            detail.get_or_insert(owners);
            certainty = certainty.max(Some(Certainty::Likely));
        }
    }
    for member in group
        .members
        .iter()
        .filter(|member| changes_schema(member, index))
    {
        let command = query_text::command(&member.query, Kind::SchemaChange).unwrap_or_default();
        let tense = if member.state == Some(BackendState::Active) {
            "runs"
        } else {
            "has run, in a transaction that is still open,"
        };
        evidence.push(format!("pid {} {tense} {command}", member.pid));
        detail = Some(match detail {
            Some(tool) => format!("{command}, {tool}"),
            None => command,
        });
        certainty = certainty.max(Some(Certainty::Likely));
    }
    if certainty.is_none()
        && let Some(words) = by_name(group.leader())
    {
        evidence.push(words.1);
        detail = Some(words.0);
        certainty = Some(Certainty::Possible);
    }
    Some(Found {
        certainty: certainty?,
        evidence,
        detail: detail?,
    })
}

/// The tool whose advisory lock it holds or waits for.
fn tool_by_key(backend: &Backend, index: &Index<'_>) -> Option<&'static str> {
    let database = backend.datname.as_deref()?;
    index
        .granted(backend.pid)
        .iter()
        .chain(index.awaited(backend.pid))
        .filter_map(|lock| tools::key_of(&lock.target))
        .find_map(|key| tools::advisory_key_owner(database, key))
        .map(|tool| tool.name)
}

/// The lock on a migration tool's table that only the tool takes: stronger than readers', and than a dump's.
fn tool_by_table<'a>(backend: &Backend, index: &Index<'a>) -> Option<(&'a Lock, &'a RelationName)> {
    index
        .granted(backend.pid)
        .iter()
        .chain(index.awaited(backend.pid))
        .filter(|lock| lock.mode > LockMode::RowShare)
        .filter_map(|lock| Some((*lock, index.name_of(lock)?)))
        .find(|(_, name)| tools::is_tools_table(name))
}

/// The strongest lock on a user's relation, where it is one that DDL or `LOCK TABLE` takes.
pub fn strongest<'a>(backend: &Backend, index: &Index<'a>) -> Option<&'a Lock> {
    index
        .granted(backend.pid)
        .iter()
        .filter(|lock| lock.mode >= LockMode::ShareUpdateExclusive)
        .filter(|lock| {
            lock.relation()
                .is_some_and(|(_, oid)| oid >= FIRST_NORMAL_OID)
        })
        .max_by_key(|lock| {
            (
                lock.mode,
                index.name_of(lock).is_some(),
                std::cmp::Reverse(lock.relation()),
            )
        })
        .copied()
}

/// Whether it holds any lock on a user's relation.
pub fn locks_user_relation(backend: &Backend, index: &Index<'_>) -> bool {
    index.granted(backend.pid).iter().any(|lock| {
        lock.relation()
            .is_some_and(|(_, oid)| oid >= FIRST_NORMAL_OID)
    })
}

/// A tool that names itself. Only a hint, and none at all once it idles outside a transaction.
fn by_name(backend: &Backend) -> Option<(String, String)> {
    let works = backend
        .state
        .is_some_and(|state| state != BackendState::Idle);
    let name = &backend.application_name;
    let tool = tools::TOOLS.iter().find(|tool| {
        tool.application_name
            .is_some_and(|own| name.starts_with(own))
    })?;
    (works && backend.is_client()).then(|| (tool.name.to_owned(), format!("calls itself {name}")))
}
