//! When a backup ends, and what it costs to wait for it or to end it.

use super::line::many;
use super::time::{range, rough, span, span_of};
use crate::model::Estimate;
use chrono::{DateTime, TimeDelta, Utc};

/// `~12 min (9–14 min)`; `None`: not known.
#[must_use]
pub fn remaining(estimate: &Estimate) -> Option<String> {
    let remaining = rough(estimate.remaining_s?);
    let edges = estimate.earliest_s.zip(estimate.latest_s);
    let range = edges.map_or_else(String::new, |(low, high)| {
        format!(" ({})", range(span_of(low), span_of(high)))
    });
    Some(format!("~{remaining}{range}"))
}

/// When a backup ends, with how sure that is: `ends in ~12 min (9–14 min)`.
#[must_use]
pub fn ends(estimate: &Estimate) -> Option<String> {
    remaining(estimate).map(|left| format!("ends in {left}"))
}

/// What ending it costs: `loses 65 min of work (32 % done); a new run takes about 5 h 0 min; the last complete
/// one ended 23 h 10 min ago`.
#[must_use]
pub fn cost_of_kill(estimate: &Estimate, now: DateTime<Utc>) -> String {
    let done = estimate
        .fraction_done
        .map_or_else(String::new, |done| format!(" ({:.0} % done)", done * 100.0));
    let mut parts = vec![format!(
        "loses {} of work{done}",
        ago(estimate.started, now)
    )];
    if let Some(usual) = estimate.usual_past_s {
        parts.push(format!("a new run takes about {}", rough(usual)));
    }
    parts.push(estimate.last_complete.map_or_else(
        || "no complete one of the same tables is in the history".to_owned(),
        |at| format!("the last complete one ended {} ago", ago(at, now)),
    ));
    parts.join("; ")
}

/// What it costs to wait for a backup and what it costs to end it; `behind`: how many sessions wait behind it.
#[must_use]
pub fn wait_or_kill(estimate: &Estimate, now: DateTime<Utc>, behind: usize) -> String {
    let wait = match (remaining(estimate), &estimate.stands_still) {
        (_, Some(still)) => format!(
            "may take for ever: nothing has moved for {}",
            ago(still.since, now)
        ),
        (Some(left), None) => format!("takes {left}"),
        (None, None) => "takes a time that is not known".to_owned(),
    };
    let meanwhile = match behind {
        0 => String::new(),
        1 => ", 1 session waits meanwhile".to_owned(),
        more => format!(", {} wait meanwhile", many(more, "session")),
    };
    format!(
        "waiting {wait}{meanwhile}. Ending it {}",
        cost_of_kill(estimate, now)
    )
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span((now - at).max(TimeDelta::seconds(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StandsStill;

    #[test]
    fn both_prices_are_on_one_line() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(30);
        let mut estimate = Estimate {
            started: now - TimeDelta::minutes(65),
            fraction_done: Some(0.32),
            remaining_s: Some(7800.0),
            earliest_s: Some(6600.0),
            latest_s: Some(9000.0),
            usual_past_s: Some(9000.0),
            last_complete: Some(now - TimeDelta::hours(23)),
            ..Estimate::default()
        };
        assert_eq!(
            wait_or_kill(&estimate, now, 3),
            "waiting takes ~2 h 10 min (110 min – 2 h 30 min), 3 sessions wait meanwhile. Ending it loses 65 min of work \
             (32 % done); a new run takes about 2 h 30 min; the last complete one ended 23 h 0 min ago"
        );
        estimate.stands_still = Some(StandsStill {
            since: now - TimeDelta::minutes(10),
            why: String::new(),
            client: String::new(),
        });
        estimate.last_complete = None;
        estimate.usual_past_s = None;
        assert_eq!(
            wait_or_kill(&estimate, now, 0),
            "waiting may take for ever: nothing has moved for 10 min. Ending it loses 65 min of work (32 % done); \
             no complete one of the same tables is in the history"
        );
    }
}
