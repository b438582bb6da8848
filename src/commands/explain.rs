//! `pgguard explain`: the lock footprint alone.

use super::screen;
use crate::Result;
use crate::cli::{Color, ExplainArgs, Format};
use crate::door::{self, Form};
use crate::look::facts::Facts;
use crate::look::migrations::{self, Acting};
use crate::migration::footprint;
use crate::migration::statement::statements_in;
use crate::report::{explain_json, explain_text};

/// Runs the command.
///
/// # Errors
/// When the migration cannot be read, or the catalog behind it.
pub async fn run(args: ExplainArgs, color: Color) -> Result<u8> {
    let sources = migrations::read(&args.migrations, &args.migration)?;
    let mut facts = match &args.from.catalog {
        Some(path) => Facts::of_catalog(path)?,
        None => Facts::open(&args.connect, &args.record, 0).await?,
    };
    let options = migrations::options(&args.migration);
    let (scripts, notes) = facts.pending(sources, &options, args.migration.all).await?;
    for note in notes {
        door::say(&note);
    }
    let statements = statements_in(&scripts, &facts.begins(None).await?);
    let acting = Acting::of(args.migration.role.as_ref(), None);
    let catalog = migrations::catalog(&mut facts, &statements, &acting).await?;
    let footprint = footprint::of(&statements, catalog, 0);
    match args.format {
        Format::Text => door::print(Form::Lines, &explain_text(&footprint, screen::page(color))),
        Format::Json => door::print(Form::Json, &explain_json(&footprint)),
    }?;
    let recording = facts.finish().await;
    if let Some(path) = &args.record.record {
        recording.write(path)?;
    }
    Ok(0)
}
