//! Replays recorded runs of real pg_dumps and prints how far off the estimates were: the table by which
//! any change to `src/backup` is judged. `./dev eta` runs it.
//!
//! At each moment of a run the estimator gets one look, as a gate gives it one, or remembers what earlier
//! looks saw ("watching"). The error is the mean of
//! |estimated − real remaining time| over the run, as a share of its whole duration; "cover" is how often
//! the real end lay in the 80 % interval.

#[path = "../tests/traces/mod.rs"]
mod traces;

use std::path::PathBuf;
use traces::{Known, Score, Sight, Trace};

/// One column of the table.
struct Trial {
    title: &'static str,
    runs: fn(&[pgguard::model::BackupRun]) -> Option<Known>,
    sight: Sight,
}

const TRIALS: [Trial; 9] = [
    Trial {
        title: "one look",
        runs: |_| Some(Known::Nothing),
        sight: Sight::OneLook,
    },
    Trial {
        title: "attached",
        runs: |_| Some(Known::Nothing),
        sight: Sight::Attached,
    },
    Trial {
        title: "watching",
        runs: |_| Some(Known::Nothing),
        sight: Sight::Watching,
    },
    Trial {
        title: "1 run, one",
        runs: one_run,
        sight: Sight::OneLook,
    },
    Trial {
        title: "1 run, att",
        runs: one_run,
        sight: Sight::Attached,
    },
    Trial {
        title: "1 run, wat",
        runs: one_run,
        sight: Sight::Watching,
    },
    Trial {
        title: "all, att",
        runs: all_runs,
        sight: Sight::Attached,
    },
    Trial {
        title: "all, watch",
        runs: all_runs,
        sight: Sight::Watching,
    },
    Trial {
        title: "naive",
        runs: naive,
        sight: Sight::Watching,
    },
];

fn one_run(past: &[pgguard::model::BackupRun]) -> Option<Known> {
    past.last().map(|run| Known::Runs(vec![run.clone()]))
}

fn all_runs(past: &[pgguard::model::BackupRun]) -> Option<Known> {
    (!past.is_empty()).then(|| Known::Runs(past.to_vec()))
}

fn naive(past: &[pgguard::model::BackupRun]) -> Option<Known> {
    (!past.is_empty()).then(|| Known::Naive(past.to_vec()))
}

fn main() {
    let mut folder = PathBuf::from("tests/traces");
    let mut sampled = false;
    for argument in std::env::args_os().skip(1) {
        if argument == "--sample" {
            sampled = true;
        } else {
            folder = PathBuf::from(argument);
        }
    }
    let mut traces = Trace::read_all(&folder);
    if sampled {
        for trace in &mut traces {
            trace.sample(&folder);
        }
    }
    print!("{:<32} {:>7}", "run", "seconds");
    for trial in &TRIALS {
        print!(" {:>10}", trial.title);
    }
    println!();
    let mut sums: [Vec<Score>; TRIALS.len()] = Default::default();
    for trace in traces.iter().filter(|t| t.completed()) {
        let past = trace.past(&traces);
        print!("{:<32} {:>7.0}", trace.name, trace.duration());
        for (trial, scores) in TRIALS.iter().zip(&mut sums) {
            let Some(known) = (trial.runs)(&past) else {
                print!(" {:>10}", "-");
                continue;
            };
            let score = trace.score(&known, trial.sight);
            print!(" {:>9.1}%", score.error * 100.0);
            scores.push(score);
        }
        println!();
    }
    for (title, pick) in [
        ("mean error", (|s: &Score| s.error) as fn(&Score) -> f64),
        ("cover of the 80 % interval", |s| s.cover),
        ("looks answered", |s| s.answered),
    ] {
        print!("{title:<32} {:>7}", "");
        for scores in &sums {
            #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
            let count = scores.len().max(1) as f64;
            let mean = scores.iter().map(pick).sum::<f64>() / count;
            print!(" {:>9.1}%", mean * 100.0);
        }
        println!();
    }
}
