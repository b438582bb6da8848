//! Each tool's layout in migrations-fixtures/tools, as its own rules order and run it.

use super::*;
use crate::migration::split::pieces;
use crate::migration::statement::Body;
use crate::model::Statement;
use applied::{Row, pending};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("migrations-fixtures/tools")
        .join(name)
}

fn source_of(path: PathBuf, tool: Option<&str>) -> Source {
    let options = ReadOptions {
        tool: tool.map(str::to_owned),
        habit: None,
        ..ReadOptions::default()
    };
    sources(&[path], &options).unwrap().remove(0)
}

fn failure(path: PathBuf) -> String {
    sources(&[path], &ReadOptions::default())
        .unwrap_err()
        .to_string()
}

/// A line a migration: its id, its file, its habit, and where its first statement stands.
fn shown(source: &Source) -> Vec<String> {
    let root = fixture("");
    let line = |migration: &Migration| {
        let script = &migration.script;
        let file = script
            .file
            .strip_prefix(&root.display().to_string())
            .unwrap_or(&script.file);
        let (_, file) = file.split_once('/').unwrap_or(("", file));
        let pieces = pieces(&script.sql);
        let first = pieces.first().map_or_else(
            || "code".to_owned(),
            |piece| {
                format!(
                    "{}:{}",
                    script.first_line + piece.line,
                    piece.text.split_whitespace().next().unwrap()
                )
            },
        );
        format!(
            "{} | {file} | {:?} | {} from {first}",
            migration.id,
            script.habit,
            pieces.len()
        )
    };
    source.migrations.iter().map(line).collect()
}

