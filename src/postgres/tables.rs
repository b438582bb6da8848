//! How big the tables of a dump are, and what their rows look like.

use super::array_of;
use super::connect::{Connection, Encoding, Row};
use crate::Result;
use crate::model::{ColumnFacts, DatabaseFacts, LockedRelation, Oid, RelationKind, TableFacts};
use std::collections::BTreeMap;

const TABLES: &str = include_str!("tables.sql");
const DUMPED_DATABASES: &str = include_str!("dumped_databases.sql");
const USER_TABLES: &str = include_str!("user_tables.sql");
const LIVE: &str = include_str!("tables_live.sql");
const TOAST: &str = include_str!("tables_toast.sql");

/// Of no more tables than this everything is read: `pg_stats` is slow.
const ALL_OF: usize = 1_000;

/// The most tables that are asked about: the largest ones; of the others, what the look saw.
const LARGEST: usize = 100;

/// The facts of these tables; one that vanished meanwhile, or is no plain table, is missing. `seen`: what
/// the look saw of them, which is enough for most of many.
///
/// # Errors
/// As the server has it.
pub async fn facts(
    connection: &mut Connection,
    tables: &[Oid],
    seen: &BTreeMap<Oid, LockedRelation>,
) -> Result<DatabaseFacts> {
    let mut found = DatabaseFacts::default();
    if tables.is_empty() {
        return Ok(found);
    }
    let (closely, roughly) = if tables.len() > ALL_OF {
        by_size(tables, seen)
    } else {
        (tables.to_vec(), Vec::new())
    };
    let mut by_oid: BTreeMap<Oid, TableFacts> = roughly
        .iter()
        .map(|(oid, seen)| (*oid, rough(*oid, seen)))
        .collect();
    let never_analyzed: Vec<Oid> = roughly
        .iter()
        .filter(|(_, seen)| seen.tuples < 0.0)
        .map(|(oid, _)| *oid)
        .collect();
    let widths = if closely.len() > ALL_OF {
        "false"
    } else {
        "true"
    };
    let mut question = TABLES
        .replace("{OIDS}", &array_of(&closely))
        .replace("{WIDTHS}", widths);
    if !never_analyzed.is_empty() {
        question += &format!(";\n{}", LIVE.replace("{OIDS}", &array_of(&never_analyzed)));
    }
    if !roughly.is_empty() {
        question += &format!(";\n{TOAST}");
    }
    let encoding = connection.encoding();
    connection
        .ask("read the sizes of the tables", &question, |row| {
            if row.kind() == "table" {
                found.large_objects = row.number(8).unwrap_or(0.0);
                found.large_object_bytes = row.number(13).unwrap_or(0.0);
                by_oid.extend(table_of(row, encoding).map(|table| (table.oid, table)));
                return;
            }
            let Some(table) = row.number(0).and_then(|oid| by_oid.get_mut(&oid)) else {
                return;
            };
            let amount = row.number(1).unwrap_or(0.0);
            match row.kind() {
                "live" => table.live_tuples = amount,
                "toast" => table.toast_pages = amount,
                _ => {}
            }
        })
        .await?;
    found.tables = by_oid.into_values().collect();
    Ok(found)
}

/// The databases that pg_dumpall dumps, in its order.
///
/// # Errors
/// As the server has it.
pub async fn dumped_databases(connection: &mut Connection) -> Result<Vec<String>> {
    let encoding = connection.encoding();
    let mut names = Vec::new();
    connection
        .ask("list the databases", DUMPED_DATABASES, |row| {
            names.extend(row.text(0, encoding));
        })
        .await?;
    Ok(names)
}

/// How many tables a dump of the whole database has.
///
/// # Errors
/// As the server has it.
pub async fn count_of_users(connection: &mut Connection) -> Result<usize> {
    let mut count = 0.0;
    connection
        .ask("count the tables", USER_TABLES, |row| {
            count = row.number::<f64>(0).unwrap_or(0.0);
        })
        .await?;
    Ok(count as usize)
}

type Seen<'a> = Vec<(Oid, &'a LockedRelation)>;

/// The largest of many tables and those that the look did not see, and the others.
fn by_size<'a>(tables: &[Oid], seen: &'a BTreeMap<Oid, LockedRelation>) -> (Vec<Oid>, Seen<'a>) {
    let mut known: Seen = Vec::with_capacity(tables.len());
    let mut closely = Vec::new();
    for oid in tables {
        match seen.get(oid) {
            Some(relation) if relation.kind == RelationKind::Table => known.push((*oid, relation)),
            Some(_) => {}
            None => closely.push(*oid),
        }
    }
    known.sort_by_key(|(_, relation)| std::cmp::Reverse(relation.bytes));
    let rest = known.split_off(known.len().min(LARGEST));
    closely.extend(known.iter().map(|(oid, _)| *oid));
    (closely, rest)
}

fn rough(oid: Oid, seen: &LockedRelation) -> TableFacts {
    TableFacts {
        oid,
        schema: seen.name.schema.clone(),
        relation: seen.name.relation.clone(),
        pages: seen.bytes as f64 / 8192.0,
        tuples: seen.tuples,
        ..TableFacts::default()
    }
}

fn table_of(row: &Row<'_>, encoding: Encoding) -> Option<TableFacts> {
    Some(TableFacts {
        oid: row.number(0)?,
        schema: row.text(1, encoding)?,
        relation: row.text(2, encoding)?,
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
        scans: row.number(9),
        reads: row.number(10),
        inserted: row.number(11),
        deleted: row.number(12),
    })
}

/// Reads the JSON array of [type, width, share of nulls, distinct values, stored as external] a column.
fn columns(text: &str) -> Vec<ColumnFacts> {
    type Column = (String, Option<f64>, Option<f64>, Option<f64>, bool);
    let columns: Vec<Column> = serde_json::from_str(text).unwrap_or_default();
    columns
        .into_iter()
        .map(
            |(type_name, avg_width, null_frac, n_distinct, external)| ColumnFacts {
                type_name,
                avg_width,
                null_frac: null_frac.unwrap_or(0.0),
                n_distinct,
                external,
            },
        )
        .collect()
}
