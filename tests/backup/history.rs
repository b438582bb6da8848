//! The history of backup runs: in a file and in a Postgres schema.

use crate::common::{self, Database};
use chrono::{DateTime, TimeDelta, Utc};
use pgguard::model::{
    BackendIdentity, BackupRun, Manner, RelationName, RunKey, RunOutcome, TableRun,
};
use pgguard::test_support::backup::{TableSeen, Watcher};
use pgguard::test_support::history::{Document, Filter, History, SignalNote, Watch};
use std::path::Path;
use std::sync::Arc;

/// Waits for something on this thread's runtime: a server's connection lives as long as that.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

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
        name: Arc::new(RelationName::new("public", name)),
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
        manner: Manner::default(),
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

/// Why a place cannot be opened.
fn refused(place: &str) -> String {
    let opened = block_on(History::open(Some(place)));
    opened.expect_err("it is refused").to_string()
}

/// An open history in a fresh database, with its URL.
fn in_postgres() -> (Database, History) {
    let database = common::database();
    let url = database.url();
    (
        database,
        block_on(History::init(Some(&url))).expect("created"),
    )
}

fn sqlite(file: &Path, statement: &'static str) {
    use sqlx::{Connection as _, SqliteConnection};
    let url = format!("sqlite:{}", file.display());
    block_on(async {
        let mut file = SqliteConnection::connect(&format!("{url}?mode=rwc"))
            .await
            .expect("SQLite opens it");
        sqlx::raw_sql(statement)
            .execute(&mut file)
            .await
            .expect("SQLite runs it");
        file.close().await.expect("SQLite closes it");
    });
}

fn all(history: &mut History) -> Vec<BackupRun> {
    block_on(history.runs(&Filter::default())).expect("runs")
}

#[test]
fn a_run_reads_back_as_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deep/er/history.sqlite");
    let mut history = open(&file);
    save_some(&mut history);
    drop(history);
    reads_back(&mut open(&file));
}

#[test]
fn a_postgres_schema_keeps_what_a_file_keeps() {
    let (database, mut history) = in_postgres();
    save_some(&mut history);
    block_on(history.close());
    let url = database.url();
    // Once more is no harm.
    block_on(History::init(Some(&url))).expect("up to date");
    reads_back(&mut block_on(History::open(Some(&url))).expect("opened"));
}

fn save_some(history: &mut History) {
    block_on(async {
        history.save(&run(0)).await?;
        history.save(&run(1)).await?;
        history.save(&run(1)).await?;
        history.observe(&[watch(3), watch(2)]).await?;
        history.record_signal(&note()).await?;
        history.record_signal(&note()).await
    })
    .expect("saved");
}

fn reads_back(history: &mut History) {
    assert_eq!(all(history), [run(1), run(0)]);
    let filter = Filter {
        server: Some("7301".into()),
        database: Some("shop".into()),
        tool: Some("pg_dump".into()),
        limit: Some(1),
        without_tables: true,
    };
    let newest = block_on(history.runs(&filter)).expect("runs");
    assert_eq!(
        newest,
        [BackupRun {
            tables: Vec::new(),
            ..run(1)
        }]
    );
    let other = Filter {
        server: Some("7302".into()),
        ..Filter::default()
    };
    assert_eq!(block_on(history.runs(&other)).expect("runs"), []);
    assert_eq!(block_on(history.signals()).expect("signals"), [note()]);

    let seen = block_on(history.watches("7301")).expect("watches");
    assert_eq!(seen, [watch(2), watch(3)]);
    assert_eq!(block_on(history.watches("7302")).expect("watches"), []);
    let began = run(2).started;
    let one = block_on(history.watched(&key(), began)).expect("watches");
    assert_eq!(one, Some(watch(2).watcher));

    // An older look does not undo a later one; the end does away with both.
    let mut late = watch(2);
    late.watcher.points[0].at -= TimeDelta::seconds(1);
    block_on(history.observe(&[late])).expect("kept");
    let one = block_on(history.watched(&key(), began)).expect("watches");
    assert_eq!(one, Some(watch(2).watcher));
    block_on(history.ended(&watch(2), &run(2))).expect("ended");
    assert_eq!(
        block_on(history.watches("7301")).expect("watches"),
        [watch(3)]
    );
    assert_eq!(all(history), [run(2), run(1), run(0)]);
}

