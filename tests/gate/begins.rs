//! What a session begins with (server, database, role, options) decides how its text is read and what it locks.

use crate::common::{self, Database, Outcome, pgguard_command};
use std::process::{Command, Stdio};

/// With `standard_conforming_strings = off` the quote after the backslash is part of the string, and the DROP runs.
const HIDDEN: &str = "SELECT 'a\\''; DROP TABLE orders; --';\n";

/// The same in a block and in a body.
const IN_A_BLOCK: &str = "DO $$ BEGIN PERFORM 'a\\''; DROP TABLE orders; --'; \n END $$;\n";

/// The ways in which a session begins with a setting; `{d}`: the database.
const WAYS: [&str; 4] = [
    "ALTER DATABASE {d} SET {s}",
    "ALTER ROLE {r} SET {s}",
    "ALTER ROLE {r} IN DATABASE {d} SET {s}",
    "ALTER ROLE ALL IN DATABASE {d} SET {s}",
];

struct Place {
    database: Database,
    role: String,
}

impl Place {
    fn on(major: u32) -> Self {
        let database = Database::empty(common::server_of(major));
        let role = format!("runner_{}", database.name);
        database.sql(&format!("CREATE ROLE {role} SUPERUSER LOGIN"));
        database.sql("CREATE TABLE orders (id int)");
        Self { database, role }
    }

    fn set(&self, way: &str, setting: &str) {
        let filled = way
            .replace("{d}", &self.database.name)
            .replace("{r}", &self.role)
            .replace("{s}", setting);
        self.database.sql(&filled);
    }

    fn url(&self) -> String {
        self.database.url_as(&self.role)
    }

    fn gate(&self, file: &std::path::Path, variables: &[(&str, &str)], more: &[&str]) -> Outcome {
        let mut command = pgguard_command();
        command.args([
            "gate",
            "--no-history",
            "--patience",
            "0s",
            "-d",
            &self.url(),
        ]);
        command.args(more).arg(file);
        command.envs(variables.iter().copied());
        outcome(&mut command)
    }

    /// Whether psql, in the same session, drops the table.
    fn psql_drops(&self, file: &std::path::Path, variables: &[(&str, &str)]) -> bool {
        Command::new(self.database.server.bin("psql"))
            .args(["-Xq", "-d", &self.url(), "-f"])
            .arg(file)
            .envs(variables.iter().copied())
            .output()
            .expect("psql starts");
        let is_gone = self.database.sql("SELECT to_regclass('orders') IS NULL");
        self.database
            .sql("CREATE TABLE IF NOT EXISTS orders (id int)");
        is_gone.trim() == "t"
    }
}

