//! Which scripts a command is about: what was named, as its tool runs it.

use super::facts::Facts;
use crate::Result;
use crate::cli::{MigrationArgs, Transaction};
use crate::migration::footprint;
use crate::migration::source::{self, ReadOptions, Source};
use crate::migration::statement::{SourceStatement, TransactionHabit};
use crate::model::Catalog;
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

/// The catalog behind the statements, with the role that the session acts in.
///
/// # Errors
/// When the server fails the question.
pub async fn catalog(
    facts: &mut Facts,
    statements: &[SourceStatement],
    args: &MigrationArgs,
) -> Result<Catalog> {
    let mut reach = footprint::reach(statements);
    reach.acting.extend(args.role.clone());
    let mut catalog = facts.catalog(&reach).await?;
    catalog.session.acting.clone_from(&args.role);
    Ok(catalog)
}
