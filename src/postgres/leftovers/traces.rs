//! Rows of migration tools that say that a run did not end.
//!
//! The table is the tool's, and reading it takes ACCESS SHARE for a moment: not where somebody has or awaits ACCESS
//! EXCLUSIVE on it, and for a tenth of a second at most. A policy of the table would run code of its owner: then it is
//! an error, and said.

use crate::Result;
use crate::model::{Leftovers, RelationName, ToolRow, Unread, quoted};
use crate::postgres::connect::Connection;
use crate::tools::{TOOLS, Tool, Trace};
use crate::words::literal;

const TABLES: &str = include_str!("tables.sql");

const LIMITS: &str = "SET LOCAL lock_timeout = 100; SET LOCAL row_security = off; ";

/// No tool leaves more than a few; more would be somebody's own table of that name.
const MOST: usize = 20;

struct Table {
    /// Quoted where SQL needs it.
    sql: String,
    name: RelationName,
    is_readable: bool,
    is_locked: bool,
    columns: Vec<String>,
}

/// Adds what the tables of all known tools say.
pub async fn read(connection: &mut Connection, found: &mut Leftovers) -> Result<()> {
    for table in tables(connection).await? {
        for (tool, nth, trace) in traces_of(&table) {
            let why = match (table.is_readable, table.is_locked) {
                (false, _) => Some(no_right(connection, &table)),
                (_, true) => Some(locked(&table)),
                _ => rows(connection, &table, tool, (nth, trace), found)
                    .await
                    .err(),
            };
            found.unread.extend(why);
        }
    }
    Ok(())
}

/// The traces that a table of this name and these columns can have. A table that may not be read shows its columns too.
fn traces_of(table: &Table) -> impl Iterator<Item = (&'static Tool, usize, &'static Trace)> {
    let has = |name: &&str| table.columns.iter().any(|column| column == name);
    TOOLS
        .iter()
        .flat_map(|tool| {
            let traces = tool.traces.iter().enumerate();
            traces.map(move |(nth, trace)| (tool, nth, trace))
        })
        .filter(move |(_, _, trace)| {
            trace.table == table.name.relation && trace.columns.iter().all(has)
        })
}

async fn tables(connection: &mut Connection) -> Result<Vec<Table>> {
    let names: Vec<String> = TOOLS
        .iter()
        .flat_map(|tool| tool.traces)
        .map(|trace| literal(trace.table))
        .collect();
    let names = format!("ARRAY[{}]::name[]", names.join(", "));
    let encoding = connection.encoding();
    let mut tables = Vec::new();
    let question = TABLES.replace("$names", &names);
    connection
        .ask("look for the tables of migration tools", &question, |row| {
            let texts = (
                row.text(0, encoding),
                row.text(1, encoding),
                row.text(2, encoding),
            );
            if let (Some(sql), Some(schema), Some(relation)) = texts {
                tables.push(Table {
                    sql,
                    name: RelationName::new(schema, relation),
                    is_readable: row.flag(3).unwrap_or_default(),
                    is_locked: row.flag(4).unwrap_or_default(),
                    columns: row
                        .word(5)
                        .unwrap_or_default()
                        .split(',')
                        .map(str::to_owned)
                        .collect(),
                });
            }
        })
        .await?;
    Ok(tables)
}

async fn rows(
    connection: &mut Connection,
    table: &Table,
    tool: &'static Tool,
    (nth, trace): (usize, &'static Trace),
    found: &mut Leftovers,
) -> std::result::Result<(), Unread> {
    let encoding = connection.encoding();
    let only = format!("ONLY {}", table.sql);
    let query = format!(
        "{LIMITS}SELECT tool_row, of FROM ({}) AS rows (tool_row, of) ORDER BY 1 LIMIT {MOST}",
        trace.query.replace("{table}", &only)
    );
    let what = format!("read {}", table.name);
    let rows = &mut found.rows;
    let asked = connection.ask(&what, &query, |row| {
        rows.push(ToolRow {
            tool: tool.name.to_owned(),
            trace: nth,
            table: table.name.clone(),
            id: row.text(0, encoding).unwrap_or_default(),
            detail: row.text(1, encoding).unwrap_or_default(),
        });
    });
    asked.await.map_err(|error| {
        let (what, help) = error.what_and_help();
        Unread { what, help }
    })
}

fn no_right(connection: &Connection, table: &Table) -> Unread {
    let user = quoted(&connection.server().user);
    Unread {
        what: format!("cannot read {} as role {user}", table.name),
        help: format!("GRANT SELECT ON {} TO {user}", table.name),
    }
}

fn locked(table: &Table) -> Unread {
    Unread {
        what: format!(
            "cannot read {}: a session has or awaits ACCESS EXCLUSIVE on it",
            table.name
        ),
        help: "pgguard status".into(),
    }
}
