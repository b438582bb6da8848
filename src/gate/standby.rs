//! What a migration on the primary means for a standby.
//!
//! A standby runs no migration, but it replays one: of all relation locks only ACCESS EXCLUSIVE is in the
//! WAL (`LogAccessExclusiveLock`, standby.c), and the startup process takes it there as any session would.
//! It waits for the sessions that read the relation, up to `max_standby_streaming_delay` (or
//! `max_standby_archive_delay`), and cancels them then (`ResolveRecoveryConflictWithLock`). Meanwhile nothing
//! is replayed, and afterwards the dump is gone.

use crate::model::{Footprint, Lock, LockMode, Oid, Pid, RelationName, Role, Session, Snapshot};
use crate::sessions::Sessions;
use crate::words::{setting, span};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a standby is a copy of this primary, as far as both tell.
#[must_use]
pub fn is_of(standby: &Snapshot, primary: &Snapshot) -> bool {
    let (standby, primary) = (&standby.server, &primary.server);
    let same_system = match (&standby.system_identifier, &primary.system_identifier) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    standby.in_recovery
        && !primary.in_recovery
        && same_system
        && (standby.datid, &standby.datname) == (primary.datid, &primary.datname)
}

/// The sessions of a standby that replay of this migration would wait for, and then cancel; one line each.
///
/// `footprint` is the primary's: a standby has the same oids.
#[must_use]
pub fn warnings(
    footprint: &Footprint,
    standby: &Snapshot,
    sessions: &Sessions,
    name: &str,
) -> Vec<String> {
    let mut in_the_way: BTreeMap<Pid, Vec<&RelationName>> = BTreeMap::new();
    for (oid, relation) in replayed(footprint) {
        for pid in readers(standby, sessions, oid) {
            let relations = in_the_way.entry(pid).or_default();
            if !relations.contains(&relation) {
                relations.push(relation);
            }
        }
    }
    in_the_way
        .into_iter()
        .map(|(pid, relations)| {
            format!(
                "replay of this on standby {name} would wait for {}, which reads {}, {}",
                who(pid, standby, sessions),
                named(&relations),
                until(standby)
            )
        })
        .collect()
}

/// How long replay waits for a reader, by the standby's own setting; below zero, for ever (`guc_tables.c`).
fn until(standby: &Snapshot) -> String {
    let delay = standby.server.settings.get("max_standby_streaming_delay");
    match delay.and_then(|text| text.parse::<i64>().ok()) {
        Some(..0) => "until it is done: no changes arrive there meanwhile, and readers of these tables queue \
                      (max_standby_streaming_delay = -1)"
            .into(),
        Some(0) => "and cancel it at once (max_standby_streaming_delay = 0)".into(),
        Some(limit) => format!(
            "up to {} (max_standby_streaming_delay), and then cancel it",
            setting(limit)
        ),
        None => "up to max_standby_streaming_delay, and then cancel it".into(),
    }
}

/// The relations whose lock is replayed.
fn replayed(footprint: &Footprint) -> impl Iterator<Item = (Oid, &RelationName)> {
    footprint
        .statements
        .iter()
        .flat_map(|statement| &statement.locks)
        .filter(|lock| lock.mode == LockMode::AccessExclusive && !lock.own)
        .filter_map(|lock| Some((lock.oid?, &lock.name)))
}

/// Who has a lock on a relation of the standby, as the session to name. Any mode conflicts. The startup
/// process is not in its own way, and a dump that has locked nothing yet is about to.
fn readers(standby: &Snapshot, sessions: &Sessions, oid: Oid) -> BTreeSet<Pid> {
    let here = standby.server.datid;
    let holds = |lock: &&Lock| {
        lock.granted
            && lock.relation().is_some_and(|(database, relation)| {
                relation == oid && (database == here || database == 0)
            })
    };
    let holders = standby.locks.iter().filter(holds).filter_map(|lock| {
        let pid = lock.pid.filter(|pid| *pid != standby.server.own_pid)?;
        Some(sessions.of(pid).map_or(pid, |session| session.pid))
    });
    let beginning = sessions.iter().filter(|session| {
        is_dump(session)
            && session.backup.as_ref().is_some_and(|b| b.tables.is_empty())
            && standby
                .backend(session.pid)
                .is_some_and(|b| b.datid == Some(here))
    });
    holders
        .chain(beginning.map(|session| session.pid))
        .filter(|pid| sessions.of(*pid).is_none_or(|s| s.role != Role::Server))
        .collect()
}

fn is_dump(session: &Session) -> bool {
    session.role == Role::Backup && session.backup.as_ref().is_some_and(|b| b.blocks_ddl)
}

/// `backup (pg_dump, pid 12, for 25 min)`
fn who(pid: Pid, standby: &Snapshot, sessions: &Sessions) -> String {
    let session = sessions.of(pid);
    let role = session.map_or_else(|| "a session".to_owned(), |s| s.role.in_words());
    let tool = session
        .and_then(|s| s.backup.as_ref())
        .map_or_else(String::new, |b| format!("{}, ", b.tool.word()));
    let age = standby
        .backend(pid)
        .and_then(|backend| backend.xact_start)
        .map_or_else(String::new, |start| {
            format!(", for {}", span(standby.taken_at - start))
        });
    format!("{role} ({tool}pid {pid}{age})")
}

/// The first names, and how many more.
fn named(relations: &[&RelationName]) -> String {
    let first: Vec<String> = relations.iter().take(3).map(ToString::to_string).collect();
    match relations.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
