//! What a statement locked where it was run on a copy of the schema.

use super::{LockMode, LockWork, RelationName};
use serde::{Deserialize, Serialize};

/// What one statement did on the copy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The relation locks that it took and kept, those that its transaction had before left out.
    pub locks: Vec<MeasuredLock>,
    /// The tables of which it read rows: the copy has none.
    pub reads: Vec<RelationName>,
    /// Why the copy does not show everything.
    pub unclear: Option<String>,
}

/// What came of statements that were run on a copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rehearsed {
    /// The schema's fingerprint.
    pub fingerprint: String,
    /// Worth a line.
    pub notes: Vec<String>,
    /// What each statement did; `None`: it was not measured.
    pub measured: Vec<Option<Measured>>,
}

/// A lock that was seen in `pg_locks` after a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredLock {
    /// The relation as it was called before the first statement; for a TOAST table, the table that it belongs to.
    #[serde(flatten)]
    pub name: RelationName,
    /// Whether it is that table's TOAST table.
    pub is_toast: bool,
    /// How strong the lock is.
    pub mode: LockMode,
    /// What the statement did with the relation.
    pub work: LockWork,
}

/// What the rules foretell of a statement, beside what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Comparison {
    /// Locks that were measured, and that the rules do not foretell.
    pub more: Vec<LockOn>,
    /// Locks that the rules foretell, and that were not measured.
    pub fewer: Vec<LockOn>,
    /// The same where rows decide about it, of which the copy has none: partitions, references, triggers.
    #[serde(default)]
    pub data_dependent: Vec<LockOn>,
    /// Whether the measure answers what the rules could not tell.
    pub answers: bool,
}

/// What the measures of a whole rehearsal came to, beside the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// How many statements there are.
    pub statements: usize,
    /// How many of them were measured.
    pub measured: usize,
    /// How many locks were measured that the rules do not foretell, or the other way round.
    pub differences: usize,
    /// How many locks hang on rows that the copy does not have.
    pub data_dependent: usize,
    /// How many statements have an answer that the rules do not know.
    pub answers: usize,
}

impl Tally {
    /// Of these statements, each with what was measured; `None`: none was.
    pub fn of<'a>(statements: impl Iterator<Item = Option<&'a Comparison>>) -> Option<Self> {
        let mut tally = Self::default();
        for measured in statements {
            tally.statements += 1;
            let Some(measured) = measured else {
                continue;
            };
            tally.measured += 1;
            tally.differences += measured.more.len() + measured.fewer.len();
            tally.data_dependent += measured.data_dependent.len();
            tally.answers += usize::from(measured.answers);
        }
        (tally.measured > 0).then_some(tally)
    }

    /// In words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let count = |n: usize, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let differences = count(
            self.differences,
            "lock is not what the rules predict",
            "locks are not what the rules predict",
        );
        let parts = [
            Some(differences.unwrap_or_else(|| "they lock what the rules predict".into())),
            count(
                self.data_dependent,
                "lock depends on rows, which the copy does not have",
                "locks depend on rows, which the copy does not have",
            ),
            count(
                self.answers,
                "has locks that only the copy shows",
                "have locks that only the copy shows",
            ),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!(
            "{} of {} statements were measured on the copy: {}",
            self.measured,
            self.statements,
            parts.join(", ")
        )
    }
}

/// A mode on a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOn {
    /// By name: the copy's oids are others.
    #[serde(flatten)]
    pub name: RelationName,
    /// How strong the lock is.
    pub mode: LockMode,
}

impl LockMode {
    /// Whether who has this mode keeps out at least everybody whom `other` keeps out.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        other.conflicting().all(|mode| self.conflicts_with(mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_is_told_in_a_line() {
        let lock = LockOn {
            name: RelationName::new("public", "orders"),
            mode: LockMode::Share,
        };
        let differs = Comparison {
            more: vec![lock.clone()],
            fewer: vec![lock.clone()],
            data_dependent: vec![lock],
            answers: false,
        };
        let answers = Comparison {
            answers: true,
            ..Comparison::default()
        };
        let told = |all: &[Option<&Comparison>]| {
            Tally::of(all.iter().copied()).map(|tally| tally.in_words())
        };
        assert_eq!(told(&[None]), None);
        assert_eq!(
            told(&[None, Some(&Comparison::default())]).as_deref(),
            Some("1 of 2 statements were measured on the copy: they lock what the rules predict")
        );
        assert_eq!(
            told(&[Some(&differs), Some(&answers)]).as_deref(),
            Some(
                "2 of 2 statements were measured on the copy: 2 locks are not what the rules predict, \
                 1 lock depends on rows, which the copy does not have, 1 has locks that only the copy shows"
            )
        );
    }

    #[test]
    fn a_mode_covers_what_keeps_out_fewer() {
        assert!(LockMode::AccessExclusive.covers(LockMode::Share));
        assert!(LockMode::ShareRowExclusive.covers(LockMode::Share));
        assert!(!LockMode::Share.covers(LockMode::RowExclusive));
        for mode in LockMode::ALL {
            assert!(
                mode.covers(mode) && mode.covers(LockMode::AccessShare),
                "{mode}"
            );
        }
    }
}
