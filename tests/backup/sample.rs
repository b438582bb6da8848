//! `--sample`: a few rows of the tables that a running dump copies.

use crate::common::{self, Database, Dump, Outcome, pgguard, until};
use pgguard::model::TableSample;
use pgguard::test_support::recording::Recording;
use pgguard::test_support::throwaway::{Options, Server};
use std::collections::BTreeMap;

/// A dump stalls in the second table; what comes after it is far wider as text than on disk, and statistics
/// know the width on disk only.
fn database() -> Database {
    database_on(common::server())
}

fn database_on(server: &'static Server) -> Database {
    let database = Database::empty(server);
    database.sql(
        "CREATE TABLE a AS SELECT n AS id, repeat(md5(n::text), 32) AS body FROM generate_series(1, 2000) n;
         CREATE TABLE b AS SELECT n AS id, repeat(md5(n::text), 32) AS body FROM generate_series(1, 9000) n;
         CREATE TABLE deep (id int, body text, twice int GENERATED ALWAYS AS (id * 2) STORED);
         INSERT INTO deep SELECT n, repeat(md5(n::text) || E'\\t', 3000) FROM generate_series(1, 300) n;
         CREATE TABLE \"Odd \"\"name\" (id int, note text); INSERT INTO \"Odd \"\"name\" VALUES (1, NULL);
         CREATE TABLE z AS SELECT n AS id, 'plain'::char(40) AS body FROM generate_series(1, 5000) n;
         ANALYZE",
    );
    database
}

/// `status` with further arguments, and what was read of the tables.
fn look(url: &str, arguments: &[&str]) -> (Outcome, BTreeMap<String, TableSample>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("look.json");
    let record = [
        "status",
        "-d",
        url,
        "--format=json",
        "--no-history",
        "--record",
    ];
    let mut all: Vec<&str> = record.to_vec();
    all.push(path.to_str().unwrap());
    all.extend(arguments);
    let looked = pgguard(&all);
    assert_eq!(looked.status, 0, "{looked}");
    let replayed = pgguard([
        "status",
        "--format=json",
        "--no-history",
        "--replay",
        path.to_str().unwrap(),
    ]);
    let off = done(&estimate(&replayed)) / done(&estimate(&looked)) - 1.0;
    assert!(off.abs() < 1e-6, "as it was recorded: {replayed}");
    let tables = Recording::read(&path).unwrap().tables.tables;
    let samples = tables
        .into_iter()
        .filter_map(|t| Some((t.relation, t.sample?)));
    (looked, samples.collect())
}

/// What a look with `--sample` finds that came to all these tables. A second is all that it may take: on a
/// busy machine it does not come to each of them.
fn sampled(url: &str, tables: &[&str]) -> (Outcome, BTreeMap<String, TableSample>) {
    let mut seen = None;
    until("a look comes to each table", || {
        let (looked, samples) = look(url, &["--sample"]);
        let all = tables.iter().all(|table| samples.contains_key(*table));
        seen = Some((looked, samples));
        all
    });
    seen.expect("a look")
}

fn estimate(looked: &Outcome) -> serde_json::Value {
    let told = looked.json();
    let database = told["server"]["database"].clone();
    let sessions = told["sessions"].as_array().unwrap();
    let mut backups = sessions.iter().filter(|s| s["role"] == "backup");
    backups.find(|s| s["database"] == database).unwrap()["estimate"].clone()
}

fn done(told: &serde_json::Value) -> f64 {
    told["fraction_done"].as_f64().unwrap()
}

/// Rows that anybody but a dump's COPY, which is not counted before it ends, read of a table.
fn rows_read(database: &Database, table: &str) -> i64 {
    let sql = format!("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = '{table}'");
    database.sql(&sql).parse().unwrap()
}

#[test]
fn sampled_rows_are_as_wide_as_the_dump_writes_them() {
    let database = database();
    let _dump = Dump::stalled_in(&database, "public.b");
    let (looked, samples) = sampled(&database.url(), &["deep", "z", "Odd \"name"]);
    assert_eq!(looked.stderr, "", "{looked}");
    for (table, written) in [
        // As text a tab takes two bytes, and the generated column is not dumped.
        ("deep", "avg(length(id::text) + length(body) + 3000 + 2)"),
        ("z", "avg(length(id::text) + 40 + 2)"),
        ("Odd \"name", "avg(length(id::text) + 2 + 2)"),
    ] {
        let of = format!("SELECT {written} FROM \"{}\"", table.replace('"', "\"\""));
        let written: f64 = database.sql(&of).parse().unwrap();
        let sample = &samples[table];
        let off = (sample.bytes_per_row / written - 1.0).abs();
        assert!(off < 0.05, "{table}: {written} bytes a row, {sample:?}");
        assert!(sample.zlib_seconds_per_row > 0.0, "{table}: {sample:?}");
        assert!(
            sample.rows > 0.0 && sample.heap_bytes > 0.0,
            "{table}: {sample:?}"
        );
    }
    // 30 MB are still to come, of which the disk has less than a megabyte.
    assert!(
        samples["deep"].rows < 20.0,
        "half a megabyte is enough: {samples:?}"
    );
    let told = estimate(&looked);
    let without = estimate(&look(&database.url(), &[]).0);
    assert!(done(&told) < 0.5 * done(&without), "{told} {without}");
}

