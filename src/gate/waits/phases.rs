//! Waits for transactions to end: those that have a lock on a relation, and those with an old snapshot.

use super::old_snapshots::{Awaited, old_snapshots};
use super::{relation, safe_snapshot, transactions};
use crate::gate::blocker::Owner;
use crate::gate::held::Held;
use crate::gate::judge::{Asked, Judge};
use crate::model::{LockMode, Oid, RelationName, WaitKind, WaitPhase};

/// Adds the waits of the statement's phases, in order.
pub fn judge(judge: &mut Judge, held: &Held) {
    let phases = &judge.statement.phases;
    // DETACH … CONCURRENTLY commits before it waits, and keeps no lock meanwhile (`ATExecDetachPartition`, tablecmds.c).
    let gave_back = phases
        .iter()
        .any(|phase| matches!(phase, WaitPhase::ThenLock { .. }));
    for phase in phases {
        wait(judge, phase, held);
        if gave_back {
            judge.note_that_it_holds_nothing();
        } else {
            judge.note_what_it_holds(held);
        }
    }
}

fn wait(judge: &mut Judge, phase: &WaitPhase, held: &Held) {
    match phase {
        WaitPhase::Lockers { oid, name, mode } => {
            if let Some(oid) = *oid {
                lockers(judge, oid, name, *mode, &held.modes_on(oid));
            }
        }
        WaitPhase::ThenLock { oid, name, mode } => {
            if let Some(oid) = *oid {
                relation::lock(judge, oid, name, *mode, false, &held.modes_on(oid));
            }
        }
        WaitPhase::Snapshots => snapshots(judge),
        WaitPhase::SafeSnapshot => safe_snapshot::wait(judge),
        WaitPhase::Transactions => transactions::wait(judge),
    }
}

fn lockers(
    judge: &mut Judge,
    oid: Oid,
    name: &RelationName,
    mode: LockMode,
    will_hold: &[LockMode],
) {
    let scene = judge.scene;
    let asked = Asked::relation(oid, name, mode);
    for claim in scene.queue(oid).lockers(mode, scene.asker(), will_hold) {
        judge.meet(Owner::of(claim), asked, WaitKind::Lockers, false);
    }
}

fn snapshots(judge: &mut Judge) {
    for (party, awaited) in old_snapshots(judge.scene) {
        let owner = Owner { party, lock: None };
        match awaited {
            Awaited::Yes => judge.meet(owner, Asked::NOTHING, WaitKind::Snapshot, false),
            Awaited::Unknown => judge.hidden(
                owner,
                "builds an index concurrently: whether others wait for its snapshot depends on \
                 the index's expressions",
            ),
        }
    }
}
