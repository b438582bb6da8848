//! Looks in a row become episodes: who kept others waiting, from when to when, and where nobody looked.

use crate::model::{Episode, SeenWait, Unseen};
use chrono::{DateTime, TimeDelta, Utc};

/// Looks that are further apart than this leave a gap: a check each minute may come late.
pub const FAR_APART: TimeDelta = TimeDelta::seconds(130);

/// What looks tell of waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// The first look and the last one.
    pub looked: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The worst first.
    pub episodes: Vec<Episode>,
    /// Where nobody looked, the oldest first.
    pub unseen: Vec<Unseen>,
}

impl Told {
    /// Adds what the looks at another server tell.
    pub fn add(&mut self, other: Self) {
        self.looked = match (self.looked, other.looked) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        };
        self.episodes.extend(other.episodes);
        self.unseen.extend(other.unseen);
        worst_first(&mut self.episodes);
        self.unseen.sort_by_key(|gap| gap.from);
    }
}

fn worst_first(episodes: &mut [Episode]) {
    episodes.sort_by(|a, b| {
        b.waited_seconds
            .total_cmp(&a.waited_seconds)
            .then_with(|| a.began.cmp(&b.began))
    });
}

/// What looks, the oldest first, tell of waits.
#[must_use]
pub fn told(looks: &[(DateTime<Utc>, Vec<SeenWait>)]) -> Told {
    let mut told = Told {
        looked: looks.first().zip(looks.last()).map(|(a, b)| (a.0, b.0)),
        ..Told::default()
    };
    let mut open: Vec<Episode> = Vec::new();
    let mut before: Option<DateTime<Utc>> = None;
    for (at, waits) in looks {
        let gap = before.filter(|before| *at - *before > FAR_APART);
        if let Some(from) = gap {
            told.unseen.push(Unseen { from, to: *at });
        }
        let is_seen = |episode: &Episode| {
            let mut waits = waits.iter();
            waits.any(|wait| is_of(wait, episode, gap.is_some()))
        };
        let (going_on, over): (Vec<Episode>, Vec<Episode>) =
            open.into_iter().partition(|episode| is_seen(episode));
        told.episodes
            .extend(over.into_iter().map(|episode| Episode {
                over_by: Some(*at).filter(|_| gap.is_none()),
                ..episode
            }));
        open = going_on;
        for wait in waits {
            match open.iter_mut().find(|episode| is_of(wait, episode, false)) {
                Some(episode) => go_on(episode, wait, *at),
                None => open.push(begin(wait, *at)),
            }
        }
        before = Some(*at);
    }
    told.episodes.extend(open);
    worst_first(&mut told.episodes);
    told
}

/// The same one keeps others waiting. After a time in which nobody looked it is the same episode only if the longest
/// wait began before.
fn is_of(wait: &SeenWait, episode: &Episode, after_gap: bool) -> bool {
    let went_on = wait.since.is_some_and(|since| since <= episode.last_seen);
    wait.root == episode.root && is_on_the_same(wait, episode) && (went_on || !after_gap)
}

/// Whether they wait for the same: looks in two databases name it differently, and its numbers are the same.
fn is_on_the_same(wait: &SeenWait, episode: &Episode) -> bool {
    match (wait.target.is_empty(), episode.target.is_empty()) {
        (false, false) => wait.target == episode.target,
        _ => wait.on == episode.on,
    }
}

/// Whether a relation has no name here, since the look was in another database.
fn is_nameless(on: &str) -> bool {
    on.starts_with("relation ") && on.contains(" of database ")
}

fn begin(wait: &SeenWait, at: DateTime<Utc>) -> Episode {
    let began = wait.since.unwrap_or(at).min(at);
    Episode {
        root: wait.root.clone(),
        who: wait.who.clone(),
        through: wait.through.clone(),
        database: wait.database.clone(),
        target: wait.target.clone(),
        on: wait.on.clone(),
        began,
        last_seen: at,
        over_by: None,
        most_waiting: wait.waiting,
        waited_seconds: together(wait.waiting, at - began),
    }
}

fn go_on(episode: &mut Episode, wait: &SeenWait, at: DateTime<Utc>) {
    episode.waited_seconds += together(wait.waiting, at - episode.last_seen);
    episode.last_seen = at;
    if is_nameless(&episode.on) {
        episode.on.clone_from(&wait.on);
    }
    if wait.waiting >= episode.most_waiting {
        episode.most_waiting = wait.waiting;
        episode.through = wait.through.clone().or(episode.through.take());
    }
}

#[expect(clippy::cast_precision_loss, reason = "sessions and an hour")]
fn together(waiting: usize, time: TimeDelta) -> f64 {
    waiting as f64 * time.num_milliseconds() as f64 / 1000.0
}
