//! A time that a person wrote.

use super::duration;
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};

/// A time of day: the last time that it was so late.
const OF_DAY: [&str; 2] = ["%H:%M", "%H:%M:%S"];

/// A day and a time.
const OF_DATE: [&str; 4] = [
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
];

/// A time as people write it: `03:15` (the last one), `2026-11-28 03:15`, `-10m`, RFC 3339.
///
/// # Errors
/// How it should read.
pub fn when<Z: TimeZone>(
    text: &str,
    now: DateTime<Utc>,
    zone: &Z,
) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    match read(text, now, zone)? {
        Some(Written::Time(at)) => Ok(at),
        Some(Written::OfDay(time)) => {
            let today = now.with_timezone(zone).date_naive();
            [Some(today), today.pred_opt()]
                .into_iter()
                .flatten()
                .filter_map(|day| on_the_clock(zone, day.and_time(time)))
                .find(|at| *at <= now)
                .ok_or_else(|| format!("the clock never showed {text}"))
        }
        None => Err(format!(
            "`{text}` is no time; write 03:15, \"2026-11-28 03:15\", or -10m for ten minutes ago"
        )),
    }
}

/// A time that comes, as people write it: `+10m`, `03:15` (the next one), `2026-11-28 03:15`, RFC 3339; at most
/// [`FARTHEST`] away.
///
/// # Errors
/// How it should read.
pub fn coming<Z: TimeZone>(
    text: &str,
    now: DateTime<Utc>,
    zone: &Z,
) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let at = match read(text, now, zone)? {
        Some(Written::Time(at)) => at,
        Some(Written::OfDay(time)) => {
            let today = now.with_timezone(zone).date_naive();
            [Some(today), today.succ_opt()]
                .into_iter()
                .flatten()
                .filter_map(|day| on_the_clock(zone, day.and_time(time)))
                .find(|at| *at > now)
                .ok_or_else(|| format!("the clock will not show {text} within a day"))?
        }
        None => {
            return Err(format!(
                "`{text}` is no time; write +10m, 03:15, or \"2026-11-28 03:15\""
            ));
        }
    };
    match at - now {
        away if away < TimeDelta::zero() => Err(format!("`{text}` is past; write +10m, or 03:15")),
        away if away > FARTHEST => Err(format!(
            "`{text}` is more than a day away: no estimate reaches that far"
        )),
        _ => Ok(at),
    }
}

/// How far away a time that comes may be.
const FARTHEST: TimeDelta = TimeDelta::hours(25);

/// What was written.
enum Written {
    Time(DateTime<Utc>),
    OfDay(NaiveTime),
}

/// Reads a time; `None`: it is none.
fn read<Z: TimeZone>(text: &str, now: DateTime<Utc>, zone: &Z) -> Result<Option<Written>, String> {
    if let Some(span) = text.strip_prefix(['-', '+']) {
        let span = duration(span).map_err(|error| format!("`{text}` is no time: {error}"))?;
        let span = TimeDelta::from_std(span).map_err(|error| error.to_string())?;
        let span = if text.starts_with('-') { -span } else { span };
        return now
            .checked_add_signed(span)
            .map(|at| Some(Written::Time(at)))
            .ok_or_else(|| "that is too far away".to_owned());
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(Written::Time(at.to_utc())));
    }
    let of_day = OF_DAY
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(text, form).ok());
    let of_date = || {
        let mut dates = OF_DATE
            .iter()
            .filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        dates.find_map(|local| on_the_clock(zone, local))
    };
    Ok(of_day
        .map(Written::OfDay)
        .or_else(|| of_date().map(Written::Time)))
}

/// When a clock shows this, the later time where it does so twice.
fn on_the_clock<Z: TimeZone>(zone: &Z, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let at = zone.from_local_datetime(&local);
    at.latest().map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    #[test]
    fn a_time_is_the_last_one_of_that_clock() {
        let zone = FixedOffset::east_opt(3600).expect("an hour");
        let now: DateTime<Utc> = "2026-11-28T02:20:00Z".parse().expect("a time");
        for (text, is) in [
            ("03:15", "2026-11-28T02:15:00Z"),
            ("03:15:20", "2026-11-28T02:15:20Z"),
            ("23:50", "2026-11-27T22:50:00Z"),
            ("03:20", "2026-11-28T02:20:00Z"),
            ("03:21", "2026-11-27T02:21:00Z"),
            ("-10m", "2026-11-28T02:10:00Z"),
            ("+10m", "2026-11-28T02:30:00Z"),
            ("2026-11-28 03:15", "2026-11-28T02:15:00Z"),
            ("2026-11-28T03:15:00+05:30", "2026-11-27T21:45:00Z"),
        ] {
            let at = when(text, now, &zone)
                .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
            assert_eq!(at.as_deref(), Ok(is), "{text}");
        }
        for text in ["", "3", "yesterday", "25:00", "-", "-10", "-300000000y"] {
            assert!(when(text, now, &zone).is_err(), "{text}");
        }
    }
    #[test]
    fn a_time_that_comes_is_the_next_one_of_that_clock() {
        let zone = FixedOffset::east_opt(3600).expect("an hour");
        let now: DateTime<Utc> = "2026-11-28T02:20:00Z".parse().expect("a time");
        for (text, is) in [
            ("+10m", "2026-11-28T02:30:00Z"),
            ("03:25", "2026-11-28T02:25:00Z"),
            ("03:20", "2026-11-29T02:20:00Z"),
            ("03:15", "2026-11-29T02:15:00Z"),
            ("2026-11-28 04:15", "2026-11-28T03:15:00Z"),
            ("2026-11-28T04:15:00+01:00", "2026-11-28T03:15:00Z"),
        ] {
            let at = coming(text, now, &zone)
                .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
            assert_eq!(at.as_deref(), Ok(is), "{text}");
        }
        for text in ["", "-10m", "+2d", "2026-11-28 03:15", "tonight", "+"] {
            assert!(coming(text, now, &zone).is_err(), "{text}");
        }
    }
}