/// A dump that is looked at for the first time, ten minutes after its begin.
fn watch(day: i64) -> Watch {
    let started = run(day).started;
    let watcher: Watcher = serde_json::from_value(serde_json::json!({
        "started": started,
        "database": "shop",
        "points": [{"at": started + TimeDelta::minutes(10), "copies": [], "client_wait": 0.5}],
    }))
    .expect("a watcher");
    Watch {
        key: key(),
        leader: BackendIdentity {
            pid: 4711,
            backend_start: Some(started),
        },
        instance: None,
        watcher,
    }
}

#[test]
fn past_runs_of_the_same_tables_and_of_its_key_come_first() {
    let other_tables = BackupRun {
        tables: vec![
            table("orders", 1.0, true),
            table("x", 1.0, true),
            table("y", 1.0, true),
        ],
        ..run(9)
    };
    let mut other_role = run(8);
    other_role.key.user = "somebody".into();
    let aborted = BackupRun {
        outcome: RunOutcome::Aborted,
        ..run(7)
    };
    let parallel = BackupRun {
        workers: 4,
        ..run(6)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (_database, postgres) = in_postgres();
    for mut history in [open(&folder.path().join("h")), postgres] {
        for run in [
            &run(0),
            &run(1),
            &other_role,
            &other_tables,
            &aborted,
            &parallel,
        ] {
            block_on(history.save(run)).expect("saved");
        }
        let same = |names: &[Arc<RelationName>]| names.len() == 2;
        let past = block_on(history.past(&key(), false, Manner::default(), same)).expect("past");
        assert_eq!(past, [run(1), run(0)]);
        block_on(history.save(&run(2))).expect("saved");
        let past = block_on(history.past(&key(), false, Manner::default(), same)).expect("past");
        assert_eq!(past, [run(2), run(1), run(0)]);
        let past = block_on(history.past(&key(), true, Manner::default(), same)).expect("past");
        assert_eq!(past, std::slice::from_ref(&parallel));
        let stranger = RunKey {
            user: "stranger".into(),
            ..key()
        };
        let past = block_on(history.past(&stranger, false, Manner::default(), same)).expect("past");
        assert_eq!(
            past,
            [other_role.clone()],
            "where none is its own, the newest"
        );
        for (day, by_cursor, compressed) in [(10, true, None), (11, false, Some(true))] {
            let manner = Manner {
                by_cursor: Some(by_cursor),
                compressed,
            };
            let other = BackupRun { manner, ..run(day) };
            block_on(history.save(&other)).expect("saved");
            let past = block_on(history.past(&key(), false, manner, same)).expect("past");
            assert_eq!(past[0], other);
            assert!(
                past.iter().all(|run| run.manner.agrees_with(manner)),
                "{past:?}"
            );
            assert!(
                past.len() > 3,
                "what an older version kept is of any manner: {past:?}"
            );
        }
    }
}

#[test]
fn what_two_observers_saw_of_one_run_is_one_run() {
    let ended = |outcome, minutes, source: &str| BackupRun {
        outcome,
        ended: run(0).started + TimeDelta::minutes(minutes),
        source: source.into(),
        ..run(0)
    };
    let complete = ended(RunOutcome::Complete, 90, "watch");
    let later = ended(RunOutcome::Complete, 95, "watch");
    let aborted = ended(RunOutcome::Aborted, 40, "watch");
    let running = ended(RunOutcome::Running, 20, "watch");
    let unseen = ended(RunOutcome::Unseen, 50, "watch");
    let unseen_later = ended(RunOutcome::Unseen, 60, "watch");
    let recorded = ended(RunOutcome::Complete, 91, "record");
    let failed = ended(RunOutcome::Aborted, 92, "record");
    let cases = [
        (&complete, &later, &complete),
        (&complete, &aborted, &complete),
        (&complete, &running, &complete),
        (&aborted, &running, &aborted),
        (&aborted, &unseen, &aborted),
        (&complete, &unseen, &complete),
        (&unseen, &running, &unseen),
        (&unseen, &unseen_later, &unseen_later),
        (&unseen, &failed, &failed),
        (&complete, &recorded, &recorded),
        (&complete, &failed, &failed),
        (
            &running,
            &ended(RunOutcome::Running, 30, "watch"),
            &ended(RunOutcome::Running, 30, "watch"),
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (number, (one, other, both)) in cases.into_iter().enumerate() {
        for (turn, order) in [[one, other], [other, one]].into_iter().enumerate() {
            let mut history = open(&folder.path().join(format!("{number}-{turn}")));
            for run in order {
                block_on(history.save(run)).expect("saved");
            }
            assert_eq!(
                all(&mut history),
                std::slice::from_ref(both),
                "case {number}, turn {turn}"
            );
        }
    }
}

#[test]
fn a_table_that_one_observer_saw_whole_stays_whole() {
    let saw = |tables| BackupRun { tables, ..run(0) };
    let one = saw(vec![table("a", 10.0, true), table("b", 3.0, false)]);
    let other = saw(vec![
        table("a", 7.0, false),
        table("b", 5.0, false),
        table("c", 1.0, true),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut history = open(&folder.path().join("h"));
    block_on(history.save(&one)).expect("saved");
    block_on(history.save(&other)).expect("saved");
    let both = [
        table("a", 10.0, true),
        table("b", 5.0, false),
        table("c", 1.0, true),
    ];
    assert_eq!(all(&mut history)[0].tables, both);
}

#[test]
fn many_may_write_to_one_new_file_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for day in 0..10 {
                    let mut history = open(file);
                    block_on(history.save(&run(writer * 100 + day))).expect("saved");
                    block_on(history.save(&run(-1))).expect("saved");
                }
            });
        }
    });
    assert_eq!(all(&mut open(&file)).len(), 81);
}

