//! How big the tables of a dump are.

use super::connect::Connection;
use crate::Result;
use crate::backup::TableFacts;
use crate::model::{Oid, RelationName};
use std::collections::BTreeMap;

const TABLES: &str = include_str!("tables.sql");

/// For more tables than this the widths of their rows are not read: `pg_stats` is slow, and with so many
/// tables none is decisive.
const WIDTHS_OF: usize = 1_000;

/// The facts of these tables; one that vanished meanwhile, or is no plain table, is missing.
///
/// # Errors
/// As the server has it.
pub async fn facts(
    connection: &mut Connection,
    tables: &[Oid],
) -> Result<BTreeMap<Oid, TableFacts>> {
    let oids: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let question = TABLES
        .replace("{OIDS}", &format!("{{{}}}", oids.join(",")))
        .replace(
            "{WIDTHS}",
            if tables.len() > WIDTHS_OF {
                "false"
            } else {
                "true"
            },
        );
    let encoding = connection.encoding();
    let mut found = BTreeMap::new();
    connection
        .ask("read the sizes of the tables", &question, |row| {
            let (Some(oid), Some(schema), Some(relation)) =
                (row.number(0), row.text(1, encoding), row.text(2, encoding))
            else {
                return;
            };
            let facts = TableFacts {
                name: RelationName::new(schema, relation),
                heap_bytes: row.number(3).unwrap_or(0.0),
                toast_bytes: row.number(4).unwrap_or(0.0),
                tuples: row.number(5).unwrap_or(-1.0),
                columns: row.number(6).unwrap_or(1.0),
                row_bytes: row.number(7),
            };
            found.insert(oid, facts);
        })
        .await?;
    Ok(found)
}
