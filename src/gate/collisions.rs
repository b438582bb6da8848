//! Collisions between two runs of a migration tool: its advisory lock, and the tables it keeps its
//! books in. The tool takes them itself, outside the files; they are asked for with the first statement.

use super::judge::Judge;
use super::scene::Scene;
use super::waits::advisory;
use crate::model::{
    AdvisoryRequest, Footprint, LockRequest, LockTarget, LockWork, RowWait, Snapshot,
};
use crate::tools::{self, Tool};
use std::borrow::Cow;

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

/// The tool's advisory locks that somebody has or wants in this database.
fn keys_in_use(scene: &Scene, tool: &Tool) -> Vec<AdvisoryRequest> {
    let server = &scene.snapshot.server;
    let mut found: Vec<AdvisoryRequest> = Vec::new();
    for lock in &scene.snapshot.locks {
        if let LockTarget::Advisory {
            database,
            classid,
            objid,
            objsubid: 1,
        } = lock.target
            && database == server.datid
            && tool
                .key
                .is_some_and(|key| key.matches(&server.datname, tools::bigint_key(classid, objid)))
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