#[test]
fn a_damaged_file_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    let name = file.to_str().expect("a path");
    std::fs::write(&file, "these are no pages of a database, but my only notes").expect("written");
    let why = refused(name);
    assert!(why.contains(name) && why.contains("damaged"), "{why}");
    assert!(why.contains("move it away"), "{why}");
    let kept = std::fs::read_to_string(&file).expect("read");
    assert_eq!(kept, "these are no pages of a database, but my only notes");

    std::fs::remove_file(&file).expect("removed");
    let mut history = open(&file);
    block_on(history.save(&run(0))).expect("saved");
    drop(history);
    sqlite(&file, "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    let opened = block_on(async {
        let mut history = History::open(Some(name)).await?;
        history.runs(&Filter::default()).await
    });
    let why = opened.expect_err("half a file").to_string();
    assert!(why.contains(name) && why.contains("damaged"), "{why}");
    assert_eq!(
        std::fs::read(&file).expect("read"),
        whole[..whole.len() / 2]
    );
}

#[test]
fn figures_that_make_no_sense_are_damage_and_no_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    block_on(open(&file).save(&run(0))).expect("saved");
    sqlite(&file, "UPDATE backup_run SET figures = x'0102'");
    let why = block_on(open(&file).runs(&Filter::default()));
    let why = why.expect_err("two bytes").to_string();
    assert!(why.contains("damaged (the tables of the run"), "{why}");
}

