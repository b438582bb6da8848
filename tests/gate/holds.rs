//! How long a migration keeps others out: what is said of every form that works for long or not at all,
//! on real servers, and what `--max-hold` lets through.

use crate::common::{self, Database, Outcome, pgguard_with_input};
use serde_json::Value;

const SETUP: &str = "
    CREATE TABLE big (id int PRIMARY KEY, v int, w int NOT NULL, t text, j jsonb, proven int CHECK (proven IS NOT NULL));
    INSERT INTO big SELECT g, g, g, 'x', '{}', g FROM generate_series(1, 20000) g;
    CREATE INDEX big_v ON big (v);
    CREATE TABLE other (id int PRIMARY KEY, big int);
    INSERT INTO other SELECT g, g FROM generate_series(1, 20000) g;
    ALTER TABLE other ADD CONSTRAINT later FOREIGN KEY (big) REFERENCES big NOT VALID;
    CREATE TABLE parent (id int, k int) PARTITION BY RANGE (k);
    CREATE TABLE part1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
    INSERT INTO parent SELECT g, g % 10 FROM generate_series(1, 20000) g;
    CREATE TABLE outside (id int, k int);
    INSERT INTO outside SELECT g, 10 + g % 10 FROM generate_series(1, 20000) g;
    CREATE TABLE proven (id int, k int NOT NULL CHECK (k >= 20 AND k < 30));
    INSERT INTO proven SELECT g, 20 + g % 10 FROM generate_series(1, 20000) g;
    CREATE TABLE old (id int);
    CREATE TABLE child () INHERITS (old);
    INSERT INTO child SELECT g FROM generate_series(1, 20000) g;
    CREATE MATERIALIZED VIEW mat AS SELECT * FROM outside;
    CREATE UNIQUE INDEX mat_id ON mat (id);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TABLE ranges (r int4range);
    INSERT INTO ranges SELECT int4range(g, g + 1) FROM generate_series(1, 2000) g;
    VACUUM ANALYZE;
";

