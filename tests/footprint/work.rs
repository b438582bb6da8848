//! How long a statement works on a table, by kind: judged by real servers. A table whose file is another
//! one afterwards was written anew; one that was scanned meanwhile was read; any other was left alone.
//!
//! The forms of ALTER and of CREATE INDEX in migrations-fixtures/forms, on each major version found.

use crate::common::{self, Database};
use crate::oracle::{connect, cut, predicted, run, runtime};
use pgguard::model::{LockWork, Oid, Statement};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use std::collections::BTreeMap;

/// What works on a table that somebody else may want meanwhile.
const WORKING: [&str; 5] = [
    "ALTER TABLE",
    "ALTER DOMAIN",
    "ALTER TYPE",
    "CREATE INDEX",
    "CREATE UNIQUE INDEX",
];

#[test]
fn what_is_said_to_be_read_or_written_anew_is_so() {
    for major in common::majors() {
        let (mut judged, mut wrong) = (0, Vec::new());
        for file in fixtures() {
            let database = Database::empty(common::server_of(major));
            runtime().block_on(try_forms(&file, &database, &mut judged, &mut wrong));
        }
        println!("Postgres {major}: {judged} judged, {} wrong", wrong.len());
        assert!(judged > 100, "hardly a trial");
        assert!(wrong.is_empty(), "Postgres {major}:\n{}", wrong.join("\n"));
    }
}

async fn try_forms(file: &str, database: &Database, judged: &mut usize, wrong: &mut Vec<String>) {
    let text = std::fs::read_to_string(file).expect("a fixture");
    let (setup, forms) = text.split_once("-- forms\n").expect("a setup and forms");
    let mut looker = connect(&database.url()).await;
    for statement in cut(setup) {
        let _ = run(&mut looker, &statement.sql).await;
    }
    for statement in cut(forms) {
        if !WORKING.iter().any(|w| statement.sql.starts_with(w)) {
            continue;
        }
        let said = predicted(&mut looker, &statement).await;
        let mut runner = connect(&database.url()).await;
        let before = tables(&mut runner).await;
        run(&mut runner, "BEGIN").await.expect("BEGIN");
        if run(&mut runner, &statement.sql).await.is_ok() {
            *judged += 1;
            let after = tables(&mut runner).await;
            wrong.extend(judge(&statement.sql, &said, &before, &after));
        }
        runner.close().await.expect("the session ends");
    }
}

/// A table's name, its file, and how often this transaction scanned it.
type Table = (String, i64, i64);

/// The tables, partitions and materialized views with files.
async fn tables(connection: &mut PgConnection) -> BTreeMap<Oid, Table> {
    let rows = sqlx::query(
        "SELECT c.oid::int8, n.nspname || '.' || c.relname, coalesce(pg_relation_filenode(c.oid), 0)::int8, \
                pg_stat_get_xact_numscans(c.oid)::int8 \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid >= 16384 AND c.relkind IN ('r', 'm')",
    )
    .persistent(false)
    .fetch_all(connection)
    .await
    .expect("pg_class reads");
    rows.iter()
        .map(|r| {
            let oid = u32::try_from(r.get::<i64, _>(0)).expect("an oid");
            (oid, (r.get(1), r.get(2), r.get(3)))
        })
        .collect()
}

fn judge(
    sql: &str,
    said: &Statement,
    before: &BTreeMap<Oid, Table>,
    after: &BTreeMap<Oid, Table>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (oid, (name, file, scans)) in before {
        let Some((_, file_now, scans_now)) = after.get(oid) else {
            continue;
        };
        let seen = if file != file_now {
            LockWork::Rewrite
        } else if scans_now > scans {
            LockWork::Scan
        } else {
            LockWork::Instant
        };
        let told = said
            .locks
            .iter()
            .filter(|l| l.oid == Some(*oid))
            .map(|l| l.work)
            .max()
            .unwrap_or(LockWork::Instant);
        // Of a foreign key's other side only some rows may be looked up, by whichever plan.
        let is_other_side = said
            .locks
            .iter()
            .any(|l| l.oid == Some(*oid) && l.mode == pgguard::model::LockMode::RowShare);
        // Joined with a table that has no rows, its own need not be read either.
        let is_joined =
            sql.contains("REFERENCES") && (seen, told) == (LockWork::Instant, LockWork::Scan);
        let may_differ = is_joined || (is_other_side && seen < LockWork::Rewrite);
        if seen != told && said.opaque.is_none() && !may_differ {
            wrong.push(format!("{sql}: {name} is {seen:?}, told {told:?}"));
        }
    }
    wrong
}

fn fixtures() -> Vec<String> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-fixtures/forms");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .filter(|path| path.ends_with(".sql") && path.contains(&only))
        // What the bodies of functions read has no work of its own in a footprint.
        .filter(|path| !path.ends_with("reached.sql") && !path.ends_with("bodies.sql"))
        .collect();
    files.sort();
    files
}
