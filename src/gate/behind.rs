//! The blast radius: who would queue behind a statement while it waits.

use super::judge::Judge;
use super::scene::Scene;
use crate::model::{Behind, LockMode, Oid, RelationName, Role, WaitKind};
use std::collections::BTreeSet;

/// Who would queue behind a statement that would wait; `None` where it would not.
#[must_use]
pub fn of(judge: &Judge) -> Option<Behind> {
    let (oid, name, mode) = where_they_queue(judge)?;
    Some(users(judge.scene, oid, name, mode))
}

/// Who uses a relation in a way that a lock on it keeps out.
#[must_use]
pub fn users(scene: &Scene, oid: Oid, name: RelationName, mode: LockMode) -> Behind {
    let sessions: BTreeSet<_> = scene
        .queue(oid)
        .claims()
        .filter(|claim| mode.conflicts_with(claim.mode()) && Some(claim.party) != scene.asker())
        .filter_map(|claim| claim.lock.pid)
        .map(|pid| {
            scene
                .session(pid)
                .map_or((pid, None), |s| (s.pid, Some(s.role)))
        })
        .filter(|(_, role)| comes_back(*role))
        .map(|(pid, _)| pid)
        .collect();
    let per_minute = scene.policy.usage.get(&oid).map(|usage| match mode {
        LockMode::AccessExclusive => usage.reads_per_minute + usage.writes_per_minute,
        _ => usage.writes_per_minute,
    });
    Behind {
        what: format!("{} of {name}", mode.keeps_out()),
        name,
        sessions_now: sessions.len(),
        per_minute,
    }
}

/// The relation and mode on which others would queue: the request that waits, or, for a wait in which
/// nobody queues, the strongest lock that is held meanwhile.
fn where_they_queue(judge: &Judge) -> Option<(Oid, RelationName, LockMode)> {
    let first = judge.verdict.waits.iter().find(|w| w.counts && !w.fails)?;
    let in_queue = matches!(first.kind, WaitKind::Lock | WaitKind::Queue);
    if in_queue && let (Some(oid), Some(name), Some(mode)) = (first.oid, &first.name, first.mode) {
        return Some((oid, name.clone(), mode));
    }
    let held = judge.meanwhile.as_deref().unwrap_or_default();
    held.iter()
        .max_by_key(|lock| lock.mode)
        .map(|lock| (lock.oid, lock.name.clone(), lock.mode))
}

/// Whether a session in this role uses the relation again and again: a backup does not.
const fn comes_back(role: Option<Role>) -> bool {
    matches!(
        role,
        None | Some(Role::Application | Role::Idle | Role::IdleInTransaction | Role::Masked)
    )
}
