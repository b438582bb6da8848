//! When the next backup starts: by its scheduler's line, or as past runs began.

use crate::model::{BackupRun, RunKey, RunOutcome};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::time::Duration;

/// A scheduler's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Five fields as in crontab(5), or `@daily` and its kin.
    pub cron: String,
    /// The scheduler's time zone, by its IANA name; `None`: UTC.
    pub tz: Option<String>,
    /// How long the backup is expected to take where no past run tells.
    pub expect: Option<Duration>,
    /// Where the line stands, for people: `the configuration`, `/etc/cron.d/backup`.
    pub from: String,
}

/// The next backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextBackup {
    /// When it starts.
    pub starts: DateTime<Utc>,
    /// When it is expected to be over; `None`: not known.
    pub ends: Option<DateTime<Utc>>,
    /// How that is known, for people: `0 15 * * * UTC in the configuration`.
    pub basis: String,
}

/// Fewer past starts tell no rhythm.
const FEWEST_STARTS: usize = 4;

/// The newest starts that a rhythm is read from.
const MOST_STARTS: usize = 15;

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

/// After so many starts that did not come, the rhythm is over.
const MISSED: i32 = 3;

/// Who migrates so shortly before a backup is likely to be in its way, or to have it in the way.
const SHORTLY: TimeDelta = TimeDelta::minutes(15);

impl NextBackup {
    /// What a migration that starts now has to know of it; `None`: it is far off.
    #[must_use]
    pub fn warning(&self, now: DateTime<Utc>) -> Option<String> {
        let until = self.starts - now;
        let when = match until.num_minutes() {
            _ if until > SHORTLY => return None,
            1.. => format!("starts in {} min", until.num_minutes()),
            _ if until > TimeDelta::zero() => "starts within a minute".to_owned(),
            _ => "is due now".to_owned(),
        };
        Some(format!(
            "the next backup {when} ({}): a migration that is not done by then holds it up, or waits for it",
            self.basis
        ))
    }

    /// The next one: as the configuration's lines say, else as past runs began, else by the lines of the
    /// schedulers that can be seen, which are asked only then; and what is wrong with lines.
    #[must_use]
    pub fn earliest(
        configured: &[Line],
        runs: &[BackupRun],
        seen: impl FnOnce() -> Vec<Line>,
        now: DateTime<Utc>,
    ) -> (Option<Self>, Vec<String>) {
        let mut wrong = Vec::new();
        let mut by_lines = |lines: &[Line]| {
            let found = lines.iter().filter_map(|line| {
                Self::by_line(line, runs, now)
                    .map_err(|why| wrong.push(format!("{}: {why}", line.from)))
                    .ok()
            });
            found.min_by_key(|next| next.starts)
        };
        let next = by_lines(configured)
            .or_else(|| Self::by_past(runs, now))
            .or_else(|| by_lines(&seen()));
        (next, wrong)
    }

    /// By a scheduler's line; past runs tell how long it takes.
    ///
    /// # Errors
    /// What is wrong with the line, and how it should read.
    pub fn by_line(line: &Line, runs: &[BackupRun], now: DateTime<Utc>) -> Result<Self, String> {
        let zone = line.tz.as_deref().unwrap_or("UTC");
        let tz = Tz::from_str(zone).map_err(|_| {
            format!(
                "there is no time zone `{zone}`; write it as the IANA does, such as Europe/Berlin"
            )
        })?;
        let cron = Cron::from_str(&line.cron).map_err(|error| {
            format!(
                "`{}` is no line of crontab ({error}); five fields are meant: minute, hour, day of month, month, \
                 day of week, such as `0 15 * * *`",
                line.cron
            )
        })?;
        let starts = cron
            .find_next_occurrence(&now.with_timezone(&tz), false)
            .map_err(|error| format!("`{}` never comes: {error}", line.cron))?
            .to_utc();
        let at_that_time = |run: &&BackupRun| {
            is_multiple(
                starts - run.started,
                TimeDelta::days(1),
                TimeDelta::minutes(30),
            )
        };
        let usual = median_span(runs.iter().filter(at_that_time));
        let expected = line.expect.and_then(|e| TimeDelta::from_std(e).ok());
        Ok(Self {
            starts,
            ends: usual.or(expected).map(|span| starts + span),
            basis: format!("{} {zone}, {}", line.cron, line.from),
        })
    }

