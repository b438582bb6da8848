//! How fast a clock will run, by how it ran: a Gaussian process over the logarithm of its speed.
//!
//! Speed differs for three reasons, and each says something else of what is to come. A *table* may be slower than the
//! clock thinks: that holds for the rest of this table, and for no other. The *line* may be busy for a while: that holds
//! for some time. And there is *noise*, which holds for nothing. How large each is, is not known: several
//! [`Hypothesis`]es are asked, and each is believed as far as it would have foretold what was seen. Some of them have a
//! change of speed for good in them, and where only one look was had, a standstill that nobody saw.

use super::root::{Root, dot};
use super::stretch::{Stretch, Stretches};

/// What is believed of a clock before it ran: its speed is distributed like this, with this weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Belief {
    /// Weight among all clocks' beliefs.
    pub weight: f64,
    /// Logarithm of the units a second.
    pub log_speed: f64,
    /// Its variance.
    pub variance: f64,
    /// A past run says so.
    pub is_of_past: bool,
}

/// Variances of the logarithm of the speed from table to table: small, usual, large.
pub(super) type Tables = [f64; 3];

/// What remains.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ahead {
    /// Share of it that each table has, in dump order: there may be twenty thousand.
    pub tables: Vec<f64>,
    /// How long it takes, about: seconds.
    pub seconds: f64,
}

impl Ahead {
    /// The sum of the products with the shares of a stretch.
    fn product(&self, shares: &[(usize, f64)]) -> f64 {
        let own = |place: usize| self.tables.get(place).copied().unwrap_or(0.0);
        shares
            .iter()
            .map(|(place, share)| share * own(*place))
            .sum()
    }
}

/// What one belief and one hypothesis come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    /// Which belief, by its place.
    pub belief: usize,
    /// Logarithm of how well it foretold what was seen.
    pub evidence: f64,
    /// Logarithm of the units a second of what remains.
    pub log_speed: f64,
    /// Its variance.
    pub variance: f64,
}

/// Why the speed differs.
#[derive(Debug, Clone, Copy)]
struct Hypothesis {
    /// Logarithm of its share among all.
    log_share: f64,
    /// Variance from table to table.
    table: f64,
    /// Variance from stretch to stretch.
    noise: f64,
    /// What comes and goes.
    drift: Option<Drift>,
    /// The stretch from which on the speed is another for good.
    change: Option<usize>,
    /// The stretch that holds a standstill which nobody saw.
    standstill: Option<usize>,
}

/// A speed that comes and goes: its variance, and for how long it stays, as a share of the time so far.
#[derive(Debug, Clone, Copy)]
struct Drift {
    variance: f64,
    stays: f64,
}

const NOISES: [f64; 3] = [0.01, 0.06, 0.3];
const DRIFTS: [Option<Drift>; 3] = [
    None,
    Some(Drift {
        variance: 0.05,
        stays: 0.5,
    }),
    Some(Drift {
        variance: 0.25,
        stays: 2.0,
    }),
];

/// How likely a change for good is against none, the variance that it has, and the seconds since when it is believed.
const CHANGE: f64 = 0.3;
const CHANGE_VARIANCE: f64 = 0.7;
const CHANGE_SECONDS: f64 = 6.0;

/// How likely a standstill is that nobody saw, and the variance that it has.
const STANDSTILL: f64 = 0.5;
const STANDSTILL_VARIANCE: f64 = 2.0;

/// The variance of a second is this much larger.
const SECOND: f64 = 0.05;

/// Something may still hold it up, and nothing makes it jump ahead: so much more of the logarithm of the time is told.
const HELD_UP: f64 = 0.05;

/// How far an uneven speed is counted at its mean over time instead of the middle of its logarithm.
const MEANS: f64 = 0.25;

/// Stretches are not as independent as the model has it.
const TEMPER: f64 = 0.7;

/// What the clock's past and future have in common, table by table.
struct Common {
    /// Of each stretch with each one before it and with itself.
    stretches: Vec<Vec<f64>>,
    /// Of each stretch with what remains.
    ahead: Vec<f64>,
    /// Of what remains with itself.
    own: f64,
}