fn outcome(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn file(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join("orders.sql");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn strings_that_the_server_reads_otherwise_are_never_green() {
    // cases/safety/02
    let folder = tempfile::tempdir().unwrap();
    let off = "standard_conforming_strings = off";
    for major in common::majors() {
        for way in WAYS {
            for sql in [HIDDEN, IN_A_BLOCK] {
                let place = Place::on(major);
                let path = file(&folder, sql.as_bytes());
                let before = place.gate(&path, &[], &[]);
                assert_eq!(before.status, 0, "{major}: {sql} {before}");
                place.set(way, off);
                let told = place.gate(&path, &[], &[]);
                assert_eq!(told.status, 2, "{major} {way}: {told}");
                assert!(
                    told.stdout.contains("standard_conforming_strings"),
                    "{told}"
                );
                assert!(place.psql_drops(&path, &[]), "{major} {way}: {sql}");

                let on = format!("SET standard_conforming_strings = on;\n{HIDDEN}");
                let path = file(&folder, on.as_bytes());
                let told = place.gate(&path, &[], &[]);
                assert_eq!(told.status, 0, "{major} {way}: {told}");
                assert!(!place.psql_drops(&path, &[]), "{major} {way}");
            }
        }
        let place = Place::on(major);
        let path = file(&folder, HIDDEN.as_bytes());
        let options = [("PGOPTIONS", "-c standard_conforming_strings=off")];
        let told = place.gate(&path, &options, &[]);
        assert_eq!(told.status, 2, "{major}: {told}");
        assert!(place.psql_drops(&path, &options), "{major}");
    }
}

#[test]
fn a_function_that_is_there_already_is_read_as_its_session_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let body = "CREATE FUNCTION hides() RETURNS void LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM 'a\\''; DROP TABLE orders; --'; \n END $$";
    for (own, expected) in [("", 2), (" SET standard_conforming_strings = on", 0)] {
        let place = Place::on(common::majors()[0]);
        place
            .database
            .sql(&format!("SET standard_conforming_strings = off; {body}"));
        if !own.is_empty() {
            let fits = body.replace(
                "$$ BEGIN PERFORM 'a\\''; DROP TABLE orders; --'; \n",
                "$$ BEGIN PERFORM 'a\\b';",
            );
            let fits = fits
                .replace(" AS ", &format!("{own} AS "))
                .replace("CREATE", "CREATE OR REPLACE");
            place.database.sql(&fits);
        }
        place.set(WAYS[1], "standard_conforming_strings = off");
        let path = file(&folder, b"SELECT hides();\n");
        let told = place.gate(&path, &[], &[]);
        assert_eq!(told.status, expected, "{own}: {told}");
        assert_eq!(place.psql_drops(&path, &[]), expected == 2, "{own}");
    }
}

#[test]
fn the_role_that_has_logged_in_counts_and_not_the_one_that_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, HIDDEN.as_bytes());
    let place = Place::on(common::majors()[0]);
    let other = format!("{}_other", place.role);
    place
        .database
        .sql(&format!("CREATE ROLE {other} SUPERUSER LOGIN"));
    let mut runner = place.database.session_as(&other);
    let pid = runner.query_text("SELECT pg_backend_pid()");
    let asking = ["--asking", pid.as_str()];
    let told = place.gate(&path, &[], &asking);
    assert_eq!(told.status, 0, "{told}");
    place.database.sql(&format!(
        "ALTER ROLE {other} SET standard_conforming_strings = off"
    ));
    let told = place.gate(&path, &[], &asking);
    assert_eq!(told.status, 2, "{told}");
    // What only the asking role sets says nothing about the other one.
    place.database.sql(&format!("ALTER ROLE {other} RESET ALL"));
    place.set(WAYS[1], "standard_conforming_strings = on");
    let told = place.gate(&path, &[], &asking);
    assert_eq!(told.status, 2, "the server's own value is hidden: {told}");
}

#[test]
fn an_encoding_in_which_a_character_ends_like_a_backslash_is_never_green() {
    let folder = tempfile::tempdir().unwrap();
    // In UTF-8 the backslash takes the quote with it; in SJIS it belongs to the character before.
    let sql = "SELECT E'\u{3042}\\'; DROP TABLE orders; --';\n";
    for major in common::majors() {
        let path = file(&folder, sql.as_bytes());
        let place = Place::on(major);
        let told = place.gate(&path, &[], &[]);
        assert_eq!(told.status, 0, "{major}: {told}");
        let variable = [("PGCLIENTENCODING", "SJIS")];
        let told = place.gate(&path, &variable, &[]);
        assert_eq!(told.status, 2, "{major}: {told}");
        assert!(place.psql_drops(&path, &variable), "{major}");
        place.set(WAYS[0], "client_encoding = 'sjis'");
        let told = place.gate(&path, &[], &[]);
        assert_eq!(told.status, 2, "{major}: {told}");
        assert!(place.psql_drops(&path, &[]), "{major}");
        let first = format!("SET client_encoding = 'UTF8';\n{sql}");
        let told = place.gate(&file(&folder, first.as_bytes()), &[], &[]);
        assert_eq!(told.status, 0, "{major}: {told}");
    }
}

