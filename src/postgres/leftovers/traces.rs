//! Rows of migration tools that say that a run did not end.

use super::tool_tables::{LIMITS, Table, tables};
use crate::Result;
use crate::model::{Leftovers, ToolRow, Unread, quoted};
use crate::postgres::connect::Connection;
use crate::tools::{TOOLS, Tool, Trace};

/// No tool leaves more than a few; more would be somebody's own table of that name.
const MOST: usize = 20;

/// Adds what the tables of all known tools say.
pub async fn read(connection: &mut Connection, found: &mut Leftovers) -> Result<()> {
    read_of(connection, found, |_| true).await
}

/// The same, of some kinds of traces.
pub async fn read_of(
    connection: &mut Connection,
    found: &mut Leftovers,
    wanted: fn(&Trace) -> bool,
) -> Result<()> {
    let traces = TOOLS
        .iter()
        .flat_map(|tool| tool.traces)
        .filter(|t| wanted(t));
    let names: Vec<&str> = traces.map(|trace| trace.table).collect();
    for table in tables(connection, &names).await? {
        for (tool, nth, trace) in traces_of(&table).filter(|(_, _, trace)| wanted(trace)) {
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
    TOOLS
        .iter()
        .flat_map(|tool| {
            let traces = tool.traces.iter().enumerate();
            traces.map(move |(nth, trace)| (tool, nth, trace))
        })
        .filter(move |(_, _, trace)| trace.table == table.name.relation && table.has(trace.columns))
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
            "cannot read {}: a session holds or waits for ACCESS EXCLUSIVE on it",
            table.name
        ),
        help: "pgguard status".into(),
    }
}