    /// As past runs began: the earliest of all that come regularly; `None`: none does.
    #[must_use]
    pub fn by_past(runs: &[BackupRun], now: DateTime<Utc>) -> Option<Self> {
        let mut by_key: BTreeMap<&RunKey, Vec<&BackupRun>> = BTreeMap::new();
        for run in runs {
            by_key.entry(&run.key).or_default().push(run);
        }
        by_key
            .into_values()
            .filter_map(|runs| Self::by_rhythm(runs, now))
            .min_by_key(|next| next.starts)
    }

    fn by_rhythm(mut runs: Vec<&BackupRun>, now: DateTime<Utc>) -> Option<Self> {
        runs.sort_by_key(|run| std::cmp::Reverse(run.started));
        runs.truncate(MOST_STARTS);
        if runs.len() < FEWEST_STARTS {
            return None;
        }
        let last = runs[0].started;
        let rhythm = RHYTHMS.into_iter().rev().find(|rhythm| {
            let spans: Vec<TimeDelta> = runs
                .windows(2)
                .map(|pair| pair[0].started - pair[1].started)
                .collect();
            let fitting = spans
                .iter()
                .filter(|span| is_multiple(**span, *rhythm, LATE));
            fitting.count() as f64 >= MOST * spans.len() as f64
        })?;
        // Late starts are late by chance: the middle one tells the time.
        let mut off: Vec<TimeDelta> = runs
            .iter()
            .map(|run| off_by(run.started - last, rhythm))
            .filter(|off| off.abs() <= LATE)
            .collect();
        off.sort();
        let mut starts = last + off[off.len() / 2];
        let mut missed = -1;
        while starts <= now - LATE {
            starts += rhythm;
            missed += 1;
        }
        (missed < MISSED).then(|| Self {
            starts,
            ends: median_span(runs.iter().copied()).map(|span| starts + span),
            basis: format!(
                "the last {} began {}",
                runs.len(),
                match rhythm.num_hours() {
                    1 => "hourly".to_owned(),
                    24 => "daily".to_owned(),
                    168 => "weekly".to_owned(),
                    hours => format!("every {hours} hours"),
                }
            ),
        })
    }
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

fn is_multiple(span: TimeDelta, rhythm: TimeDelta, tolerance: TimeDelta) -> bool {
    span.abs() + tolerance >= rhythm && off_by(span, rhythm).abs() <= tolerance
}

/// The middle duration of the complete runs.
fn median_span<'a>(runs: impl Iterator<Item = &'a BackupRun>) -> Option<TimeDelta> {
    let mut spans: Vec<TimeDelta> = runs
        .filter(|run| run.outcome == RunOutcome::Complete)
        .map(|run| run.ended - run.started)
        .collect();
    spans.sort();
    spans.get(spans.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn run(started: &str, minutes: i64) -> BackupRun {
        let started = time(started);
        BackupRun {
            key: RunKey {
                server: "1".into(),
                database: "shop".into(),
                tool: "pg_dump".into(),
                user: "backup".into(),
                application_name: "pg_dump".into(),
            },
            started,
            ended: started + TimeDelta::minutes(minutes),
            outcome: RunOutcome::Complete,
            workers: 0,
            database_bytes: 0,
            tables: Vec::new(),
            source: "watch".into(),
        }
    }

    fn line(cron: &str, tz: &str) -> Line {
        Line {
            cron: cron.into(),
            tz: Some(tz.into()),
            expect: Some(Duration::from_secs(3600)),
            from: "the configuration".into(),
        }
    }

    #[test]
    fn a_line_is_read_in_its_time_zone_on_both_sides_of_a_change_of_clocks() {
        let next = |now: &str| {
            NextBackup::by_line(&line("30 15 * * *", "Europe/Berlin"), &[], time(now))
                .unwrap()
                .starts
        };
        assert_eq!(next("2026-03-28T12:00:00Z"), time("2026-03-28T14:30:00Z"));
        assert_eq!(next("2026-03-28T15:00:00Z"), time("2026-03-29T13:30:00Z"));
        assert_eq!(next("2026-10-24T14:00:00Z"), time("2026-10-25T14:30:00Z"));
        // 02:30 is not there on 29 March, and is there twice on 25 October: once is meant.
        let night = |now: &str| {
            NextBackup::by_line(&line("30 2 * * *", "Europe/Berlin"), &[], time(now))
                .unwrap()
                .starts
        };
        let skipped = night("2026-03-28T12:00:00Z");
        assert!(
            skipped >= time("2026-03-29T01:00:00Z") && skipped <= time("2026-03-29T01:30:00Z"),
            "{skipped}"
        );
        assert_eq!(night("2026-10-24T12:00:00Z"), time("2026-10-25T00:30:00Z"));
        assert_eq!(night("2026-10-25T00:30:00Z"), time("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn past_runs_of_that_time_of_day_tell_how_long_it_takes() {
        let runs = [
            run("2026-11-01T15:00:02Z", 90),
            run("2026-11-02T15:00:02Z", 100),
            run("2026-11-03T15:00:02Z", 110),
            run("2026-11-03T20:00:02Z", 1),
        ];
        let next = NextBackup::by_line(
            &line("0 15 * * *", "UTC"),
            &runs,
            time("2026-11-04T10:00:00Z"),
        )
        .unwrap();
        assert_eq!(next.ends, Some(time("2026-11-04T16:40:00Z")));
        let unknown = NextBackup::by_line(
            &line("0 4 * * *", "UTC"),
            &runs,
            time("2026-11-04T10:00:00Z"),
        )
        .unwrap();
        assert_eq!(unknown.ends, Some(time("2026-11-05T05:00:00Z")));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let failed = |cron, tz| NextBackup::by_line(&line(cron, tz), &[], Utc::now()).unwrap_err();
        assert!(failed("0 15 * * *", "Berlin").contains("IANA"));
        assert!(failed("0 25 * * *", "UTC").contains("minute, hour"));
        assert!(failed("daily", "UTC").contains("five fields"));
    }

    #[test]
    fn a_rhythm_is_read_from_past_starts() {
        let daily: Vec<_> = (1..=9)
            .map(|day| run(&format!("2026-11-0{day}T02:00:0{day}Z"), 60))
            .collect();
        let next = NextBackup::by_past(&daily, time("2026-11-09T12:00:00Z")).unwrap();
        assert_eq!(next.starts.format("%d %H:%M").to_string(), "10 02:00");
        assert_eq!(next.ends, Some(next.starts + TimeDelta::hours(1)));
        assert_eq!(next.basis, "the last 9 began daily");
        // One that has just begun late is still awaited; days without one are an end.
        let late = NextBackup::by_past(&daily, time("2026-11-10T02:05:00Z")).unwrap();
        assert_eq!(late.starts.format("%d %H:%M").to_string(), "10 02:00");
        assert_eq!(
            NextBackup::by_past(&daily, time("2026-11-14T12:00:00Z")),
            None
        );
        assert_eq!(
            NextBackup::by_past(&daily[..3], time("2026-11-03T12:00:00Z")),
            None
        );
        let weekly: Vec<_> = ["01", "08", "15", "22"]
            .iter()
            .map(|day| run(&format!("2026-11-{day}T02:00:00Z"), 60))
            .collect();
        let next = NextBackup::by_past(&weekly, time("2026-11-23T12:00:00Z")).unwrap();
        assert_eq!(next.starts, time("2026-11-29T02:00:00Z"));
    }

    #[test]
    fn a_migration_is_warned_shortly_before() {
        let next = NextBackup {
            starts: time("2026-11-04T15:00:00Z"),
            ends: None,
            basis: "0 15 * * * UTC, the configuration".into(),
        };
        assert_eq!(next.warning(time("2026-11-04T14:44:00Z")), None);
        let warned = |now| next.warning(time(now)).unwrap();
        assert!(warned("2026-11-04T14:48:00Z").contains("starts in 12 min (0 15 * * *"));
        assert!(warned("2026-11-04T14:59:30Z").contains("within a minute"));
        assert!(warned("2026-11-04T15:03:00Z").contains("is due now"));
    }

    #[test]
    fn starts_without_a_rhythm_tell_nothing() {
        let runs: Vec<_> = [
            "01T02:00", "01T09:40", "02T17:13", "03T05:31", "03T23:50", "05T11:11",
        ]
        .iter()
        .map(|at| run(&format!("2026-11-{at}:00Z"), 60))
        .collect();
        assert_eq!(
            NextBackup::by_past(&runs, time("2026-11-05T13:00:00Z")),
            None
        );
    }
}