/// What each belief and each hypothesis come to, of what was seen and what remains.
pub(super) fn forecasts(
    stretches: &Stretches,
    ahead: &Ahead,
    tables: Tables,
    beliefs: &[Belief],
) -> Vec<Forecast> {
    let all = &stretches.all;
    let with_earlier = |(nth, one): (usize, &Stretch)| -> Vec<f64> {
        let others = all[..=nth].iter();
        others
            .map(|other| product(&one.tables, &other.tables))
            .collect()
    };
    let common = Common {
        stretches: all.iter().enumerate().map(with_earlier).collect(),
        ahead: all.iter().map(|s| ahead.product(&s.tables)).collect(),
        own: ahead.tables.iter().map(|share| share * share).sum(),
    };
    let hypotheses = hypotheses(stretches, tables);
    let of = |hypothesis: &Hypothesis| Fit::of(hypothesis, stretches, ahead, &common);
    let fits = hypotheses.iter().filter_map(|h| Some((h, of(h)?)));
    fits.flat_map(|(hypothesis, fit)| {
        let one = move |(place, belief): (usize, &Belief)| fit.forecast(hypothesis, place, belief);
        beliefs.iter().enumerate().map(one)
    })
    .collect()
}

/// The sum of the products of two lists of shares, both in order of their places.
fn product(one: &[(usize, f64)], other: &[(usize, f64)]) -> f64 {
    let mut other = other.iter().peekable();
    let products = one.iter().filter_map(|(place, share)| {
        while other.next_if(|o| o.0 < *place).is_some() {}
        other.next_if(|o| o.0 == *place).map(|o| share * o.1)
    });
    products.sum()
}

fn hypotheses(stretches: &Stretches, tables: Tables) -> Vec<Hypothesis> {
    let plain = |table, noise, share: f64| Hypothesis {
        log_share: share.ln(),
        table,
        noise,
        drift: None,
        change: None,
        standstill: None,
    };
    let each = |tables: &[f64], noises: &'static [f64]| -> Vec<(f64, f64)> {
        let noise_of = |table: &f64| {
            noises
                .iter()
                .map(|noise| (*table, *noise))
                .collect::<Vec<_>>()
        };
        tables.iter().flat_map(noise_of).collect()
    };
    let count = |list: usize| 1.0 / list as f64;
    let reasons = each(&tables, &NOISES);
    let mut all = Vec::new();
    for (table, noise) in &reasons {
        for drift in DRIFTS {
            let share = count(reasons.len() * DRIFTS.len());
            all.push(Hypothesis {
                drift,
                ..plain(*table, *noise, share)
            });
        }
    }
    // What is to be seen beside great differences is none.
    let calm = each(&tables[..2], &NOISES[..2]);
    let changes = changes(stretches);
    for (table, noise) in calm.iter().copied() {
        for change in changes.iter().copied() {
            let share = CHANGE * count(calm.len() * changes.len());
            all.push(Hypothesis {
                change: Some(change),
                ..plain(table, noise, share)
            });
        }
        let unseen = if stretches.is_first_inferred { 2 } else { 0 };
        for nth in 0..unseen {
            let share = STANDSTILL * count(calm.len() * unseen);
            all.push(Hypothesis {
                standstill: Some(nth),
                ..plain(table, noise, share)
            });
        }
    }
    all
}

/// The stretches from which on the speed may be another one: at least two on either side.
fn changes(stretches: &Stretches) -> Vec<usize> {
    let all = &stretches.all;
    let since = |nth: usize| all[nth..].iter().map(|s| s.seconds).sum::<f64>();
    (2..all.len().saturating_sub(1))
        .filter(|nth| since(*nth) >= CHANGE_SECONDS)
        .collect()
}

impl Hypothesis {
    /// Covariance of the logarithms of the speed of two stretches that have so much of their tables in common.
    fn between(&self, stretches: &Stretches, one: usize, other: usize, common: f64) -> f64 {
        let all = &stretches.all;
        let mut sum = self.table * common;
        if let Some(drift) = self.drift {
            let apart = (all[one].middle - all[other].middle).abs();
            sum += drift.variance * (-apart / drift.seconds(stretches)).exp();
        }
        if self.change.is_some_and(|nth| (one < nth) == (other < nth)) {
            sum += CHANGE_VARIANCE;
        }
        if one == other {
            let seconds = all[one].seconds;
            sum += self.noise * stretches.length / seconds
                + SECOND / seconds.max(1.0 / 3.0)
                + all[one].doubt;
            if self.standstill == Some(one) {
                sum += STANDSTILL_VARIANCE;
            }
        }
        sum
    }

    /// The same of a stretch and of all that remains.
    fn with_ahead(&self, stretches: &Stretches, ahead: &Ahead, nth: usize, common: f64) -> f64 {
        let mut sum = self.table * common;
        if let Some(drift) = self.drift {
            let stays = drift.seconds(stretches);
            let (from, until) = (stretches.now - stretches.all[nth].middle, ahead.seconds);
            let at = |seconds: f64| (-seconds / stays).exp();
            sum += drift.variance * stays / until * (at(from) - at(from + until));
        }
        if self.change.is_some_and(|change| nth >= change) {
            sum += CHANGE_VARIANCE;
        }
        sum
    }

