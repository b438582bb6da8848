//! Clocks: measures of work, of which one or the other runs evenly.

use super::buffer::Buffer;
use super::elapsed::seconds;
use super::matching::PastRun;
use super::rows::Amount;
use super::seen::Point;
use super::watcher::Watcher;
use crate::model::{CopyStatement, RelationName};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// One measure of work.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// In words, for the basis.
    pub name: &'static str,
    /// Belief before anything was seen.
    pub prior: f64,
    /// Work in each table, in dump order.
    pub units: Vec<f64>,
    /// Units a second to expect, from past runs.
    pub expected: Option<f64>,
    /// Units a byte of the whole dump.
    pub units_a_byte: f64,
    /// Its units are nanoseconds of a processor.
    pub is_processor_time: bool,
    /// Its units hold the time in which some workers of a parallel dump have nothing left to do.
    pub has_tail: bool,
}

/// Belief in the times of past runs, all of them together: bytes copied have 1.
const PAST_RUNS: f64 = 4.0;

/// All clocks that can be set.
pub(super) fn clocks(
    watcher: &Watcher,
    amounts: &[Amount],
    past: &[PastRun],
    statements: &[CopyStatement],
    client_wait: f64,
) -> Vec<Clock> {
    let of = |unit: fn(&Amount) -> f64| -> Vec<f64> {
        amounts
            .iter()
            .map(|a| if a.skipped { 0.0 } else { unit(a) + 200.0 })
            .collect()
    };
    let server = 1.0 - client_wait;
    let bytes = of(Amount::bytes);
    let mut clocks = vec![
        Clock {
            name: "the time to compress",
            prior: compression_prior(past),
            units: of(|a| a.rows * a.row_effort),
            expected: None,
            units_a_byte: 1.0,
            is_processor_time: true,
            has_tail: false,
        },
        Clock {
            name: "bytes as compressed",
            prior: 0.3,
            units: of(|a| a.rows * a.row_packed),
            expected: None,
            units_a_byte: 1.0,
            is_processor_time: false,
            has_tail: false,
        },
        Clock {
            name: "size on disk",
            prior: 0.2 * server,
            units: of(|a| a.disk),
            expected: None,
            units_a_byte: 1.0,
            is_processor_time: false,
            has_tail: false,
        },
        Clock {
            name: "the count of values",
            prior: 0.2 * server,
            units: of(|a| a.rows * (a.columns + 2.0)),
            expected: None,
            units_a_byte: 1.0,
            is_processor_time: false,
            has_tail: false,
        },
    ];
    if let Some(units) = statement_units(watcher, amounts, statements, &bytes) {
        clocks.push(Clock {
            name: "pg_stat_statements",
            prior: 0.5,
            units,
            expected: None,
            units_a_byte: 1.0,
            is_processor_time: false,
            has_tail: false,
        });
    }
    let total = bytes.iter().sum::<f64>().max(1.0);
    for run in past {
        if let Some(units) = past_units(amounts, run, &bytes) {
            clocks.push(Clock {
                name: "a past run's times",
                prior: PAST_RUNS / past.len() as f64,
                units,
                expected: Some(1.0),
                units_a_byte: 1.0,
                is_processor_time: false,
                has_tail: true,
            });
        }
    }
    clocks.push(Clock {
        name: "bytes copied",
        prior: 1.0,
        units: bytes,
        expected: None,
        units_a_byte: 1.0,
        is_processor_time: false,
        has_tail: false,
    });
    for clock in &mut clocks {
        clock.units_a_byte = clock.units.iter().sum::<f64>() / total;
    }
    let then: Vec<Then> = past.iter().map(|run| Then::of(amounts, run)).collect();
    for clock in clocks.iter_mut().filter(|c| c.expected.is_none()) {
        let usual = usual(&clock.units, &then);
        clock.expected = usual.map(|u| u.speed);
        clock.prior *= usual.map_or(1.0, |u| (-3.0 * u.unevenness).exp());
    }
    clocks
}

