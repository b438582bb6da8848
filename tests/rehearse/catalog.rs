//! `pgguard catalog`, and `explain` and `gate` on its file: the same as on the server, but for who is connected.

use crate::common::{self, Database, pgguard, pgguard_with_input};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A catalog file of a database.
fn catalog_of(database: &Database, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{}.json", database.name));
    let written = pgguard([
        "catalog",
        "-d",
        &database.url(),
        "-o",
        path.to_str().expect("UTF-8"),
    ]);
    assert_eq!(written.status, 0, "{written}");
    path
}

/// The footprint of some SQL, from a place.
fn explained(place: [&str; 2], sql: &str) -> Value {
    let [option, value] = place;
    let told = pgguard_with_input(["explain", option, value, "--format", "json", "-"], sql);
    assert_eq!(told.status, 0, "{sql}: {told}");
    let mut document = told.json();
    // VACUUM and REINDEX of many tables take them as they find them in pg_class, which is no order.
    for statement in document["statements"].as_array_mut().expect("a list") {
        let locks = statement["locks"].as_array_mut().expect("a list");
        // Which of several types that the migration itself makes, all alike, is named first is left open.
        locks.retain(|lock| !lock["oid"].is_null() || lock["kind"] != "composite_type");
        for list in ["locks", "holds"] {
            let list = statement[list].as_array_mut().expect("a list");
            list.sort_by_key(Value::to_string);
        }
    }
    document
}

/// A schema with one of each kind.
const SCHEMA: &str = "
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('good', 'bad');
    CREATE DOMAIN app.price AS numeric CHECK (VALUE >= 0);
    CREATE TABLE app.parts (id int, at date, mood app.mood, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE app.parts_rest PARTITION OF app.parts DEFAULT;
    CREATE TABLE app.lines (id int PRIMARY KEY, customer int REFERENCES public.customers, price app.price);
    CREATE VIEW app.seen AS SELECT id, price FROM app.lines;
    CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM app.parts;
    CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE app.lines SET id = id; RETURN NEW; END';
    CREATE TRIGGER noted AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION app.note();
    CREATE SEQUENCE app.numbers;
    CREATE STATISTICS app.stats ON id, price FROM app.lines;
    CREATE PUBLICATION news FOR TABLE app.lines;
    ALTER TABLE app.lines ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON app.lines USING (id IN (SELECT id FROM public.products));";

/// Statements that reach far.
const FAR: &[&str] = &[
    "DROP SCHEMA app CASCADE",
    "DROP TYPE app.mood CASCADE",
    "ALTER DOMAIN app.price ADD CHECK (VALUE < 100)",
    "TRUNCATE customers CASCADE",
    "DELETE FROM customers",
    "INSERT INTO orders DEFAULT VALUES",
    "UPDATE app.seen SET id = 1",
    "ALTER TABLE app.parts ADD COLUMN x int",
    "CREATE TABLE app.parts_2 PARTITION OF app.parts FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
    "ALTER TABLE app.lines ALTER COLUMN price TYPE numeric",
    "REFRESH MATERIALIZED VIEW app.counted",
    "DROP FUNCTION app.note() CASCADE",
    "ALTER PUBLICATION news SET TABLE public.orders",
    "VACUUM",
    "REINDEX SCHEMA app",
    "SELECT * FROM app.seen, pg_class",
    "DO 'BEGIN UPDATE app.lines SET id = 2; END'",
    "ALTER TABLE nobody_has_it ADD COLUMN x int",
    "DROP STATISTICS app.stats",
    "SELECT nextval('app.numbers')",
];

#[test]
fn a_catalog_file_explains_as_the_server_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations-fixtures/forms");
    for major in common::majors() {
        let shop = Database::shop(common::server_of(major));
        shop.sql(SCHEMA);
        let file = catalog_of(&shop, folder.path());
        let file = file.to_str().expect("UTF-8");
        let url = shop.url();
        let mut texts: Vec<String> = FAR.iter().map(|sql| (*sql).to_owned()).collect();
        for form in std::fs::read_dir(&forms).expect("the forms").flatten() {
            texts.extend(std::fs::read_to_string(form.path()));
        }
        assert!(texts.len() > FAR.len(), "there are forms");
        for sql in texts {
            let on_server = explained(["-d", &url], &sql);
            let from_file = explained(["--catalog", file], &sql);
            assert_eq!(on_server, from_file, "Postgres {major}: {sql}");
        }
    }
}

#[test]
fn a_pull_request_is_judged_without_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = common::shop();
    // Somebody has the table, and the file does not tell: that is what it says.
    let mut reader = shop.session();
    reader.begin_and_lock("orders", "ACCESS SHARE");
    let file = catalog_of(&shop, folder.path());
    let file = file.to_str().expect("UTF-8");
    let gate = |arguments: &[&str], sql: &str| {
        let all = [&["gate", "--catalog", file, "-"], arguments].concat();
        pgguard_with_input(all, sql)
    };
    let clear = gate(&[], "ALTER TABLE orders ADD COLUMN remark text");
    assert_eq!(clear.status, 0, "{clear}");
    assert!(
        clear.stdout.contains("who is connected was not checked")
            && clear.stdout.contains("was not checked"),
        "{clear}"
    );
    let json = gate(
        &["--format", "json"],
        "ALTER TABLE orders ADD COLUMN remark text",
    )
    .json();
    assert_eq!(json["live"], false, "{json:#}");
    let fails = gate(&[], "ALTER TABLE orders ADD COLUMN id int");
    assert_eq!(fails.status, 1, "{fails}");
    assert!(fails.stdout.contains("WOULD FAIL"), "{fails}");
    let opaque = gate(&[], "DO 'BEGIN EXECUTE ''x'' || now(); END'");
    assert_eq!(opaque.status, 2, "{opaque}");
    let holds = gate(
        &["--max-hold", "1us"],
        "ALTER TABLE orders ALTER COLUMN id TYPE numeric",
    );
    assert_eq!(holds.status, 1, "{holds}");
    for wrong in [
        &["gate", "--catalog", file] as &[&str],
        &["gate", "--catalog", file, "-", "--wait", "1m"],
        &["gate", "--catalog", file, "-", "--target", "postgres:///x"],
        &["gate", "--catalog", file, "-d", "x", "-"],
        &["gate", "--catalog", "/nowhere/catalog.json", "-"],
    ] {
        let refused = pgguard_with_input(wrong, "SELECT 1");
        assert_eq!(refused.status, 2, "{wrong:?}: {refused}");
    }
}

#[test]
fn the_file_has_no_rows_and_no_query_texts_and_belongs_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let shop = common::shop();
    shop.sql("CREATE TABLE secrets (secret text); INSERT INTO secrets VALUES ('row-4711'); ANALYZE secrets");
    let mut reader = shop.session();
    reader.start("SELECT 'query-4711', pg_sleep(100)");
    common::until("it runs", || reader.is_active());
    let file = catalog_of(&shop, folder.path());
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(!text.contains("4711"), "no row, no query");
    assert!(text.contains("secrets"));
    let mode = file.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    std::fs::write(&file, newer).expect("written");
    let refused = pgguard_with_input(
        ["explain", "--catalog", file.to_str().expect("UTF-8"), "-"],
        "SELECT 1",
    );
    assert_eq!(refused.status, 2, "{refused}");
    assert!(refused.stderr.contains("newer pgguard"), "{refused}");
}
