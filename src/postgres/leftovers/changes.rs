//! When the schema last changed.

use super::tool_tables::{LIMITS, Table, tables};
use crate::Result;
use crate::model::{Change, KnownBy, Leftovers, RelationName};
use crate::postgres::connect::Connection;
use crate::tools::TOOLS;

const CHANGES: &str = include_str!("changes.sql");
const CHANGED_BY: &str = include_str!("changed_by.sql");
const TRACKED: &str =
    "SELECT pg_catalog.current_setting('track_commit_timestamp') = 'on' AS tracked";

/// Adds the last changes: by the commits of the catalog's rows; where the server does not keep their times, by the
/// version tables that say when a migration was applied.
pub async fn read(connection: &mut Connection, found: &mut Leftovers) -> Result<()> {
    let mut is_tracked = false;
    let what = "read when the schema changed";
    connection
        .ask(what, TRACKED, |row| {
            is_tracked = row.flag(0).unwrap_or_default()
        })
        .await?;
    found.commits_are_tracked = is_tracked;
    let encoding = connection.encoding();
    if !is_tracked {
        let changed_by = &mut found.changed_by;
        connection
            .ask(what, CHANGED_BY, |row| {
                let name = row.text(0, encoding).zip(row.text(1, encoding));
                let relation = name.map(|(schema, relation)| RelationName::new(schema, relation));
                changed_by.extend(relation.zip(row.number(2)));
            })
            .await?;
        return recorded(connection, found).await;
    }
    let changes = &mut found.changes;
    connection
        .ask(what, CHANGES, |row| {
            let name = (row.text(0, encoding), row.text(1, encoding), row.time(2));
            if let (Some(schema), Some(relation), Some(at)) = name {
                changes.push(Change {
                    at,
                    until: None,
                    known_by: KnownBy::Commit(RelationName::new(schema, relation)),
                });
            }
        })
        .await
}

async fn recorded(connection: &mut Connection, found: &mut Leftovers) -> Result<()> {
    let names = TOOLS.iter().filter(|tool| tool.applied_at.is_some());
    let names: Vec<&str> = names.filter_map(|tool| tool.version_table).collect();
    for table in tables(connection, &names).await? {
        let tool = TOOLS.iter().find(|tool| {
            tool.version_table == Some(table.name.relation.as_str())
                && tool.applied_at.is_some_and(|column| table.has_time(column))
        });
        if let Some(column) = tool
            .and_then(|tool| tool.applied_at)
            .filter(|_| table.may_be_read())
        {
            last_of(connection, &table, column, found).await;
        }
    }
    Ok(())
}

/// Where it cannot be read, nothing is known, as without the table.
async fn last_of(connection: &mut Connection, table: &Table, column: &str, found: &mut Leftovers) {
    let sql = &table.sql;
    let question = format!("{LIMITS}SELECT pg_catalog.max({column}) AS applied FROM ONLY {sql}");
    let changes = &mut found.changes;
    let asked = connection.ask("read when migrations were applied", &question, |row| {
        changes.extend(row.time(0).map(|at| Change {
            at,
            until: None,
            known_by: KnownBy::VersionTable(table.name.clone()),
        }));
    });
    let _ = asked.await;
}
