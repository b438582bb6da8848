//! `pgguard rehearse` and `gate --rehearse`: what is captured, and how they end.

use crate::common::{self, Dump};
use crate::production::Production;

/// A migration by psql with everything that a framework does.
fn migration(production: &Production) -> String {
    format!(
        "psql -X -q -v ON_ERROR_STOP=1 '{}' <<'SQL'
         SET lock_timeout = '2s';
         SELECT version FROM schema_migrations;
         BEGIN;
         ALTER TABLE orders ADD COLUMN total int;
         INSERT INTO schema_migrations VALUES ('2');
         COMMIT;
         CREATE INDEX CONCURRENTLY orders_total ON orders (total);
SQL",
        production.url()
    )
}

#[test]
fn what_a_command_sends_is_written_on_every_version() {
    for major in common::majors() {
        let production = Production::on(major);
        let told = production.rehearse(&migration(&production));
        assert_eq!(told.status, 0, "{major}: {told}");
        for part in [
            "-- pgguard rehearsal 1\n-- command: sh -c psql",
            "-- applied: public.schema_migrations (1)",
            "SET lock_timeout = '2s';",
            "BEGIN;\n-- pgguard: measured ACCESS EXCLUSIVE on public.orders\nALTER TABLE orders ADD COLUMN total int;\n\
             -- pgguard: measured ROW EXCLUSIVE on public.schema_migrations\nINSERT INTO schema_migrations VALUES ('2');\nCOMMIT;",
            "CREATE INDEX CONCURRENTLY orders_total ON orders (total);",
        ] {
            assert!(told.stdout.contains(part), "{major}: no {part} in {told}");
        }
        production.is_untouched();
    }
}

#[test]
fn the_gate_says_who_is_in_the_way_of_what_was_sent() {
    let production = Production::on(common::majors()[0]);
    let script = migration(&production);
    let gate = |more: &[&str]| production.gate_rehearsed(&script, more);
    let clear = gate(&[]);
    assert_eq!(clear.status, 0, "{clear}");
    let mut dump = Dump::stalled(&production.shop);
    let blocked = gate(&["--patience", "0s"]);
    assert_eq!(blocked.status, 1, "{blocked}");
    assert!(
        blocked
            .stdout
            .contains("WOULD BLOCK  rehearsal:15  ALTER TABLE orders ADD COLUMN total int")
            && blocked.stdout.contains("backup (pg_dump")
            && blocked.stdout.contains("--rehearse -- … && ./migrate"),
        "{blocked}"
    );
    dump.kill();
}

