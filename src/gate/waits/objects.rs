//! Locks on what is no relation: schemas, types, functions. Dropping one asks for ACCESS EXCLUSIVE on it, and
//! who makes something in a schema, or something that depends on a type, keeps ACCESS SHARE to the end of its
//! transaction (`AcquireDeletionLock`, dependency.c; `RangeVarGetAndCheckCreationNamespace`, namespace.c).

use crate::gate::blocker::Owner;
use crate::gate::judge::{Asked, Judge, Otherwise};
use crate::model::{Lock, LockMode, LockTarget, ObjectRequest, WaitKind};
use crate::sessions::queue::Queue;

/// A request for a lock that is not a relation's, and who has such locks.
pub struct Request<'a, 'r> {
    /// The rows of `pg_locks` on it.
    pub rows: &'r [&'a Lock],
    pub mode: LockMode,
    /// On what, in words: `schema app`.
    pub what: String,
    /// What happens where the lock cannot be had.
    pub otherwise: Otherwise,
}

/// Adds the waits for the objects that a statement locks.
pub fn judge(judge: &mut Judge) {
    let server = &judge.scene.snapshot.server;
    let locks: Vec<&Lock> = judge
        .scene
        .snapshot
        .locks
        .iter()
        .filter(|lock| lock.pid != Some(server.own_pid))
        .filter(|lock| matches!(lock.target, LockTarget::Object { database, .. } if database == server.datid || database == 0))
        .collect();
    if locks.is_empty() {
        return;
    }
    for request in &judge.statement.objects {
        let rows: Vec<&Lock> = locks
            .iter()
            .copied()
            .filter(|l| is_on(l, request))
            .collect();
        if request.possible {
            possible(judge, &rows, request);
        } else {
            let request = Request {
                rows: &rows,
                mode: request.mode,
                what: request.what.clone(),
                otherwise: Otherwise::Waits,
            };
            wait(judge, &request);
        }
    }
    by_catalog(judge, &locks);
}

const fn is_on(lock: &Lock, request: &ObjectRequest) -> bool {
    matches!(lock.target, LockTarget::Object { classid, objid, .. }
        if classid == request.classid && objid == request.objid)
}

/// Adds the waits of one request.
pub fn wait<'a>(judge: &mut Judge<'_, 'a>, request: &Request<'a, '_>) {
    let scene = judge.scene;
    let asked = Asked::object(&request.what, request.mode).or(request.otherwise);
    let queue = Queue::new(request.rows, |lock| scene.party(lock));
    let front = queue.front(request.mode, scene.asker(), &[]);
    for claim in front.holders.iter().chain(&front.waiters) {
        let kind = if claim.lock.granted {
            WaitKind::Lock
        } else {
            WaitKind::Queue
        };
        judge.meet(Owner::of(claim), asked, kind, false);
    }
}

/// Doubts a statement that perhaps comes to depend on what somebody drops.
fn possible(judge: &mut Judge, rows: &[&Lock], request: &ObjectRequest) {
    let scene = judge.scene;
    let queue = Queue::new(rows, |lock| scene.party(lock));
    let front = queue.front(request.mode, scene.asker(), &[]);
    let in_front = front.holders.iter().chain(&front.waiters).map(Owner::of);
    let who = Owner::names(in_front.filter(|owner| judge.lasts(owner)), scene);
    if let Some(who) = who {
        judge.doubt(
            format!(
                "it may depend on {}, and {who} is ahead of it",
                request.what
            ),
            "run it again once that transaction is over",
            false,
        );
    }
}

/// Doubts a statement whose object is not known, where somebody has one of its kind locked.
fn by_catalog(judge: &mut Judge, locks: &[&Lock]) {
    let scene = judge.scene;
    let command = judge.statement.command.as_str();
    let Some(catalog) = judge.statement.kind().drops_from else {
        return;
    };
    let on_catalog = locks.iter().filter(
        |lock| matches!(lock.target, LockTarget::Object { classid, .. } if classid == catalog),
    );
    let owners = on_catalog
        .map(|lock| Owner {
            party: scene.party(lock),
            lock: Some(lock),
        })
        .filter(|owner| Some(owner.party) != scene.asker() && judge.lasts(owner));
    if let Some(who) = Owner::names(owners, scene) {
        judge.doubt(
            format!("{who} has something locked that {command} may name"),
            "run it again once that transaction is over",
            false,
        );
    }
}
