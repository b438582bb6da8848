//! A gate's answer as a page to paste: the verdict, what to do, what each statement locks, who is there.

use super::gate_findings::findings;
use super::gate_forecast;
use super::gate_view::{Finding, GateView, Level, Place, answer_on, place};
use super::html::{self, commands, text, time};
use super::page::reason_and_command;
use super::status_html;
use crate::model::{Answer, LockMode};
use std::fmt::Write as _;

/// Statements and relations that are drawn.
const STATEMENTS: usize = 60;
const RELATIONS: usize = 10;

/// One page for every server that was asked.
#[must_use]
pub fn gate_html(views: &[GateView<'_>]) -> String {
    let answers: Vec<&str> = views.iter().map(|v| v.verdict.answer.headline()).collect();
    let body: String = views.iter().map(one).collect();
    html::page(&format!("pgguard gate: {}", answers.join(", ")), &body)
}

fn one(view: &GateView<'_>) -> String {
    let answer = view.verdict.answer;
    let mut out = format!(
        "<header>{}, looked at {}</header>\n<h1 class=\"{}\">{}</h1>\n",
        text(view.database),
        time(view.taken_at),
        ink(answer),
        answer.headline()
    );
    out += &expected(view);
    for finding in findings(view) {
        out += &told(&finding);
    }
    out += &statements(view);
    out += &footprint(view);
    if let Some(status) = view.status {
        out += &status_html::body(status);
    }
    out
}

/// What is expected of the later time that was asked about.
fn expected(view: &GateView<'_>) -> String {
    let Some(forecast) = view.forecast else {
        return String::new();
    };
    let (when, outlook) = gate_forecast::headline(view, forecast);
    let mut out = format!(
        "<section class=\"card doubt\">\n<p><b>{}: {outlook}</b></p>\n<ul>\n",
        text(&when)
    );
    for reason in gate_forecast::reasons(view, forecast) {
        let _ = writeln!(out, "<li>{}", text(&reason));
    }
    out + "</ul>\n</section>\n"
}

const fn ink(answer: Answer) -> &'static str {
    match answer {
        Answer::Clear => "good",
        Answer::WouldBlock | Answer::WouldFail => "bad",
        Answer::CannotTell => "doubt",
    }
}

fn told(finding: &Finding) -> String {
    let place = finding.place.as_ref().map(Place::shown).unwrap_or_default();
    let sql = finding.place.as_ref().map_or("", |place| &place.sql);
    if finding.level == Level::Note {
        return format!(
            "<p class=\"faint\">{} {}</p>\n",
            text(&place),
            text(&finding.title)
        );
    }
    let ink = if finding.level == Level::Doubt {
        "doubt"
    } else {
        "bad"
    };
    let mut out = format!(
        "<section class=\"card {ink}\">\n<p>{} <code>{}</code><br><b>{}</b></p>\n<dl>\n",
        text(&place),
        text(sql),
        text(&finding.title)
    );
    for (label, fact) in &finding.facts {
        let _ = writeln!(out, "<dt>{label}<dd>{}", text(fact));
    }
    out += "</dl>\n<ul>\n";
    for advice in &finding.advice {
        let (reason, command) = reason_and_command(advice);
        let command = command.map_or_else(String::new, |command| commands(&[command]));
        let _ = writeln!(out, "<li>{}{command}", text(reason));
    }
    out + "</ul>\n</section>\n"
}

fn statements(view: &GateView<'_>) -> String {
    let count = view.footprint.statements.len();
    if count == 0 {
        return String::new();
    }
    let mut out = String::from("<h2>Statements</h2>\n<div class=\"wide\"><table>\n");
    for place in (0..count.min(STATEMENTS)).filter_map(|index| place(view.footprint, index)) {
        let answer = answer_on(view.verdict, place.statement);
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}<td><code>{}</code><td class=\"n {}\">{}",
            text(&place.shown()),
            text(&place.sql),
            ink(answer),
            answer.headline()
        );
    }
    if count > STATEMENTS {
        let _ = writeln!(out, "<tr><td><td>{} more", count - STATEMENTS);
    }
    out + "</table></div>\n"
}

/// Which statement locks what in which mode: the darker, the more it keeps out.
fn footprint(view: &GateView<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    let rows: Vec<(usize, Vec<(String, LockMode)>)> = view
        .footprint
        .statements
        .iter()
        .enumerate()
        .take(STATEMENTS)
        .map(|(index, statement)| {
            let locks = statement.locks.iter();
            let locks: Vec<(String, LockMode)> = locks
                .map(|lock| (lock.name.to_string(), lock.mode))
                .collect();
            (index, locks)
        })
        .filter(|(_, locks)| !locks.is_empty())
        .collect();
    for (name, _) in rows.iter().flat_map(|(_, locks)| locks) {
        if !names.contains(name) && names.len() < RELATIONS {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h2>Locks</h2>\n<div class=\"wide\"><table>\n<tr><th>");
    for name in &names {
        let _ = write!(out, "<th>{}", text(name));
    }
    out.push('\n');
    for (index, locks) in &rows {
        let place = place(view.footprint, *index).map_or_else(String::new, |p| p.shown());
        let _ = write!(out, "<tr><td class=\"n\">{}", text(&place));
        for name in &names {
            let of_name = locks.iter().filter(|(of, _)| of == name);
            match of_name.map(|(_, mode)| *mode).max() {
                Some(mode) => {
                    let _ = write!(out, "<td class=\"mode {}\">{mode}", shade(mode));
                }
                None => out += "<td>",
            }
        }
        out.push('\n');
    }
    out + "</table></div>\n"
}

/// Green: others read and write; yellow: writers are kept out; red: readers too.
const fn shade(mode: LockMode) -> &'static str {
    match mode {
        LockMode::AccessExclusive => "m3",
        LockMode::Share | LockMode::ShareRowExclusive | LockMode::Exclusive => "m2",
        _ => "m1",
    }
}
