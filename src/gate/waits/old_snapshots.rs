//! Old snapshots: for whom CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY wait at their end.
//!
//! They wait for every transaction of the database that has a snapshot older than theirs, whatever
//! tables it touches: a pg_dump of another table, a long SELECT of nothing. Not the transaction's age
//! decides but whether it has a snapshot now (`backend_xmin`): an idle READ COMMITTED transaction has
//! none.
//!
//! Source: `WaitForOlderSnapshots` (indexcmds.c), `GetCurrentVirtualXIDs` (procarray.c).

use crate::gate::clearing::is_autovacuum;
use crate::gate::scene::{Party, Scene};
use crate::model::{Backend, Work};

/// Whether a backend's snapshot is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// It is.
    Yes,
    /// It builds an index concurrently, and whether others wait for it hangs on the index's
    /// expressions, which are not known here.
    Unknown,
}

/// Everybody whose snapshot is waited for, once each.
#[must_use]
pub fn old_snapshots<'a>(scene: &Scene<'a>) -> Vec<(Party<'a>, Awaited)> {
    let asker = scene.asker();
    let mut found: Vec<(Party<'a>, Awaited)> = scene
        .snapshot
        .backends
        .iter()
        .filter_map(|backend| Some((scene.party_of(backend.pid), awaited(scene, backend)?)))
        .filter(|(party, _)| Some(*party) != asker)
        .collect();
    found.sort_by_key(|(party, awaited)| (*party, *awaited == Awaited::Unknown));
    found.dedup_by_key(|(party, _)| *party);
    found
}

fn awaited(scene: &Scene, backend: &Backend) -> Option<Awaited> {
    let server = &scene.snapshot.server;
    let candidate = backend.datid == Some(server.datid)
        && backend.backend_xmin.is_some()
        && backend.pid != server.own_pid
        && !is_autovacuum(backend);
    if !candidate {
        return None;
    }
    // A parallel vacuum's workers carry their leader's flags (parallel_vacuum_main).
    let leader = backend.lock_group();
    let works = || {
        scene
            .snapshot
            .progress_of(backend.pid)
            .chain(scene.snapshot.progress_of(leader))
    };
    // PROC_IN_VACUUM: a plain VACUUM. VACUUM FULL and ANALYZE are shown in other views and are awaited.
    if works().any(|work| matches!(work, Work::Vacuum { .. })) {
        return None;
    }
    works()
        .find_map(safe_concurrent_build)
        .unwrap_or(Some(Awaited::Yes))
}

/// `PROC_IN_SAFE_IC`: a concurrent build of an index without expressions or predicate is not awaited.
/// `None`: no concurrent build; `Some(None)`: one that is not awaited.
fn safe_concurrent_build(work: &Work) -> Option<Option<Awaited>> {
    let Work::CreateIndex {
        form,
        has_expressions,
        ..
    } = work
    else {
        return None;
    };
    match (form, has_expressions) {
        (Some(form), _) if !form.ends_with("CONCURRENTLY") => None,
        (_, Some(false)) => Some(None),
        (Some(_), Some(true)) => Some(Some(Awaited::Yes)),
        (None, _) | (_, None) => Some(Some(Awaited::Unknown)),
    }
}
