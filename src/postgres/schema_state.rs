//! Reads what a database has, in few words: to tell whether a migration has changed something.

use super::connect::Connection;
use crate::Result;
use crate::model::{RelationName, SchemaState};
use crate::tools::{self, TOOLS, Tool};
use crate::words::literal;
use std::collections::BTreeSet;

const STATE: &str = include_str!("schema_state.sql");

/// The relations that are a migration tool's own: its tables with their indexes and sequences.
const OWN: &str = include_str!("schema_state_own.sql");

/// The rows of a version table, each one text. A policy of the table would run code of its owner: then it is an
/// error. A lock that is not there at once is given up.
const ROWS: &str = "SET LOCAL lock_timeout = '100ms'; SET LOCAL row_security = off; \
     SELECT concat_ws(' ', $columns) AS books_row FROM $table LIMIT 100000";

/// Reads it. A version table that cannot be read is left out. `tool`: whose own tables are told from the schema; where it
/// is not known, those of all tools.
///
/// # Errors
/// When the server does not answer.
pub async fn read(connection: &mut Connection, tool: Option<&Tool>) -> Result<SchemaState> {
    let own = tools::own_places(tool);
    let books = TOOLS.iter().filter_map(|tool| tool.version_table);
    let statements = STATE
        .replace("$own", OWN)
        .replace("$tables", &listed(own.tables.into_iter()))
        .replace("$schemas", &listed(own.schemas.into_iter()))
        .replace("$names", &listed(books));
    let encoding = connection.encoding();
    let mut state = SchemaState::default();
    let mut tables = Vec::new();
    connection
        .ask(
            "read what the schema is like",
            &statements,
            |row| match row.kind() {
                "catalog" => state.catalog = row.word(0).unwrap_or_default().to_owned(),
                "own_table" => state
                    .own
                    .extend(row.text(0, encoding).zip(row.text(1, encoding))),
                "index_schema" => {
                    if let (Some(schema), Some(index)) =
                        (row.text(0, encoding), row.text(1, encoding))
                    {
                        state.invalid.insert(RelationName::new(schema, index));
                    }
                }
                _ => tables.extend(row.text(0, encoding).zip(row.text(1, encoding))),
            },
        )
        .await?;
    for (table, columns) in tables {
        let question = ROWS.replace("$columns", &columns).replace("$table", &table);
        let mut rows = BTreeSet::new();
        let read = connection
            .ask("read a version table", &question, |row| {
                let row = row.text(0, encoding);
                rows.extend(row.filter(|row| !tools::is_first_row(&table, row)));
            })
            .await;
        if read.is_ok() {
            state.books.insert(table, rows);
        }
    }
    Ok(state)
}

/// SQL literals; never none, since `IN ()` is no SQL.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<String> = names.chain([""]).map(literal).collect();
    let names: Vec<String> = names.into_iter().collect();
    names.join(", ")
}
