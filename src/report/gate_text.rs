//! A gate's answer for people.

use super::explain_text::steps;
use super::gate_findings::findings;
use super::gate_forecast;
use super::gate_view::{Finding, GateView, Level, Place, answer_on, run_instead};
use super::page::{Ink, Page};
use crate::model::Answer;
use crate::safe::printable;
use crate::words::cut;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How many tables a person reads by name.
const MOST_TABLES: usize = 30;

/// How many findings a person reads in full.
const MOST_FINDINGS: usize = 24;

/// The whole report: one calm line where it is clear, what is in the way where it is not.
#[must_use]
pub fn gate_text(view: &GateView, page: Page) -> String {
    let found = findings(view);
    let mut out = gate_forecast::text(view, page);
    out += &outage(view, page);
    let weighty: Vec<&Finding> = found.iter().filter(|f| f.level != Level::Note).collect();
    for finding in weighty.iter().take(MOST_FINDINGS) {
        out += &in_full(finding, page);
    }
    if weighty.len() > MOST_FINDINGS {
        let more = weighty.len() - MOST_FINDINGS;
        out += &page.labelled(
            "more",
            &format!("{more} findings of this kind: --format json has them all"),
        );
    }
    out += &what_to_do(view, &found, page);
    out += &free(view, page);
    out += &closing(view, page);
    for finding in found.iter().filter(|f| f.level == Level::Note) {
        let place = match finding.place.as_ref().map(Place::shown) {
            Some(place) if !place.is_empty() => format!("{place}: "),
            _ => String::new(),
        };
        out += &page.labelled("note", &format!("{place}{}", finding.title));
    }
    out
}

/// Users hang already: that, and what frees them at once, comes before what the migration would add.
fn outage(view: &GateView, page: Page) -> String {
    let Some((text, advice)) = view.outage() else {
        return String::new();
    };
    let mut out = String::new();
    for (nth, line) in page.lines(&text, OUTAGE.len() + 2).iter().enumerate() {
        let label = if nth == 0 { OUTAGE } else { "      " };
        let _ = writeln!(out, "{}  {line}", page.paint(Ink::Bad, label));
    }
    out += &advice
        .first()
        .map_or_else(String::new, |first| page.step("do", &first.in_a_line()));
    out.push('\n');
    out
}

const OUTAGE: &str = "OUTAGE";

fn in_full(finding: &Finding, page: Page) -> String {
    let (answer, ink) = match finding.level {
        Level::Block => (Answer::WouldBlock, Ink::Bad),
        Level::Fail => (Answer::WouldFail, Ink::Bad),
        Level::Doubt | Level::Note => (Answer::CannotTell, Ink::Doubtful),
    };
    let mut parts = Vec::new();
    if let Some(place) = &finding.place {
        parts.extend(Some(place.shown()).filter(|shown| !shown.is_empty()));
        parts.push(place.sql.clone());
    }
    let mut out = headline(page, answer.headline(), ink, &parts, &finding.title);
    for (label, text) in &finding.facts {
        out += &page.labelled(label, text);
    }
    if finding.level == Level::Doubt {
        for help in &finding.advice {
            out += &page.labelled("helps", help);
        }
    }
    out
}

/// `WOULD BLOCK  0057.sql:3  ALTER TABLE …  needs …`, on one line where it fits, else the last part on
/// lines of its own.
fn headline(page: Page, word: &str, ink: Ink, parts: &[String], title: &str) -> String {
    let mut first = String::new();
    for part in parts {
        first = format!("{first}  {part}");
    }
    let length = [word, &first, "  ", title]
        .iter()
        .map(|s| s.chars().count())
        .sum::<usize>();
    if page.width == 0 || length <= page.width {
        return format!("{}{first}  {title}\n", page.paint(ink, word));
    }
    let mut out = String::new();
    let room = page.width.saturating_sub(word.chars().count());
    let _ = writeln!(out, "{}{}", page.paint(ink, word), cut(&first, room));
    for line in page.within(2).hanging(title) {
        let _ = writeln!(out, "  {line}");
    }
    out
}

