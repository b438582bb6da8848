//! Runs in the history: in a file and in a Postgres schema.

use crate::common;
use chrono::{DateTime, TimeDelta, Utc};
use pgguard::history::{History, WhichRuns};
use pgguard::model::{LockMode, MigrationRun, RelationName, RunFacts, RunLock, RunResult};

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
