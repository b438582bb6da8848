//! How big the tables of a dump are, and what their rows look like.

use super::connect::Connection;
use crate::Result;
use crate::model::{ColumnFacts, DatabaseFacts, Oid, TableFacts};

const TABLES: &str = include_str!("tables.sql");

/// For more tables than this the widths of their rows are not read: `pg_stats` is slow, and with so many
/// tables none is decisive.
const WIDTHS_OF: usize = 1_000;

/// The facts of these tables; one that vanished meanwhile, or is no plain table, is missing.
///
/// # Errors
/// As the server has it.
pub async fn facts(connection: &mut Connection, tables: &[Oid]) -> Result<DatabaseFacts> {
    let mut found = DatabaseFacts::default();
    if tables.is_empty() {
        return Ok(found);
    }
    let oids: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let widths = if tables.len() > WIDTHS_OF {
        "false"
    } else {
        "true"
    };
    let question = TABLES
        .replace("{OIDS}", &format!("{{{}}}", oids.join(",")))
        .replace("{WIDTHS}", widths);
    let encoding = connection.encoding();
    connection
        .ask("read the sizes of the tables", &question, |row| {
            let (Some(oid), Some(schema), Some(relation)) =
                (row.number(0), row.text(1, encoding), row.text(2, encoding))
            else {
                return;
            };
            found.large_objects = row.number(8).unwrap_or(0.0);
            found.tables.push(TableFacts {
                oid,
                schema,
                relation,
                pages: row.number(3).unwrap_or(0.0),
                toast_pages: row.number(4).unwrap_or(0.0),
                tuples: row.number(5).unwrap_or(-1.0),
                live_tuples: row.number(6).unwrap_or(0.0),
                heap_bytes: 0.0,
                columns: row
                    .text(7, encoding)
                    .map(|text| columns(&text))
                    .unwrap_or_default(),
                sample: None,
            });
        })
        .await?;
    Ok(found)
}

/// Reads the JSON array of [type, width, share of nulls, distinct values] a column.
fn columns(text: &str) -> Vec<ColumnFacts> {
    type Column = (String, Option<f64>, Option<f64>, Option<f64>);
    let columns: Vec<Column> = serde_json::from_str(text).unwrap_or_default();
    columns
        .into_iter()
        .map(
            |(type_name, avg_width, null_frac, n_distinct)| ColumnFacts {
                type_name,
                avg_width,
                null_frac: null_frac.unwrap_or(0.0),
                n_distinct,
            },
        )
        .collect()
}
