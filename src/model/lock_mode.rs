//! The eight table-level lock modes and which of them exclude each other.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A table-level lock mode, weakest first.
///
/// Source: <https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES>;
/// the numbers are those of `lockdefs.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LockMode {
    /// `SELECT` and whatever else only reads.
    #[serde(rename = "ACCESS SHARE")]
    AccessShare = 1,
    /// `SELECT … FOR UPDATE` and its kin.
    #[serde(rename = "ROW SHARE")]
    RowShare,
    /// `INSERT`, `UPDATE`, `DELETE`, `MERGE`.
    #[serde(rename = "ROW EXCLUSIVE")]
    RowExclusive,
    /// `VACUUM`, `ANALYZE`, `CREATE INDEX CONCURRENTLY`, some `ALTER TABLE`.
    #[serde(rename = "SHARE UPDATE EXCLUSIVE")]
    ShareUpdateExclusive,
    /// `CREATE INDEX`.
    #[serde(rename = "SHARE")]
    Share,
    /// `CREATE TRIGGER`, `ADD FOREIGN KEY`.
    #[serde(rename = "SHARE ROW EXCLUSIVE")]
    ShareRowExclusive,
    /// `REFRESH MATERIALIZED VIEW CONCURRENTLY`.
    #[serde(rename = "EXCLUSIVE")]
    Exclusive,
    /// `DROP TABLE`, `TRUNCATE`, `VACUUM FULL`, most `ALTER TABLE`.
    #[serde(rename = "ACCESS EXCLUSIVE")]
    AccessExclusive,
}

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

const X: bool = true;
const O: bool = false;

/// Row: the mode that is asked for; column: the mode that somebody else has.
///
/// Source: `LockConflicts[]` in `lock.c`, the table "Conflicting Lock Modes" of the docs.
#[rustfmt::skip]
const CONFLICTS: [[bool; 8]; 8] = [
    //                             AS RS RX SUE S SRX X AX
    /* ACCESS SHARE           */ [ O, O, O, O, O, O, O, X ],
    /* ROW SHARE              */ [ O, O, O, O, O, O, X, X ],
    /* ROW EXCLUSIVE          */ [ O, O, O, O, X, X, X, X ],
    /* SHARE UPDATE EXCLUSIVE */ [ O, O, O, X, X, X, X, X ],
    /* SHARE                  */ [ O, O, X, X, O, X, X, X ],
    /* SHARE ROW EXCLUSIVE    */ [ O, O, X, X, X, X, X, X ],
    /* EXCLUSIVE              */ [ O, X, X, X, X, X, X, X ],
    /* ACCESS EXCLUSIVE       */ [ X, X, X, X, X, X, X, X ],
];

/// SQL's name, the name in `pg_locks.mode`, and what a holder keeps others from doing.
#[rustfmt::skip]
const WORDS: [(LockMode, &str, &str, &str); 8] = [
    (AccessShare,          "ACCESS SHARE",           "AccessShareLock",          "ACCESS EXCLUSIVE requests"),
    (RowShare,             "ROW SHARE",              "RowShareLock",             "EXCLUSIVE and ACCESS EXCLUSIVE requests"),
    (RowExclusive,         "ROW EXCLUSIVE",          "RowExclusiveLock",         "index builds and most DDL"),
    (ShareUpdateExclusive, "SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock", "vacuum, index builds and DDL"),
    (Share,                "SHARE",                  "ShareLock",                "writes, vacuum and DDL"),
    (ShareRowExclusive,    "SHARE ROW EXCLUSIVE",    "ShareRowExclusiveLock",    "writes, vacuum, index builds and DDL"),
    (Exclusive,            "EXCLUSIVE",              "ExclusiveLock",            "everything but plain reads"),
    (AccessExclusive,      "ACCESS EXCLUSIVE",       "AccessExclusiveLock",      "reads and writes"),
];

impl LockMode {
    /// All modes, weakest first.
    pub const ALL: [Self; 8] = [
        AccessShare,
        RowShare,
        RowExclusive,
        ShareUpdateExclusive,
        Share,
        ShareRowExclusive,
        Exclusive,
        AccessExclusive,
    ];

    /// Whether a request in this mode must wait for somebody who has `other` (symmetric).
    #[must_use]
    pub const fn conflicts_with(self, other: Self) -> bool {
        CONFLICTS[self as usize - 1][other as usize - 1]
    }

    /// The modes that exclude this one, weakest first.
    pub fn conflicting(self) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |&other| self.conflicts_with(other))
    }

    /// The name in SQL, such as `ACCESS EXCLUSIVE`.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        WORDS[self as usize - 1].1
    }

    /// The name in `pg_locks.mode`, such as `AccessExclusiveLock`.
    #[must_use]
    pub const fn pg_locks_name(self) -> &'static str {
        WORDS[self as usize - 1].2
    }

    /// What others cannot do while this mode is held or waited for.
    #[must_use]
    pub const fn keeps_out(self) -> &'static str {
        WORDS[self as usize - 1].3
    }

    /// Reads `pg_locks.mode`; `None` for modes of other lock types (`SIReadLock`).
    #[must_use]
    pub fn from_pg_locks(name: &str) -> Option<Self> {
        WORDS.iter().find(|w| w.2 == name).map(|w| w.0)
    }

    /// Reads SQL's name in any case, as in `LOCK TABLE … IN … MODE`.
    #[must_use]
    pub fn from_sql(name: &str) -> Option<Self> {
        WORDS
            .iter()
            .find(|w| w.1.eq_ignore_ascii_case(name))
            .map(|w| w.0)
    }

    /// The mode of a `lockdefs.h` number, 1 to 8.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_symmetric() {
        for a in LockMode::ALL {
            for b in LockMode::ALL {
                assert_eq!(a.conflicts_with(b), b.conflicts_with(a), "{a} and {b}");
            }
        }
    }

    #[test]
    fn share_admits_itself_but_not_share_update_exclusive() {
        assert!(!Share.conflicts_with(Share));
        assert!(Share.conflicts_with(ShareUpdateExclusive));
    }

    #[test]
    fn every_name_reads_back() {
        for mode in LockMode::ALL {
            assert_eq!(LockMode::from_sql(&mode.sql().to_lowercase()), Some(mode));
            assert_eq!(LockMode::from_pg_locks(mode.pg_locks_name()), Some(mode));
            assert_eq!(LockMode::from_number(mode as i32), Some(mode));
        }
        assert_eq!(LockMode::from_number(0), None);
        assert_eq!(LockMode::from_pg_locks("SIReadLock"), None);
    }
}
