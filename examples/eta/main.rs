//! Replays recorded runs of real pg_dumps and prints how far off the estimates were: the table by which
//! any change to `src/backup` is judged. `./dev eta` runs it, and `./dev eta --record 12` on fresh runs.
//!
//! At each moment of a run the estimator gets one look, as a gate gives it one, or remembers what earlier
//! looks saw ("watch"). The error is the mean of
//! |estimated − real remaining time| over the run, as a share of its whole duration; "cover" is how often
//! the real end lay in the 80 % interval; "jitter" how far the told end moved at most from one look to the
//! next, as a share of the duration.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a trial"
)]

mod chance;
mod record;
mod schema;
mod throttle;
#[path = "../../tests/traces/mod.rs"]
mod traces;

use pgguard::model::BackupRun;
use std::path::PathBuf;
use traces::{Known, Score, Sight, Trace};

/// What a trial lets the estimator know: from the runs of its kind, and those of other kinds.
type Tells = fn(&Pasts) -> Option<Known>;

/// Past runs of one dump.
struct Pasts {
    same: Vec<BackupRun>,
    other: Vec<BackupRun>,
}

/// One column of the table.
struct Trial {
    title: &'static str,
    tells: Tells,
    sight: Sight,
}

const TRIALS: [Trial; 9] = [
    trial("one look", nothing, Sight::OneLook),
    trial("watch", nothing, Sight::Watching),
    trial("1 run, one", one_run, Sight::OneLook),
    trial("1 run, wat", one_run, Sight::Watching),
    trial("all, one", all_runs, Sight::OneLook),
    trial("all, watch", all_runs, Sight::Watching),
    trial("other, one", of_another_kind, Sight::OneLook),
    trial("other, wat", of_another_kind, Sight::Watching),
    trial("naive", naive, Sight::Watching),
];

/// Columns that are compared with one another.
const WATCH: usize = 1;
const ALL_WATCH: usize = 5;
const NAIVE: usize = 8;

const fn trial(title: &'static str, tells: Tells, sight: Sight) -> Trial {
    Trial {
        title,
        tells,
        sight,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one of the trials")]
fn nothing(_: &Pasts) -> Option<Known> {
    Some(Known::Nothing)
}

fn one_run(past: &Pasts) -> Option<Known> {
    past.same.last().map(|run| Known::Runs(vec![run.clone()]))
}

fn all_runs(past: &Pasts) -> Option<Known> {
    let runs = past.same.iter().chain(&past.other).cloned();
    (!past.same.is_empty()).then(|| Known::Runs(runs.collect()))
}

fn of_another_kind(past: &Pasts) -> Option<Known> {
    (!past.other.is_empty()).then(|| Known::Runs(past.other.clone()))
}

fn naive(past: &Pasts) -> Option<Known> {
    (!past.same.is_empty()).then(|| Known::Naive(past.same.clone()))
}

/// What was asked for.
#[derive(Default)]
struct Asked {
    folder: Option<PathBuf>,
    is_sampled: bool,
    record: Option<usize>,
    seed: Option<u64>,
}

fn asked() -> Asked {
    let mut asked = Asked::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|n| n.parse::<u64>().ok());
            number.unwrap_or_else(|| panic!("{word} takes a number"))
        };
        match word.as_str() {
            "--sample" => asked.is_sampled = true,
            "--record" => asked.record = Some(number() as usize),
            "--seed" => asked.seed = Some(number()),
            _ => asked.folder = Some(word.into()),
        }
    }
    asked
}

fn main() {
    let asked = asked();
    let folder = match asked.record {
        Some(count) => {
            let now = chrono::Utc::now().timestamp();
            record::record(count, asked.seed.unwrap_or(now.unsigned_abs()))
        }
        None => asked.folder.unwrap_or_else(|| "tests/traces".into()),
    };
    let mut traces = Trace::read_all(&folder);
    if asked.is_sampled {
        for trace in &mut traces {
            trace.sample(&folder);
        }
    }
    judge(&traces);
}

/// A line of results: title, seconds, a figure a trial.
fn line(title: &str, seconds: &str, figures: impl Iterator<Item = Option<f64>>) {
    print!("{title:<32} {seconds:>7}");
    for figure in figures {
        match figure {
            Some(figure) => print!(" {:>9.1}%", figure * 100.0),
            None => print!(" {:>10}", "-"),
        }
    }
    println!();
}

fn judge(traces: &[Trace]) {
    print!("{:<32} {:>7}", "run", "seconds");
    for trial in &TRIALS {
        print!(" {:>10}", trial.title);
    }
    println!();
    let mut runs: Vec<[Option<Score>; TRIALS.len()]> = Vec::new();
    for trace in traces.iter().filter(|t| t.completed()) {
        let past = Pasts {
            same: trace.past(traces),
            other: trace.past_of_another_kind(traces),
        };
        let scores = TRIALS.each_ref().map(|trial| {
            let known = (trial.tells)(&past)?;
            Some(trace.score(&known, trial.sight)).filter(|score| score.answered > 0.0)
        });
        let errors = scores.iter().map(|s| s.map(|s| s.error));
        line(&trace.name, &format!("{:.0}", trace.duration()), errors);
        runs.push(scores);
    }
    for (title, pick) in [
        ("mean error", (|s: &Score| s.error) as fn(&Score) -> f64),
        ("cover of the 80 % interval", |s| s.cover),
        ("looks answered", |s| s.answered),
        ("jitter", |s| s.jitter),
    ] {
        let means = (0..TRIALS.len()).map(|nth| mean(runs.iter().filter_map(|r| r[nth]), pick));
        line(title, "", means);
    }
    compare(&runs);
}

fn mean(scores: impl Iterator<Item = Score>, pick: fn(&Score) -> f64) -> Option<f64> {
    let figures: Vec<f64> = scores.map(|s| pick(&s)).collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

/// The error beside the naive one, and how much worse a run is told with its past than without.
fn compare(runs: &[[Option<Score>; TRIALS.len()]]) {
    let beside = |nth: usize, other: usize| {
        let pairs = runs.iter().filter_map(move |r| Some((r[nth]?, r[other]?)));
        pairs.map(|(one, other)| (one.error, other.error))
    };
    let ratio = |nth: usize| {
        let (ours, naive) = beside(nth, NAIVE).fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        (naive > 0.0).then(|| ours / naive)
    };
    line("of the naive error", "", (0..TRIALS.len()).map(ratio));
    let harm = |nth: usize| {
        let without = if TRIALS[nth].sight == Sight::OneLook {
            0
        } else {
            WATCH
        };
        let worse = beside(nth, without).map(|(with, without)| with - without);
        worse
            .reduce(f64::max)
            .filter(|_| nth > WATCH && nth < NAIVE)
    };
    line("worst harm of a past", "", (0..TRIALS.len()).map(harm));
    let better = beside(ALL_WATCH, WATCH).filter(|(with, without)| with < without);
    println!(
        "a past helped {} of {} runs",
        better.count(),
        beside(ALL_WATCH, WATCH).count()
    );
}