#[test]
fn without_the_flag_no_user_data_is_read() {
    let database = database();
    let _dump = Dump::stalled_in(&database, "public.b");
    let before = rows_read(&database, "z");
    let url = database.url();
    let (_, samples) = look(&url, &[]);
    assert!(samples.is_empty(), "{samples:?}");
    pgguard(["gate", "-d", &url, "--no-history"]);
    pgguard(["backups", "-d", &url, "--no-history"]);
    // A statement of ours that is counted after anything that those read.
    look(&url, &["--sample"]);
    until("the sample is counted", || {
        rows_read(&database, "z") > before
    });
    let of_one_sample = rows_read(&database, "z") - before;
    for arguments in [
        vec!["gate", "-d", &url, "--no-history", "--sample"],
        vec!["backups", "-d", &url, "--no-history", "--sample"],
    ] {
        let before = rows_read(&database, "z");
        pgguard(&arguments);
        until("the sample is counted", || {
            rows_read(&database, "z") > before
        });
        assert_eq!(
            rows_read(&database, "z") - before,
            of_one_sample,
            "{arguments:?}"
        );
    }
}

/// The statements of ours in a server's log that name a user's table or open one.
fn statements_on_tables(server: &Server) -> Vec<String> {
    let log = server.log();
    let entries = log
        .split("by=")
        .filter(|entry| entry.starts_with("pgguard "));
    let names = ["deep", "public.z", "Odd", "pg_relation_size"];
    entries
        .filter(|entry| names.iter().any(|name| entry.contains(name)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn without_the_flag_no_statement_touches_a_user_table() {
    let options = Options::major(common::majors()[0])
        .setting("log_statement", "all")
        .setting("log_line_prefix", "'by=%a '");
    let server = common::own_server(&options);
    let database = database_on(server);
    let _dump = Dump::stalled_in(&database, "public.b");
    let url = database.url();
    for command in ["status", "gate", "backups"] {
        pgguard([command, "-d", &url, "--no-history"]);
    }
    assert!(server.log().contains("by=pgguard "), "{}", server.log());
    assert_eq!(statements_on_tables(server), Vec::<String>::new());
    pgguard(["status", "-d", &url, "--no-history", "--sample"]);
    let with = statements_on_tables(server);
    assert!(with.iter().any(|s| s.contains("NOWAIT")), "{with:?}");
}

#[test]
fn a_table_that_somebody_waits_for_is_left_alone() {
    let database = database();
    let _dump = Dump::stalled_in(&database, "public.b");
    let mut migration = database.session();
    migration.start("ALTER TABLE deep ADD COLUMN total int");
    migration.until_waiting();
    let (looked, samples) = sampled(&database.url(), &["z"]);
    assert_eq!(looked.stderr, "", "{looked}");
    assert!(!samples.contains_key("deep"), "{samples:?}");
    assert!(samples["z"].rows > 0.0, "{samples:?}");
}

#[test]
fn tables_that_may_not_be_read_are_said_and_the_others_are_read() {
    let database = database();
    let role = format!("sampler_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT pg_monitor TO {role}; GRANT SELECT ON a, z TO {role};
         ALTER TABLE z ENABLE ROW LEVEL SECURITY; GRANT SELECT ON b TO {role}"
    ));
    let _dump = Dump::stalled_in(&database, "public.b");
    let (looked, samples) = sampled(&database.url_as(&role), &["deep", "z", "a"]);
    assert!(
        looked
            .stderr
            .contains("and 2 more, whose sizes are from statistics"),
        "{looked}"
    );
    assert!(looked.stderr.contains("pg_read_all_data"), "{looked}");
    assert_eq!(samples["deep"].rows, 0.0);
    assert_eq!(samples["z"].rows, 0.0);
    assert!(samples["a"].rows > 0.0, "{samples:?}");
}

#[test]
fn a_watch_reads_the_rows_once() {
    let database = database();
    let folder = tempfile::tempdir().unwrap();
    let history = format!("--history={}", folder.path().join("h.sqlite").display());
    let _dump = Dump::stalled_in(&database, "public.b");
    let url = database.url();
    let before = rows_read(&database, "z");
    let first = pgguard(["status", "-d", &url, "--format=json", "--sample", &history]);
    until("the sample is counted", || {
        rows_read(&database, "z") > before
    });
    let once = rows_read(&database, "z");
    let second = pgguard(["status", "-d", &url, "--format=json", "--sample", &history]);
    let third = pgguard(["status", "-d", &url, "--format=json", &history]);
    for looked in [&first, &second, &third] {
        assert_eq!(looked.stderr, "", "{looked}");
    }
    let without = estimate(&pgguard([
        "status",
        "-d",
        &url,
        "--format=json",
        "--no-history",
    ]));
    assert!(done(&estimate(&third)) < 0.5 * done(&without), "{third}");
    // What those that came later read would be counted by now, before this.
    database.sql("SELECT count(*) FROM a");
    assert_eq!(rows_read(&database, "z"), once);
}
