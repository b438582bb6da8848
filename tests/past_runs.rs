//! What looks at running dumps leave behind, and what past runs tell the looks after them.

mod common;

use common::{Database, Dump, Outcome, pgguard, until};
use pgguard::commands::block_on;
use pgguard::history::{Filter, History};
use pgguard::model::{BackupRun, RunOutcome};
use std::path::{Path, PathBuf};

/// A place for a history of the test's own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("history.sqlite")
    }

    fn flag(&self) -> String {
        format!("--history={}", self.file().display())
    }

    fn runs(&self) -> Vec<BackupRun> {
        runs_in(&self.file())
    }
}

fn runs_in(file: &Path) -> Vec<BackupRun> {
    block_on(async {
        let mut history = History::open(file.to_str()).await?;
        history.runs(&Filter::default()).await
    })
    .expect("the history is read")
}

/// Three tables that fill every buffer between server and reader, and a last one that fits in: its COPY
/// is over for the server while its reader is still at it.
fn database() -> Database {
    let database = common::database();
    let fill = "SELECT n, repeat(md5(n::text), 32) FROM generate_series(1,";
    for (table, rows) in [("a", 4000), ("b", 4000), ("c", 4000), ("z", 120)] {
        database.sql(&format!(
            "CREATE TABLE {table} (id int, body text); INSERT INTO {table} {fill} {rows}) n; ANALYZE {table}"
        ));
    }
    database
}

fn status(database: &Database, place: &Place) -> Outcome {
    let url = database.url();
    let looked = pgguard(["status", "-d", &url, "--format=json", &place.flag()]);
    assert_eq!(looked.status, 0, "{looked}");
    assert_eq!(looked.stderr, "", "{looked}");
    looked
}

/// The estimate of the one running backup.
fn estimate(looked: &Outcome) -> serde_json::Value {
    let told = looked.json();
    let sessions = told["sessions"].as_array().expect("sessions");
    let backup = sessions
        .iter()
        .find(|s| s["role"] == "backup")
        .unwrap_or_else(|| panic!("no backup in {looked}"));
    backup["estimate"].clone()
}

fn until_its_last_copy_is_over(database: &Database, dump: &Dump) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND state = 'idle in transaction' \
         AND query LIKE 'COPY public.z %'",
        dump.pid()
    );
    until("the last table is copied", || database.sql(&sql) == "1");
}

fn until_gone(database: &Database, pid: i32) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    until("the dump's session is gone", || database.sql(&sql) == "0");
}

/// A dump from its begin to its end, looked at in each of its tables and afterwards.
fn watched_dump(database: &Database, mut look: impl FnMut()) {
    let mut dump = Dump::stalled_in(database, "public.a");
    look();
    for table in ["public.b", "public.c", "public.z"] {
        dump.read_on_to(table);
        look();
    }
    until_its_last_copy_is_over(database, &dump);
    look();
    assert!(dump.finish().success());
    until_gone(database, dump.pid());
    look();
}

#[test]
fn looks_at_two_dumps_make_two_past_runs_and_the_third_ones_estimate_is_based_on_them() {
    let (database, place) = (database(), Place::new());
    for _ in 0..2 {
        watched_dump(&database, || {
            status(&database, &place);
        });
    }
    let runs = place.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    for run in &runs {
        assert_eq!(run.outcome, RunOutcome::Complete, "{run:?}");
        assert_eq!(run.key.database, database.name);
        assert_eq!(run.key.tool, "pg_dump");
        let names: Vec<&str> = run
            .tables
            .iter()
            .map(|t| t.name.relation.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c", "z"]);
        assert!(run.tables.iter().all(|t| t.complete), "{run:?}");
        assert!(run.started < run.ended);
    }

    let dump = Dump::stalled_in(&database, "public.b");
    let estimate = estimate(&status(&database, &place));
    let basis = estimate["basis"].as_str().unwrap_or_default();
    assert!(basis.contains("2 past runs"), "{estimate}");
    assert!(estimate["remaining_s"].is_number(), "{estimate}");

    let url = database.url();
    let gate = pgguard(["gate", "-d", &url, &place.flag()]);
    assert_eq!(gate.status, 1, "{gate}");
    let without = pgguard(["status", "-d", &url, "--format=json", "--no-history"]);
    let without = self::estimate(&without);
    assert!(
        !without["basis"].to_string().contains("2 past runs"),
        "{without}"
    );
    drop(dump);
}

#[test]
fn a_dump_that_was_killed_is_an_aborted_run() {
    let (database, place) = (database(), Place::new());
    let mut dump = Dump::stalled_in(&database, "public.b");
    status(&database, &place);
    dump.kill();
    until_gone(&database, dump.pid());
    status(&database, &place);
    let runs = place.runs();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Aborted);
    let done: Vec<bool> = runs[0].tables.iter().map(|t| t.complete).collect();
    assert_eq!(done[2..], [false, false], "{runs:?}");
}
