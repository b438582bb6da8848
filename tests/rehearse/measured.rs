//! The locks of each statement, measured on the copy, beside those that the rules foretell.

use crate::common::{self, Dump, Outcome};
use crate::production::Production;
use serde_json::Value;

/// What the gate says, in JSON, after a rehearsal of these statements by psql.
fn by_command(production: &Production, sql: &str) -> (Outcome, Vec<Value>) {
    let script = format!(
        "psql -X -q -v ON_ERROR_STOP=1 '{}' <<'SQL'\n{sql}\nSQL",
        production.url()
    );
    statements(production.gate_rehearsed(&script, &["--format", "json"]))
}

/// The same of a file.
fn by_file(production: &Production, sql: &str, flags: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("change.sql"), sql).expect("written");
    let url = production.url();
    let before = ["gate", "-d", &url, "--rehearse", "change.sql"];
    production.pgguard(folder.path(), &[&before[..], flags].concat())
}

fn statements(told: Outcome) -> (Outcome, Vec<Value>) {
    let value: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|e| panic!("{e}: {told}"));
    let statements = value["statements"].as_array().cloned().unwrap_or_default();
    (told, statements)
}

/// The modes that a statement asks for on a relation.
fn modes<'a>(statement: &'a Value, relation: &str) -> Vec<&'a str> {
    let locks = statement["locks"].as_array().into_iter().flatten();
    locks
        .filter(|lock| lock["relation"] == relation)
        .filter_map(|lock| lock["mode"].as_str())
        .collect()
}

const CODE: &str = "
    CREATE FUNCTION widen(t text) RETURNS void LANGUAGE plpgsql AS
        $f$ BEGIN EXECUTE format('ALTER TABLE %I ALTER COLUMN quantity TYPE bigint', t); END $f$;
    CREATE FUNCTION careful(t text) RETURNS void LANGUAGE plpgsql AS
        $f$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN c2 int', t);
        EXCEPTION WHEN duplicate_column THEN NULL; END $f$;
    CREATE PROCEDURE in_two() LANGUAGE plpgsql AS
        $f$ BEGIN EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN c1 int'; COMMIT; END $f$;";

/// Code whose locks no text tells: `None` where the copy cannot tell either.
const CASES: &[(&str, &str, Option<&str>)] = &[
    (
        "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN d int'; END $$;",
        "orders",
        Some("ACCESS EXCLUSIVE"),
    ),
    (
        "DO $$ BEGIN EXECUTE 'CREATE INDEX ON ' || reverse('stcudorp') || ' (id)'; END $$;",
        "products",
        Some("SHARE"),
    ),
    (
        "SELECT widen(reverse('smeti_redro'));",
        "order_items",
        Some("ACCESS EXCLUSIVE"),
    ),
    ("CALL in_two();", "orders", None),
    // What caught an error has given its locks back.
    ("SELECT careful(reverse('sredro'));", "orders", None),
    // Rows decide, and the copy has none.
    (
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM customers LOOP
             EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN e int'; END LOOP; END $$;",
        "orders",
        None,
    ),
    (
        "DO $$ BEGIN IF (SELECT reltuples FROM pg_class WHERE relname = 'orders') > 1000 THEN
             EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN e int'; END IF; END $$;",
        "orders",
        None,
    ),
];

#[test]
fn code_is_answered_by_what_it_locks_on_the_copy() {
    for major in common::majors() {
        let production = Production::with(major, CODE);
        for (sql, relation, expected) in CASES {
            let (told, statements) = by_command(&production, sql);
            match expected {
                Some(mode) => {
                    assert_eq!(told.status, 0, "{major} {sql}: {told}");
                    let found = statements
                        .iter()
                        .find(|s| !modes(s, relation).is_empty())
                        .unwrap_or_else(|| panic!("{sql}: {told}"));
                    assert!(modes(found, relation).contains(mode), "{sql}: {told}");
                    assert_eq!(found["measured"]["answers"], true, "{sql}: {told}");
                }
                None => assert_eq!(told.status, 2, "{major} {sql}: {told}"),
            }
        }
        production.is_untouched();
    }
}

#[test]
fn what_code_rewrites_is_held_as_long_as_it_takes() {
    let production = Production::with(common::majors()[0], CODE);
    let (told, _) = statements(by_file(
        &production,
        "SELECT widen(reverse('smeti_redro'));",
        &["--format", "json", "--max-hold", "1us"],
    ));
    assert_eq!(told.status, 1, "{told}");
    assert!(told.stdout.contains("\"work\": \"rewrite\""), "{told}");
    production.is_untouched();
}

