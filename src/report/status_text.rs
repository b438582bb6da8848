//! `status` for people: what is wrong first, then who is there.

use super::page::{Ink, Page, columns};
use super::status::{StatusReport, Trouble};
use super::status_advice::advice;
use super::status_hanging::headline;
use super::status_table;
use super::status_words as words;
use crate::safe::printable;
use crate::sessions::waits::Node;
use crate::words::many;
use std::fmt::Write as _;

/// How many trees of waits are shown; the others are counted.
const TREES: usize = 4;

/// How many waiters are shown below one blocker; the others are counted.
const SHOWN_BELOW: usize = 5;

/// So deep the tree is drawn; what is deeper is counted.
const SHOWN_DEPTH: usize = 8;

/// Lines that a screen keeps for the prompt after the report.
const PROMPT: usize = 1;

/// The whole report: no longer than the terminal, unless everything is asked for.
#[must_use]
pub fn render(report: &StatusReport<'_>, page: Page) -> String {
    let limit = match page.height {
        0 => None,
        _ if report.shown.all || report.shown.evidence => None,
        height => Some(height.saturating_sub(PROMPT).max(10)),
    };
    let mut out = heading(report, page);
    let below = format!("{}{}", troubles(report, page), hidden(report, page));
    let room = |used: &str, kept: usize| {
        limit.map(|limit| limit.saturating_sub(used.lines().count() + kept))
    };
    let kept = below.lines().count() + FEWEST_BELOW;
    let left = room(&out, kept);
    out += &waits(report, page, left);
    out += &below;
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
    let left = room(&out, 0);
    out += &status_table::render(report, page, left);
    out
}

/// Lines that the waits leave to the table and what it counts.
const FEWEST_BELOW: usize = 4;

fn heading(report: &StatusReport<'_>, page: Page) -> String {
    let server = &report.snapshot.server;
    let standby = if server.in_recovery {
        ", a standby"
    } else {
        ""
    };
    let text = format!(
        "{}, Postgres {}.{}{standby}, {} sessions, {}",
        printable(&server.datname),
        server.major(),
        server.version_num % 10_000,
        report.sessions.len(),
        report.looked_at(),
    );
    let findings = report
        .findings_in_words()
        .map_or_else(String::new, |findings| {
            format!("{}\n", page.paint(Ink::Doubtful, &findings))
        });
    let running: String = report
        .running
        .iter()
        .map(|one| {
            let line = printable(&one.in_words());
            page.hanging(&line).join("\n") + "\n"
        })
        .collect();
    format!(
        "{}\n{findings}{running}\n",
        page.paint(Ink::Faint, &page.cut(&text, 0))
    )
}

fn waits(report: &StatusReport<'_>, page: Page, room: Option<usize>) -> String {
    if report.waits.is_empty() {
        return format!("{}  nobody waits for a lock\n", page.paint(Ink::Good, "OK"));
    }
    let trees = report.trees();
    let is_outage = trees.iter().any(|(node, _)| report.middle(node).is_some());
    let label = if is_outage { "OUTAGE" } else { "WAITING" };
    let mut limit = if report.shown.all { trees.len() } else { TREES };
    loop {
        let heads = headlines(report, page, label, &trees[..limit.min(trees.len())]);
        let more = trees.len().saturating_sub(limit);
        let tail = match more {
            0 => String::new(),
            more => format!(
                "{} more blockers (--all lists them)\n",
                many(more, "session")
            ),
        };
        let used = heads.lines().count() + tail.lines().count();
        let bodies: Vec<(String, String)> = trees
            .iter()
            .take(limit)
            .map(|(node, alike)| {
                let mut steps_of = String::new();
                steps(report, page, node, *alike, &mut steps_of);
                let mut tree_of = String::new();
                tree(report, page, node, *alike, &mut tree_of);
                (steps_of, tree_of)
            })
            .collect();
        let steps: usize = bodies
            .iter()
            .map(|(steps, _)| steps.lines().count() + 1)
            .sum();
        let fewest = bodies.len() * FEWEST_OF_A_TREE;
        // What to do about the worst comes before the sight of all the others.
        if limit > 1 && room.is_some_and(|room| used + steps + fewest > room) {
            limit = limit.min(trees.len()) - 1;
            continue;
        }
        let room = room.map(|room| room.saturating_sub(used + steps).max(fewest));
        return heads + &fitted(&bodies, room) + &tail;
    }
}

