//! The sentences of a gate's findings: who is in the way, until when, and what to do about it.

use super::gate_holds;
use super::gate_view::{GateView, REHEARSAL};
use super::gate_waits::crowds;
use crate::model::{Behind, Blocker, Clears, LockMode, RelationName, Role, Wait, WaitKind, age};
use crate::safe::{printable, shell_word};
use crate::words::{range, span};
use std::fmt::Write as _;

/// How many blockers of a wait are named.
pub(super) const MOST_BLOCKERS: usize = 6;

/// One blocker, or how many there are like the oldest one.
pub(super) fn crowd_in_words(view: &GateView, crowd: &[&Wait]) -> String {
    let first = blocker(view, &crowd[0].blocker);
    match crowd.len() {
        1 => first,
        n => format!("{n} sessions like this, the oldest: {first}"),
    }
}

pub(super) fn title(view: &GateView, wait: &Wait, relations: &[&RelationName]) -> String {
    let mode = wait.mode.map_or("a lock", LockMode::sql);
    let on = list(relations);
    printable(&match wait.kind {
        WaitKind::Snapshot => format!("waits for every older snapshot of {}", view.database),
        WaitKind::SafeSnapshot => "waits for every serializable transaction that may write".into(),
        WaitKind::Transactions => {
            "waits for every transaction of the server that has written".into()
        }
        WaitKind::Lockers => format!("waits for every transaction that uses {on}"),
        WaitKind::HoldsUp | WaitKind::Hold => "would make others wait".into(),
        _ if relations.is_empty() => {
            format!(
                "needs {mode} on {}",
                wait.object.as_deref().unwrap_or("an object")
            )
        }
        _ => format!("needs {mode} on {on}"),
    })
}

