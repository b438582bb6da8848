//! What is done while a lock is held, in words.

use crate::model::{Job, JobKind, Statement};

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
        let rows = of_kind().filter_map(|j| j.rows).reduce(|a, b| a + b);
        let times = match of_kind().count() {
            _ if kind != JobKind::Build => String::new(),
            1 => " for 1 index".to_owned(),
            n => format!(" for {n} indexes"),
        };
        let done = kind.done();
        parts.push(match (kind, rows.map(amount)) {
            (JobKind::Build, Some(rows)) => format!("{rows} rows {done}{times}"),
            (JobKind::Build, None) => format!("rows {done}{times}"),
            (_, Some(rows)) => format!("{} {done}, {rows} rows", size(bytes)),
            (_, None) if bytes == 0.0 => format!("rows {done}"),
            (_, None) => format!("{} {done}", size(bytes)),
        });
    }
    parts.join("; ")
}

/// `1 past run here`
pub fn past_runs(runs: usize) -> String {
    match runs {
        1 => "1 past run here".to_owned(),
        n => format!("{n} past runs here"),
    }
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
#[must_use]
pub fn size(bytes: f64) -> String {
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

/// A statement as a sentence calls it: its line, or its command where it is of no file.
pub fn called(statement: &Statement) -> String {
    match statement.line {
        0 => statement.command.clone(),
        line => format!("line {line}"),
    }
}