/// Every kind of statement: the rules and the server agree.
const EVERY_KIND: &str = "
    ALTER TABLE orders ADD COLUMN total int;
    ALTER TABLE orders ALTER COLUMN total SET DEFAULT 0, ALTER COLUMN total SET STATISTICS 200;
    ALTER TABLE orders ALTER COLUMN total SET NOT NULL;
    ALTER TABLE orders ALTER COLUMN total TYPE bigint;
    ALTER TABLE orders ADD CONSTRAINT positive CHECK (total >= 0) NOT VALID;
    ALTER TABLE orders VALIDATE CONSTRAINT positive;
    ALTER TABLE orders RENAME COLUMN total TO sum;
    ALTER TABLE orders RENAME TO purchases;
    ALTER TABLE purchases RENAME TO orders;
    ALTER TABLE order_items ADD COLUMN customer bigint REFERENCES customers;
    ALTER TABLE order_items ADD CONSTRAINT of_product FOREIGN KEY (product_id) REFERENCES products NOT VALID;
    ALTER TABLE order_items VALIDATE CONSTRAINT of_product;
    ALTER TABLE order_items DROP CONSTRAINT of_product;
    ALTER TABLE order_items SET (fillfactor = 90), REPLICA IDENTITY FULL;
    ALTER TABLE order_items ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everybody ON order_items USING (true);
    DROP POLICY everybody ON order_items;
    ALTER TABLE order_items DISABLE TRIGGER USER;
    CREATE INDEX by_status ON orders (status);
    CREATE UNIQUE INDEX by_name ON products (name);
    ALTER TABLE products ADD CONSTRAINT named UNIQUE USING INDEX by_name;
    ALTER INDEX by_status RENAME TO of_status;
    REINDEX INDEX of_status;
    REINDEX TABLE products;
    CREATE INDEX CONCURRENTLY later ON orders (placed);
    DROP INDEX of_status;
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$;
    CREATE TRIGGER quiet BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
    ALTER TRIGGER quiet ON orders RENAME TO quieter;
    DROP TRIGGER quieter ON orders;
    CREATE VIEW open AS SELECT * FROM orders WHERE status = 'open';
    CREATE OR REPLACE VIEW open AS SELECT * FROM orders WHERE status = 'open' AND sum > 0;
    CREATE MATERIALIZED VIEW counted AS SELECT status, count(*) AS n FROM orders GROUP BY status;
    CREATE UNIQUE INDEX by_counted ON counted (status);
    REFRESH MATERIALIZED VIEW counted;
    REFRESH MATERIALIZED VIEW CONCURRENTLY counted;
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    ALTER TYPE mood ADD VALUE 'happy';
    CREATE TABLE children (LIKE orders INCLUDING DEFAULTS) PARTITION BY RANGE (id);
    CREATE TABLE children_1 PARTITION OF children FOR VALUES FROM (0) TO (10);
    ALTER TABLE children DETACH PARTITION children_1;
    CREATE TABLE heirs () INHERITS (customers);
    ALTER TABLE heirs NO INHERIT customers;
    CREATE TABLE referring (id bigint REFERENCES orders, customer bigint REFERENCES customers ON DELETE CASCADE);
    DROP TABLE referring;
    CREATE STATISTICS both_of ON status, placed FROM orders;
    COMMENT ON TABLE orders IS 'all of them';
    COMMENT ON COLUMN orders.status IS 'which';
    GRANT SELECT ON orders TO PUBLIC;
    CLUSTER products USING products_pkey;
    TRUNCATE order_items;
    TRUNCATE customers CASCADE;
    LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE;
    UPDATE orders SET status = 'open' WHERE status IS NULL;
    ANALYZE orders;
    BEGIN;
    ALTER TABLE products ADD COLUMN a int;
    SAVEPOINT s;
    ALTER TABLE products ADD COLUMN b int;
    ROLLBACK TO s;
    ALTER TABLE products ADD COLUMN b int;
    COMMIT;
    DROP VIEW open;
    DROP MATERIALIZED VIEW counted;
    ALTER TABLE orders DROP COLUMN sum;
    DROP TABLE order_items;
    DROP TABLE orders CASCADE;";

