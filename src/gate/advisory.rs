//! Advisory locks: migration tools take one so that two runs do not meet.

use super::blocker::Owner;
use super::clearing::{self, Weight};
use super::statement::Judge;
use crate::model::{AdvisoryRequest, Lock, LockMode, LockTarget, Wait, WaitKind};

/// Adds the waits for the advisory locks that a statement takes.
pub fn judge(judge: &mut Judge) {
    for request in &judge.statement.advisory {
        let scene = judge.scene;
        let rows = scene.snapshot.locks.iter().filter(|lock| {
            is_on(lock, *request, scene.snapshot.server.datid)
                && mode(*request).conflicts_with(lock.mode)
                && lock.pid != Some(scene.snapshot.server.own_pid)
                && Some(scene.party(lock)) != scene.asker()
        });
        for lock in rows {
            let owner = Owner {
                party: scene.party(lock),
                lock: Some(lock),
            };
            let weight =
                clearing::weight(scene, owner, lock.granted, request.nowait, judge.timeouts);
            let mut blocker = owner.describe(scene);
            blocker.detail = format!("advisory lock {} · {}", key(*request), blocker.detail);
            let kind = match (weight, lock.granted) {
                (Weight::Clears(_), _) => WaitKind::SelfClearing,
                (_, true) => WaitKind::Lock,
                (_, false) => WaitKind::Queue,
            };
            judge.verdict.waits.push(Wait {
                oid: None,
                name: None,
                mode: Some(mode(*request)),
                kind,
                counts: weight == Weight::Counts,
                clears: owner.clears(scene),
                blocker,
                clears_by: match weight {
                    Weight::Clears(by) => Some(by),
                    Weight::Counts | Weight::Hidden => None,
                },
                fails: request.nowait,
            });
        }
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

/// The key as the function was given it.
fn key(request: AdvisoryRequest) -> String {
    if request.objsubid == 2 {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "the keys are signed, the view's columns are not"
        )]
        return format!("({}, {})", request.classid as i32, request.objid as i32);
    }
    let key = (u64::from(request.classid) << 32) | u64::from(request.objid);
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the key is signed, the view's halves are not"
    )]
    (key as i64).to_string()
}
