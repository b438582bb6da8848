//! What looks tell of waits: who kept whom waiting, for how long, how many; and where nobody looked.

use super::page::{Ink, Page};
use crate::model::{Episode, Unseen};
use crate::safe::printable;
use crate::words::{brief, dated, many, second};
use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What is told of the waits of the last hour.
#[derive(Debug, Clone)]
pub struct WaitsReport<'a> {
    /// The first look and the last one; `None`: there was none.
    pub looked: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The worst first.
    pub episodes: &'a [Episode],
    /// Where nobody looked.
    pub unseen: &'a [Unseen],
    /// From when on is told.
    pub oldest: DateTime<Utc>,
    /// Looks that are further apart leave a gap.
    pub far_apart: TimeDelta,
    /// Now.
    pub now: DateTime<Utc>,
    /// In which zone to say times.
    pub zone: FixedOffset,
}

/// For people.
#[must_use]
pub fn waits_text(report: &WaitsReport<'_>, page: Page) -> String {
    let Some((first, last)) = report.looked else {
        return "nobody looked in the last hour: status, check, gate, run and status --watch keep what they see\n"
            .into();
    };
    let clock = |at: DateTime<Utc>| second(&report.zone, at, report.now);
    let head = format!(
        "waits from {} to {}, the worst first (the last hour is kept)",
        clock(first),
        dated(&report.zone, last, "%H:%M:%S")
    );
    let mut out = String::new();
    for line in page.lines(&head, 0) {
        let _ = writeln!(out, "{}", page.paint(Ink::Faint, &line));
    }
    out.push('\n');
    if report.episodes.is_empty() {
        let _ = writeln!(
            out,
            "{}  nobody was seen waiting for a lock",
            page.paint(Ink::Good, "OK")
        );
    }
    for episode in report.episodes {
        out += &one(report, episode, page);
    }
    out += &unseen(report, page);
    out
}

fn one(report: &WaitsReport<'_>, episode: &Episode, page: Page) -> String {
    let clock = |at: DateTime<Utc>| second(&report.zone, at, report.now);
    let lasted = brief(episode.last_seen - episode.began);
    let end = match episode.over_by {
        Some(over) => format!(
            "over by {}",
            over.with_timezone(&report.zone).format("%H:%M:%S")
        ),
        None => "not seen to end".to_owned(),
    };
    let head = format!("{} to {}", clock(episode.began), clock(episode.last_seen));
    let on = match episode.on.as_str() {
        "" => String::new(),
        on => format!(" on {on}"),
    };
    let whom = match &episode.through {
        Some(through) => format!("{through} waited for {}", episode.who),
        None => format!("behind {}", episode.who),
    };
    let text = printable(&format!(
        "{} at most{on} for {lasted}: {whom}; {end}; {} in all",
        many(episode.most_waiting, "session"),
        waited(episode.waited_seconds)
    ));
    let mut out = String::new();
    let width = head.chars().count() + 2;
    for (nth, line) in page.lines(&text, width).iter().enumerate() {
        let head = if nth == 0 {
            page.paint(Ink::Strong, &head)
        } else {
            " ".repeat(width - 2)
        };
        let _ = writeln!(out, "{head}  {line}");
    }
    out
}

/// What all of them waited together.
#[expect(clippy::cast_possible_truncation, reason = "seconds of an hour")]
fn waited(seconds: f64) -> String {
    brief(TimeDelta::milliseconds((seconds * 1000.0) as i64))
}

fn unseen(report: &WaitsReport<'_>, page: Page) -> String {
    let clock = |at: DateTime<Utc>| second(&report.zone, at, report.now);
    let mut gaps: Vec<String> = report
        .unseen
        .iter()
        .map(|gap| format!("{} to {}", clock(gap.from), clock(gap.to)))
        .collect();
    if let Some((first, _)) = report
        .looked
        .filter(|(first, _)| *first - report.oldest > report.far_apart)
    {
        gaps.insert(0, format!("before {}", clock(first)));
    }
    if let Some((_, last)) = report
        .looked
        .filter(|(_, last)| report.now - *last > report.far_apart)
    {
        gaps.push(format!("since {}", clock(last)));
    }
    if gaps.is_empty() {
        return String::new();
    }
    let text = format!("nobody looked: {}", gaps.join(", "));
    let lines = page.lines(&text, 0);
    let lines = lines
        .iter()
        .map(|line| format!("{}\n", page.paint(Ink::Doubtful, line)));
    format!("\n{}", lines.collect::<String>())
}

/// For programs.
#[must_use]
pub fn waits_json(report: &WaitsReport<'_>) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let episodes: Vec<Value> = report
        .episodes
        .iter()
        .map(|episode| {
            json!({
                "root": episode.root,
                "who": episode.who,
                "through": episode.through,
                "database": episode.database,
                "on": episode.on,
                "began": time(episode.began),
                "last_seen": time(episode.last_seen),
                "over_by": episode.over_by.map(time),
                "most_waiting": episode.most_waiting,
                "waited_seconds": episode.waited_seconds,
            })
        })
        .collect();
    let unseen: Vec<Value> = report
        .unseen
        .iter()
        .map(|gap| json!({ "from": time(gap.from), "to": time(gap.to) }))
        .collect();
    let document = json!({
        "version": 1,
        "looked": report.looked.map(|(from, to)| json!({ "from": time(from), "to": time(to) })),
        "episodes": episodes,
        "unseen": unseen,
    });
    format!("{document:#}\n")
}