/// A migration, and what it must be said to keep out for a time that grows with the table: relation, mode,
/// and a word of the work.
type Form = (
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

const EXCLUSIVE: &str = "ACCESS EXCLUSIVE";

const FORMS: &[Form] = &[
    // Written anew under ACCESS EXCLUSIVE.
    (
        "ALTER TABLE big ALTER id TYPE bigint",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE big ADD c float DEFAULT random()",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE big ADD c int GENERATED ALWAYS AS IDENTITY",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE big ADD c text GENERATED ALWAYS AS (t || 'x') STORED",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE big ADD c serial",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE big ADD c positive DEFAULT 1",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE outside SET UNLOGGED",
        &[("outside", EXCLUSIVE, "rewritten")],
    ),
    ("VACUUM FULL big", &[("big", EXCLUSIVE, "rewritten")]),
    (
        "CLUSTER big USING big_v",
        &[("big", EXCLUSIVE, "rewritten")],
    ),
    (
        "ALTER TABLE parent ALTER id TYPE bigint",
        &[
            ("parent", EXCLUSIVE, "rewritten"),
            ("part1", EXCLUSIVE, "rewritten"),
        ],
    ),
    (
        "ALTER TABLE old ALTER id TYPE bigint",
        &[
            ("old", EXCLUSIVE, "rewritten"),
            ("child", EXCLUSIVE, "rewritten"),
        ],
    ),
    (
        "REFRESH MATERIALIZED VIEW mat",
        &[("mat", EXCLUSIVE, "rewritten")],
    ),
    // Read under a lock that keeps others out.
    (
        "ALTER TABLE big ALTER v SET NOT NULL",
        &[("big", EXCLUSIVE, "read")],
    ),
    (
        "ALTER TABLE big ADD CHECK (v > 0)",
        &[("big", EXCLUSIVE, "read")],
    ),
    (
        "ALTER TABLE parent ATTACH PARTITION outside FOR VALUES FROM (10) TO (20)",
        &[("outside", EXCLUSIVE, "read")],
    ),
    (
        "ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES big",
        &[
            ("other", "SHARE ROW EXCLUSIVE", "checked"),
            ("big", "SHARE ROW EXCLUSIVE", "checked"),
        ],
    ),
    // Indexed.
    ("CREATE INDEX ON big (w)", &[("big", "SHARE", "indexed")]),
    (
        "CREATE INDEX ON big ((j ->> 'x'))",
        &[("big", "SHARE", "indexed")],
    ),
    (
        "CREATE INDEX ON parent (id)",
        &[
            ("parent", "SHARE", "indexed"),
            ("part1", "SHARE", "indexed"),
        ],
    ),
    ("REINDEX TABLE big", &[("big", "SHARE", "indexed")]),
    (
        "REINDEX INDEX big_v",
        &[("big", "SHARE", "indexed"), ("big_v", EXCLUSIVE, "indexed")],
    ),
    (
        "ALTER TABLE big ADD UNIQUE (w)",
        &[("big", EXCLUSIVE, "indexed")],
    ),
    (
        "ALTER TABLE ranges ADD EXCLUDE USING gist (r WITH &&)",
        &[("ranges", EXCLUSIVE, "indexed")],
    ),
    // Held while later statements of the transaction work.
    (
        "BEGIN; ALTER TABLE big ADD CONSTRAINT c CHECK (v > 0) NOT VALID; ALTER TABLE big VALIDATE CONSTRAINT c; COMMIT",
        &[("big", EXCLUSIVE, "read")],
    ),
    (
        "BEGIN; ALTER TABLE big ADD c int; UPDATE big SET c = 1; COMMIT",
        &[("big", EXCLUSIVE, "written")],
    ),
    (
        "BEGIN; ALTER TABLE big ADD c int; CREATE INDEX ON other (big); COMMIT",
        &[("big", EXCLUSIVE, "indexed"), ("other", "SHARE", "indexed")],
    ),
    // Nothing that takes long, or nothing that keeps others out.
    ("ALTER TABLE big ADD c int", &[]),
    ("ALTER TABLE big ADD c int DEFAULT 7", &[]),
    ("ALTER TABLE big ALTER t TYPE varchar", &[]),
    ("ALTER TABLE big ALTER proven SET NOT NULL", &[]),
    ("ALTER TABLE big ADD CHECK (v > 0) NOT VALID", &[]),
    ("ALTER TABLE other VALIDATE CONSTRAINT later", &[]),
    (
        "ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES big NOT VALID",
        &[],
    ),
    ("CREATE INDEX CONCURRENTLY ON big (w)", &[]),
    ("REINDEX TABLE CONCURRENTLY big", &[]),
    ("REFRESH MATERIALIZED VIEW CONCURRENTLY mat", &[]),
    (
        "ALTER TABLE parent ATTACH PARTITION proven FOR VALUES FROM (20) TO (30)",
        &[],
    ),
    ("UPDATE big SET v = v + 1", &[]),
    ("DELETE FROM big WHERE v > 100", &[]),
    ("VACUUM big", &[]),
    ("ANALYZE big", &[]),
    (
        "BEGIN; ALTER TABLE big ADD c int; COMMIT; UPDATE big SET c = 1",
        &[],
    ),
    (
        "BEGIN; ALTER TABLE big ADD c int; UPDATE big SET c = 1 WHERE id = 7; COMMIT",
        &[],
    ),
    ("DROP TABLE other", &[]),
    ("TRUNCATE other", &[]),
    (
        "CREATE TABLE fresh AS SELECT * FROM big; CREATE INDEX ON fresh (id)",
        &[],
    ),
    (
        "BEGIN; CREATE TABLE fresh (id int PRIMARY KEY); CREATE INDEX ON fresh (id); COMMIT",
        &[],
    ),
];

#[test]
fn every_form_is_said_to_keep_others_out_of_what_it_works_on() {
    for major in common::majors() {
        let database = Database::empty(common::server_of(major));
        database.sql(SETUP);
        for (sql, expected) in FORMS {
            let told = holds(&explain(&database, sql));
            for (relation, mode, work) in *expected {
                let found = told
                    .iter()
                    .any(|(r, m, basis)| r == relation && m == mode && basis.contains(work));
                assert!(
                    found,
                    "Postgres {major}: {sql}: {relation} {mode} {work} in {told:?}"
                );
            }
            if expected.is_empty() {
                // Whether a CHECK proves a new partition's bounds, only the server knows.
                let working: Vec<_> = told
                    .iter()
                    .filter(|(r, _, basis)| !basis.is_empty() && r != "proven")
                    .collect();
                assert!(working.is_empty(), "Postgres {major}: {sql}: {working:?}");
            }
        }
    }
}

/// Relation, mode and work of each lock that keeps others out.
fn holds(explained: &Value) -> Vec<(String, String, String)> {
    let statements = explained["statements"].as_array().expect("statements");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    statements
        .iter()
        .flat_map(|s| s["holds"].as_array().expect("holds"))
        .map(|h| (text(&h["relation"]), text(&h["mode"]), text(&h["basis"])))
        .collect()
}

fn explain(database: &Database, sql: &str) -> Value {
    let url = database.url();
    let told = pgguard_with_input(["explain", "-d", &url, "--format", "json", "-"], sql);
    assert_eq!(told.status, 0, "{sql}: {told}");
    told.json()
}

fn gate(database: &Database, sql: &str, more: &[&str]) -> Outcome {
    let url = database.url();
    let arguments = ["gate", "-d", &url, "-"];
    pgguard_with_input(arguments.into_iter().chain(more.iter().copied()), sql)
}

/// cases/migrations/09
const LONG: [&str; 4] = [
    "ALTER TABLE runs ADD COLUMN p text GENERATED ALWAYS AS (attrs->>'p') STORED;",
    "BEGIN; ALTER TABLE runs ADD CONSTRAINT ck CHECK (attrs IS NOT NULL) NOT VALID;\n\
     ALTER TABLE runs VALIDATE CONSTRAINT ck; COMMIT;",
    "CREATE INDEX ON runs((attrs->>'n'));",
    "VACUUM FULL runs;",
];

#[test]
fn a_lock_that_keeps_others_out_for_too_long_blocks_and_a_short_one_is_let_through() {
    let database = Database::empty(common::server());
    database.sql(
        "CREATE TABLE runs(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, attrs jsonb);
         INSERT INTO runs(attrs) SELECT jsonb_build_object('p', repeat('x',150), 'n', g) FROM generate_series(1,20000) g;
         ANALYZE runs;",
    );
    let mut reader = database.session_named("reader");
    reader.exec("BEGIN; SELECT FROM runs LIMIT 1; SAVEPOINT s");
    for sql in LONG {
        // With somebody in front it would wait anyway: a moment is all that is asked for here.
        let told = gate(&database, sql, &["--max-hold", "1ms", "--format", "json"]);
        assert_eq!(told.status, 1, "{sql}: {told}");
        let json = told.json();
        let first = &json["statements"].as_array().expect("statements");
        let hold = first
            .iter()
            .flat_map(|s| s["holds"].as_array().expect("holds"));
        let hold: Vec<&Value> = hold.filter(|h| h["relation"] == "runs").collect();
        assert_eq!(hold[0]["too_long"], true, "{sql}: {told}");
        assert_eq!(hold[0]["max_hold_s"], 0.001, "{sql}: {told}");
        if hold[0]["mode"] == EXCLUSIVE {
            assert_eq!(hold[0]["sessions_now"], 1, "{sql}: {told}");
        }
        let waits = first
            .iter()
            .flat_map(|s| s["waits"].as_array().expect("waits"));
        assert!(
            waits
                .into_iter()
                .any(|w| w["kind"] == "hold" && w["counts"] == true),
            "{told}"
        );
    }
    reader.exec("ROLLBACK");
    for sql in LONG {
        for all in [&["--max-hold", "none"][..], &[]] {
            let told = gate(&database, sql, all);
            assert_eq!(told.status, 0, "{sql}: {told}");
        }
        let text = gate(&database, sql, &["--max-hold", "1ms"]);
        assert_eq!(text.status, 1, "{text}");
        assert!(text.stdout.contains("WOULD BLOCK"), "{text}");
        assert!(text.stdout.contains("on public.runs for "), "{text}");
        assert!(
            text.stdout.contains("--max-hold lets through 0.001 s"),
            "{text}"
        );
        for (form, word) in [
            ("github", "::error"),
            ("junit", "<failure"),
            ("sarif", "long-hold"),
            ("gitlab", "long-hold"),
        ] {
            let told = gate(&database, sql, &["--max-hold", "1ms", "--format", form]);
            assert_eq!(told.status, 1, "{told}");
            assert!(told.stdout.contains(word), "{form}: {told}");
        }
    }
    // Waiting makes no table smaller.
    let told = gate(&database, LONG[3], &["--max-hold", "1ms", "--wait", "1h"]);
    assert_eq!(told.status, 1, "{told}");
}

#[test]
fn a_table_of_unknown_size_is_a_note_and_the_settings_file_sets_the_limit() {
    let database = Database::empty(common::server());
    database.sql("CREATE TABLE never (id int); CREATE TABLE runs AS SELECT g AS id FROM generate_series(1, 20000) g; ANALYZE runs");
    let told = gate(&database, "ALTER TABLE never ALTER id TYPE bigint", &[]);
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("never analyzed"), "{told}");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("guard.toml");
    let rewrite = "ALTER TABLE runs ALTER id TYPE bigint";
    for (text, status) in [
        ("max_hold = '1ms'", 1),
        ("max_hold = 'none'", 0),
        ("max_hold = 'soon'", 2),
    ] {
        std::fs::write(&path, text).expect("a file");
        let told = gate(
            &database,
            rewrite,
            &["--config", &path.display().to_string()],
        );
        assert_eq!(told.status, status, "{text}: {told}");
    }
}
