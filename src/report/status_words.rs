//! The sentences of `status`.

use super::page::Page;
use super::status::{Line, StatusReport};
use crate::model::{BackendState, Estimate, LockMode, LockTarget, PreparedXact, Role, Session};
use crate::safe::printable;
use crate::sessions::Party;
use crate::sessions::waits::{Node, Waiter};
use crate::words::brief;
pub use crate::words::ends;
use std::fmt::Write as _;

/// What a lock is on, for people.
#[must_use]
pub fn target(report: &StatusReport<'_>, target: &LockTarget) -> String {
    let on = crate::words::target(target, |database, oid| relation_name(report, database, oid));
    match target {
        LockTarget::VirtualXid { .. } | LockTarget::TransactionId { .. } => {
            format!("the end of {}", printable(&on))
        }
        _ => printable(&on),
    }
}

fn relation_name(report: &StatusReport<'_>, database: u32, relation: u32) -> String {
    let own = database == report.snapshot.server.datid || database == 0;
    match report.snapshot.relations.get(&relation).filter(|_| own) {
        Some(locked) => printable(&locked.name.to_string()),
        None if own => format!("relation {relation}"),
        None => format!("relation {relation} of database {database}"),
    }
}

/// A mode as it is worth saying: waits for the end of a transaction have none.
fn mode_on(report: &StatusReport<'_>, mode: LockMode, on: &LockTarget) -> String {
    match on {
        LockTarget::Relation { .. } | LockTarget::Object { .. } => {
            format!("{mode} on {}", target(report, on))
        }
        _ => target(report, on),
    }
}

/// Who a session is: `backup (pg_dump)`.
#[must_use]
pub fn role(session: &Session) -> String {
    let role = session.role.in_words();
    match (&session.backup, session.role) {
        (Some(backup), _) => format!("{role} ({})", backup.tool.word()),
        (None, Role::Maintenance | Role::Replication | Role::Server | Role::Monitoring) => {
            session.detail.as_deref().map_or(role, printable)
        }
        _ => role,
    }
}

/// A root on one line: who, for how long, and what it has that others want.
#[must_use]
pub fn root(report: &StatusReport<'_>, node: &Node) -> String {
    let behind = node.count_below();
    let held = held_by(report, node);
    let held = held.map_or_else(String::new, |held| format!("  {held}"));
    match &node.party {
        Party::Prepared(gid) => {
            let age = report
                .prepared(gid)
                .map(|xact| report.age(Some(xact.prepared)));
            let age = age
                .flatten()
                .map_or_else(String::new, |age| format!("  {}", brief(age)));
            format!("{}{age}{held}", party_name(&node.party))
        }
        Party::Pid(pid) => {
            let Some(line) = report.line(*pid) else {
                return format!("{pid} (gone){held}");
            };
            if let Some(waiter) = report.waits.waiter(*pid) {
                let ring = if waiter.in_front.is_empty() {
                    "the holder has just left"
                } else {
                    "a deadlock"
                };
                return format!("{pid} {}  {ring}, {behind} behind it", role(line.session));
            }
            let since = line.backend.xact_start.or_else(|| line.since());
            let age = report
                .age(since)
                .map_or_else(String::new, |age| format!("  {}", brief(age)));
            let idle = line.session.backup.is_none()
                && line.backend.state == Some(BackendState::IdleInTransaction)
                && line.session.role != Role::IdleInTransaction;
            let idle = if idle { ", idle in transaction" } else { "" };
            let name = match line.backend.application_name.as_str() {
                name if name.is_empty() || line.session.backup.is_some() => String::new(),
                name => format!(" {}", printable(name)),
            };
            let done = report
                .estimates
                .get(pid)
                .map_or_else(String::new, |estimate| format!("  {}", progress(estimate)));
            format!("{pid} {}{idle}{name}{age}{held}{done}", role(line.session))
        }
    }
}

/// The modes that a node's direct waiters meet, on the thing that most of them want.
fn held_by(report: &StatusReport<'_>, node: &Node) -> Option<String> {
    let (mode, on) = node
        .below
        .iter()
        .filter_map(|child| report.waits.waiter(child.party.pid()?))
        .find_map(|waiter| {
            let front = waiter
                .in_front
                .iter()
                .find(|front| front.party == node.party)?;
            Some((front.mode, &waiter.target))
        })?;
    Some(match on {
        LockTarget::TransactionId { .. } => "has written, and its transaction is open".into(),
        LockTarget::VirtualXid { .. } => "its transaction is open".into(),
        _ => format!("holds {}", mode_on(report, mode, on)),
    })
}

/// A waiter on one line: who, since when, what it asks for, its statement.
#[must_use]
pub fn waiter(report: &StatusReport<'_>, node: &Node, parent: &Party, alike: usize) -> String {
    let Party::Pid(pid) = node.party else {
        return party_name(&node.party);
    };
    let Some(waiter) = report.waits.waiter(pid) else {
        return pid.to_string();
    };
    let age = report
        .age(waiter.since)
        .map_or_else(|| "just now".into(), brief);
    let line = report.line(pid);
    let who = line.map_or_else(
        || "?".into(),
        |line| match line.backend.application_name.as_str() {
            "" => role(line.session),
            name => format!("{} {}", role(line.session), printable(name)),
        },
    );
    let query = line.map_or_else(String::new, |line| {
        format!("  {}", one_line(&line.backend.query))
    });
    let wants = asks(report, waiter, parent);
    let also = also_behind(waiter, parent);
    let like = match alike {
        0 | 1 => String::new(),
        more => format!(" and {} like it", more - 1),
    };
    format!("{pid} {who}{like}  {age}  {wants}{also}{query}")
}

