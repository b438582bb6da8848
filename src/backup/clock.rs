//! Clocks: measures of work, and how fast each of them may run.

use super::forecast::{Belief, Tables};
use super::matching::PastRun;
use super::rows::Amount;
use super::watcher::Watcher;
use crate::model::{CopyStatement, RelationName};
use std::collections::HashMap;

/// One measure of work.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// In words, for the basis.
    pub name: &'static str,
    /// Work in each table, in dump order.
    pub units: Vec<f64>,
    /// How fast it may run, before anything was seen.
    pub beliefs: Vec<Belief>,
    /// How much it differs from table to table.
    pub tables: Tables,
    /// Its units hold the time in which some workers of a parallel dump have nothing left to do.
    pub has_tail: bool,
}

/// A measure that the catalogs tell.
struct Measure {
    name: &'static str,
    /// Of one table.
    unit: fn(&Amount) -> f64,
    /// Belief where no past run tells: bytes copied have 1.
    alone: f64,
    /// Belief beside a past run's times, which have [`PAST_RUN`].
    beside: f64,
    /// What the server does: it counts only as far as the dump does not wait for its client.
    is_server: bool,
    /// How fast it runs where no past run tells.
    usual: Usual,
    /// How much it differs from table to table.
    tables: Tables,
}

/// How fast a clock runs in any dump.
#[derive(Debug, Clone, Copy)]
enum Usual {
    /// As many bytes a second as in any dump: its units go with the bytes.
    Bytes,
    /// Compression runs at the speed of a processor: its units are nanoseconds, so that a second of it has a milliard,
    /// give or take a factor of two. A dump far slower than that waits for something else.
    Processor,
}

/// Bytes a second, and the variance of their logarithm.
pub(super) const ANY_DUMP: (f64, f64) = (1e7, 2.25);
/// The same of nanoseconds.
const ANY_PROCESSOR: (f64, f64) = (1e9, 0.5);

/// Bytes and what goes with them say much the same of every table; compression is guessed by the columns' types.
const BY_BYTES: Tables = [0.003, 0.06, 0.4];
const BY_TYPES: Tables = [0.02, 0.15, 0.5];
const BY_PAST: Tables = [0.01, 0.06, 0.25];

const MEASURES: [Measure; 5] = [
    // Most dumps are compressed, and taking a plain one for compressed costs less than the other way round: the clock
    // of bytes is off by much more there.
    Measure {
        name: "the time to compress",
        unit: |a| a.rows * a.row_effort,
        alone: 1.5,
        beside: 0.5,
        is_server: false,
        usual: Usual::Processor,
        tables: BY_TYPES,
    },
    Measure {
        name: "bytes as compressed",
        unit: |a| a.rows * a.row_packed,
        alone: 0.3,
        beside: 0.3,
        is_server: false,
        usual: Usual::Bytes,
        tables: BY_BYTES,
    },
    Measure {
        name: "size on disk",
        unit: |a| a.disk,
        alone: 0.2,
        beside: 0.2,
        is_server: true,
        usual: Usual::Bytes,
        tables: BY_BYTES,
    },
    Measure {
        name: "the count of values",
        unit: |a| a.rows * (a.columns + 2.0),
        alone: 0.2,
        beside: 0.2,
        is_server: true,
        usual: Usual::Bytes,
        tables: BY_BYTES,
    },
    Measure {
        name: "bytes copied",
        unit: Amount::bytes,
        alone: 1.0,
        beside: 1.0,
        is_server: false,
        usual: Usual::Bytes,
        tables: BY_BYTES,
    },
];

/// Belief in the times that the server remembers of other dumps' COPY statements.
const STATEMENTS: f64 = 0.5;

/// Belief in the times of a past run.
const PAST_RUN: f64 = 4.0;

/// How likely a dump is of another kind than all past runs: compressed or not, over another line.
const ANOTHER_KIND: f64 = 0.3;

/// How likely it is like a past run, against the next younger one.
const OLDER: f64 = 0.9;

/// Runs of one kind are often very much alike, often alike, and now and then different: (share, variance of the
/// logarithm of the speed, against past runs).
const ALIKE: [(f64, f64); 3] = [(0.35, 0.0025), (0.4, 0.0225), (0.25, 0.3)];

/// How much less a clock is believed that ran unevenly in a past run.
const UNEVEN: f64 = 3.0;

/// A clock in the making.
struct Draft {
    clock: Clock,
    /// Logarithms of its units, −∞ where there are none.
    logs: Vec<f64>,
    alone: f64,
    beside: f64,
    usual: Usual,
}

