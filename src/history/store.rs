//! One history in two kinds of places, asked in the same words.
//!
//! SQL is written as Postgres takes it, with the schema's name; SQLite, which has none, gets it without.
//! Everything happens in transactions: a file's writers come one after the other (`BEGIN IMMEDIATE`, and
//! a wait of [`PATIENCE`] for the one before), readers go on meanwhile (its write-ahead log). A place that
//! is not as it should be is left as it is.

use super::place::Place;
use crate::postgres::connect::{Connection, Flags, Target};
use crate::{Error, Result};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a writer waits for the one before it, and a question to a server for its answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// `PRAGMA application_id` of our files: "pggh".
const APPLICATION_ID: i32 = 0x7067_6768;

/// Advisory lock that two `init`s share: its own, since sqlx's is one for all programs that migrate.
const INIT_LOCK: i64 = 0x7067_6768_0001;

/// How a transaction on a server begins: only Postgres's own operators and functions are found in it.
pub const READ: &str = "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp";
/// The same for one that writes.
pub const WRITE: &str = "BEGIN READ WRITE; SET LOCAL search_path = pg_catalog, pg_temp";

/// An open place.
pub struct Store {
    name: String,
    pub(super) session: Session,
}

/// The session with it.
pub enum Session {
    /// A file.
    Sqlite(SqliteConnection),
    /// A server.
    Postgres(Box<Connection>),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.name)
    }
}

