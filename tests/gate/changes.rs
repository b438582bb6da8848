//! Another open schema change, seen in the lock table whatever its last statement was, and whoever looks
//! (`cases/migrations/02`, `21`). An ordinary writer is none.

use crate::common::{self, Database, own_server};
use crate::trial::{Did, Said, at_once, cancel, gate, observer, run};
use pgguard::model::Answer;
use pgguard::test_support::throwaway::{Options, Server};

const SETUP: &str = "
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_web') THEN
        CREATE ROLE app_web; CREATE ROLE app_look LOGIN; END IF; END $$;
    CREATE SCHEMA shop; GRANT ALL ON SCHEMA shop TO PUBLIC; CREATE TABLE shop.t (id int); CREATE TABLE u (id int);
    CREATE TABLE schema_migrations (version text); CREATE TYPE shop.mood AS ENUM ('a');
    CREATE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 1'";

/// What an open transaction has done, and a migration that waits for it.
const PAIRS: &[(&str, &str)] = &[
    (
        "GRANT USAGE ON SCHEMA shop TO app_web",
        "GRANT USAGE ON SCHEMA shop TO app_web",
    ),
    (
        "GRANT CONNECT ON DATABASE $db TO app_web",
        "REVOKE CONNECT ON DATABASE $db FROM app_web",
    ),
    (
        "GRANT EXECUTE ON FUNCTION f1 TO app_web",
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    ),
    (
        "GRANT SELECT ON shop.t TO app_web",
        "GRANT SELECT ON shop.t TO app_web",
    ),
    (
        "GRANT SELECT ON shop.t TO app_web",
        "ALTER TABLE shop.t ADD COLUMN c int",
    ),
    (
        "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO app_web",
        "REVOKE ALL ON shop.t FROM app_web",
    ),
    (
        "CREATE TABLE shop.n (id int)",
        "CREATE TABLE shop.n (id int)",
    ),
    (
        "CREATE TABLE shop.n (id int)",
        "CREATE TABLE IF NOT EXISTS shop.n (id int)",
    ),
    (
        "CREATE TABLE shop.n (id int)",
        "ALTER TABLE shop.t RENAME TO n",
    ),
    (
        "CREATE TABLE shop.n (id int)",
        "CREATE VIEW shop.n AS SELECT 1 AS a",
    ),
    ("CREATE SEQUENCE shop.n", "CREATE SEQUENCE shop.n"),
    (
        "CREATE VIEW shop.n AS SELECT 1 AS a",
        "CREATE MATERIALIZED VIEW shop.n AS SELECT 1 AS a",
    ),
    (
        "CREATE INDEX n ON u (id)",
        "CREATE INDEX n ON schema_migrations (version)",
    ),
    (
        "CREATE TYPE shop.n AS ENUM ('a')",
        "CREATE TYPE shop.n AS ENUM ('a')",
    ),
    (
        "CREATE DOMAIN shop.n AS int",
        "CREATE TYPE shop.n AS (a int)",
    ),
    ("CREATE SCHEMA newone", "CREATE SCHEMA IF NOT EXISTS newone"),
    ("CREATE SCHEMA newone", "CREATE SCHEMA newone"),
    (
        "CREATE FUNCTION shop.n() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION shop.n() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    (
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 3'",
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 4'",
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO app_web",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO app_web",
    ),
    (
        "COMMENT ON FUNCTION f1() IS 'x'",
        "COMMENT ON FUNCTION f1() IS 'y'",
    ),
    ("CREATE ROLE app_new", "CREATE ROLE app_new"),
    (
        "ALTER ROLE app_web CONNECTION LIMIT 5",
        "ALTER ROLE app_web CONNECTION LIMIT 6",
    ),
    (
        "ALTER ROLE app_web SET work_mem = '5MB'",
        "ALTER ROLE app_web SET work_mem = '6MB'",
    ),
    (
        "ALTER DATABASE $db SET work_mem = '5MB'",
        "ALTER DATABASE $db SET work_mem = '6MB'",
    ),
    ("GRANT app_web TO app_look", "GRANT app_web TO app_look"),
];

/// What ends a transaction of each migration tool, and of a person.
const LAST: &[&str] = &["SELECT 1", "INSERT INTO schema_migrations VALUES ('1')"];

fn scene(server: &'static Server) -> Database {
    let database = Database::empty(server);
    database.sql(SETUP);
    database
}

#[test]
fn another_run_of_the_same_migration_is_never_green() {
    let mut waited = 0;
    for major in common::majors() {
        let database = scene(common::server_of(major));
        for (theirs, ours) in PAIRS {
            for last in LAST {
                let [theirs, ours] = [theirs, ours].map(|sql| sql.replace("$db", &database.name));
                let mut holder = database.session();
                holder.exec(&format!("BEGIN; {theirs}"));
                holder.exec(last);
                let said = gate(&database, &ours);
                waited += usize::from(is_honest(
                    &database,
                    &ours,
                    &said,
                    &format!("{major}: {theirs}; {last}"),
                ));
                holder.exec("ROLLBACK");
            }
        }
    }
    assert!(waited >= 40, "hardly a trial: {waited} waited");
}