#[test]
fn each_layout_is_recognised_ordered_and_run_as_its_tool_does() {
    for (folder, tool, expected) in [
        (
            "sqlx/migrations",
            "sqlx",
            vec![
                "20240101000000 | migrations/20240101000000_orders.sql | PerScript | 1 from 1:CREATE",
                "20240201000000 | migrations/20240201000000_total.up.sql | PerScript | 1 from 1:ALTER",
                "20240301000000 | migrations/20240301000000_index.sql | PerMessage | 1 from 2:CREATE",
            ],
        ),
        (
            "golang-migrate",
            "golang-migrate",
            vec![
                "1 | 1_orders.up.sql | PerMessage | 2 from 1:CREATE",
                "2 | 2_total.up.sql | PerMessage | 3 from 1:BEGIN",
                "10 | 10_index.up.sql | PerMessage | 1 from 1:CREATE",
            ],
        ),
        (
            "bun",
            "bun",
            vec![
                "20240101000000 | 20240101000000_orders.tx.up.sql | PerScript | 1 from 1:CREATE",
                "20240201000000 | 20240201000000_index.up.sql | PerStatement | 2 from 1:SET",
                "20240301000000 | 20240301000000_total.up.sql | PerMessage | 1 from 1:ALTER",
                "20240401000000 | 20240401000000_backfill.go | PerMessage | 0 from code",
            ],
        ),
        (
            "diesel",
            "diesel",
            vec![
                "20240101000000 | 2024-01-01-000000_orders/up.sql | PerScript | 1 from 1:CREATE",
                "20240201000000 | 2024-02-01-000000_index/up.sql | PerMessage | 1 from 1:CREATE",
            ],
        ),
        (
            "refinery/migrations",
            "refinery",
            vec![
                "1 | migrations/V1__orders.sql | PerScript | 1 from 1:CREATE",
                "2 | migrations/U2__total.sql | PerScript | 1 from 1:ALTER",
                "10 | migrations/V10__index.sql | PerScript | 1 from 1:CREATE",
            ],
        ),
        (
            "dbmate",
            "dbmate",
            vec![
                "20240101000000 | 20240101000000_orders.sql | PerScript | 1 from 2:CREATE",
                "20240201000000 | 20240201000000_index.sql | PerMessage | 1 from 2:CREATE",
            ],
        ),
        (
            "goose",
            "goose",
            vec![
                "1 | 00001_orders.sql | PerScript | 1 from 2:CREATE",
                "2 | 00002_function.sql | PerScript | 2 from 3:CREATE",
                "3 | 00003_index.sql | PerStatement | 1 from 3:CREATE",
                "4 | 00004_backfill.go | PerScript | 0 from code",
            ],
        ),
        (
            "flyway",
            "flyway",
            vec![
                "1 | V1__orders.sql | PerScript | 1 from 1:CREATE",
                "1.9 | V1.9__total.sql | PerScript | 1 from 1:ALTER",
                "1.10 | V1.10__index.sql | PerStatement | 1 from 1:CREATE",
                "2 | V2_0__note.sql | PerScript | 1 from 1:ALTER",
                "3 | V3__type.sql | PerStatement | 1 from 1:ALTER",
                "R big orders | R__big_orders.sql | PerScript | 1 from 1:CREATE",
            ],
        ),
        (
            "prisma",
            "prisma",
            vec![
                "20240101000000_orders | 20240101000000_orders/migration.sql | PerMessage | 1 from 2:CREATE",
                "20240201000000_total | 20240201000000_total/migration.sql | PerMessage | 1 from 2:ALTER",
            ],
        ),
        (
            "atlas",
            "atlas",
            vec![
                "20240101000000 | 20240101000000_orders.sql | PerScript | 1 from 2:CREATE",
                "20240201000000 | 20240201000000_index.sql | PerStatement | 1 from 3:CREATE",
            ],
        ),
        (
            "drizzle",
            "drizzle",
            vec![
                "1704067200000 | 0000_orders.sql | WholeRun | 2 from 1:CREATE",
                "1706745600000 | 0001_total.sql | WholeRun | 1 from 1:ALTER",
            ],
        ),
        (
            "node-pg-migrate",
            "node-pg-migrate",
            vec![
                "1704067200000_orders | 1704067200000_orders.sql | WholeRun | 1 from 2:CREATE",
                "1706745600000_total | 1706745600000_total.sql | WholeRun | 1 from 5:ALTER",
                "1709251200000_backfill | 1709251200000_backfill.js | WholeRun | 0 from code",
            ],
        ),
        (
            "sqitch",
            "sqitch",
            vec![
                "shop:orders:1 | deploy/orders.sql | PerStatement | 3 from 2:BEGIN",
                "shop:total:1 | deploy/total@v1.sql | PerStatement | 3 from 1:BEGIN",
                "shop:total:2 | deploy/total.sql | PerStatement | 3 from 1:BEGIN",
            ],
        ),
        (
            "sql-migrate",
            "sql-migrate",
            vec![
                "1_orders.sql | 1_orders.sql | PerScript | 1 from 2:CREATE",
                "2_total.sql | 2_total.sql | PerScript | 1 from 2:ALTER",
                "10_index.sql | 10_index.sql | PerStatement | 1 from 2:CREATE",
            ],
        ),
        (
            "tern",
            "tern",
            vec![
                "1 | 001_orders.sql | PerScript | 1 from 1:CREATE",
                "2 | 002_index.sql | PerMessage | 1 from 2:CREATE",
            ],
        ),
        (
            "graphile-migrate",
            "graphile-migrate",
            vec![
                "000001.sql | committed/000001.sql | PerScript | 1 from 4:CREATE",
                "000002-index.sql | committed/000002-index.sql | PerMessage | 1 from 5:CREATE",
            ],
        ),
        (
            "postgrator",
            "postgrator",
            vec![
                "1 | 001.do.orders.sql | PerMessage | 1 from 1:CREATE",
                "2 | 002.do.total.sql | PerMessage | 1 from 1:ALTER",
            ],
        ),
        (
            "liquibase",
            "liquibase",
            vec![
                "anna:1:changelog.sql | changelog.sql | PerScript | 1 from 4:CREATE",
                "anna:2:changelog.sql | changelog.sql | PerStatement | 1 from 8:CREATE",
            ],
        ),
    ] {
        let source = source_of(fixture(folder), None);
        assert_eq!(
            source.tool.map(Tool::word).as_deref(),
            Some(tool),
            "{folder}"
        );
        assert_eq!(shown(&source), expected, "{folder}");
        assert_eq!(
            shown(&source_of(fixture(folder), Some(tool))),
            expected,
            "{folder} by name"
        );
    }
}

#[test]
fn plain_files_run_by_version_each_statement_by_itself() {
    let source = source_of(fixture("plain"), None);
    assert!(source.tool.is_none());
    let files: Vec<_> = source
        .migrations
        .iter()
        .map(|migration| migration.id.as_str())
        .collect();
    assert_eq!(files, ["1_orders.sql", "2_total.sql", "10_index.sql"]);
    assert!(
        source
            .migrations
            .iter()
            .all(|migration| migration.script.habit == TransactionHabit::PerStatement)
    );
}

