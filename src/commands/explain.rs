//! `pgguard explain`: the lock footprint alone.

use super::screen;
use crate::cli::{Color, ExplainArgs, Format};
use crate::door::{self, Form};
use crate::look::facts::Facts;
use crate::look::migrations::{self, Acting};
use crate::look::safer::compare;
use crate::migration::safer;
use crate::migration::statement::statements_in;
use crate::report::{explain_json, explain_text};
use crate::{Error, Result};

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
    let compared = compare(&mut facts, &statements, &acting).await?;
    let (footprint, forms) = (compared.footprint, compared.forms);
    if args.rewrite {
        let script = safer::rewritten(&statements, &forms).map_err(Error::Usage)?;
        door::print(Form::Lines, &script)?;
    } else {
        match args.format {
            Format::Text => {
                let text = explain_text(&footprint, &forms, screen::page(color));
                door::print(Form::Lines, &text)
            }
            Format::Json => door::print(Form::Json, &explain_json(&footprint, &forms)),
        }?;
    }
    let recording = facts.finish().await;
    if let Some(path) = &args.record.record {
        recording.write(path)?;
    }
    Ok(0)
}