/// What it asks for; the relation only where the line above has not named it.
fn asks(report: &StatusReport<'_>, waiter: &Waiter, parent: &Party) -> String {
    let above = parent
        .pid()
        .and_then(|pid| report.waits.waiter(pid))
        .map(|above| &above.target);
    match &waiter.target {
        LockTarget::Relation { .. } if above == Some(&waiter.target) => {
            format!("wants {}", waiter.mode)
        }
        on @ (LockTarget::Relation { .. }
        | LockTarget::Object { .. }
        | LockTarget::Advisory { .. }) => {
            format!("wants {}", mode_on(report, waiter.mode, on))
        }
        on => format!("waits for {}", target(report, on)),
    }
}

fn also_behind(waiter: &Waiter, parent: &Party) -> String {
    let others: Vec<&Party> = waiter
        .in_front
        .iter()
        .map(|front| &front.party)
        .filter(|party| *party != parent)
        .collect();
    match others.as_slice() {
        [] => String::new(),
        [one] => format!(" (also behind {})", party_name(one)),
        many => format!(" (also behind {} others)", many.len()),
    }
}

/// A statement on one line, safe to print.
#[must_use]
pub fn one_line(query: &str) -> String {
    printable(&query.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How far a backup is: `31 of 44 tables, copying public.jobs`.
#[must_use]
pub fn progress(estimate: &Estimate) -> String {
    let mut parts = Vec::new();
    if let Some((place, all)) = estimate.databases {
        parts.push(format!("of database {place} of {all}"));
    }
    if let Some(done) = estimate.fraction_done {
        parts.push(format!("{:.0} %", done * 100.0));
    }
    if estimate.tables_total > 0 {
        parts.push(format!(
            "{} of {} tables",
            estimate.tables_done, estimate.tables_total
        ));
    }
    match estimate.copying.as_slice() {
        [] => parts.push(estimate.phase.clone()),
        names => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            parts.push(format!("copying {}", names.join(", ")));
        }
    }
    parts.retain(|part| !part.is_empty());
    printable(&parts.join(", "))
}

/// `rake (pid 31705)`: what a session calls itself, or its role.
#[must_use]
pub fn called(report: &StatusReport<'_>, party: &Party) -> String {
    let Some(line) = party.pid().and_then(|pid| report.line(pid)) else {
        return party_name(party);
    };
    let name = match (&line.session.backup, line.backend.application_name.as_str()) {
        (Some(backup), _) => backup.tool.word().to_owned(),
        (None, "") => crate::words::role(line.session.role, None),
        (None, name) => printable(name),
    };
    format!("{name} (pid {})", line.session.pid)
}

/// `LEAKED`
#[must_use]
pub fn leaked(report: &StatusReport<'_>, line: &Line<'_>) -> String {
    let idle = report
        .age(line.backend.state_change)
        .map_or_else(String::new, |age| format!(" for {}", brief(age)));
    format!(
        "{} {}: nothing has moved{idle} and its transaction is open; its client is gone: pgguard kill {}",
        line.session.pid,
        role(line.session),
        line.session.pid
    )
}

/// `PREPARED`
#[must_use]
pub fn prepared(report: &StatusReport<'_>, xact: &PreparedXact) -> String {
    let age = report
        .age(Some(xact.prepared))
        .map_or_else(String::new, brief);
    let behind = report
        .waits
        .count_behind(&Party::Prepared(xact.gid.clone()));
    printable(&format!(
        "'{}' of {} in {} for {age}, {behind} behind it: its locks stay until COMMIT or ROLLBACK PREPARED",
        xact.gid, xact.owner, xact.database
    ))
}

/// `WRAPAROUND`
#[must_use]
pub fn wraparound(report: &StatusReport<'_>, line: &Line<'_>) -> String {
    let age = report
        .age(line.since())
        .map_or_else(String::new, |age| format!(" for {}", brief(age)));
    format!(
        "{} autovacuum to prevent wraparound{age}: does not give way, let it finish",
        line.session.pid
    )
}

/// `IDLE IN TX`
#[must_use]
pub fn long_idle(report: &StatusReport<'_>, line: &Line<'_>, count: usize) -> String {
    let age = report
        .age(line.backend.state_change)
        .map_or_else(String::new, brief);
    let others = match count {
        0 | 1 => String::new(),
        2 => ", and 1 more for over 5m".into(),
        more => format!(", and {} more for over 5m", more - 1),
    };
    let holds = line
        .session
        .detail
        .as_deref()
        .map_or_else(String::new, |detail| format!(", {}", printable(detail)));
    format!(
        "{} idle in transaction for {age}{holds}{others}",
        line.session.pid
    )
}

/// The evidence of one session, for `--evidence`.
#[must_use]
pub fn evidence(line: &Line<'_>, page: Page) -> String {
    let session = line.session;
    let mut out = format!(
        "{} {}, {}:\n",
        session.pid,
        session.role.in_words(),
        session.certainty.word()
    );
    for words in &session.evidence {
        for (nth, part) in page.lines(&printable(words), 4).iter().enumerate() {
            let bullet = if nth == 0 { "  - " } else { "    " };
            let _ = writeln!(out, "{bullet}{part}");
        }
    }
    out
}

/// A party's name without more: `2459692`, or `prepared transaction 'gid'`.
#[must_use]
pub fn party_name(party: &Party) -> String {
    match party {
        Party::Pid(pid) => pid.to_string(),
        Party::Prepared(gid) => format!("prepared transaction '{}'", printable(gid)),
    }
}
