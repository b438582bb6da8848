//! Every transaction that has an id: for them a logical replication slot waits when it is made, of every database,
//! prepared ones included, until the running ones of that moment have ended.
//!
//! Each has the lock on its own id, which nobody's rights hide.
//!
//! Source: `SnapBuildFindSnapshot`, `SnapBuildWaitSnapshot` (snapbuild.c).

use crate::gate::blocker::Owner;
use crate::gate::judge::{Asked, Judge};
use crate::model::{LockTarget, WaitKind};
use std::collections::BTreeSet;

/// Adds the waits for every transaction with an id.
pub fn wait(judge: &mut Judge) {
    let scene = judge.scene;
    let locks = scene.snapshot.locks.iter();
    let ids = locks.filter(|l| l.granted && matches!(l.target, LockTarget::TransactionId { .. }));
    let parties: BTreeSet<_> = ids.map(|lock| scene.party(lock)).collect();
    for party in parties {
        if Some(party) != scene.asker() {
            let owner = Owner { party, lock: None };
            judge.meet(owner, Asked::NOTHING, WaitKind::Transactions, false);
        }
    }
}
