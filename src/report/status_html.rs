//! `status` as a page to paste: the sentence, what to do, the tree, the backups, the sessions.

use super::html::{self, commands, text, time};
use super::status::{Line, StatusReport, Trouble};
use super::status_advice::advice;
use super::status_hanging::{Hanging, hanging};
use super::status_words::{self as words, called};
use crate::model::{BackendState, Estimate, Pid, Role};
use crate::sessions::Party;
use crate::sessions::waits::Node;
use crate::words::{brief, many};
use std::fmt::Write as _;

/// How many trees, and how many rows of the table: a page may be longer than a screen.
const TREES: usize = 12;
const ROWS: usize = 200;
const BELOW: usize = 20;
const DEPTH: usize = 12;

#[must_use]
pub fn status_html(report: &StatusReport<'_>) -> String {
    let server = &report.snapshot.server;
    let title = format!("{}: who waits for whom", server.datname);
    let head = format!(
        "<header>{}, Postgres {}.{}, {}, {}</header>\n",
        text(&server.datname),
        server.major(),
        server.version_num % 10_000,
        many(report.sessions.len(), "session"),
        time(report.now())
    );
    html::page(&title, &(head + &body(report)))
}

/// All but the heading.
#[must_use]
pub fn body(report: &StatusReport<'_>) -> String {
    let mut out = String::new();
    if let Some(findings) = report.findings_in_words() {
        let _ = writeln!(out, "<p class=\"doubt\">{}</p>", text(&findings));
    }
    if report.waits.is_empty() {
        out += "<h1 class=\"good\">OK: nobody waits for a lock</h1>\n";
    }
    let trees = report.trees();
    for (node, alike) in trees.iter().take(TREES) {
        out += &wait(report, node, *alike);
    }
    if trees.len() > TREES {
        let more = many(trees.len() - TREES, "session");
        let _ = writeln!(out, "<p>{more} more blockers</p>");
    }
    out + &troubles(report) + &backups(report) + &sessions(report)
}

/// One root: the sentence, the steps, the tree.
fn wait(report: &StatusReport<'_>, node: &Node, alike: usize) -> String {
    let hanging = hanging(report, node);
    let (label, ink) = match hanging.through {
        Some(_) => ("OUTAGE", "bad"),
        None => ("WAITING", "doubt"),
    };
    let steps: String = advice(report, node)
        .iter()
        .map(|step| {
            format!(
                "<li>{}{}</li>\n",
                text(&step.text),
                commands(&step.commands)
            )
        })
        .collect();
    let like = match alike {
        0 | 1 => String::new(),
        more => format!(" and {} like it", more - 1),
    };
    format!(
        "<section class=\"card {ink}\">\n<h1><span class=\"{ink}\">{label}</span> {}</h1>\n<ol>\n{steps}</ol>\n\
         <ul class=\"tree\">\n<li><b>{}</b>{like}{}</li>\n</ul>\n</section>\n",
        sentence(report, node, &hanging),
        text(&words::root(report, node)),
        below(report, node)
    )
}

fn sentence(report: &StatusReport<'_>, node: &Node, hanging: &Hanging) -> String {
    let on = hanging
        .on
        .as_ref()
        .map_or_else(String::new, |on| format!(" on <b>{}</b>", text(on)));
    let since = hanging.since.map_or_else(String::new, |at| {
        let age = report.age(Some(at)).map_or_else(String::new, brief);
        format!(" since {} ({age})", time(at))
    });
    let hang = if hanging.count == 1 { "hangs" } else { "hang" };
    let root = text(&called(report, &node.party));
    let why = match hanging.through {
        Some(pid) => format!(
            "{} waits for {root}",
            text(&called(report, &Party::Pid(pid)))
        ),
        None => format!("behind {root}"),
    };
    format!(
        "{} {hang}{on}{since}: {why}",
        many(hanging.count, "session")
    )
}

fn below(report: &StatusReport<'_>, node: &Node) -> String {
    let children = report.folded(node);
    if children.is_empty() {
        return String::new();
    }
    if node.depth > DEPTH {
        return format!(
            " <span class=\"faint\">and {} behind it</span>",
            node.count_below()
        );
    }
    let mut out = String::from("\n<ul>\n");
    for (child, alike) in children.iter().take(BELOW) {
        let _ = writeln!(
            out,
            "<li>{}{}</li>",
            text(&words::waiter(report, child, &node.party, *alike)),
            below(report, child)
        );
    }
    if children.len() > BELOW {
        let _ = writeln!(
            out,
            "<li class=\"faint\">{} more</li>",
            children.len() - BELOW
        );
    }
    out + "</ul>\n"
}

