//! When it ends: clocks, past runs and what is left, in one figure with its interval.

use super::clock::{self, Clock};
use super::elapsed::seconds;
use super::large::{Large, share_of_tables};
use super::like::{OTHER_PACE, likeness, pace_against};
use super::makespan;
use super::matching::{PastRun, matching};
use super::pace::{Pace, pace};
use super::physical;
use super::rows;
use super::told::Told;
use super::view::View;
use super::watcher::{Stage, Watcher};
use crate::model::{BackupRun, DatabaseFacts, Estimate, Oid};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// 80 % of a normal distribution lie within so many standard deviations.
const EIGHTY: f64 = 1.2816;

/// An interval from an eighth to the eightfold is no figure to tell.
const MOST_VARIANCE: f64 = 2.63;

/// Without a past run the opinions share what they do not know: together they are wrong by more than each says.
const NOTHING_KNOWN: f64 = 1.2;

/// A log-normal guess at the seconds that remain.
#[derive(Debug, Clone, Copy)]
struct Guess {
    log: f64,
    variance: f64,
}

impl Watcher {
    /// When the dump ends, as of the last look; `None`: nothing was looked at.
    #[must_use]
    pub fn estimate(&self, facts: &DatabaseFacts, past: &[BackupRun]) -> Option<Estimate> {
        estimate_of(self, facts, past)
    }

    /// Keeps what was told at the last look, for the next one. Before a dump copies, only past runs tell.
    pub fn keep_told(&mut self, estimate: &Estimate) {
        let seen = self.seen().filter(|_| self.stage != Stage::Preparing);
        self.told = seen.and_then(|at| Told::of(estimate, at));
    }
}

fn estimate_of(watcher: &Watcher, facts: &DatabaseFacts, past: &[BackupRun]) -> Option<Estimate> {
    let started = watcher.started?;
    let now = watcher.seen()?;
    let mut past = matching(watcher, past);
    if facts.large_object_bytes > 0.0 {
        past = past.into_iter().map(PastRun::with_large_objects).collect();
    }
    let elapsed = seconds(started, now);
    let memory = rows::remembered(&past);
    let amounts = rows::amounts(watcher, facts, &memory);
    let mut said = Estimate {
        phase: phase(watcher).into(),
        started,
        fraction_done: None,
        tables_done: watcher.done(),
        tables_total: watcher.tables.len(),
        copying: copying(watcher),
        remaining_s: None,
        earliest_s: None,
        latest_s: None,
        basis: String::new(),
        unknown: None,
        stands_still: watcher
            .mark
            .as_ref()
            .and_then(|mark| mark.stands_still(now)),
        longest_past_s: past.iter().map(PastRun::seconds).reduce(f64::max),
        databases: None,
        usual_past_s: Some(usual(&past)).filter(|seconds| *seconds > 0.0),
        last_complete: past.iter().map(|past| past.run.ended).max(),
        times_slower: None,
    };
    if let Some(why) = why_never(watcher, &said, now) {
        said.unknown = Some(why);
        return Some(said);
    }
    let view = View::of(watcher, &amounts);
    let of_pace = |run: &PastRun| view.as_ref().and_then(|view| pace_against(view, run));
    let slower = past.first().and_then(of_pace);
    said.times_slower = slower.filter(|times| *times >= OTHER_PACE);
    let like = |run: &PastRun| match (&view, of_pace(run)) {
        (Some(view), Some(times)) => likeness(view, times),
        _ => 1.0,
    };
    let past: Vec<(f64, PastRun)> = past.into_iter().map(|run| (like(&run), run)).collect();
    let belief = past.iter().map(|run| run.0).fold(0.0, f64::max);
    let past: Vec<PastRun> = past
        .into_iter()
        .filter(|run| run.0 > 0.0)
        .map(|run| run.1)
        .collect();
    let guess = match (watcher.stage, &view) {
        (Stage::Transferring | Stage::Starting | Stage::Finishing, _) => {
            physical_guess(watcher, &mut said)
        }
        (Stage::Copying, Some(view)) => {
            let without = (belief < 1.0 && !past.is_empty())
                .then(|| copying_guess(view, facts, &[], &mut said))
                .flatten();
            let with = copying_guess(view, facts, &past, &mut said);
            let tables = between(with, without, belief);
            said.fraction_done = said
                .fraction_done
                .map(|done| done * share_of_tables(view, facts));
            match Large::of(view, facts, &past) {
                Some(large) => tables.map(|tables| and_large(tables, large, &mut said)),
                None => tables,
            }
        }
        (Stage::LargeObjects, Some(view)) => Large::of(view, facts, &past)
            .and_then(|large| large_guess(view, facts, large, &mut said)),
        _ => None,
    };
    // What it is like is not seen before it copies: one run alone may be of another kind.
    let is_hidden = watcher.stage == Stage::Preparing && past.len() < 2;
    let guess = guess.or_else(|| {
        let past = if is_hidden { &[] } else { &past[..] };
        total_guess(past, elapsed, &mut said)
    });
    match guess {
        Some(guess) => {
            let told = watcher.told;
            let log = told.map_or(guess.log, |told| told.damped(guess.log, now, elapsed));
            tell(&mut said, Guess { log, ..guess });
        }
        None if !past.is_empty() && elapsed > usual(&past) => {
            said.unknown = Some("it has run longer than past runs took".into());
        }
        None if is_hidden && !past.is_empty() => {
            said.unknown = Some("it has not begun to copy, so how it dumps is not seen yet".into());
        }
        None => said.unknown = Some(why_unknown(watcher)),
    }
    Some(said)
}