/// A root, who waits for it, and that there are others.
const FEWEST_OF_A_TREE: usize = 3;

fn headlines(
    report: &StatusReport<'_>,
    page: Page,
    label: &str,
    trees: &[(Node, usize)],
) -> String {
    let mut out = String::new();
    for (nth, (node, _)) in trees.iter().enumerate() {
        let label = if nth == 0 { label } else { "" };
        hang(page, label, &headline(report, node), &mut out);
    }
    out.push('\n');
    out
}

/// Steps and trees, the trees cut to their share of the room.
fn fitted(bodies: &[(String, String)], room: Option<usize>) -> String {
    let mut out = String::new();
    let mut left = room.unwrap_or(usize::MAX);
    for (nth, (steps, tree)) in bodies.iter().enumerate() {
        out += steps;
        let others = (bodies.len() - nth - 1) * FEWEST_OF_A_TREE;
        let share = left.saturating_sub(others).max(FEWEST_OF_A_TREE);
        let lines = tree.lines().count();
        if lines <= share {
            out += tree;
        } else {
            for line in tree.lines().take(share - 1) {
                out += line;
                out.push('\n');
            }
            let more = lines - (share - 1);
            let _ = writeln!(out, "  … {} (--all shows them)", many(more, "more line"));
        }
        left = left.saturating_sub(lines.min(share));
        out.push('\n');
    }
    out
}

/// A label with its sentence, which hangs below itself where it is long.
fn hang(page: Page, label: &str, text: &str, out: &mut String) {
    for (part, line) in page.lines(text, 9).iter().enumerate() {
        let label = if part == 0 { label } else { "" };
        let _ = writeln!(
            out,
            "{}  {line}",
            page.paint(Ink::Bad, &format!("{label:<7}"))
        );
    }
}

/// What to do, in order of harm; a command stands alone on its line and is never broken.
fn steps(report: &StatusReport<'_>, page: Page, node: &Node, alike: usize, out: &mut String) {
    for (nth, advice) in advice(report, node).iter().enumerate() {
        let label = match nth {
            0 => "do",
            _ => "or",
        };
        for (part, line) in page.lines(&advice.text, 6).iter().enumerate() {
            let label = if part == 0 { label } else { "" };
            let _ = writeln!(
                out,
                "  {} {line}",
                page.paint(Ink::Strong, &format!("{label:<3}"))
            );
        }
        for command in &advice.commands {
            let _ = writeln!(out, "        {}", page.paint(Ink::Strong, command));
        }
    }
    if alike > 1 {
        let _ = writeln!(
            out,
            "      and {} like it (--all lists them)",
            many(alike - 1, "session")
        );
    }
}

/// One tree as text.
#[must_use]
pub fn tree_of(report: &StatusReport<'_>, page: Page, root: &Node, alike: usize) -> String {
    let mut out = String::new();
    tree(report, page, root, alike, &mut out);
    out
}

/// One tree: the root on a line of its own, everybody behind it below.
fn tree(report: &StatusReport<'_>, page: Page, root: &Node, alike: usize, out: &mut String) {
    let ink = if report.waits.roots().contains(&root.party) {
        Ink::Strong
    } else {
        Ink::Doubtful
    };
    let like = if alike > 1 {
        format!("  and {} like it", alike - 1)
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "  {}",
        page.paint(
            ink,
            &page.cut(&format!("{}{like}", words::root(report, root)), 2)
        )
    );
    branches(report, page, root, "  ", out);
}

fn branches(report: &StatusReport<'_>, page: Page, node: &Node, margin: &str, out: &mut String) {
    let limit = if report.shown.all {
        usize::MAX
    } else {
        SHOWN_BELOW
    };
    let children = report.folded(node);
    // One more line would say "and 1 more": the one itself says more.
    let shown = if children.len() <= limit.saturating_add(1) {
        children.len()
    } else {
        limit
    };
    for (nth, &(child, alike)) in children.iter().take(shown).enumerate() {
        let last = nth + 1 == children.len();
        let (fork, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let text = page.cut(
            &words::waiter(report, child, &node.party, alike),
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
    let rest = &children[shown..];
    if !rest.is_empty() {
        let behind: usize = rest.iter().map(|(child, _)| child.count_below()).sum();
        let and = if behind > 0 {
            format!(", and {behind} behind those")
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "{margin}└─ {} more{and} (--all lists them)",
            rest.iter().map(|(_, alike)| alike).sum::<usize>()
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
