//! Who hangs behind a root: how many, on what, since when.

use super::status::StatusReport;
use super::status_advice::{Advice, advice};
use super::status_words::{called, target};
use crate::model::{LockTarget, Pid, SeenWait};
use crate::sessions::Party;
use crate::sessions::waits::{Node, Waiter};
use crate::words::{brief, many};
use chrono::{DateTime, Utc};

/// One sentence for a root: how many hang, on what, since when, and who waits for whom.
#[must_use]
pub fn headline(report: &StatusReport<'_>, node: &Node) -> String {
    let hanging = hanging(report, node);
    let on = hanging
        .on
        .map_or_else(String::new, |on| format!(" on {on}"));
    let since = hanging.since.map_or_else(String::new, |at| {
        let age = report.age(Some(at)).map_or_else(String::new, brief);
        format!(" since {} ({age})", report.hour(at))
    });
    let count = hanging.count;
    let hang = if count == 1 { "hangs" } else { "hang" };
    let root = called(report, &node.party);
    let why = match hanging.through {
        Some(pid) => format!("{} waits for {root}", called(report, &Party::Pid(pid))),
        None => format!("behind {root}"),
    };
    format!("{} {hang}{on}{since}: {why}", many(count, "session"))
}

/// Who keeps others waiting, for the flight recorder.
#[must_use]
pub fn seen_waits(report: &StatusReport<'_>) -> Vec<SeenWait> {
    let trees = report.trees();
    let mut seen: Vec<SeenWait> = trees
        .iter()
        .map(|(node, _)| {
            let hanging = hanging(report, node);
            let identity = |pid: Pid| report.line(pid).map(|line| line.backend.identity());
            SeenWait {
                root: match &node.party {
                    Party::Pid(pid) => {
                        identity(*pid).map_or_else(|| pid.to_string(), |one| one.to_string())
                    }
                    Party::Prepared(gid) => gid.clone(),
                },
                who: called(report, &node.party),
                through: hanging.through.map(|pid| called(report, &Party::Pid(pid))),
                database: hanging.database,
                target: hanging.target.map_or_else(String::new, by_numbers),
                on: hanging.on.unwrap_or_default(),
                since: hanging.since,
                waiting: hanging.count,
            }
        })
        .collect();
    seen.sort_by(|a, b| a.root.cmp(&b.root));
    seen
}

/// What a lock is on, in a way that does not hang on the database that was looked from; nothing for the end of a
/// transaction.
fn by_numbers(target: &LockTarget) -> String {
    match target {
        LockTarget::VirtualXid { .. } | LockTarget::TransactionId { .. } => String::new(),
        _ => crate::words::target(target, |database, oid| format!("{database}/{oid}")),
    }
}

/// Who hangs behind a root.
pub struct Hanging<'a> {
    /// In which database the longest waits.
    pub database: String,
    /// What the longest wait is for.
    pub target: Option<&'a LockTarget>,
    /// How many.
    pub count: usize,
    /// What the longest wait is for, where that has a name.
    pub on: Option<String>,
    /// Since when the longest waits.
    pub since: Option<DateTime<Utc>>,
    /// The waiter that keeps the others waiting.
    pub through: Option<Pid>,
}

/// How many hang behind a root, on what, since when, through whom.
#[must_use]
pub fn hanging<'a>(report: &'a StatusReport<'_>, node: &Node) -> Hanging<'a> {
    let through = report.middle(node).map(|(pid, _)| pid);
    let behind = through.map_or_else(|| node.party.clone(), Party::Pid);
    let waiters: Vec<&Waiter> = report
        .waits
        .all_behind(&behind)
        .into_iter()
        .filter_map(|pid| report.waits.waiter(pid))
        .collect();
    let longest = waiters
        .iter()
        .min_by_key(|waiter| (waiter.since.is_none(), waiter.since));
    let on = longest.and_then(|waiter| match waiter.target {
        LockTarget::VirtualXid { .. } | LockTarget::TransactionId { .. } => None,
        _ => Some(target(report, &waiter.target)),
    });
    let own = &report.snapshot.server.datname;
    let database = longest.and_then(|waiter| report.line(waiter.pid)?.backend.datname.clone());
    Hanging {
        database: database.unwrap_or_else(|| own.clone()),
        target: longest.map(|waiter| &waiter.target),
        count: waiters.len(),
        on,
        since: waiters.iter().filter_map(|waiter| waiter.since).min(),
        through,
    }
}

/// The worst wait in a sentence, and what to do about it, in order of harm; `None`: nobody waits.
#[must_use]
pub fn in_short(report: &StatusReport<'_>) -> Option<(String, Vec<Advice>)> {
    let (node, _) = report.trees().into_iter().next()?;
    let is_outage = report.middle(&node).is_some();
    let label = if is_outage { "OUTAGE" } else { "WAITING" };
    let headline = format!("{label}  {}", headline(report, &node));
    Some((headline, advice(report, &node)))
}
