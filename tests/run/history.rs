//! Runs in the history: in a file and in a Postgres schema.

use crate::common::{self, Outcome};
use crate::stage::Stage;
use chrono::{DateTime, TimeDelta, Utc};
use pgguard::model::{LockMode, MigrationRun, RelationName, RunFacts, RunLock, RunResult};
use pgguard::test_support::history::{History, WhichRuns};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

fn run(name: &str, minutes: i64) -> MigrationRun {
    let begun: DateTime<Utc> = "2026-11-03T15:00:00.123456Z".parse().expect("a time");
    let started = begun + TimeDelta::minutes(minutes);
    MigrationRun {
        run: name.into(),
        server: "7301".into(),
        database: "shop".into(),
        host: "runner7".into(),
        pid: 4711,
        asked_by: "deploy".into(),
        command: vec!["bin/rails".into(), "db:migrate\n'".into()],
        started,
        seen: started,
        ended: None,
        result: RunResult::Running,
        exit_status: None,
        tries: 1,
        facts: RunFacts {
            locks: vec![RunLock {
                name: RelationName::new("public", "orders"),
                mode: LockMode::AccessExclusive,
                held_s: 1.5,
            }],
            ..RunFacts::default()
        },
    }
}

#[test]
fn runs_read_back_the_newest_first_and_an_end_is_not_taken_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = common::database();
    let file = folder.path().join("h").display().to_string();
    let url = database.url();
    for place in [file, url] {
        let mut history = block_on(History::init(Some(&place))).expect("a history");
        let (first, second) = (run("a", 0), run("b", 1));
        let ended = MigrationRun {
            ended: Some(first.started + TimeDelta::seconds(9)),
            result: RunResult::HalfApplied,
            exit_status: Some(1),
            ..first.clone()
        };
        for state in [&first, &second, &ended, &first] {
            block_on(history.keep_migration_run(state)).expect("kept");
        }
        let all = block_on(history.migration_runs(&WhichRuns::default())).expect("runs");
        assert_eq!(all, [second, ended.clone()], "{place}");
        for which in [
            WhichRuns {
                run: Some("a".into()),
                ..WhichRuns::default()
            },
            WhichRuns {
                server: Some("7301".into()),
                database: Some("other".into()),
                ..WhichRuns::default()
            },
        ] {
            let some = block_on(history.migration_runs(&which)).expect("runs");
            let expected: &[MigrationRun] = if which.run.is_some() {
                std::slice::from_ref(&ended)
            } else {
                &[]
            };
            assert_eq!(some, expected, "{place}");
        }
    }
}

#[test]
fn a_past_run_tells_how_long_such_work_takes_on_this_server() {
    let stage = Stage::new();
    stage.shop.sql(
        "CREATE TABLE big AS SELECT g AS a, g AS b FROM generate_series(1, 300000) g; ANALYZE big",
    );
    // The lock is held for far longer than the work under it takes on any server.
    let slow = stage.file(
        "slow.sql",
        "BEGIN;\nALTER TABLE big ALTER a TYPE bigint;\nSELECT pg_sleep(6);\nCOMMIT;\n",
    );
    let next = stage.file("next.sql", "ALTER TABLE big ALTER b TYPE bigint;\n");
    let asked = |told: &Outcome| {
        let hold = &told.json()["statements"][0]["holds"][0];
        (
            hold["expected_s"].as_f64().expect("a guess"),
            hold["basis"].to_string(),
        )
    };
    let judge = || {
        let url = stage.shop.url();
        let words = [
            "gate",
            "-d",
            &url,
            "--format",
            "json",
            "--max-hold",
            "none",
            &next,
        ];
        common::run_with_input(stage.command(words), "")
    };
    let (before, basis) = asked(&judge());
    assert!(!basis.contains("past run"), "{basis}");
    let ran = stage.run(
        &["--gate", &slow, "--max-hold", "none"],
        &stage.psql(&["-f", &slow]),
    );
    assert_eq!(ran.status, 0, "{ran}");
    let (after, basis) = asked(&judge());
    assert!(basis.contains("by 1 past run here"), "{basis}");
    assert!(after > 2.0 * before, "{before} {after}");
}
