//! When the next backup starts: by its scheduler's line, or as past runs began.

use super::programs::{Kind, kind_of};
use super::rhythm::{FEWEST_STARTS, MOST_STARTS, Rhythm, is_multiple};
use crate::model::{BackupRun, RunKey, RunOutcome};
use crate::words::{Zone, clock};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
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
    /// What it starts.
    pub kind: Kind,
}

/// The next backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextBackup {
    /// When it starts.
    pub starts: DateTime<Utc>,
    /// How much earlier than its time it has come.
    pub early: TimeDelta,
    /// When it is expected to be over; `None`: not known.
    pub ends: Option<DateTime<Utc>>,
    /// How that is known, for people: `0 15 * * * UTC in the configuration`.
    pub basis: String,
    /// What it is.
    pub kind: Kind,
}

/// About which time the next backup is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// Past runs and lines are read as of this time.
    pub now: DateTime<Utc>,
    /// A backup that is over by then is not meant.
    pub at: DateTime<Utc>,
}

impl From<DateTime<Utc>> for AsOf {
    fn from(now: DateTime<Utc>) -> Self {
        Self { now, at: now }
    }
}

/// The starts of a line or a rhythm that are gone through, at the most: a day of one each minute.
const MOST_OCCURRENCES: usize = 1500;

/// So long a migration takes that nobody said anything of.
pub const USUAL_MIGRATION: TimeDelta = TimeDelta::minutes(15);

impl NextBackup {
    /// What a migration that starts now and takes so long has to know of it; `None`: they do not meet. Times
    /// are told on this machine's clock.
    #[must_use]
    pub fn warning(&self, now: DateTime<Utc>, takes: TimeDelta) -> Option<String> {
        self.warning_in(&Zone::local(), now, takes)
    }

    fn warning_in<Z: TimeZone<Offset: std::fmt::Display>>(
        &self,
        zone: &Z,
        now: DateTime<Utc>,
        takes: TimeDelta,
    ) -> Option<String> {
        let latest = self.starts - self.early - takes;
        if self.kind == Kind::Physical || now <= latest || self.ends.is_some_and(|ends| ends <= now)
        {
            return None;
        }
        let until = self.starts - now;
        let when = match until.num_minutes() {
            120.. => format!("starts in {}", brief(until)),
            minutes @ 1.. => format!("starts in {minutes} min"),
            _ if until > TimeDelta::zero() => "starts within a minute".to_owned(),
            _ => "is due now".to_owned(),
        };
        let clock = |at: DateTime<Utc>| clock(zone, at, now);
        let over = self.ends.map_or_else(
            || "when it is over is not known (`expect` in the configuration says how long it takes)".to_owned(),
            |ends| format!("it ends at about {}", clock(ends)),
        );
        Some(format!(
            "the next backup {when} ({}): a migration that takes {} holds it up, or waits for it; \
             the latest safe start was {}, and {over}",
            self.basis,
            brief(takes),
            clock(latest),
        ))
    }

    /// The next one as lines say, and what is wrong with lines.
    #[must_use]
    pub fn by_lines(
        lines: &[Line],
        runs: &[BackupRun],
        as_of: impl Into<AsOf>,
    ) -> (Option<Self>, Vec<String>) {
        let as_of = as_of.into();
        let mut wrong = Vec::new();
        let found = lines.iter().filter_map(|line| {
            Self::by_line(line, runs, as_of)
                .map_err(|why| wrong.push(format!("{}: {why}", line.from)))
                .ok()
        });
        let next = found.min_by_key(|next| next.starts);
        (next, wrong)
    }

    /// By a scheduler's line; past runs tell how long it takes.
    ///
    /// # Errors
    /// What is wrong with the line, and how it should read.
    pub fn by_line(
        line: &Line,
        runs: &[BackupRun],
        as_of: impl Into<AsOf>,
    ) -> Result<Self, String> {
        let as_of = as_of.into();
        let zone = line.tz.as_deref().unwrap_or("UTC");
        let tz = Zone::from_str(zone).map_err(|_| no_zone(zone))?;
        let cron = Cron::from_str(&line.cron).map_err(|error| {
            format!(
                "`{}` is no line of crontab ({error}); five fields are meant: minute, hour, day of month, month, \
                 day of week, such as `0 15 * * *`",
                line.cron
            )
        })?;
        let after = |time: DateTime<Utc>| {
            cron.find_next_occurrence(&time.with_timezone(&tz), false)
                .map(|at| at.to_utc())
                .map_err(|error| format!("`{}` never comes: {error}", line.cron))
        };
        let of_day = |at: DateTime<Utc>| at.with_timezone(&tz).naive_local();
        let expected = line.expect.and_then(|e| TimeDelta::from_std(e).ok());
        let takes = |starts: DateTime<Utc>| {
            let at_that_time = |run: &&BackupRun| {
                let apart = of_day(starts) - of_day(run.started);
                is_multiple(apart, TimeDelta::days(1), TimeDelta::minutes(30))
            };
            median_span(runs.iter().filter(at_that_time)).or(expected)
        };
        let mut starts = after(as_of.now)?;
        for _ in 0..MOST_OCCURRENCES {
            if takes(starts).is_none_or(|span| starts + span > as_of.at) {
                break;
            }
            starts = after(starts)?;
        }
        Ok(Self {
            starts,
            early: TimeDelta::zero(),
            ends: takes(starts).map(|span| starts + span),
            basis: format!("{} {zone}, {}", line.cron, line.from),
            kind: line.kind,
        })
    }

