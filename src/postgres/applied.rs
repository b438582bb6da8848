//! Reads what the migration tools have applied: the one place where a user's table is read, for an ACCESS SHARE lock
//! of a moment on a tool's own version table.
//!
//! That lock is asked for only when nobody has or awaits ACCESS EXCLUSIVE on the table, the one mode that conflicts
//! with it, and for a tenth of a second at most. Where the table cannot be read, all migrations count as pending and
//! a note says so.

use crate::migration::footprint::Reach;
use crate::migration::source::applied::{Row, pending};
use crate::migration::source::{ReadOptions, Source, read_as};
use crate::model::VersionRows;
use crate::tools::folder::Books;
use crate::tools::{TOOLS, Tool};
use crate::{Error, Result};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, FromRow, Row as _};

const TABLES: &str = include_str!("applied_tables.sql");

/// Ends with the transaction; a lock that is not there at once is given up. A policy of the table would run code of its
/// owner: then it is an error.
const LIMITS: &str = "SET TRANSACTION READ ONLY; SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '5s'; \
     SET LOCAL row_security = off; SET LOCAL search_path = pg_catalog, pg_temp";

/// A table that could be a version table.
#[derive(Debug, Clone)]
struct Found {
    oid: Oid,
    name: String,
    relation: String,
    is_visible: bool,
    is_readable: bool,
    role: String,
    columns: Vec<String>,
    is_locked: bool,
}

impl FromRow<'_, PgRow> for Found {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            oid: row.try_get("oid")?,
            name: row.try_get("name")?,
            relation: row.try_get("relation")?,
            is_visible: row.try_get("is_visible")?,
            is_readable: row.try_get("is_readable")?,
            role: row.try_get("role")?,
            columns: row.try_get("columns")?,
            is_locked: row.try_get("is_locked")?,
        })
    }
}

/// `limits` begin each transaction ([`limits_that_keep_the_path`](super::connect::limits_that_keep_the_path)).
///
/// What is left of each folder after the migrations that its tool has applied to this database. Files and standard
/// input stay as they are. A folder that could be several tools' is read again as that one whose table is there.
///
/// # Errors
/// When the catalog cannot be read, or a folder cannot be read again.
pub async fn only_pending(
    connection: &mut PgConnection,
    sources: Vec<Source>,
    options: &ReadOptions,
    limits: &str,
) -> Result<Vec<Source>> {
    let mut left = Vec::with_capacity(sources.len());
    for source in sources {
        left.push(if source.is_folder {
            one(connection, source, options, limits).await?
        } else {
            source
        });
    }
    Ok(left)
}

async fn one(
    connection: &mut PgConnection,
    source: Source,
    options: &ReadOptions,
    limits: &str,
) -> Result<Source> {
    let tools: Vec<&'static Tool> = source
        .tool
        .into_iter()
        .chain(source.look_alikes.iter().copied())
        .collect();
    let tables = tables(connection, &tools, limits).await?;
    let mut reading = source.clone();
    for tool in tools {
        let is_first = source.tool.is_some_and(|first| first.name == tool.name);
        let Some(books) = tool.folder.as_ref().map(|folder| &folder.books) else {
            continue;
        };
        match table_of(tool, books, &tables) {
            Ok(None) => {}
            Err(why) => reading
                .notes
                .push(format!("{why}; all migrations count as pending")),
            Ok(Some(table)) => {
                let rows = match rows(connection, books, table).await {
                    Ok(rows) => rows,
                    Err(why) => {
                        reading
                            .notes
                            .push(format!("{why}; all migrations count as pending"));
                        return Ok(reading);
                    }
                };
                if is_first {
                    return Ok(pending(reading, &rows));
                }
                let other = read_as(&source, tool, options)?;
                let knows_one = other
                    .migrations
                    .iter()
                    .any(|migration| rows.iter().any(|row| row.id == migration.id));
                if knows_one {
                    return Ok(pending(other, &rows));
                }
            }
        }
    }
    if let Some(tool) = source.tool {
        reading.notes.push(format!(
            "{} has no version table in this database: all its migrations count as pending",
            tool.name
        ));
    }
    Ok(reading)
}

async fn tables(
    connection: &mut PgConnection,
    tools: &[&Tool],
    limits: &str,
) -> Result<Vec<Found>> {
    let failed = |error: sqlx::Error| Error::Server {
        what: "look for the tool's version table".to_owned(),
        why: error.to_string(),
        help: "--all looks at all migrations without it".to_owned(),
    };
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(limits.to_owned()))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool.version_table).collect();
    let found = sqlx::query_as(TABLES)
        .bind(names)
        .persistent(false)
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
    transaction.rollback().await.map_err(failed)?;
    Ok(found)
}

