//! Migrations of an empty database: what an earlier statement of the run makes is in nobody's way
//! (cases/migrations/01).

use crate::common::{self, Database, pgguard, pgguard_with_input};
use crate::trial::gate;
use pgguard::model::Answer;
use pgguard::test_support::throwaway::{Options, Server};
use std::path::{Path, PathBuf};

/// Runs statement by statement on the server; what it refuses is left out. The gate then sees an empty database.
fn is_clear_on_an_empty_database(server: &'static Server, name: &str, statements: &[String]) {
    let version = server.version();
    let trial = Database::empty(server);
    let mut session = trial.session();
    let ran: Vec<&str> = statements
        .iter()
        .map(String::as_str)
        .filter(|statement| session.try_exec(statement).is_ok())
        .collect();
    session.close();
    assert!(!ran.is_empty(), "{name}: nothing ran");
    let said = gate(&Database::empty(server), &ran.join(";\n"));
    let opaque = |statement: Option<usize>| {
        statement.is_some_and(|index| said.footprint.statements[index].opaque.is_some())
    };
    let doubts: Vec<_> = said
        .verdict
        .doubts
        .iter()
        .filter(|doubt| !opaque(doubt.statement))
        .collect();
    assert!(
        said.answer() == Answer::Clear || said.answer() == Answer::CannotTell && doubts.is_empty(),
        "Postgres {version}, {name}: {:?} {doubts:#?} {:#?}",
        said.answer(),
        said.footprint
            .statements
            .iter()
            .filter_map(|s| s.fails.as_ref().map(|why| (&s.sql, why)))
            .collect::<Vec<_>>(),
    );
}

/// Each runs through on an empty database, statement by statement.
const SEQUENCES: &[&str] = &[
    "CREATE TABLE x (id int); CREATE INDEX ON x (id)",
    "CREATE TABLE x (id int); CREATE INDEX CONCURRENTLY i ON x (id); REINDEX INDEX CONCURRENTLY i; DROP INDEX CONCURRENTLY i",
    "CREATE TABLE x (id int); ALTER TABLE x ADD COLUMN y int; COMMENT ON TABLE x IS 'new'; ANALYZE x; VACUUM x; CLUSTER",
    "BEGIN; CREATE TABLE x (id int); COMMIT; ALTER TABLE x ADD COLUMN y int",
    "CREATE TABLE y (id int PRIMARY KEY); CREATE TABLE z (id int REFERENCES y); ALTER TABLE z ADD CHECK (id > 0) NOT VALID",
    "CREATE TABLE y (id int PRIMARY KEY); CREATE TABLE z (id int); ALTER TABLE z ADD FOREIGN KEY (id) REFERENCES y NOT VALID; ALTER TABLE z VALIDATE CONSTRAINT z_id_fkey",
    "CREATE VIEW v AS SELECT 1 AS a; DROP VIEW v",
    "CREATE TABLE x (id int); CREATE MATERIALIZED VIEW m AS SELECT * FROM x; CREATE UNIQUE INDEX ON m (id); REFRESH MATERIALIZED VIEW CONCURRENTLY m; DROP TABLE x CASCADE",
    "CREATE SEQUENCE s; SELECT setval('s', 10); ALTER SEQUENCE s OWNED BY NONE; DROP SEQUENCE s",
    "CREATE TABLE IF NOT EXISTS y (id int); CREATE INDEX IF NOT EXISTS i ON y (id); CREATE INDEX IF NOT EXISTS i ON y (id)",
    "CREATE TABLE a (id int); ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME COLUMN id TO no; ALTER TABLE b ADD x int",
    "CREATE SCHEMA app; CREATE TABLE t (id int); ALTER TABLE t SET SCHEMA app; ALTER TABLE app.t ADD x int; DROP SCHEMA app CASCADE",
    "CREATE SCHEMA app; SET search_path = app, public; CREATE TABLE t (id int); ALTER TABLE t ADD x int; CREATE INDEX ON app.t (x)",
    "CREATE TABLE x (id int); DROP TABLE x; CREATE TABLE x (id bigint); ALTER TABLE x ADD y int",
    "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 (id int); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20); CREATE INDEX ON p (id); ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY; DROP TABLE p1",
    "CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE b (LIKE a INCLUDING ALL); ALTER TABLE b INHERIT a; INSERT INTO b VALUES (1, 'x'); UPDATE a SET note = 'y'; DELETE FROM a; TRUNCATE a",
    "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE x (m mood); ALTER TYPE mood ADD VALUE 'sad'; ALTER TABLE x ALTER m SET DEFAULT 'ok'; ALTER TABLE x DROP COLUMN m; DROP TYPE mood",
    "CREATE DOMAIN d AS int; CREATE TABLE x (v d); ALTER DOMAIN d ADD CHECK (VALUE > 0); ALTER DOMAIN d SET NOT NULL",
    "CREATE TABLE x (id serial PRIMARY KEY, at timestamptz DEFAULT now()); GRANT SELECT ON x TO PUBLIC; ALTER TABLE x ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON x USING (true); ALTER POLICY p ON x USING (id > 0); DROP POLICY p ON x",
    "CREATE TABLE x (id int); CREATE RULE r AS ON DELETE TO x DO INSTEAD NOTHING; DROP RULE r ON x; CREATE STATISTICS s ON id, (id + 1) FROM x; DROP STATISTICS s",
    "CREATE TABLE x (id int); CREATE PUBLICATION p FOR TABLE x; ALTER PUBLICATION p DROP TABLE x; DROP PUBLICATION p",
    "CREATE TABLE x (id int); LOCK TABLE x; COPY x FROM PROGRAM 'true'; SELECT * FROM x FOR UPDATE; CREATE TABLE y AS SELECT * FROM x",
    "CREATE TEMP TABLE x (id int); ALTER TABLE x ADD y int; CREATE INDEX ON x (y); DROP TABLE x",
    "BEGIN; CREATE TEMP TABLE x (id int PRIMARY KEY) ON COMMIT DROP; CREATE TEMP VIEW v AS SELECT id FROM x; COMMIT; BEGIN; CREATE TEMP TABLE x (id int) ON COMMIT DROP; CREATE TEMP VIEW v AS SELECT id FROM x; INSERT INTO x VALUES (1); COMMIT; CREATE TABLE x (id int)",
    "CREATE TEMP TABLE x ON COMMIT DROP AS SELECT 1 AS id; CREATE TEMP TABLE x ON COMMIT DROP AS SELECT 2 AS id; CREATE TABLE x (y int); CREATE INDEX ON x (y)",
    "CREATE TABLE x (id int, b bigint); ALTER TABLE x ALTER id TYPE bigint; ALTER TABLE x SET UNLOGGED; ALTER TABLE x SET (fillfactor = 70); ALTER TABLE x REPLICA IDENTITY FULL; VACUUM FULL x",
];