#[test]
fn the_rules_and_the_server_agree_on_every_kind_of_statement() {
    for major in common::majors() {
        let production = Production::on(major);
        let (told, statements) = statements(by_file(
            &production,
            EVERY_KIND,
            &["--format", "json", "--max-hold", "none"],
        ));
        assert_eq!(told.status, 0, "{major}: {told}");
        let mut measured = 0;
        for statement in &statements {
            let Some(seen) = statement["measured"].as_object() else {
                continue;
            };
            measured += 1;
            for what in ["more", "fewer"] {
                assert_eq!(
                    seen[what].as_array().map(Vec::len),
                    Some(0),
                    "{major} {}: {seen:?}",
                    statement["sql"]
                );
            }
        }
        // BEGIN and its kin lock nothing; the two CONCURRENTLY forms keep the rules.
        assert!(
            measured + 8 > statements.len(),
            "{measured} of {}",
            statements.len()
        );
        production.is_untouched();
    }
}

#[test]
fn a_file_is_measured_as_psql_lays_it_out() {
    let production = Production::on(common::majors()[0]);
    let sql = "\\set which orders\n\\set ON_ERROR_STOP on\nSET search_path = public;\n\
               \\if true\nDO $$ BEGIN EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN d int'; END $$;\n\\endif\n\
               ALTER TABLE :which ADD COLUMN e int;\n";
    let clear = by_file(&production, sql, &[]);
    assert_eq!(clear.status, 0, "{clear}");
    let mut dump = Dump::stalled(&production.shop);
    let blocked = by_file(&production, sql, &["--patience", "0s"]);
    dump.kill();
    assert_eq!(blocked.status, 1, "{blocked}");
    assert!(blocked.stdout.contains("change.sql:5"), "{blocked}");
    production.is_untouched();
}

#[test]
fn a_script_keeps_what_was_measured() {
    let production = Production::on(common::majors()[0]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = production.url();
    let code = "DO \\$\\$ BEGIN EXECUTE 'ALTER TABLE ' || reverse('sredro') || ' ADD COLUMN d int'; END \\$\\$";
    let script =
        format!("psql -X -q '{url}' -c \"{code}\" -c 'ALTER TABLE products ADD COLUMN x int'");
    let run = |arguments: &[&str]| production.pgguard(folder.path(), arguments);
    let told = run(&[
        "rehearse", "-d", &url, "-o", "new.sql", "--", "sh", "-c", &script,
    ]);
    assert_eq!(told.status, 0, "{told}");
    let text = std::fs::read_to_string(folder.path().join("new.sql")).expect("there");
    let above = "-- pgguard: measured ACCESS EXCLUSIVE on public.orders\nDO $$";
    assert!(text.contains(above), "{text}");
    let clear = run(&["gate", "-d", &url, "new.sql"]);
    assert_eq!(clear.status, 0, "{clear}");
    // Whoever writes such a comment into a file of their own is not believed.
    let own = text.split_once("\n\n").expect("a header").1;
    std::fs::write(folder.path().join("own.sql"), own).expect("written");
    let unknown = run(&["gate", "-d", &url, "own.sql"]);
    assert_eq!(unknown.status, 2, "{unknown}");
    production.is_untouched();
}

#[test]
fn a_run_rehearses_asks_and_starts() {
    let production = Production::on(common::majors()[0]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = production.url();
    let run = |sql: &str| {
        let script = format!("psql -X -q -v ON_ERROR_STOP=1 '{url}' -c '{sql}'");
        let arguments = ["run", "-d", &url, "--rehearse", "--", "sh", "-c", &script];
        production.pgguard(folder.path(), &arguments)
    };
    let fails = run("ALTER TABLE nobody_has_it ADD COLUMN x int");
    assert_eq!(fails.status, 75, "{fails}");
    assert!(fails.stderr.contains("nobody_has_it"), "{fails}");
    let mut dump = Dump::stalled(&production.shop);
    let blocked = run("ALTER TABLE orders ADD COLUMN x int");
    assert_eq!(blocked.status, 75, "{blocked}");
    assert!(blocked.stderr.contains("pg_dump"), "{blocked}");
    dump.kill();
    production.is_untouched();
    let done = run("ALTER TABLE orders ADD COLUMN x int");
    assert_eq!(done.status, 0, "{done}");
    production.shop.sql("SELECT x FROM orders LIMIT 1");
}
