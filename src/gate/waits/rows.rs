//! Rows: who may have locked the rows that a statement writes. `pg_locks` shows a row lock only once
//! somebody waits for it, so a wait cannot be foretold; that there is none can.

use super::catalog_rows;
use crate::gate::blocker::Owner;
use crate::gate::held::Held;
use crate::gate::judge::Judge;
use crate::model::{FIRST_NORMAL_OID, LockMode, Oid, RelationName, RowWait};

/// Doubts a statement that may meet rows which another open transaction has written or locked.
///
/// Who locked or wrote a row of a table keeps ROW SHARE or ROW EXCLUSIVE on it to the end of its
/// transaction, and has a transaction id. A transaction with only one of the two has locked no row.
pub fn judge(judge: &mut Judge, held: &Held) {
    let tables: Vec<(Option<Oid>, RelationName, RowWait)> = judge
        .statement
        .locks
        .iter()
        .filter(|l| !l.own)
        .filter_map(|l| Some((l.oid, l.name.clone(), l.rows?)))
        .collect();
    for (oid, name, wait) in tables {
        let Some(oid) = oid else {
            continue;
        };
        let who = if oid < FIRST_NORMAL_OID {
            catalog_rows::writers(judge)
        } else {
            who_may_be_met(judge, oid, wait, held)
        };
        if let Some(who) = who {
            let what = match wait {
                RowWait::Written => "has written rows of it",
                RowWait::Locked => "wrote or locked rows of it",
            };
            judge.doubt(
                format!("rows of {name} may be locked: {who} {what} and is still open"),
                "run it again once that transaction is over; no view shows which rows it locked",
                false,
            );
        }
    }
}

fn who_may_be_met(judge: &Judge, oid: Oid, wait: RowWait, held: &Held) -> Option<String> {
    let scene = judge.scene;
    let will_hold = held.modes_on(oid);
    let owners = scene
        .queue(oid)
        .holders()
        .iter()
        .filter(|c| has_met(wait, c.mode()) && Some(c.party) != scene.asker())
        .filter(|c| !will_hold.iter().any(|m| m.conflicts_with(c.mode())))
        .map(|c| Owner {
            party: c.party,
            lock: Some(c.lock),
        })
        .filter(|owner| judge.has_xid(owner) && judge.lasts(owner));
    Owner::names(owners, scene)
}

/// Whether who holds this mode may have done to rows what is waited for.
const fn has_met(wait: RowWait, mode: LockMode) -> bool {
    match wait {
        RowWait::Written => matches!(mode, LockMode::RowExclusive),
        RowWait::Locked => matches!(mode, LockMode::RowShare | LockMode::RowExclusive),
    }
}