    /// As past runs began: the earliest of all that come regularly; `None`: none does. `zones`: where the
    /// scheduler's clock may be, the likeliest first; UTC comes last by itself.
    #[must_use]
    pub fn by_past(runs: &[BackupRun], zones: &[Zone], as_of: impl Into<AsOf>) -> Option<Self> {
        let as_of = as_of.into();
        let mut by_key: BTreeMap<&RunKey, Vec<&BackupRun>> = BTreeMap::new();
        for run in runs {
            by_key.entry(&run.key).or_default().push(run);
        }
        by_key
            .into_values()
            .filter_map(|runs| Self::by_rhythm(runs, zones, as_of))
            .min_by_key(|next| next.starts)
    }

    fn by_rhythm(mut runs: Vec<&BackupRun>, zones: &[Zone], as_of: AsOf) -> Option<Self> {
        runs.sort_by_key(|run| std::cmp::Reverse(run.started));
        runs.truncate(MOST_STARTS);
        if runs.len() < FEWEST_STARTS {
            return None;
        }
        // Over a change of clocks the starts themselves tell by which clock they come; else the likeliest.
        let mut heard: Vec<Rhythm> = zones
            .iter()
            .chain([&Zone::UTC])
            .filter_map(|zone| Rhythm::of(&runs, zone.clone()))
            .collect();
        heard.sort_by_key(|rhythm| std::cmp::Reverse((rhythm.every, rhythm.fitting)));
        let rhythm = heard.first()?;
        let takes = median_span(runs.iter().copied());
        let over = takes.map_or(as_of.now, |span| as_of.at - span);
        let starts = rhythm.next(as_of.now, over)?;
        Some(Self {
            starts,
            early: rhythm.early,
            ends: takes.map(|span| starts + span),
            basis: format!(
                "the last {} began {}",
                runs.len(),
                match rhythm.every.num_hours() {
                    1 => "hourly".to_owned(),
                    24 => "daily".to_owned(),
                    168 => "weekly".to_owned(),
                    hours => format!("every {hours} hours"),
                }
            ),
            kind: kind_of(&runs[0].key.tool),
        })
    }
}

/// What is wrong with a time zone's name.
#[must_use]
pub fn no_zone(name: &str) -> String {
    format!("there is no time zone `{name}`; write it as the IANA does, such as Europe/Berlin")
}

