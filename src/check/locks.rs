//! Who waits for a lock, and for how long. `pg_locks` hides nothing from anybody, so hidden rows only
//! hide the culprit's name.

use super::sight::{Sight, lasting};
use super::state::{Answer, Figure, Unit};
use crate::sessions::waits::Waiter;
use crate::sessions::{Party, alike};
use crate::words::{seconds, span};
use chrono::TimeDelta;

/// How long the longest wait has lasted.
pub fn longest_wait(sight: &Sight<'_>) -> Answer {
    let waits = waits(sight);
    let longest = waits.first().map_or(TimeDelta::zero(), |(age, _)| *age);
    let value = seconds(longest);
    Answer {
        state: sight.judgement.thresholds.state_of(value),
        text: waits.first().map_or_else(
            || "nobody waits for a lock".to_owned(),
            |(_, waiter)| sentence(sight, waiter, longest, waits.len()),
        ),
        details: details(sight, waits.iter()),
        figures: vec![
            sight.judged("longest_wait", value, Unit::Seconds),
            Figure::count("waiting", waits.len()),
        ],
    }
}

/// How many wait for longer than a moment.
pub fn blocked(sight: &Sight<'_>) -> Answer {
    let all = waits(sight);
    let counting: Vec<_> = all
        .iter()
        .filter(|(age, _)| *age >= sight.judgement.counts_from)
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let value = counting.len() as f64;
    Answer {
        state: sight.judgement.thresholds.state_of(value),
        text: counting.first().map_or_else(
            || {
                format!(
                    "nobody has waited for a lock for {}",
                    span(sight.judgement.counts_from)
                )
            },
            |(age, waiter)| sentence(sight, waiter, *age, counting.len()),
        ),
        details: details(sight, counting.iter().copied()),
        figures: vec![
            sight.judged("blocked", value, Unit::Count),
            Figure::seconds(
                "longest_wait",
                Some(all.first().map_or(0.0, |(age, _)| seconds(*age))),
            ),
        ],
    }
}

/// A line for each wait, those of sessions like each other as one.
fn details<'w>(
    sight: &Sight<'_>,
    waits: impl Iterator<Item = &'w (TimeDelta, &'w Waiter)>,
) -> Vec<String> {
    let like = |(_, waiter): &&(TimeDelta, &Waiter)| {
        Some((sight.kind(waiter.pid)?, waiter.mode, waiter.target.clone()))
    };
    let line = |crowd: &Vec<&(TimeDelta, &Waiter)>| {
        let (age, waiter) = crowd[0];
        let like = alike::and_like_it(crowd.len());
        format!("{}{like}", sentence(sight, waiter, *age, 1))
    };
    alike::crowds(waits, like).iter().map(line).collect()
}

/// Every wait with its age, the longest first. A session counts once.
fn waits<'s>(sight: &'s Sight<'_>) -> Vec<(TimeDelta, &'s Waiter)> {
    let mut waits: Vec<(TimeDelta, &Waiter)> = sight
        .graph
        .waiters()
        .filter(|waiter| sight.judges(waiter.pid))
        .map(|waiter| (wait_age(sight, waiter), waiter))
        .collect();
    waits.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.pid.cmp(&b.1.pid)));
    let mut seen = std::collections::HashSet::new();
    waits.retain(|(_, waiter)| seen.insert(waiter.pid));
    waits
}

/// Since `waitstart` (14 and later; for a moment it is not set yet), before 14 since the statement began.
fn wait_age(sight: &Sight<'_>, waiter: &Waiter) -> TimeDelta {
    let statement = || {
        let backend = sight.words.backend(waiter.pid)?;
        (sight.snapshot.server.major() < 14)
            .then_some(backend.query_start)
            .flatten()
    };
    waiter
        .since
        .or_else(statement)
        .map_or(TimeDelta::zero(), |since| sight.words.age(since))
}

/// Who waits, for what, for how long, and where the wait ends.
fn sentence(sight: &Sight<'_>, waiter: &Waiter, age: TimeDelta, count: usize) -> String {
    let many = if count > 1 {
        format!("{count} sessions wait, longest ")
    } else {
        String::new()
    };
    let root = root_of(sight, waiter);
    let behind = root.map_or_else(String::new, |root| {
        format!(
            "; at the head: {}{}",
            sight.words.party(&root),
            lasting(sight.words.party_age(&root))
        )
    });
    format!(
        "{many}{}: {} waits for {} on {}{behind}",
        span(age),
        sight.words.session(waiter.pid),
        waiter.mode.sql(),
        sight.words.target(&waiter.target)
    )
}

/// Follows the first blocker of each to one who waits for nobody; a cycle ends where it closes.
fn root_of(sight: &Sight<'_>, waiter: &Waiter) -> Option<Party> {
    let mut at = waiter.in_front.first()?.party.clone();
    let mut seen = vec![waiter.pid];
    while let Some(pid) = at.pid() {
        if seen.contains(&pid) {
            break;
        }
        seen.push(pid);
        match sight.graph.waiter(pid).and_then(|w| w.in_front.first()) {
            Some(front) => at = front.party.clone(),
            None => break,
        }
    }
    Some(at)
}
