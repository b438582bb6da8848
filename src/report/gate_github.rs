//! A gate's answer as GitHub Actions shows it: annotations next to the lines. The step summary is `gate_markdown`.

use super::gate_findings::findings;
use super::gate_view::{Finding, GateView, Level};
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