/// What past runs say, as far as they are believed, and what is said without them.
fn between(with: Option<Guess>, without: Option<Guess>, belief: f64) -> Option<Guess> {
    let (Some(one), Some(other)) = (with, without) else {
        return with;
    };
    let log = belief * one.log + (1.0 - belief) * other.log;
    let variance = belief * one.variance + (1.0 - belief) * other.variance;
    let apart = belief * (1.0 - belief) * (one.log - other.log).powi(2);
    Some(Guess {
        log,
        variance: variance + apart,
    })
}

/// The tables, and the large objects that come after them.
fn and_large(tables: Guess, large: Large, said: &mut Estimate) -> Guess {
    let copying = tables.log.exp();
    let all = copying + large.seconds;
    let share = copying / all;
    said.basis += ", and the large objects after them";
    Guess {
        log: all.ln(),
        variance: tables.variance * share.powi(2) + large.variance * (1.0 - share).powi(2),
    }
}

/// All tables are done, the large objects are not.
fn large_guess(
    view: &View,
    facts: &DatabaseFacts,
    large: Large,
    said: &mut Estimate,
) -> Option<Guess> {
    let (left, variance) = large.left(view)?;
    let tables = share_of_tables(view, facts);
    said.fraction_done = Some(tables + (1.0 - tables) * (1.0 - left / large.seconds));
    said.basis = "the time that its large objects take, of which the server counts none".into();
    (variance < MOST_VARIANCE).then_some(Guess {
        log: left.ln(),
        variance,
    })
}

/// What has no end to expect, however far it is.
fn why_never(watcher: &Watcher, said: &Estimate, now: DateTime<Utc>) -> Option<String> {
    if watcher.leaked {
        return Some(why_unknown(watcher));
    }
    if let Some(still) = &said.stands_still {
        let seconds = (now - still.since).num_seconds();
        let span = match seconds {
            ..120 => format!("{seconds} s"),
            _ => format!("{} min", seconds / 60),
        };
        return Some(format!("it has stood still for {span}: {}", still.why));
    }
    watcher.in_queue.then(|| {
        "it waits for a lock itself, so its end depends on who has that: pgguard status".to_owned()
    })
}

fn tell(said: &mut Estimate, guess: Guess) {
    let spread = EIGHTY * guess.variance.sqrt();
    said.remaining_s = Some(guess.log.exp());
    said.earliest_s = Some((guess.log - spread).exp());
    said.latest_s = Some((guess.log + spread).exp());
}

fn phase(watcher: &Watcher) -> &'static str {
    match watcher.stage {
        _ if watcher.leaked => "leaked",
        Stage::Preparing => "preparing",
        Stage::Copying => "copying",
        Stage::LargeObjects => "large objects",
        Stage::Cursor => "copying row by row",
        Stage::Starting => "starting",
        Stage::Transferring => "transferring",
        Stage::Finishing => "waiting for the write-ahead log",
        Stage::Opaque => "running",
    }
}

fn why_unknown(watcher: &Watcher) -> String {
    match watcher.stage {
        _ if watcher.leaked => "its client seems gone: it ends when somebody ends it",
        Stage::Preparing => "it has not begun to copy, and no past run is known",
        Stage::Cursor => {
            "with --inserts it tells no table and no count, and no complete past run of that kind is known: \
             pgguard backups record -- pg_dump … makes one"
        }
        Stage::Starting | Stage::Transferring | Stage::Finishing => {
            "the server does not count its size (--no-estimate-size), and no past run is known"
        }
        Stage::Copying | Stage::LargeObjects if watcher.elsewhere => {
            return format!(
                "its tables are visible only from its own database: connect to database {}",
                crate::model::quoted(&watcher.database)
            );
        }
        Stage::LargeObjects => {
            "it reads large objects, of which it does not tell how many are done, and no past run like it is known"
        }
        Stage::Copying if watcher.tables.is_empty() => {
            "its tables may not be seen: GRANT pg_monitor to the role that looks, in the database that is dumped"
        }
        Stage::Copying => "nothing was counted yet: run it again in a few seconds",
        Stage::Opaque => "it reports no progress, and no past run is known",
    }
    .into()
}

