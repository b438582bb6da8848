//! What the folder of a tool looks like, how its files run, and how its version table says what is applied.

use super::layout::{File, Layout};
use super::likeness::Likeness;
use super::list::Listed;
use super::name::Named;
use super::sending::TransactionHabit;
use crate::error::Result;

/// The migrations of a tool that keeps them as files that can be read.
#[derive(Debug)]
pub struct Folder {
    /// What it holds, for a message.
    pub expects: &'static str,
    /// How much a layout looks like it.
    pub recognised: fn(&Layout) -> Likeness,
    /// Which files are migrations, and in which order.
    pub files: Files,
    /// Which part of a file goes up.
    pub marks: Marks,
    /// A comment with which a file opts out of the tool's transaction habit, and how it then runs.
    pub opt_out: Option<(&'static str, TransactionHabit)>,
    /// Another way in which a file says how it runs.
    pub own_habit: Option<fn(&Layout, &File) -> Option<TransactionHabit>>,
    /// Whether a file with a statement that cannot run in a transaction runs without one (PostgreSQLParser.java,
    /// `detectCanExecuteInTransaction`).
    pub runs_alone: bool,
    /// Endings of migrations that are code: they run among the others, and nobody knows what they do.
    pub code: &'static [&'static str],
    /// How the version table says what is applied.
    pub books: Books,
}

/// What most folders have in common: one migration a file, all of it.
pub(super) const FILES: Folder = Folder {
    expects: "",
    recognised: |_| Likeness::None,
    files: Files::Changesets,
    marks: Marks::WHOLE,
    opt_out: None,
    own_habit: None,
    runs_alone: false,
    code: &[],
    books: listed(&[], ""),
};

/// Which files are migrations, and in which order.
#[derive(Debug)]
pub enum Files {
    /// By their names.
    Named(fn(&str) -> Option<Named>),
    /// By a list in a file of its own.
    Listed(fn(&Layout) -> Result<Listed>),
    /// Several in each file, the files by name.
    Changesets,
}

/// How a tool marks the parts of a file, in comments. Each mark is the beginning of a comment's text, lower case,
/// with single spaces and without the dashes.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// Begins the part that goes up; empty: the file begins with it.
    pub up: &'static str,
    /// Begins the part that goes down; empty: there is none.
    pub down: &'static str,
    /// Whether a file without the first mark goes up as a whole (else its tool refuses it).
    pub whole_without: bool,
}

impl Marks {
    /// The file is one part.
    pub const WHOLE: Self = Self {
        up: "",
        down: "",
        whole_without: true,
    };

    /// The tool refuses a file without the first mark.
    pub const fn between(up: &'static str, down: &'static str) -> Self {
        Self {
            up,
            down,
            whole_without: false,
        }
    }
}

/// How a version table is known, and what its rows mean.
#[derive(Debug, Clone, Copy)]
pub struct Books {
    /// Columns by which it is known: several tools give their tables the same name.
    pub columns: &'static [&'static str],
    /// Columns that another tool's table of that name has.
    pub lacks: &'static [&'static str],
    /// How a row says that a migration is applied.
    pub check: Check,
    /// Reads `{table}` as (id text, whether it was finished, checksum text), the last row of an id being the one
    /// that counts.
    pub query: &'static str,
    /// An id of the table as the files have it; `None`: it is in that form.
    pub normal: fn(&str) -> Option<String>,
}

/// How a row says that a migration is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It names it.
    Listed,
    /// It names it or a later one, by number.
    UpTo,
}

/// A version table with a row for each migration.
pub const fn listed(columns: &'static [&'static str], query: &'static str) -> Books {
    Books {
        columns,
        lacks: &[],
        check: Check::Listed,
        query,
        normal: |_| None,
    }
}

impl Books {
    /// The query on a table whose name is quoted as an identifier already.
    #[must_use]
    pub fn query_on(&self, table: &str) -> String {
        self.query.replace("{table}", table)
    }

    /// Whether a table with these columns is this tool's.
    #[must_use]
    pub fn is_known_by(&self, columns: &[String]) -> bool {
        let has = |name: &&str| columns.iter().any(|column| column == name);
        self.columns.iter().all(has) && !self.lacks.iter().any(has)
    }
}