/// Reads a struct from the columns of its fields' names, on whichever place.
macro_rules! from_row {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        from_row!(sqlx::sqlite::SqliteRow, $type { $($field),+ });
        from_row!(sqlx::postgres::PgRow, $type { $($field),+ });
    };
    ($row:ty, $type:ident { $($field:ident),+ }) => {
        impl sqlx::FromRow<'_, $row> for $type {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
pub(super) use from_row;

/// Runs a block in one transaction, on whichever place. In it, `$tx` is the connection and `$sql` makes
/// the statement that this place takes from one that names the schema.
macro_rules! transaction {
    ($store:expr, read |$tx:ident, $sql:ident| $block:expr) => {
        transaction!(
            $store,
            ("BEGIN", $crate::history::store::READ),
            |$tx, $sql| $block
        )
    };
    ($store:expr, write |$tx:ident, $sql:ident| $block:expr) => {
        transaction!(
            $store,
            ("BEGIN IMMEDIATE", $crate::history::store::WRITE),
            |$tx, $sql| $block
        )
    };
    ($store:expr, ($begin_file:expr, $begin_server:expr), |$tx:ident, $sql:ident| $block:expr) => {{
        let store: &mut $crate::history::store::Store = $store;
        let name = store.name().to_owned();
        let done: sqlx::Result<_> = match &mut store.session {
            $crate::history::store::Session::Sqlite(session) => {
                let $sql = |text: &str| sqlx::AssertSqlSafe(text.replace("pgguard.", ""));
                async {
                    let mut transaction =
                        sqlx::Connection::begin_with(session, $begin_file).await?;
                    let $tx = &mut transaction;
                    let out = $block;
                    transaction.commit().await?;
                    Ok(out)
                }
                .await
            }
            $crate::history::store::Session::Postgres(connection) => {
                let $sql = |text: &str| sqlx::AssertSqlSafe(text.to_owned());
                let session = connection.session()?;
                let work = async {
                    let mut transaction =
                        sqlx::Connection::begin_with(session, $begin_server).await?;
                    let $tx = &mut transaction;
                    let out = $block;
                    transaction.commit().await?;
                    Ok(out)
                };
                work.await
            }
        };
        done.map_err(|error| $crate::history::store::failed(&name, &error))
    }};
}
pub(super) use transaction;

impl Store {
    /// Opens what is there; a file that is not there is created.
    pub async fn open(place: &Place) -> Result<Self> {
        let name = place.to_string();
        let session = match place {
            Place::File(path) => Session::Sqlite(open_file(path, &name).await?),
            Place::Postgres(url) => {
                let mut connection = connect(url).await?;
                let version = schema_version(connection.session()?, &name).await?;
                known(version, newest(&postgres_migrations()), &name)?;
                Session::Postgres(Box::new(connection))
            }
        };
        Ok(Self { name, session })
    }

    /// Opens it, after its schema was created or brought up to date.
    pub async fn create(place: &Place) -> Result<Self> {
        if let Place::Postgres(url) = place {
            let mut connection = connect(url).await?;
            create_schema(connection.session()?, &place.to_string()).await?;
            connection.close().await;
        }
        Self::open(place).await
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub async fn close(self) {
        match self.session {
            Session::Sqlite(session) => {
                // What was committed is in the file; a goodbye that fails loses nothing.
                let _ = session.close().await;
            }
            Session::Postgres(connection) => connection.close().await,
        }
    }
}

/// The migrations of one kind of place: `NUMBER DESCRIPTION`, which name the file in `migrations/`.
macro_rules! migrations {
    ($place:literal: $($version:literal $description:literal),+ $(,)?) => {
        Migrator::with_migrations(vec![$(
            migration($version, $description, include_str!(concat!(
                "migrations/", $place, "/000", $version, "_", $description, ".sql"
            )))
        ),+])
    };
}

/// As data and not by sqlx's macro, which brings both databases' drivers into the build of the build itself.
fn migration(version: i64, description: &str, sql: &'static str) -> Migration {
    Migration::new(
        version,
        description.replace('_', " ").into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

fn sqlite_migrations() -> Migrator {
    migrations!("sqlite": 1 "history", 2 "watched_tables", 3 "migration_run", 4 "manner")
}

fn postgres_migrations() -> Migrator {
    let mut migrations =
        migrations!("postgres": 1 "history", 2 "watched_tables", 3 "migration_run", 4 "manner");
    migrations.set_locking(false);
    migrations.dangerous_set_table_name("pgguard._sqlx_migrations");
    migrations
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|m| m.version).max().unwrap_or(0)
}

async fn open_file(path: &Path, name: &str) -> Result<SqliteConnection> {
    if !path.exists() {
        create_folder(path, name)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(PATIENCE)
        // With a write-ahead log: a power cut may lose the last looks, and damages nothing.
        .synchronous(SqliteSynchronous::Normal);
    let mut file = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| failed(name, &error))?;
    let migrations = sqlite_migrations();
    let version = file_version(&mut file, name).await?;
    if version != newest(&migrations) {
        if version > newest(&migrations) {
            return Err(newer(name));
        }
        migrate_file(&mut file, &migrations, name).await?;
    }
    Ok(file)
}

fn create_folder(path: &Path, name: &str) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| {
            unusable(
                name,
                &format!(
                    "cannot create its folder: {error}; name another file with --history or $PGGUARD_HISTORY"
                ),
            )
        })
}

/// The newest migration that the file has; 0: it is new.
async fn file_version(file: &mut SqliteConnection, name: &str) -> Result<i64> {
    let wrong = |error: sqlx::Error| failed(name, &error);
    let tables: Vec<(String,)> = sqlx::query_as("SELECT name FROM sqlite_schema")
        .fetch_all(&mut *file)
        .await
        .map_err(wrong)?;
    if tables.is_empty() {
        return Ok(0);
    }
    let (id,): (i32,) = sqlx::query_as("PRAGMA application_id")
        .fetch_one(&mut *file)
        .await
        .map_err(wrong)?;
    if id != APPLICATION_ID {
        return Err(unusable(
            name,
            "it is a SQLite database of another program, and was left alone; name another file with --history",
        ));
    }
    let (version,): (Option<i64>,) = sqlx::query_as("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *file)
        .await
        .map_err(wrong)?;
    Ok(version.unwrap_or(0))
}

/// Creates the tables, or adds what an older pgguard did not have. Of several processes that come at once
/// one does it and the others find it done.
async fn migrate_file(
    file: &mut SqliteConnection,
    migrations: &Migrator,
    name: &str,
) -> Result<()> {
    let wrong = |error: sqlx::Error| failed(name, &error);
    let begun = Instant::now();
    // No busy handler covers the change of the mode (sqlite3_busy_timeout).
    while let Err(error) = sqlx::raw_sql("PRAGMA journal_mode = WAL")
        .execute(&mut *file)
        .await
    {
        if !is_busy(&error) || begun.elapsed() > PATIENCE {
            return Err(wrong(error));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut transaction = file.begin_with("BEGIN IMMEDIATE").await.map_err(wrong)?;
    migrations
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| not_migrated(name, error))?;
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(AssertSqlSafe(mark))
        .execute(&mut *transaction)
        .await
        .map_err(wrong)?;
    transaction.commit().await.map_err(wrong)
}

async fn connect(url: &str) -> Result<Connection> {
    let target = Target::from_flags(&Flags {
        dbname: Some(url.to_owned()),
        ..Flags::default()
    })?;
    Connection::open(&target, PATIENCE).await
}

async fn schema_version(session: &mut PgConnection, name: &str) -> Result<i64> {
    let version: Option<i64> =
        sqlx::query_scalar("SELECT pg_catalog.max(version) FROM pgguard._sqlx_migrations")
            .fetch_one(session)
            .await
            .map_err(|error| failed(name, &error))?;
    Ok(version.unwrap_or(0))
}

/// Whether a schema of this version is one that this program writes.
fn known(version: i64, newest: i64, name: &str) -> Result<()> {
    match version.cmp(&newest) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(newer(name)),
        std::cmp::Ordering::Less => Err(unusable(
            name,
            &format!(
                "its schema is of an older pgguard; bring it up to date: pgguard backups init --history {name}"
            ),
        )),
    }
}

async fn create_schema(session: &mut PgConnection, name: &str) -> Result<()> {
    let wrong = |error: sqlx::Error| failed(name, &error);
    let mut transaction = session.begin_with(WRITE).await.map_err(wrong)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(INIT_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(wrong)?;
    let schema: Option<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname = 'pgguard'")
            .fetch_optional(&mut *transaction)
            .await
            .map_err(wrong)?;
    if schema.is_none() {
        sqlx::raw_sql("CREATE SCHEMA pgguard")
            .execute(&mut *transaction)
            .await
            .map_err(wrong)?;
    }
    postgres_migrations()
        .run_direct(None, &mut *transaction, false)
        .await
        .map_err(|error| not_migrated(name, error))?;
    transaction.commit().await.map_err(wrong)
}

fn not_migrated(name: &str, error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(_) => newer(name),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            failed(name, &error)
        }
        other => unusable(
            name,
            &format!("{other}; update pgguard, or name another place with --history"),
        ),
    }
}

fn newer(name: &str) -> Error {
    unusable(
        name,
        "it was written by a newer pgguard; update this one, or name another place with --history",
    )
}

/// It cannot be used as it is.
pub fn unusable(name: &str, why: &str) -> Error {
    Error::History {
        path: name.to_owned(),
        why: why.to_owned(),
    }
}

/// Its contents make no sense.
pub fn damaged(name: &str, what: &str) -> Error {
    unusable(
        name,
        &format!(
            "it is damaged ({what}), and was left as it is; move it away and pgguard begins a new one"
        ),
    )
}

/// SQLite's primary result code (<https://www.sqlite.org/rescode.html>); `None`: not from SQLite.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(said) = error else {
        return None;
    };
    said.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    said.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