    /// Variance of the logarithm of the speed over all that remains, before anything was seen; and how much more
    /// than the middle of the logarithm the speed is over it. Fast times do more than slow times leave undone, but a
    /// slow table takes more time than a fast one saves.
    fn ahead(&self, stretches: &Stretches, ahead: &Ahead, own: f64) -> (f64, f64) {
        let noise = stretches.length / (stretches.length + ahead.seconds);
        let mut variance = self.table * own + self.noise * noise;
        let mut more = MEANS * (self.noise * (1.0 - noise) - self.table * (1.0 - own));
        if let Some(drift) = self.drift {
            let times = ahead.seconds / drift.seconds(stretches);
            let left = 2.0 * (times - 1.0 + (-times).exp()) / times.powi(2);
            variance += drift.variance * left;
            more += MEANS * drift.variance * (1.0 - left);
        }
        if self.change.is_some() {
            variance += CHANGE_VARIANCE;
        }
        (variance, more)
    }
}

impl Drift {
    fn seconds(&self, stretches: &Stretches) -> f64 {
        self.stays * stretches.now.max(stretches.length)
    }
}

/// What a hypothesis makes of what was seen, but for where its logarithm lies: that is a belief's.
struct Fit {
    /// Logarithm of the determinant of the covariance.
    log_determinant: f64,
    /// Products of the whitened columns: o, ones; a, what was seen; t, what it has in common with what remains.
    oo: f64,
    oa: f64,
    aa: f64,
    ta: f64,
    to: f64,
    tt: f64,
    /// As [`Hypothesis::ahead`].
    variance: f64,
    more: f64,
}

impl Fit {
    fn of(
        hypothesis: &Hypothesis,
        stretches: &Stretches,
        ahead: &Ahead,
        common: &Common,
    ) -> Option<Self> {
        let size = stretches.all.len();
        let entry = |one: usize, other: usize| {
            let common = common.stretches[one][other];
            hypothesis.between(stretches, one, other, common)
        };
        let root = Root::of(size, entry)?;
        let seen: Vec<f64> = stretches.all.iter().map(|s| s.log_speed).collect();
        let with = |nth: usize| hypothesis.with_ahead(stretches, ahead, nth, common.ahead[nth]);
        let with: Vec<f64> = (0..size).map(with).collect();
        let (o, a, t) = (
            root.whitened(&vec![1.0; size]),
            root.whitened(&seen),
            root.whitened(&with),
        );
        let (variance, more) = hypothesis.ahead(stretches, ahead, common.own);
        Some(Self {
            log_determinant: root.log_determinant(),
            oo: dot(&o, &o),
            oa: dot(&o, &a),
            aa: dot(&a, &a),
            ta: dot(&t, &a),
            to: dot(&t, &o),
            tt: dot(&t, &t),
            variance,
            more,
        })
    }

