//! What pgguard calls pending is what the tools then apply: the real tools migrate, and their version tables are
//! read.
//!
//! The tools of npm are looked for in `$PGGUARD_TOOLS`, or in `.cache/tools`, which this fills:
//! `npm install --prefix .cache/tools dbmate node-pg-migrate pg postgrator drizzle-orm`. Sqitch and sql-migrate are
//! looked for on the path (Debian has both). A tool that is not there is skipped, and the test says so.

use crate::common::{self, Database};
use pgguard::test_support::migration::source::{ReadOptions, Source, sources};
use pgguard::test_support::postgres::applied::only_pending;
use pgguard::test_support::tools::Tool;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of a tool's fixture, to run it in.
fn fixture(tool: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = repository().join("migrations-fixtures/tools").join(tool);
    let copied = Command::new("cp")
        .arg("-r")
        .arg(from.join("."))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(copied.success());
    folder
}

/// What is left to do of a folder in a database.
fn pending_in(database: &Database, url: &str, folder: &Path, tool: Option<&str>) -> Source {
    let options = ReadOptions {
        tool: tool.map(str::to_owned),
        habit: None,
        ..ReadOptions::default()
    };
    let read = sources(&[folder.to_owned()], &options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = if url.is_empty() {
        database.url()
    } else {
        url.to_owned()
    };
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        only_pending(
            &mut connection,
            read,
            &options,
            &pgguard::test_support::postgres::connect::limits_that_keep_the_path(
                std::time::Duration::from_secs(60),
            ),
        )
        .await
        .unwrap()
        .remove(0)
    })
}

fn ids(source: &Source) -> Vec<String> {
    source
        .migrations
        .iter()
        .map(|migration| migration.id.clone())
        .collect()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {said:?}");
}

fn tools_folder() -> PathBuf {
    std::env::var_os("PGGUARD_TOOLS")
        .map_or_else(|| repository().join(".cache/tools"), PathBuf::from)
}

/// A program of npm's, or `None` and a word about it.
fn npm_tool(module: &str) -> Option<PathBuf> {
    let modules = tools_folder().join("node_modules");
    if !modules.join(module).exists() {
        eprintln!("skipped: {module} is not in {}", modules.display());
        return None;
    }
    Some(modules.join(".bin").join(module))
}

fn path_tool(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.exists());
    if found.is_none() {
        eprintln!("skipped: {program} is not on the path");
    }
    found
}

/// JavaScript that finds the modules of the tools' folder.
fn node(script: &str, database: &Database, folder: &Path) -> Command {
    let mut command = Command::new("node");
    command
        .current_dir(tools_folder())
        .args(["--input-type=module", "-e", script]);
    command
        .env("DATABASE_URL", database.server.tcp_url(&database.name))
        .env("FOLDER", folder);
    command
}

/// Runs a tool half way and then to the end: what was pending in between is what the second run recorded.
fn agrees(
    tool: &str,
    database: &Database,
    folder: &Path,
    recorded: &str,
    half: impl FnOnce(),
    rest: impl FnOnce(),
) {
    let read = || -> Vec<String> { database.sql(recorded).lines().map(str::to_owned).collect() };
    let untouched = pending_in(database, "", folder, None);
    assert_eq!(untouched.tool.map(Tool::word).as_deref(), Some(tool));
    assert!(
        untouched.notes[0].contains("has no version table in this database"),
        "{:?}",
        untouched.notes
    );
    half();
    let before = read();
    assert!(!before.is_empty());
    let pending = pending_in(database, "", folder, None);
    assert!(!pending.migrations.is_empty());
    assert!(
        pending.migrations.len() < untouched.migrations.len(),
        "{:?}",
        pending.notes
    );
    rest();
    let mut after = read();
    assert_eq!(after.drain(..before.len()).collect::<Vec<_>>(), before);
    assert_eq!(ids(&pending), after, "{tool}: pending, and then applied");
    assert!(pending_in(database, "", folder, None).migrations.is_empty());
}

