//! What pgguard did and saw, one event after the other: sessions that it ended, migrations that it ran, backups that it
//! recorded.

use super::page::{Ink, Page};
use crate::model::{BackupRun, MigrationRun, RunLock, RunWait};
use crate::safe::printable;
use crate::words::{Zone, brief, clock, many, span};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it began.
    pub at: DateTime<Utc>,
    /// `kill`, `run` or `backup`.
    pub kind: &'static str,
    /// On which server, as the history knows it.
    pub server: String,
    /// In which database.
    pub database: String,
    /// What was done.
    pub what: String,
    /// How it ended.
    pub result: String,
    /// Who asked for it; empty: nobody, it was seen.
    pub asked_by: String,
    /// More on it, a line each.
    pub details: Vec<String>,
}

/// A backup that was recorded or watched.
#[must_use]
pub fn of_backup(run: &BackupRun) -> Event {
    let outcome = serde_json::to_value(run.outcome);
    let outcome = outcome
        .ok()
        .and_then(|value| value.as_str().map(|text| text.replace('_', " ")));
    Event {
        at: run.started,
        kind: "backup",
        server: run.key.server.clone(),
        database: run.key.database.clone(),
        what: format!(
            "{} by {}, {}",
            run.key.tool,
            run.key.user,
            brief(run.ended - run.started)
        ),
        result: outcome.unwrap_or_default(),
        asked_by: String::new(),
        details: Vec::new(),
    }
}

/// A run of a migration command.
#[must_use]
pub fn of_run(run: &MigrationRun) -> Event {
    let took = run
        .ended
        .map_or_else(String::new, |end| format!(", {}", brief(end - run.started)));
    let tries = match run.tries {
        0 | 1 => String::new(),
        tries => format!(", {tries} tries"),
    };
    let facts = &run.facts;
    let told = Some(facts.told.clone()).filter(|told| !told.is_empty());
    let others = (facts.others_waiting > 0).then(|| {
        format!(
            "{} waited behind it, the longest {}",
            many(facts.others_waiting, "session"),
            span(seconds(facts.others_waited_s))
        )
    });
    let details = told
        .into_iter()
        .chain(facts.recorded.iter().map(|row| format!("recorded {row}")))
        .chain(facts.locks.iter().map(held))
        .chain(facts.waits.iter().map(waited))
        .chain(others);
    Event {
        at: run.started,
        kind: "run",
        server: run.server.clone(),
        database: run.database.clone(),
        what: format!("{}{took}{tries}", run.command.join(" ")),
        result: run.result.in_words(),
        asked_by: format!("{} on {}", run.asked_by, run.host),
        details: details.collect(),
    }
}

fn held(lock: &RunLock) -> String {
    format!(
        "held {} on {} for {}",
        lock.mode,
        lock.name,
        span(seconds(lock.held_s))
    )
}

fn waited(wait: &RunWait) -> String {
    format!(
        "waited {} for {} on {} behind {}",
        span(seconds(wait.waited_s)),
        wait.mode,
        wait.target,
        wait.who
    )
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of a run")]
fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds.clamp(0.0, 1e9) * 1000.0) as i64)
}

/// The events for people, the newest first.
#[must_use]
pub fn log_text(events: &[Event], place: &str, now: DateTime<Utc>, page: Page) -> String {
    if events.is_empty() {
        return format!("nothing yet in {}\n", printable(place));
    }
    events.iter().map(|event| one(event, now, page)).collect()
}

fn one(event: &Event, now: DateTime<Utc>, page: Page) -> String {
    let of = match event.database.as_str() {
        "" => String::new(),
        database => format!(" [{database}]"),
    };
    let by = match event.asked_by.as_str() {
        "" => String::new(),
        who => format!(", asked by {who}"),
    };
    let head = format!(
        "{}  {:<6}",
        clock(&Zone::local(), event.at, now),
        event.kind
    );
    let mut out = format!("{}{}\n", page.paint(Ink::Strong, &head), printable(&of));
    let text = format!("{}: {}{by}", event.what, event.result);
    for line in std::iter::once(&text).chain(&event.details) {
        for (nth, part) in page.lines(&printable(line), 4).iter().enumerate() {
            let indent = if nth == 0 { "  " } else { "    " };
            let _ = writeln!(out, "{indent}{part}");
        }
    }
    out
}

/// The events for programs.
#[must_use]
pub fn log_json(events: &[Event], place: &str) -> String {
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({
                "at": event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
                "kind": event.kind,
                "server": event.server,
                "database": event.database,
                "what": event.what,
                "result": event.result,
                "asked_by": (!event.asked_by.is_empty()).then_some(&event.asked_by),
                "details": event.details,
            })
        })
        .collect();
    format!(
        "{:#}\n",
        json!({ "version": 1, "history": place, "events": events })
    )
}
