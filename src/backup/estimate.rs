//! When it ends: clocks, past runs and what is left, in one figure with its interval.

use super::clock;
use super::elapsed::seconds;
use super::large::{Large, share_of_tables};
use super::like::{goes_like, is_slower, pace_against};
use super::matching::{PastRun, matching};
use super::opinion::{self, Guess, Opinion, opinions, together, weights};
use super::physical;
use super::rows::{self, Amount};
use super::told::Told;
use super::view::View;
use super::watcher::{Stage, Watcher};
use crate::model::{BackupRun, DatabaseFacts, Estimate, Oid};
use crate::words::many;
use chrono::{DateTime, Utc};
use std::cell::LazyCell;

/// 80 % of a normal distribution lie within so many standard deviations.
const EIGHTY: f64 = 1.2816;

/// An interval from an eighth to the eightfold is no figure to tell.
const MOST_VARIANCE: f64 = 2.63;

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
        usual_past_s: Some(middle(past.iter().map(PastRun::seconds)))
            .filter(|seconds| *seconds > 0.0),
        last_complete: past.iter().map(|past| past.run.ended).max(),
        times_slower: None,
    };
    if let Some(why) = why_never(watcher, &said, now) {
        said.unknown = Some(why);
        return Some(said);
    }
    let view = View::of(watcher, &amounts);
    let of_pace = |run: &PastRun| view.as_ref().and_then(|view| pace_against(view, run));
    let paces: Vec<Option<f64>> = past.iter().map(of_pace).collect();
    let newest = paces.first().copied().flatten();
    said.times_slower = newest.filter(|times| is_slower(*times));
    let tables = match (watcher.stage, &view) {
        (Stage::Copying, Some(view)) => copying_guess(view, facts, &past, &mut said),
        _ => None,
    };
    // What goes otherwise tells nothing of large objects and of the whole.
    let past: Vec<PastRun> = past
        .into_iter()
        .zip(paces)
        .filter(|(_, pace)| pace.is_none_or(goes_like))
        .map(|(run, _)| run)
        .collect();
    let guess = match (watcher.stage, &view) {
        (Stage::Transferring | Stage::Starting | Stage::Finishing, _) => {
            physical_guess(watcher, &mut said)
        }
        (Stage::Copying, Some(view)) => {
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
    let totals =
        LazyCell::new(|| -> Vec<f64> { past.iter().map(|run| total(run, &amounts)).collect() });
    let guess = guess.or_else(|| {
        let totals = if is_hidden { &[] } else { &totals[..] };
        total_guess(totals, elapsed, &mut said)
    });
    match guess {
        Some(guess) => {
            let told = watcher.told;
            let log = told.map_or(guess.log, |told| told.damped(guess.log, now, elapsed));
            tell(&mut said, Guess { log, ..guess });
        }
        None if !past.is_empty() && elapsed > middle(totals.iter().copied()) => {
            said.unknown = Some("it has run longer than past runs took".into());
        }
        None if is_hidden && !past.is_empty() => {
            said.unknown = Some("it has not begun to copy, so how it dumps is not seen yet".into());
        }
        None => said.unknown = Some(why_unknown(watcher)),
    }
    Some(said)
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

fn copying_guess(
    view: &View,
    facts: &DatabaseFacts,
    past: &[PastRun],
    said: &mut Estimate,
) -> Option<Guess> {
    let watcher = view.watcher;
    let point = watcher.points.last()?;
    let clocks = clock::clocks(watcher, view.amounts, past, &facts.statements, view.wait);
    let opinions: Vec<Opinion> = clocks
        .iter()
        .enumerate()
        .flat_map(|(nth, clock)| opinions(nth, clock, view))
        .collect();
    let weights = weights(&opinions)?;
    let sum = |of: &dyn Fn(&Opinion) -> f64| -> f64 {
        opinions.iter().zip(&weights).map(|(o, w)| w * of(o)).sum()
    };
    let fraction = sum(&|o| o.fraction).clamp(0.0, 1.0);
    said.fraction_done = Some(fraction);
    // A leap of the first buffer is no speed yet, but where a past run tells what to expect.
    let is_early = seconds(view.origin, point.at) < 2.0 || fraction < 0.002;
    if is_early && past.is_empty() {
        return None;
    }
    let mut by_clock = vec![0.0; clocks.len()];
    for (opinion, weight) in opinions.iter().zip(&weights) {
        by_clock[opinion.clock] += weight;
    }
    let best = (0..clocks.len()).max_by(|a, b| by_clock[*a].total_cmp(&by_clock[*b]))?;
    let of_past = sum(&|o| f64::from(u8::from(o.is_of_past)));
    let runs = match past.len() {
        0 => "no past run".into(),
        n if of_past < 0.5 => format!("{} went at another pace", many(n, "past run")),
        n => many(n, "past run"),
    };
    said.basis = basis(watcher, facts, &runs, clocks[best].name);
    let guess = together(&opinions, &weights);
    (guess.variance < MOST_VARIANCE).then_some(guess)
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

fn physical_guess(watcher: &Watcher, said: &mut Estimate) -> Option<Guess> {
    let (course, total) = physical::course(watcher)?;
    let done = course.last()?.1;
    said.fraction_done = Some((done / total.max(1.0)).clamp(0.0, 1.0));
    said.basis = "bytes sent of bytes in all".into();
    let opinions = opinion::of_bytes(&course, total);
    Some(together(&opinions, &weights(&opinions)?))
}

/// Seconds that a past run would take for the rows of now.
fn total(run: &PastRun, amounts: &[Amount]) -> f64 {
    run.tail + (run.seconds() - run.tail) * clock::grown(amounts, run)
}

/// From past durations alone: what each past run would take now.
fn total_guess(totals: &[f64], elapsed: f64, said: &mut Estimate) -> Option<Guess> {
    let median = middle(totals.iter().copied());
    if median <= elapsed {
        return None;
    }
    said.basis = format!("duration of {}", many(totals.len(), "past run"));
    let logs = totals.iter().map(|total| total.max(0.1).ln());
    let apart = logs.map(|log| (log - median.ln()).powi(2)).sum::<f64>();
    let alone = if totals.len() == 1 { 0.15 } else { 0.0 };
    Some(Guess {
        log: (median - elapsed).ln(),
        variance: 0.1 + alone + apart / totals.len() as f64,
    })
}

/// The middle one, between the two in the middle; 0 where there is none.
fn middle(totals: impl Iterator<Item = f64>) -> f64 {
    let mut totals: Vec<f64> = totals.collect();
    totals.sort_by(f64::total_cmp);
    let at = |place: usize| totals.get(place).copied().unwrap_or(0.0);
    (at(totals.len() / 2) * at(totals.len().saturating_sub(1) / 2)).sqrt()
}