#[test]
fn a_relation_that_the_run_has_made_is_in_nobodys_way() {
    for major in common::majors() {
        for text in SEQUENCES {
            let statements: Vec<String> = text.split("; ").map(str::to_owned).collect();
            is_clear_on_an_empty_database(common::server_of(major), text, &statements);
        }
    }
}

#[test]
fn the_forms_are_clear_on_the_database_that_they_make() {
    for major in common::majors() {
        // Some write what all databases share, as tests beside this one do in open transactions.
        let options = Options::major(major).setting("autovacuum", "off");
        let server = common::own_server(&options);
        for file in files("migrations-fixtures/forms") {
            let text = std::fs::read_to_string(&file).expect("a fixture");
            let statements: Vec<String> = pg_query::split_with_scanner(&text)
                .expect("SQL")
                .into_iter()
                .map(str::to_owned)
                .collect();
            is_clear_on_an_empty_database(server, &file.display().to_string(), &statements);
        }
    }
}

/// Folders with a step that is code, which nobody can read, or that alter what they do not make.
const DOUBTS: [&str; 5] = ["bun", "django", "goose", "node-pg-migrate", "stdin"];

/// Folders that alter a type which they do not make: Postgres refuses that.
const REFUSED: [&str; 1] = ["flyway"];

#[test]
fn every_tools_folder_is_clear_on_an_empty_database() {
    let database = Database::empty(common::server());
    for folder in files("migrations-fixtures/tools") {
        let tool = folder.file_name().expect("a name").to_string_lossy();
        let inner = folder.join("migrations");
        let read = if inner.is_dir() { &inner } else { &folder };
        let told = pgguard(["gate", "-d", &database.url(), &read.to_string_lossy()]);
        let expected = match &*tool {
            tool if DOUBTS.contains(&tool) => 2,
            tool if REFUSED.contains(&tool) => 1,
            _ => 0,
        };
        assert_eq!(told.status, expected, "{tool}: {told}");
    }
}

#[test]
fn files_of_one_run_see_what_the_earlier_ones_made() {
    let database = Database::empty(common::server());
    let url = database.url();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, sql).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let first = file("1_make.sql", "CREATE TABLE fresh (id int);");
    let second = file("2_use.sql", "ALTER TABLE fresh ADD COLUMN x int;");
    let told = pgguard(["gate", "-d", &url, &first, &second]);
    assert_eq!(told.status, 0, "{told}");
    let told = pgguard_with_input(
        ["gate", "-d", &url, "-"],
        "CREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id);\n",
    );
    assert_eq!(told.status, 0, "{told}");
    // Alone, the second one names what is not there.
    let told = pgguard(["gate", "-d", &url, &second]);
    assert_eq!(told.status, 2, "{told}");
}

#[test]
fn the_relation_that_a_name_had_before_still_counts() {
    let database = Database::empty(common::server());
    database.sql("CREATE TABLE x (id int)");
    let mut reader = database.session();
    reader.exec("BEGIN; SELECT * FROM x");
    let said = gate(
        &database,
        "CREATE TABLE x_new (id int); DROP TABLE x; ALTER TABLE x_new RENAME TO x; ALTER TABLE x ADD y int",
    );
    assert_eq!(said.answer(), Answer::WouldBlock, "{}", said.text());
    let blocked: Vec<bool> = said.verdict.statements.iter().map(|s| s.blocks()).collect();
    assert_eq!(blocked, [false, true, false, false], "{}", said.text());
    reader.exec("COMMIT");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .read_dir()
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}
