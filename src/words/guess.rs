//! A time that is a guess, with its interval.

use crate::model::HoldTime;

/// `~4 s (2–8 s)`
#[must_use]
pub fn guess(time: HoldTime) -> String {
    let (from, expected, to) = (span(time.earliest), span(time.expected), span(time.latest));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => {
            format!("~{expected} ({number}–{to})")
        }
        _ => format!("~{expected} ({from} – {to})"),
    }
}

/// A span of a guess: two digits are enough.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => "0 s".to_owned(),
        s if s < 0.95 => format!("{:.1} s", s.max(0.1)),
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5970.0 => format!("{:.0} min", s / 60.0),
        s if s < 360_000.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}