fn troubles(report: &StatusReport<'_>) -> String {
    let troubles = report.troubles();
    let said = troubles.iter().map(|trouble| match trouble {
        Trouble::Leaked(line) => words::leaked(report, line),
        Trouble::Prepared(xact) => words::prepared(report, xact),
        Trouble::Wraparound(line) => words::wraparound(report, line),
        Trouble::LongIdle(line, count) => words::long_idle(report, line, *count),
    });
    said.map(|said| format!("<p class=\"doubt\">{}</p>\n", text(&said)))
        .collect()
}

fn backups(report: &StatusReport<'_>) -> String {
    let lines = report.admitted();
    let backups = lines
        .iter()
        .filter(|line| line.session.role == Role::Backup);
    let said: String = backups.map(|line| backup(report, line)).collect();
    match said.as_str() {
        "" => said,
        _ => format!("<h2>Backups</h2>\n{said}"),
    }
}

fn backup(report: &StatusReport<'_>, line: &Line<'_>) -> String {
    let who = text(&called(report, &Party::Pid(line.session.pid)));
    let Some(estimate) = report.estimates.get(&line.session.pid) else {
        return format!("<p><b>{who}</b>: its end is unknown</p>\n");
    };
    format!(
        "<p><b>{who}</b> {}</p>\n{}",
        text(&told(estimate)),
        bar(estimate)
    )
}

fn told(estimate: &Estimate) -> String {
    let end = words::ends(estimate).unwrap_or_else(|| "its end is unknown".into());
    format!("{end}, {}", words::progress(estimate))
}

fn bar(estimate: &Estimate) -> String {
    let done = estimate.fraction_done.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    format!("<div class=\"bar\"><i style=\"width:{done:.0}%\"></i></div>\n")
}

/// Roles of which a page only says how many there are.
const COUNTED: [Role; 4] = [Role::Idle, Role::Server, Role::Monitoring, Role::Masked];

fn sessions(report: &StatusReport<'_>) -> String {
    let lines = report.admitted();
    let is_listed = |line: &&Line<'_>| {
        report.shown.all || report.shown.is_filtered() || !COUNTED.contains(&line.session.role)
    };
    let listed: Vec<&Line<'_>> = lines.iter().filter(is_listed).collect();
    let mut out = String::from("<h2>Sessions</h2>\n");
    if !listed.is_empty() {
        out += "<div class=\"wide\"><table>\n<tr><th>Role<th>Pid<th>For<th>Who<th>What\n";
        for line in listed.iter().take(ROWS) {
            out += &row(report, line);
        }
        out += "</table></div>\n";
    }
    let mut counts: Vec<String> = Role::ALL
        .iter()
        .filter_map(|role| {
            let of_role = |line: &&Line<'_>| line.session.role == *role && !is_listed(line);
            let count = lines.iter().filter(of_role).count();
            (count > 0).then(|| format!("{} {count}", role.in_words()))
        })
        .collect();
    if listed.len() > ROWS {
        counts.push(format!("{} more", listed.len() - ROWS));
    }
    if !counts.is_empty() {
        let _ = writeln!(out, "<p class=\"faint\">{}</p>", text(&counts.join(" · ")));
    }
    out
}

fn row(report: &StatusReport<'_>, line: &Line<'_>) -> String {
    let (session, backend) = (line.session, line.backend);
    let who: Vec<&str> = [
        backend.usename.as_deref().unwrap_or_default(),
        backend.application_name.as_str(),
        backend.client_addr.as_deref().unwrap_or_default(),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect();
    let lasts = report.age(line.since()).map_or_else(String::new, brief);
    format!(
        "<tr><td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{lasts}<td>{}<td>{}<code>{}</code>\n",
        text(&words::role(session)),
        session.pid,
        text(&who.join(" ")),
        state(report, session.pid, backend.state),
        text(&cut(&words::one_line(&backend.query)))
    )
}

fn state(report: &StatusReport<'_>, pid: Pid, state: Option<BackendState>) -> &'static str {
    match state {
        _ if report.waits.waiter(pid).is_some() => "<b class=\"bad\">waits</b> ",
        Some(state) if state.is_idle_in_transaction() => "idle in transaction, last: ",
        _ => "",
    }
}

fn cut(query: &str) -> String {
    crate::words::cut(query, 400)
}
