//! Collisions between two runs of a migration tool: its advisory lock, and the tables it keeps its
//! books in. The tool takes them itself, outside the files; they are asked for with the first statement.

use super::judge::Judge;
use super::scene::Scene;
use super::waits::advisory;
use crate::model::{
    AdvisoryRequest, Footprint, Lock, LockMode, LockRequest, LockTarget, LockWork, Pid, RowWait,
    Snapshot,
};
use crate::tools::{self, Tool};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The footprint with what the tool does to its own tables, where somebody has one of them locked.
#[must_use]
pub fn with_bookkeeping<'f>(
    footprint: &'f Footprint,
    snapshot: &Snapshot,
    tool: Option<&Tool>,
) -> Cow<'f, Footprint> {
    let requests = tool.map_or_else(Vec::new, |tool| bookkeeping(snapshot, tool));
    if requests.is_empty() || footprint.statements.is_empty() {
        return Cow::Borrowed(footprint);
    }
    let mut footprint = footprint.clone();
    footprint.statements[0].locks.splice(0..0, requests);
    Cow::Owned(footprint)
}

fn bookkeeping(snapshot: &Snapshot, tool: &Tool) -> Vec<LockRequest> {
    snapshot
        .relations
        .iter()
        .filter(|(_, relation)| tool.has_table(&relation.name))
        .map(|(oid, relation)| LockRequest {
            oid: Some(*oid),
            name: relation.name.clone(),
            kind: relation.kind,
            mode: tool.table_lock,
            named: false,
            reason: format!("{}'s own table", tool.name),
            work: LockWork::Instant,
            transient: true,
            is_given_back: false,
            own: false,
            nowait: false,
            only_after: None,
            possible: false,
            one_of: None,
            rows: Some(RowWait::Locked),
            bytes: None,
        })
        .collect()
}

/// Adds the waits for the tool's advisory lock.
pub fn migration_lock(judge: &mut Judge, tool: &Tool) {
    for request in keys_in_use(judge.scene, tool) {
        advisory::wait_for(judge, request, Some(tool.name));
    }
}

/// Whether a lock is the tool's advisory lock of this database.
fn is_key_of(lock: &Lock, snapshot: &Snapshot, tool: &Tool) -> bool {
    let server = &snapshot.server;
    let key = tools::key_in(&lock.target, server.datid);
    key.zip(tool.key)
        .is_some_and(|(key, own)| own.matches(&server.datname, key))
}

/// The tool's advisory locks that somebody has or wants in this database.
fn keys_in_use(scene: &Scene, tool: &Tool) -> Vec<AdvisoryRequest> {
    let mut found: Vec<AdvisoryRequest> = Vec::new();
    for lock in &scene.snapshot.locks {
        if let LockTarget::Advisory { classid, objid, .. } = lock.target
            && is_key_of(lock, scene.snapshot, tool)
        {
            let request = AdvisoryRequest {
                classid,
                objid,
                objsubid: 1,
                shared: false,
                nowait: false,
            };
            if !found.contains(&request) {
                found.push(request);
            }
        }
    }
    found
}

/// Who has the tool's advisory lock, or its table locked as only a run of it does, and which it is, in words.
#[must_use]
pub fn locked_by(snapshot: &Snapshot, tool: &Tool) -> BTreeMap<Pid, String> {
    let granted = snapshot.locks.iter().filter(|lock| lock.granted);
    let has = |lock: &Lock| {
        if is_key_of(lock, snapshot, tool) {
            return Some((lock.pid?, format!("has the lock of {}", tool.name)));
        }
        let (database, oid) = lock.relation()?;
        let relation = snapshot.relations.get(&oid)?;
        let name = Some(relation.name.relation.as_str());
        let is_its = name == tool.version_table || name == tool.lock_table;
        let writes = lock.mode > LockMode::RowShare && database == snapshot.server.datid;
        let what = || format!("writes {}, the table of {}", relation.name, tool.name);
        (is_its && writes).then(|| Some((lock.pid?, what())))?
    };
    granted.filter_map(has).collect()
}
