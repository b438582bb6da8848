//! How past backups come: hourly, daily, weekly, by some zone's clock.

use crate::model::BackupRun;
use crate::words::Zone;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};

/// Fewer past starts tell no rhythm.
pub(super) const FEWEST_STARTS: usize = 4;

/// The newest starts that a rhythm is read from.
pub(super) const MOST_STARTS: usize = 15;

/// Rhythms that schedulers have: hourly, by six hours, by twelve, daily, weekly.
const RHYTHMS: [TimeDelta; 5] = [
    TimeDelta::hours(1),
    TimeDelta::hours(6),
    TimeDelta::hours(12),
    TimeDelta::days(1),
    TimeDelta::days(7),
];

/// A start may be as late as this and belong to its time: a scheduler's random delay.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// The starts of most of the runs must fit the rhythm.
const MOST: f64 = 0.8;

/// The rhythm is over when this many expected starts did not come.
const MISSED: usize = 3;

/// Starts that are gone through, at the most: a day of one each hour, and those that did not come.
const MOST_OCCURRENCES: i32 = 40;

/// How past starts come, by the clock of one time zone.
#[derive(Debug)]
pub(super) struct Rhythm {
    zone: Zone,
    pub every: TimeDelta,
    /// How many of the spans between two starts fit.
    pub fitting: usize,
    /// Where the last start would be, were it neither early nor late.
    last: NaiveDateTime,
    /// How much earlier than that one has come.
    pub early: TimeDelta,
}

impl Rhythm {
    /// The longest that most of the starts, the newest first, fit.
    pub fn of(runs: &[&BackupRun], zone: Zone) -> Option<Self> {
        let at: Vec<NaiveDateTime> = runs
            .iter()
            .map(|run| run.started.with_timezone(&zone).naive_local())
            .collect();
        let spans: Vec<TimeDelta> = at.windows(2).map(|pair| pair[0] - pair[1]).collect();
        let (every, fitting) = RHYTHMS.into_iter().rev().find_map(|every| {
            let fits = |span: &&TimeDelta| is_multiple(**span, every, LATE);
            let fitting = spans.iter().filter(fits).count();
            (fitting as f64 >= MOST * spans.len() as f64).then_some((every, fitting))
        })?;
        // Late starts are late by chance: the middle one tells the time.
        let mut off: Vec<TimeDelta> = at
            .iter()
            .map(|start| off_by(*start - at[0], every))
            .filter(|off| off.abs() <= LATE)
            .collect();
        off.sort();
        let middle = off[off.len() / 2];
        Some(Self {
            zone,
            every,
            fitting,
            last: at[0] + middle,
            early: middle - off[0],
        })
    }

    /// The next start, or a later one that comes after `over`; `None`: too many did not come.
    pub fn next(&self, now: DateTime<Utc>, over: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let starts = (0..MOST_OCCURRENCES).map(|nth| self.last + self.every * nth);
        let mut starts = starts.map(|shown| on_the_clock(&self.zone, shown));
        // The last one itself may be the one that is awaited: it came early.
        let awaited = starts
            .by_ref()
            .take(1 + MISSED)
            .find(|at| *at > now - LATE)?;
        if awaited > over {
            return Some(awaited);
        }
        starts.find(|at| *at > over)
    }
}

/// When a clock shows this: for the first time where it does so twice, an hour later where it never does.
fn on_the_clock(zone: &Zone, shown: NaiveDateTime) -> DateTime<Utc> {
    zone.from_local_datetime(&shown)
        .earliest()
        .or_else(|| {
            let later = zone.from_local_datetime(&(shown + TimeDelta::hours(1)));
            later.earliest()
        })
        .map_or_else(|| shown.and_utc(), |at| at.to_utc())
}

/// How far a span is from the nearest multiple of a rhythm.
fn off_by(span: TimeDelta, rhythm: TimeDelta) -> TimeDelta {
    let (span, rhythm) = (span.num_seconds(), rhythm.num_seconds());
    let over = span.rem_euclid(rhythm);
    TimeDelta::seconds(if over > rhythm / 2 {
        over - rhythm
    } else {
        over
    })
}

pub(super) fn is_multiple(span: TimeDelta, rhythm: TimeDelta, tolerance: TimeDelta) -> bool {
    span.abs() + tolerance >= rhythm && off_by(span, rhythm).abs() <= tolerance
}