/// Changes that leave no lock before Postgres 18, each with a migration that waits for it.
const NO_LOCK: &[(&str, &str)] = &[
    (
        "GRANT SELECT ON shop.t TO PUBLIC",
        "GRANT SELECT ON shop.t TO PUBLIC",
    ),
    (
        "GRANT SELECT ON shop.t TO PUBLIC",
        "ALTER TABLE shop.t ADD COLUMN c int",
    ),
    (
        "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO PUBLIC",
        "DO $$ BEGIN GRANT INSERT ON shop.t TO PUBLIC; END $$",
    ),
    (
        "GRANT SELECT (id) ON shop.t TO PUBLIC",
        "ALTER TABLE shop.t ALTER COLUMN id TYPE bigint",
    ),
    (
        "GRANT USAGE ON SCHEMA shop TO PUBLIC",
        "GRANT CREATE ON SCHEMA shop TO PUBLIC",
    ),
    (
        "REVOKE EXECUTE ON FUNCTION f1 FROM PUBLIC",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC",
    ),
    (
        "GRANT USAGE ON TYPE shop.mood TO PUBLIC",
        "REVOKE USAGE ON TYPE shop.mood FROM PUBLIC",
    ),
    (
        "GRANT CONNECT ON DATABASE $db TO PUBLIC",
        "REVOKE CONNECT ON DATABASE $db FROM PUBLIC",
    ),
    (
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
    ),
    (
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 3'",
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 4'",
    ),
    ("ALTER FUNCTION f1() STABLE", "DROP FUNCTION f1()"),
    (
        "SAVEPOINT a; GRANT SELECT ON shop.t TO PUBLIC; RELEASE a",
        "ALTER TABLE shop.t ADD COLUMN c int",
    ),
    (
        "DO $$ BEGIN GRANT SELECT ON shop.t TO PUBLIC; EXCEPTION WHEN undefined_table THEN NULL; END $$",
        "GRANT SELECT ON shop.t TO PUBLIC",
    ),
    (
        "SAVEPOINT a; GRANT SELECT ON shop.t TO PUBLIC; ROLLBACK TO a",
        "GRANT SELECT ON shop.t TO PUBLIC",
    ),
];

/// Its last statement is an ordinary write, so that the locks look like any writer's (`cases/migrations/02`).
#[test]
fn nor_beside_one_whose_last_statement_is_an_ordinary_write() {
    for major in common::majors() {
        let database = scene(common::server_of(major));
        let mut waited = 0;
        for (theirs, ours) in NO_LOCK {
            let [theirs, ours] = [theirs, ours].map(|sql| sql.replace("$db", &database.name));
            let mut holder = database.session();
            holder.exec("BEGIN");
            holder.exec(&theirs);
            holder.exec("INSERT INTO u VALUES (1)");
            let what = format!("{major}: {theirs}; INSERT");
            let said = gate(&database, &ours);
            let does_wait = is_honest(&database, &ours, &said, &what);
            assert!(
                does_wait || theirs.contains("ROLLBACK"),
                "{what}: {ours} did not wait: {}",
                said.text()
            );
            waited += usize::from(does_wait);
            if does_wait {
                let pid = format!("pid {}", holder.pid());
                assert!(said.text().contains(&pid), "{what}: {}", said.text());
            } else {
                assert_eq!(said.answer(), Answer::Clear, "{what}: {}", said.text());
            }
            // A migration that changes other rows is clear. ALTER FUNCTION keeps a lock on pg_proc, a sign by itself.
            if !theirs.starts_with("ALTER FUNCTION") {
                let other = gate(&database, "ALTER TABLE schema_migrations ADD COLUMN c int");
                assert_eq!(other.answer(), Answer::Clear, "{what}: {}", other.text());
            }
            holder.exec("ROLLBACK");
        }
        assert_eq!(waited + 1, NO_LOCK.len(), "{major}");
    }
}

/// The text of the whole file is longer than the view keeps (`cases/migrations/21`, c).
#[test]
fn a_text_that_is_cut_hides_nothing() {
    for major in common::majors() {
        let options = Options::major(major)
            .setting("track_activity_query_size", "100")
            .setting("autovacuum", "off");
        let database = scene(own_server(&options));
        let alone = PAIRS.iter().map(|pair| (pair, ""));
        let then_writes = NO_LOCK
            .iter()
            .map(|pair| (pair, "; INSERT INTO u VALUES (1)"));
        for ((theirs, ours), last) in alone.chain(then_writes) {
            let [theirs, ours] = [theirs, ours].map(|sql| sql.replace("$db", &database.name));
            let mut holder = database.session();
            let padding = "-- a comment that is longer than the view keeps\n".repeat(3);
            holder.exec(&format!("{padding}BEGIN; {theirs}{last}"));
            let what = format!("{major}, cut: {theirs}{last}");
            is_honest(&database, &ours, &gate(&database, &ours), &what);
            holder.exec("ROLLBACK");
        }
    }
}