/// `public.a, public.b and 12 more`
fn list(relations: &[&RelationName]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = relations
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    match relations.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `backup (pg_dump, pid 2459692, 25 min)  ACCESS SHARE · now copying public.jobs, 31 of 44 tables`
fn blocker(view: &GateView, blocker: &Blocker) -> String {
    let mut identity = Vec::new();
    if let Some(gid) = &blocker.gid {
        identity.push(format!("'{gid}'"));
    }
    if !blocker.application_name.is_empty() && blocker.role != Role::Server {
        identity.push(blocker.application_name.clone());
    }
    identity.extend(blocker.pid.map(|pid| format!("pid {pid}")));
    if !blocker.user.is_empty() {
        identity.push(format!("user {}", blocker.user));
    }
    identity.extend(blocker.since.map(|since| span(age(since, view.taken_at))));
    let who = match (blocker.pid, blocker.role) {
        (None, _) => "prepared transaction".to_owned(),
        (_, role) => crate::words::role(role, None),
    };
    let has = match (blocker.mode, blocker.granted) {
        (Some(mode), true) => format!("  {mode}"),
        (Some(mode), false) => format!("  waits for {mode}"),
        (None, _) => String::new(),
    };
    let detail = match blocker.detail.as_str() {
        "" => String::new(),
        detail => format!(" · {detail}"),
    };
    printable(&format!("{who} ({}){has}{detail}", identity.join(", ")))
}

/// `~03:41 (in 9–14 min, 14 past runs)`: of the last to go.
pub(super) fn clears(view: &GateView, waits: &[&Wait]) -> String {
    let known = |wait: &&&Wait| wait.clears.as_ref().is_some_and(|c| c.expected.is_some());
    if let Some(unknown) = waits.iter().find(|wait| !known(wait)) {
        return printable(&format!("unknown: {}", why_unknown(unknown)));
    }
    waits
        .iter()
        .filter_map(|wait| wait.clears.as_ref())
        .max_by_key(|clears| clears.expected)
        .map_or_else(|| "unknown".to_owned(), |c| printable(&when(view, c)))
}

fn why_unknown(wait: &Wait) -> String {
    if let Some(clears) = &wait.clears
        && !clears.basis.is_empty()
    {
        return clears.basis.clone();
    }
    let blocker = &wait.blocker;
    match (blocker.pid, blocker.role) {
        (None, _) => "a prepared transaction stays until it is committed or rolled back".into(),
        (Some(pid), Role::IdleInTransaction) => {
            format!("pid {pid} has waited for its client, possibly forever")
        }
        (Some(_), Role::Backup) => "no estimate for this backup".into(),
        (Some(pid), _) if !blocker.granted => format!("pid {pid} waits itself"),
        (Some(pid), _) => format!("when pid {pid} is done is unknown"),
    }
}

fn when(view: &GateView, clears: &Clears) -> String {
    let Some(expected) = clears.expected else {
        return format!("unknown: {}", clears.basis);
    };
    let local = expected.with_timezone(&view.zone);
    let today = view.taken_at.with_timezone(&view.zone).date_naive();
    let pattern = if local.date_naive() == today {
        "~%H:%M"
    } else {
        "~%Y-%m-%d %H:%M"
    };
    let (from, to) = (
        clears.earliest.unwrap_or(expected),
        clears.latest.unwrap_or(expected),
    );
    format!(
        "{} (in {}, {})",
        local.format(pattern),
        range(age(view.taken_at, from), age(view.taken_at, to)),
        clears.basis
    )
}

pub(super) fn behind(behind: &Behind) -> String {
    printable(&format!(
        "{} would queue ({})",
        behind.what,
        gate_holds::uses(behind)
    ))
}

/// In the order of harm: a schema change that only waits and keeps others waiting is ended first.
pub(super) fn advice(view: &GateView, waits: &[&Wait]) -> Vec<String> {
    let mut crowds = crowds(waits);
    crowds.sort_by_key(|crowd| crowd[0].blocker.granted);
    let mut advice: Vec<String> = Vec::new();
    for crowd in crowds {
        let wait = crowd[0];
        let mut text = printable(&wait.blocker.advice);
        if wait.blocker.role == Role::Backup && text.starts_with("wait") {
            let _ = write!(text, ": {}", wait_command(view, wait));
        }
        if let (true, Some(files), true) = (
            crowd.len() > 1,
            files(view),
            text.starts_with("pgguard kill"),
        ) {
            text = format!(
                "pgguard kill --blocking {files}: asks for each of the {} sessions",
                crowd.len()
            );
        }
        if !text.is_empty() && !advice.contains(&text) {
            advice.push(text);
        }
        // Hundreds may be in the way.
        if advice.len() == MOST_BLOCKERS {
            break;
        }
    }
    advice
}

/// The files of the statements, in order.
fn named_files<'a>(view: &GateView<'a>) -> Vec<&'a str> {
    let statements = view.footprint.statements.iter();
    let mut files: Vec<&str> = statements.map(|s| s.file.as_str()).collect();
    files.dedup();
    files
}

/// The migration's one file, for a command line; `None`: several, or none that could be named.
fn files(view: &GateView) -> Option<String> {
    match named_files(view).as_slice() {
        ["" | "-" | REHEARSAL] => None,
        [file] => Some(shell_word(file)),
        _ => None,
    }
}

/// `pgguard gate --wait 20m 0057.sql && ./migrate`: a little longer than the backup's last guess.
fn wait_command(view: &GateView, wait: &Wait) -> String {
    let latest = wait.clears.as_ref().and_then(|c| c.latest);
    let minutes = latest.map_or(60, |latest| {
        let left = age(view.taken_at, latest).num_minutes();
        (left + left / 4 + 5) / 5 * 5
    });
    let files = match named_files(view).as_slice() {
        [""] => String::new(),
        [REHEARSAL] => " --rehearse -- …".to_owned(),
        [file] if *file != "-" => format!(" {}", shell_word(file)),
        _ => " …".to_owned(),
    };
    format!(
        "pgguard gate --wait {}m{files} && ./migrate",
        minutes.max(5)
    )
}

/// What a statement runs without.
pub(super) fn passed_over(wait: &Wait) -> String {
    let who = match (wait.blocker.pid, &wait.blocker.gid) {
        (Some(pid), _) => format!("pid {pid}"),
        (None, gid) => format!(
            "prepared transaction {}",
            gid.as_deref().unwrap_or_default()
        ),
    };
    match (&wait.name, &wait.object) {
        (Some(name), _) => format!("would skip {name}: {who} has it"),
        (None, object) => {
            let object = object.as_deref().unwrap_or("it");
            format!("would run without {object}: {who} has it")
        }
    }
}