#[test]
fn a_running_dump_that_an_older_version_noted_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("h");
    block_on(open(&file).close());
    // As the first version left it: its table, and the tables of the dump in the state.
    let first = include_str!("../../src/history/migrations/sqlite/0001_history.sql");
    let (_, table) = first
        .split_once("CREATE TABLE backup_watch")
        .expect("a table");
    let (table, _) = table.split_once(';').expect("its end");
    let state = r#"{"started":"2026-11-03T15:00:00Z","database":"shop","points":[{"at":"2026-11-03T15:02:00Z","copies":[],
        "client_wait":0.5}],"tables":[[16384,"public","items",7.5,null,null],[16385,"public","orders",1.0,
        ["2026-11-03T15:00:01Z",null,9.0,99.0,null],"2026-11-03T15:01:00Z"]]}"#;
    let statements = format!(
        "DELETE FROM _sqlx_migrations WHERE version > 1; DROP TABLE migration_run; DROP TABLE backup_watch; \
         ALTER TABLE backup_run DROP COLUMN by_cursor; ALTER TABLE backup_run DROP COLUMN compressed; CREATE TABLE backup_watch {table}; \
         INSERT INTO backup_watch VALUES ('7301', 'shop', 'pg_dump', 'backup', 'pg_dump', '2026-11-03T15:00:00+00:00', \
         '2026-11-03T15:02:00+00:00', NULL, 4711, '2026-11-03T15:00:00+00:00', '{state}')"
    );
    sqlite(&file, statements.leak());
    let seen = block_on(open(&file).watches("7301")).expect("watches");
    let tables = &seen[0].watcher.tables;
    assert_eq!(*tables[0].name, RelationName::new("public", "items"));
    assert_eq!((tables[0].oid, tables[0].pages), (16384, 7.5));
    assert_eq!((tables[1].tuples, tables[1].bytes), (9.0, 99.0));
    assert_eq!(tables[1].done_at, Some(time("2026-11-03T15:01:00Z")));
    let mut history = open(&file);
    block_on(history.observe(&seen)).expect("kept");
    assert_eq!(block_on(history.watches("7301")).expect("watches"), seen);
}

#[test]
fn the_tables_of_a_running_dump_read_back_and_sets_that_nothing_refers_to_go() {
    let table = |oid, name: &str| {
        let name = Arc::new(RelationName::new("public", name));
        TableSeen::new(oid, name, 2.0)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (database, postgres) = in_postgres();
    let file = folder.path().join("h");
    for (mut history, sets) in [
        (open(&file), None),
        (postgres, Some("SELECT count(*) FROM pgguard.table_set")),
    ] {
        let count = || match sets {
            Some(sql) => database.sql(sql),
            None => count_in(&file).to_string(),
        };
        let mut seen = watch(2);
        seen.watcher.tables = vec![table(5, "orders"), table(4, "items")];
        block_on(history.observe(std::slice::from_ref(&seen))).expect("kept");
        assert_eq!(
            block_on(history.watches("7301")).expect("watches"),
            [seen.clone()]
        );
        assert_eq!(count(), "1");

        // It takes one more lock; the set of before is nobody's.
        seen.watcher.tables.push(table(6, "people"));
        seen.watcher.points[0].at += TimeDelta::seconds(1);
        block_on(history.observe(std::slice::from_ref(&seen))).expect("kept");
        assert_eq!(
            block_on(history.watches("7301")).expect("watches"),
            [seen.clone()]
        );
        assert_eq!(count(), "1");

        block_on(history.save(&run(1))).expect("saved");
        block_on(history.forget(&seen)).expect("forgotten");
        assert_eq!(count(), "1");
        assert_eq!(all(&mut history), [run(1)]);
    }
}

fn count_in(file: &Path) -> i64 {
    use sqlx::{Connection as _, SqliteConnection};
    block_on(async {
        let mut file = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await?;
        sqlx::query_scalar("SELECT count(*) FROM table_set")
            .fetch_one(&mut file)
            .await
    })
    .expect("SQLite counts")
}

#[test]
fn a_newer_file_and_that_of_another_program_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    let name = file.to_str().expect("a path");
    block_on(open(&file).save(&run(0))).expect("saved");
    sqlite(
        &file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', true, x'00', 1)",
    );
    let why = refused(name);
    assert!(why.contains(name) && why.contains("newer pgguard"), "{why}");
    sqlite(&file, "DELETE FROM _sqlx_migrations WHERE version = 9999");
    assert_eq!(all(&mut open(&file)), [run(0)]);

    let theirs = folder.path().join("theirs.sqlite");
    sqlite(&theirs, "CREATE TABLE contacts (name text)");
    let before = std::fs::read(&theirs).expect("read");
    let why = refused(theirs.to_str().expect("a path"));
    assert!(why.contains("another program"), "{why}");
    assert_eq!(std::fs::read(&theirs).expect("read"), before);
}