#[test]
fn dbmate_applies_what_was_pending() {
    let Some(program) = npm_tool("dbmate") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("dbmate"));
    let url = format!(
        "{}?sslmode=disable",
        database.server.tcp_url(&database.name)
    );
    let up = |migrations: &Path| {
        run(Command::new(&program)
            .args(["--url", &url, "--no-dump-schema", "-d"])
            .arg(migrations)
            .arg("up"))
    };
    let first = tempfile::tempdir().unwrap();
    let name = "20240101000000_orders.sql";
    std::fs::copy(folder.path().join(name), first.path().join(name)).unwrap();
    let recorded = "SELECT version FROM schema_migrations ORDER BY version";
    agrees(
        "dbmate",
        &database,
        folder.path(),
        recorded,
        || up(first.path()),
        || up(folder.path()),
    );
}

#[test]
fn node_pg_migrate_applies_what_was_pending() {
    let Some(program) = npm_tool("node-pg-migrate") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("node-pg-migrate"));
    let url = database.server.tcp_url(&database.name);
    let up = |count: &str| {
        run(Command::new(&program)
            .args(["up", count, "-m"])
            .arg(folder.path())
            .env("DATABASE_URL", &url)
            .current_dir(tools_folder()));
    };
    let recorded = "SELECT name FROM pgmigrations ORDER BY id";
    agrees(
        "node-pg-migrate",
        &database,
        folder.path(),
        recorded,
        || up("1"),
        || up("2"),
    );
}

#[test]
fn postgrator_applies_what_was_pending() {
    let Some(_) = npm_tool("postgrator") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("postgrator"));
    let up = |version: &str| {
        let script = format!(
            "import Postgrator from 'postgrator'; import pg from 'pg';
             const client = new pg.Client({{ connectionString: process.env.DATABASE_URL }});
             await client.connect();
             await new Postgrator({{ driver: 'pg', migrationPattern: process.env.FOLDER + '/*', execQuery: (text) => client.query(text) }}).migrate('{version}');
             await client.end();"
        );
        run(&mut node(&script, &database, folder.path()));
    };
    // It records a version 0 to begin with.
    let recorded = "SELECT version FROM schemaversion WHERE version > 0 ORDER BY version";
    agrees(
        "postgrator",
        &database,
        folder.path(),
        recorded,
        || up("1"),
        || up("max"),
    );
}

#[test]
fn drizzle_applies_what_was_pending() {
    let Some(_) = npm_tool("drizzle-orm") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("drizzle"));
    let first = fixture("drizzle");
    let journal = std::fs::read_to_string(first.path().join("meta/_journal.json")).unwrap();
    let entry = journal.lines().nth(1).unwrap().trim_end_matches(',');
    std::fs::write(
        first.path().join("meta/_journal.json"),
        format!("{{\"entries\":[{entry}]}}"),
    )
    .unwrap();
    let up = |folder: &Path| {
        let script = "import { drizzle } from 'drizzle-orm/node-postgres'; import { migrate } from 'drizzle-orm/node-postgres/migrator'; import pg from 'pg';
             const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
             await client.connect();
             await migrate(drizzle(client), { migrationsFolder: process.env.FOLDER });
             await client.end();";
        run(&mut node(script, &database, folder));
    };
    let recorded = "SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY id";
    agrees(
        "drizzle",
        &database,
        folder.path(),
        recorded,
        || up(first.path()),
        || up(folder.path()),
    );
}

#[test]
fn sql_migrate_applies_what_was_pending() {
    let Some(program) = path_tool("sql-migrate") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("sql-migrate"));
    let conf = tempfile::NamedTempFile::new().unwrap();
    let source = format!(
        "{}?sslmode=disable",
        database.server.tcp_url(&database.name)
    );
    let text = format!(
        "test:\n  dialect: postgres\n  datasource: {source}\n  dir: {}\n",
        folder.path().display()
    );
    std::fs::write(conf.path(), text).unwrap();
    let up = |limit: &str| {
        let config = format!("-config={}", conf.path().display());
        run(Command::new(&program).args(["up", &config, "-env=test", limit]));
    };
    let recorded = "SELECT id FROM gorp_migrations ORDER BY applied_at";
    agrees(
        "sql-migrate",
        &database,
        folder.path(),
        recorded,
        || up("-limit=1"),
        || up("-limit=0"),
    );
}

