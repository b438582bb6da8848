//! What is done while a lock is held, in words.

use crate::model::{HoldTime, Job, JobKind, Statement};

/// `202 MB rewritten, 1.5 million rows; 40 MB indexed`; empty: nothing that takes long.
#[must_use]
pub fn work(jobs: &[&Job]) -> String {
    const KINDS: [JobKind; 7] = [
        JobKind::Rewrite,
        JobKind::Move,
        JobKind::Build,
        JobKind::Write,
        JobKind::Join,
        JobKind::Scan,
        JobKind::Read,
    ];
    let mut parts: Vec<String> = Vec::new();
    for kind in KINDS {
        let of_kind = || jobs.iter().filter(|job| job.kind == kind);
        if of_kind().next().is_none() {
            continue;
        }
        let bytes: f64 = of_kind().map(|j| j.bytes + j.toast_bytes).sum();
        let rows: f64 = of_kind().filter_map(|j| j.rows).sum();
        let times = match of_kind().count() {
            _ if kind != JobKind::Build => String::new(),
            1 => " for 1 index".to_owned(),
            n => format!(" for {n} indexes"),
        };
        parts.push(match kind {
            JobKind::Build => format!("{} rows {}{times}", amount(rows), kind.done()),
            _ => format!("{} {}, {} rows", size(bytes), kind.done(), amount(rows)),
        });
    }
    parts.join("; ")
}

/// `1.5 million`, `12,000`, `7`
#[must_use]
pub fn amount(rows: f64) -> String {
    match rows {
        r if r >= 9.95e8 => format!("{:.1} billion", r / 1e9),
        r if r >= 9.95e5 => format!("{:.1} million", r / 1e6),
        r if r >= 1e4 => format!("{:.0},000", r / 1e3),
        r => format!("{r:.0}"),
    }
}

/// `12 MB`, as `pg_size_pretty` rounds.
fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 10.0 && unit > 0 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// `~4 s (2–8 s)`
#[must_use]
pub fn seconds(time: HoldTime) -> String {
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

/// A statement as a sentence calls it: its line, or its command where it is of no file.
pub fn called(statement: &Statement) -> String {
    match statement.line {
        0 => statement.command.clone(),
        line => format!("line {line}"),
    }
}
