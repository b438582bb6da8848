//! The copy, made: production is read while the copy's server starts.

use super::copy::Copy;
use super::schema::{self, Looked, Schema};
use super::{Wanted, run};
use crate::postgres::surroundings::COLUMNS;
use crate::throwaway::Binaries;
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
pub async fn made(wanted: &Wanted, use_of: Use) -> Result<Made> {
    if !wanted.unconfined {
        run::probe(wanted)?;
    }
    let binaries = schema::installation(wanted).await?;
    let own = std::iter::once(&wanted.target.database);
    let mut looked = Vec::new();
    for database in own.chain(&wanted.also) {
        looked.push(schema::look(wanted, database).await?);
    }
    let start = Start::of(wanted, binaries, &looked);
    let starting = {
        let start = start.clone();
        let doubles = use_of == Use::Command && wanted.prepare.is_none();
        tokio::task::spawn_blocking(move || start.as_kept(doubles))
    };
    let mut schemas = Vec::new();
    for looked in looked {
        schemas.push(schema::read(wanted, looked, &start.binaries).await?);
    }
    let copy = starting.await.map_err(|error| Error::Program {
        program: "the copy's server".into(),
        why: error.to_string(),
        help: "try again".into(),
    })??;
    let copy = start.filled(copy, &schemas)?;
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

/// What a copy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A command runs on it, and what it sent is played once more on a pristine one.
    Command,
    /// Statements are played on it.
    Statements,
}

/// How the copy's server starts.
#[derive(Clone)]
struct Start {
    wanted: Wanted,
    binaries: Binaries,
    /// What production's configuration sets.
    settings: Vec<(String, String)>,
    databases: Vec<String>,
    /// By what was seen of production before its schema was read. Whether it is right is seen afterwards.
    kept: String,
}

impl Start {
    fn of(wanted: &Wanted, binaries: Binaries, looked: &[Looked]) -> Self {
        let around: Vec<_> = looked.iter().map(|one| &one.around).collect();
        let first = around.first();
        let databases = std::iter::once(&wanted.target.database).chain(&wanted.also);
        let databases: Vec<String> = databases.cloned().collect();
        Self {
            kept: format!("{databases:?} {:?} {around:?}", wanted.schema),
            settings: first.map(|one| one.server.clone()).unwrap_or_default(),
            wanted: wanted.clone(),
            binaries,
            databases,
        }
    }

    fn server(&self, kept: Option<String>) -> Result<Copy> {
        Copy::start(&self.wanted, &self.binaries, &self.settings, kept)
    }

    /// As the cache has it, perhaps with everything loaded; then `doubles` doubles it while production is read.
    fn as_kept(&self, doubles: bool) -> Result<Copy> {
        let mut copy = self.server(Some(self.kept.clone()))?;
        if doubles && copy.is_loaded() {
            copy.double(self.databases.iter())?;
        }
        Ok(copy)
    }

    /// With these databases in it, and no others.
    fn filled(&self, started: Copy, schemas: &[Schema]) -> Result<Copy> {
        if started.holds(schemas) {
            return Ok(started);
        }
        let copy = if started.is_loaded() {
            started.forget();
            drop(started);
            self.server(Some(self.kept.clone()))?
        } else {
            started
        };
        for schema in schemas {
            copy.load(schema)?;
        }
        copy.keep(schemas);
        Ok(copy)
    }
}
