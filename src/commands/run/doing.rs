//! What a session of the run does, in words.

use crate::model::RunWait;
use crate::supervise::OwnSession;
use crate::words::{many, span};
use chrono::TimeDelta;

/// A statement that has run for longer is told with that.
const WORTH_TELLING: TimeDelta = TimeDelta::seconds(10);

/// What a session does, in words, and a key that is the same as long as it does the same.
pub fn doing(session: &OwnSession, left: Option<TimeDelta>) -> (String, String) {
    let OwnSession {
        identity,
        statement,
        ..
    } = session;
    if let Some(wait) = &session.wait {
        let behind = match session.behind.len() {
            0 => String::new(),
            count => format!("; {} behind it", many(count, "session")),
        };
        let text = format!(
            "pid {} waits for {} on {}, behind {}{behind}: {statement}",
            identity.pid,
            wait.mode,
            wait.target,
            in_the_way(wait)
        );
        return (
            format!("{statement} {:?} {}", wait.pid, session.behind.is_empty()),
            text,
        );
    }
    match &session.step {
        Some(step) => {
            let end = left.map_or_else(String::new, |left| {
                format!(", this step ends in ~{}", span(left))
            });
            (
                format!("{} {}", step.what, left.is_some()),
                format!("pid {} at work, {}{end}", identity.pid, step.in_words()),
            )
        }
        None if session.is_idle_in_transaction() => (
            format!("idle {statement}"),
            format!(
                "pid {} is idle in its transaction, after: {statement}",
                identity.pid
            ),
        ),
        // Of REFRESH MATERIALIZED VIEW, and of an ALTER TABLE that rewrites, no view shows how far it is.
        None => {
            let long = session.runs_for >= WORTH_TELLING;
            let runs = long.then(|| format!(" for {}", span(session.runs_for)));
            let text = format!(
                "pid {} at work{}: {statement}",
                identity.pid,
                runs.unwrap_or_default()
            );
            (statement.clone(), text)
        }
    }
}

/// Who is in the way.
pub fn in_the_way(wait: &RunWait) -> &str {
    &wait.who
}
