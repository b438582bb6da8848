//! Migrations that are applied and not recorded, or half applied: made by running parts of real folders.

use crate::common::{Database, pgguard};
use crate::{Told, databases};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

fn told(database: &Database, folder: &Path, tool: &str) -> Told {
    let path = folder.to_str().expect("UTF-8");
    Told::of(database, &["--migrations", path, "--tool", tool])
}

const TWO: [(&str, &str); 2] = [
    ("1_a.up.sql", "CREATE TABLE a (id int);"),
    (
        "2_b.up.sql",
        "ALTER TABLE a ADD COLUMN x int;\nCREATE INDEX a_x ON a (x);\nALTER TABLE a DROP COLUMN old;\nUPDATE a SET x = 1;\n",
    ),
];

#[test]
fn a_migration_is_pending_half_applied_applied_and_recorded() {
    for (major, database) in databases() {
        let folder = folder(&TWO);
        database.sql(
            "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); \
             CREATE TABLE a (id int, old int); INSERT INTO schema_migrations VALUES (1, false)",
        );
        let ask = || told(&database, folder.path(), "golang-migrate");
        ask().assert_nothing(&format!("{major}: nothing of the second is done"));
        database.sql("ALTER TABLE a ADD COLUMN x int");
        let half = ask();
        assert_eq!(half.outcome.status, 1, "{major}: {}", half.outcome);
        assert_eq!(half.kinds(), ["half_applied"], "{major}: {}", half.outcome);
        let finding = half.of_kind("half_applied")[0];
        let what = finding["what"].as_str().expect("a text");
        assert!(
            what.contains("half applied: of its 4 statements 1 is done and 2 are not"),
            "{major}: {what}"
        );
        let rest = finding["command"].as_str().expect("SQL");
        assert!(!rest.contains("ADD COLUMN"), "{major}: {rest}");
        database.sql(rest);
        let whole = ask();
        let finding = whole.of_kind("half_applied")[0];
        let what = finding["what"].as_str().expect("a text");
        assert!(
            what.contains("of its 4 statements 3 are done, and 1 leaves no trace in the catalogs"),
            "{major}: {what}"
        );
        assert_eq!(
            finding["command"], "migrate -path DIR -database URL force 2",
            "{major}"
        );
        database.sql("UPDATE schema_migrations SET version = 2");
        ask().assert_nothing(&format!("{major}: it is recorded"));
    }
}

/// What a tool would leave that ran the whole of each folder and did not record it, and how it is told.
#[test]
fn an_applied_migration_that_is_not_recorded_is_named_with_the_tools_own_command() {
    let cases: [(&str, &str, &str, &str); 4] = [
        (
            "prisma",
            "20240101000000_x/migration.sql",
            "CREATE TABLE made (id int);",
            "npx prisma migrate resolve --applied 20240101000000_x",
        ),
        (
            "dbmate",
            "20240101000000_x.sql",
            "-- migrate:up\nCREATE TABLE made (id int);\n-- migrate:down\nDROP TABLE made;\n",
            "INSERT INTO schema_migrations (version) VALUES ('20240101000000');",
        ),
        (
            "goose",
            "00001_x.sql",
            "-- +goose Up\nCREATE TABLE made (id int);\n-- +goose Down\nDROP TABLE made;\n",
            "INSERT INTO goose_db_version (version_id, is_applied) VALUES ('1', true);",
        ),
        (
            "flyway",
            "V1__x.sql",
            "CREATE TABLE made (id int);",
            "flyway migrate -skipExecutingMigrations=true -target=1",
        ),
    ];
    let database = crate::common::database();
    for (tool, name, text, command) in cases {
        let folder = folder(&[(name, text)]);
        told(&database, folder.path(), tool).assert_nothing(tool);
        database.sql("CREATE TABLE made (id int)");
        let found = told(&database, folder.path(), tool);
        assert_eq!(found.kinds(), ["half_applied"], "{tool}: {}", found.outcome);
        let finding = found.of_kind("half_applied")[0];
        let what = finding["what"].as_str().expect("a text");
        assert!(what.contains("and it is applied: "), "{tool}: {what}");
        assert_eq!(finding["command"], command, "{tool}");
        database.sql("DROP TABLE made");
    }
}

#[test]
fn what_is_dropped_and_made_again_is_not_taken_for_done() {
    let database = crate::common::database();
    database.sql("CREATE TABLE a (id int); CREATE INDEX i ON a (id)");
    let folder = folder(&[
        ("V1__drop.sql", "DROP INDEX i;"),
        (
            "V2__make.sql",
            "CREATE INDEX i ON a (id);\nCREATE TABLE IF NOT EXISTS a (id int);",
        ),
    ]);
    told(&database, folder.path(), "flyway").assert_nothing("the first takes it away");
    let text = pgguard([
        "doctor",
        "--no-history",
        "-d",
        &database.url(),
        "--migrations",
        "nowhere",
    ]);
    assert_eq!(text.status, 2, "{text}");
}
