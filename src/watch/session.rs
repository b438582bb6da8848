//! What is known of one session: what `pgguard kill` would say of it, before it is ended and below the rows.

use super::ink::{bold, faint};
use crate::kill::Dossier;
use crate::report::page::Page;
use crate::safe::printable;
use crate::words::cut;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Width of the column of labels.
const LABEL: usize = 10;

/// What matters first where there is room for a few lines only.
const FIRST: [&str; 5] = ["runs", "last ran", "waits for", "holds", "blocks"];

/// Everything, as `pgguard kill` says it, and what the key for it would do.
pub fn about(dossier: &Dossier, width: u16) -> Vec<Line<'static>> {
    let mut lines = who(dossier, width);
    lines.push(Line::raw(""));
    for (label, text) in &dossier.facts {
        lines.extend(fact(label, text, width));
    }
    lines.extend(costs(dossier, width));
    lines.extend(fact("K", &key(dossier), width));
    lines.extend(fact("identity", &dossier.identity.to_string(), width));
    lines
}

/// What matters most of a session, in at most `most` lines.
pub fn in_short(dossier: &Dossier, width: u16, most: usize) -> Vec<Line<'static>> {
    let mut lines = who(dossier, width);
    for (label, text) in &dossier.facts {
        if FIRST.contains(label) {
            let room = usize::from(width).saturating_sub(LABEL);
            lines.extend(fact(label, &cut(text, room), width));
        }
    }
    lines.extend(costs(dossier, width));
    lines.extend(fact("K", &key(dossier), width));
    if lines.len() > most {
        lines.truncate(most.saturating_sub(1));
        lines.push(Line::styled("…         Enter shows the rest", faint()));
    }
    lines
}

/// The question that is asked before it is ended, and what is known.
pub fn ask(dossier: &Dossier, typed: &str, width: u16) -> Vec<Line<'static>> {
    let question =
        dossier
            .confirmation
            .question(&format!("pid {}: {}", dossier.identity.pid, deed(dossier)));
    let question = format!("{question}{}█", printable(typed));
    let mut lines = hanging(&question, width, bold());
    lines.push(Line::raw(""));
    lines.extend(about(dossier, width));
    lines
}

/// What would be done.
fn deed(dossier: &Dossier) -> String {
    let steps: Vec<_> = dossier.steps.iter().map(|step| step.deed()).collect();
    steps.join(", and if that does nothing ")
}

fn key(dossier: &Dossier) -> String {
    match &dossier.refused {
        Some(why) => format!("does nothing: {why}"),
        None => format!("asks, and then: {}", deed(dossier)),
    }
}

fn who(dossier: &Dossier, width: u16) -> Vec<Line<'static>> {
    hanging(&printable(&dossier.who), width, bold())
}

fn costs(dossier: &Dossier, width: u16) -> Vec<Line<'static>> {
    let costs = dossier.costs.iter().map(|text| ("cost", text));
    let better = dossier.better.iter().map(|text| ("better", text));
    costs
        .chain(better)
        .flat_map(|(label, text)| fact(label, text, width))
        .collect()
}

fn hanging(text: &str, width: u16, style: Style) -> Vec<Line<'static>> {
    let lines = Page::of_width(usize::from(width)).hanging(text).into_iter();
    lines.map(|line| Line::styled(line, style)).collect()
}

/// A label and its text, whose later lines hang: no name in it begins a line that reads like one of ours.
fn fact(label: &str, text: &str, width: u16) -> Vec<Line<'static>> {
    let page = Page::of_width(usize::from(width));
    let lines = page.lines(&printable(text), LABEL).into_iter().enumerate();
    lines
        .map(|(nth, line)| {
            let label = if nth == 0 { label } else { "" };
            Line::from(vec![
                Span::styled(format!("{label:<LABEL$}"), faint()),
                Span::raw(line),
            ])
        })
        .collect()
}
