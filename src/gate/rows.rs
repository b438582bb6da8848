//! Rows: who may have locked the rows that a statement writes. `pg_locks` shows a row lock only once
//! somebody waits for it, so that a wait cannot be told in advance; that there is none can.

use super::blocker::Owner;
use super::clearing::{self, Weight};
use super::held::Held;
use super::statement::Judge;
use crate::model::{LockMode, RelationKind, RelationName, Statement, WaitPhase};

/// Commands that lock rows; others that ask for the same modes (`LOCK TABLE`, `PREPARE`) touch none.
const LOCK_ROWS: [&str; 9] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "COPY", "EXECUTE", "FETCH", "EXPLAIN",
];

/// Whether a statement locks rows: it says so, or its command does.
#[must_use]
pub fn are_locked_by(statement: &Statement) -> bool {
    LOCK_ROWS.contains(&statement.command.as_str()) || statement.phases.contains(&WaitPhase::Rows)
}

/// Doubts a statement that writes rows where another open transaction may have locked some.
///
/// Who locked or wrote a row of a table keeps ROW SHARE or ROW EXCLUSIVE on it to the end of its
/// transaction, and has a transaction id. Whoever has only one of both has locked no row.
pub fn judge(judge: &mut Judge, held: &Held) {
    let tables: Vec<(Option<u32>, RelationName)> = judge
        .statement
        .locks
        .iter()
        .filter(|l| !l.own && is_of_rows(l.mode) && has_rows(l.kind))
        .map(|l| (l.oid, l.name.clone()))
        .collect();
    for (oid, name) in tables {
        let Some(oid) = oid.or_else(|| judge.scene.oid_of(&name)) else {
            continue;
        };
        if let Some(pids) = who_may_have_locked_rows(judge, oid, held) {
            judge.doubt(
                format!(
                    "rows of {name} may be locked: {pids} wrote or locked rows of it and is still open"
                ),
                "look again once that transaction is over; which rows it locked, no view shows",
                false,
            );
        }
    }
}

fn who_may_have_locked_rows(judge: &Judge, oid: u32, held: &Held) -> Option<String> {
    let scene = judge.scene;
    let will_hold = held.modes_on(oid);
    let mut who: Vec<String> = scene
        .queue(oid)
        .holders()
        .iter()
        .filter(|c| is_of_rows(c.mode()) && Some(c.party) != scene.asker())
        .filter(|c| !will_hold.iter().any(|m| m.conflicts_with(c.mode())))
        .map(|c| Owner {
            party: c.party,
            lock: Some(c.lock),
        })
        .filter(|owner| owner.backend(scene).is_none_or(|b| b.backend_xid.is_some()))
        .filter(|owner| {
            clearing::weight(scene, *owner, false, false, judge.timeouts) == Weight::Counts
                || scene.policy.first_look.is_none()
        })
        .map(|owner| {
            let blocker = owner.describe(scene);
            blocker.gid.map_or_else(
                || format!("pid {}", blocker.pid.unwrap_or_default()),
                |gid| format!("prepared transaction {gid}"),
            )
        })
        .collect();
    who.sort();
    who.dedup();
    (!who.is_empty()).then(|| who.join(", "))
}

const fn is_of_rows(mode: LockMode) -> bool {
    matches!(mode, LockMode::RowShare | LockMode::RowExclusive)
}

const fn has_rows(kind: RelationKind) -> bool {
    matches!(
        kind,
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::MaterializedView
    )
}
