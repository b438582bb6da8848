//! Safe snapshots: a transaction that is SERIALIZABLE READ ONLY DEFERRABLE waits with its first query until
//! the other serializable transactions that may write are over, of every database.
//!
//! `pg_locks` shows who is serializable by its `SIReadLock` rows, once it has read something; an id shows
//! that it has written. Who has read and not written may be READ ONLY, and who keeps a snapshot without such
//! a row at another level: both are doubts.
//!
//! Source: `GetSafeSnapshot`, `GetSerializableTransactionSnapshotInt` (predicate.c).

use crate::gate::blocker::Owner;
use crate::gate::clearing::is_autovacuum;
use crate::gate::judge::{Asked, Judge};
use crate::gate::scene::Party;
use crate::migration::left_behind::leaves_deferrable;
use crate::model::{Backend, BackendState, WaitKind, WaitPhase};

/// Adds the waits of a statement whose transaction an earlier message of the asking session has deferred.
pub fn judge(judge: &mut Judge) {
    let told = judge.statement.phases.contains(&WaitPhase::SafeSnapshot);
    if !told && judge.index == 0 && is_deferred(judge) && judge.statement.kind().needs_snapshot {
        wait(judge);
    }
}

/// Whether the asking session has begun such a transaction with its last message, and has no snapshot yet.
fn is_deferred(judge: &Judge) -> bool {
    let asking = judge.scene.policy.asking;
    let backend = asking.and_then(|pid| judge.scene.backend(pid));
    backend.is_some_and(|b| {
        b.state == Some(BackendState::IdleInTransaction)
            && b.backend_xmin.is_none()
            && leaves_deferrable(&b.query)
    })
}

/// Adds the waits for a safe snapshot.
pub fn wait(judge: &mut Judge) {
    let scene = judge.scene;
    let mut unknown = Vec::new();
    for backend in scene
        .snapshot
        .backends
        .iter()
        .filter(|b| b.backend_xmin.is_some())
    {
        let party = scene.party_of(backend.pid);
        let own = Party::Group(scene.snapshot.server.own_pid);
        if party == own || Some(party) == scene.asker() || !runs_queries(backend) {
            continue;
        }
        let owner = Owner { party, lock: None };
        let is_serializable = scene.snapshot.serializable.contains(&backend.pid);
        if is_serializable && backend.backend_xid.is_some() {
            judge.meet(owner, Asked::NOTHING, WaitKind::SafeSnapshot, false);
        } else {
            unknown.push(owner);
        }
    }
    let lasting = unknown.into_iter().filter(|owner| judge.lasts(owner));
    if let Some(who) = Owner::names(lasting, scene) {
        judge.doubt(
            format!(
                "it waits for a safe snapshot, and {who} may be serializable and may write: it has a snapshot and \
                 is still open"
            ),
            "run it again once that transaction is over",
            false,
        );
    }
}

/// Whether a backend can be in a serializable transaction: a walsender's snapshot is its standby's.
fn runs_queries(backend: &Backend) -> bool {
    !is_autovacuum(backend) && backend.backend_type.as_deref() != Some("walsender")
}
