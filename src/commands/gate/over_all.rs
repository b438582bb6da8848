//! One verdict over all servers that were asked.

use super::subject::Subject;
use crate::gate;
use crate::model::{Answer, Footprint, Outlook, Snapshot, Verdict};
use crate::sessions::understand;

/// One verdict over all servers: one that would block decides, then one that cannot tell.
pub(super) fn over_all(subjects: &[Subject]) -> Verdict {
    let looked = || subjects.iter().filter_map(|s| s.last.as_ref());
    let answers: Vec<Answer> = looked().map(|l| l.verdict.answer).collect();
    let answer = [Answer::WouldBlock, Answer::WouldFail, Answer::CannotTell]
        .into_iter()
        .find(|a| answers.contains(a))
        .unwrap_or(if answers.len() == subjects.len() {
            Answer::Clear
        } else {
            Answer::CannotTell
        });
    Verdict {
        running: Vec::new(),
        answer,
        statements: looked()
            .flat_map(|l| l.verdict.statements.clone())
            .collect(),
        doubts: looked().flat_map(|l| l.verdict.doubts.clone()).collect(),
        warnings: Vec::new(),
        // Where one blocks, what another is not sure of changes nothing.
        look_again: looked()
            .filter(|l| l.verdict.answer == answer)
            .any(|l| l.verdict.look_again),
        accepted: Vec::new(),
    }
}

/// The worst outlook of all; `None`: no later time was asked about.
pub(super) fn outlook(subjects: &[Subject], asked: bool) -> Option<Outlook> {
    let looked = subjects.iter().filter_map(|s| s.last.as_ref());
    let of_each = looked.map(|l| l.forecast.as_ref().map_or(Outlook::Unknown, |f| f.outlook));
    asked.then(|| of_each.max().unwrap_or(Outlook::Unknown))
}

/// A standby whose primary is asked too runs no migration, it replays one: that cancels sessions there, and
/// keeps nobody waiting here.
pub(super) fn judge_standbys(subjects: &mut [Subject]) {
    let looked = |subject: &Subject| -> Option<(Snapshot, Footprint)> {
        let last = subject.last.as_ref()?;
        let look = last.look.as_ref()?;
        Some((look.snapshot.clone(), last.footprint.clone()))
    };
    let is_primary = |(snapshot, _): &(Snapshot, Footprint)| !snapshot.server.in_recovery;
    if subjects.len() < 2 {
        return;
    }
    let primaries: Vec<_> = subjects
        .iter()
        .filter_map(looked)
        .filter(is_primary)
        .collect();
    for Subject { target, last, .. } in subjects {
        let Some(last) = last else {
            continue;
        };
        let Some(standby) = last.look.as_ref().map(|look| &look.snapshot) else {
            continue;
        };
        let primary = primaries
            .iter()
            .find(|(primary, _)| gate::standby::is_of(standby, primary));
        if let Some((_, footprint)) = primary {
            last.verdict = Verdict {
                running: Vec::new(),
                answer: Answer::Clear,
                statements: Vec::new(),
                doubts: Vec::new(),
                warnings: gate::standby::warnings(
                    footprint,
                    standby,
                    &understand(standby),
                    target.as_ref().map_or(&last.database, |t| &t.name),
                ),
                look_again: false,
                accepted: Vec::new(),
            };
            last.footprint = Footprint::default();
        }
    }
}
