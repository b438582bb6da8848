//! The rows of the screen: sessions in a list, or who waits behind whom as a tree.

use super::look::Look;
use crate::model::{Backend, BackendIdentity, BackendState, Role};
use crate::report::status_words::{ends, one_line, progress};
use crate::report::{Shown, StatusLine, StatusReport, status_words};
use crate::safe::printable;
use crate::sessions::Party;
use crate::sessions::waits::Node;
use crate::words::brief;
use std::cmp::Reverse;

/// Who a row is about, for as long as that one lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A session, by its leading process.
    Session(BackendIdentity),
    /// A prepared transaction, by its gid.
    Prepared(String),
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Every session.
    Sessions,
    /// Who waits behind whom.
    Waits,
}

/// In which order sessions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By role, as `status` lists them.
    Role,
    /// The oldest transaction first.
    Transaction,
    /// Who keeps most others waiting comes first.
    Blocks,
    /// By pid.
    Pid,
}

impl Sort {
    /// The next one, round and round.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Role => Self::Transaction,
            Self::Transaction => Self::Blocks,
            Self::Blocks => Self::Pid,
            Self::Pid => Self::Role,
        }
    }

    /// Its name on the screen.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Transaction => "transaction age",
            Self::Blocks => "blocks",
            Self::Pid => "pid",
        }
    }
}

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing about it.
    Plain,
    /// Keeps others waiting.
    Blocks,
    /// Waits.
    Waits,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whom it is about; `None`: one that left between two reads of a look.
    pub key: Option<Key>,
    /// Process id, or `-`.
    pub pid: String,
    /// Role.
    pub role: String,
    /// For how long it has done what it does.
    pub lasts: String,
    /// Age of its transaction.
    pub in_transaction: String,
    /// The role that it is connected as.
    pub user: String,
    /// Application, and the database where it is another one; with the user where users differ.
    pub who: String,
    /// How many wait behind it; empty for nobody.
    pub blocks: String,
    /// What it does, with the tree's lines before it.
    pub what: String,
    /// How it stands out.
    pub mark: Mark,
}

/// The rows of a look.
#[must_use]
pub fn rows(look: &Look, shown: &Shown, view: View, sort: Sort) -> Vec<Row> {
    let report = look.report(shown);
    let mut rows = match view {
        View::Sessions => sessions(&report, sort),
        View::Waits => waits(&report),
    };
    name_users(&mut rows);
    rows
}

/// The user is named where rows differ in it, and where nothing else says who it is.
fn name_users(rows: &mut [Row]) {
    let mut users = rows.iter().map(|row| &row.user).filter(|u| !u.is_empty());
    let first = users.next().cloned();
    let differ = users.any(|user| Some(user) != first.as_ref());
    for row in rows {
        if differ || row.who.is_empty() {
            row.who = format!("{} {}", row.user, row.who).trim().to_owned();
        }
    }
}

/// Roles that are left out unless asked for, or unless they block or wait.
const QUIET: [Role; 4] = [Role::Idle, Role::Server, Role::Monitoring, Role::Masked];

fn sessions(report: &StatusReport<'_>, sort: Sort) -> Vec<Row> {
    let mut lines: Vec<StatusLine<'_>> = report
        .admitted()
        .into_iter()
        .filter(|line| {
            let role = line.session.role;
            report.shown.all
                || report.shown.roles.contains(&role)
                || !QUIET.contains(&role)
                || report.waits.waiter(line.session.pid).is_some()
                || report.waits.waiters_behind(line.session.pid) > 0
        })
        .collect();
    let pid = |line: &StatusLine<'_>| line.session.pid;
    match sort {
        Sort::Role => {}
        Sort::Transaction => lines.sort_by_key(|line| {
            let began = line.backend.xact_start;
            (began.is_none(), began, pid(line))
        }),
        Sort::Blocks => {
            lines.sort_by_key(|line| (Reverse(report.waits.waiters_behind(pid(line))), pid(line)));
        }
        Sort::Pid => lines.sort_by_key(pid),
    }
    lines.iter().map(|line| row(report, line, "")).collect()
}

fn waits(report: &StatusReport<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (node, alike) in report.trees() {
        grow(report, &node, alike, &mut rows);
    }
    rows
}