#[test]
fn one_file_of_a_folder_is_run_as_its_tool_runs_it() {
    for (file, tool, expected) in [
        (
            "dbmate/20240201000000_index.sql",
            Some("dbmate"),
            "20240201000000 | 20240201000000_index.sql | PerMessage | 1 from 2:CREATE",
        ),
        (
            "diesel/2024-02-01-000000_index/up.sql",
            Some("diesel"),
            "20240201000000 | 2024-02-01-000000_index/up.sql | PerMessage | 1 from 1:CREATE",
        ),
        (
            "prisma/20240201000000_total/migration.sql",
            Some("prisma"),
            "20240201000000_total | 20240201000000_total/migration.sql | PerMessage | 1 from 2:ALTER",
        ),
        (
            "sqlx/migrations/20240201000000_total.up.sql",
            Some("sqlx"),
            "20240201000000 | migrations/20240201000000_total.up.sql | PerScript | 1 from 1:ALTER",
        ),
        (
            "sqitch/deploy/total.sql",
            Some("sqitch"),
            "total.sql | deploy/total.sql | PerStatement | 3 from 1:BEGIN",
        ),
        (
            "golang-migrate/1_orders.down.sql",
            None,
            "1_orders.down.sql | 1_orders.down.sql | PerStatement | 1 from 1:DROP",
        ),
        (
            "plain/1_orders.sql",
            None,
            "1_orders.sql | 1_orders.sql | PerStatement | 1 from 1:CREATE",
        ),
    ] {
        let source = source_of(fixture(file), None);
        assert_eq!(source.tool.map(Tool::word).as_deref(), tool, "{file}");
        assert_eq!(shown(&source), [expected]);
    }
}

#[test]
fn what_cannot_be_read_in_one_way_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        std::fs::write(path(name), text).unwrap();
        path(name)
    };
    std::fs::create_dir(path("empty")).unwrap();
    assert!(
        failure(path("empty"))
            .contains("no SQL migration in it; name the folder that holds the .sql files")
    );
    assert!(failure(path("missing")).contains("cannot read"));
    assert!(failure(fixture("django")).contains("sqlmigrate APP NAME | pgguard gate -"));
    assert!(
        failure(write("nothing.sql", "-- only a comment\n")).contains("it has no SQL statement")
    );
    write("two/1_a.sql", "-- migrate:up\nselect 1;");
    write("two/2_b.sql", "-- +goose Up\nselect 1;");
    assert!(failure(path("two")).contains("those of dbmate and goose; name it with --tool dbmate"));
    write("deep/a.sql", "select 1");
    write("deep/more/b.sql", "select 1");
    assert!(failure(path("deep")).contains("folders of its own (more/b.sql)"));
    write("half/1_a.sql", "-- migrate:up\nselect 1;");
    write("half/2_b.sql", "select 1;");
    assert!(
        failure(path("half"))
            .contains("2_b.sql:1: dbmate needs a comment that begins with `migrate:up`")
    );
    let unknown = ReadOptions {
        tool: Some("rake".to_owned()),
        habit: None,
        ..ReadOptions::default()
    };
    let refused = sources(&[path("two")], &unknown).unwrap_err().to_string();
    let (_, known) = refused.split_once("pgguard knows ").unwrap();
    let words: Vec<String> = TOOLS.iter().map(Tool::word).collect();
    assert_eq!(known, words.join(", "));
}

#[test]
fn any_encoding_is_read() {
    let text = "ALTER TABLE t ADD COLUMN é int;";
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let marked: Vec<u8> = [0xef, 0xbb, 0xbf].into_iter().chain(text.bytes()).collect();
    for bytes in [wide, latin, marked, text.as_bytes().to_vec()] {
        assert_eq!(layout::text_of(&bytes).0, text);
    }
}

fn row(id: &str, is_finished: bool, checksum: Option<&str>) -> Row {
    Row {
        id: id.to_owned(),
        is_finished,
        checksum: checksum.map(str::to_owned),
    }
}

fn left(folder: &str, rows: &[Row]) -> (Vec<String>, Vec<String>) {
    let source = pending(source_of(fixture(folder), None), rows);
    (
        source
            .migrations
            .into_iter()
            .map(|migration| migration.id)
            .collect(),
        source.notes,
    )
}