/// Most dumps are compressed. Where no past run tells whether this one is, taking a plain one for
/// compressed costs less than the other way round: the clock of bytes is off by much more there.
fn compression_prior(past: &[PastRun]) -> f64 {
    if past.is_empty() { 1.5 } else { 0.5 }
}

/// How a clock ran in a past run.
#[derive(Debug, Clone, Copy)]
struct Usual {
    /// Units a second.
    speed: f64,
    /// Variance of the logarithm of the speed from table to table.
    unevenness: f64,
}

/// What a past run saw to the end, beside the tables of now. Every clock reads it, and there may be twenty
/// thousand tables.
struct Then {
    /// Place, how many times as many rows as now, and seconds.
    tables: Vec<(usize, f64, f64)>,
    /// The same where it took time: place, logarithm of growth a second, and seconds.
    timed: Vec<(usize, f64, f64)>,
    /// Seconds of the whole run.
    total: f64,
}

impl Then {
    fn of(amounts: &[Amount], past: &PastRun) -> Self {
        let whole = (0..amounts.len()).filter_map(|place| Some((place, past.whole(place)?)));
        let tables: Vec<_> = whole
            .map(|(place, t)| (place, growth(amounts[place].rows, t.tuples), t.seconds))
            .collect();
        // What took no time says nothing.
        let timed = tables.iter().filter(|t| t.2 > 0.2);
        Self {
            timed: timed
                .map(|(place, growth, seconds)| (*place, (growth / seconds).ln(), *seconds))
                .collect(),
            tables,
            total: (past.seconds() - past.tail).max(0.1),
        }
    }
}

/// How the clock ran in past runs: the units of now, scaled back to the rows of then; the run in the
/// middle.
fn usual(units: &[f64], past: &[Then]) -> Option<Usual> {
    let logs: Vec<f64> = units.iter().map(|u| u.ln()).collect();
    let mut runs: Vec<Usual> = past
        .iter()
        .filter_map(|then| {
            let work = then
                .tables
                .iter()
                .map(|(place, growth, _)| units[*place] * growth);
            let speed = work.sum::<f64>() / then.total;
            (speed > 0.0).then(|| Usual {
                speed,
                unevenness: unevenness(&logs, then),
            })
        })
        .collect();
    runs.sort_by(|a, b| a.speed.total_cmp(&b.speed));
    runs.get(runs.len() / 2).copied()
}

/// Variance of the logarithm of units a second, by seconds; `logs` are those of the units, −∞ where there
/// are none.
fn unevenness(logs: &[f64], then: &Then) -> f64 {
    let mut sums = [0.0; 3];
    for (place, scale, seconds) in then.timed.iter().filter(|t| logs[t.0].is_finite()) {
        let log = logs[*place] + scale;
        sums[0] += seconds;
        sums[1] += seconds * log;
        sums[2] += seconds * log * log;
    }
    if sums[0] <= 0.0 {
        return 0.0;
    }
    let mean = sums[1] / sums[0];
    (sums[2] / sums[0] - mean * mean).max(0.0)
}

/// Seconds that a past run would take for the tables of now: its time for each, scaled by rows;
/// tables that it did not have at its mean speed in bytes.
pub(super) fn past_units(amounts: &[Amount], past: &PastRun, bytes: &[f64]) -> Option<Vec<f64>> {
    let seen = |place| past.whole(place).map(|t| (t.seconds, t.tuples));
    let (units, then) = scaled(amounts, seen, bytes)?;
    // The whole of it took as long as it took, overlaps and pauses included.
    let factor = (past.seconds() - past.tail) / then;
    Some(units.into_iter().map(|u| u * factor).collect())
}

fn statement_units(
    watcher: &Watcher,
    amounts: &[Amount],
    statements: &[CopyStatement],
    bytes: &[f64],
) -> Option<Vec<f64>> {
    let seen: HashMap<&RelationName, (f64, f64)> = statements
        .iter()
        .map(|s| (&s.name, (s.seconds, s.rows)))
        .collect();
    let seen = |place: usize| seen.get(&*watcher.tables[place].name).copied();
    scaled(amounts, seen, bytes).map(|(units, _)| units)
}