#[test]
fn a_file_is_gated_until_the_schema_moves() {
    use std::os::unix::fs::PermissionsExt as _;
    let production = Production::on(common::majors()[0]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pending.sql");
    let file = file.to_str().expect("UTF-8");
    let url = production.url();
    let script = migration(&production);
    let run = |arguments: &[&str]| production.pgguard(folder.path(), arguments);
    let written = run(&[
        "rehearse", "-d", &url, "-o", file, "--", "sh", "-c", &script,
    ]);
    assert_eq!(written.status, 0, "{written}");
    let mode = std::fs::metadata(file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let clear = run(&["gate", "-d", &url, file]);
    assert_eq!(clear.status, 0, "{clear}");
    production
        .shop
        .sql("ALTER TABLE products ADD COLUMN moved int");
    let moved = run(&["gate", "-d", &url, file]);
    assert_eq!(moved.status, 2, "{moved}");
    assert!(moved.stdout.contains("the schema has changed"), "{moved}");
}

#[test]
fn rows_that_are_read_are_a_doubt_until_allowed() {
    let production = Production::on(common::majors()[0]);
    let url = production.url();
    let script =
        format!("psql -X -q '{url}' -c 'SELECT id FROM orders' -c 'CREATE TABLE made (id int)'");
    let gate = |more: &[&str]| production.gate_rehearsed(&script, more);
    let doubt = gate(&[]);
    assert_eq!(doubt.status, 2, "{doubt}");
    assert!(doubt.stdout.contains("reads rows of orders"), "{doubt}");
    let allowed = gate(&["--allow", "data-dependent"]);
    assert_eq!(allowed.status, 0, "{allowed}");
}

#[test]
fn it_ends_as_the_command_did() {
    let production = Production::on(common::majors()[0]);
    let url = production.url();
    let psql = |sql: &str| format!("psql -X -q -v ON_ERROR_STOP=1 '{url}' -c \"{sql}\"");
    let fails = production.rehearse(&psql("ALTER TABLE nobody_has_it ADD COLUMN x int"));
    assert_eq!(fails.status, 1, "{fails}");
    assert!(
        fails.stderr.contains("nobody_has_it") && fails.stderr.contains("failed on the copy"),
        "{fails}"
    );
    let nothing = production.rehearse(&psql("SELECT version FROM schema_migrations"));
    assert_eq!(nothing.status, 0, "{nothing}");
    assert!(
        nothing.stderr.contains("no migration is pending"),
        "{nothing}"
    );
    // psql goes on after an error, and says 0.
    let goes_on = |sql: &str| format!("psql -X -q '{url}' <<'SQL'\n{sql}\nSQL");
    let refused = production.rehearse(&goes_on("ALTER TABLE nobody_has_it ADD COLUMN x int;"));
    assert_eq!(refused.status, 1, "{refused}");
    assert!(refused.stderr.contains("nobody_has_it"), "{refused}");
    let half = production.rehearse(&goes_on(
        "ALTER TABLE nobody_has_it ADD COLUMN x int;\nALTER TABLE orders ADD COLUMN x int;",
    ));
    assert_eq!(half.status, 0, "{half}");
    assert!(half.stderr.contains("went on after"), "{half}");
    let nobody = production.rehearse("exit 0");
    assert_eq!(nobody.status, 2, "{nobody}");
    assert!(nobody.stderr.contains("never reached"), "{nobody}");
    let unknown =
        production.rehearse("psql -X -q postgres://deploy@db.internal/elsewhere -c 'SELECT 1'");
    assert_eq!(unknown.status, 1, "{unknown}");
    assert!(unknown.stderr.contains("--also elsewhere"), "{unknown}");
    let missing = production.rehearse("no-such-command");
    assert_ne!(missing.status, 0, "{missing}");
    let folder = tempfile::tempdir().expect("a folder");
    let slow = production.pgguard(
        folder.path(),
        &[
            "rehearse",
            "-d",
            &url,
            "--command-timeout",
            "1s",
            "--",
            "sleep",
            "600",
        ],
    );
    assert_eq!(slow.status, 2, "{slow}");
    production.is_untouched();
}

#[test]
fn production_is_not_dumped_where_somebody_has_or_awaits_access_exclusive() {
    let production = Production::on(common::majors()[0]);
    let mut holder = production.session();
    holder.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let refused = production.rehearse("exit 0");
    assert_eq!(refused.status, 2, "{refused}");
    assert!(
        refused.stderr.contains("ACCESS EXCLUSIVE on public.orders"),
        "{refused}"
    );
}

#[test]
fn a_schema_of_a_file_asks_production_for_no_lock() {
    let production = Production::on(common::majors()[0]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("structure.sql"),
        "CREATE TABLE elsewhere (id int);",
    )
    .expect("written");
    production.shop.sql("DROP TABLE schema_migrations");
    let mut holder = production.session();
    holder.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let url = production.url();
    let psql = format!("psql -X -q '{url}' -c 'DROP TABLE elsewhere'");
    let told = production.pgguard(
        folder.path(),
        &[
            "rehearse",
            "-d",
            &url,
            "--schema",
            "structure.sql",
            "--",
            "sh",
            "-c",
            &psql,
        ],
    );
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("DROP TABLE elsewhere"), "{told}");
    for said in [
        "production has, and the schema file has not: public.customers",
        "the schema file has, and production has not: public.elsewhere.id integer",
    ] {
        assert!(told.stderr.contains(said), "{told}");
    }
}
