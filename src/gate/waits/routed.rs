//! Rows of a partitioned table: to which partition a row goes only its values tell, but it goes to one.
//! Where every one of them is locked, it waits whichever it is (`ExecFindPartition`, execPartition.c).

use crate::gate::blocker::Owner;
use crate::gate::clearing::{self, Weight};
use crate::gate::held::Held;
use crate::gate::judge::Judge;
use crate::model::{LockRequest, Oid};

/// Whether a row waits for certain on the way that leads by this partition: a wait that counts is on this
/// one's way and on that of every other that it may go to instead.
pub fn surely_waits(judge: &Judge, request: &LockRequest, held: &Held) -> bool {
    let Some(mut root) = request.one_of else {
        return false;
    };
    let above = |oid| requests(judge).find(|r| r.oid == Some(oid))?.one_of;
    while let Some(parent) = above(root) {
        root = parent;
    }
    is_in_the_way(judge, request, held) && every_way_waits(judge, root, held)
}

/// The partitions that rows may go to.
fn requests<'j>(judge: &Judge<'j, '_>) -> impl Iterator<Item = &'j LockRequest> {
    let locks = judge.statement.locks.iter();
    locks.filter(|request| request.possible && request.one_of.is_some())
}

fn every_way_waits(judge: &Judge, parent: Oid, held: &Held) -> bool {
    let mut partitions = requests(judge)
        .filter(|r| r.one_of == Some(parent))
        .peekable();
    partitions.peek().is_some()
        && partitions.all(|partition| {
            is_in_the_way(judge, partition, held)
                || partition
                    .oid
                    .is_some_and(|oid| every_way_waits(judge, oid, held))
        })
}

/// Whether somebody who counts is ahead of this request.
fn is_in_the_way(judge: &Judge, request: &LockRequest, held: &Held) -> bool {
    let Some(oid) = request.oid else {
        return false;
    };
    let scene = judge.scene;
    let queue = scene.queue(oid);
    let front = queue.front(request.mode, scene.asker(), &held.modes_on(oid));
    let counts = |claim, directly| {
        clearing::weight(scene, Owner::of(claim), directly, false, judge.timeouts) == Weight::Counts
    };
    front.holders.iter().any(|claim| counts(claim, true))
        || front.waiters.iter().any(|claim| counts(claim, false))
}
