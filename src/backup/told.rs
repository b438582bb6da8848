//! What was told of a dump's end, look by look: it moves no further than what was learnt between two looks.

use super::elapsed::seconds;
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

impl Told {
    /// What an estimate tells at a time; `None`: no end.
    pub(super) fn of(estimate: &Estimate, at: DateTime<Utc>) -> Option<Self> {
        let (remaining, latest) = estimate.remaining_s.zip(estimate.latest_s)?;
        Some(Self {
            at,
            remaining,
            spread: (latest / remaining).ln(),
        })
    }

    /// The logarithm of the seconds that remain, moved from what was told here to what is known now as far as the
    /// time since then allows. `elapsed`: seconds since the dump began.
    pub(super) fn damped(&self, log: f64, now: DateTime<Utc>, elapsed: f64) -> f64 {
        let passed = seconds(self.at, now);
        let before = self.remaining - passed;
        if passed <= 0.0 || before <= 1.0 {
            return log;
        }
        let whole = elapsed + log.exp();
        let slow = (OF_WHOLE * whole).min(SECONDS);
        // What lies outside of the interval that was told is news.
        let off = (log - before.ln()) / self.spread.max(0.05);
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
        let told = |before: f64, passed: i64, now: f64| {
            let estimate = Estimate {
                remaining_s: Some(before),
                latest_s: Some(before * 1.3),
                ..Estimate::default()
            };
            let told = Told::of(&estimate, at(100)).expect("an end");
            let elapsed = seconds(at(0), at(100 + passed));
            told.damped(now.ln(), at(100 + passed), elapsed).exp()
        };
        let soon = told(60.0, 1, 70.0);
        assert!(59.0 < soon && soon < 62.0, "{soon}: one second");
        let later = told(60.0, 30, 40.0);
        assert!(38.0 < later && later < 40.1, "{later}: half a minute");
        let news = told(60.0, 1, 200.0);
        assert!(news > 180.0, "{news}: far outside of what was told");
    }
}
