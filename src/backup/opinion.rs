//! What each clock says of the time that remains, and all of them together.

use super::clock::{ANY_DUMP, Clock};
use super::forecast::{Ahead, Belief, Forecast, Tables, forecasts};
use super::makespan;
use super::moment::{Moment, work};
use super::stretch::Stretches;
use super::view::View;
use std::collections::HashMap;

/// Nothing ends sooner: seconds.
const SOONEST: f64 = 0.05;

/// A log-normal guess at the seconds that remain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess {
    /// Logarithm of them.
    pub log: f64,
    /// Variance of that.
    pub variance: f64,
}

/// What one clock says, by one belief and one hypothesis.
pub(super) struct Opinion {
    /// Which clock, by its place.
    pub clock: usize,
    /// By how it ran in a past run.
    pub is_of_past: bool,
    /// Logarithm of how well it foretold what was seen.
    pub evidence: f64,
    /// Seconds that remain.
    pub guess: Guess,
    /// Share of the work that is done.
    pub fraction: f64,
}

/// How far each opinion is believed, together 1; `None`: there is none.
pub(super) fn weights(opinions: &[Opinion]) -> Option<Vec<f64>> {
    let best = opinions.iter().map(|o| o.evidence).reduce(f64::max)?;
    let weights: Vec<f64> = opinions.iter().map(|o| (o.evidence - best).exp()).collect();
    let all: f64 = weights.iter().sum();
    Some(weights.into_iter().map(|w| w / all).collect())
}

/// All opinions in one.
pub(super) fn together(opinions: &[Opinion], weights: &[f64]) -> Guess {
    let sum = |of: &dyn Fn(&Guess) -> f64| -> f64 {
        opinions
            .iter()
            .zip(weights)
            .map(|(o, w)| w * of(&o.guess))
            .sum()
    };
    let log = sum(&|guess| guess.log);
    Guess {
        log,
        variance: sum(&|guess| guess.variance + (guess.log - log).powi(2)),
    }
}

/// What remains is no less than this share of all: its logarithm is needed.
const LEAST_LEFT: f64 = 1e-6;

/// How much of a clock's work is done, and what is known of the rest.
struct Work {
    done: f64,
    total: f64,
    /// Share of the rest that each table has.
    tables: Vec<f64>,
    /// How much longer the rest takes because some workers have nothing left to do.
    stretch: f64,
    /// How far off the rest may be: variance of its logarithm.
    doubt: f64,
}

impl Work {
    /// What a clock says that ran so, and of which that is believed.
    fn opinions(
        self,
        clock: usize,
        ran: &Stretches,
        tables: Tables,
        beliefs: &[Belief],
    ) -> Vec<Opinion> {
        let left = (self.total - self.done).max(LEAST_LEFT * self.total);
        let ahead = Ahead {
            tables: self.tables,
            seconds: (left * ran.now / self.done).max(1.0),
        };
        let log = (left * self.stretch).ln();
        let opinion = |forecast: Forecast| Opinion {
            clock,
            is_of_past: beliefs[forecast.belief].is_of_past,
            evidence: forecast.evidence + beliefs[forecast.belief].weight.ln(),
            guess: Guess {
                log: (log - forecast.log_speed).max(SOONEST.ln()),
                variance: forecast.variance + self.doubt,
            },
            fraction: self.done / self.total,
        };
        let opinions = forecasts(ran, &ahead, tables, beliefs)
            .into_iter()
            .map(opinion);
        opinions
            .filter(|o| o.evidence.is_finite() && o.guess.log.is_finite())
            .collect()
    }
}

/// What the clock at this place says.
pub(super) fn opinions(nth: usize, clock: &Clock, view: &View) -> Vec<Opinion> {
    let work = work(&view.moments, &clock.units);
    let ran = Stretches::of(&view.moments, &work, &clock.units, view.unseen(clock));
    let (Some(ran), Some(done)) = (ran, work.last()) else {
        return Vec::new();
    };
    let is_stretched = view.watcher.workers > 1 && !clock.has_tail;
    let work = Work {
        done: *done,
        total: clock.units.iter().sum(),
        tables: left_of_tables(clock, view),
        stretch: if is_stretched {
            stretched(clock, view)
        } else {
            1.0
        },
        doubt: view.doubt(clock),
    };
    work.opinions(nth, &ran, clock.tables, &clock.beliefs)
}

/// Share of what remains that each table has.
fn left_of_tables(clock: &Clock, view: &View) -> Vec<f64> {
    let amounts = view.amounts.iter().zip(&clock.units);
    let mut left: Vec<f64> = amounts
        .map(|(amount, units)| if amount.done { 0.0 } else { *units })
        .collect();
    let in_flight = view.moments.last().map_or(&[][..], |now| &now.in_flight);
    for (place, share) in in_flight {
        left[*place] *= 1.0 - share;
    }
    let all: f64 = left.iter().sum();
    for share in &mut left {
        *share /= all.max(1e-9);
    }
    left
}

/// How much longer the rest takes because the last tables keep some workers only.
fn stretched(clock: &Clock, view: &View) -> f64 {
    let Some(now) = view.moments.last() else {
        return 1.0;
    };
    let left = now
        .in_flight
        .iter()
        .map(|(place, share)| (*place, 1.0 - share));
    let flying: HashMap<usize, f64> = left.chain(now.held.iter().copied()).collect();
    let in_flight: Vec<f64> = flying
        .iter()
        .map(|(place, left)| clock.units[*place] * left)
        .collect();
    let waiting: Vec<f64> = (0..view.amounts.len())
        .filter(|place| !view.amounts[*place].done && !flying.contains_key(place))
        .map(|place| clock.units[place])
        .collect();
    let tail = makespan::stretch(&in_flight, &waiting, view.watcher.workers);
    // One worker alone gets the whole of a shared line: then the tail costs less.
    1.0 + (tail - 1.0) * (1.0 - 0.7 * view.wait)
}

/// What the bytes that a physical backup sent say: its course of (seconds, bytes), and the bytes in all.
pub(super) fn of_bytes(course: &[(f64, f64)], total: f64) -> Vec<Opinion> {
    let moment = |(at, _): &(f64, f64)| Moment {
        at: *at,
        ..Moment::default()
    };
    let moments: Vec<Moment> = course.iter().map(moment).collect();
    let sent: Vec<f64> = course.iter().map(|c| c.1).collect();
    let Some(ran) = Stretches::of(&moments, &sent, &[], None) else {
        return Vec::new();
    };
    let work = Work {
        done: course.last().map_or(0.0, |last| last.1),
        total,
        tables: Vec::new(),
        stretch: 1.0,
        doubt: 0.0,
    };
    let belief = Belief {
        weight: 1.0,
        log_speed: ANY_DUMP.0.ln(),
        variance: ANY_DUMP.1,
        is_of_past: false,
    };
    work.opinions(0, &ran, [0.0; 3], &[belief])
}