#[test]
fn what_is_applied_is_left_out_by_each_tools_rule() {
    assert_eq!(
        left("dbmate", &[row("20240101000000", true, None)]).0,
        ["20240201000000"]
    );
    assert_eq!(left("golang-migrate", &[row("2", true, None)]).0, ["10"]);
    assert_eq!(
        left("drizzle", &[row("1704067200000", true, None)]).0,
        ["1706745600000"]
    );
    assert_eq!(
        left(
            "sqitch",
            &[
                row("shop:orders:1", true, None),
                row("shop:total:1", true, None)
            ]
        )
        .0,
        ["shop:total:2"]
    );
    // Flyway: 1.9 was installed out of order, 2 is known as 2.0, the view has changed since.
    let rows = [
        row("1", true, Some("1")),
        row("2.0", true, Some("2")),
        row("R big orders", true, Some("5")),
    ];
    assert_eq!(
        left("flyway", &rows).0,
        ["1.9", "1.10", "3", "R big orders"]
    );
    assert_eq!(
        left("flyway", &[row("<= 1.9", true, None)]).0,
        ["1.10", "2", "3", "R big orders"]
    );
    let same = ordered::flyway_checksum(
        "CREATE OR REPLACE VIEW big_orders AS SELECT * FROM orders WHERE total > 100;",
    );
    assert!(
        !left("flyway", &[row("R big orders", true, Some(&same))])
            .0
            .contains(&"R big orders".to_owned())
    );
}

#[test]
fn a_run_that_broke_off_stays_pending_and_is_told() {
    let (ids, notes) = left("golang-migrate", &[row("2", false, None)]);
    assert_eq!(ids, ["2", "10"]);
    assert!(
        notes[0].contains("golang-migrate has recorded migration 2 as begun and not finished"),
        "{notes:?}"
    );
    assert_eq!(
        left("sqlx/migrations", &[row("20240101000000", false, None)])
            .0
            .len(),
        3
    );
}

#[test]
fn a_checksum_is_the_one_of_a_known_text() {
    // The check value of CRC-32: 0xCBF43926.
    assert_eq!(
        ordered::flyway_checksum("1234\r\n56789\n"),
        0xCBF4_3926_u32.cast_signed().to_string()
    );
}

#[test]
fn a_framework_speaks_through_standard_input() {
    use crate::migration::statement::{Body, statements};
    let read = |name: &str| {
        let scripts = scripts(vec![source_of(fixture("stdin").join(name), None)]);
        let shown = |s: &crate::migration::statement::SourceStatement| {
            let body = match &s.body {
                Body::Sql(_) => s
                    .sql
                    .split_whitespace()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" "),
                Body::Doubt(_) | Body::Connect(_) => "meta".to_owned(),
                Body::Unparsable(why) => why.clone(),
                Body::Code => Statement::CODE.to_owned(),
            };
            format!(
                "{} {}{} {body}",
                s.line,
                s.transaction,
                if s.in_block { " in a block" } else { "" }
            )
        };
        statements(&scripts).iter().map(shown).collect::<Vec<_>>()
    };
    // Django 5.2: an AddField with an index, a RunPython and a RunSQL.
    assert_eq!(
        read("django-sqlmigrate.sql"),
        [
            "1 1 BEGIN",
            "5 1 in a block ALTER TABLE",
            "6 1 in a block ALTER TABLE",
            "10 1 in a block this step is code, not SQL: what it locks is unknown",
            "14 1 in a block UPDATE shop_order",
            "15 1 in a block CREATE INDEX",
            "16 1 in a block COMMIT",
        ]
    );
    // Alembic 1.20: two revisions, an autocommit_block between.
    assert_eq!(
        read("alembic-upgrade.sql"),
        [
            "1 1 BEGIN",
            "3 1 in a block CREATE TABLE",
            "10 1 in a block CREATE TABLE",
            "15 1 in a block INSERT INTO",
            "19 1 in a block ALTER TABLE",
            "21 1 in a block COMMIT",
            "23 2 CREATE INDEX",
            "25 3 BEGIN",
            "27 3 in a block UPDATE orders",
            "29 3 in a block UPDATE alembic_version",
            "31 3 in a block COMMIT",
        ]
    );
}

#[test]
fn code_that_was_named_is_refused_with_its_dry_run() {
    assert!(
        failure(fixture("django/0001_initial.py")).contains("sqlmigrate APP NAME | pgguard gate -")
    );
    assert!(failure(fixture("goose/00004_backfill.go")).contains("its migrations are code"));
}