#[test]
fn the_time_zone_of_the_session_decides_whether_a_table_is_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, b"ALTER TABLE stamps ALTER at TYPE timestamptz;\n");
    for major in common::majors() {
        let place = Place::on(major);
        place.database.sql("CREATE TABLE stamps (at timestamp)");
        for (zone, is_rewritten) in [("UTC", false), ("Europe/Berlin", true)] {
            place.set(WAYS[0], &format!("timezone = '{zone}'"));
            let mut command = pgguard_command();
            command.args(["explain", "--format", "json", "-d", &place.url()]);
            let told = outcome(command.arg(&path)).json();
            let work = &told["statements"][0]["locks"][0]["work"];
            assert_eq!(work == "rewrite", is_rewritten, "{major} {zone}: {told}");
            let mut session = place.database.session_as(&place.role);
            let node = |session: &mut common::Session| {
                session.query_text("SELECT relfilenode FROM pg_class WHERE relname = 'stamps'")
            };
            session.exec("BEGIN");
            let before = node(&mut session);
            session.exec(&format!("SET LOCAL timezone = '{zone}'"));
            session.exec("ALTER TABLE stamps ALTER at TYPE timestamptz");
            assert_eq!(node(&mut session) != before, is_rewritten, "{major} {zone}");
            session.exec("ROLLBACK");
        }
    }
}

/// Statements, and whole scripts, for a session that begins with `default_transaction_read_only = on`.
const READ_ONLY: &[&str] = &[
    "ALTER TABLE orders ADD COLUMN a int",
    "CREATE TABLE other (id int)",
    "CREATE TEMP TABLE other (id int)",
    "CREATE TABLE other AS SELECT 1",
    "SELECT 1 AS a INTO other",
    "CREATE INDEX ON orders (id)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE orders",
    "TRUNCATE orders",
    "COMMENT ON TABLE orders IS 'a'",
    "GRANT SELECT ON orders TO PUBLIC",
    "REFRESH MATERIALIZED VIEW seen",
    "INSERT INTO orders VALUES (1)",
    "UPDATE orders SET id = 2",
    "DELETE FROM orders",
    "WITH gone AS (SELECT 1) DELETE FROM orders USING gone",
    "COPY orders FROM '/dev/null'",
    "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; COMMIT",
    "SELECT * FROM orders",
    "VACUUM orders",
    "ANALYZE orders",
    "REINDEX TABLE orders",
    "CLUSTER orders USING orders_pkey",
    "SET default_transaction_read_only = off; CREATE TABLE other (id int)",
    "SET transaction_read_only = off; CREATE TABLE other (id int)",
    "BEGIN; CREATE TABLE other (id int); COMMIT",
    "BEGIN READ WRITE; CREATE TABLE other (id int); COMMIT",
    "BEGIN; SET TRANSACTION READ WRITE; CREATE TABLE other (id int); COMMIT",
    "BEGIN; SET LOCAL transaction_read_only = off; INSERT INTO orders VALUES (1); COMMIT",
    "DO $$ BEGIN ALTER TABLE orders ADD COLUMN a int; END $$",
];

#[test]
fn what_a_read_only_transaction_refuses_would_fail() {
    let folder = tempfile::tempdir().unwrap();
    let majors = common::majors();
    for major in [majors[0], majors[majors.len() - 1]] {
        for sql in READ_ONLY {
            let place = Place::on(major);
            place
                .database
                .sql("ALTER TABLE orders ADD PRIMARY KEY (id)");
            place
                .database
                .sql("CREATE MATERIALIZED VIEW seen AS SELECT 1");
            place.set(WAYS[0], "default_transaction_read_only = on");
            // psql sends each statement of a script alone.
            let path = file(&folder, sql.replace("; ", ";\n").as_bytes());
            let told = place.gate(&path, &[], &[]);
            let ran = Command::new(place.database.server.bin("psql"))
                .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &place.url(), "-f"])
                .arg(&path)
                .output()
                .expect("psql starts");
            let said = String::from_utf8_lossy(&ran.stderr);
            let is_refused = said.contains("in a read-only transaction");
            assert_eq!(is_refused, !ran.status.success(), "{major} {sql}: {said}");
            let is_foretold =
                told.status == 1 && told.stdout.contains("in a read-only transaction");
            assert_eq!(is_foretold, is_refused, "{major} {sql}: {said}\n{told}");
        }
    }
}
