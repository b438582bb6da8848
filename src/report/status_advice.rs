//! What a person can do about a tree of waits.

use super::status::StatusReport;
use crate::model::{Pid, Role, StandsStill};
use crate::safe::printable;
use crate::sessions::waits::Node;
use crate::sessions::{Party, prevents_wraparound, waits_for_client};
use crate::words::{brief, cost_of_kill, ends, many};

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
        return Advice::wait("run it again: the session has just ended");
    };
    if report.waits.waiter(pid).is_some() {
        return Advice::wait("wait: the server ends a deadlock by itself after deadlock_timeout");
    }
    let backend = line.backend;
    match line.session.role {
        Role::Backup => {
            let backup = line.session.backup.as_ref();
            about_backup(report, pid, backup.is_some_and(|backup| backup.leaked))
        }
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

fn about_backup(report: &StatusReport<'_>, pid: Pid, is_leaked: bool) -> Advice {
    if is_leaked {
        let text = "end the dump: its client is gone, it will never finish";
        return Advice::kill(report, pid, text);
    }
    let weighed = weighed(report, pid);
    if let Some(still) = stands_still(report, pid) {
        let text = format!(
            "look at the machine that runs the backup ({}): {}; or end it{weighed}",
            still.client, still.why
        );
        return Advice::kill(report, pid, text);
    }
    Advice::wait(match report.estimates.get(&pid).and_then(ends) {
        Some(ends) => format!("wait: the backup {ends}{weighed}"),
        None => format!("wait until the backup (pid {pid}) is done{weighed}"),
    })
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