/// How many times as many rows, within reason; of a table without rows nothing is known.
fn growth(from: f64, to: f64) -> f64 {
    if from >= 1.0 {
        (to / from).clamp(0.05, 20.0)
    } else {
        1.0
    }
}

/// Units from the seconds and rows of each place, and their sum for the rows of then; `None` where they cover less than
/// half of the bytes.
fn scaled(
    amounts: &[Amount],
    seen: impl Fn(usize) -> Option<(f64, f64)>,
    bytes: &[f64],
) -> Option<(Vec<f64>, f64)> {
    let seen: Vec<Option<(f64, f64)>> = (0..amounts.len()).map(seen).collect();
    let (mut spent, mut then, mut covered, mut all) = (0.0, 0.0, 0.0, 0.0);
    for ((seen, amount), bytes) in seen.iter().zip(amounts).zip(bytes) {
        all += bytes;
        if let Some((seconds, rows)) = seen {
            spent += seconds * growth(*rows, amount.rows);
            then += seconds;
            covered += bytes;
        }
    }
    if covered < 0.5 * all || spent <= 0.0 {
        return None;
    }
    let rate = spent / covered;
    let units = seen.iter().zip(amounts).zip(bytes);
    let units = units.map(|((seen, amount), bytes)| match seen {
        Some((seconds, rows)) => seconds * growth(*rows, amount.rows),
        None => bytes * rate,
    });
    Some((units.collect(), then * all / covered))
}

/// Work done at the times of the looks, seconds since `origin`: the first entry is (0, 0).
pub(super) fn course(
    watcher: &Watcher,
    amounts: &[Amount],
    units: &[f64],
    origin: DateTime<Utc>,
    index: &HashMap<u32, usize>,
    buffer: &Buffer,
) -> Vec<(f64, f64)> {
    let mut ends: Vec<(DateTime<Utc>, f64)> = watcher
        .tables
        .iter()
        .zip(units)
        .filter_map(|(t, u)| t.done_at.map(|at| (at, *u)))
        .collect();
    ends.sort_by_key(|e| e.0);
    let mut course = vec![(0.0, 0.0)];
    let (mut done, mut next) = (0.0, 0);
    for (place, point) in watcher
        .points
        .iter()
        .enumerate()
        .filter(|(_, p)| p.at > origin)
    {
        while next < ends.len() && ends[next].0 <= point.at {
            done += ends[next].1;
            next += 1;
        }
        if place == 0 {
            course.extend(before_first(
                point, done, amounts, units, origin, index, buffer,
            ));
        }
        let in_flight: f64 = point
            .copies
            .iter()
            .filter_map(|c| index.get(&c.oid).map(|i| (c, *i)))
            .filter(|(_, i)| watcher.tables[*i].done_at.is_none_or(|at| at > point.at))
            .map(|(c, i)| units[i] * amounts[i].share(c.tuples) * buffer.delivered(c))
            .sum();
        let held: f64 = buffer
            .draining(point, amounts, index)
            .map(|(i, share)| units[i] * share)
            .sum();
        let before = course.last().map_or(0.0, |c| c.1);
        course.push((
            seconds(origin, point.at),
            (done + in_flight - held)
                .max(0.25 * (done + in_flight))
                .max(before),
        ));
    }
    course
}

/// The first look alone tells two times: now, and when the youngest COPY began.
fn before_first(
    point: &Point,
    done: f64,
    amounts: &[Amount],
    units: &[f64],
    origin: DateTime<Utc>,
    index: &HashMap<u32, usize>,
    buffer: &Buffer,
) -> Option<(f64, f64)> {
    let since = point.copies.iter().filter_map(|c| c.since).max()?;
    if since <= origin || since >= point.at {
        return None;
    }
    let mut work = done;
    for copy in &point.copies {
        let (Some(i), Some(start)) = (index.get(&copy.oid), copy.since) else {
            continue;
        };
        let age = seconds(start, point.at).max(1e-3);
        work += units[*i]
            * amounts[*i].share(copy.tuples)
            * buffer.delivered(copy)
            * seconds(start, since)
            / age;
    }
    Some((seconds(origin, since), work))
}
