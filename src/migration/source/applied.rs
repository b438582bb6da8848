//! What a tool has applied already, by its version table: which rows mean what. Reading it is `postgres::applied`'s.

use super::name::natural;
use super::tool::Tool;
use super::{ReadOptions, Source, read_as};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Where a tool records what it has applied.
#[derive(Debug, Clone, Copy)]
pub struct VersionTable {
    /// Its default name.
    pub relation: &'static str,
    /// Columns by which it is known: several tools give their tables the same name.
    pub columns: &'static [&'static str],
    /// Columns that another tool's table of that name has.
    pub lacks: &'static [&'static str],
    /// How a row says that a migration is applied.
    pub check: Check,
    /// Reads `{table}` as (id text, whether it was finished, checksum text), the last row of an id being the one
    /// that counts.
    pub query: &'static str,
    /// An id of the table in the form of [`super::Migration::id`]; `None`: it is in that form.
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

impl VersionTable {
    /// What most tables have in common.
    pub(super) const LISTED: Self = Self {
        relation: "",
        columns: &[],
        lacks: &[],
        check: Check::Listed,
        query: "",
        normal: |_| None,
    };

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

/// A row of a version table, as [`VersionTable::query`] gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The migration.
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
            read_as(source, Tool::named(name)?, options)
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
    let table = &tool.version_table;
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row {
            id: (table.normal)(&row.id).unwrap_or_else(|| row.id.clone()),
            ..row.clone()
        })
        .collect();
    for row in rows.iter().filter(|row| !row.is_finished) {
        source.notes.push(format!(
            "{} has recorded migration {} as begun and not finished: it will not go on before that is repaired",
            tool.name, row.id
        ));
    }
    let before = source.migrations.len();
    source.migrations.retain(|migration| {
        !is_applied(
            &migration.id,
            migration.checksum.as_deref(),
            table.check,
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

/// Flyway's checksum of a file: CRC-32 over its lines without their ends, as a signed number (ChecksumCalculator.java).
pub(super) fn flyway_checksum(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let crc = text.lines().flat_map(str::bytes).fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    (!crc).cast_signed().to_string()
}
