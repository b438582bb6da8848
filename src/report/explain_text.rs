//! A footprint for people: which relations, in which mode, why, and for how long.

use super::gate_holds::needs;
use super::page::{Ink, Page};
use crate::hold;
use crate::model::{Footprint, Hold, LockRequest, LockWork, SaferForm, Statement, WaitPhase};
use crate::safe::printable;
use crate::words::{self, one_line};
use std::fmt::Write as _;

/// A paragraph a statement: its locks, what it waits for, and a safer form where there is one.
#[must_use]
pub fn explain_text(footprint: &Footprint, forms: &[Option<SaferForm>], page: Page) -> String {
    let mut out = String::new();
    let mut gap = false;
    let holds = hold::of(footprint, &hold::Pace::default());
    for at in 0..footprint.statements.len() {
        let mut told = one(footprint, at, &holds, page);
        if let Some(Some(form)) = forms.get(at) {
            told += &safer(form, page);
        }
        // Statements that lock something stand apart; the others make one list.
        let long = told.lines().count() > 1;
        if !out.is_empty() && (long || gap) {
            out.push('\n');
        }
        gap = long;
        out += &told;
    }
    if footprint.statements.is_empty() {
        out.push_str("nothing to run\n");
    }
    if let Some(tally) = footprint.rehearsal() {
        out.push('\n');
        out += &page.labelled("note", &tally.in_words());
    }
    out
}

fn one(footprint: &Footprint, at: usize, holds: &[Hold], page: Page) -> String {
    let statement = &footprint.statements[at];
    let mut out = String::new();
    let place = format!("{}:{}", printable(&statement.file), statement.line.max(1));
    let silent = statement.locks.is_empty()
        && statement.phases.is_empty()
        && statement.advisory.is_empty()
        && statement.opaque.is_none();
    let room = match page.width {
        0 => 100,
        width => width.saturating_sub(place.chars().count() + 2).max(20),
    };
    let nothing = if silent { "  locks nothing" } else { "" };
    let _ = writeln!(
        out,
        "{}  {}{}",
        page.paint(Ink::Strong, &place),
        printable(&one_line(
            &statement.sql,
            room.saturating_sub(nothing.len())
        )),
        page.paint(Ink::Faint, nothing)
    );
    for lock in &statement.locks {
        out += &page.labelled("locks", &request(lock));
    }
    let mut awaits: Vec<String> = statement.phases.iter().map(awaited).collect();
    if statement.locks.iter().any(|lock| lock.rows.is_some()) {
        awaits.push("rows that others have written or locked, where it meets any".into());
    }
    awaits.dedup();
    for text in awaits {
        out += &page.labelled("waits for", &text);
    }
    for request in &statement.advisory {
        let form = if request.shared { "shared " } else { "" };
        let key = match request.is_computed() {
            true => "whose key is computed at run time".to_owned(),
            false => format!("({}, {})", request.classid, request.objid),
        };
        out += &page.labelled("locks", &format!("{form}advisory lock {key}"));
    }
    for hold in holds
        .iter()
        .filter(|h| h.statement == at && h.is_worth_a_line())
    {
        out += &page.labelled("for", &how_long(hold));
    }
    if let Some(held) = held(footprint, statement) {
        out += &page.labelled("held", &held);
    }
    if let Some(why) = &statement.opaque {
        out += &page.labelled(
            "unknown",
            &printable(&format!("not everything that it locks can be known: {why}")),
        );
    }
    if let Some(why) = &statement.fails {
        out += &page.labelled("fails", &printable(why));
    }
    for note in &statement.notes {
        out += &page.labelled("note", &printable(note));
    }
    out
}

/// The form that keeps others out less: why, and the statements, each whole.
fn safer(form: &SaferForm, page: Page) -> String {
    page.labelled("safer", &form.because) + &steps(form)
}

/// The statements of a safer form, each whole on lines of its own.
pub fn steps(form: &SaferForm) -> String {
    let mut out = String::new();
    for step in &form.steps {
        for line in format!("{step};").lines() {
            let _ = writeln!(out, "      {}", printable(line));
        }
    }
    out
}

/// `ACCESS EXCLUSIVE on public.orders (table): keeps out reads and writes, rewrites 12 MB · the named table`
fn request(lock: &LockRequest) -> String {
    let size = lock
        .bytes
        .map_or_else(String::new, |bytes| format!(" ({})", size(bytes)));
    let work = match lock.work {
        LockWork::Instant => String::new(),
        LockWork::Scan => format!(", reads all of it{size}"),
        LockWork::Rewrite => format!(", rewrites all of it{size}"),
    };
    let how = match (lock.own, lock.transient, lock.nowait) {
        (true, _, _) => "new: nobody else has it".to_owned(),
        _ if lock.possible => format!("may be asked for; keeps out {}", lock.mode.keeps_out()),
        (_, true, _) => format!("keeps out {}, for a moment", lock.mode.keeps_out()),
        (_, _, true) => format!("keeps out {}, does not wait", lock.mode.keeps_out()),
        _ => format!("keeps out {}", lock.mode.keeps_out()),
    };
    printable(&format!(
        "{} on {} ({}): {how}{work} · {}",
        lock.mode,
        lock.name,
        lock.kind.words(),
        lock.reason
    ))
}

fn awaited(phase: &WaitPhase) -> String {
    printable(&match phase {
        WaitPhase::Lockers { name, mode, .. } => format!(
            "every transaction that has a lock on {name} in the way of {mode}, to its end; nobody queues meanwhile"
        ),
        WaitPhase::Snapshots => {
            "every older snapshot of the database, whatever it reads: a pg_dump, a long query"
                .into()
        }
        WaitPhase::SafeSnapshot => {
            "every serializable transaction that may write: its own is deferrable".into()
        }
        WaitPhase::Transactions => {
            "every transaction of the server that has written, prepared ones included".into()
        }
        WaitPhase::ThenLock { name, mode, .. } => format!("then {mode} on {name}, in the queue"),
    })
}

/// How long the locks stay, where that is longer than the statement.
fn held(footprint: &Footprint, statement: &Statement) -> Option<String> {
    let same: Vec<usize> = footprint
        .statements
        .iter()
        .filter(|s| s.transaction == statement.transaction)
        .map(|s| s.line)
        .collect();
    let last = *same.last()?;
    let lasting = statement
        .locks
        .iter()
        .any(|lock| !lock.transient && !lock.own);
    (lasting && same.len() > 1 && last != statement.line)
        .then(|| format!("until its transaction ends, after line {last}"))
}

/// `~4 s (2–8 s) on public.orders: 202 MB rewritten, 1.5 million rows`
fn how_long(hold: &Hold) -> String {
    let mut parts = vec![hold.basis.clone()];
    parts.extend(hold.unknown.iter().cloned());
    parts.extend(needs(hold).map(|text| format!("needs {text}")));
    parts.retain(|part| !part.is_empty());
    let time = match hold.unknown.is_empty() {
        true => words::guess(hold.time),
        false if hold.time.latest < 0.05 => "an unknown time".to_owned(),
        false => format!("{} or longer", words::guess(hold.time)),
    };
    printable(&format!(
        "{time} {} on {}: {}",
        hold.mode,
        hold.name,
        parts.join("; ")
    ))
}

/// `12 MB`, as `pg_size_pretty` rounds.
#[expect(clippy::cast_precision_loss, reason = "rounded to three digits")]
pub fn size(bytes: i64) -> String {
    hold::size(bytes as f64)
}
