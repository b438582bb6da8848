//! Advisory locks: migration tools take one so that two runs do not meet.

use super::objects::{self, Request};
use crate::gate::judge::{Judge, Otherwise};
use crate::model::{AdvisoryRequest, Lock, LockMode, LockTarget};
use crate::tools::bigint_key;
use std::collections::BTreeSet;

/// Adds the waits for the advisory locks that a statement takes.
pub fn judge(judge: &mut Judge) {
    for request in &judge.statement.advisory {
        if request.is_computed() {
            doubt(judge, *request);
        } else {
            wait_for(judge, *request, None);
        }
    }
}

/// A key that is computed may be any key that others hold; where nobody holds one, nobody blocks.
fn doubt(judge: &mut Judge, request: AdvisoryRequest) {
    let server = &judge.scene.snapshot.server;
    let is_held = |lock: &&Lock| {
        matches!(lock.target, LockTarget::Advisory { database, .. } if database == server.datid)
            && lock.pid != Some(server.own_pid)
    };
    if request.nowait {
        return;
    }
    let pids: BTreeSet<String> = (judge.scene.snapshot.locks.iter().filter(is_held))
        .map(|lock| {
            lock.pid.map_or_else(
                || "a prepared transaction".to_owned(),
                |pid| format!("pid {pid}"),
            )
        })
        .collect();
    if !pids.is_empty() {
        let pids: Vec<String> = pids.into_iter().collect();
        judge.doubt(
            format!(
                "the key of its advisory lock is computed, and it may be one that is held: {}",
                pids.join(", ")
            ),
            "run it again once these advisory locks are released",
            false,
        );
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
    let whose = tool.map_or_else(String::new, |name| format!(" ({name}'s migration lock)"));
    let request = Request {
        rows: &rows,
        mode: mode(request),
        what: format!("advisory lock {}{whose}", key(request)),
        // A `pg_try_` form gives false instead of waiting.
        otherwise: if request.nowait {
            Otherwise::Skips
        } else {
            Otherwise::Waits
        },
    };
    objects::wait(judge, &request);
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
