//! What a gate expects of a later time, in words: a guess that says so.

use super::gate_view::GateView;
use super::page::{Ink, Page};
use crate::model::{Expectation, Forecast, Outlook};
use crate::safe::printable;
use crate::words::{clock, hour, span};
use std::fmt::Write as _;

/// What is said below every forecast.
const GUESS: &str = "this is a guess: nobody knows who comes until then; run pgguard gate again at that time, and deploy by its answer";

/// `AT 03:25 +01:00 (in 10 min)`, and what is expected.
pub(super) fn headline(view: &GateView, forecast: &Forecast) -> (String, &'static str) {
    let at = clock(&view.zone, forecast.at, view.taken_at);
    let away = span(forecast.at - view.taken_at);
    (format!("AT {at} (in {away})"), forecast.outlook.headline())
}

/// Why, a line each, and that it is a guess.
pub(super) fn reasons(view: &GateView, forecast: &Forecast) -> Vec<String> {
    let because = &forecast.because;
    let first = because.iter().take(MOST).map(|e| reason(view, e));
    let mut reasons: Vec<String> = first.collect();
    match because.len() {
        0 => reasons.push(
            "nothing is in the way now, and no backup is known to come until then".to_owned(),
        ),
        n if n > MOST => reasons.push(format!("and {} more: --format json has them all", n - MOST)),
        _ => {}
    }
    reasons.push(GUESS.to_owned());
    reasons
}

/// Reasons that a person reads in full.
const MOST: usize = 5;

/// `backup (pid 5): over at about 03:21, between 03:18 and 03:25 (3 past runs)`
fn reason(view: &GateView, expected: &Expectation) -> String {
    let hour = |at| hour(&view.zone, at, view.taken_at);
    let begins = expected.begins.map(|at| format!("starts at {}", hour(at)));
    let ends = match (expected.expected, expected.earliest, expected.latest) {
        (Some(about), Some(from), Some(to)) if from < to => Some(format!(
            "ends at about {}, between {} and {}",
            hour(about),
            hour(from),
            hour(to)
        )),
        (Some(about), ..) => Some(format!("ends at about {}", hour(about))),
        (None, ..) if expected.may_end => Some("has no known end".to_owned()),
        (None, ..) => None,
    };
    let told: Vec<String> = begins.into_iter().chain(ends).collect();
    let mut text = expected.what.clone();
    if !told.is_empty() {
        let _ = write!(text, " {}", told.join(", "));
    }
    if let Some(basis) = &expected.basis {
        let _ = write!(text, " ({basis})");
    }
    printable(&text)
}

/// Before the answer of now, on a page of text.
pub(super) fn text(view: &GateView, page: Page) -> String {
    let Some(forecast) = view.forecast else {
        return String::new();
    };
    let (when, outlook) = headline(view, forecast);
    let ink = match forecast.outlook {
        Outlook::WouldBeClear | Outlook::Unknown => Ink::Doubtful,
        Outlook::NotClear => Ink::Bad,
    };
    let mut out = format!("{}  {outlook}\n", page.paint(ink, &when));
    let reasons = reasons(view, forecast);
    let last = reasons.len() - 1;
    for (nth, reason) in reasons.iter().enumerate() {
        out += &page.labelled(if nth == last { "note" } else { "then" }, reason);
    }
    out + "\nnow:\n"
}
