//! What a query does to a relation, in the words of triggers and rules.

use crate::model::Oid;

/// What is done to a relation that a query names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    Read,
    Insert,
    Update,
    Delete,
}

impl Deed {
    /// The event of a trigger.
    #[must_use]
    pub const fn event(self) -> i16 {
        match self {
            Self::Read => 0,
            Self::Insert => ON_INSERT,
            Self::Update => ON_UPDATE,
            Self::Delete => ON_DELETE,
        }
    }

    /// `pg_rewrite.ev_type` of a rule for it.
    #[must_use]
    pub const fn rule(self) -> char {
        match self {
            Self::Read => '1',
            Self::Update => '2',
            Self::Insert => '3',
            Self::Delete => '4',
        }
    }
}

/// An insertion: which columns it gives values for.
#[derive(Debug, Clone)]
pub struct Insert {
    pub table: Oid,
    /// `None`: all, in order, as many as the first row has.
    pub columns: Option<Vec<String>>,
    /// Gives a row at least: VALUES, where a query may find none.
    pub has_rows: bool,
    /// Makes rows; else an UPDATE that sets columns to their defaults.
    pub is_new_row: bool,
}

/// `TRIGGER_TYPE_ROW`, a bit of `pg_trigger.tgtype` as those below.
pub const FOR_EACH_ROW: i16 = 1;

/// `TRIGGER_TYPE_BEFORE`
pub const BEFORE: i16 = 2;

pub const ON_INSERT: i16 = 4;

pub const ON_DELETE: i16 = 8;

pub const ON_UPDATE: i16 = 16;

/// TRUNCATE.
pub const ON_TRUNCATE: i16 = 32;

/// `TRIGGER_TYPE_INSTEAD`
pub const INSTEAD: i16 = 64;

/// What becomes of the columns of the rows that are written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Those that an UPDATE sets.
    pub set: Vec<String>,
    /// Those that are NULL afterwards: that an UPDATE sets to it, that an INSERT gives no value.
    pub null: Vec<String>,
}
