//! The copy, made: production is read while the copy's server starts.

use super::copy::Copy;
use super::schema::{self, Schema};
use super::{Wanted, run};
use crate::postgres::surroundings::COLUMNS;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// The copy with every database in it.
pub struct Made {
    /// It.
    pub copy: Copy,
    /// What was read of production, its own database first.
    pub schemas: Vec<Schema>,
    /// In what a schema from a file is not production's.
    pub notes: Vec<String>,
}

/// The number of differences that are named.
const NAMED: usize = 5;

/// In what a schema from a file is not production's: tables and columns that one of the two has not.
fn drift(copy: &Copy, schema: &Schema) -> Result<Vec<String>> {
    let Some(there) = &schema.columns else {
        return Ok(Vec::new());
    };
    let text = copy.server.sql(&schema.database, COLUMNS)?;
    let here: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let list = |names: Vec<&String>| {
        let more = names.len().saturating_sub(NAMED);
        let named = names.into_iter().take(NAMED).cloned();
        let named = named.collect::<Vec<_>>().join(", ");
        match more {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    };
    let said = [
        (
            "production has, and the schema file has not",
            there.difference(&here),
        ),
        (
            "the schema file has, and production has not",
            here.difference(there),
        ),
    ];
    Ok(said
        .into_iter()
        .map(|(what, names)| (what, names.collect::<Vec<_>>()))
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", list(names)))
        .collect())
}

/// The copy with every database in it, production's own first.
///
/// # Errors
/// Production cannot be read, there can be no copy, or nothing keeps the command from production.
pub async fn made(wanted: &Wanted) -> Result<Made> {
    if !wanted.unconfined {
        run::probe(wanted)?;
    }
    let binaries = schema::installation(wanted).await?;
    let own = std::iter::once(&wanted.target.database);
    let mut looked = Vec::new();
    for database in own.chain(&wanted.also) {
        looked.push(schema::look(wanted, database).await?);
    }
    let settings = looked.first().map(|first| first.around.server.clone());
    let starting = {
        let (wanted, binaries) = (wanted.clone(), binaries.clone());
        let settings = settings.unwrap_or_default();
        tokio::task::spawn_blocking(move || Copy::start(&wanted, &binaries, &settings))
    };
    let mut schemas = Vec::new();
    for looked in looked {
        schemas.push(schema::read(wanted, looked, &binaries).await?);
    }
    let copy = starting.await.map_err(|error| Error::Program {
        program: "the copy's server".into(),
        why: error.to_string(),
        help: "try again".into(),
    })??;
    for schema in &schemas {
        copy.load(schema)?;
    }
    if let Some(prepare) = &wanted.prepare {
        run::prepare(wanted, &copy, &schemas[0], prepare).await?;
    }
    let mut notes = Vec::new();
    for schema in &schemas {
        notes.extend(drift(&copy, schema)?);
    }
    Ok(Made {
        copy,
        schemas,
        notes,
    })
}
