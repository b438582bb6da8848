//! Which scripts a command is about: what was named, as its tool runs it.

use crate::Result;
use crate::cli::{MigrationArgs, Transaction};
use crate::migration::source::{self, ReadOptions, Source};
use crate::migration::statement::TransactionHabit;
use std::path::PathBuf;

/// How to read them, by the flags.
#[must_use]
pub fn options(args: &MigrationArgs) -> ReadOptions {
    ReadOptions {
        tool: args.tool.clone(),
        habit: args.transaction.map(|habit| match habit {
            Transaction::Statement => TransactionHabit::PerStatement,
            Transaction::File => TransactionHabit::PerScript,
            Transaction::Run => TransactionHabit::WholeRun,
        }),
    }
}

/// Reads what was named.
///
/// # Errors
/// See [`source::sources`].
pub fn read(paths: &[PathBuf], args: &MigrationArgs) -> Result<Vec<Source>> {
    source::sources(paths, &options(args))
}
