//! `status` for people: what is wrong first, then who is there.

use super::page::{Ink, Page, columns};
use super::status::{StatusReport, Trouble};
use super::status_table;
use super::status_words as words;
use crate::safe::printable;
use crate::sessions::waits::Node;
use crate::words::brief;
use std::fmt::Write as _;

/// So many waiters are shown below one blocker; the others are counted.
const SHOWN_BELOW: usize = 5;

/// So deep the tree is drawn; what is deeper is counted.
const SHOWN_DEPTH: usize = 8;

/// The whole report.
#[must_use]
pub fn render(report: &StatusReport<'_>, page: Page) -> String {
    let mut out = heading(report, page);
    out += &waits(report, page);
    out += &troubles(report, page);
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
    out += &status_table::render(report, page);
    out += &hidden(report, page);
    out
}

fn heading(report: &StatusReport<'_>, page: Page) -> String {
    let server = &report.snapshot.server;
    let standby = if server.in_recovery {
        ", a standby"
    } else {
        ""
    };
    let text = format!(
        "{}, Postgres {}.{}{standby}, {} sessions, {} UTC",
        printable(&server.datname),
        server.major(),
        server.version_num % 10_000,
        report.sessions.len(),
        report.now().format("%H:%M:%S"),
    );
    format!("{}\n\n", page.paint(Ink::Faint, &page.cut(&text, 0)))
}

fn waits(report: &StatusReport<'_>, page: Page) -> String {
    let forest: Vec<Node> = report
        .waits
        .forest()
        .into_iter()
        .filter(|node| report.admits_party(&node.party))
        .collect();
    let waiting: Vec<_> = report.waits.waiters().collect();
    if waiting.is_empty() {
        return format!("{}  nobody waits for a lock\n", page.paint(Ink::Good, "OK"));
    }
    let longest = waiting.iter().filter_map(|waiter| waiter.since).min();
    let longest = report.age(longest).map_or_else(String::new, |age| {
        let all = if waiting.len() == 1 {
            "for"
        } else {
            "the longest for"
        };
        format!(", {all} {}", brief(age))
    });
    let who = if waiting.len() == 1 {
        "1 session waits".into()
    } else {
        format!("{} sessions wait", waiting.len())
    };
    let mut out = format!("{}  {who}{longest}\n\n", page.paint(Ink::Bad, "WAITING"));
    for node in &forest {
        tree(report, page, node, &mut out);
        for (nth, advice) in words::advice(report, node).iter().enumerate() {
            let label = if nth == 0 { "do" } else { "" };
            for (part, line) in page.lines(advice, 6).iter().enumerate() {
                let label = if part == 0 { label } else { "" };
                let _ = writeln!(
                    out,
                    "  {} {line}",
                    page.paint(Ink::Strong, &format!("{label:<3}"))
                );
            }
        }
        out.push('\n');
    }
    out
}

/// One tree: the root on a line of its own, everybody behind it below.
fn tree(report: &StatusReport<'_>, page: Page, root: &Node, out: &mut String) {
    let ink = if report.waits.roots().contains(&root.party) {
        Ink::Strong
    } else {
        Ink::Doubtful
    };
    let _ = writeln!(
        out,
        "  {}",
        page.paint(ink, &page.cut(&words::root(report, root), 2))
    );
    branches(report, page, root, "  ", out);
}

fn branches(report: &StatusReport<'_>, page: Page, node: &Node, margin: &str, out: &mut String) {
    let limit = if report.shown.all {
        usize::MAX
    } else {
        SHOWN_BELOW
    };
    // One more line would say "and 1 more": the one itself says more.
    let shown = if node.below.len() <= limit.saturating_add(1) {
        node.below.len()
    } else {
        limit
    };
    for (nth, child) in node.below.iter().take(shown).enumerate() {
        let last = nth + 1 == node.below.len();
        let (fork, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let text = page.cut(
            &words::waiter(report, child, &node.party),
            columns(margin) + 3,
        );
        let _ = writeln!(out, "{margin}{fork}{text}");
        let deeper = format!("{margin}{below}");
        if child.depth < SHOWN_DEPTH || report.shown.all {
            branches(report, page, child, &deeper, out);
        } else if !child.below.is_empty() {
            let _ = writeln!(out, "{deeper}└─ {} more behind it", child.count_below());
        }
    }
    let rest = &node.below[shown..];
    if !rest.is_empty() {
        let behind: usize = rest.iter().map(Node::count_below).sum();
        let and = if behind > 0 {
            format!(", and {behind} behind those")
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "{margin}└─ {} more{and} (--all lists them)",
            rest.len()
        );
    }
}

fn troubles(report: &StatusReport<'_>, page: Page) -> String {
    let mut out = String::new();
    for trouble in report.troubles() {
        let (ink, label, text) = match &trouble {
            Trouble::Leaked(line) => (Ink::Bad, "LEAKED", words::leaked(report, line)),
            Trouble::Prepared(xact) => (Ink::Doubtful, "PREPARED", words::prepared(report, xact)),
            Trouble::Wraparound(line) => {
                (Ink::Doubtful, "WRAPAROUND", words::wraparound(report, line))
            }
            Trouble::LongIdle(line, count) => (
                Ink::Doubtful,
                "IDLE IN TX",
                words::long_idle(report, line, *count),
            ),
        };
        for (nth, part) in page.lines(&text, columns(label) + 2).iter().enumerate() {
            let label = if nth == 0 {
                page.paint(ink, label)
            } else {
                " ".repeat(columns(label))
            };
            let _ = writeln!(out, "{label}  {part}");
        }
    }
    out
}

/// What the table leaves out, and why.
fn hidden(report: &StatusReport<'_>, page: Page) -> String {
    let mut out = String::new();
    let masked = report.snapshot.masked_rows();
    if masked > 0 {
        let user = crate::model::quoted(&report.snapshot.server.user);
        let rows = if masked == 1 {
            "1 row is".into()
        } else {
            format!("{masked} rows are")
        };
        let text = format!(
            "{rows} hidden from role {user}: GRANT pg_read_all_stats TO {user} (or pg_monitor) shows what they do"
        );
        out += &page.paint(Ink::Doubtful, "HIDDEN");
        for (nth, line) in page.lines(&printable(&text), 8).iter().enumerate() {
            let indent = if nth == 0 { "  " } else { "        " };
            let _ = writeln!(out, "{indent}{line}");
        }
    }
    out
}
