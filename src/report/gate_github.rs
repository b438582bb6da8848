//! A gate's answer as GitHub Actions shows it: annotations next to the lines, and a step summary.

use super::gate_findings::{Finding, GateView, Level, Place, answer_on, findings};
use crate::model::Answer;
use crate::safe::printable;
use std::fmt::Write as _;

/// Workflow commands for standard output: one annotation a finding.
///
/// Source: "Workflow commands for GitHub Actions", and `escapeData`, `escapeProperty` in its toolkit.
#[must_use]
pub fn gate_github(view: &GateView) -> String {
    let mut out = String::new();
    for finding in findings(view) {
        let kind = match finding.level {
            Level::Block | Level::Fail | Level::Doubt => "error",
            Level::Note => "notice",
        };
        let mut properties: Vec<String> = Vec::new();
        if let Some(place) = &finding.place
            && let Some(path) = place.path()
        {
            properties.push(format!("file={}", property(path)));
            properties.push(format!("line={}", place.line));
        }
        properties.push(format!("title={}", property(&title(&finding))));
        let _ = writeln!(
            out,
            "::{kind} {}::{}",
            properties.join(","),
            data(&finding.text())
        );
    }
    if view.verdict.answer == Answer::Clear {
        let text = format!(
            "CLEAR: nothing is in the way ({})",
            printable(view.database)
        );
        let _ = writeln!(out, "::notice title=pgguard::{}", data(&text));
    }
    out
}

fn title(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Block => Answer::WouldBlock.headline(),
        Level::Fail => Answer::WouldFail.headline(),
        Level::Doubt => Answer::CannotTell.headline(),
        Level::Note => "pgguard",
    };
    finding
        .place
        .as_ref()
        .map_or_else(|| word.to_owned(), |place| format!("{word}: {}", place.sql))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The step summary, for the file that `$GITHUB_STEP_SUMMARY` names: Markdown.
#[must_use]
pub fn gate_github_summary(view: &GateView) -> String {
    let mut out = format!(
        "### pgguard: {}\n\n{}, looked at {}\n\n",
        view.verdict.answer.headline(),
        markdown(&printable(view.database)),
        view.taken_at
            .with_timezone(&view.zone)
            .format("%Y-%m-%d %H:%M:%S %:z"),
    );
    if !view.footprint.statements.is_empty() {
        out += "| Line | Statement | Answer |\n|---|---|---|\n";
    }
    for index in 0..view.footprint.statements.len() {
        if let Some(place) = super::gate_findings::place(view.footprint, index) {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                markdown(&place.shown()),
                markdown(&place.sql),
                answer_on(view.verdict, index).headline()
            );
        }
    }
    for finding in findings(view) {
        let place = match finding.place.as_ref().map(Place::shown) {
            Some(place) if !place.is_empty() => format!("{} ", markdown(&place)),
            _ => String::new(),
        };
        let _ = write!(out, "\n**{place}{}**\n\n", markdown(&finding.title));
        for (label, text) in &finding.facts {
            let label = if label.is_empty() { "…" } else { label };
            let _ = writeln!(out, "- {label}: {}", markdown(text));
        }
        for text in &finding.advice {
            let _ = writeln!(out, "- do: {}", markdown(text));
        }
    }
    out
}

/// Text in which nothing is Markdown or HTML.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '|' | '#' | '~' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
