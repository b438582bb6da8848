//! A primary and its standby: what a migration on the one does to the sessions of the other.

use crate::common::{Standby, pgguard_with_input, until};
use pgguard::test_support::throwaway::{Options, Server};
use std::process::Stdio;

const DROP_COLUMN: &str = "ALTER TABLE orders DROP COLUMN note;\n";
const INDEX: &str = "CREATE INDEX ON orders (note);\n";

#[test]
fn replay_of_an_access_exclusive_lock_cancels_a_reader_of_the_standby_and_is_told_before() {
    let options = Options::default()
        .setting("autovacuum", "off")
        .setting("max_standby_streaming_delay", "0")
        .hba("local replication all trust");
    let primary = Server::start(&options).expect("a primary");
    primary.create_database("shop").unwrap();
    let tables = "CREATE TABLE orders (id int, note text); CREATE TABLE other (id int)";
    primary.sql("shop", tables).unwrap();
    let standby = Standby::of(&primary);
    standby.catch_up();

    let targets = [
        format!("primary={}", primary.url("shop")),
        format!("copy={}", standby.url("shop")),
    ];
    let gate = |sql: &str| {
        let [one, other] = &targets;
        pgguard_with_input(["gate", "--target", one, "--target", other, "-"], sql)
    };
    let calm = gate(DROP_COLUMN);
    assert_eq!(calm.status, 0, "{calm}");
    assert!(!calm.stdout.contains("replay"), "{calm}");

    let mut reader = standby
        .command("psql")
        .args(["-Xq", "-d", "shop", "-c"])
        .arg("SELECT pg_sleep(600) FROM (SELECT count(*) FROM orders) x")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let locks = "select count(*) > 0 from pg_locks where relation = 'orders'::regclass";
    until("the reader has its lock", || {
        standby.sql("shop", locks) == "t"
    });

    let told = gate(DROP_COLUMN);
    assert_eq!(told.status, 0, "{told}");
    let text = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("replay of this on standby copy would wait"),
        "{told}"
    );
    assert!(text.contains("reads public.orders"), "{told}");

    // Other modes, and other tables, are nothing to the standby.
    for sql in [INDEX, "DROP TABLE other;"] {
        let quiet = gate(sql);
        assert_eq!(quiet.status, 0, "{quiet}");
        assert!(!quiet.stdout.contains("replay"), "{quiet}");
    }

    // By itself a standby says nothing about a migration.
    let alone = pgguard_with_input(["gate", "-d", &standby.url("shop"), "-"], DROP_COLUMN);
    assert_eq!(alone.status, 2, "{alone}");

    // Postgres is the judge.
    primary.sql("shop", INDEX).unwrap();
    standby.catch_up();
    assert!(
        reader.try_wait().unwrap().is_none(),
        "an index cancels nobody"
    );
    primary.sql("shop", DROP_COLUMN).unwrap();
    standby.catch_up();
    assert!(!reader.wait().unwrap().success());
}
