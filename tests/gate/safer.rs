//! Safer forms, with the server as judge: what `explain --rewrite` prints runs, and ends in the same schema.

use crate::common::{self, Database, pgguard};
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, email text, code int NOT NULL, \"Odd name\" int);
    CREATE TABLE orders (id int NOT NULL, customer int, item text, amount int, at timestamptz, part int);
    CREATE TABLE parts (id int, kind int) PARTITION BY LIST (kind);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    CREATE INDEX old_index ON orders (item);
    CREATE MATERIALIZED VIEW totals AS SELECT customer, sum(amount) AS amount FROM orders GROUP BY customer;
    CREATE UNIQUE INDEX totals_key ON totals (customer);
    CREATE TABLE parent (id int);
    CREATE TABLE child () INHERITS (parent);
    CREATE TABLE \"Mixed Case\" (\"Key\" int);
    INSERT INTO customers SELECT g, 'a' || g, g, g FROM generate_series(1, 50) g;
    INSERT INTO orders SELECT g, g, 'i', g, now(), 1 FROM generate_series(1, 50) g;
    INSERT INTO parts SELECT g, 1 + g % 2 FROM generate_series(1, 10) g;
";

/// Migrations of which some statement has a safer form.
const SAFER: &[&str] = &[
    "CREATE INDEX ON orders (customer)",
    "CREATE INDEX by_item ON public.orders USING hash (item)",
    "CREATE UNIQUE INDEX IF NOT EXISTS by_id ON orders (id DESC NULLS LAST) INCLUDE (item) WHERE amount > 0",
    "CREATE INDEX ON orders (lower(item) text_pattern_ops, (amount + 1)) WITH (fillfactor = 70)",
    "CREATE INDEX ON orders USING brin (at) WITH (pages_per_range = 4)",
    "DROP INDEX old_index",
    "DROP INDEX IF EXISTS public.old_index",
    "REINDEX TABLE customers",
    "REINDEX INDEX old_index",
    "REINDEX (VERBOSE) TABLE orders",
    "REFRESH MATERIALIZED VIEW totals",
    "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers",
    "ALTER TABLE orders ADD CONSTRAINT to_customer FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
    "ALTER TABLE ONLY orders ADD FOREIGN KEY (customer) REFERENCES public.customers (id) MATCH FULL ON UPDATE SET NULL",
    "ALTER TABLE orders ADD CHECK (amount > 0)",
    "ALTER TABLE orders ADD CHECK (amount > 0 AND id > 0)",
    "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NO INHERIT",
    "ALTER TABLE orders ALTER customer SET NOT NULL",
    "ALTER TABLE IF EXISTS orders ALTER COLUMN customer SET NOT NULL, ALTER COLUMN item SET NOT NULL",
    "ALTER TABLE customers ADD UNIQUE (email)",
    "ALTER TABLE customers ADD CONSTRAINT by_email UNIQUE (email, code) INCLUDE (id) DEFERRABLE",
    "ALTER TABLE customers ADD UNIQUE (\"Odd name\")",
    "ALTER TABLE orders ADD PRIMARY KEY (id)",
    "ALTER TABLE orders ADD CONSTRAINT first_key PRIMARY KEY (id, customer)",
    "ALTER TABLE \"Mixed Case\" ADD UNIQUE (\"Key\")",
    "ALTER TABLE \"Mixed Case\" ALTER \"Key\" SET NOT NULL",
    "ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
    "ALTER TABLE public.\"Mixed Case\" ADD COLUMN IF NOT EXISTS \"It's\" float DEFAULT random(), ADD COLUMN plain int DEFAULT 7",
    "ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT clock_timestamp(), ADD CHECK (amount > 0)",
    "ALTER TABLE orders ADD COLUMN note text, ADD CHECK (amount > 0), DROP COLUMN part",
    "BEGIN;\nSET LOCAL lock_timeout = '5s';\nALTER TABLE orders ADD COLUMN note text;\nCREATE INDEX ON orders (note);\nUPDATE orders SET note = 'a';\nCOMMIT",
    "BEGIN;\nCREATE INDEX ON orders (amount);\nCOMMIT;\nCREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id)",
    "ALTER TABLE orders ADD UNIQUE (id);\nALTER TABLE orders ADD UNIQUE (customer);\nDROP INDEX old_index",
    "CREATE TABLE fresh (id int PRIMARY KEY);\nALTER TABLE orders ADD FOREIGN KEY (part) REFERENCES customers;\nALTER TABLE fresh ADD CHECK (id > 0)",
];

