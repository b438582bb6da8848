//! Is it safe at a later time? What is in the way now, when that is over by the estimates, and which backup comes
//! until then. A guess: who else comes is not known.

use crate::backup::Kind;
use crate::backup::schedule::NextBackup;
use crate::model::{
    Clears, Doubt, Expectation, Forecast, Outlook, StatementVerdict, Verdict, Wait, WaitKind,
};
use chrono::{DateTime, TimeDelta, Utc};

/// What is expected of a time by a verdict of now. `next`: the backup that comes next and that the migration meets;
/// `takes`: how long the migration takes.
#[must_use]
pub fn forecast(
    verdict: &Verdict,
    next: Option<&NextBackup>,
    at: DateTime<Utc>,
    takes: TimeDelta,
) -> Forecast {
    let waits = verdict.statements.iter().flat_map(|s| &s.waits);
    let mut because: Vec<Expectation> = waits
        .filter(|wait| wait.counts)
        .map(|wait| of_wait(wait, at))
        .chain(verdict.statements.iter().filter_map(of_failure))
        .chain(verdict.doubts.iter().map(of_doubt))
        .chain(next.and_then(|next| of_backup(next, at, takes)))
        .collect();
    because.sort_by_key(|e| std::cmp::Reverse((e.outlook, e.latest.or(e.expected))));
    let mut told = Vec::new();
    because.retain(|e| {
        let is_new = !told.contains(&e.what);
        told.push(e.what.clone());
        is_new
    });
    Forecast {
        at,
        outlook: because
            .first()
            .map_or(Outlook::WouldBeClear, |worst| worst.outlook),
        because,
    }
}

/// Something that no time changes.
fn lasting(outlook: Outlook, what: String) -> Expectation {
    Expectation {
        outlook,
        may_end: false,
        what,
        begins: None,
        earliest: None,
        expected: None,
        latest: None,
        basis: None,
    }
}

fn of_wait(wait: &Wait, at: DateTime<Utc>) -> Expectation {
    let blocker = &wait.blocker;
    if wait.kind == WaitKind::Hold {
        let what = "it keeps others out for too long, whenever it runs";
        return lasting(Outlook::NotClear, what.into());
    }
    let what = match (blocker.pid, &blocker.gid) {
        (Some(pid), _) => format!("{} (pid {pid})", blocker.role.in_words()),
        (None, Some(gid)) => format!("prepared transaction {gid}"),
        (None, None) => blocker.role.in_words().to_owned(),
    };
    match wait.clears.as_ref().filter(|c| c.expected.is_some()) {
        Some(clears) => Expectation {
            outlook: over_by(clears, at),
            may_end: true,
            what,
            begins: None,
            earliest: clears.earliest,
            expected: clears.expected,
            latest: clears.latest,
            basis: Some(clears.basis.clone()).filter(|basis| !basis.is_empty()),
        },
        None => Expectation {
            may_end: true,
            ..lasting(Outlook::NotClear, what)
        },
    }
}

/// Whether something is over by a time; an interval that holds the time decides nothing.
fn over_by(clears: &Clears, at: DateTime<Utc>) -> Outlook {
    let earliest = clears.earliest.or(clears.expected);
    match (earliest, clears.latest) {
        (_, Some(latest)) if latest <= at => Outlook::WouldBeClear,
        (Some(earliest), _) if earliest > at => Outlook::NotClear,
        _ => Outlook::Unknown,
    }
}

fn of_failure(statement: &StatementVerdict) -> Option<Expectation> {
    let why = statement.fails.as_ref()?;
    let what = format!("Postgres will refuse it then too: {why}");
    Some(lasting(Outlook::NotClear, what))
}

fn of_doubt(doubt: &Doubt) -> Expectation {
    lasting(Outlook::Unknown, doubt.what.clone())
}

