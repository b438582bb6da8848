//! `pgguard log`: what pgguard has done and seen: sessions that it ended, migrations that it ran, backups.

use super::{screen, status_at};
use crate::Result;
use crate::cli::{Color, Format, LogArgs};
use crate::door::{self, Form};
use crate::history::looks::{self, Looks, Told};
use crate::history::{Filter, History, SignalNote, WhichRuns};
use crate::model::SeenWait;
use crate::report::{self, Event, WaitsReport};
use chrono::{DateTime, TimeDelta, Utc};
use std::cmp::Reverse;

/// Runs the command.
///
/// # Errors
/// When the history cannot be read.
pub async fn run(args: LogArgs, color: Color) -> Result<u8> {
    if args.waits {
        return waits(&args, color);
    }
    let mut history = History::open(args.history.history.as_deref()).await?;
    let place = history.place().to_owned();
    let events = events(&mut history, &args).await;
    history.close().await;
    let events = events?;
    match args.format {
        Format::Text => {
            let text = report::log_text(&events, &place, Utc::now(), screen::page(color));
            door::print(Form::Lines, &text)
        }
        Format::Json => door::print(Form::Json, &report::log_json(&events, &place)),
    }?;
    Ok(0)
}

/// Who kept whom waiting, at all servers that looks are kept of.
fn waits(args: &LogArgs, color: Color) -> Result<u8> {
    let folder = status_at::folder(&args.history)?;
    let oldest = args.since.map(before_now);
    let is_asked_for = |wait: &SeenWait| {
        let name = args.database.as_ref();
        name.is_none_or(|name| wait.database == *name)
    };
    let mut told = Told::default();
    for server in Looks::servers(&folder) {
        let mut looks = Looks::of(&folder, &server).waits();
        looks.retain(|(at, _)| oldest.is_none_or(|oldest| *at >= oldest));
        for (_, waits) in &mut looks {
            waits.retain(is_asked_for);
        }
        told.add(looks::told(&looks));
    }
    let now = Utc::now();
    let report = WaitsReport {
        looked: told.looked,
        episodes: &told.episodes,
        unseen: &told.unseen,
        oldest: oldest.unwrap_or(now - looks::KEPT).max(now - looks::KEPT),
        far_apart: looks::FAR_APART,
        now,
        zone: screen::zone(now),
    };
    match args.format {
        Format::Text => door::print(
            Form::Lines,
            &report::waits_text(&report, screen::page(color)),
        ),
        Format::Json => door::print(Form::Json, &report::waits_json(&report)),
    }?;
    Ok(0)
}

/// The events that are asked for, the newest first.
async fn events(history: &mut History, args: &LogArgs) -> Result<Vec<Event>> {
    let backups = Filter {
        limit: Some(args.last),
        without_tables: true,
        ..Filter::default()
    };
    let kills = history.signals().await?;
    let runs = history.migration_runs(&WhichRuns::default()).await?;
    let backups = history.runs(&backups).await?;
    let kills = kills.iter().map(of_kill);
    let runs = runs.iter().map(report::event_of_run);
    let backups = backups.iter().map(report::event_of_backup);
    let oldest = args.since.map(before_now);
    let mut events: Vec<Event> = kills
        .chain(runs)
        .chain(backups)
        .filter(|event| args.only.as_deref().is_none_or(|kind| kind == event.kind))
        .filter(|event| {
            args.database
                .as_deref()
                .is_none_or(|name| name == event.database)
        })
        .filter(|event| oldest.is_none_or(|oldest| event.at >= oldest))
        .collect();
    events.sort_by_key(|event| Reverse(event.at));
    events.truncate(usize::try_from(args.last).unwrap_or(usize::MAX));
    Ok(events)
}

fn before_now(span: std::time::Duration) -> DateTime<Utc> {
    let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    Utc::now()
        .checked_sub_signed(span)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn of_kill(note: &SignalNote) -> Event {
    let whom = match (note.pid, &note.gid) {
        (Some(pid), _) => format!(
            "pid {pid} ({}, user {}, application {})",
            note.kind.replace('_', " "),
            note.role,
            note.application_name
        ),
        (None, Some(gid)) => format!("prepared transaction {gid} of {}", note.role),
        (None, None) => note.kind.replace('_', " "),
    };
    Event {
        at: note.at,
        kind: "kill",
        server: note.server.clone(),
        database: note.database.clone(),
        what: format!("{} {whom}", note.deed),
        result: note.outcome.clone(),
        asked_by: note.asked_by.clone(),
        details: Some(note.why.clone())
            .filter(|why| !why.is_empty())
            .into_iter()
            .collect(),
    }
}
