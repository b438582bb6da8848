//! The gate behind a pooler in transaction mode: what the shared session hides is a doubt, and nothing of ours
//! waits without a limit or stays behind.

use crate::common::{Database, Outcome, Pooler, database, pgguard_with_input};
use std::process::Command;

const ADD_COLUMN: &str = "ALTER TABLE t ADD COLUMN note text;";

fn gate(way: &str, sql: &str, more: &[&str]) -> Outcome {
    let arguments = ["gate", "-d", way, "-", "--no-history", "--patience", "0s"];
    pgguard_with_input(arguments.into_iter().chain(more.iter().copied()), sql)
}

/// Another client of the pooler, which comes and goes.
fn client(database: &Database, way: &str, sql: &str) -> String {
    let output = Command::new(database.server.bin("psql"))
        .args(["-XqAt", "-d", way, "-c", sql])
        .output()
        .expect("psql starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_search_path_that_an_earlier_client_left_behind_is_a_doubt() {
    let database = database();
    database.sql("CREATE TABLE t (a int); CREATE SCHEMA other; CREATE TABLE other.t (a int)");
    let Some(pooler) = Pooler::start(database.server, "default_pool_size = 1") else {
        return;
    };
    let way = pooler.way_to(&database.name);
    let mut reader = database.session();
    reader.exec("BEGIN; SELECT FROM t");
    let before = gate(&way, ADD_COLUMN, &[]);
    assert_eq!(before.status, 1, "{before}");

    client(&database, &way, "SET search_path = other");
    let after = gate(&way, ADD_COLUMN, &[]);
    assert_eq!(
        after.status, 2,
        "the path leads to a table that nobody uses: {after}"
    );
    assert!(after.stdout.contains("a pooler is in between"), "{after}");
    assert!(after.stdout.contains("past the pooler"), "{after}");

    client(&database, &way, "RESET search_path");
    reader.exec("ROLLBACK");
    let calm = gate(&way, ADD_COLUMN, &[]);
    assert_eq!(calm.status, 0, "{calm}");
}

#[test]
fn the_timeouts_are_those_that_a_session_begins_with_and_not_an_earlier_clients() {
    let database = database();
    database.sql(&format!(
        "CREATE TABLE t (a int); ALTER DATABASE {} SET lock_timeout = '7s'",
        database.name
    ));
    let Some(pooler) = Pooler::start(database.server, "default_pool_size = 1") else {
        return;
    };
    let way = pooler.way_to(&database.name);
    client(&database, &way, "SET lock_timeout = '3min'");
    let mut reader = database.session();
    reader.exec("BEGIN; SELECT FROM t");
    let told = gate(&way, ADD_COLUMN, &["--format", "json"]).json();
    let waits = &told["statements"][0];
    assert!(waits.to_string().contains("7 s of lock_timeout"), "{waits}");
}

#[test]
fn the_catalog_is_read_with_limits_and_leaves_the_shared_session_as_it_was() {
    let database = database();
    database.sql("CREATE TABLE t (a int)");
    let Some(pooler) = Pooler::start(database.server, "default_pool_size = 1") else {
        return;
    };
    let way = pooler.way_to(&database.name);
    let mut locker = database.session();
    locker.exec("BEGIN; LOCK TABLE pg_catalog.pg_policy");
    // Without a limit of its own it would wait until the time for everything is over.
    let stopped = gate(&way, ADD_COLUMN, &["--timeout", "120s"]);
    assert_eq!(stopped.status, 2, "{stopped}");
    assert!(stopped.stdout.contains("lock timeout"), "{stopped}");
    locker.exec("ROLLBACK");

    assert_eq!(gate(&way, ADD_COLUMN, &[]).status, 0);
    let left = client(
        &database,
        &way,
        "SELECT string_agg(name, ' ') FROM pg_settings WHERE setting <> reset_val \
         AND name IN ('lock_timeout', 'statement_timeout', 'default_transaction_read_only', 'jit', 'work_mem')",
    );
    assert_eq!(left, "");
}

#[test]
fn an_advisory_lock_taken_through_a_pooler_is_worth_a_warning() {
    let database = database();
    let Some(pooler) = Pooler::start(database.server, "") else {
        return;
    };
    let way = pooler.way_to(&database.name);
    let told = gate(&way, "SELECT pg_advisory_lock(1);", &[]);
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("stays with the pooler"), "{told}");
    let direct = gate(&database.url(), "SELECT pg_advisory_lock(1);", &[]);
    assert!(!direct.stdout.contains("pooler"), "{direct}");
}
