//! Facts about a wait that are worth a line.

use super::held::HeldLock;
use super::judge::Judge;
use super::scene::Scene;
use crate::model::{LockMode, Oid, Role, Session, Wait, WaitKind};

/// The notes on one statement.
#[must_use]
pub fn of(judge: &Judge) -> Vec<String> {
    let Some(first) = judge.verdict.waits.iter().find(|wait| wait.counts) else {
        return Vec::new();
    };
    let mut notes = vec![if first.fails {
        "it would not wait but fail at once".to_owned()
    } else {
        judge.timeouts.in_words(queued_mode(first))
    }];
    notes.extend(hold_and_wait(
        judge.meanwhile.as_deref().unwrap_or_default(),
        first,
    ));
    notes.extend(
        judge
            .verdict
            .waits
            .iter()
            .filter(|w| w.counts)
            .filter_map(|wait| ends_a_dump(judge.scene, wait)),
    );
    notes.dedup();
    notes
}

/// The mode in which it stands in a queue, where it does.
fn queued_mode(wait: &Wait) -> Option<LockMode> {
    match wait.kind {
        WaitKind::Lock | WaitKind::Queue if wait.name.is_some() => wait.mode,
        _ => None,
    }
}

/// Locks that keep writers out, on other relations, held while it waits for this one.
fn hold_and_wait(held: &[HeldLock], first: &Wait) -> Option<String> {
    let mut strongest: Vec<&HeldLock> = Vec::new();
    for lock in held {
        if Some(lock.oid) == first.oid || lock.mode < LockMode::Share {
            continue;
        }
        match strongest.iter_mut().find(|l| l.oid == lock.oid) {
            Some(same) if same.mode < lock.mode => *same = lock,
            Some(_) => {}
            None => strongest.push(lock),
        }
    }
    let words: Vec<String> = strongest
        .iter()
        .map(|l| format!("{} on {} (line {})", l.mode, l.name, l.line))
        .collect();
    (!words.is_empty()).then(|| format!("meanwhile it holds {}", words.join(", ")))
}

/// Whether this wait would end a running parallel dump: its workers lock each table with NOWAIT as
/// they come to it, and fail behind a waiting ACCESS EXCLUSIVE (`lockTableForWorker`, parallel.c).
fn ends_a_dump(scene: &Scene, wait: &Wait) -> Option<String> {
    let oid = wait.oid?;
    if wait.mode != Some(LockMode::AccessExclusive) || wait.fails {
        return None;
    }
    let session = scene.session(wait.blocker.pid?)?;
    still_to_come(scene, session, oid).then(|| {
        format!(
            "it would end the running dump: a worker of pid {} locks {} with NOWAIT as it comes to it, \
             and fails while this statement waits",
            session.pid,
            wait.name.as_ref().map_or_else(String::new, ToString::to_string),
        )
    })
}

/// Whether a parallel dump has this table still before it: no worker has locked it yet.
fn still_to_come(scene: &Scene, session: &Session, oid: Oid) -> bool {
    let parallel = session.role == Role::Backup
        && session
            .backup
            .as_ref()
            .is_some_and(|b| b.workers > 0 && b.tables.contains(&oid));
    parallel
        && !scene.queue(oid).holders().iter().any(|claim| {
            claim
                .lock
                .pid
                .is_some_and(|pid| pid != session.pid && session.members.contains(&pid))
        })
}
