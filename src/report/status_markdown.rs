//! `status` in Markdown, for a chat: the sentence, what to do, the tree.

use super::gate_markdown::markdown;
use super::page::Page;
use super::status::StatusReport;
use super::status_advice::advice;
use super::status_hanging::{hanging, headline};
use super::status_text::tree_of;
use crate::safe::printable;
use crate::words::many;
use std::fmt::Write as _;

/// How many roots are told.
const TREES: usize = 4;

/// Columns of the tree: a chat breaks longer lines.
const WIDTH: usize = 100;

#[must_use]
pub fn status_markdown(report: &StatusReport<'_>) -> String {
    let mut out = format!(
        "**{}**, {}, looked at {}\n",
        markdown(&printable(&report.snapshot.server.datname)),
        many(report.sessions.len(), "session"),
        report.looked_at()
    );
    if report.waits.is_empty() {
        return out + "\n**OK** nobody waits for a lock\n";
    }
    let trees = report.trees();
    for (node, alike) in trees.iter().take(TREES) {
        let label = match hanging(report, node).through {
            Some(_) => "OUTAGE",
            None => "WAITING",
        };
        let sentence = markdown(&printable(&headline(report, node)));
        let _ = write!(out, "\n**{label}** {sentence}\n\n");
        for step in advice(report, node) {
            let _ = writeln!(out, "- {}", markdown(&printable(&step.text)));
            for command in &step.commands {
                let _ = writeln!(out, "\n{}\n", indented(&fenced(&printable(command))));
            }
        }
        let _ = write!(
            out,
            "\n{}\n",
            fenced(&tree_of(report, Page::of_width(WIDTH), node, *alike))
        );
    }
    if trees.len() > TREES {
        let _ = writeln!(
            out,
            "\n{} more blockers",
            many(trees.len() - TREES, "session")
        );
    }
    out
}

/// A text between fences that it does not contain.
fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end())
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("  {line}"));
    lines.collect::<Vec<_>>().join("\n")
}
