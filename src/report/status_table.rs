//! The table of `status`: sessions by role, with what is left out counted below it.

use super::page::{Ink, Page};
use super::status::{Line, StatusReport};
use super::status_words::{self as words, one_line};
use crate::model::{BackendState, Role};
use crate::safe::printable;
use crate::words::brief;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::collections::BTreeMap;

/// How many sessions of a role are listed; the others are counted.
const LISTED: usize = 10;

/// Terminals from here on also show state, transaction age and client.
const WIDE: usize = 120;

/// Roles that are counted, not listed, unless asked for.
const COUNTED: [Role; 4] = [Role::Idle, Role::Server, Role::Monitoring, Role::Masked];

/// The table and the counts below it, in at most this number of lines. Sessions of the tree above are left out.
#[must_use]
pub fn render(report: &StatusReport<'_>, page: Page, room: Option<usize>) -> String {
    let admitted = report.admitted();
    if admitted.is_empty() {
        return "No session fits the filter.\n".into();
    }
    let above = |line: &Line<'_>| is_in_the_tree(report, line);
    let lines: Vec<Line<'_>> = admitted.into_iter().filter(|line| !above(line)).collect();
    let mut most = room.map_or(usize::MAX, |room| room.saturating_sub(HEADER));
    loop {
        let (listed, left_out) = split(report, &lines, most);
        let mut out = String::new();
        if !listed.is_empty() {
            out += &table(report, &listed, page);
        }
        if !left_out.is_empty() {
            out += &counts(&left_out, page);
        }
        if most > 0 && room.is_some_and(|room| out.lines().count() > room) {
            most = listed.len().min(most).saturating_sub(1);
            continue;
        }
        if report.shown.evidence {
            for line in &listed {
                out.push('\n');
                out += &words::evidence(line, page);
            }
        }
        return out;
    }
}

/// The names of the columns.
const HEADER: usize = 1;

/// A few rows, and by role those that are only counted.
type Split<'l, 'a> = (Vec<&'l Line<'a>>, Vec<(Role, Vec<&'l Line<'a>>)>);

fn split<'l, 'a>(
    report: &StatusReport<'_>,
    lines: &'l [Line<'a>],
    mut most: usize,
) -> Split<'l, 'a> {
    let mut listed = Vec::new();
    let mut left_out = Vec::new();
    for role in Role::ALL {
        let of_role: Vec<&Line<'_>> = lines
            .iter()
            .filter(|line| line.session.role == role)
            .collect();
        let limit = limit(report, role).min(most);
        let rest = of_role.len().saturating_sub(limit);
        let (shown, rest) = of_role.split_at(of_role.len() - rest);
        most -= shown.len();
        listed.extend(shown);
        if !rest.is_empty() {
            left_out.push((role, rest.to_vec()));
        }
    }
    (listed, left_out)
}

/// Who waits, or is waited for, stands above the table: unless somebody has asked for certain sessions.
fn is_in_the_tree(report: &StatusReport<'_>, line: &Line<'_>) -> bool {
    let pid = line.session.pid;
    !report.shown.all
        && !report.shown.evidence
        && !report.shown.is_filtered()
        && (report.waits.waiter(pid).is_some() || report.waits.waiters_behind(pid) > 0)
}

fn limit(report: &StatusReport<'_>, role: Role) -> usize {
    if report.shown.all || report.shown.roles.contains(&role) {
        usize::MAX
    } else if COUNTED.contains(&role) {
        0
    } else {
        LISTED
    }
}

