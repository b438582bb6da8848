//! The questions that a check can ask, one row each.

use super::sight::Sight;
use super::state::Answer;
use super::{backups, leftovers, locks, migrations, transactions};

/// What a mode needs besides one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A look.
    Look,
    /// A look; while users hang, what frees them is said first.
    Advice,
    /// A look and past backup runs.
    History,
    /// A look and a gate's verdict on migrations.
    Verdict,
    /// A look and the doctor's findings.
    Diagnosis,
}

/// One question.
#[derive(Debug)]
pub struct Mode {
    /// The value of `--mode`.
    pub name: &'static str,
    /// What `-w` and `-c` are compared with.
    pub judges: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// `-w` where none of both is given; empty: none.
    pub warning: &'static str,
    /// `-c` where none of both is given; empty: none.
    pub critical: &'static str,
    pub answer: fn(&Sight<'_>) -> Answer,
}

/// All questions; the first is asked when none is named.
pub const MODES: [Mode; 11] = [
    Mode {
        name: "lock-wait",
        judges: "how long the longest wait for a lock has lasted",
        needs: Needs::Advice,
        warning: "30s",
        critical: "5m",
        answer: locks::longest_wait,
    },
    Mode {
        name: "blocked",
        judges: "how many sessions have waited for a lock for at least --for",
        needs: Needs::Advice,
        warning: "0",
        critical: "10",
        answer: locks::blocked,
    },
    Mode {
        name: "idle-in-transaction",
        judges: "how long the longest idle transaction has been idle (its time in that state)",
        needs: Needs::Look,
        warning: "5m",
        critical: "1h",
        answer: transactions::idle,
    },
    Mode {
        name: "oldest-transaction",
        judges: "the age of the oldest transaction, prepared ones included",
        needs: Needs::Look,
        warning: "1h",
        critical: "6h",
        answer: transactions::oldest,
    },
    Mode {
        name: "prepared-transactions",
        judges: "how long ago the oldest transaction was prepared that is still neither committed nor rolled back",
        needs: Needs::Look,
        warning: "5m",
        critical: "1h",
        answer: transactions::prepared,
    },
    Mode {
        name: "backup-running",
        judges: "how long the longest running backup has run",
        needs: Needs::Look,
        warning: "",
        critical: "",
        answer: backups::running,
    },
    Mode {
        name: "backup-overtime",
        judges: "by how much a running backup is over the longest of its past runs",
        needs: Needs::History,
        warning: "10m",
        critical: "1h",
        answer: backups::overtime,
    },
    Mode {
        name: "backup-missing",
        judges: "how long ago the last complete backup of the database ended",
        needs: Needs::History,
        warning: "26h",
        critical: "50h",
        answer: backups::missing,
    },
    Mode {
        name: "migration",
        judges: "how many sessions would block the migrations named in --migration",
        needs: Needs::Verdict,
        warning: "",
        critical: "0",
        answer: migrations::would_block,
    },
    Mode {
        name: "zombie-migrations",
        judges: "how long a migration has held its transaction or its tool's lock without doing anything",
        needs: Needs::Look,
        warning: "5m",
        critical: "30m",
        answer: migrations::zombies,
    },
    Mode {
        name: "leftovers",
        judges: "how many things were left behind by what did not end (pgguard doctor)",
        needs: Needs::Diagnosis,
        warning: "0",
        critical: "",
        answer: leftovers::left_behind,
    },
];

/// The connection by itself: no look, so no row above.
pub const CONNECTION: &str = "connection";

/// The row of a name.
#[must_use]
pub fn mode(name: &str) -> Option<&'static Mode> {
    MODES.iter().find(|mode| mode.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Range;

    #[test]
    fn names_and_default_thresholds_are_sound() {
        for (nth, mode) in MODES.iter().enumerate() {
            assert!(MODES[..nth].iter().all(|other| other.name != mode.name));
            for threshold in [mode.warning, mode.critical] {
                assert!(threshold.is_empty() || threshold.parse::<Range>().is_ok());
            }
        }
    }
}
