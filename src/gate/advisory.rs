//! Advisory locks: migration tools take one so that two runs do not meet.

use super::clearing::{self, Weight};
use super::statement::Judge;
use crate::model::{AdvisoryRequest, ClearsBy, Lock, LockMode, LockTarget, Wait, WaitKind};
use crate::sessions::queue::Queue;
use crate::sessions::tools::bigint_key;

/// Adds the waits for the advisory locks that a statement takes.
pub fn judge(judge: &mut Judge) {
    for request in &judge.statement.advisory {
        wait_for(judge, *request, None);
    }
}

/// Adds the waits for one advisory lock; `tool`: whose migration lock it is.
pub fn wait_for(judge: &mut Judge, request: AdvisoryRequest, tool: Option<&str>) {
    let scene = judge.scene;
    let server = &scene.snapshot.server;
    let locks = scene.snapshot.locks.iter();
    let rows: Vec<&Lock> = locks
        .filter(|lock| is_on(lock, request, server.datid) && lock.pid != Some(server.own_pid))
        .collect();
    let queue = Queue::new(&rows, |lock| scene.party(lock));
    let front = queue.front(mode(request), scene.asker(), &[]);
    for claim in front.holders.iter().chain(&front.waiters) {
        let (owner, lock) = (super::statement::owner(claim), claim.lock);
        // A `pg_try_` form gives false instead of waiting.
        let weight = if request.nowait {
            Weight::Clears(ClearsBy::Skipped)
        } else {
            clearing::weight(scene, owner, lock.granted, false, judge.timeouts)
        };
        let mut blocker = owner.describe(scene);
        let whose = tool.map_or_else(String::new, |name| format!(" ({name}'s migration lock)"));
        let words = format!("advisory lock {}{whose}", key(request));
        blocker.detail = [words, blocker.detail].join(" · ");
        let clears_by = match weight {
            Weight::Clears(by) => Some(by),
            Weight::Counts | Weight::Hidden => None,
        };
        judge.verdict.waits.push(Wait {
            oid: None,
            name: None,
            mode: Some(mode(request)),
            kind: match (clears_by, lock.granted) {
                (Some(_), _) => WaitKind::SelfClearing,
                (None, true) => WaitKind::Lock,
                (None, false) => WaitKind::Queue,
            },
            counts: weight == Weight::Counts,
            clears: owner.clears(scene),
            blocker,
            clears_by,
            fails: false,
        });
    }
}

/// Advisory locks are EXCLUSIVE or SHARE (lockfuncs.c).
const fn mode(request: AdvisoryRequest) -> LockMode {
    if request.shared {
        LockMode::Share
    } else {
        LockMode::Exclusive
    }
}

const fn is_on(lock: &Lock, request: AdvisoryRequest, datid: u32) -> bool {
    matches!(lock.target, LockTarget::Advisory { database, classid, objid, objsubid }
        if database == datid
            && classid == request.classid
            && objid == request.objid
            && objsubid == request.objsubid)
}

/// The key as the function was given it: keys are signed, the view's columns are not.
fn key(request: AdvisoryRequest) -> String {
    if request.objsubid == 2 {
        let (first, second) = (request.classid.cast_signed(), request.objid.cast_signed());
        return format!("({first}, {second})");
    }
    bigint_key(request.classid, request.objid).to_string()
}
