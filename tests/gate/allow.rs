//! What is no green although nobody is in the way: statements that Postgres will refuse, lock tables that are too
//! small, a newer server; and what lets each through by name.

use crate::common::{self, Database, Outcome, pgguard, pgguard_command, pgguard_with_input};
use pgguard::test_support::throwaway::{Options, Server};

const SETUP: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, v int, total int GENERATED ALWAYS AS (v * 2) STORED);
    CREATE VIEW seen AS SELECT v FROM orders;
    CREATE TABLE other (id int REFERENCES orders);
    CREATE INDEX orders_v ON orders (v);
";

/// Each is refused by the server, and nothing but what the catalog tells is needed to know it.
const REFUSED: &[&str] = &[
    "CREATE TABLE orders (id int)",
    "CREATE INDEX orders_v ON orders (id)",
    "ALTER TABLE orders ALTER v TYPE bigint",
    "BEGIN; CREATE INDEX CONCURRENTLY ON orders (v); COMMIT",
    "BEGIN; VACUUM orders; COMMIT",
    "ALTER TABLE orders DROP CONSTRAINT nothing",
    "DROP TABLE orders",
    "CREATE VIEW orders AS SELECT 1",
    "ALTER TABLE orders RENAME TO other",
    "CREATE TABLE fresh (id int); CREATE TABLE fresh (id int)",
];

/// Each runs, although it looks like one of those.
const RUNS: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS orders (id int)",
    "DROP VIEW seen; ALTER TABLE orders DROP COLUMN total; ALTER TABLE orders ALTER v TYPE bigint",
    "ALTER TABLE orders DROP CONSTRAINT IF EXISTS nothing",
    "DROP TABLE orders CASCADE",
    "ALTER TABLE orders RENAME TO older; CREATE TABLE orders (id int)",
    "DROP INDEX orders_v; CREATE INDEX orders_v ON orders (id)",
    "BEGIN; CREATE TABLE fresh (id int); ROLLBACK; CREATE TABLE fresh (id int)",
    "CREATE INDEX CONCURRENTLY ON orders (v)",
];

fn gate(database: &Database, sql: &str, more: &[&str]) -> Outcome {
    let url = database.url();
    let arguments = ["gate", "-d", &url, "-"];
    pgguard_with_input(arguments.into_iter().chain(more.iter().copied()), sql)
}

#[test]
fn what_postgres_refuses_is_no_green_and_what_it_takes_is_none_of_these() {
    for major in common::majors() {
        for (statements, refused) in [(REFUSED, true), (RUNS, false)] {
            for sql in statements {
                let database = Database::empty(common::server_of(major));
                database.sql(SETUP);
                let told = gate(&database, sql, &["--format", "json"]);
                let ran = database.server.sql(&database.name, sql).is_ok();
                assert_eq!(ran, !refused, "Postgres {major}: {sql}");
                let verdict = told.json()["verdict"].as_str().map(str::to_owned);
                assert_eq!(
                    verdict.as_deref() == Some("would_fail"),
                    refused,
                    "Postgres {major}: {sql}: {told}"
                );
                assert_eq!(told.status, i32::from(refused), "{sql}: {told}");
            }
        }
    }
}

#[test]
fn what_would_stop_it_is_let_through_by_name_and_stays_in_the_report() {
    let database = Database::empty(common::server());
    database.sql(SETUP);
    let failing = "CREATE TABLE orders (id int)";
    let opaque = "DO $$ BEGIN NULL; EXECUTE 'SELECT ' || length('x'); END $$";
    for (sql, name, status) in [(failing, "failing", 1), (opaque, "opaque", 2)] {
        assert_eq!(gate(&database, sql, &[]).status, status);
        let other = if name == "opaque" {
            "failing"
        } else {
            "opaque"
        };
        assert_eq!(gate(&database, sql, &["--allow", other]).status, status);
        assert_eq!(
            gate(&database, sql, &["--allow", &format!("{name}=*.sql")]).status,
            status
        );
        let told = gate(&database, sql, &["--allow", name, "--format", "json"]);
        assert_eq!(told.status, 0, "{told}");
        assert_eq!(told.json()["accepted"][0]["by"]["what"], name, "{told}");
        let commented = format!("-- pgguard: allow {name} because Ann has read it\n{sql};\n");
        let told = gate(&database, &commented, &[]);
        assert_eq!(told.status, 0, "{told}");
        assert!(told.stdout.contains("because Ann has read it"), "{told}");
        // It is about that statement alone.
        let twice = format!("{commented}{opaque}");
        assert_eq!(gate(&database, &twice, &[]).status, 2);
    }
    assert_eq!(gate(&database, opaque, &["--allow-opaque"]).status, 0);
    assert_eq!(gate(&database, opaque, &["--allow", "opaqe"]).status, 2);
    let wrong = gate(
        &database,
        &format!("-- pgguard: allow opaqe\n{opaque}"),
        &[],
    );
    assert_eq!(wrong.status, 2);
    assert!(wrong.stdout.contains("there is no name `opaqe`"), "{wrong}");
    let told = gate(&database, failing, &["--warn-only"]);
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("WOULD FAIL"), "{told}");
}

