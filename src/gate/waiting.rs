//! Waiting until it is clear: when to look next, and when to give up. No clock in here; the caller
//! brings the time and sleeps.

use crate::model::{Answer, Verdict};
use chrono::{DateTime, TimeDelta, Utc};

/// How long to wait, and what counts as clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Give up after this long.
    pub at_most: TimeDelta,
    /// Between two looks.
    pub interval: TimeDelta,
    /// Before a second look at somebody who has only just begun.
    pub patience: TimeDelta,
    /// Require this many consecutive clear looks; 0 counts as 1.
    pub stable: u32,
}

/// A wait that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    terms: Terms,
    deadline: DateTime<Utc>,
    clear_in_a_row: u32,
}

/// What to do after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Sleep, then look.
    LookAgain {
        /// How long to sleep; beyond the deadline only before a second look.
        after: TimeDelta,
        /// Whether that is the second look at the same moment: the policy gets this look as its first.
        second_look: bool,
    },
    /// It is over, with this answer.
    Done(Answer),
}

impl Waiting {
    /// Begins to wait.
    #[must_use]
    pub fn begin(terms: Terms, now: DateTime<Utc>) -> Self {
        let deadline = now
            .checked_add_signed(terms.at_most)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self {
            terms,
            deadline,
            clear_in_a_row: 0,
        }
    }

    /// How long is left.
    #[must_use]
    pub fn left(&self, now: DateTime<Utc>) -> TimeDelta {
        (self.deadline - now).max(TimeDelta::zero())
    }

    /// What to do after a look that ended with `verdict` at `now`.
    #[must_use]
    pub fn after_look(&mut self, verdict: &Verdict, now: DateTime<Utc>) -> Next {
        // A slow first look may have taken all the time there was: the second one is part of the same answer.
        if verdict.look_again {
            return Next::LookAgain {
                after: self.terms.patience,
                second_look: true,
            };
        }
        if verdict.answer == Answer::Clear {
            self.clear_in_a_row += 1;
            if self.clear_in_a_row >= self.terms.stable.max(1) {
                return Next::Done(Answer::Clear);
            }
        } else {
            self.clear_in_a_row = 0;
        }
        // It can never become clear, or not in time.
        if verdict.is_lasting()
            || self.too_late(verdict).is_some()
            || self.left(now) <= TimeDelta::zero()
        {
            return Next::Done(last_word(verdict.answer));
        }
        Next::LookAgain {
            after: self.terms.interval.min(self.left(now)),
            second_look: false,
        }
    }

    /// When it becomes clear at the earliest, if that is well after the deadline: one estimate in ten ends before its
    /// earliest time, so half of what is left is added before anybody is sent away. Without past runs nobody is: a
    /// dump that stalls for a moment looks as if it took hours.
    #[must_use]
    pub fn too_late(&self, verdict: &Verdict) -> Option<DateTime<Utc>> {
        let waits = verdict.statements.iter().flat_map(|s| &s.waits);
        let earliest = waits
            .filter(|wait| wait.counts)
            .filter_map(|wait| {
                wait.clears
                    .as_ref()
                    .filter(|clears| clears.from_past_runs)?
                    .earliest
            })
            .max()?;
        let well_after = self.deadline + self.terms.at_most / 2;
        (verdict.answer == Answer::WouldBlock && earliest > well_after).then_some(earliest)
    }
}

