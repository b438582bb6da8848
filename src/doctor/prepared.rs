//! Prepared transactions that nobody ends.

use super::case::Case;
use super::finding::{Finding, Harm, Kind, Remedy};
use crate::model::{Certainty, Lock, PreparedXact};
use crate::safe::shell_word;
use crate::sessions::Party;
use crate::words::{literal, many, span};
use chrono::TimeDelta;

/// A coordinator commits or rolls back within moments.
const LEFT_AFTER: TimeDelta = TimeDelta::minutes(1);

/// How many locks are named.
const SHOWN: usize = 3;

/// Those that are older than a minute.
pub fn prepared(case: &Case<'_>) -> Vec<Finding> {
    let own = &case.snapshot.server.datname;
    let all = case.snapshot.prepared.iter();
    all.filter(|xact| xact.database == *own)
        .filter(|xact| case.words.age(xact.prepared) > LEFT_AFTER)
        .map(|xact| finding(case, xact))
        .collect()
}

fn finding(case: &Case<'_>, xact: &PreparedXact) -> Finding {
    let waiters = case.graph.count_behind(&Party::Prepared(xact.gid.clone()));
    let locks: Vec<&Lock> = case
        .snapshot
        .locks
        .iter()
        .filter(|lock| case.snapshot.prepared_of(lock).is_some_and(|of| of == xact))
        .filter(|lock| lock.relation().is_some())
        .collect();
    let waiting = match waiters {
        0 => String::new(),
        some => format!(
            "{} for it; ",
            match some {
                1 => "1 session waits".to_owned(),
                some => format!("{some} sessions wait"),
            }
        ),
    };
    Finding {
        kind: Kind::PreparedTransaction,
        harm: if waiters > 0 {
            Harm::Blocks
        } else {
            Harm::StopsMigrations
        },
        certainty: Certainty::Certain,
        what: format!(
            "prepared transaction {} of {} has been open for {}",
            literal(&xact.gid),
            crate::model::quoted(&xact.owner),
            span(case.words.age(xact.prepared)),
        ),
        relation: None,
        session: None,
        since: Some(xact.prepared),
        proof: vec![format!(
            "pg_prepared_xacts has it, prepared {}; it has {}",
            xact.prepared.format("%Y-%m-%d %H:%M:%S UTC"),
            held(case, &locks)
        )],
        cost: format!(
            "{waiting}its locks stay, also over a restart, and no VACUUM removes rows that were deleted since"
        ),
        remedy: Remedy::shell(
            "ask its coordinator whether it is to be committed; if nobody knows it, roll it back",
            format!("pgguard kill --prepared {}", shell_word(&xact.gid)),
        ),
    }
}

/// `3 locks: ACCESS EXCLUSIVE on public.orders, …`
fn held(case: &Case<'_>, locks: &[&Lock]) -> String {
    if locks.is_empty() {
        return "no lock on a relation".into();
    }
    let named: Vec<String> = locks
        .iter()
        .take(SHOWN)
        .map(|lock| format!("{} on {}", lock.mode, case.words.target(&lock.target)))
        .collect();
    let more = if locks.len() > SHOWN { ", …" } else { "" };
    format!("{}: {}{more}", many(locks.len(), "lock"), named.join(", "))
}