#[test]
fn the_settings_file_is_found_from_the_working_directory_upwards() {
    let database = Database::empty(common::server());
    database.sql(SETUP);
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("repo/migrations");
    std::fs::create_dir_all(&below).expect("folders");
    std::fs::write(
        below.join("1.sql"),
        "DO $$ BEGIN EXECUTE 'SELECT ' || length('x'); END $$;",
    )
    .expect("a file");
    let url = database.url();
    let gate = || {
        let mut command = pgguard_command();
        command
            .args(["gate", "-d", &url, "1.sql"])
            .current_dir(&below);
        command.output().expect("pgguard runs").status.code()
    };
    assert_eq!(gate(), Some(2));
    let allow = "[[allow]]\nname = 'opaque'\npattern = '1.sql'\nbecause = 'Ann has read it'\n";
    std::fs::write(folder.path().join("pgguard.toml"), allow).expect("a file");
    assert_eq!(gate(), Some(0));
    // What lies above the repository is somebody else's.
    std::fs::create_dir(folder.path().join("repo/.git")).expect("a folder");
    assert_eq!(gate(), Some(2));
    std::fs::write(folder.path().join("repo/pgguard.toml"), "warn_only = true").expect("a file");
    assert_eq!(gate(), Some(0));
    std::fs::write(
        folder.path().join("repo/pgguard.toml"),
        "[[allow]]\nname = 'opaque'",
    )
    .expect("a file");
    assert_eq!(gate(), Some(2));
}

#[test]
fn a_lock_table_without_room_for_all_partitions_is_foreseen() {
    let options = Options::default()
        .setting("max_connections", "10")
        .setting("max_locks_per_transaction", "16")
        .setting("max_worker_processes", "2")
        .setting("max_wal_senders", "2");
    let server = Server::start(&options).expect("a server");
    server.create_database("parts").expect("a database");
    let url = server.url("parts");
    server
        .sql(
            "parts",
            "CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k)",
        )
        .expect("a table");
    for first in (0..1200).step_by(50) {
        let made: String = (first..first + 50)
            .map(|n| format!("CREATE TABLE p{n} PARTITION OF p FOR VALUES IN ({n});"))
            .collect();
        server.sql("parts", &made).expect("partitions");
    }
    // A lock for each partition and each of their indexes.
    let alter = "DROP TABLE p";
    let told = pgguard_with_input(["gate", "-d", &url, "-"], alter);
    assert_eq!(told.status, 1, "{told}");
    assert!(told.stdout.contains("out of lock slots"), "{told}");
    let refused = server.sql("parts", alter).expect_err("no room").to_string();
    assert!(refused.contains("shared memory"), "{refused}");
    // About what the settings give: the server may find room.
    let told = pgguard_with_input(["gate", "-d", &url, "-"], "ALTER TABLE p ADD COLUMN c int");
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("may run out of lock slots"), "{told}");
    let told = pgguard_with_input(
        ["gate", "-d", &url, "-"],
        "ALTER TABLE p7 ADD CHECK (id > 0)",
    );
    assert_eq!(told.status, 0, "{told}");
}

#[test]
fn a_newer_server_is_a_doubt_with_a_name() {
    let database = Database::empty(common::server());
    database.sql("CREATE TABLE big (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("look.json");
    let path = path.display().to_string();
    let repack = "REPACK (CONCURRENTLY) public.big USING INDEX big_pkey";
    let older = gate(&database, repack, &["--record", &path]);
    assert_eq!(older.status, 1, "{older}");
    assert!(
        older.stdout.contains("Postgres 19 knows this form"),
        "{older}"
    );
    // No package has a server of 19 yet: a recording says that it is one.
    let text = std::fs::read_to_string(&path).expect("a recording");
    let mut recording: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    recording["looks"][0]["server"]["version_num"] = 190_000.into();
    recording["catalog"]["session"]["server_version_num"] = 190_000.into();
    std::fs::write(&path, recording.to_string()).expect("a file");
    let replay = |sql: &str, more: &[&str]| {
        let arguments = ["gate", "--replay", &path, "-"];
        pgguard_with_input(arguments.into_iter().chain(more.iter().copied()), sql)
    };
    let told = replay("ALTER TABLE big ADD c int", &[]);
    assert_eq!(told.status, 2, "{told}");
    assert!(told.stdout.contains("end with 18"), "{told}");
    assert_eq!(
        replay("ALTER TABLE big ADD c int", &["--allow", "newer-server"]).status,
        0
    );
    for (sql, mode) in [
        ("REPACK big", "ACCESS EXCLUSIVE"),
        (repack, "SHARE UPDATE EXCLUSIVE"),
        (
            "UPDATE big FOR PORTION OF valid FROM 1 TO 2 SET id = 1",
            "ROW EXCLUSIVE",
        ),
    ] {
        assert_eq!(replay(sql, &["--allow", "newer-server"]).status, 2, "{sql}");
        let told = replay(
            sql,
            &[
                "--allow",
                "newer-server",
                "--allow",
                "opaque",
                "--format",
                "json",
            ],
        );
        assert_eq!(told.status, 0, "{sql}: {told}");
        let locks = &told.json()["statements"][0]["locks"];
        let locks = locks.as_array().expect("locks");
        assert!(
            locks
                .iter()
                .any(|l| l["relation"] == "big" && l["mode"] == mode),
            "{sql}: {told}"
        );
    }
    assert_eq!(
        pgguard(["gate", "--replay", &path, "/nowhere.sql"]).status,
        2
    );
}