/// At the deadline: clear, but not as often in a row as asked for, is not clear.
const fn last_word(answer: Answer) -> Answer {
    match answer {
        Answer::Clear => Answer::WouldBlock,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::wait_for_tests::behind_a_dump;
    use crate::model::{Clears, Doubt, StatementVerdict};

    const TERMS: Terms = Terms {
        at_most: TimeDelta::seconds(30),
        interval: TimeDelta::seconds(5),
        patience: TimeDelta::seconds(1),
        stable: 1,
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn verdict(answer: Answer) -> Verdict {
        Verdict {
            running: Vec::new(),
            answer,
            statements: Vec::new(),
            doubts: Vec::new(),
            warnings: Vec::new(),
            look_again: false,
            accepted: Vec::new(),
        }
    }

    fn again(seconds: i64) -> Next {
        Next::LookAgain {
            after: TimeDelta::seconds(seconds),
            second_look: false,
        }
    }

    #[test]
    fn it_looks_again_until_it_is_clear() {
        let mut waiting = Waiting::begin(TERMS, at(0));
        assert_eq!(
            waiting.after_look(&verdict(Answer::WouldBlock), at(0)),
            again(5)
        );
        assert_eq!(
            waiting.after_look(&verdict(Answer::CannotTell), at(5)),
            again(5)
        );
        assert_eq!(
            waiting.after_look(&verdict(Answer::Clear), at(10)),
            Next::Done(Answer::Clear)
        );
    }

    #[test]
    fn the_last_look_is_at_the_deadline_and_its_answer_stands() {
        let mut waiting = Waiting::begin(TERMS, at(0));
        assert_eq!(
            waiting.after_look(&verdict(Answer::WouldBlock), at(28)),
            again(2)
        );
        assert_eq!(
            waiting.after_look(&verdict(Answer::WouldBlock), at(30)),
            Next::Done(Answer::WouldBlock)
        );
        let mut waiting = Waiting::begin(TERMS, at(0));
        assert_eq!(
            waiting.after_look(&verdict(Answer::CannotTell), at(31)),
            Next::Done(Answer::CannotTell)
        );
    }

    #[test]
    fn clear_must_be_seen_in_a_row() {
        let terms = Terms { stable: 3, ..TERMS };
        let mut waiting = Waiting::begin(terms, at(0));
        for (second, answer) in [
            (0, Answer::Clear),
            (5, Answer::Clear),
            (10, Answer::WouldBlock),
            (15, Answer::Clear),
            (20, Answer::Clear),
        ] {
            assert_eq!(waiting.after_look(&verdict(answer), at(second)), again(5));
        }
        assert_eq!(
            waiting.after_look(&verdict(Answer::Clear), at(25)),
            Next::Done(Answer::Clear)
        );
    }

    #[test]
    fn clear_too_late_to_be_seen_often_enough_is_not_clear() {
        let terms = Terms { stable: 2, ..TERMS };
        let mut waiting = Waiting::begin(terms, at(0));
        assert_eq!(
            waiting.after_look(&verdict(Answer::Clear), at(30)),
            Next::Done(Answer::WouldBlock)
        );
    }

    #[test]
    fn a_lasting_doubt_ends_the_wait_at_once() {
        let mut unsure = verdict(Answer::CannotTell);
        unsure.doubts.push(Doubt {
            statement: None,
            what: "this server is a standby".into(),
            help: "connect to the primary".into(),
            lasting: true,
            accepts: None,
        });
        let mut waiting = Waiting::begin(TERMS, at(0));
        assert_eq!(
            waiting.after_look(&unsure, at(0)),
            Next::Done(Answer::CannotTell)
        );
    }

    #[test]
    fn only_past_runs_send_away_before_the_deadline() {
        // 30 s to wait: a dump that ends in 46 s at the earliest ends too late, by what past runs tell.
        for (earliest, from_past_runs, next) in [
            (46, true, Next::Done(Answer::WouldBlock)),
            (44, true, again(5)),
            (4600, false, again(5)),
        ] {
            let mut behind = verdict(Answer::WouldBlock);
            let clears = Clears {
                earliest: Some(at(earliest)),
                expected: None,
                latest: None,
                basis: String::new(),
                from_past_runs,
            };
            behind.statements.push(StatementVerdict {
                waits: vec![behind_a_dump(1, Some(clears))],
                ..StatementVerdict::default()
            });
            let mut waiting = Waiting::begin(TERMS, at(0));
            assert_eq!(waiting.after_look(&behind, at(0)), next, "{earliest}");
        }
    }

    #[test]
    fn who_has_only_just_begun_is_looked_at_again_after_the_patience() {
        let mut young = verdict(Answer::CannotTell);
        young.look_again = true;
        let mut waiting = Waiting::begin(TERMS, at(0));
        assert_eq!(
            waiting.after_look(&young, at(0)),
            Next::LookAgain {
                after: TimeDelta::seconds(1),
                second_look: true
            }
        );
    }
}