#[test]
fn a_folder_of_supabase_is_known_by_its_place() {
    // cases/migrations/14
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("supabase/migrations");
    std::fs::create_dir_all(&root).unwrap();
    for name in ["20240101000000_a.sql", "20240202000000_b.sql", "notes.sql"] {
        std::fs::write(root.join(name), "select 1;").unwrap();
    }
    let source = source_of(root, None);
    assert_eq!(source.tool.unwrap().name, "Supabase");
    let ids: Vec<_> = source.migrations.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(ids, ["20240101000000", "20240202000000"]);
    let rows = [Row {
        id: "20240101000000".to_owned(),
        is_finished: true,
        checksum: None,
    }];
    assert_eq!(pending(source, &rows).migrations.len(), 1);
}

#[test]
fn each_tool_that_has_a_row_can_be_named() {
    // cases/migrations/23, 7
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("printed.sql");
    let marks: Vec<&str> = TOOLS
        .iter()
        .filter_map(|tool| Some(tool.folder.as_ref()?.marks.up))
        .collect();
    let mut text = "--changeset ann:1\n".to_owned();
    for mark in marks {
        text.push_str(&format!("-- {mark}\n"));
    }
    text.push_str("select 1;\n\\echo no\n");
    std::fs::write(&file, text).unwrap();
    for row in TOOLS {
        let word = row.word();
        assert!(
            std::ptr::eq(tools::asked_for(&word).unwrap(), row),
            "{word}"
        );
        assert!(
            std::ptr::eq(tools::asked_for(row.name).unwrap(), row),
            "{word}"
        );
        let source = source_of(file.clone(), Some(&word));
        assert_eq!(source.tool.map(|tool| tool.name), Some(row.name));
        let script = source.migrations.into_iter().next().unwrap().script;
        assert_eq!(script.sender.reading, row.reading, "{word}");
        let is_psql = row.reading == Reading::Psql;
        assert_eq!(script.sender.tool, (!is_psql).then_some(row.name));
        if row.folder.is_none() {
            assert_eq!(script.habit, row.habit, "{word}");
        }
        let found = crate::migration::statement::statements(&[script]);
        let refused = |body: &Body| matches!(body, Body::Unparsable(why) if why.contains("take the line out"));
        let is_refused = found.iter().any(|statement| refused(&statement.body));
        assert_eq!(is_refused, !is_psql, "{word}: {found:?}");
    }
}

#[test]
fn a_row_is_whole() {
    for row in TOOLS {
        assert!(
            row.lock_table.is_none() || row.version_table.is_some(),
            "{}",
            row.name
        );
        let Some(folder) = &row.folder else { continue };
        assert!(row.version_table.is_some(), "{}", row.name);
        assert!(!folder.expects.is_empty(), "{}", row.name);
        assert!(!folder.books.columns.is_empty(), "{}", row.name);
        assert!(folder.books.query.contains("{table}"), "{}", row.name);
    }
}

