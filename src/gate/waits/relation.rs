//! Relation locks: who holds a conflicting mode, and who waits for one ahead of the statement.

use super::routed;
use crate::gate::blocker::Owner;
use crate::gate::held::Held;
use crate::gate::judge::{Asked, Judge, Otherwise};
use crate::model::{Allowable, LockMode, LockRequest, Oid, RelationName, WaitKind};

/// Asks for the statement's relation locks, in order. `held`: what the migration's transaction has by then.
pub fn judge(judge: &mut Judge, held: &mut Held) {
    for request in &judge.statement.locks {
        ask(judge, request, held);
    }
}

fn ask(judge: &mut Judge, request: &LockRequest, held: &mut Held) {
    let skipped = request
        .only_after
        .is_some_and(|oid| judge.skipped.contains(&oid));
    if request.own || skipped {
        return;
    }
    // Made by an earlier statement of the run: nobody else can hold a lock on it yet.
    let Some(oid) = request.oid else {
        return;
    };
    if request.possible && !routed::surely_waits(judge, request, held) {
        return possible(judge, oid, request, &held.modes_on(oid));
    }
    let (mode, will_hold) = (request.mode, held.modes_on(oid));
    lock(judge, oid, &request.name, mode, request.nowait, &will_hold);
    judge.note_what_it_holds(held);
    if judge.skipped.contains(&oid) && request.nowait {
        return;
    }
    held.add(oid, request, judge.statement);
}

/// Asks for one lock.
pub fn lock(
    judge: &mut Judge,
    oid: Oid,
    name: &RelationName,
    mode: LockMode,
    nowait: bool,
    will_hold: &[LockMode],
) {
    let otherwise = match nowait {
        true if judge.statement.kind().passes_over => Otherwise::Skips,
        true => Otherwise::Fails,
        false => Otherwise::Waits,
    };
    let asked = Asked::relation(oid, name, mode).or(otherwise);
    let queue = judge.scene.queue(oid);
    let (asker, server) = (judge.scene.asker(), &judge.scene.snapshot.server);
    let front = if nowait {
        queue.front_of_conditional(mode, asker, will_hold, server.major())
    } else {
        queue.front(mode, asker, will_hold)
    };
    if nowait && !front.is_empty() {
        judge.skipped.insert(oid);
    }
    for claim in &front.holders {
        judge.meet(Owner::of(claim), asked, WaitKind::Lock, front.deadlock);
    }
    for claim in &front.waiters {
        judge.meet(Owner::of(claim), asked, WaitKind::Queue, front.deadlock);
    }
}

/// A lock that it may never ask for: who is ahead makes a doubt, no wait.
fn possible(judge: &mut Judge, oid: Oid, request: &LockRequest, will_hold: &[LockMode]) {
    let scene = judge.scene;
    let front = scene
        .queue(oid)
        .front(request.mode, scene.asker(), will_hold);
    let ahead = front.holders.iter().chain(&front.waiters);
    let who = ahead.map(Owner::of).filter(|owner| judge.lasts(owner));
    if let Some(who) = Owner::names(who, scene) {
        judge.acceptable(
            Allowable::DataDependent,
            format!(
                "it may need {} on {} ({}), and {who} is ahead of it",
                request.mode, request.name, request.reason
            ),
            "run it again once that transaction is over; only the rows decide what the statement reaches",
        );
    }
}
