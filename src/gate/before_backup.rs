//! The other way round: would a pg_dump that starts now be blocked, or block somebody?
//!
//! It takes ACCESS SHARE on every table it dumps, first of all, and keeps it, with one snapshot, to its
//! end. So it waits for every holder of ACCESS EXCLUSIVE and every waiter for one, and for who is about
//! to ask for ACCESS EXCLUSIVE or to wait for old snapshots would wait for it: a running
//! CREATE INDEX CONCURRENTLY, a migration under way, pg_repack before its swap.

use super::blocker::Owner;
use super::scene::{Party, Scene};
use super::{Policy, decide};
use crate::model::{
    Answer, FIRST_NORMAL_OID, Footprint, LockMode, LockRequest, LockTarget, LockWork, Oid, Pid,
    RelationKind, RelationName, Role, Session, Snapshot, Statement, Verdict, Wait, WaitKind, Work,
};
use crate::sessions::Sessions;
use std::collections::BTreeSet;

/// What a pg_dump started now would ask for that somebody has or wants, and the verdict on it.
#[must_use]
pub fn before_backup(
    snapshot: &Snapshot,
    sessions: &Sessions,
    policy: &Policy,
) -> (Footprint, Verdict) {
    let footprint = Footprint {
        statements: vec![the_dump(snapshot)],
    };
    let mut verdict = decide(&footprint, snapshot, sessions, policy);
    let scene = Scene::new(&footprint, snapshot, sessions, policy);
    for (pid, why) in who_would_wait(snapshot, sessions) {
        let already = &verdict.statements[0].waits;
        if !already.iter().any(|wait| wait.blocker.pid == Some(pid)) {
            let wait = held_up(&scene, pid, why);
            verdict.statements[0].waits.push(wait);
            verdict.answer = Answer::WouldBlock;
            verdict.look_again = false;
        }
    }
    (footprint, verdict)
}

/// pg_dump as a statement: ACCESS SHARE on every relation that somebody else has or wants exclusively.
fn the_dump(snapshot: &Snapshot) -> Statement {
    let datid = snapshot.server.datid;
    let contested: BTreeSet<Oid> = snapshot
        .locks
        .iter()
        .filter(|lock| lock.mode == LockMode::AccessExclusive)
        .filter_map(|lock| lock.relation())
        .filter(|&(database, oid)| database == datid && oid >= FIRST_NORMAL_OID)
        .map(|(_, oid)| oid)
        .collect();
    let locks = contested
        .into_iter()
        .filter_map(|oid| {
            let relation = snapshot.relations.get(&oid);
            let name = relation.map_or_else(
                || RelationName::new("?", format!("oid {oid}")),
                |r| r.name.clone(),
            );
            // Nobody dumps another session's temporary tables.
            (!name.schema.starts_with("pg_temp") && !name.schema.starts_with("pg_toast_temp")).then(
                || LockRequest {
                    oid: Some(oid),
                    name,
                    kind: relation.map_or(RelationKind::Table, |r| r.kind),
                    mode: LockMode::AccessShare,
                    named: false,
                    reason: "a dump locks every table before it begins".into(),
                    work: LockWork::Scan,
                    transient: false,
                    is_given_back: false,
                    own: false,
                    nowait: false,
                    only_after: None,
                    possible: false,
                    one_of: None,
                    rows: None,
                    bytes: None,
                },
            )
        })
        .collect();
    Statement {
        sql: "a dump that starts now".into(),
        command: "pg_dump".into(),
        locks,
        ..Statement::default()
    }
}

/// Sessions that would wait for the dump before it ends, with the reason.
fn who_would_wait(snapshot: &Snapshot, sessions: &Sessions) -> Vec<(Pid, &'static str)> {
    let here = |pid| {
        snapshot
            .backend(pid)
            .is_some_and(|b| b.datid == Some(snapshot.server.datid))
    };
    let mut found: Vec<(Pid, &'static str)> = snapshot
        .progress
        .iter()
        .filter(|row| builds_concurrently(&row.work))
        .map(|row| {
            (
                row.pid,
                "an index build that waits for every older snapshot",
            )
        })
        .collect();
    found.extend(sessions.iter().filter(|s| here(s.pid)).filter_map(|s| {
        if is_repack(snapshot, s) {
            Some((
                s.pid,
                "pg_repack, which swaps its tables under ACCESS EXCLUSIVE",
            ))
        } else if s.role == Role::Migration && in_transaction(snapshot, s.pid) {
            Some((s.pid, "a schema change under way"))
        } else {
            None
        }
    }));
    found.retain(|(pid, _)| here(*pid));
    found.sort_by_key(|(pid, _)| *pid);
    found.dedup_by_key(|(pid, _)| *pid);
    found
}

fn builds_concurrently(work: &Work) -> bool {
    matches!(work, Work::CreateIndex { form: Some(form), .. } if form.ends_with("CONCURRENTLY"))
}

fn in_transaction(snapshot: &Snapshot, pid: Pid) -> bool {
    snapshot
        .backend(pid)
        .is_some_and(|b| b.xact_start.is_some() || b.masked)
}

/// `REPACK_LOCK_PREFIX_STR` (pg_repack.c): the first key of its advisory locks.
const REPACK_KEY: Oid = 16_185_446;

fn is_repack(snapshot: &Snapshot, session: &Session) -> bool {
    let by_name = snapshot
        .backend(session.pid)
        .is_some_and(|b| b.application_name == "pg_repack");
    by_name
        || snapshot.locks.iter().any(|lock| {
            lock.pid == Some(session.pid)
                && matches!(lock.target, LockTarget::Advisory { classid, objsubid: 2, .. }
                    if classid == REPACK_KEY)
        })
}

fn held_up(scene: &Scene, pid: Pid, why: &str) -> Wait {
    let owner = Owner {
        party: Party::Group(pid),
        lock: None,
    };
    let mut blocker = owner.describe(scene);
    why.clone_into(&mut blocker.detail);
    Wait {
        oid: None,
        name: None,
        object: None,
        mode: None,
        kind: WaitKind::HoldsUp,
        counts: true,
        clears: owner.clears(scene),
        blocker,
        clears_by: None,
        fails: false,
    }
}