#[test]
fn what_a_tool_does_to_a_text_is_said() {
    // cases/migrations/08, 14
    let folder = tempfile::tempdir().unwrap();
    let bodies = |name: &str, text: &[u8], tool: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let scripts = scripts(vec![source_of(file, Some(tool))]);
        let found = crate::migration::statement::statements(&scripts);
        found
            .into_iter()
            .map(|s| format!("{:?}", s.body))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let function = "-- +goose Up\ncreate function f() returns int language sql as $$\nselect 1;\nselect 2;\n$$;\n";
    assert!(bodies("1_a.sql", function.as_bytes(), "goose").contains("StatementBegin"));
    let kept = function
        .replace("create", "-- +goose StatementBegin\ncreate")
        .replace("$$;", "$$;\n-- +goose StatementEnd");
    assert!(bodies("1_a.sql", kept.as_bytes(), "goose").starts_with("Sql("));
    let filled = "-- +goose Up\n-- +goose ENVSUB ON\nalter table ${T:-rules} add b int;\n";
    assert!(bodies("1_a.sql", filled.as_bytes(), "goose").contains("environment"));
    for (text, tool, is_doubt) in [
        (b"\xef\xbb\xbfselect 1".as_slice(), "golang-migrate", true),
        (b"\xef\xbb\xbfselect 1", "flyway", false),
        (b"select '\xe9'", "flyway", true),
        (b"\xff\xfes\0e\0", "golang-migrate", true),
        (b"\xff\xfes\0e\0", "flyway", true),
    ] {
        let found = bodies("V1__a.up.sql", text, tool);
        assert_eq!(
            found.contains("Doubt("),
            is_doubt,
            "{tool} {text:?}: {found}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_parsed() {
    // cases/safety/12
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql");
    std::fs::write(&file, "select 1;".repeat(30_000)).unwrap();
    let limits = |bytes, statements| ReadOptions {
        limits: Limits { bytes, statements },
        ..ReadOptions::default()
    };
    let said = |options: &ReadOptions| {
        sources(std::slice::from_ref(&file), options)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert!(
        said(&ReadOptions::default())
            .unwrap_err()
            .contains("--max-statements 30000")
    );
    assert!(
        said(&limits(1000, 100_000))
            .unwrap_err()
            .contains("--max-bytes 270000")
    );
    assert_eq!(said(&limits(1 << 20, 30_000)), Ok(()));
}

/// A folder with these files, each with this text.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn migrations_that_are_code_are_rehearsed() {
    for (file, manifest, runs) in [
        ("20240101000000_add_total.rb", "", "bin/rails db:migrate"),
        ("0001_initial.py", "", "python manage.py migrate, or"),
        (
            "versions/ae1027a6acf_add.py",
            "",
            "alembic upgrade head, or",
        ),
        ("env.py", "", "alembic upgrade head, or"),
        ("20240101000000_Add.cs", "", "dotnet ef database update, or"),
        (
            "2024_01_01_000000_add.php",
            "",
            "php artisan migrate --force",
        ),
        (
            "Version20240101000000.php",
            "",
            "bin/console doctrine:migrations:migrate --no-interaction",
        ),
        ("20240101000000_add.exs", "", "mix ecto.migrate"),
        (
            "1700000000000-Add.ts",
            r#""typeorm": "0.3""#,
            "npx typeorm migration:run",
        ),
        (
            "20240101-add.js",
            r#""sequelize-cli": "6""#,
            "npx sequelize-cli db:migrate",
        ),
        (
            "20240101_add.js",
            r#""knex": "3""#,
            "npx knex migrate:latest",
        ),
        ("20240101_add.mjs", r#""umzug": "3""#, "COMMAND"),
        ("V1__Add.java", "", "flyway migrate"),
        ("changelog.yaml", "", "liquibase update, or"),
        ("m20240101_000001_add.rs", "", "COMMAND"),
    ] {
        let manifest = format!("{{\"dependencies\": {{{manifest}}}}}");
        let code = folder(&[(file, ""), ("package.json", &manifest)]);
        let path = code.path();
        let told = failure(path.to_owned());
        assert!(
            told.contains(&format!("pgguard gate --rehearse -- {runs}")),
            "{file}: {told}"
        );
        assert!(told.contains("no SQL migration in it"), "{file}: {told}");
        // SQL next to it is not all that runs.
        std::fs::write(path.join("structure.sql"), "CREATE TABLE t (id int);").unwrap();
        // A changelog may be the application's own: only numbered code is taken for a migration.
        if file == "changelog.yaml" {
            assert_eq!(source_of(path.to_owned(), None).migrations.len(), 1);
            continue;
        }
        for tool in [None, Some("rails")] {
            let options = ReadOptions {
                tool: tool.map(str::to_owned),
                ..ReadOptions::default()
            };
            let told = sources(&[path.to_owned()], &options)
                .unwrap_err()
                .to_string();
            assert!(
                told.contains(&format!("it also has {file} (or name")),
                "{file}: {told}"
            );
            assert!(
                told.contains(&format!("--rehearse -- {runs}")),
                "{file}: {told}"
            );
        }
    }
    let rails = folder(&[
        ("db/migrate/20240101000000_add.rb", ""),
        ("db/structure.sql", "SELECT 1"),
    ]);
    for named in ["", "db"] {
        let told = failure(rails.path().join(named));
        assert!(
            told.contains("--rehearse -- bin/rails db:migrate"),
            "{named}: {told}"
        );
    }
    // Code of the application, and of a tool whose migrations are also code.
    for others in [
        ["0001_add.sql", "embed.go"],
        ["0001_add.sql", "helpers.py"],
        ["00001_add.sql", "00002_fill.go"],
    ] {
        let text = "-- +goose Up\nSELECT 1;";
        let files =
            folder(&others.map(|name| (name, if name.ends_with("sql") { text } else { "" })));
        source_of(files.path().to_owned(), None);
    }
}