/// A span as people write it: `15m`, `1h 30m`.
fn brief(span: TimeDelta) -> String {
    let minutes = span.num_minutes().unsigned_abs();
    humantime::format_duration(Duration::from_secs(60 * minutes)).to_string()
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
    use crate::model::Manner;

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
            manner: Manner::default(),
            database_bytes: 0,
            tables: Vec::new(),
            source: "watch".into(),
        }
    }

    fn berlin() -> Zone {
        "Europe/Berlin".parse().unwrap()
    }

    fn line(cron: &str, tz: &str) -> Line {
        Line {
            cron: cron.into(),
            tz: Some(tz.into()),
            expect: Some(Duration::from_secs(3600)),
            from: "the configuration".into(),
            kind: Kind::Logical,
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
        let next = NextBackup::by_past(&daily, &[], time("2026-11-09T12:00:00Z")).unwrap();
        assert_eq!(next.starts.format("%d %H:%M").to_string(), "10 02:00");
        assert_eq!(next.ends, Some(next.starts + TimeDelta::hours(1)));
        assert_eq!(next.basis, "the last 9 began daily");
        // One that has just begun late is still awaited; days without one are an end.
        let late = NextBackup::by_past(&daily, &[], time("2026-11-10T02:05:00Z")).unwrap();
        assert_eq!(late.starts.format("%d %H:%M").to_string(), "10 02:00");
        assert_eq!(
            NextBackup::by_past(&daily, &[], time("2026-11-14T12:00:00Z")),
            None
        );
        assert_eq!(
            NextBackup::by_past(&daily[..3], &[], time("2026-11-03T12:00:00Z")),
            None
        );
        let weekly: Vec<_> = ["01", "08", "15", "22"]
            .iter()
            .map(|day| run(&format!("2026-11-{day}T02:00:00Z"), 60))
            .collect();
        let next = NextBackup::by_past(&weekly, &[], time("2026-11-23T12:00:00Z")).unwrap();
        assert_eq!(next.starts, time("2026-11-29T02:00:00Z"));
    }

    #[test]
    fn a_migration_is_warned_of_a_backup_that_it_would_run_into() {
        let next = NextBackup {
            starts: time("2026-11-04T15:00:00Z"),
            early: TimeDelta::zero(),
            ends: None,
            basis: "0 15 * * * UTC, the configuration".into(),
            kind: Kind::Logical,
        };
        let warning = |next: &NextBackup, now, minutes| {
            next.warning_in(&berlin(), time(now), TimeDelta::minutes(minutes))
        };
        assert_eq!(warning(&next, "2026-11-04T14:44:00Z", 15), None);
        let warned = |now| warning(&next, now, 15).unwrap();
        assert!(warned("2026-11-04T14:48:00Z").contains("starts in 12 min (0 15 * * *"));
        assert!(warned("2026-11-04T14:59:30Z").contains("within a minute"));
        assert!(warned("2026-11-04T15:03:00Z").contains("is due now"));
        assert!(warned("2026-11-04T15:03:00Z").contains("is not known (`expect`"));

        // One that comes up to five minutes early, and takes five hours.
        let next = NextBackup {
            early: TimeDelta::minutes(5),
            ends: Some(time("2026-11-04T20:00:00Z")),
            ..next
        };
        assert_eq!(warning(&next, "2026-11-04T13:54:00Z", 60), None);
        let told = warning(&next, "2026-11-04T13:56:00Z", 60).unwrap();
        for part in [
            "starts in 64 min",
            "a migration that takes 1h holds it up",
            "the latest safe start was 14:55 +01:00",
            "it ends at about 21:00 +01:00",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(warning(&next, "2026-11-04T20:00:00Z", 60), None);
    }

    #[test]
    fn a_rhythm_keeps_to_the_clock_of_its_zone_over_a_change() {
        // 02:30 in Berlin: summer time ends on 25 October 2026, and begins on 28 March 2027.
        let berlin = [berlin()];
        let autumn: Vec<_> = (17..=24)
            .map(|day| run(&format!("2026-10-{day}T01:15:00Z"), 60))
            .collect();
        let next = |runs: &[BackupRun], zones: &[Zone], now| {
            let next = NextBackup::by_past(runs, zones, time(now)).unwrap();
            next.starts.format("%d %H:%M").to_string()
        };
        let now = "2026-10-25T12:00:00Z";
        assert_eq!(next(&autumn, &berlin, now), "26 02:15");
        assert_eq!(next(&autumn, &[], now), "26 01:15");
        let spring: Vec<_> = (20..=27)
            .map(|day| run(&format!("2027-03-{day}T03:00:00Z"), 60))
            .collect();
        assert_eq!(next(&spring, &berlin, "2027-03-27T12:00:00Z"), "28 02:00");
        // A clock that skips the time: an hour later by it.
        let skipped: Vec<_> = (20..=27)
            .map(|day| run(&format!("2027-03-{day}T01:30:00Z"), 60))
            .collect();
        assert_eq!(next(&skipped, &berlin, "2027-03-27T12:00:00Z"), "28 01:30");
    }

    #[test]
    fn starts_on_both_sides_of_a_change_tell_their_clock_themselves() {
        let zones = [berlin()];
        // A scheduler on UTC, looked at from Berlin.
        let utc: Vec<_> = (18..=30)
            .map(|day| run(&format!("2026-10-{day}T01:15:00Z"), 60))
            .collect();
        let next = NextBackup::by_past(&utc, &zones, time("2026-10-30T12:00:00Z")).unwrap();
        assert_eq!(next.starts, time("2026-10-31T01:15:00Z"));
        // And one on Berlin's clock.
        let berlin: Vec<_> = (18..=30)
            .map(|day| {
                let hour = if day < 25 { 3 } else { 4 };
                run(&format!("2026-10-{day}T0{hour}:15:00Z"), 60)
            })
            .collect();
        let next = NextBackup::by_past(&berlin, &zones, time("2026-10-30T12:00:00Z")).unwrap();
        assert_eq!(next.starts, time("2026-10-31T04:15:00Z"));
        assert_eq!(next.early, TimeDelta::zero());
        let line = line("15 5 * * *", "Europe/Berlin");
        let next = NextBackup::by_line(&line, &berlin[..7], time("2026-10-26T00:00:00Z")).unwrap();
        assert_eq!(next.ends, Some(next.starts + TimeDelta::hours(1)));
        assert_eq!(next.starts, time("2026-10-26T04:15:00Z"));
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
            NextBackup::by_past(&runs, &[], time("2026-11-05T13:00:00Z")),
            None
        );
    }
}
