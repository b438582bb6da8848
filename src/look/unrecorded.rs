//! Pending migrations as the doctor looks at them: each with what Postgres would say to its statements.

use super::facts::Facts;
use super::migrations::{self, Acting};
use crate::Result;
use crate::cli::MigrationArgs;
use crate::doctor::Pending;
use crate::migration::footprint;
use crate::migration::source::ReadOptions;
use crate::migration::source::Source;
use crate::migration::statement::{TransactionHabit, statements_in};
use std::path::PathBuf;

/// The migrations at these paths that are not recorded, and what is worth saying of the folders.
///
/// # Errors
/// When they, or the catalog, cannot be read.
pub async fn pending(
    facts: &mut Facts,
    paths: &[PathBuf],
    args: &MigrationArgs,
) -> Result<(Vec<Pending>, Vec<String>)> {
    if paths.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    // Each statement by itself: one that would be refused does not take the others with it.
    let options = ReadOptions {
        habit: Some(TransactionHabit::PerStatement),
        ..migrations::options(args)
    };
    let sources = crate::migration::source::sources(paths, &options)?;
    let sources = facts.left_of(sources, &options).await?;
    let notes = sources.iter().flat_map(|s| s.notes.clone()).collect();
    Ok((judged(facts, sources).await?, notes))
}

async fn judged(facts: &mut Facts, sources: Vec<Source>) -> Result<Vec<Pending>> {
    let begins = facts.begins(None).await?;
    let mut statements = Vec::new();
    let mut found = Vec::new();
    for source in sources {
        for migration in source.migrations {
            let own = statements_in(&[migration.script], &begins);
            found.push((source.tool.map(|tool| tool.name), migration.id, own.len()));
            statements.extend(own);
        }
    }
    let catalog = migrations::catalog(facts, &statements, &Acting::default()).await?;
    let mut judged = footprint::of(&statements, catalog, 0)
        .statements
        .into_iter();
    let pending = found.into_iter().map(|(tool, id, count)| Pending {
        tool,
        id,
        statements: judged.by_ref().take(count).collect(),
    });
    Ok(pending.collect())
}