fn copying(watcher: &Watcher) -> Vec<crate::model::RelationName> {
    let Some(point) = watcher.points.last() else {
        return Vec::new();
    };
    // The client still reads the rows of one whose COPY has ended on the server.
    let draining = point.draining.iter().map(|(oid, _)| *oid);
    let in_flight: Vec<Oid> = point.copies.iter().map(|c| c.oid).chain(draining).collect();
    watcher
        .tables
        .iter()
        .filter(|t| in_flight.contains(&t.oid))
        .map(|t| (*t.name).clone())
        .collect()
}

/// One clock's opinion.
struct Opinion {
    name: &'static str,
    remaining: f64,
    weight: f64,
    variance: f64,
    fraction: f64,
}

fn copying_guess(
    view: &View,
    facts: &DatabaseFacts,
    past: &[PastRun],
    said: &mut Estimate,
) -> Option<Guess> {
    let watcher = view.watcher;
    let point = watcher.points.last()?;
    let clocks = clock::clocks(watcher, view.amounts, past, &facts.statements, view.wait);
    let opinions: Vec<Opinion> = clocks.iter().filter_map(|c| opinion(c, view)).collect();
    let weight: f64 = opinions.iter().map(|o| o.weight).sum();
    if weight <= 0.0 {
        return None;
    }
    let mean =
        |of: fn(&Opinion) -> f64| opinions.iter().map(|o| o.weight * of(o)).sum::<f64>() / weight;
    let log = mean(|o| o.remaining.max(0.05).ln());
    let within = mean(|o| o.variance);
    let between = opinions
        .iter()
        .map(|o| o.weight * (o.remaining.max(0.05).ln() - log).powi(2))
        .sum::<f64>()
        / weight;
    let fraction = mean(|o| o.fraction).clamp(0.0, 1.0);
    said.fraction_done = Some(fraction);
    // A leap of the first buffer is no speed yet.
    if seconds(view.origin, point.at) < 2.0 || fraction < 0.002 {
        return None;
    }
    let best = opinions
        .iter()
        .max_by(|a, b| a.weight.total_cmp(&b.weight))
        .map_or("", |o| o.name);
    let runs = match (past.len(), said.longest_past_s) {
        (0, Some(_)) => "past runs went at another pace".into(),
        (0, None) => "no past run".into(),
        (1, _) => "1 past run".into(),
        (n, _) => format!("{n} past runs"),
    };
    said.basis = basis(watcher, facts, &runs, best);
    let variance = (within + between) * if past.is_empty() { NOTHING_KNOWN } else { 1.0 };
    (variance < MOST_VARIANCE).then_some(Guess { log, variance })
}

fn basis(watcher: &Watcher, facts: &DatabaseFacts, runs: &str, clock: &str) -> String {
    let rows = match watcher.sampled(facts) {
        0 => String::new(),
        tables => format!(", rows of {tables} sampled"),
    };
    format!(
        "{} of {} tables{rows}, {runs}, by {clock}",
        watcher.done(),
        watcher.tables.len()
    )
}

/// The variance of what is to come: over a long time an uneven pace evens out.
fn to_come(pace: Pace, remaining: f64) -> f64 {
    let length = pace.length.max(0.1);
    (pace.unevenness + 0.02) * length / (length + remaining)
}

fn opinion(clock: &Clock, seen: &View) -> Option<Opinion> {
    let course = seen.course(&clock.units);
    let done = course.last()?.1;
    let total: f64 = clock.units.iter().sum();
    let left = (total - done).max(0.0);
    let pace = pace(&course, seen.unseen(clock))?;
    let (log_speed, variance) = believed(clock, pace);
    let stretch = if seen.watcher.workers > 1 && !clock.has_tail {
        stretched(clock, seen)
    } else {
        1.0
    };
    let remaining = left / log_speed.exp() * stretch;
    let variance = variance + seen.doubt(clock) + to_come(pace, remaining);
    Some(Opinion {
        name: clock.name,
        remaining,
        weight: clock.prior
            * plausible(clock, pace)
            * (-2.0 * pace.unevenness * pace.segments.min(12.0)).exp(),
        variance,
        fraction: done / total.max(1e-9),
    })
}

/// Runs of one kind are often very much alike, often alike, and often quite different: (share, variance of the
/// logarithm of the speed, against past runs).
const ALIKE: [(f64, f64); 3] = [(0.28, 0.0025), (0.36, 0.0225), (0.36, 0.64)];

/// Variance of the logarithm that comes on top: what differs from day to day in one table and not in others.
const DAY_TO_DAY: f64 = 0.07;

