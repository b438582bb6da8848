//! Rows as the server wrote them: text that may be of any encoding.

use super::encoding::Encoding;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _};
use std::str::FromStr;

/// One row in the text form of the simple protocol.
pub struct Row<'a>(&'a PgRow);

impl<'a> Row<'a> {
    /// A row as sqlx has it.
    pub(in crate::postgres) const fn new(row: &'a PgRow) -> Self {
        Self(row)
    }

    /// The name of the first column, by which the statements of one message tell their rows apart.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.columns().first().map_or("", |c| c.name())
    }

    /// The raw bytes; `None`: NULL.
    #[must_use]
    pub fn bytes(&self, at: usize) -> Option<&[u8]> {
        let value = self.0.try_get_raw(at).ok()?;
        value.as_bytes().ok()
    }

    /// A text that is ASCII or UTF-8 by its nature.
    #[must_use]
    pub fn word(&self, at: usize) -> Option<&str> {
        self.bytes(at).and_then(|b| std::str::from_utf8(b).ok())
    }

    /// A text in an encoding, made valid.
    #[must_use]
    pub fn text(&self, at: usize, encoding: Encoding) -> Option<String> {
        self.bytes(at).map(|bytes| encoding.decode(bytes))
    }

    /// A number.
    #[must_use]
    pub fn number<T: FromStr>(&self, at: usize) -> Option<T> {
        self.word(at)?.parse().ok()
    }

    /// A boolean, `t` or `f`.
    #[must_use]
    pub fn flag(&self, at: usize) -> Option<bool> {
        self.bytes(at).map(|b| b == b"t")
    }

    /// A `timestamptz`.
    #[must_use]
    pub fn time(&self, at: usize) -> Option<DateTime<Utc>> {
        time(self.bytes(at)?)
    }
}

/// Reads `2026-03-01 02:00:00.123456+00` (`DateStyle` ISO; the offset is `+hh`, `+hh:mm` or `+hh:mm:ss`).
/// `None` for `infinity` and years before Christ, which no session has.
#[must_use]
pub fn time(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?;
    let (date, rest) = text.split_once(' ')?;
    let mut date = date.split('-');
    let year = date.next()?.parse().ok()?;
    let month = date.next()?.parse().ok()?;
    let day = NaiveDate::from_ymd_opt(year, month, date.next()?.parse().ok()?)?;
    let sign = rest.find(['+', '-'])?;
    let (clock, offset) = rest.split_at(sign);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let seconds = sexagesimal(clock)?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    let (negative, offset) = offset.split_at(1);
    let offset = sexagesimal(offset)? * if negative == "-" { -1 } else { 1 };
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc();
    midnight.checked_add_signed(
        TimeDelta::try_seconds(seconds - offset)? + TimeDelta::microseconds(micros),
    )
}

/// `hh`, `hh:mm` or `hh:mm:ss` in seconds.
fn sexagesimal(text: &str) -> Option<i64> {
    text.split(':')
        .zip([3600, 60, 1])
        .try_fold(0, |sum, (part, unit)| {
            Some(sum + part.parse::<i64>().ok()? * unit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_server_writes_them() {
        for (text, expected) in [
            ("2026-03-01 02:00:00+00", Some("2026-03-01T02:00:00+00:00")),
            (
                "2026-03-01 02:00:00.5+00",
                Some("2026-03-01T02:00:00.500+00:00"),
            ),
            (
                "2026-03-01 02:00:00.000001+05:30",
                Some("2026-02-28T20:30:00.000001+00:00"),
            ),
            ("2026-03-01 02:00:00-03", Some("2026-03-01T05:00:00+00:00")),
            ("infinity", None),
            ("0044-03-15 12:00:00+00 BC", None),
            ("", None),
        ] {
            let read = time(text.as_bytes()).map(|t| t.to_rfc3339());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
