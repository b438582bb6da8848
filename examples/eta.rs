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
use traces::{Known, Score, Trace};

fn main() {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("tests/traces"), PathBuf::from);
    let traces = Trace::read_all(&folder);
    println!(
        "{:<28} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "run", "seconds", "one look", "watching", "1 past", "1p watch", "all past", "naive"
    );
    let mut sums: [Vec<Score>; 6] = Default::default();
    for trace in &traces {
        let past = trace.past(&traces);
        let one: Vec<_> = past.last().into_iter().cloned().collect();
        let trials = [
            (Known::Nothing, false),
            (Known::Nothing, true),
            (Known::Runs(one.clone()), false),
            (Known::Runs(one), true),
            (Known::Runs(past.clone()), true),
            (Known::Naive(past.clone()), false),
        ];
        print!("{:<28} {:>8.0}", trace.name, trace.duration());
        for (nth, (known, watching)) in trials.iter().enumerate() {
            if nth >= 2 && past.is_empty() {
                print!(" {:>9}", "-");
                continue;
            }
            let score = trace.score(known, *watching);
            print!(" {:>8.1}%", score.error * 100.0);
            if trace.completed() {
                sums[nth].push(score);
            }
        }
        println!();
    }
    for (title, pick) in [
        ("mean error", (|s: &Score| s.error) as fn(&Score) -> f64),
        ("cover of the 80 % interval", |s| s.cover),
        ("looks answered", |s| s.answered),
    ] {
        print!("{title:<28} {:>8}", "");
        for scores in &sums {
            let mean = scores.iter().map(pick).sum::<f64>() / scores.len().max(1) as f64;
            print!(" {:>8.1}%", mean * 100.0);
        }
        println!();
    }
}
