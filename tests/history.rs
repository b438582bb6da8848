//! The history of backup runs: in a file and in a Postgres schema.

mod common;

use chrono::{DateTime, TimeDelta, Utc};
use pgguard::commands::block_on;
use pgguard::history::{Document, Filter, History, SignalNote};
use pgguard::model::{BackupRun, RelationName, RunKey, RunOutcome, TableRun};
use std::path::Path;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn key() -> RunKey {
    RunKey {
        server: "7301".into(),
        database: "shop".into(),
        tool: "pg_dump".into(),
        user: "backup".into(),
        application_name: "pg_dump".into(),
    }
}

fn table(name: &str, tuples: f64, complete: bool) -> TableRun {
    TableRun {
        name: RelationName::new("public", name),
        tuples,
        promised: tuples,
        bytes: tuples * 100.0,
        seconds: tuples / 1000.0,
        complete,
    }
}

/// A complete run that began so many days after the first.
fn run(day: i64) -> BackupRun {
    let started = time("2026-11-01T15:00:00.123456Z") + TimeDelta::days(day);
    BackupRun {
        key: key(),
        started,
        ended: started + TimeDelta::minutes(90),
        outcome: RunOutcome::Complete,
        workers: 0,
        database_bytes: 1 << 30,
        tables: vec![table("orders", 5e6, true), table("items", 2e7, true)],
        source: "watch".into(),
    }
}

fn note() -> SignalNote {
    SignalNote {
        at: time("2026-11-02T15:10:00Z"),
        server: "7301".into(),
        database: "shop".into(),
        pid: Some(4711),
        gid: None,
        role: "backup".into(),
        application_name: "pg_dump".into(),
        kind: "backup".into(),
        deed: "terminate".into(),
        asked_by: "deploy (guard)".into(),
        why: "blocked 3 sessions".into(),
        outcome: "gone".into(),
    }
}

fn open(file: &Path) -> History {
    block_on(History::open(file.to_str())).expect("the history opens")
}

fn all(history: &mut History) -> Vec<BackupRun> {
    block_on(history.runs(&Filter::default())).expect("runs")
}

#[test]
fn a_run_reads_back_as_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deep/er/history.sqlite");
    let mut history = open(&file);
    block_on(history.save(&run(0))).expect("saved");
    block_on(history.save(&run(1))).expect("saved");
    block_on(history.record_signal(&note())).expect("noted");
    drop(history);
    let mut history = open(&file);
    assert_eq!(all(&mut history), [run(1), run(0)]);
    assert_eq!(block_on(history.signals()).expect("signals"), [note()]);
}

#[test]
fn what_is_exported_can_be_imported_elsewhere_and_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut here = open(&folder.path().join("here"));
    block_on(here.save(&run(0))).expect("saved");
    block_on(here.record_signal(&note())).expect("noted");
    let document = block_on(here.export()).expect("exported");
    let read = Document::read(&document.to_json(), "h.json").expect("read");
    assert_eq!(read, document);
    let mut there = open(&folder.path().join("there"));
    block_on(there.save(&run(1))).expect("saved");
    for new in [1, 0] {
        let added = block_on(there.import(&read)).expect("imported");
        assert_eq!((added.runs, added.new_runs), (1, new));
        assert_eq!((added.signals, added.new_signals), (1, new));
    }
    assert_eq!(all(&mut there), [run(1), run(0)]);
    assert_eq!(block_on(there.signals()).expect("signals"), [note()]);
}