    /// The rule of Gauß for a common middle that is itself distributed.
    fn forecast(&self, hypothesis: &Hypothesis, place: usize, belief: &Belief) -> Forecast {
        let off = self.oa - belief.log_speed * self.oo;
        let squares =
            self.aa - 2.0 * belief.log_speed * self.oa + belief.log_speed.powi(2) * self.oo;
        let sharp = 1.0 / belief.variance + self.oo;
        let middle = belief.log_speed + off / sharp;
        let unlikely =
            squares - off * off / sharp + self.log_determinant + (sharp * belief.variance).ln();
        Forecast {
            belief: place,
            evidence: hypothesis.log_share - 0.5 * TEMPER * unlikely,
            log_speed: middle + self.ta - middle * self.to + self.more - HELD_UP,
            variance: (self.variance - self.tt + (1.0 - self.to).powi(2) / sharp).max(1e-4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::{Moment, work};
    use super::*;

    const ANYTHING: Belief = Belief {
        weight: 1.0,
        log_speed: 0.0,
        variance: 4.0,
        is_of_past: false,
    };

    /// The speed that is told of table `next` after a look a second, which ran at the speed and in the table of that
    /// second. What remains is as much again.
    fn told(seconds: usize, next: usize, ran: impl Fn(usize) -> (f64, usize)) -> f64 {
        let mut units = vec![0.0; next + 1];
        for second in 0..seconds {
            let (speed, table) = ran(second);
            units[table] += speed;
        }
        let all: f64 = units.iter().sum();
        units[next] += all;
        let mut moments = vec![Moment::default()];
        let (mut before, mut done) = (0, 0.0);
        for second in 0..seconds {
            let (speed, table) = ran(second);
            let ended: Vec<usize> = (before != table).then_some(before).into_iter().collect();
            done = if ended.is_empty() { done } else { 0.0 } + speed;
            before = table;
            moments.push(Moment {
                at: second as f64 + 1.0,
                ended,
                in_flight: vec![(table, done / units[table])],
                held: Vec::new(),
            });
        }
        let work = work(&moments, &units);
        let stretches = Stretches::of(&moments, &work, &units, None).expect("it moved");
        let mut tables = vec![0.0; next + 1];
        tables[next] = 1.0;
        let ahead = Ahead {
            tables,
            seconds: seconds as f64,
        };
        let told = forecasts(&stretches, &ahead, [0.01, 0.06, 0.4], &[ANYTHING]);
        let weights: Vec<f64> = told.iter().map(|f| f.evidence.exp()).collect();
        let logs = told.iter().zip(&weights).map(|(f, w)| f.log_speed * w);
        (logs.sum::<f64>() / weights.iter().sum::<f64>()).exp()
    }

    #[test]
    fn a_change_for_good_is_believed_soon_and_a_wave_is_none() {
        let third = |second| (if second < 30 { 1.0 } else { 0.33 }, second / 6);
        let speed = |seconds| told(seconds, 99, third);
        assert!((0.85..1.1).contains(&speed(30)), "{}", speed(30));
        assert!(speed(50) < 0.5, "{}: after twenty seconds", speed(50));
        assert!(speed(120) < 0.4, "{}: and ever after", speed(120));
        let wave = |second| (if second % 8 < 4 { 1.5 } else { 0.5 }, second / 6);
        for seconds in [60, 64] {
            let speed = told(seconds, 99, wave);
            assert!((0.75..1.2).contains(&speed), "{speed} after {seconds}");
        }
    }

    #[test]
    fn a_pause_says_little_of_what_follows() {
        let stall = |second| (f64::from(u8::from(!(20..40).contains(&second))), 0);
        for seconds in [35, 60] {
            let speed = told(seconds, 0, stall);
            assert!((0.7..1.1).contains(&speed), "{speed} after {seconds}");
        }
        // Next to nothing is no speed.
        let trickle = |second| (if second < 20 { 1.0 } else { 1e-7 }, 0);
        for seconds in [26, 32, 40] {
            let speed = told(seconds, 0, trickle);
            assert!((0.02..1.1).contains(&speed), "{speed} after {seconds}");
        }
        // The first look after a pause saw little more.
        let resumes = |second| match second {
            6..16 => (0.0, 0),
            16 => (0.2, 0),
            _ => (1.0, 0),
        };
        let speed = told(17, 0, resumes);
        assert!((0.6..1.1).contains(&speed), "{speed}");
        // A slow client's buffer fills in leaps: what comes between them is no pause.
        let leaps = |second| (if second % 6 == 5 { 6.0 } else { 0.0 }, 0);
        let speed = told(60, 0, leaps);
        assert!((0.85..1.1).contains(&speed), "{speed}");
    }

    /// A table whose rows are slow says nothing of the tables after it, and everything of its own rest.
    #[test]
    fn a_slow_table_is_slow_alone() {
        let tables = |second| {
            let table = second / 8;
            (if table % 2 == 0 { 1.0 } else { 0.3 }, table)
        };
        let (own, others) = (told(64, 7, tables), told(64, 99, tables));
        assert!(own < 0.4, "{own}: the rest of a slow one");
        assert!((0.45..0.75).contains(&others), "{others}: another one");
    }

    #[test]
    fn a_belief_counts_as_far_as_it_foretold_what_was_seen() {
        let stretches = |speed: f64| {
            let moments: Vec<Moment> = (0..=10)
                .map(|at| Moment {
                    at: f64::from(at),
                    ..Moment::default()
                })
                .collect();
            let work: Vec<f64> = moments.iter().map(|m| m.at * speed).collect();
            Stretches::of(&moments, &work, &[], None).expect("it moved")
        };
        let ahead = Ahead {
            tables: Vec::new(),
            seconds: 10.0,
        };
        let as_then = Belief {
            variance: 0.01,
            ..ANYTHING
        };
        let share = |speed: f64| {
            let told = forecasts(&stretches(speed), &ahead, [0.0; 3], &[ANYTHING, as_then]);
            let sum = |of: usize| -> f64 {
                let of = told.iter().filter(|f| f.belief == of);
                of.map(|f| f.evidence.exp()).sum()
            };
            sum(1) / (sum(0) + sum(1))
        };
        assert!(share(1.1) > 0.6, "{}", share(1.1));
        assert!(share(3.0) < 0.25, "{}", share(3.0));
    }
}
