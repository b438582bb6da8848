use super::*;
use crate::migration::rehearsed::fingerprint_in;

fn entry(transaction: &str, sql: &str) -> Entry {
    Entry {
        user: "app".into(),
        database: "shop".into(),
        session: "s1".into(),
        transaction: transaction.into(),
        state: "00000".into(),
        what: What::Statement {
            sql: sql.into(),
            parameters: String::new(),
        },
        application: String::new(),
    }
}

fn known() -> Known {
    Known {
        versions: BTreeSet::from(["schema_migrations".into()]),
        functions: BTreeSet::from(["ours".into()]),
    }
}

#[test]
fn statements_of_one_transaction_share_one_in_the_script() {
    let entries = [
        entry("3/1", "ALTER TABLE a ADD b int"),
        entry("3/1", "ALTER TABLE a ADD c int"),
        entry("3/2", "SELECT 1"),
        entry("3/3", "CREATE INDEX CONCURRENTLY ON a (b)"),
        entry("3/4", "ALTER TABLE a ADD d int; ALTER TABLE a ADD e int;"),
    ];
    let script = written(&entries, &known(), &[]);
    assert_eq!(
        script.text,
        "\nBEGIN;\nALTER TABLE a ADD b int;\nALTER TABLE a ADD c int;\nCOMMIT;\n\
         \nCREATE INDEX CONCURRENTLY ON a (b);\n\
         \nBEGIN;\nALTER TABLE a ADD d int;\nALTER TABLE a ADD e int;\nCOMMIT;\n"
    );
    assert!(script.changes);
}

#[test]
fn rows_that_are_read_are_said_and_catalogs_are_not() {
    let of = |sql: &str| worth(sql, &nodes(sql), &known());
    for (sql, expected) in [
        (
            "SELECT * FROM pg_class, pg_catalog.pg_attribute",
            Worth::Nothing,
        ),
        ("SHOW server_version", Worth::Nothing),
        ("SELECT version FROM schema_migrations", Worth::Kept),
        // The first run of a tool makes its tables.
        (r#"SELECT * FROM "knex_migrations_lock""#, Worth::Kept),
        (
            r#"SELECT key FROM "ar_internal_metadata" WHERE key = $1"#,
            Worth::Kept,
        ),
        (
            r#"SELECT id FROM "drizzle"."__drizzle_migrations""#,
            Worth::Kept,
        ),
        (
            "SELECT * FROM schema_migrations, orders",
            Worth::ReadsRows("orders".into()),
        ),
        ("SELECT pg_try_advisory_lock(1)", Worth::Kept),
        ("SELECT public.ours()", Worth::Kept),
        (
            "SELECT * FROM public.orders",
            Worth::ReadsRows("public.orders".into()),
        ),
        ("COPY orders TO STDOUT", Worth::ReadsRows("orders".into())),
        (
            "DECLARE c CURSOR FOR SELECT * FROM orders",
            Worth::ReadsRows("orders".into()),
        ),
        ("COPY orders FROM STDIN", Worth::Kept),
        ("UPDATE orders SET id = 1", Worth::Kept),
        ("no sql", Worth::Kept),
    ] {
        assert_eq!(of(sql), expected, "{sql}");
    }
}

#[test]
fn what_was_there_already_is_no_change() {
    let skipped = Entry {
        what: What::Skipped,
        ..entry("3/1", "")
    };
    for (sql, changes) in [
        (
            "CREATE TABLE IF NOT EXISTS schema_migrations (id int)",
            false,
        ),
        ("create schema if not exists drizzle", false),
        ("CREATE TABLE IF NOT EXISTS a (id int); DROP TABLE b", true),
        (
            "ALTER TABLE a ADD COLUMN IF NOT EXISTS b int, ADD COLUMN c int",
            true,
        ),
    ] {
        let script = written(&[entry("3/1", sql), skipped.clone()], &known(), &[]);
        assert_eq!(script.changes, changes, "{sql}");
        assert!(written(&[entry("3/1", sql)], &known(), &[]).changes);
    }
}

#[test]
fn what_a_driver_has_prepared_is_not_deallocated() {
    let text = |entries: &[Entry]| written(entries, &known(), &[]).text;
    let end = entry("3/2", "DEALLOCATE a1");
    assert_eq!(text(std::slice::from_ref(&end)), "");
    let prepared = entry("3/1", "PREPARE a1 AS UPDATE orders SET id = 1");
    assert!(text(&[prepared, end]).contains("DEALLOCATE a1;"));
}

#[test]
fn a_tools_lock_is_no_change_and_its_record_is_one() {
    let changes = |sql: &str| written(&[entry("3/1", sql)], &known(), &[]).changes;
    assert!(!changes("update knex_migrations_lock set is_locked = $1"));
    assert!(!changes(
        "INSERT INTO databasechangeloglock (id) VALUES (1)"
    ));
    assert!(changes("INSERT INTO schema_migrations VALUES ('2')"));
    assert!(changes(
        "UPDATE orders SET note = (SELECT key FROM ar_internal_metadata)"
    ));
    assert!(changes("TRUNCATE knex_migrations_lock"));
}

#[test]
fn the_header_tells_the_schema() {
    let header = header(&["rails\nx".into()], "15.1", "shop", "abc", "v 1");
    assert_eq!(fingerprint_in(&(header + "\nSELECT 1;")), Some("abc"));
    assert_eq!(fingerprint_in("SELECT 1;"), None);
}
