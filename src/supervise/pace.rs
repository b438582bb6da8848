//! How fast the steps of a run's long statements go, and when each ends.

use super::sight::{Sight, Step};
use crate::model::{BackendIdentity, RunFacts, RunStep};
use chrono::{DateTime, TimeDelta, Utc};

/// Before this a step has no pace: its first blocks come from memory, or not at all.
const AT_LEAST: TimeDelta = TimeDelta::seconds(3);

/// So many steps are kept.
const MOST: usize = 100;

/// The steps that were seen, in their order.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    steps: Vec<Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    session: BackendIdentity,
    step: Step,
    begun: DateTime<Utc>,
    first: i64,
    last: DateTime<Utc>,
}

impl Pace {
    /// Takes in a look.
    pub fn note(&mut self, sight: &Sight) {
        for session in &sight.own {
            if let Some(step) = &session.step {
                self.note_step(session.identity, step, sight.at);
            }
        }
    }

    fn note_step(&mut self, session: BackendIdentity, step: &Step, at: DateTime<Utc>) {
        let known = self
            .steps
            .iter_mut()
            .rev()
            .find(|seen| seen.session == session);
        if let Some(seen) = known.filter(|seen| seen.is_continued_by(step)) {
            seen.step.clone_from(step);
            seen.last = at;
        } else if self.steps.len() < MOST {
            self.steps.push(Seen {
                session,
                step: step.clone(),
                begun: at,
                first: step.part.map_or(0, |(done, _)| done),
                last: at,
            });
        }
    }

    /// How long the step that a session is in still takes, at the pace that was seen.
    #[must_use]
    pub fn left(&self, session: BackendIdentity) -> Option<TimeDelta> {
        let mut seen = self.steps.iter().rev();
        seen.find(|seen| seen.session == session)?.left()
    }

    /// When the last of the steps that go on ends.
    #[must_use]
    pub fn end(&self, sight: &Sight) -> Option<DateTime<Utc>> {
        let working = sight.own.iter().filter(|session| session.step.is_some());
        let left = working
            .filter_map(|session| self.left(session.identity))
            .max()?;
        sight.at.checked_add_signed(left)
    }

    /// Writes down how long each step took.
    pub fn put_into(&self, facts: &mut RunFacts) {
        let steps = self.steps.iter().map(|seen| RunStep {
            what: seen.step.what.clone(),
            took_s: crate::words::seconds(seen.last - seen.begun),
            done: seen.step.part.map(|(done, _)| done),
            total: seen.step.part.map(|(_, total)| total),
        });
        facts.steps = steps.collect();
    }
}

impl Seen {
    /// Counters that go back belong to the same phase of another index, or of another table.
    fn is_continued_by(&self, step: &Step) -> bool {
        let goes_on = match (self.step.part, step.part) {
            (Some((before, _)), Some((now, _))) => now >= before,
            _ => true,
        };
        self.step.what == step.what && goes_on
    }

    fn left(&self) -> Option<TimeDelta> {
        let (done, total) = self.step.part?;
        let took = self.last - self.begun;
        let passed = i128::from(done - self.first);
        if took < AT_LEAST || passed <= 0 {
            return None;
        }
        let left = i128::from(took.num_milliseconds()) * i128::from(total - done) / passed;
        TimeDelta::try_milliseconds(i64::try_from(left).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_an_end_once_its_pace_is_seen() {
        let at = |s: i64| DateTime::UNIX_EPOCH + TimeDelta::seconds(s);
        let session = BackendIdentity {
            pid: 5,
            backend_start: None,
        };
        let step = |what: &str, part| Step {
            what: what.into(),
            part,
            rows: None,
        };
        let mut pace = Pace::default();
        pace.note_step(session, &step("scanning", Some((10, 100))), at(0));
        assert_eq!(pace.left(session), None, "nothing is seen yet");
        pace.note_step(session, &step("scanning", Some((40, 100))), at(6));
        assert_eq!(pace.left(session), Some(TimeDelta::seconds(12)));
        pace.note_step(session, &step("sorting", None), at(9));
        assert_eq!(pace.left(session), None, "a sort counts nothing");
        pace.note_step(session, &step("sorting", None), at(11));
        let mut facts = RunFacts::default();
        pace.put_into(&mut facts);
        let told: Vec<(&str, f64)> = facts.steps.iter().map(|s| (&*s.what, s.took_s)).collect();
        assert_eq!(told, [("scanning", 6.0), ("sorting", 2.0)]);
    }
}