#[test]
fn sqitch_applies_what_was_pending() {
    let Some(program) = path_tool("sqitch") else {
        return;
    };
    let (database, folder) = (common::database(), fixture("sqitch"));
    let target = database
        .server
        .tcp_url(&database.name)
        .replace("postgres://", "db:pg://");
    let deploy = |to: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(["deploy", "--no-verify", "--client"])
            .arg(database.server.bin("psql"))
            .args(to)
            .arg(&target);
        command
            .current_dir(folder.path())
            .env("HOME", folder.path());
        run(command
            .env("SQITCH_FULLNAME", "A")
            .env("SQITCH_EMAIL", "a@example.org"));
    };
    let recorded = "SELECT project || ':' || change || ':' || row_number() OVER (PARTITION BY change ORDER BY committed_at)
                      FROM sqitch.changes ORDER BY committed_at";
    agrees(
        "sqitch",
        &database,
        folder.path(),
        recorded,
        || deploy(&["--to", "@v1"]),
        || deploy(&[]),
    );
}

#[test]
fn a_version_table_that_cannot_be_read_leaves_all_pending_and_says_why() {
    let (database, folder) = (common::database(), fixture("dbmate"));
    database.sql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20240101000000')");
    assert_eq!(
        ids(&pending_in(&database, "", folder.path(), None)),
        ["20240201000000"]
    );

    let mut holder = database.session();
    holder.begin_and_lock("schema_migrations", "ACCESS EXCLUSIVE");
    let locked = pending_in(&database, "", folder.path(), None);
    assert_eq!(locked.migrations.len(), 2);
    assert!(
        locked.notes[0].contains(
            "public.schema_migrations: a session holds or waits for ACCESS EXCLUSIVE on it"
        ),
        "{:?}",
        locked.notes
    );
    holder.exec("ROLLBACK");

    database.sql("CREATE ROLE reader_of_nothing LOGIN");
    let refused = pending_in(
        &database,
        &database.url_as("reader_of_nothing"),
        folder.path(),
        None,
    );
    assert_eq!(refused.migrations.len(), 2);
    assert!(
        refused.notes[0].contains("GRANT SELECT ON public.schema_migrations TO reader_of_nothing"),
        "{:?}",
        refused.notes
    );

    // A table of the same name that is another tool's is no version table of this one.
    database.sql("DROP TABLE schema_migrations; CREATE TABLE schema_migrations (version bigint, dirty boolean)");
    let other = pending_in(&database, "", folder.path(), None);
    assert!(
        other.notes[0].contains("dbmate has no version table in this database"),
        "{:?}",
        other.notes
    );

    database.sql("DROP TABLE schema_migrations");
    for schema in ["a", "b"] {
        database.sql(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE {schema}.schema_migrations (version text)"
        ));
    }
    let two = pending_in(&database, "", folder.path(), None);
    assert!(
        two.notes[0].contains("a.schema_migrations or b.schema_migrations: set search_path"),
        "{:?}",
        two.notes
    );
}

#[test]
fn a_folder_that_could_be_two_tools_is_read_as_the_one_whose_table_is_there() {
    let (database, folder) = (common::database(), fixture("golang-migrate"));
    let options = |tool: &str| pending_in(&database, "", folder.path(), Some(tool));
    assert_eq!(
        pending_in(&database, "", folder.path(), None)
            .tool
            .unwrap()
            .name,
        "golang-migrate"
    );
    database.sql("CREATE TABLE _sqlx_migrations (version bigint, success boolean); INSERT INTO _sqlx_migrations VALUES (1, true), (2, false)");
    let found = pending_in(&database, "", folder.path(), None);
    assert_eq!(
        (found.tool.unwrap().name, ids(&found)),
        ("sqlx", vec!["2".to_owned(), "10".to_owned()])
    );
    assert!(
        found.notes[0].contains("sqlx has recorded migration 2 as begun and not finished"),
        "{:?}",
        found.notes
    );
    // The user's word counts for more than a table.
    assert_eq!(
        options("golang-migrate").tool.unwrap().name,
        "golang-migrate"
    );
}