/// Where nothing else is known: bytes a second of a dump, and the variance of its logarithm.
const ANY_DUMP: (f64, f64) = (1e7, 2.25);

/// The speed to expect, and its variance: that of past runs until this run shows otherwise; a much
/// slower or faster run is believed soon.
fn believed(clock: &Clock, pace: Pace) -> (f64, f64) {
    let seen = pace.speed.ln();
    let variance = pace.variance + 0.02;
    let Some(expected) = clock.expected.map(f64::ln) else {
        let sum = ANY_DUMP.1 + variance;
        let usual = (ANY_DUMP.0 * clock.units_a_byte).ln();
        return (
            (seen * ANY_DUMP.1 + usual * variance) / sum,
            ANY_DUMP.1 * variance / sum,
        );
    };
    let off = seen - expected;
    let mut sums = [0.0; 3];
    for (share, spread) in ALIKE {
        let sum = spread + variance;
        let weight = share * (-0.5 * off * off / sum).exp() / sum.sqrt();
        let mean = expected + off * spread / sum;
        let left = spread * variance / sum;
        sums[0] += weight;
        sums[1] += weight * mean;
        sums[2] += weight * (mean * mean + left);
    }
    let mean = sums[1] / sums[0];
    (
        mean,
        (sums[2] / sums[0] - mean * mean).max(0.0) + DAY_TO_DAY,
    )
}

/// Compression runs at the speed of a processor: its units are nanoseconds, so that a second of it
/// has a milliard, give or take a factor of two. A dump far slower than that waits for something else.
fn plausible(clock: &Clock, pace: Pace) -> f64 {
    if !clock.is_processor_time {
        return 1.0;
    }
    let off = (pace.speed / 1e9).ln() / 0.6;
    3.0 * (-0.5 * off * off).exp() + 0.05
}

fn stretched(clock: &Clock, seen: &View) -> f64 {
    let Some(point) = seen.watcher.points.last() else {
        return 1.0;
    };
    let mut flying: HashMap<usize, f64> = point
        .copies
        .iter()
        .filter_map(|c| Some((*seen.index.get(&c.oid)?, c)))
        .map(|(i, c)| {
            (
                i,
                1.0 - seen.amounts[i].share(c.tuples) * seen.buffer.delivered(c),
            )
        })
        .collect();
    flying.extend(seen.buffer.draining(point, seen.amounts, &seen.index));
    let in_flight: Vec<f64> = flying
        .iter()
        .map(|(i, left)| clock.units[*i] * left)
        .collect();
    let waiting: Vec<f64> = (0..seen.amounts.len())
        .filter(|i| !seen.amounts[*i].done && !flying.contains_key(i))
        .map(|i| clock.units[i])
        .collect();
    let tail = makespan::stretch(&in_flight, &waiting, seen.watcher.workers);
    // One worker alone gets the whole of a shared line: then the tail costs less.
    1.0 + (tail - 1.0) * (1.0 - 0.7 * seen.wait)
}

fn physical_guess(watcher: &Watcher, said: &mut Estimate) -> Option<Guess> {
    let (course, total) = physical::course(watcher)?;
    let done = course.last()?.1;
    let pace = pace(&course, None)?;
    said.fraction_done = Some((done / total.max(1.0)).clamp(0.0, 1.0));
    said.basis = "bytes sent of bytes in all".into();
    let left = ((total - done) / pace.speed).max(0.05);
    Some(Guess {
        log: left.ln(),
        variance: pace.variance + 0.02 + to_come(pace, left),
    })
}

/// From past durations alone.
fn total_guess(past: &[PastRun], elapsed: f64, said: &mut Estimate) -> Option<Guess> {
    let median = usual(past);
    if median <= elapsed {
        return None;
    }
    said.basis = match past.len() {
        1 => "duration of 1 past run".into(),
        runs => format!("duration of {runs} past runs"),
    };
    let logs: Vec<f64> = past.iter().map(|p| p.seconds().max(0.1).ln()).collect();
    let apart = logs
        .iter()
        .map(|log| (log - median.ln()).powi(2))
        .sum::<f64>();
    let alone = if past.len() == 1 { 0.15 } else { 0.0 };
    Some(Guess {
        log: (median - elapsed).ln(),
        variance: 0.1 + alone + apart / logs.len() as f64,
    })
}

/// The middle duration of past runs, between the two in the middle; 0 where there is none.
fn usual(past: &[PastRun]) -> f64 {
    let mut totals: Vec<f64> = past.iter().map(PastRun::seconds).collect();
    totals.sort_by(f64::total_cmp);
    let at = |place: usize| totals.get(place).copied().unwrap_or(0.0);
    (at(totals.len() / 2) * at(totals.len().saturating_sub(1) / 2)).sqrt()
}
