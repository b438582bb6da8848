//! The words of a row on the tool itself.

use super::folder::Folder;
use super::key::Key;
use super::sending::Reading;
use super::sending::TransactionHabit::{self, PerScript};
use super::trace::Trace;
use crate::model::{LockMode, RelationName};

/// One migration tool.
#[derive(Debug)]
pub struct Tool {
    /// What people call it.
    pub name: &'static str,
    /// Its advisory key, where it takes one.
    pub key: Option<Key>,
    /// Its table of applied migrations, without schema.
    pub version_table: Option<&'static str>,
    /// The schema of its tables, where it has one of its own.
    pub schema: Option<&'static str>,
    /// A further table that it locks, or has a lock row in.
    pub lock_table: Option<&'static str>,
    /// Further tables that its first run makes.
    pub makes: &'static [&'static str],
    /// A schema that its first run makes, and everything in it.
    pub makes_schema: Option<&'static str>,
    /// How the row of its version table begins that its first run writes, and that is no migration.
    pub first_row: Option<&'static str>,
    /// `application_name` that it sets itself, or begins with: a hint.
    pub application_name: Option<&'static str>,
    /// How it opens transactions.
    pub habit: TransactionHabit,
    /// How it locks its version table before a run; most only write to it.
    pub table_lock: LockMode,
    /// What it reads in a text that it sends.
    pub reading: Reading,
    /// Settings that it puts back before each migration.
    pub puts_back: &'static [&'static str],
    /// Whether it leaves out a byte order mark.
    pub strips_mark: bool,
    /// The comments that keep a statement together, where it ends one at each line with a semicolon at its end.
    pub keeps_together: Option<(&'static str, &'static str)>,
    /// The column of its version table that says when a migration was applied, where it is a timestamptz.
    pub applied_at: Option<&'static str>,
    /// What a run that did not end leaves in its tables.
    pub traces: &'static [Trace],
    /// Its folder; `None`: its migrations are code.
    pub folder: Option<Folder>,
}

impl Tool {
    /// Its name in one word, as `--tool` takes it: `golang-migrate`, `efcore`.
    #[must_use]
    pub fn word(&self) -> String {
        self.name.to_ascii_lowercase().replace(' ', "")
    }

    /// Whether it keeps its books, or a lock row, in a table of this name.
    #[must_use]
    pub fn has_table(&self, table: &RelationName) -> bool {
        [self.version_table, self.lock_table].contains(&Some(table.relation.as_str()))
            && self.schema.is_none_or(|schema| schema == table.schema)
    }
}

/// What most rows have in common.
pub(super) const TOOL: Tool = Tool {
    name: "",
    key: None,
    version_table: None,
    schema: None,
    lock_table: None,
    makes: &[],
    makes_schema: None,
    first_row: None,
    application_name: None,
    habit: PerScript,
    table_lock: LockMode::RowExclusive,
    reading: Reading::Server,
    puts_back: &[],
    strips_mark: false,
    keeps_together: None,
    applied_at: None,
    traces: &[],
    folder: None,
};
