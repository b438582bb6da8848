//! What clears by itself, and what therefore does not count: an ordinary autovacuum, which a waiter
//! cancels, and a transaction that is over in a moment.

use super::blocker::Owner;
use super::scene::Scene;
use super::timeouts::Timeouts;
use crate::model::{Backend, ClearsBy};
use crate::sessions::prevents_wraparound;

/// What a blocker means for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It counts.
    Counts,
    /// It clears by itself.
    Clears(ClearsBy),
    /// Whether it counts depends on something that the role may not see.
    Hidden,
}

/// Whether an autovacuum gives way to a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Autovacuum {
    Yields,
    Never,
    Unknown,
}

/// deadlock_timeout defaults to one second. Where it is longer than this, readers would stall that long behind a
/// waiter that waits for an autovacuum: then it counts.
const LONGEST_YIELD_MS: i64 = 10_000;

/// What a blocker means. `directly`: the statement waits for the owner itself, not behind it in the
/// queue; only then does it cancel an autovacuum.
#[must_use]
pub fn weight(
    scene: &Scene,
    owner: Owner,
    directly: bool,
    fails_at_once: bool,
    timeouts: Timeouts,
) -> Weight {
    if directly && let Some(kind) = owner.backend(scene).and_then(autovacuum) {
        let yields_in = scene.snapshot.server.deadlock_timeout_ms;
        match kind {
            Autovacuum::Unknown => return Weight::Hidden,
            Autovacuum::Yields
                if !fails_at_once
                    && yields_in <= LONGEST_YIELD_MS
                    && !timeouts.end_within(yields_in) =>
            {
                return Weight::Clears(ClearsBy::Autovacuum);
            }
            Autovacuum::Yields | Autovacuum::Never => {}
        }
    }
    match owner.has_outlived_patience(scene) {
        Some(true) => Weight::Counts,
        Some(false) => Weight::Clears(ClearsBy::Young),
        None => Weight::Clears(ClearsBy::NotSeenTwice),
    }
}

/// Whether a backend is an autovacuum worker, and of which kind.
///
/// A waiter that finds itself blocked directly by an autovacuum worker cancels it after
/// `deadlock_timeout`, unless that one prevents wraparound (`ProcSleep` in proc.c, `DeadLockCheck`).
/// Only the running worker's text tells: the table's age does not, since a worker that began as an
/// ordinary one stays cancellable.
fn autovacuum(backend: &Backend) -> Option<Autovacuum> {
    if !is_autovacuum(backend) {
        return None;
    }
    let text = &backend.query;
    Some(if backend.masked {
        Autovacuum::Unknown
    } else if prevents_wraparound(backend) {
        Autovacuum::Never
    } else if text.starts_with("autovacuum:") && !backend.query_truncated {
        Autovacuum::Yields
    } else {
        Autovacuum::Unknown
    })
}

/// Whether a backend is an autovacuum worker. In a masked row the type is hidden; a process of a
/// database without a role is one (`pg_stat_get_activity` shows `usesysid` to everybody).
#[must_use]
pub fn is_autovacuum(backend: &Backend) -> bool {
    match backend.backend_type.as_deref() {
        Some(kind) => kind == "autovacuum worker",
        None => backend.masked && backend.usename.is_none() && backend.datid.is_some(),
    }
}
