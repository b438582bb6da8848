//! The sentences of `status`.

use super::page::Page;
use super::status::{Line, StatusReport};
use crate::model::{
    BackendState, Estimate, LockMode, LockTarget, Pid, PreparedXact, Role, SeenWait, Session,
    StandsStill,
};
use crate::safe::printable;
use crate::sessions::Party;
use crate::sessions::waits::{Node, Waiter};
use crate::sessions::{prevents_wraparound, waits_for_client};
pub use crate::words::ends;
use crate::words::{brief, cost_of_kill, many};
use chrono::{DateTime, Utc};
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

/// One thing that a person can do: why, and the commands that do it, each alone on its line.
#[derive(Debug, Clone)]
pub struct Advice {
    /// What, and why.
    pub text: String,
    /// Ready to be copied.
    pub commands: Vec<String>,
}

impl Advice {
    /// For a form that has one line.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        match self.commands.as_slice() {
            [] => self.text.clone(),
            commands => format!("{}: {}", self.text, commands.join(" or ")),
        }
    }

    fn wait(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            commands: Vec::new(),
        }
    }

    fn kill(report: &StatusReport<'_>, pid: i32, text: impl Into<String>) -> Self {
        let hidden = report
            .line(pid)
            .is_some_and(|line| line.backend.backend_start.is_none());
        let user = crate::model::quoted(&report.snapshot.server.user);
        let who = if hidden {
            format!(" (as a role that sees it: GRANT pg_monitor TO {user})")
        } else {
            String::new()
        };
        Self {
            text: printable(&format!("{}{who}", text.into())),
            commands: vec![format!("pgguard kill {pid}")],
        }
    }
}

/// What a person can do about a tree of waits: first what frees the most people at the least harm.
///
/// To end a root that nobody waits for with reason (its client is gone) frees everybody; a root that works
/// is waited for, and the waiter that keeps the others waiting is ended first.
#[must_use]
pub fn advice(report: &StatusReport<'_>, node: &Node) -> Vec<Advice> {
    let (root, is_lost) = match &node.party {
        Party::Prepared(gid) => (end_prepared(report, gid), false),
        Party::Pid(pid) => {
            let root = about_root(report, *pid);
            // A dump that stands still may go on: somebody looks at its machine first, the others need not hang meanwhile.
            let is_lost = stands_still(report, *pid).is_none()
                && root.commands.iter().any(|c| c.starts_with("pgguard kill"))
                && frees_somebody(report, node);
            (root, is_lost)
        }
    };
    match end_the_middle(report, node) {
        None => vec![root],
        Some(middle) if is_lost => vec![root, middle],
        Some(middle) => vec![middle, root],
    }
}

/// Whether anybody behind a root waits for nobody else: in a crowd of roots, to end one frees nobody.
fn frees_somebody(report: &StatusReport<'_>, root: &Node) -> bool {
    let mut behind = root.below.iter().filter_map(|child| child.party.pid());
    behind.any(|pid| report.waits.blockers_of(pid).len() == 1)
}

fn end_prepared(report: &StatusReport<'_>, gid: &str) -> Advice {
    let database = report.prepared(gid).map_or_else(String::new, |xact| {
        format!(" in database {}", crate::model::quoted(&xact.database))
    });
    let gid = printable(crate::words::literal(gid).trim());
    Advice {
        text: printable(&format!(
            "it has no process to wait for: end it{database}, one way or the other"
        )),
        commands: vec![
            format!("COMMIT PREPARED {gid}"),
            format!("ROLLBACK PREPARED {gid}"),
        ],
    }
}

fn stands_still<'r>(report: &'r StatusReport<'_>, pid: i32) -> Option<&'r StandsStill> {
    report.estimates.get(&pid)?.stands_still.as_ref()
}

fn about_root(report: &StatusReport<'_>, pid: i32) -> Advice {
    let Some(line) = report.line(pid) else {
        return Advice::wait("run it again: it has just left");
    };
    if report.waits.waiter(pid).is_some() {
        return Advice::wait("wait: the server ends a deadlock by itself after deadlock_timeout");
    }
    let backend = line.backend;
    let estimate = report.estimates.get(&pid).and_then(ends);
    let still = stands_still(report, pid);
    let leaked = line
        .session
        .backup
        .as_ref()
        .is_some_and(|backup| backup.leaked);
    match line.session.role {
        Role::Backup if leaked => Advice::kill(
            report,
            pid,
            "end the dump: its client is gone, it will never finish",
        ),
        Role::Backup if still.is_some() => still.map_or_else(
            || Advice::wait("wait until the backup is done"),
            |still| {
                let text = format!(
                    "look at the machine that runs the backup ({}): {}; or end it{}",
                    still.client,
                    still.why,
                    weighed(report, pid)
                );
                Advice::kill(report, pid, text)
            },
        ),
        Role::Backup => Advice::wait(match estimate {
            Some(ends) => format!("wait: the backup {ends}{}", weighed(report, pid)),
            None => format!(
                "wait until the backup (pid {pid}) is done{}",
                weighed(report, pid)
            ),
        }),
        Role::Maintenance if prevents_wraparound(backend) => Advice::wait(
            "wait: this anti-wraparound autovacuum does not give way, and restarts if killed",
        ),
        Role::Maintenance if backend.backend_type.as_deref() == Some("autovacuum worker") => {
            Advice::wait(format!(
                "wait: autovacuum gives way after deadlock_timeout ({} ms)",
                report.snapshot.server.deadlock_timeout_ms
            ))
        }
        Role::Masked => Advice {
            text: "see who it is first".into(),
            commands: vec![format!(
                "GRANT pg_monitor TO {}",
                printable(&crate::model::quoted(&report.snapshot.server.user))
            )],
        },
        Role::Server => Advice::wait("wait: it is the server itself"),
        _ if waits_for_client(backend, report.snapshot) => {
            let idle = report
                .age(backend.state_change)
                .map_or_else(String::new, |age| format!(" for {}", brief(age)));
            Advice::kill(
                report,
                pid,
                format!("end it: it has waited for its client{idle}, possibly forever"),
            )
        }
        _ => Advice::wait(format!("wait until pid {pid} is done")),
    }
}

/// What ending a backup would cost, behind the advice to wait.
fn weighed(report: &StatusReport<'_>, pid: Pid) -> String {
    let estimate = report.estimates.get(&pid);
    estimate.map_or_else(String::new, |estimate| {
        let cost = cost_of_kill(estimate, report.snapshot.taken_at);
        format!(". Ending it {cost}")
    })
}

/// The waiter that holds up most of the others: ending that one frees them although the root stays.
fn end_the_middle(report: &StatusReport<'_>, node: &Node) -> Option<Advice> {
    let (pid, freed) = report.middle(node)?;
    let who = report.line(pid).map_or_else(
        || "session".into(),
        |line| crate::words::role(line.session.role, None),
    );
    let go = if freed == 1 { "goes" } else { "go" };
    Some(Advice::kill(
        report,
        pid,
        format!(
            "end the waiting {who}: {} {go} on at once",
            many(freed, "session")
        ),
    ))
}

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
        "{} autovacuum to prevent wraparound{age}: gives way to nobody, let it finish",
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
