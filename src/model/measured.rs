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
    /// The mode.
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
    /// Whether the measure answers what the rules could not tell.
    pub answers: bool,
}

/// A mode on a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOn {
    /// The relation.
    #[serde(flatten)]
    pub name: RelationName,
    /// The mode.
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
