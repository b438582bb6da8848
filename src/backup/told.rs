//! What was told of a dump's end, look by look: it moves no further than what was learnt between two looks.

use super::elapsed::seconds;
use super::watcher::{Stage, Watcher};
use crate::model::Estimate;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How long it takes to learn something: a share of the whole, and no longer than these seconds.
const OF_WHOLE: f64 = 0.04;
const SECONDS: f64 = 5.0;

/// What was told at a look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    at: DateTime<Utc>,
    /// Seconds that remained.
    remaining: f64,
    /// How sure that was: from the edge of its interval to its middle, in logarithms.
    spread: f64,
}

impl Watcher {
    /// Keeps what was told at the last look, for the next one.
    pub fn keep_told(&mut self, estimate: &Estimate) {
        // Before it copies, only past runs tell.
        let seen = self.seen().filter(|_| self.stage != Stage::Preparing);
        let told = seen.zip(estimate.remaining_s).zip(estimate.latest_s);
        self.told = told.map(|((at, remaining), latest)| Told {
            at,
            remaining,
            spread: (latest / remaining).ln(),
        });
    }

    /// The logarithm of the seconds that remain, moved from what was told before to what is known now as far as the
    /// time between the two looks allows.
    pub(super) fn damped(&self, log: f64) -> f64 {
        let (Some(told), Some(now), Some(started)) = (self.told, self.seen(), self.started) else {
            return log;
        };
        let passed = seconds(told.at, now);
        let before = told.remaining - passed;
        if passed <= 0.0 || before <= 1.0 {
            return log;
        }
        let whole = seconds(started, now) + log.exp();
        let slow = (OF_WHOLE * whole).min(SECONDS);
        // What lies outside of the interval that was told is news.
        let off = (log - before.ln()) / told.spread.max(0.05);
        let news = off.powi(2).max(1.0);
        let learnt = 1.0 - (-passed * news / slow).exp();
        before.ln() + learnt * (log - before.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_end_that_is_told_moves_as_far_as_was_learnt() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut watcher: Watcher = serde_json::from_value(serde_json::json!({
            "started": at(0), "stage": "copying", "points": [{"at": at(100), "copies": [], "client_wait": 0.5}],
        }))
        .expect("a watcher");
        let of = |remaining: f64| Estimate {
            remaining_s: Some(remaining),
            latest_s: Some(remaining * 1.3),
            ..Estimate::default()
        };
        let mut told = |before: f64, seconds: i64, now: f64| {
            watcher.points[0].at = at(100);
            watcher.keep_told(&of(before));
            watcher.points[0].at = at(100 + seconds);
            watcher.damped(now.ln()).exp()
        };
        let soon = told(60.0, 1, 70.0);
        assert!(59.0 < soon && soon < 62.0, "{soon}: one second");
        let later = told(60.0, 30, 40.0);
        assert!(38.0 < later && later < 40.1, "{later}: half a minute");
        let news = told(60.0, 1, 200.0);
        assert!(news > 180.0, "{news}: far outside of what was told");
    }
}
