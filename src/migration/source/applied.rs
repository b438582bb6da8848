//! What a tool has applied already, by its version table: which rows mean what. Reading it is `postgres::applied`'s.

use super::{ReadOptions, Source, read_as};
use crate::error::Result;
use crate::tools;
use crate::tools::folder::Check;
use crate::tools::name::natural;
use serde::{Deserialize, Serialize};

/// A row of a version table, as [`crate::tools::folder::Books::query`] gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    /// Whether it came to its end.
    pub is_finished: bool,
    /// Of a repeatable migration.
    pub checksum: Option<String>,
}

/// What a version table said of one source, for a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Whose layout it turned out to have.
    pub tool: Option<String>,
    /// The migrations that were applied, as the tool's version table knows them.
    pub ids: Vec<String>,
    /// What was worth telling.
    pub notes: Vec<String>,
}

impl Applied {
    /// What was left out of a source.
    ///
    /// # Errors
    /// When it cannot be read again as the tool's that it turned out to be.
    pub fn between(before: &Source, after: &Source, options: &ReadOptions) -> Result<Self> {
        let tool = after.tool.map(|tool| tool.name.to_owned());
        let all = as_the_tools(before, tool.as_deref(), options)?.migrations;
        let is_left = |id: &str| after.migrations.iter().any(|left| left.id == id);
        let ids = all.into_iter().map(|migration| migration.id);
        Ok(Self {
            tool,
            ids: ids.filter(|id| !is_left(id)).collect(),
            notes: after.notes.clone(),
        })
    }

    /// What is left of the source, as it was when this was recorded.
    ///
    /// # Errors
    /// As [`Applied::between`].
    pub fn left_of(&self, source: &Source, options: &ReadOptions) -> Result<Source> {
        let mut source = as_the_tools(source, self.tool.as_deref(), options)?;
        source
            .migrations
            .retain(|migration| !self.ids.contains(&migration.id));
        source.notes.clone_from(&self.notes);
        Ok(source)
    }
}

/// The source, read again where it is another tool's than its layout said.
fn as_the_tools(source: &Source, tool: Option<&str>, options: &ReadOptions) -> Result<Source> {
    match tool {
        Some(name) if source.tool.is_none_or(|tool| tool.name != name) => {
            read_as(source, tools::asked_for(name)?, options)
        }
        _ => Ok(source.clone()),
    }
}

/// What is left of a source after its applied migrations, with notes on those that failed. Only a folder is
/// thinned out: a file that was named is wanted.
#[must_use]
pub fn pending(mut source: Source, rows: &[Row]) -> Source {
    let Some(tool) = source.tool.filter(|_| source.is_folder) else {
        return source;
    };
    let Some(books) = tool.folder.as_ref().map(|folder| &folder.books) else {
        return source;
    };
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            id: (books.normal)(&row.id).unwrap_or_else(|| row.id.clone()),
            ..row.clone()
        })
        .collect();
    for row in rows.iter().filter(|row| !row.is_finished) {
        source.notes.push(format!(
            "{} has recorded migration {} as begun and not finished: it will not continue until that is repaired",
            tool.name, row.id
        ));
    }
    let before = source.migrations.len();
    source.migrations.retain(|migration| {
        !is_applied(
            &migration.id,
            migration.checksum.as_deref(),
            books.check,
            &rows,
        )
    });
    if before > source.migrations.len() {
        source.notes.push(format!(
            "{} of {before} migrations are applied by {}'s version table",
            before - source.migrations.len(),
            tool.name
        ));
    }
    source
}

fn is_applied(id: &str, checksum: Option<&str>, check: Check, rows: &[Row]) -> bool {
    let mut finished = rows.iter().rev().filter(|row| row.is_finished);
    match check {
        // One that was begun and not finished comes after all that are.
        Check::UpTo => rows
            .iter()
            .any(|row| natural(id) < natural(&row.id) || (row.is_finished && row.id == id)),
        Check::Listed => {
            let is_versioned = id.starts_with(|c: char| c.is_ascii_digit());
            let is_below = |row: &Row| {
                let baseline = row.id.strip_prefix("<= ");
                baseline.is_some_and(|version| numbers(id) <= numbers(version))
            };
            let below_baseline = is_versioned && finished.clone().any(is_below);
            let last = finished.find(|row| row.id == id);
            below_baseline
                || last.is_some_and(|row| checksum.is_none() || checksum == row.checksum.as_deref())
        }
    }
}

/// A dotted version; 1 and 1.0 are the same.
fn numbers(version: &str) -> Vec<u128> {
    let mut parts: Vec<u128> = version
        .split(['.', '_'])
        .map(|part| part.parse().unwrap_or(0))
        .collect();
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}
