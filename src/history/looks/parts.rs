//! A look as parts with names, so that of the next one only what has changed is written.
//!
//! A part is a line of JSON: a backend, a session, the locks of a process. What is not worth its bytes an hour later is
//! left out: locks that kept nobody from anything, the rest of a very long statement.

use crate::model::{
    Backend, KeptLook, Lock, LockMode, LockTarget, LockedRelation, LookToKeep, Oid, Progress,
    Session, Snapshot,
};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The parts of a look by their names.
pub type Parts = BTreeMap<String, String>;

/// Characters of a statement that are kept.
const MOST_OF_A_QUERY: usize = 2000;

/// The part with the waits, which can be read alone.
pub const WAITS: &str = "waits";

const FRAME: &str = "look";
const PROGRESS: &str = "progress";
const WORKING: &str = "working";

/// Takes a look apart.
pub fn parts(look: &LookToKeep<'_>) -> Parts {
    let snapshot = look.snapshot;
    let mut parts = Parts::new();
    let mut put = |name: String, value: &dyn Fn() -> Option<String>| {
        if let Some(text) = value() {
            parts.insert(name, text);
        }
    };
    put(FRAME.into(), &|| line(&frame(snapshot)));
    put(WAITS.into(), &|| line(&look.waits));
    put(PROGRESS.into(), &|| line(&snapshot.progress));
    put(WORKING.into(), &|| line(&snapshot.working));
    for backend in &snapshot.backends {
        put(format!("b{}", backend.pid), &|| line(&kept(backend)));
    }
    for session in look.sessions {
        put(format!("s{}", session.pid), &|| line(session));
    }
    for (pid, estimate) in look.estimates {
        put(format!("e{pid}"), &|| line(estimate));
    }
    let locks = worth_keeping(snapshot);
    let mut of_each: BTreeMap<String, Vec<&Lock>> = BTreeMap::new();
    for lock in &locks {
        let name = match lock.pid {
            Some(pid) => format!("l{pid}"),
            None => format!("l-{}", lock.virtualtransaction),
        };
        of_each.entry(name).or_default().push(lock);
    }
    for (name, locks) in &of_each {
        put(name.clone(), &|| line(locks));
    }
    let named: BTreeSet<Oid> = locks.iter().filter_map(of_relation).collect();
    for (oid, relation) in &snapshot.relations {
        if named.contains(oid) {
            put(format!("r{oid}"), &|| line(relation));
        }
    }
    parts
}

/// Puts a look together; `None`: a part is missing, or none of ours.
pub fn look(taken_at: DateTime<Utc>, parts: &Parts) -> Option<KeptLook> {
    let Frame(mut snapshot) = read(parts.get(FRAME)?)?;
    snapshot.taken_at = taken_at;
    snapshot.progress = part::<Vec<Progress>>(parts, PROGRESS)?;
    snapshot.working = part(parts, WORKING)?;
    snapshot.backends = all::<Backend>(parts, 'b')?;
    snapshot.locks = all::<Vec<Lock>>(parts, 'l')?
        .into_iter()
        .flatten()
        .collect();
    snapshot.relations = numbered::<Oid, LockedRelation>(parts, 'r')?;
    Some(KeptLook {
        snapshot,
        sessions: all::<Session>(parts, 's')?,
        estimates: numbered(parts, 'e')?,
        waits: part(parts, WAITS)?,
    })
}

/// One part by its name.
pub fn part<T: DeserializeOwned>(parts: &Parts, name: &str) -> Option<T> {
    read(parts.get(name)?)
}

/// What of a snapshot changes seldom, and is little.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Frame(Snapshot);

fn frame(snapshot: &Snapshot) -> Frame {
    let nobody = Snapshot::of_nobody(snapshot.server.clone(), DateTime::UNIX_EPOCH);
    Frame(Snapshot {
        prepared: snapshot.prepared.clone(),
        walsenders: snapshot.walsenders.clone(),
        temporary_schemas: snapshot.temporary_schemas.clone(),
        ..nobody
    })
}

fn kept(backend: &Backend) -> Backend {
    let query = &backend.query;
    let cut = query.char_indices().nth(MOST_OF_A_QUERY).map(|(at, _)| at);
    let to_milliseconds = |at: Option<DateTime<Utc>>| at.map(|at| at.trunc_subsecs(3));
    Backend {
        query: query[..cut.unwrap_or(query.len())].to_owned(),
        query_truncated: backend.query_truncated || cut.is_some(),
        xact_start: to_milliseconds(backend.xact_start),
        query_start: to_milliseconds(backend.query_start),
        state_change: to_milliseconds(backend.state_change),
        ..backend.clone()
    }
}

/// The locks that somebody waited for, those that keep writers out, and what names a prepared transaction.
fn worth_keeping(snapshot: &Snapshot) -> Vec<Lock> {
    let wanted = snapshot.awaited();
    let is_strong = |lock: &Lock| {
        lock.mode >= LockMode::ShareUpdateExclusive
            && matches!(lock.target, LockTarget::Relation { .. })
    };
    snapshot
        .locks
        .iter()
        .filter(|lock| wanted.contains(&lock.target) || is_strong(lock) || lock.pid.is_none())
        .cloned()
        .collect()
}

fn of_relation(lock: &Lock) -> Option<Oid> {
    match lock.target {
        LockTarget::Relation { relation, .. } | LockTarget::Tuple { relation, .. } => {
            Some(relation)
        }
        _ => None,
    }
}

fn line(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn of_kind(parts: &Parts, kind: char) -> impl Iterator<Item = (&str, &String)> {
    let is_one = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    parts.iter().filter_map(move |(name, text)| {
        let rest = name.strip_prefix(kind).filter(is_one)?;
        Some((rest, text))
    })
}

fn all<T: DeserializeOwned>(parts: &Parts, kind: char) -> Option<Vec<T>> {
    of_kind(parts, kind).map(|(_, text)| read(text)).collect()
}

fn numbered<N: std::str::FromStr + Ord, T: DeserializeOwned>(
    parts: &Parts,
    kind: char,
) -> Option<BTreeMap<N, T>> {
    of_kind(parts, kind)
        .map(|(name, text)| Some((name.parse().ok()?, read(text)?)))
        .collect()
}