/// A backup that runs at that time, or begins before a migration that starts then is over.
fn of_backup(next: &NextBackup, at: DateTime<Utc>, takes: TimeDelta) -> Option<Expectation> {
    let begins = next.starts - next.early;
    let misses = begins > at + takes || next.ends.is_some_and(|ends| ends <= at);
    if next.kind == Kind::Physical || misses {
        return None;
    }
    let runs_then = next.starts <= at && next.ends.is_some();
    Some(Expectation {
        outlook: if runs_then {
            Outlook::NotClear
        } else {
            Outlook::Unknown
        },
        may_end: true,
        what: "the next backup".into(),
        begins: Some(next.starts),
        earliest: None,
        expected: next.ends,
        latest: None,
        basis: Some(next.basis.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::wait_for_tests::behind_a_dump;
    use crate::model::Answer;

    fn time(text: &str) -> DateTime<Utc> {
        format!("2026-11-28T{text}:00Z").parse().expect(text)
    }

    fn clears(times: [&str; 3]) -> Clears {
        let [earliest, expected, latest] =
            times.map(|text| Some(text).filter(|t| !t.is_empty()).map(time));
        Clears {
            earliest,
            expected,
            latest,
            basis: "3 past runs".into(),
            from_past_runs: true,
        }
    }

    fn verdict(waits: Vec<Wait>) -> Verdict {
        let statement = StatementVerdict {
            waits,
            ..StatementVerdict::default()
        };
        Verdict {
            answer: Answer::WouldBlock,
            statements: vec![statement],
            doubts: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
            look_again: false,
            running: Vec::new(),
        }
    }

    fn outlook(waits: Vec<Wait>) -> Outlook {
        let at = time("03:10");
        forecast(&verdict(waits), None, at, TimeDelta::minutes(15)).outlook
    }

    #[test]
    fn only_what_is_over_at_the_latest_by_then_would_be_clear() {
        assert_eq!(outlook(vec![]), Outlook::WouldBeClear);
        for (times, is) in [
            (["03:00", "03:05", "03:10"], Outlook::WouldBeClear),
            (["03:00", "03:05", "03:11"], Outlook::Unknown),
            (["03:09", "03:15", "03:20"], Outlook::Unknown),
            (["03:11", "03:15", "03:20"], Outlook::NotClear),
            (["", "03:05", ""], Outlook::Unknown),
            (["", "03:15", ""], Outlook::NotClear),
            // An interval without a best guess is no estimate.
            (["03:00", "", "03:05"], Outlook::NotClear),
        ] {
            assert_eq!(
                outlook(vec![behind_a_dump(5, Some(clears(times)))]),
                is,
                "{times:?}"
            );
        }
        // One without a known end decides, however soon another is over.
        let over = behind_a_dump(5, Some(clears(["03:00", "03:05", "03:08"])));
        assert_eq!(
            outlook(vec![over, behind_a_dump(6, None)]),
            Outlook::NotClear
        );
        let passing = Wait {
            counts: false,
            ..behind_a_dump(6, None)
        };
        assert_eq!(outlook(vec![passing]), Outlook::WouldBeClear);
    }

    #[test]
    fn no_outlook_exits_with_0() {
        for outlook in [Outlook::WouldBeClear, Outlook::Unknown, Outlook::NotClear] {
            assert_ne!(outlook.exit_status(), 0);
        }
        assert_eq!(Outlook::NotClear.exit_status(), 1);
    }

    #[test]
    fn what_no_time_changes_is_not_clear_and_a_doubt_stays_one() {
        let of = |verdict: &Verdict| {
            forecast(verdict, None, time("03:10"), TimeDelta::minutes(15)).outlook
        };
        let held = Wait {
            kind: WaitKind::Hold,
            ..behind_a_dump(5, Some(clears(["03:00", "03:00", "03:00"])))
        };
        assert_eq!(of(&verdict(vec![held])), Outlook::NotClear);
        let mut refused = verdict(vec![]);
        refused.statements[0].fails = Some("column a is there already".into());
        assert_eq!(of(&refused), Outlook::NotClear);
        let mut doubtful = verdict(vec![]);
        doubtful.doubts.push(Doubt {
            statement: None,
            what: "not seen".into(),
            help: String::new(),
            lasting: false,
            accepts: None,
        });
        assert_eq!(of(&doubtful), Outlook::Unknown);
    }

    #[test]
    fn a_backup_that_comes_until_then_decides() {
        let next = |starts: &str, ends: Option<&str>, kind| NextBackup {
            starts: time(starts),
            early: TimeDelta::minutes(5),
            ends: ends.map(time),
            basis: "0 3 * * * UTC, the configuration".into(),
            kind,
        };
        for (starts, ends, kind, is) in [
            ("03:00", Some("04:00"), Kind::Logical, Outlook::NotClear),
            (
                "03:00",
                Some("04:00"),
                Kind::Physical,
                Outlook::WouldBeClear,
            ),
            ("03:00", Some("03:09"), Kind::Logical, Outlook::WouldBeClear),
            ("03:00", None, Kind::Logical, Outlook::Unknown),
            ("03:29", Some("04:00"), Kind::Logical, Outlook::Unknown),
            ("03:31", Some("04:00"), Kind::Logical, Outlook::WouldBeClear),
        ] {
            let next = next(starts, ends, kind);
            let clear = verdict(vec![]);
            let told = forecast(&clear, Some(&next), time("03:10"), TimeDelta::minutes(15));
            assert_eq!(told.outlook, is, "{next:?}");
        }
    }
}