/// A safer form that leaves more behind, and says so.
const LEAVES_A_CHECK: &str = "ALTER TABLE parts DETACH PARTITION parts_2";

/// Migrations that have no safer form, or not one that would run.
const NOT_SAFER: &[&str] = &[
    "CREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id);\nALTER TABLE fresh ADD PRIMARY KEY (id)",
    "CREATE INDEX ON parts (id)",
    "CREATE INDEX CONCURRENTLY ON orders (amount)",
    "ALTER TABLE orders ADD CHECK (amount > 0) NOT VALID",
    "ALTER TABLE orders ADD COLUMN note text",
    "ALTER TABLE orders ADD COLUMN note text NOT NULL DEFAULT 'a', ADD COLUMN at2 timestamptz DEFAULT now()",
    "ALTER TABLE parts ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE parent ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    "DROP INDEX old_index, totals_key",
    "REFRESH MATERIALIZED VIEW totals WITH NO DATA",
];

/// A database that the migration ran on; its schema as pg_dump writes it.
fn schema_after(
    server: &'static pgguard::test_support::throwaway::Server,
    script: &Path,
) -> String {
    let database = Database::empty(server);
    database.sql(SCHEMA);
    let url = database.url();
    let ran = Command::new(server.bin("psql"))
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &url, "-f"])
        .arg(script)
        .output()
        .expect("psql starts");
    let text = std::fs::read_to_string(script).unwrap();
    assert!(
        ran.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let dump = Command::new(server.bin("pg_dump"))
        .args(["--schema-only", "-d", &url])
        .output()
        .expect("pg_dump starts");
    let dump = String::from_utf8(dump.stdout).unwrap();
    let said = dump
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    said.collect::<Vec<_>>().join("\n")
}

fn lines_of(dump: &str) -> Vec<String> {
    let bare = |line: &str| line.trim_end_matches(',').to_owned();
    dump.lines().map(bare).collect()
}

fn rewritten(database: &Database, script: &Path) -> String {
    let url = database.url();
    let told = pgguard(["explain", "--rewrite", "-d", &url, script.to_str().unwrap()]);
    assert_eq!(told.status, 0, "{told}");
    told.stdout
}

#[test]
fn a_safer_form_runs_and_ends_in_the_same_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, safer) = (
        folder.path().join("plain.sql"),
        folder.path().join("safer.sql"),
    );
    let majors = common::majors();
    for major in [majors[0], majors[majors.len() - 1]] {
        let server = common::server_of(major);
        let database = Database::empty(server);
        database.sql(SCHEMA);
        for sql in SAFER {
            std::fs::write(&plain, format!("{sql};\n")).unwrap();
            let script = rewritten(&database, &plain);
            assert!(script.contains("-- was: "), "{major} {sql}: {script}");
            std::fs::write(&safer, &script).unwrap();
            assert_eq!(
                schema_after(server, &plain),
                schema_after(server, &safer),
                "{major}: {script}"
            );
        }
        std::fs::write(&plain, format!("{LEAVES_A_CHECK};\n")).unwrap();
        let script = rewritten(&database, &plain);
        assert!(script.contains("keeps a CHECK"), "{script}");
        std::fs::write(&safer, &script).unwrap();
        let before = lines_of(&schema_after(server, &plain));
        let after = lines_of(&schema_after(server, &safer));
        let more: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
        assert!(
            matches!(more.as_slice(), [one] if one.contains("CONSTRAINT parts_2_kind_check CHECK")),
            "{more:#?}"
        );
        assert_eq!(before.len() + 1, after.len(), "{major}");
        for sql in NOT_SAFER {
            std::fs::write(&plain, format!("{sql};\n")).unwrap();
            let script = rewritten(&database, &plain);
            assert!(!script.contains("-- was: "), "{major} {sql}: {script}");
        }
    }
}