fn is_busy(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error), Some(5 | 6))
}

/// Why a statement failed there, and what to do.
pub fn failed(name: &str, error: &sqlx::Error) -> Error {
    let said = match error {
        sqlx::Error::Database(said) => said.message().to_owned(),
        other => other.to_string(),
    };
    if let Some(code) = sqlite_code(error) {
        let help = match code {
            5 | 6 => "another pgguard was writing to it all the time; try again",
            8 | 14 | 3 => {
                "check the rights of the file and of its folder, or name another file with --history"
            }
            13 => "the disk is full",
            11 | 26 => {
                return unusable(
                    name,
                    &format!(
                        "it is damaged, or no SQLite database ({said}), and was left as it is; \
                         `sqlite3 {name} .recover` saves what can be read; move it away and pgguard begins a new one"
                    ),
                );
            }
            _ => "name another file with --history, or none with --no-history",
        };
        return unusable(name, &format!("{said}; {help}"));
    }
    let code = match error {
        sqlx::Error::Database(said) => said.code().unwrap_or_default().into_owned(),
        _ => String::new(),
    };
    let help = match code.as_str() {
        "3F000" | "42P01" => {
            return unusable(
                name,
                &format!(
                    "it has no schema pgguard; create it once: pgguard backups init --history {name}"
                ),
            );
        }
        "42501" => {
            "the role needs: GRANT USAGE ON SCHEMA pgguard TO the_role; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgguard TO the_role; \
             and pgguard backups init needs CREATE ON DATABASE"
        }
        "25006" => "it is a standby: name its primary",
        _ => "try again, or go without with --no-history",
    };
    unusable(name, &format!("{said}; {help}"))
}