#[test]
fn a_place_that_cannot_be_made_is_named_with_what_to_do() {
    let why = refused("/dev/null/history.sqlite");
    assert!(
        why.contains("/dev/null/history.sqlite") && why.contains("--history"),
        "{why}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let why = refused(folder.path().to_str().expect("a path"));
    assert!(why.contains("check the rights"), "{why}");
}

#[test]
fn only_init_creates_a_schema_and_two_may_at_once() {
    let database = common::database();
    let url = database.url();
    let why = refused(&url);
    assert!(why.contains("pgguard backups init --history"), "{why}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgguard'";
    assert_eq!(database.sql(schemas), "0");

    std::thread::scope(|scope| {
        let begun: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| block_on(History::init(Some(&url))).map(|_| ())))
            .collect();
        for one in begun {
            one.join().expect("no panic").expect("created");
        }
    });
    assert_eq!(database.sql(schemas), "1");

    database.sql("DELETE FROM pgguard._sqlx_migrations");
    let why = refused(&url);
    assert!(
        why.contains("older pgguard") && why.contains("backups init"),
        "{why}"
    );
    database.sql(
        "INSERT INTO pgguard._sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', true, '\\x00', 1)",
    );
    assert!(refused(&url).contains("newer pgguard"));
    let why = block_on(History::init(Some(&url)))
        .expect_err("newer")
        .to_string();
    assert!(why.contains("newer pgguard"), "{why}");
}

#[test]
fn a_role_needs_the_rights_that_the_page_names_and_no_others() {
    let (database, history) = in_postgres();
    drop(history);
    database.sql("CREATE ROLE writes_history LOGIN; CREATE ROLE is_nobody LOGIN");
    let why = refused(&database.url_as("is_nobody"));
    assert!(why.contains("GRANT USAGE ON SCHEMA pgguard"), "{why}");

    let page = include_str!("../../docs/backups.md");
    let mut grants = 0;
    for line in page
        .lines()
        .filter(|line| line.contains("SCHEMA pgguard TO the_role;"))
    {
        database.sql(&line.replace("the_role", "writes_history"));
        grants += 1;
    }
    assert_eq!(grants, 2, "the page names them");
    let url = database.url_as("writes_history");
    let mut history = block_on(History::open(Some(&url))).expect("opened");
    save_some(&mut history);
    reads_back(&mut history);
    let why = database.server.sql(
        &database.name,
        "SET ROLE writes_history; CREATE TABLE pgguard.mine (x int)",
    );
    assert!(why.is_err(), "no right to create");
}

#[test]
fn a_document_of_another_kind_or_a_newer_form_is_refused_by_name() {
    let refused = |text| {
        Document::read(text, "h.json")
            .expect_err("refused")
            .to_string()
    };
    for text in [
        "",
        "[]",
        "{\"runs\":[]}",
        "{\"version\":1,\"runs\":[{}]}",
        "{\"version\":1,",
    ] {
        let why = refused(text);
        assert!(
            why.contains("h.json") && why.contains("export"),
            "{text}: {why}"
        );
    }
    assert!(refused("{\"version\":2}").contains("newer pgguard"));
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