/// A migration, what others have open meanwhile, and whether nothing is in the way of its safer form. Rows are few, so
/// with a limit of a millisecond only what works on many of them is too long.
const IN_THE_WAY: &[(&str, &str, bool)] = &[
    (
        "REFRESH MATERIALIZED VIEW totals",
        "SELECT FROM totals",
        true,
    ),
    ("REINDEX TABLE orders", "SELECT FROM totals", true),
    (
        "CREATE INDEX ON orders (customer)",
        "SELECT FROM totals",
        true,
    ),
    (
        "CREATE INDEX ON orders (customer)",
        "LOCK orders IN ROW EXCLUSIVE MODE",
        false,
    ),
    (
        "ALTER TABLE customers ADD UNIQUE (email)",
        "SELECT FROM totals",
        true,
    ),
    (
        "ALTER TABLE customers ADD UNIQUE (email)",
        "SELECT FROM customers",
        false,
    ),
    (
        "ALTER TABLE orders ALTER customer SET NOT NULL",
        "SELECT FROM orders",
        false,
    ),
    (
        "ALTER TABLE orders ALTER customer SET NOT NULL",
        "SELECT FROM customers",
        true,
    ),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers",
        "SELECT FROM orders",
        true,
    ),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers",
        "LOCK orders IN ROW EXCLUSIVE MODE",
        false,
    ),
    ("DROP INDEX old_index", "SELECT FROM orders", false),
    (
        "ALTER TABLE parts DETACH PARTITION parts_2",
        "SELECT FROM parts",
        false,
    ),
];

#[test]
fn gate_names_a_safer_form_only_where_nothing_is_in_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("change.sql");
    let majors = common::majors();
    for major in [majors[0], majors[majors.len() - 1]] {
        let server = common::server_of(major);
        for (sql, open, is_clear) in IN_THE_WAY {
            let case = format!("{major}: {sql} beside {open}");
            let database = Database::empty(server);
            database.sql(SCHEMA);
            database.sql("INSERT INTO orders SELECT g % 50 + 1, 1 FROM generate_series(1, 20000) g; INSERT INTO customers SELECT g, 'b' || g, g FROM generate_series(51, 20000) g; ANALYZE");
            std::fs::write(&file, format!("{sql};\n")).unwrap();
            let mut other = database.session();
            other.exec("BEGIN");
            other.exec(open);
            let url = database.url();
            let asked = ["gate", "-d", &url, "--max-hold", "1ms", "--patience", "0s"];
            let told = pgguard(asked.iter().copied().chain([file.to_str().unwrap()]));
            assert_eq!(told.status, 1, "{case}: {told}");
            assert_eq!(
                told.stdout.contains("safer form"),
                *is_clear,
                "{case}: {told}"
            );
            let json =
                pgguard(
                    asked
                        .iter()
                        .copied()
                        .chain(["--format", "json", file.to_str().unwrap()]),
                );
            let json = json.json();
            let named = &json["statements"][0]["safer"]["statements"];
            assert_eq!(named.is_array(), *is_clear, "{case}: {json:#}");
            // The server: the form runs beside the others, or waits for them.
            let steps = match named.as_array() {
                Some(steps) => steps.clone(),
                None => {
                    let told = pgguard([
                        "explain",
                        "-d",
                        &url,
                        "--format",
                        "json",
                        file.to_str().unwrap(),
                    ]);
                    let told = told.json();
                    told["statements"][0]["safer"]["statements"]
                        .as_array()
                        .expect(&case)
                        .clone()
                }
            };
            let mut own = database.session();
            own.exec("SET lock_timeout = '1s'");
            let ran = steps
                .iter()
                .all(|step| own.try_exec(step.as_str().unwrap()).is_ok());
            assert_eq!(ran, *is_clear, "{case}: {steps:?}");
        }
    }
}