/// The table of a tool: on the search path, or the only one of its kind. An error says why it is unknown or cannot be read.
fn table_of<'a>(
    tool: &Tool,
    books: &Books,
    tables: &'a [Found],
) -> std::result::Result<Option<&'a Found>, String> {
    let is_it = |table: &&Found| {
        tool.version_table == Some(table.relation.as_str()) && books.is_known_by(&table.columns)
    };
    let found: Vec<&Found> = tables.iter().filter(is_it).collect();
    let table = match found.as_slice() {
        [] => return Ok(None),
        [table] => *table,
        [table, ..] if table.is_visible => *table,
        several => {
            let names: Vec<&str> = several.iter().map(|table| table.name.as_str()).collect();
            return Err(format!(
                "cannot tell which version table counts, {}: set search_path",
                names.join(" or ")
            ));
        }
    };
    if !table.is_readable {
        return Err(format!(
            "cannot read {0} as role {1}: GRANT SELECT ON {0} TO {1}",
            table.name, table.role
        ));
    }
    if table.is_locked {
        return Err(format!(
            "cannot read {}: a session holds or waits for ACCESS EXCLUSIVE on it; see pgguard status",
            table.name
        ));
    }
    Ok(Some(table))
}

/// No more rows of a version table.
const MOST_ROWS: usize = 10_000;

/// The rows of version tables of which code in the migration may ask whether one is there, as scripts of EF Core do
/// (`IF NOT EXISTS (SELECT 1 FROM "__EFMigrationsHistory" …)`). One that cannot be read now is left out.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn version_rows(
    connection: &mut PgConnection,
    reach: &Reach,
    limits: &str,
) -> Result<Vec<VersionRows>> {
    let is_named = |tool: &&Tool| tool.version_table.is_some_and(|t| reach.names.contains(t));
    let tools: Vec<&Tool> = TOOLS.iter().filter(is_named).collect();
    if tools.is_empty() || !reach.runs_code {
        return Ok(Vec::new());
    }
    let mut known = Vec::new();
    for table in tables(connection, &tools, limits).await? {
        let columns = table.columns.iter().filter(|c| reach.names.contains(*c));
        let columns: Vec<String> = columns.cloned().collect();
        if columns.is_empty() || !table.is_readable || table.is_locked {
            continue;
        }
        let Ok(rows) = values(connection, &table, &columns).await else {
            continue;
        };
        if rows.len() <= MOST_ROWS {
            known.push(VersionRows {
                table: table.oid.0,
                columns,
                rows,
            });
        }
    }
    Ok(known)
}

async fn values(
    connection: &mut PgConnection,
    table: &Found,
    columns: &[String],
) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let quoted = |c: &String| format!("\"{}\"::text", c.replace('"', "\"\""));
    let shown = columns.iter().map(quoted);
    let query = format!(
        "SELECT {} FROM {} LIMIT {}",
        shown.collect::<Vec<_>>().join(", "),
        table.name,
        MOST_ROWS + 1
    );
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(LIMITS).execute(&mut *transaction).await?;
    let read = sqlx::query(sqlx::AssertSqlSafe(query))
        .persistent(false)
        .fetch_all(&mut *transaction)
        .await;
    transaction.rollback().await?;
    let row = |row: &PgRow| (0..columns.len()).map(|at| row.try_get(at)).collect();
    read?.iter().map(row).collect()
}

async fn rows(
    connection: &mut PgConnection,
    books: &Books,
    table: &Found,
) -> std::result::Result<Vec<Row>, String> {
    let failed =
        |error: sqlx::Error| format!("cannot read {} (oid {}): {error}", table.name, table.oid.0);
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::raw_sql(LIMITS)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let query = sqlx::AssertSqlSafe(books.query_on(&table.name));
    let read = sqlx::query(query)
        .persistent(false)
        .fetch_all(&mut *transaction)
        .await;
    transaction.rollback().await.map_err(failed)?;
    let row = |row: &sqlx::postgres::PgRow| {
        Ok(Row {
            id: row.try_get(0)?,
            is_finished: row.try_get(1)?,
            checksum: row.try_get(2)?,
        })
    };
    read.and_then(|rows| rows.iter().map(row).collect())
        .map_err(failed)
}
