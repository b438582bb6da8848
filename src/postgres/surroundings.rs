//! What a copy of a database's schema needs around it: roles, rights, settings, extensions; and the schema's fingerprint.

use super::connect::Connection;
use crate::Result;
use crate::tools::TOOLS;
use std::collections::BTreeSet;

const QUESTION: &str = include_str!("surroundings.sql");

/// Tables in which frameworks keep books about themselves, besides the version tables of [`TOOLS`].
const BOOKS: &[&str] = &[
    "ar_internal_metadata",
    "django_content_type",
    "auth_permission",
    "knex_migrations_lock",
    "SequelizeData",
    "typeorm_metadata",
    "databasechangeloglock",
    "kysely_migration_lock",
    "bun_migration_locks",
    "migrations_lock",
    "schema_migrations_lock",
];

/// Names of the tables in which tools keep books about themselves, and no migrations: locks, settings.
pub fn books() -> impl Iterator<Item = &'static str> {
    let locks = TOOLS.iter().filter_map(|tool| tool.lock_table);
    locks.chain(BOOKS.iter().copied())
}

/// What is around a schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The database's owner.
    pub owner: String,
    /// Who owns most tables.
    pub tables_of: Option<String>,
    /// The database's encoding.
    pub encoding: String,
    /// `CREATE ROLE` and `GRANT`, which come before the schema.
    pub roles: Vec<String>,
    /// Rights on the database, and `ALTER … SET`, which come after it.
    pub settings: Vec<String>,
    /// What the server's configuration sets, as (name, value).
    pub server: Vec<(String, String)>,
    /// The extensions that something depends on.
    pub extensions: Vec<String>,
    /// Those that nothing depends on.
    pub unused_extensions: Vec<String>,
    /// The tables in which migration tools keep their books, quoted.
    pub version_tables: Vec<String>,
    /// A hash of the schema.
    pub fingerprint: String,
}

/// Reads it. `more`: further version tables, by name.
///
/// # Errors
/// As the server has it.
pub async fn read(connection: &mut Connection, more: &[String]) -> Result<Surroundings> {
    let known = TOOLS.iter().filter_map(|tool| tool.version_table);
    let names: Vec<String> = known
        .chain(books())
        .map(str::to_owned)
        .chain(more.iter().cloned())
        .map(|name| format!("'{}'", name.replace('\'', "''")))
        .collect();
    let tables = format!("ARRAY[{}]::name[]", names.join(","));
    let encoding = connection.encoding();
    let mut found = Surroundings::default();
    connection
        .ask(
            "read what is around the schema",
            &QUESTION.replace("{TABLES}", &tables),
            |row| {
                let text = |at| row.text(at, encoding).unwrap_or_default();
                found.add(&text(0), text(1), text(2));
            },
        )
        .await?;
    Ok(found)
}

/// The rows of a version table, in one line. Its name is quoted where that is needed.
///
/// # Errors
/// As the server has it.
pub async fn applied(connection: &mut Connection, table: &str) -> Result<String> {
    let question = format!(
        "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; \
         SELECT pg_catalog.string_agg(t::text, ' ') FROM (SELECT * FROM {table} ORDER BY 1 DESC LIMIT 50) t"
    );
    let encoding = connection.encoding();
    let mut rows = String::new();
    connection
        .ask("read which migrations are applied", &question, |row| {
            rows = row.text(0, encoding).unwrap_or_default();
        })
        .await?;
    Ok(rows.replace(['\n', '\r'], " "))
}

/// Every table and column, by name and type.
pub const COLUMNS: &str = include_str!("columns.sql");

/// Every table and column of the database.
///
/// # Errors
/// As the server has it.
pub async fn columns(connection: &mut Connection) -> Result<BTreeSet<String>> {
    let encoding = connection.encoding();
    let mut found = BTreeSet::new();
    connection
        .ask("read the columns", COLUMNS, |row| {
            found.extend(row.text(0, encoding));
        })
        .await?;
    Ok(found)
}

impl Surroundings {
    fn add(&mut self, kind: &str, name: String, text: String) {
        match kind {
            "database" => (self.owner, self.encoding) = (name, text),
            "tables" => self.tables_of = Some(name),
            "role" => self.roles.insert(0, text),
            "grant" => self.roles.push(text),
            "right" | "setting" => self.settings.push(text),
            "server" => self.server.push((name, text)),
            "extension" => self.extensions.push(name),
            "unused" => self.unused_extensions.push(name),
            "versions" => self.version_tables.push(text),
            "fingerprint" => self.fingerprint = text,
            _ => {}
        }
    }
}
