//! UNDERSTAND: what was left behind on a server by migrations, index builds, backups that did not end as they should.
//!
//! Each question is a function in [`QUESTIONS`]: a [`Case`] (one look, understood) → [`Finding`]s. Nothing in here asks
//! a server, and nothing changes one.
//!
//! | file | what |
//! |---|---|
//! | `finding.rs` | what a finding says |
//! | `case.rs` | what is looked at |
//! | `half.rs`, `zombies.rs`, `prepared.rs`, `tools.rs`, `objects.rs`, `indexes.rs`, `switched_off.rs`, `older.rs`, `backups.rs` | the questions |

mod backups;
mod case;
mod finding;
mod half;
mod indexes;
mod objects;
mod older;
mod prepared;
mod switched_off;
mod tools;
mod zombies;

pub use case::Case;
pub use finding::{Finding, Harm, Place};
pub use half::{Pending, half_applied};

use crate::model::{Unread, quoted};
use std::cmp::Reverse;

/// One question.
type Question = fn(&Case<'_>) -> Vec<Finding>;

/// All questions.
const QUESTIONS: &[Question] = &[
    zombies::zombies,
    prepared::prepared,
    tools::advisory_locks,
    tools::rows,
    objects::left,
    indexes::indexes,
    indexes::detaching,
    switched_off::disabled,
    switched_off::not_valid,
    older::sessions,
    backups::leaked,
    backups::stalled,
    backups::exclusive,
    backups::slots,
];

/// What was found, the most harmful first, and what could not be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diagnosis {
    /// What was left behind, and what is only worth knowing, in order of harm.
    pub findings: Vec<Finding>,
    /// What could not be read: something may be left behind there.
    pub unread: Vec<Unread>,
    /// Worth telling besides.
    pub notes: Vec<String>,
}

impl Diagnosis {
    /// Adds findings, in their place.
    pub fn add(&mut self, findings: Vec<Finding>) {
        self.findings.extend(findings);
        self.findings.sort_by_key(|f| {
            (
                f.harm,
                Reverse(f.certainty),
                f.kind,
                f.since.is_none(),
                f.since,
            )
        });
    }

    /// How many of them are more than worth knowing.
    #[must_use]
    pub fn count(&self) -> usize {
        let harmful = self.findings.iter().filter(|f| !f.is_information());
        harmful.count()
    }
}

/// Asks every question.
#[must_use]
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let findings = QUESTIONS.iter().flat_map(|ask| ask(case)).collect();
    let mut unread = case.leftovers.unread.clone();
    unread.extend(hidden(case));
    unread.sort();
    unread.dedup();
    let mut diagnosis = Diagnosis {
        findings: Vec::new(),
        unread,
        notes: older::unknown(case).into_iter().collect(),
    };
    diagnosis.add(findings);
    diagnosis
}

/// Sessions that the role may not see.
fn hidden(case: &Case<'_>) -> Option<Unread> {
    let count = case.snapshot.masked_rows();
    let user = quoted(&case.snapshot.server.user);
    (count > 0).then(|| Unread {
        what: match count {
            1 => format!("what 1 session does is hidden from role {user}"),
            count => format!("what {count} sessions do is hidden from role {user}"),
        },
        help: format!("GRANT pg_monitor TO {user}"),
    })
}