/// A node and what is below it; of `alike` nodes like each other one row with their number.
fn grow(report: &StatusReport<'_>, node: &Node, alike: usize, rows: &mut Vec<Row>) {
    let branch = if node.depth == 0 {
        String::new()
    } else {
        format!("{}└ ", "  ".repeat(node.depth - 1))
    };
    let branch = match alike {
        0 | 1 => branch,
        more => format!("{branch}{more} alike: "),
    };
    rows.push(match &node.party {
        Party::Prepared(gid) => prepared(report, gid),
        Party::Pid(pid) => report
            .line(*pid)
            .map_or_else(|| gone(*pid, &branch), |line| row(report, &line, &branch)),
    });
    for (child, alike) in report.folded(node) {
        grow(report, child, alike, rows);
    }
}

fn row(report: &StatusReport<'_>, line: &StatusLine<'_>, branch: &str) -> Row {
    let (session, backend) = (line.session, line.backend);
    let behind = report.waits.waiters_behind(session.pid);
    let waits = report.waits.waiter(session.pid).is_some();
    let lasts = |since| report.age(since).map_or_else(String::new, brief);
    Row {
        key: Some(Key::Session(backend.identity())),
        pid: session.pid.to_string(),
        role: status_words::role(session),
        lasts: lasts(line.since()),
        in_transaction: lasts(backend.xact_start),
        user: printable(backend.usename.as_deref().unwrap_or_default()),
        who: who(report, backend),
        blocks: count(behind),
        what: format!("{branch}{}", what(report, line)),
        mark: match (waits, behind) {
            (true, _) => Mark::Waits,
            (false, 0) => Mark::Plain,
            (false, _) => Mark::Blocks,
        },
    }
}

fn count(behind: usize) -> String {
    if behind == 0 {
        String::new()
    } else {
        behind.to_string()
    }
}

fn who(report: &StatusReport<'_>, backend: &Backend) -> String {
    let database = backend
        .datname
        .as_deref()
        .filter(|name| *name != report.snapshot.server.datname)
        .map(|name| format!("@{name}"));
    let parts = [
        backend.application_name.clone(),
        database.unwrap_or_default(),
    ];
    let known: Vec<&str> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect();
    printable(&known.join(" "))
}

/// The wait first, then how far a backup is, then the statement.
fn what(report: &StatusReport<'_>, line: &StatusLine<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(waiter) = report.waits.waiter(line.session.pid) {
        let since = report
            .age(waiter.since)
            .map_or_else(String::new, |age| format!(" {}", brief(age)));
        parts.push(format!(
            "waits{since} for {} on {}",
            waiter.mode,
            status_words::target(report, &waiter.target)
        ));
    }
    if let Some(estimate) = report.estimates.get(&line.session.pid) {
        parts.extend(ends(estimate));
        parts.push(progress(estimate));
    }
    let query = one_line(&line.backend.query);
    if !query.is_empty() {
        let idle = line
            .backend
            .state
            .is_some_and(|s| s.is_idle_in_transaction() || s == BackendState::Idle);
        parts.push(if idle {
            format!("last: {query}")
        } else {
            query
        });
    }
    parts.join("  ")
}

fn prepared(report: &StatusReport<'_>, gid: &str) -> Row {
    let xact = report.prepared(gid);
    let age = report
        .age(xact.map(|xact| xact.prepared))
        .map_or_else(String::new, brief);
    Row {
        key: Some(Key::Prepared(gid.to_owned())),
        pid: "-".into(),
        role: "prepared".into(),
        lasts: age.clone(),
        in_transaction: age,
        user: xact.map_or_else(String::new, |xact| printable(&xact.owner)),
        who: String::new(),
        blocks: count(
            report
                .waits
                .all_behind(&Party::Prepared(gid.to_owned()))
                .len(),
        ),
        what: printable(gid),
        mark: Mark::Blocks,
    }
}

fn gone(pid: i32, branch: &str) -> Row {
    Row {
        key: None,
        pid: pid.to_string(),
        role: String::new(),
        lasts: String::new(),
        in_transaction: String::new(),
        user: String::new(),
        who: String::new(),
        blocks: String::new(),
        what: format!("{branch}has just left"),
        mark: Mark::Plain,
    }
}
