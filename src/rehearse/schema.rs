//! Production's schema, by pg_dump: looked at first, and never while somebody holds or awaits ACCESS EXCLUSIVE.

use super::Wanted;
use crate::look::facts::Facts;
use crate::postgres::connect::{Connection, Target};
use crate::postgres::surroundings::{self, Surroundings};
use crate::throwaway::Binaries;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

/// One of production's databases.
#[derive(Debug)]
pub struct Schema {
    pub database: String,
    /// What is around it.
    pub around: Surroundings,
    /// Its schema as SQL.
    pub sql: Vec<u8>,
    /// The rows of its version tables, as SQL.
    pub rows: Vec<u8>,
    /// The same, a line a table.
    pub applied: Vec<String>,
    /// Production's tables and columns, where the schema comes from a file.
    pub columns: Option<BTreeSet<String>>,
}

/// pg_dump gives up a lock that it does not get at once.
const LOCK_WAIT: &str = "--lock-wait-timeout=500";

/// Server and installation of one version.
///
/// # Errors
/// Production cannot be reached, or no such installation is here.
pub async fn installation(wanted: &Wanted) -> Result<Binaries> {
    let connection = Connection::open(&wanted.target, wanted.patience).await?;
    let major = connection.server().major();
    connection.close().await;
    Binaries::find(u32::try_from(major).ok())
}

/// A database of production's, before its schema is read.
pub struct Looked {
    target: Target,
    connection: Connection,
    /// What is around its schema.
    pub around: Surroundings,
}

/// Reads what is around a schema.
///
/// # Errors
/// The database does not answer.
pub async fn look(wanted: &Wanted, database: &str) -> Result<Looked> {
    let target = wanted.target.clone().with_database(database);
    let mut connection = Connection::open(&target, wanted.patience).await?;
    let around = surroundings::read(&mut connection, &wanted.version_tables).await?;
    Ok(Looked {
        target,
        connection,
        around,
    })
}

/// Reads one database.
///
/// # Errors
/// It cannot be read, or somebody holds or awaits a lock that pg_dump would wait for.
pub async fn read(wanted: &Wanted, looked: Looked, binaries: &Binaries) -> Result<Schema> {
    let Looked {
        target,
        mut connection,
        around,
    } = looked;
    if wanted.schema.is_none() || !around.version_tables.is_empty() {
        connection = nobody_in_the_way(connection).await?;
    }
    let mut applied = Vec::new();
    for table in &around.version_tables {
        // One that the role may not read is not in the header; pg_dump below says why.
        let rows = surroundings::applied(&mut connection, table).await;
        applied.extend(rows.ok().map(|rows| format!("{table} {rows}")));
    }
    let columns = match wanted.schema {
        Some(_) => Some(surroundings::columns(&mut connection).await?),
        None => None,
    };
    connection.close().await;
    let dump = |arguments: &[String]| pg_dump(binaries, &target, arguments);
    let sql = match &wanted.schema {
        Some(path) => std::fs::read(path).map_err(|error| Error::File {
            what: "read",
            path: path.display().to_string(),
            why: error.to_string(),
        })?,
        None => dump(&words(&[
            "--schema-only",
            "--no-tablespaces",
            "--no-subscriptions",
            LOCK_WAIT,
        ]))?,
    };
    let mut rows = words(&["--data-only", "--column-inserts", LOCK_WAIT]);
    rows.extend(
        around
            .version_tables
            .iter()
            .map(|table| format!("--table={table}")),
    );
    let rows = if around.version_tables.is_empty() {
        Vec::new()
    } else {
        dump(&rows)?
    };
    Ok(Schema {
        database: target.database,
        around,
        sql,
        rows,
        applied,
        columns,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Looks whether pg_dump would have to wait: it asks for ACCESS SHARE on every table.
async fn nobody_in_the_way(connection: Connection) -> Result<Connection> {
    let mut facts = Facts::of(connection);
    let look = facts.look().await?;
    if let Some(oid) = look.closed_to_readers().first() {
        let name = look.relations.get(oid).map(|r| r.name.to_string());
        return Err(Error::Server {
            what: "read the schema".into(),
            why: format!(
                "a session holds or waits for ACCESS EXCLUSIVE on {}, and pg_dump would wait behind it",
                name.unwrap_or_else(|| format!("the relation with oid {oid}"))
            ),
            help: "see `pgguard status`, and try again; or give the schema with --schema FILE"
                .into(),
        });
    }
    facts.into_connection()
}

fn pg_dump(binaries: &Binaries, target: &Target, arguments: &[String]) -> Result<Vec<u8>> {
    let program = binaries.program("pg_dump");
    let failed = |why: String| {
        Error::Program {
        program: program.display().to_string(),
        why,
        help: "the role needs SELECT on every table (GRANT pg_read_all_data TO …), or give the schema with \
               --schema FILE"
            .into(),
    }
    };
    let output = Command::new(&program)
        .args(arguments)
        .env_remove("DATABASE_URL")
        .envs(target.libpq())
        .env("PGAPPNAME", "pgguard rehearse")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
