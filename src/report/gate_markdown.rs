//! A gate's answer in Markdown: for the comment of a pull request, a chat, and GitHub's step summary.

use super::gate_findings::findings;
use super::gate_forecast;
use super::gate_view::{GateView, Place, answer_on, place, run_instead};
use crate::safe::printable;
use std::fmt::Write as _;

/// The whole report of one server: a table of the statements, then what was found.
#[must_use]
pub fn gate_markdown(view: &GateView) -> String {
    let mut out = format!(
        "### pgguard: {}\n\n{}, looked at {}\n\n",
        view.verdict.answer.headline(),
        markdown(&printable(view.database)),
        view.taken_at
            .with_timezone(&view.zone)
            .format("%Y-%m-%d %H:%M:%S %:z"),
    );
    if let Some(forecast) = view.forecast {
        let (when, outlook) = gate_forecast::headline(view, forecast);
        let _ = writeln!(out, "**{}: {outlook}**\n", markdown(&when));
        for reason in gate_forecast::reasons(view, forecast) {
            let _ = writeln!(out, "- {}", markdown(&reason));
        }
        out += "\nNow:\n\n";
    }
    if !view.footprint.statements.is_empty() {
        out += "| Line | Statement | Answer |\n|---|---|---|\n";
    }
    for index in 0..view.footprint.statements.len() {
        if let Some(place) = place(view.footprint, index) {
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
        if let Some(form) = &finding.safer {
            let _ = writeln!(out, "- do: {}", markdown(&run_instead(form)));
            for step in &form.steps {
                let _ = writeln!(out, "  - {};", markdown(&printable(step)));
            }
        }
        for text in &finding.advice {
            let _ = writeln!(out, "- do: {}", markdown(text));
        }
    }
    out
}

/// Text in which nothing is Markdown or HTML.
pub fn markdown(text: &str) -> String {
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