#[test]
fn every_version_query_runs_on_the_table_that_its_tool_makes() {
    // Tables as the tools' sources make them, the columns that are read.
    let database = common::database();
    for (tool, table, rows, expected) in [
        (
            "goose",
            "goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp)",
            "(version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false)",
            vec!["2", "3", "4"],
        ),
        (
            "flyway",
            "flyway_schema_history (installed_rank int, version varchar(50), description varchar(200), type varchar(20), script varchar, checksum int, success boolean)",
            "VALUES (1, '1', 'x', 'BASELINE', 'x', NULL, true), (2, '1.9', 'total', 'SQL', 'x', 1, true), (3, '1.9', 'total', 'UNDO_SQL', 'x', 1, true), (4, '2.0', 'note', 'SQL', 'x', 1, true)",
            vec!["1.9", "1.10", "3", "R big orders"],
        ),
        (
            "prisma",
            "_prisma_migrations (migration_name text, finished_at timestamptz, rolled_back_at timestamptz)",
            "VALUES ('20240101000000_orders', NULL, now()), ('20240101000000_orders', now(), NULL), ('20240201000000_total', NULL, NULL)",
            vec!["20240201000000_total"],
        ),
        (
            "atlas",
            "atlas_schema_revisions (version text, applied bigint, total bigint, error text)",
            "VALUES ('20240101000000', 1, 1, NULL), ('20240201000000', 0, 1, 'failed')",
            vec!["20240201000000"],
        ),
        (
            "diesel",
            "__diesel_schema_migrations (version varchar(50), run_on timestamp)",
            "VALUES ('20240101000000', now())",
            vec!["20240201000000"],
        ),
        (
            "tern",
            "schema_version (version int)",
            "VALUES (1)",
            vec!["2"],
        ),
        (
            "liquibase",
            "databasechangelog (id varchar, author varchar, filename varchar, exectype varchar)",
            "VALUES ('1', 'anna', 'db/changelog.sql', 'EXECUTED')",
            vec!["anna:2:changelog.sql"],
        ),
        (
            "graphile-migrate",
            "migrations (hash text, previous_hash text, filename text)",
            "VALUES ('a', NULL, '000001.sql')",
            vec!["000002-index.sql"],
        ),
        (
            "sqlx/migrations",
            "_sqlx_migrations (version bigint, success boolean)",
            "VALUES (20240101000000, true)",
            vec!["20240201000000", "20240301000000"],
        ),
        (
            "refinery/migrations",
            "refinery_schema_history (version int, checksum varchar, applied_on varchar)",
            "VALUES (1, '', '')",
            vec!["2", "10"],
        ),
        (
            "bun",
            "bun_migrations (id bigserial, name varchar, group_id bigint, migrated_at timestamptz)",
            "(name, group_id) VALUES ('20240101000000', 1)",
            vec!["20240201000000", "20240301000000", "20240401000000"],
        ),
        (
            "golang-migrate",
            "schema_migrations (version bigint, dirty boolean)",
            "VALUES (2, true)",
            vec!["2", "10"],
        ),
    ] {
        let name = table.split(' ').next().unwrap();
        database.sql(&format!("CREATE TABLE {table}; INSERT INTO {name} {rows}"));
        let folder = repository().join("migrations-fixtures/tools").join(tool);
        let pending = pending_in(&database, "", &folder, None);
        assert_eq!(ids(&pending), expected, "{tool}: {:?}", pending.notes);
        database.sql(&format!("DROP TABLE {name}"));
    }
}