fn table(report: &StatusReport<'_>, lines: &[&Line<'_>], page: Page) -> String {
    let wide = page.width == 0 || page.width >= WIDE;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    // A pipe has no width: nothing is cut.
    table.set_width(
        u16::try_from(if page.width == 0 { 65_000 } else { page.width }).unwrap_or(u16::MAX),
    );
    if page.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let narrow = ["ROLE", "PID", "FOR", "WHO", "WHAT"];
    let broad = [
        "ROLE", "PID", "FOR", "IN TX", "STATE", "WHO", "CLIENT", "WHAT",
    ];
    let names: &[&str] = if wide { &broad } else { &narrow };
    table.set_header(names.iter().map(|name| faint(name)));
    let mut role_above = None;
    for line in lines {
        let role = (role_above != Some(line.session.role)).then_some(line.session.role);
        role_above = Some(line.session.role);
        let row = comfy_table::Row::from(cells(report, line, role, wide));
        let mut row = row;
        row.max_height(
            if report.estimates.contains_key(&line.session.pid) && !wide {
                2
            } else {
                1
            },
        );
        table.add_row(row);
    }
    for (column, name) in table.column_iter_mut().zip(names) {
        column.set_padding((0, 2));
        match *name {
            "WHAT" => {
                column.set_padding((0, 0));
            }
            "WHO" | "CLIENT" => {
                let most = if wide { 34 } else { 22 };
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(most)));
            }
            _ => {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    table.set_truncation_indicator("…");
    table.style_text_only();
    // Cut after any letter, not only between words: a statement's beginning says most.
    table.set_delimiter('\u{1f}');
    let mut out: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn faint(text: &str) -> Cell {
    Cell::new(text).add_attribute(comfy_table::Attribute::Dim)
}

fn in_ink(cell: Cell, ink: Ink) -> Cell {
    match ink.in_table() {
        Some(number) => cell.fg(Color::AnsiValue(number)),
        None => cell,
    }
}

fn cells(report: &StatusReport<'_>, line: &Line<'_>, role: Option<Role>, wide: bool) -> Vec<Cell> {
    let (session, backend) = (line.session, line.backend);
    let span = |since| report.age(since).map_or_else(|| "-".to_owned(), brief);
    let role = role.map_or_else(String::new, role_heading);
    let pid = Cell::new(session.pid);
    let pid = if report.waits.waiter(session.pid).is_some() {
        in_ink(pid, Ink::Bad)
    } else if report.waits.waiters_behind(session.pid) > 0 {
        in_ink(pid, Ink::Doubtful)
    } else {
        pid
    };
    let what = Cell::new(what(report, line, wide));
    let who = Cell::new(who(report, line));
    let mut row = vec![Cell::new(role), pid, Cell::new(span(line.since()))];
    if wide {
        row.push(Cell::new(span(backend.xact_start)));
        row.push(Cell::new(state(line)));
        row.push(who);
        row.push(Cell::new(printable(
            backend.client_addr.as_deref().unwrap_or("local"),
        )));
    } else {
        row.push(who);
    }
    row.push(what);
    row
}

/// The role as the table's first column says it: short enough for 80 columns.
fn role_heading(role: Role) -> String {
    match role {
        Role::IdleInTransaction => "idle in tx".into(),
        other => other.in_words(),
    }
}

fn state(line: &Line<'_>) -> String {
    let state = line.backend.state.map_or("", BackendState::text);
    let state = match line.backend.state {
        Some(BackendState::IdleInTransaction) => "idle in tx",
        Some(BackendState::IdleInTransactionAborted) => "aborted tx",
        _ => state,
    };
    match (&line.backend.wait_event_type, &line.backend.wait_event) {
        (Some(kind), Some(event)) if kind != "Activity" && event != "ClientRead" => {
            printable(&format!("{state} {kind}/{event}"))
        }
        _ => state.to_owned(),
    }
}

/// Role and application; the database where it is another one than that of the look.
fn who(report: &StatusReport<'_>, line: &Line<'_>) -> String {
    let backend = line.backend;
    let other = backend
        .datname
        .as_ref()
        .filter(|name| **name != report.snapshot.server.datname);
    let parts = [
        backend.usename.as_deref().unwrap_or_default(),
        backend.application_name.as_str(),
    ];
    let mut text = parts
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    if let Some(database) = other {
        text = format!("{text} @{database}");
    }
    printable(text.trim())
}

fn what(report: &StatusReport<'_>, line: &Line<'_>, wide: bool) -> String {
    let (session, backend) = (line.session, line.backend);
    let mut parts = Vec::new();
    if let Some(backup) = &session.backup {
        parts.push(match backup.workers {
            0 => backup.tool.word().to_owned(),
            1 => format!("{}, 1 worker", backup.tool.word()),
            more => format!("{}, {more} workers", backup.tool.word()),
        });
        if backup.leaked {
            parts.push("leaked".into());
        }
        if !backup.blocks_ddl {
            parts.push("blocks nothing".into());
        }
        match report.estimates.get(&session.pid) {
            Some(estimate) => {
                // The end first: it is what everybody wants to know. A narrow terminal gets a second line.
                parts.extend(words::ends(estimate));
                let said = parts.join(", ");
                let gap = if wide { ", " } else { "\n" };
                return format!("{said}{gap}{}", words::progress(estimate));
            }
            None => parts.push(one_line(&backend.query)),
        }
        return parts.join(", ");
    }
    if report.waits.waiter(session.pid).is_some() {
        parts.push("WAITS".to_owned());
    }
    let query = one_line(&backend.query);
    let detail = session.detail.as_deref().map(printable);
    let said = |detail: &String| query.to_uppercase().starts_with(&detail.to_uppercase());
    parts.extend(detail.filter(|detail| !said(detail)));
    if !query.is_empty() {
        parts.push(match session.role {
            Role::IdleInTransaction | Role::Idle => format!("last: {query}"),
            _ => query,
        });
    }
    parts.join("  ")
}

/// `idle 37: app 30, web 7`: what is not listed, by role, with the names most of them have.
fn counts(left_out: &[(Role, Vec<&Line<'_>>)], page: Page) -> String {
    let mut parts: Vec<String> = left_out
        .iter()
        .map(|(role, lines)| count(*role, lines))
        .collect();
    parts.push("(--all lists them)".into());
    page.hanging(&parts.join(" · "))
        .iter()
        .map(|line| format!("{}\n", page.paint(Ink::Faint, line)))
        .collect()
}

fn count(role: Role, lines: &[&Line<'_>]) -> String {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        *names.entry(name(line)).or_default() += 1;
    }
    let mut names: Vec<(String, usize)> = names.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let alone = names.len() == 1;
    let mut shown: Vec<String> = names
        .iter()
        .take(4)
        .map(|(name, count)| {
            if alone || *count == 1 {
                name.clone()
            } else {
                format!("{name} {count}")
            }
        })
        .collect();
    if names.len() > 4 {
        shown.push("…".into());
    }
    let more = if COUNTED.contains(&role) { "" } else { "more " };
    format!(
        "{} {more}{}: {}",
        role_heading(role),
        lines.len(),
        shown.join(", ")
    )
}

/// What to call a session that is only counted.
fn name(line: &Line<'_>) -> String {
    let backend = line.backend;
    let name = match line.session.role {
        Role::Server | Role::Monitoring => line.session.detail.clone().unwrap_or_default(),
        _ if !backend.application_name.is_empty() => backend.application_name.clone(),
        _ => backend.usename.clone().unwrap_or_else(|| "?".into()),
    };
    printable(&name)
}
