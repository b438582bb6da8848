//! Spans and clock times.

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone, Utc};
use std::fmt::Display;

/// A span as people say it: `0.4 s`, `12 s`, `25 min`, `3 h 5 min`, `5 d 2 h`.
#[must_use]
pub fn span(span: TimeDelta) -> String {
    let milliseconds = span.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Seconds of a span, to the millisecond.
#[must_use]
pub fn seconds(span: TimeDelta) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let milliseconds = span.num_milliseconds() as f64;
    milliseconds / 1000.0
}

/// A duration in milliseconds as a setting says it: `500 ms`, `1 s`, `60 s`, `5 min`.
#[must_use]
pub fn setting(milliseconds: i64) -> String {
    match milliseconds {
        ms if ms % 1000 != 0 => format!("{ms} ms"),
        ms if ms > 60_000 && ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms => format!("{} s", ms / 1000),
    }
}

/// A span in few letters: `850ms`, `12s`, `3m12s`, `1h05m`, `5d02h`.
#[must_use]
pub fn brief(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    match seconds {
        0 => format!("{}ms", span.num_milliseconds().max(0)),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The seconds of an interval as they are told: from two minutes on whole minutes, the early edge no later than it
/// is and the late one no earlier.
fn edges(low: i64, high: i64) -> (i64, i64) {
    match (low, high) {
        (_, ..120) => (low, high),
        (60.., _) => (low - low % 60, high + (60 - high % 60) % 60),
        _ => (low, high + (60 - high % 60) % 60),
    }
}

/// An interval of a guess, in one way everywhere: `9–14 min`, `20–40 s`, `24 s – 3 min`, `1 h 5 min – 2 h 10 min`.
#[must_use]
pub fn range(from: TimeDelta, to: TimeDelta) -> String {
    let up = to.num_seconds() + i64::from(to.subsec_nanos() > 0);
    let (low, high) = edges(from.num_seconds(), up);
    if low >= 60 && low < high && (120..7200).contains(&high) {
        return format!("{}–{} min", low / 60, high / 60);
    }
    let late = if high < 120 {
        to
    } else {
        TimeDelta::seconds(high)
    };
    let (first, last) = (span(from), span(late));
    if first == last {
        return first;
    }
    match (first.split_once(' '), last.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}–{last}"),
        _ => format!("{first} – {last}"),
    }
}

/// Seconds of a guess: no more exact than it is, `40 s`, `90 s`, `12 min`, `2 h 5 min`.
#[must_use]
pub fn rough(seconds: f64) -> String {
    let near = if seconds < 120.0 { 1.0 } else { 60.0 };
    span(span_of((seconds / near).round().max(1.0) * near))
}

/// A span of this many seconds.
#[must_use]
pub fn span_of(seconds: f64) -> TimeDelta {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; no estimate is that long"
    )]
    let milliseconds = (seconds * 1000.0) as i64;
    TimeDelta::try_milliseconds(milliseconds).unwrap_or_default()
}

/// A time on the clock of a zone; the day too where it is not today. The offset stands with it.
#[must_use]
pub fn clock<Z: TimeZone<Offset: Display>>(
    zone: &Z,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> String {
    let (at, now) = (at.with_timezone(zone), now.with_timezone(zone));
    let form = if at.date_naive() == now.date_naive() {
        "%H:%M %:z"
    } else {
        "%a %d %b %H:%M %:z"
    };
    at.format(form).to_string()
}

/// A time in a form of the zone's clock, with the zone after it: its offset, or `UTC`.
#[must_use]
pub fn dated<Z: TimeZone<Offset: Display>>(zone: &Z, at: DateTime<Utc>, form: &str) -> String {
    let local = at.with_timezone(zone);
    let zone = match local.offset().fix().local_minus_utc() {
        0 => "UTC".to_owned(),
        _ => local.format("%:z").to_string(),
    };
    format!("{} {zone}", local.format(form))
}

/// A time of the last hours on a zone's clock, without the zone: `03:17`, `Fri 23:10`.
#[must_use]
pub fn hour<Z: TimeZone<Offset: Display>>(
    zone: &Z,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> String {
    short(zone, at, now, "%H:%M")
}

/// The same to the second: `03:17:05`.
#[must_use]
pub fn second<Z: TimeZone<Offset: Display>>(
    zone: &Z,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> String {
    short(zone, at, now, "%H:%M:%S")
}

fn short<Z: TimeZone<Offset: Display>>(
    zone: &Z,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
    form: &str,
) -> String {
    let (at, now) = (at.with_timezone(zone), now.with_timezone(zone));
    let day = match (now.date_naive() - at.date_naive()).num_days() {
        0 => "",
        -6..=6 => "%a ",
        _ => "%Y-%m-%d ",
    };
    at.format(&format!("{day}{form}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    #[test]
    fn spans_read_as_people_say_them() {
        let cases = [
            (400, "400 ms"),
            (59_000, "59 s"),
            (1_529_000, "25 min"),
            (9_000_000, "2 h 30 min"),
            (432_000_000, "5 d 0 h"),
        ];
        for (milliseconds, words) in cases {
            assert_eq!(span(TimeDelta::milliseconds(milliseconds)), words);
        }
        assert_eq!(setting(60_000), "60 s");
        assert_eq!(setting(1500), "1500 ms");
        assert_eq!(setting(300_000), "5 min");
    }

    #[test]
    fn an_interval_is_told_in_whole_minutes_that_hold_it() {
        let told = |low: f64, high: f64| range(span_of(low), span_of(high));
        for (low, high, words) in [
            (24.0, 119.0, "24–119 s"),
            (0.4, 0.9, "400–900 ms"),
            (74.0, 169.0, "1–3 min"),
            (74.0, 120.2, "1–3 min"),
            (24.0, 169.0, "24 s – 3 min"),
            (540.0, 840.0, "9–14 min"),
            (3900.0, 7800.0, "65 min – 2 h 10 min"),
        ] {
            assert_eq!(told(low, high), words);
        }
        assert_eq!(
            [0.1, 60.0, 90.0, 150.0, 7830.0].map(rough),
            ["1 s", "60 s", "90 s", "3 min", "2 h 11 min"]
        );
    }

    #[test]
    fn spans_are_brief() {
        for (milliseconds, words) in [
            (-5, "0ms"),
            (850, "850ms"),
            (12_000, "12s"),
            (192_000, "3m12s"),
            (3_900_000, "1h05m"),
            (439_200_000, "5d02h"),
        ] {
            assert_eq!(brief(TimeDelta::milliseconds(milliseconds)), words);
        }
    }

    #[test]
    fn a_clock_says_the_day_where_it_is_another_one() {
        let zone = FixedOffset::east_opt(3600).expect("an hour");
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect(text);
        let now = at("2026-11-28T03:17:00Z");
        assert_eq!(clock(&zone, now, now), "04:17 +01:00");
        assert_eq!(
            clock(&zone, at("2026-11-27T22:10:00Z"), now),
            "Fri 27 Nov 23:10 +01:00"
        );
    }
}