/// All clocks that can be set.
pub(super) fn clocks(
    watcher: &Watcher,
    amounts: &[Amount],
    past: &[PastRun],
    statements: &[CopyStatement],
    client_wait: f64,
) -> Vec<Clock> {
    let of = |unit: fn(&Amount) -> f64| -> Vec<f64> {
        let of = |a: &Amount| if a.skipped { 0.0 } else { unit(a) + 200.0 };
        amounts.iter().map(of).collect()
    };
    let draft = |name, units: Vec<f64>, tables, (alone, beside), usual| Draft {
        logs: units.iter().map(|u| u.ln()).collect(),
        clock: Clock {
            name,
            units,
            beliefs: Vec::new(),
            tables,
            has_tail: false,
        },
        alone,
        beside,
        usual,
    };
    let mut drafts: Vec<Draft> = MEASURES
        .iter()
        .map(|m| {
            let counts = if m.is_server { 1.0 - client_wait } else { 1.0 };
            let weights = (m.alone * counts, m.beside * counts);
            draft(m.name, of(m.unit), m.tables, weights, m.usual)
        })
        .collect();
    let bytes = of(Amount::bytes);
    if let Some(units) = statement_units(watcher, amounts, statements, &bytes) {
        let weights = (STATEMENTS, STATEMENTS);
        drafts.push(draft(
            "pg_stat_statements",
            units,
            BY_BYTES,
            weights,
            Usual::Bytes,
        ));
    }
    let another = if past.is_empty() { 1.0 } else { ANOTHER_KIND };
    believe_alone(&mut drafts, another, bytes.iter().sum());
    let shares: Vec<f64> = (0..past.len()).map(|nth| OLDER.powf(nth as f64)).collect();
    let all: f64 = shares.iter().sum();
    let mut clocks = Vec::new();
    for (run, share) in past.iter().zip(shares) {
        clocks.extend(believe_past(
            &mut drafts,
            amounts,
            run,
            &bytes,
            (1.0 - another) * share / all,
        ));
    }
    clocks.extend(drafts.into_iter().map(|d| d.clock));
    clocks.retain(|clock| !clock.beliefs.is_empty());
    clocks
}

/// What is believed of a dump of which no past run tells.
fn believe_alone(drafts: &mut [Draft], share: f64, bytes: f64) {
    let all: f64 = drafts.iter().map(|d| d.alone).sum();
    for draft in drafts.iter_mut().filter(|draft| draft.alone > 0.0) {
        let units_a_byte = draft.clock.units.iter().sum::<f64>() / bytes.max(1.0);
        let (speed, variance) = match draft.usual {
            Usual::Bytes => (ANY_DUMP.0 * units_a_byte, ANY_DUMP.1),
            Usual::Processor => ANY_PROCESSOR,
        };
        draft.clock.beliefs.push(Belief {
            weight: share * draft.alone / all,
            log_speed: speed.ln(),
            variance,
            is_of_past: false,
        });
    }
}

/// What is believed of a dump that is like a past run: its own clock, and how the others ran in it.
fn believe_past(
    drafts: &mut [Draft],
    amounts: &[Amount],
    run: &PastRun,
    bytes: &[f64],
    share: f64,
) -> Option<Clock> {
    let then = Then::of(amounts, run);
    let ran = |draft: &Draft| {
        let ran = ran(draft, &then).filter(|_| draft.beside > 0.0)?;
        Some((
            ran.speed.ln(),
            draft.beside * (-UNEVEN * ran.unevenness).exp(),
        ))
    };
    let ran: Vec<Option<(f64, f64)>> = drafts.iter().map(ran).collect();
    let own = past_units(amounts, run, bytes);
    let all =
        ran.iter().flatten().map(|r| r.1).sum::<f64>() + own.as_ref().map_or(0.0, |_| PAST_RUN);
    let beliefs = |log_speed: f64, weight: f64| {
        ALIKE.into_iter().map(move |(alike, variance)| Belief {
            weight: share * weight / all * alike,
            log_speed,
            variance,
            is_of_past: true,
        })
    };
    for (draft, ran) in drafts.iter_mut().zip(ran) {
        if let Some((log_speed, weight)) = ran {
            draft.clock.beliefs.extend(beliefs(log_speed, weight));
        }
    }
    // Its units are seconds: as fast as then.
    own.map(|units| Clock {
        name: "a past run's times",
        units,
        beliefs: beliefs(0.0, PAST_RUN).collect(),
        tables: BY_PAST,
        has_tail: true,
    })
}

/// How a clock ran in a past run.
#[derive(Debug, Clone, Copy)]
struct Ran {
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

/// How a clock ran in a past run: the units of now, scaled back to the rows of then.
fn ran(draft: &Draft, then: &Then) -> Option<Ran> {
    let units = &draft.clock.units;
    let work = then
        .tables
        .iter()
        .map(|(place, growth, _)| units[*place] * growth);
    let speed = work.sum::<f64>() / then.total;
    (speed > 0.0).then(|| Ran {
        speed,
        unevenness: unevenness(&draft.logs, then),
    })
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

/// How many times as many bytes there are as in a past run, within reason; 1 where it counted none.
pub(super) fn grown(amounts: &[Amount], past: &PastRun) -> f64 {
    let then = |(place, amount): (usize, &Amount)| {
        let rows = past.whole(place).map(|t| t.tuples);
        rows.map_or(0.0, |rows| amount.bytes() * growth(amount.rows, rows))
    };
    let then: f64 = amounts.iter().enumerate().map(then).sum();
    let now: f64 = amounts.iter().map(Amount::bytes).sum();
    if then > 0.0 {
        (now / then).clamp(0.5, 2.0)
    } else {
        1.0
    }
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