/// Advice on what blocks, each once.
fn what_to_do(view: &GateView, found: &[Finding], page: Page) -> String {
    let blocks = || {
        found
            .iter()
            .filter(|f| matches!(f.level, Level::Block | Level::Fail))
    };
    let safer = blocks().filter_map(|f| f.safer.as_ref());
    let safer = safer.map(|form| (run_instead(form), steps(form)));
    let above = view.outage().and_then(|(_, advice)| {
        let command = advice.first()?.commands.first()?;
        Some(format!("{command}:"))
    });
    let is_above = |text: &&String| above.as_ref().is_some_and(|above| text.starts_with(above));
    let advice = blocks()
        .flat_map(|f| &f.advice)
        .filter(|text| !is_above(text));
    let advice = advice.map(|text| (text.clone(), String::new()));
    let mut said = Vec::new();
    let mut out = String::new();
    for told in safer.take(MOST_FINDINGS).chain(advice.take(MOST_FINDINGS)) {
        if !said.contains(&told) {
            out += &page.step(if said.is_empty() { "do" } else { "" }, &told.0);
            out += &told.1;
            said.push(told);
        }
    }
    out
}

/// Where no migration was named: which tables one may change now.
fn free(view: &GateView, page: Page) -> String {
    let [verdict] = view.verdict.statements.as_slice() else {
        return String::new();
    };
    let mut statements = view.footprint.statements.iter();
    let is_any_change = statements.all(|s| s.file.is_empty() && s.line == 0);
    let waits = verdict.waits.iter().filter(|wait| wait.counts);
    let taken: BTreeSet<String> = waits
        .filter_map(|wait| wait.name.as_ref())
        .map(|name| printable(&name.to_string()))
        .collect();
    if !is_any_change || taken.is_empty() {
        return String::new();
    }
    let mut names: Vec<&str> = taken.iter().map(String::as_str).take(MOST_TABLES).collect();
    let rest = taken.len().saturating_sub(MOST_TABLES);
    let more = format!("{rest} more (--format json has them all)");
    if rest > 0 {
        names.push(&more);
    }
    let text = match taken.len() {
        1 => format!("every table but {}", names[0]),
        n => format!("every table but these {n}: {}", names.join(", ")),
    };
    page.labelled("free", &text)
}

/// CLEAR in a line; otherwise how many statements of each sort, where there are several.
fn closing(view: &GateView, page: Page) -> String {
    let total = view.footprint.statements.len();
    let looked = view.taken_at.with_timezone(&view.zone);
    let looked = if view.of_catalog {
        looked.format("catalog of %Y-%m-%d %H:%M %:z")
    } else {
        looked.format("%H:%M:%S")
    };
    let database = printable(view.database);
    if view.verdict.answer == Answer::Clear {
        let statements = view.footprint.statements.as_slice();
        let what = match total {
            _ if view.of_catalog => {
                "nothing in the schema is against it; who is connected was not checked".to_owned()
            }
            0 => "nothing to run".to_owned(),
            1 if statements[0].file.is_empty() => {
                format!("nothing is in the way of {}", statements[0].sql)
            }
            1 => "nothing is in the way of this statement".to_owned(),
            n => format!("nothing is in the way of these {n} statements"),
        };
        return headline(
            page,
            Answer::Clear.headline(),
            Ink::Good,
            &[],
            &format!("{what}  ({database}, {looked})"),
        );
    }
    if total < 2 {
        return String::new();
    }
    let count = |answer| {
        (0..total)
            .filter(|&index| answer_on(view.verdict, index) == answer)
            .count()
    };
    let parts: Vec<String> = [
        (count(Answer::WouldBlock), "would block"),
        (count(Answer::WouldFail), "would fail"),
        (count(Answer::CannotTell), "unknown"),
        (count(Answer::Clear), "clear"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, words)| format!("{n} {words}"))
    .collect();
    page.labelled(
        "in all",
        &format!(
            "{total} statements: {}  ({database}, {looked})",
            parts.join(", ")
        ),
    )
}
