//! The estimate of a backup's end, judged by recorded runs of real dumps. `./dev eta` prints the figures.

use crate::traces::{Known, Score, Sight, Trace};
use pgguard::model::Role;
use std::path::Path;

fn recorded() -> Vec<Trace> {
    Trace::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces"))
}

fn mean(scores: &[Score], pick: fn(&Score) -> f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    let count = scores.len() as f64;
    scores.iter().map(pick).sum::<f64>() / count
}

#[test]
fn every_look_at_a_recorded_dump_shows_one_backup() {
    for trace in recorded() {
        // While it copies: at its very end a parallel dump takes itself apart, worker by worker.
        for look in trace
            .looks()
            .split_last()
            .map_or(&[][..], |(_, before)| before)
        {
            let sessions = pgguard::test_support::sessions::understand(look);
            let backups = sessions.in_role(Role::Backup).count();
            assert_eq!(backups, 1, "{} at {}", trace.name, look.taken_at);
        }
    }
}

#[test]
fn with_past_runs_the_estimate_beats_the_median_duration() {
    let traces = recorded();
    let mut ours = Vec::new();
    let mut naive = Vec::new();
    for trace in &traces {
        let past = trace.past(&traces);
        if !past.is_empty() {
            ours.push(trace.score(&Known::Runs(past.clone()), Sight::Watching));
            naive.push(trace.score(&Known::Naive(past), Sight::Watching));
        }
    }
    let (ours_mean, naive_mean) = (mean(&ours, |s| s.error), mean(&naive, |s| s.error));
    assert!(
        ours_mean < 0.45 * naive_mean,
        "ours {ours_mean:.3}, the median {naive_mean:.3}"
    );
    let cover = mean(&ours, |s| s.cover);
    assert!(
        (0.75..0.97).contains(&cover),
        "the interval held the end in {cover:.2} of the looks"
    );
}

#[test]
fn one_past_run_and_one_look_are_enough() {
    let traces = recorded();
    let scores: Vec<Score> = traces
        .iter()
        .filter_map(|trace| {
            let last = trace.past(&traces).pop()?;
            Some(trace.score(&Known::Runs(vec![last]), Sight::OneLook))
        })
        .collect();
    let (error, cover) = (mean(&scores, |s| s.error), mean(&scores, |s| s.cover));
    assert!(error < 0.1, "{error:.3}");
    assert!((0.7..0.97).contains(&cover), "{cover:.2}");
}

#[test]
fn without_past_runs_a_dump_is_estimated_from_what_it_does() {
    let traces = recorded();
    let scores = |sight: Sight| -> Vec<Score> {
        traces
            .iter()
            .map(|trace| trace.score(&Known::Nothing, sight))
            .collect()
    };
    let watched = scores(Sight::Watching);
    let (error, cover) = (mean(&watched, |s| s.error), mean(&watched, |s| s.cover));
    assert!(error < 0.14, "{error:.3}");
    assert!((0.7..0.95).contains(&cover), "{cover:.2}");
    let error = mean(&scores(Sight::OneLook), |s| s.error);
    assert!(error < 0.17, "from one look {error:.3}");
}

#[test]
fn without_past_runs_an_uncompressed_dump_is_estimated_from_what_it_does() {
    let traces = recorded();
    let scores: Vec<Score> = traces
        .iter()
        .filter(|trace| trace.name.contains("serial"))
        .map(|trace| trace.score(&Known::Nothing, Sight::Watching))
        .collect();
    let error = mean(&scores, |s| s.error);
    assert!(error < 0.13, "{error:.3}");
}

/// Its pace shows that it is another one: from then on it is not believed.
#[test]
fn past_runs_of_another_kind_do_little_harm() {
    let traces = recorded();
    let scores: Vec<(Score, Score)> = traces
        .iter()
        .filter_map(|trace| {
            let past = trace.past_of_another_kind(&traces);
            (!past.is_empty()).then(|| {
                let with = trace.score(&Known::Runs(past), Sight::Watching);
                (with, trace.score(&Known::Nothing, Sight::Watching))
            })
        })
        .collect();
    let (with, without): (Vec<Score>, Vec<Score>) = scores.into_iter().unzip();
    let harm = mean(&with, |s| s.error) - mean(&without, |s| s.error);
    assert!(harm < 0.06, "{harm:.3}");
}
