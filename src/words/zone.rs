//! Time zones by their IANA names: from the system's zone data, and where it has none from what is built in.

use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
    Utc,
};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{self, AmbiguousOffset};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, PartialEq, Eq)]
pub struct Zone(tz::TimeZone);

/// What the clocks of a zone are off by at a time.
#[derive(Clone)]
pub struct ZoneOffset {
    offset: FixedOffset,
    zone: Zone,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(tz::TimeZone::UTC);

    /// The reader's: `$TZ`, else the system's.
    #[must_use]
    pub fn local() -> Self {
        Self(tz::TimeZone::system())
    }

    fn offset_at(&self, at: DateTime<Utc>) -> ZoneOffset {
        let at = Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or_default();
        self.off_by(self.0.to_offset(at))
    }

    fn off_by(&self, offset: tz::Offset) -> ZoneOffset {
        let none = FixedOffset::east_opt(0).expect("no offset");
        ZoneOffset {
            offset: FixedOffset::east_opt(offset.seconds()).unwrap_or(none),
            zone: self.clone(),
        }
    }
}

impl FromStr for Zone {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        tz::TimeZone::get(name).map(Self).map_err(drop)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.iana_name().unwrap_or("a zone without a name"))
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.offset.fmt(out)
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.offset.fmt(out)
    }
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.offset
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone.clone()
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        let Some(shown) = civil_of(local) else {
            return MappedLocalTime::None;
        };
        match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => MappedLocalTime::Single(self.off_by(offset)),
            AmbiguousOffset::Gap { .. } => MappedLocalTime::None,
            AmbiguousOffset::Fold { before, after } => {
                MappedLocalTime::Ambiguous(self.off_by(before), self.off_by(after))
            }
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_at(utc.and_time(NaiveTime::MIN).and_utc())
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.offset_at(utc.and_utc())
    }
}

/// The same time of a clock for the crate that knows the zones; `None`: no calendar goes that far.
fn civil_of(local: &NaiveDateTime) -> Option<civil::DateTime> {
    let text = local.format("%Y-%m-%dT%H:%M:%S%.f").to_string();
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use std::process::Command;

    /// What `date` of the system says of a time in a zone.
    fn by_date(zone: &str, at: DateTime<Utc>) -> Option<String> {
        let output = Command::new("date")
            .env("TZ", zone)
            .args([
                "-d",
                &format!("@{}", at.timestamp()),
                "+%Y-%m-%d %H:%M:%S %:z",
            ])
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(said)
    }

    #[test]
    fn clocks_of_nine_zones_are_those_of_the_system() {
        // A system without zone data, or whose `date` has no -d, tells nothing.
        if by_date("Europe/Berlin", Utc::now()).is_none() {
            return;
        }
        for name in [
            "Europe/Berlin",
            "America/New_York",
            "America/Sao_Paulo",
            "Asia/Kolkata",
            "Asia/Kathmandu",
            "Africa/Casablanca",
            "Australia/Lord_Howe",
            "Pacific/Chatham",
            "America/Asuncion",
        ] {
            let zone: Zone = name.parse().expect(name);
            let first: DateTime<Utc> = "2026-01-01T00:30:00Z".parse().expect("a time");
            for week in 0..110 {
                let at = first + TimeDelta::days(7 * week) + TimeDelta::minutes(17 * week);
                let ours = at
                    .with_timezone(&zone)
                    .format("%Y-%m-%d %H:%M:%S %:z")
                    .to_string();
                assert_eq!(Some(ours), by_date(name, at), "{name} at {at}");
            }
        }
    }

    #[test]
    fn an_hour_that_is_not_there_and_one_that_is_there_twice() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        let shown = |text: &str| berlin.from_local_datetime(&text.parse().expect("a time"));
        assert!(matches!(
            shown("2026-03-29T02:30:00"),
            MappedLocalTime::None
        ));
        let twice = shown("2026-10-25T02:30:00");
        let utc = |at: Option<DateTime<Zone>>| at.map(|at| at.to_utc().to_rfc3339());
        assert_eq!(
            utc(twice.clone().earliest()).as_deref(),
            Some("2026-10-25T00:30:00+00:00")
        );
        assert_eq!(
            utc(twice.latest()).as_deref(),
            Some("2026-10-25T01:30:00+00:00")
        );
        assert!("Berlin".parse::<Zone>().is_err());
        assert!("../etc/passwd".parse::<Zone>().is_err());
    }

    #[test]
    fn zones_are_known_without_data_of_the_system() {
        let built_in = tz::TimeZoneDatabase::bundled();
        assert!(built_in.get("Europe/Berlin").is_ok());
        assert!(built_in.available().count() > 400);
    }
}