/// Runs it: whatever waits must not have been green. Whether it waited.
fn is_honest(database: &Database, sql: &str, said: &Said, what: &str) -> bool {
    let mut session = database.session();
    session.exec("BEGIN");
    let did = run(&mut session, sql);
    let waited = matches!(did, Did::Waited(_));
    if waited {
        cancel(&mut session, database);
        assert_ne!(said.answer(), Answer::Clear, "{what}: {sql} waited");
    }
    session.close();
    waited
}

#[test]
fn nor_is_it_beside_a_prepared_transaction_or_for_who_sees_little() {
    let server = own_server(
        &Options::default()
            .setting("max_prepared_transactions", "5")
            .setting("autovacuum", "off"),
    );
    let database = scene(server);
    for (theirs, ours) in PAIRS {
        let [theirs, ours] = [theirs, ours].map(|sql| sql.replace("$db", &database.name));
        let mut holder = database.session();
        holder.exec(&format!("BEGIN; {theirs}"));
        holder.exec("SELECT 1");
        let masked = gate_as(&database, "app_look", &ours);
        assert!(
            is_honest(&database, &ours, &masked, &format!("masked: {theirs}"))
                || masked.answer() != Answer::WouldBlock
        );
        holder.exec("PREPARE TRANSACTION 'theirs'");
        is_honest(
            &database,
            &ours,
            &gate(&database, &ours),
            &format!("prepared: {theirs}"),
        );
        holder.exec("ROLLBACK PREPARED 'theirs'");
    }
}

#[test]
fn roles_and_databases_are_changed_from_other_databases_too() {
    let server = common::server();
    let (here, there) = (scene(server), scene(server));
    let shared = PAIRS.iter().filter(|(theirs, _)| {
        ["ROLE", "DATABASE", "GRANT app"]
            .iter()
            .any(|word| theirs.contains(word))
    });
    let mut waited = 0;
    for (theirs, ours) in shared {
        let [theirs, ours] = [theirs, ours].map(|sql| sql.replace("$db", &here.name));
        let mut holder = there.session();
        holder.exec(&format!("BEGIN; {theirs}"));
        holder.exec("SELECT 1");
        waited += usize::from(is_honest(
            &here,
            &ours,
            &gate(&here, &ours),
            &format!("elsewhere: {theirs}"),
        ));
        holder.exec("ROLLBACK");
    }
    assert!(waited > 3, "{waited}");
}

/// What applications leave open, and what stays clear beside it.
#[test]
fn an_ordinary_writer_is_no_doubt() {
    const WRITERS: &[&str] = &[
        "INSERT INTO u VALUES (1)",
        "UPDATE u SET id = 2",
        "SELECT * FROM u FOR UPDATE",
        "LOCK TABLE u IN ROW EXCLUSIVE MODE; DELETE FROM u",
        "SELECT nextval('numbers')",
        "CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (1)",
        "COPY u FROM PROGRAM 'echo 1'",
        "DECLARE c CURSOR FOR SELECT * FROM u; FETCH c",
    ];
    const MIGRATIONS: &[&str] = &[
        "CREATE TABLE shop.n (id int); CREATE INDEX ON shop.n (id)",
        "ALTER TABLE shop.t ADD COLUMN c int",
        "CREATE INDEX i ON shop.t (id)",
        "CREATE OR REPLACE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 5'",
        "GRANT SELECT ON shop.t TO app_web",
        "CREATE SCHEMA newone",
        "INSERT INTO shop.t VALUES (1)",
    ];
    for major in common::majors() {
        let database = scene(common::server_of(major));
        database.sql("CREATE SEQUENCE numbers; INSERT INTO u VALUES (1)");
        // The first temporary table of a database makes its schema.
        database.sql("CREATE TEMP TABLE first (id int)");
        for writer in WRITERS {
            let mut session = database.session();
            session.exec(&format!("BEGIN; {writer}"));
            for sql in MIGRATIONS {
                let said = gate(&database, sql);
                assert_eq!(
                    said.answer(),
                    Answer::Clear,
                    "{major}, {writer}: {sql}\n{}",
                    said.text()
                );
            }
            session.close();
        }
    }
}

/// The gate's word to a role that sees nobody else's texts.
fn gate_as(database: &Database, role: &str, sql: &str) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop");
    runtime.block_on(async {
        let mut connection = observer(&database.url_as(role)).await;
        let said = crate::trial::ask(&mut connection, sql, &at_once()).await;
        connection.close().await;
        said
    })
}
