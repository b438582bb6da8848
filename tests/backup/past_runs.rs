//! What looks at running dumps leave behind, and what past runs tell the looks after them.

use crate::common::{self, Database, Dump, Outcome, pgguard, until};
use pgguard::model::{BackupRun, RunOutcome};
use pgguard::test_support::commands::block_on;
use pgguard::test_support::history::{Filter, History};
use pgguard::test_support::throwaway::{Options, Server};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Stdio;

/// A place for a history of the test's own.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("history.sqlite")
    }

    pub fn flag(&self) -> String {
        format!("--history={}", self.file().display())
    }

    /// The past runs of one database: a look keeps what it sees of the whole server, and other tests
    /// dump their databases beside this one.
    pub fn runs(&self, of: &Database) -> Vec<BackupRun> {
        let all = self.runs_of_the_server().into_iter();
        all.filter(|run| run.key.database == of.name).collect()
    }

    fn runs_of_the_server(&self) -> Vec<BackupRun> {
        block_on(async {
            let mut history = History::open(self.file().to_str()).await?;
            history.runs(&Filter::default()).await
        })
        .expect("the history is read")
    }
}

/// Three tables that fill every buffer between server and reader, and a last one that fits in: its COPY
/// is over for the server while its reader is still at it.
pub fn database() -> Database {
    database_on(common::server())
}

pub fn database_on(server: &'static pgguard::test_support::throwaway::Server) -> Database {
    let database = Database::empty(server);
    let fill = "SELECT n, repeat(md5(n::text), 32) FROM generate_series(1,";
    for (table, rows) in [("a", 4000), ("b", 4000), ("c", 4000), ("z", 120)] {
        database.sql(&format!(
            "CREATE TABLE {table} (id int, body text); INSERT INTO {table} {fill} {rows}) n; ANALYZE {table}"
        ));
    }
    database
}

pub fn status(database: &Database, place: &Place) -> Outcome {
    let url = database.url();
    let looked = pgguard(["status", "-d", &url, "--format=json", &place.flag()]);
    assert_eq!(looked.status, 0, "{looked}");
    assert_eq!(looked.stderr, "", "{looked}");
    looked
}

/// The estimate of the one running backup of this database.
pub fn estimate(looked: &Outcome) -> serde_json::Value {
    // Other tests dump other databases of the same server.
    let database = looked.json()["server"]["database"].clone();
    estimate_of(looked, |backup| backup["database"] == database)
        .unwrap_or_else(|| panic!("no backup in {looked}"))
}

/// The estimate of the first such backup.
fn estimate_of(
    looked: &Outcome,
    is_meant: impl Fn(&serde_json::Value) -> bool,
) -> Option<serde_json::Value> {
    let told = looked.json();
    let sessions = told["sessions"].as_array().expect("sessions");
    let mut backups = sessions.iter().filter(|s| s["role"] == "backup");
    Some(backups.find(|s| is_meant(s))?["estimate"].clone())
}

fn until_its_last_copy_is_over(database: &Database, dump: &Dump) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND state = 'idle in transaction' \
         AND query LIKE 'COPY public.z %'",
        dump.pid()
    );
    until("the last table is copied", || database.sql(&sql) == "1");
}

pub fn until_gone(database: &Database, pid: i32) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
    until("the dump's session is gone", || database.sql(&sql) == "0");
}

/// A dump from its begin to its end, looked at in each of its tables and afterwards.
pub fn watched_dump(database: &Database, mut look: impl FnMut()) {
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
    let runs = place.runs(&database);
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

/// Makes the catalog promise so much of the last table that no dump is near its end.
fn promise_much(database: &Database) {
    database.sql(
        "UPDATE pg_class SET reltuples = 2e5, relpages = 3e4 WHERE relname = 'z'; SELECT pg_stat_reset()",
    );
}

#[test]
fn a_dump_of_more_than_a_thousand_tables_is_gone_on_with_and_compared_with_its_past() {
    let (database, place) = (database(), Place::new());
    for part in 0..6 {
        database.sql(&format!(
            "DO $$ BEGIN FOR i IN {part} * 200 .. {part} * 200 + 199 LOOP \
             EXECUTE format('CREATE TABLE many_%s (id int)', i); END LOOP; END $$"
        ));
    }
    watched_dump(&database, || {
        status(&database, &place);
    });
    let runs = place.runs(&database);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].outcome, RunOutcome::Complete);
    assert_eq!(runs[0].tables.len(), 1204);
    let timed = runs[0].tables.iter().filter(|t| t.complete).count();
    assert_eq!(timed, 1204);

    let mut dump = Dump::stalled_in(&database, "public.b");
    let first = estimate(&status(&database, &place));
    assert_eq!(
        (&first["tables_done"], &first["tables_total"]),
        (&1.into(), &1204.into()),
        "{first}"
    );
    dump.read_on_to("public.c");
    let second = estimate(&status(&database, &place));
    assert_eq!(second["tables_done"], 2, "{second}");
    assert!(
        second["basis"].to_string().contains("1 past run"),
        "{second}"
    );

    // The second look knew what the first one had seen of the table that it no longer found in flight.
    let watches = block_on(async {
        let mut history = History::open(place.file().to_str()).await?;
        history.watches(&runs[0].key.server).await
    });
    let watches = watches.expect("the history is read");
    let mut own = watches.iter().filter(|w| w.key.database == database.name);
    let tables = &own.next().expect("it is watched").watcher.tables;
    assert_eq!(tables.len(), 1204);
    assert_eq!(tables[1].name.relation, "b");
    assert!(tables[1].copy_start.is_some() && tables[1].done_at.is_some());
    assert!(tables[2].done_at.is_none());
    drop(dump);
}

#[test]
fn a_dump_that_was_killed_while_it_was_watched_is_an_aborted_run() {
    let (database, place) = (database(), Place::new());
    promise_much(&database);
    let mut dump = Dump::stalled_in(&database, "public.b");
    for _ in 0..2 {
        status(&database, &place);
    }
    dump.kill();
    until_gone(&database, dump.pid());
    status(&database, &place);
    let runs = place.runs(&database);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Aborted);
    let done: Vec<bool> = runs[0].tables.iter().map(|t| t.complete).collect();
    assert_eq!(done[2..], [false, false], "{runs:?}");
}

/// The catalogs' counts of rows are not exact: a table of which nine tenths were read may have been read whole, and what
/// comes after it may be left out. A past run counted its rows.
#[test]
fn a_dump_that_was_killed_near_the_end_of_a_table_is_known_by_a_past_run() {
    let (database, place) = (database(), Place::new());
    database.sql(
        "CREATE TABLE bb (id int, body text); ALTER TABLE bb ALTER body SET STORAGE PLAIN; \
         INSERT INTO bb SELECT n, repeat(md5(n::text), 45) FROM generate_series(1, 50000) n; ANALYZE bb",
    );
    watched_dump(&database, || {
        status(&database, &place);
    });
    let mut dump = Dump::stalled_in(&database, "public.bb");
    let copied = format!(
        "SELECT tuples_processed FROM pg_stat_progress_copy WHERE pid = {}",
        dump.pid()
    );
    let (mut row, mut read) = (40_000, 0);
    while read < 46_000 {
        dump.read_on_to_line(&format!("{row}\t"));
        row += 250;
        read = database.sql(&copied).parse().unwrap_or(50_000);
    }
    assert!(read < 48_800, "{read}: the buffers hold the rest of it");
    status(&database, &place);
    dump.kill();
    until_gone(&database, dump.pid());
    status(&database, &place);
    let outcomes: Vec<RunOutcome> = place.runs(&database).iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.contains(&RunOutcome::Aborted), "{outcomes:?}");

    // One that leaves out what the past ones dumped came to its end.
    let left_out = ["--exclude-table-data=c", "--exclude-table-data=z"];
    let mut dump = Dump::stalled_with(&database, &left_out);
    status(&database, &place);
    assert!(dump.finish().success());
    until_gone(&database, dump.pid());
    status(&database, &place);
    let runs = place.runs(&database);
    let aborted = |r: &&BackupRun| r.outcome == RunOutcome::Aborted;
    assert_eq!((runs.len(), runs.iter().filter(aborted).count()), (3, 1));
}

#[test]
fn a_dump_that_was_seen_once_early_on_and_read_every_table_is_complete_with_its_rows_counted() {
    let (database, place) = (database(), Place::new());
    database.sql("INSERT INTO z SELECT * FROM a; ANALYZE z");
    let mut dump = Dump::stalled_in(&database, "public.b");
    status(&database, &place);
    assert!(dump.finish().success());
    until_gone(&database, dump.pid());
    status(&database, &place);
    let runs = place.runs(&database);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Complete);
    let rows = |name: &str| database.sql(&format!("SELECT count(*) FROM {name}"));
    for table in &runs[0].tables {
        assert_eq!(
            table.tuples.to_string(),
            rows(&table.name.relation),
            "{runs:?}"
        );
    }
}

#[test]
fn a_dump_whose_end_nobody_saw_is_neither_complete_nor_aborted() {
    let (database, place) = (database(), Place::new());
    // As much in its last table as in the others: that it was begun says little.
    database.sql("INSERT INTO z SELECT * FROM a; ANALYZE z; SELECT count(*) FROM a");
    // Seen once, early on: it may have come to its end since, as it did here; nobody counts any more.
    let mut dump = Dump::stalled_in(&database, "public.b");
    status(&database, &place);
    assert!(dump.finish().success());
    until_gone(&database, dump.pid());
    database.sql("SELECT pg_stat_reset()");
    status(&database, &place);
    let runs = place.runs(&database);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Unseen);
    let url = database.url();
    let told = pgguard(["backups", "-d", &url, &place.flag()]);
    assert!(told.stdout.contains("end not seen"), "{told}");
    let json = pgguard(["backups", "-d", &url, "--format=json", &place.flag()]);
    let told = json.json();
    let mut told = told["runs"].as_array().expect("runs").iter();
    let own = told.find(|run| run["database"] == database.name.as_str());
    assert_eq!(own.expect("its run")["outcome"], "unseen", "{json}");
    let only = format!("--only-database={}", database.name);
    let check = pgguard([
        "check",
        "-d",
        &url,
        "-m",
        "backup-missing",
        &only,
        &place.flag(),
    ]);
    assert_eq!(check.status, 3, "no complete one is known: {check}");
}

fn scans(database: &Database) -> i64 {
    let sql = "SELECT coalesce(max(seq_scan), 0) FROM pg_stat_user_tables WHERE relname = 'zz'";
    database.sql(sql).parse().expect("a number")
}

/// A dump with --inserts, stalled in its first table, is looked at and then goes on to its end or not.
pub fn inserts(database: &Database, place: &Place, to_its_end: bool) -> serde_json::Value {
    let before = scans(database);
    let mut dump = database
        .server
        .command("pg_dump")
        .args(["--inserts", "-d", &database.name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pg_dump starts");
    let mut output = dump.stdout.take().expect("its output");
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'pg_dump'",
        database.name
    );
    let reads = format!("{running} AND query LIKE 'FETCH %'");
    until("it reads rows", || database.sql(&reads) == "1");
    let estimate = estimate(&status(database, place));
    if to_its_end {
        std::io::copy(&mut output, &mut std::io::sink()).expect("the rest of it");
    } else {
        dump.kill().expect("it is killed");
        drop(output);
    }
    assert_eq!(dump.wait().expect("its end").success(), to_its_end);
    until("its session is gone", || database.sql(&running) == "0");
    // 14 counts a little later, through another process.
    until("its scans are counted", || {
        !to_its_end || scans(database) > before
    });
    status(database, place);
    estimate
}

#[test]
fn a_dump_with_inserts_that_read_every_table_is_complete_and_tells_the_next_ones_end() {
    let (database, place) = (database(), Place::new());
    database.sql("CREATE TABLE zz (id int); INSERT INTO zz VALUES (1); ANALYZE zz");
    let told = inserts(&database, &place, true);
    assert!(
        told["unknown"].to_string().contains("backups record"),
        "{told}"
    );
    inserts(&database, &place, false);
    let outcomes: Vec<_> = place
        .runs(&database)
        .iter()
        .map(|run| run.outcome)
        .collect();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    assert_eq!(outcomes[1], RunOutcome::Complete);
    // Killed: by the duration of the one before it may be told that it had more to do.
    assert_ne!(outcomes[0], RunOutcome::Complete);
    let told = inserts(&database, &place, false);
    let basis = told["basis"].as_str().unwrap_or_default();
    assert!(
        basis == "duration of 1 past run"
            || told["unknown"] == "it has run longer than past runs took",
        "{told}"
    );
}

/// How much of a base backup one look says is done.
fn fraction(looked: &Outcome) -> f64 {
    let estimate = estimate_of(looked, |_| true);
    estimate
        .and_then(|e| e["fraction_done"].as_f64())
        .unwrap_or(0.0)
}

/// A base backup whose reader is this test: it goes on only as far as it is read. It ends by itself, or
/// is killed early on.
fn watched_base_backup(server: &'static Server, to_its_end: bool) -> RunOutcome {
    let (database, place) = (Database::empty(server), Place::new());
    let mut backup = server
        .command("pg_basebackup")
        .args(["--checkpoint=fast", "-D", "-", "-Ft", "-X", "none"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("pg_basebackup starts");
    let mut tar = backup.stdout.take().expect("its output");
    let enough = if to_its_end { 0.99 } else { 0.2 };
    let mut part = vec![0; 1_000_000];
    let mut read = 0.0;
    until("so much of it is sent", || {
        tar.read_exact(&mut part).expect("more of it");
        read += part.len() as f64;
        let sent = fraction(&status(&database, &place));
        // Half of what is left each time, and never to its end: the server is ahead of this reader.
        let left = read / sent.max(0.01) - read;
        part.resize((left / 2.0).clamp(10_000.0, 4_000_000.0) as usize, 0);
        sent >= enough
    });
    if to_its_end {
        std::io::copy(&mut tar, &mut std::io::sink()).expect("the rest of it");
    } else {
        backup.kill().expect("it is killed");
    }
    assert_eq!(backup.wait().expect("its end").success(), to_its_end);
    until("its walsender is gone", || {
        database.sql("SELECT count(*) FROM pg_stat_progress_basebackup") == "0"
    });
    status(&database, &place);
    let runs = place.runs_of_the_server();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].key.tool, "pg_basebackup");
    runs[0].outcome
}

#[test]
fn a_base_backup_that_was_seen_to_its_end_is_complete_and_one_that_was_killed_is_not() {
    // A base backup is of the whole server.
    let options = Options::major(common::majors()[0]);
    let server = common::own_server(&options);
    assert_eq!(watched_base_backup(server, true), RunOutcome::Complete);
    // No counter tells whether it came to its end: a pace that was seen is no proof of one that was not.
    assert_ne!(watched_base_backup(server, false), RunOutcome::Complete);
}

#[test]
fn many_processes_may_look_at_once_and_leave_one_dump() {
    let (database, place) = (database(), Place::new());
    let mut dump = Dump::stalled_in(&database, "public.b");
    let lookers: Vec<_> = (0..8)
        .map(|_| {
            let mut command = common::pgguard_command();
            command.args(["status", "-d", &database.url(), &place.flag()]);
            command.stdout(std::process::Stdio::piped());
            command.stderr(std::process::Stdio::piped());
            command.spawn().expect("pgguard starts")
        })
        .collect();
    for looker in lookers {
        let output = looker.wait_with_output().expect("pgguard ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    }
    dump.kill();
    until_gone(&database, dump.pid());
    status(&database, &place);
    assert_eq!(place.runs(&database).len(), 1);
}

#[test]
fn a_history_that_cannot_be_used_is_a_note_and_changes_no_answer() {
    let (database, place) = (database(), Place::new());
    let _dump = Dump::stalled_in(&database, "public.b");
    std::fs::write(place.file(), "not a database, and somebody's own").expect("written");
    let url = database.url();
    for history in [
        place.flag(),
        "--history=postgres://127.0.0.1:1/nowhere".into(),
    ] {
        let looked = pgguard(["status", "-d", &url, "--format=json", &history]);
        assert_eq!(looked.status, 0, "{looked}");
        assert!(estimate(&looked)["phase"].is_string(), "{looked}");
        assert!(
            looked.stderr.starts_with("pgguard: note: cannot "),
            "{looked}"
        );
        assert_eq!(looked.stderr.lines().count(), 1, "{looked}");

        let gate = pgguard(["gate", "-d", &url, &history]);
        assert_eq!(gate.status, 1, "{gate}");
        assert_eq!(gate.stderr.lines().count(), 1, "{gate}");

        let only = format!("--only-database={}", database.name);
        let check = pgguard(["check", "-d", &url, "-m", "backup-running", &only, &history]);
        assert_eq!((check.status, check.stderr.as_str()), (0, ""), "{check}");
        let missing = pgguard(["check", "-d", &url, "-m", "backup-missing", &only, &history]);
        assert_eq!(missing.status, 3, "{missing}");
    }
    let kept = std::fs::read_to_string(place.file()).expect("read");
    assert_eq!(kept, "not a database, and somebody's own");
}

#[test]
fn a_replay_and_no_history_leave_no_file() {
    let (database, place) = (database(), Place::new());
    let _dump = Dump::stalled_in(&database, "public.b");
    let recording = place.0.path().join("look.json");
    let (url, recording) = (database.url(), recording.to_str().expect("a path"));
    let recorded = pgguard(["status", "-d", &url, "--no-history", "--record", recording]);
    assert_eq!(recorded.status, 0, "{recorded}");
    let replayed = pgguard(["status", "--replay", recording, &place.flag()]);
    assert_eq!(replayed.status, 0, "{replayed}");
    assert!(!place.file().exists(), "nothing new was seen");
}

#[test]
fn checks_compare_with_past_runs() {
    let (database, place) = (database(), Place::new());
    let only = format!("--only-database={}", database.name);
    let check = |mode: &str, warning: &str| {
        let arguments = ["-m", mode, &only, &place.flag(), "-w", warning, "-c", "1d"];
        pgguard(["check", "-d", &database.url()].iter().chain(&arguments))
    };
    let none = check("backup-missing", "1h");
    assert_eq!(none.status, 3, "{none}");
    assert!(none.stdout.contains("no complete backup"), "{none}");

    // A monitoring system looks each minute, whatever it asks.
    watched_dump(&database, || {
        let looked = check("backup-running", "1h");
        assert_eq!(looked.status, 0, "{looked}");
    });
    let fresh = check("backup-missing", "1h");
    assert_eq!(fresh.status, 0, "{fresh}");
    assert!(fresh.stdout.contains("the last complete backup"), "{fresh}");
    let old = check("backup-missing", "0");
    assert_eq!(old.status, 1, "{old}");

    let dump = Dump::stalled_in(&database, "public.b");
    let usual = place.runs(&database)[0].ended - place.runs(&database)[0].started;
    let longer = usual.num_milliseconds() + 50;
    let age = format!(
        "SELECT clock_timestamp() - xact_start > interval '{longer} ms' FROM pg_stat_activity WHERE pid = {}",
        dump.pid()
    );
    until("the dump takes longer than the one before", || {
        database.sql(&age) == "t"
    });
    let over = check("backup-overtime", "0");
    assert_eq!(over.status, 1, "{over}");
    assert!(over.stdout.contains("past runs took at most"), "{over}");
    let tolerated = check("backup-overtime", "1h");
    assert_eq!(tolerated.status, 0, "{tolerated}");
}

#[test]
fn a_postgres_history_takes_part_like_a_file() {
    let (database, teams) = (database(), common::database());
    let url = teams.url();
    block_on(History::init(Some(&url))).expect("created");
    let flag = format!("--history={url}");
    watched_dump(&database, || {
        let looked = pgguard(["status", "-d", &database.url(), &flag]);
        assert_eq!((looked.status, looked.stderr.as_str()), (0, ""), "{looked}");
    });
    // Other tests dump their databases beside this one.
    let runs = teams.sql(&format!(
        "SELECT count(*), min(outcome) FROM pgguard.backup_run WHERE database = '{}'",
        database.name
    ));
    assert_eq!(runs, "1|complete");
}

#[test]
fn without_past_runs_pg_stat_statements_stands_in() {
    let has_it = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
    let major = common::majors()
        .into_iter()
        .rev()
        .find(|major| {
            common::server_of(*major)
                .sql("postgres", has_it)
                .as_deref()
                .ok()
                == Some("1")
        })
        .expect("a server with its contrib modules");
    let options = Options::major(major).setting("shared_preload_libraries", "pg_stat_statements");
    let server = common::own_server(&options);
    let (database, place) = (database_on(server), Place::new());
    database.sql("CREATE SCHEMA \"My Ext\"; CREATE EXTENSION pg_stat_statements SCHEMA \"My Ext\"");
    // A dump that nobody looked at.
    assert!(Dump::stalled_in(&database, "public.a").finish().success());
    let recording = place.0.path().join("look.json");
    let _dump = Dump::stalled_in(&database, "public.b");
    let recording = recording.to_str().expect("a path");
    let url = database.url();
    let arguments = ["status", "-d", &url, &place.flag(), "--record", recording];
    let looked = pgguard(arguments);
    assert_eq!(looked.status, 0, "{looked}");
    let text = std::fs::read_to_string(recording).expect("a recording");
    let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let statements = recorded["tables"]["statements"]
        .as_array()
        .expect("statements");
    let of_a = statements
        .iter()
        .find(|s| s["relation"] == "a")
        .expect("table a");
    assert_eq!(of_a["rows"], 4000.0, "{of_a}");
    assert!(of_a["seconds"].as_f64() > Some(0.0), "{of_a}");
}

#[test]
fn columns_that_are_never_compressed_are_known_to_be() {
    let database = database();
    database.sql(
        "CREATE TABLE archive (id int, raw text, packed text); ALTER TABLE archive ALTER raw SET STORAGE EXTERNAL",
    );
    let place = Place::new();
    let _dump = Dump::stalled_in(&database, "public.b");
    let recording = place.0.path().join("look.json");
    let recording = recording.to_str().expect("a path");
    let url = database.url();
    let looked = pgguard(["status", "-d", &url, "--no-history", "--record", recording]);
    assert_eq!(looked.status, 0, "{looked}");
    let text = std::fs::read_to_string(recording).expect("a recording");
    let recorded: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let tables = recorded["tables"]["tables"].as_array().expect("tables");
    let archive = tables
        .iter()
        .find(|t| t["relation"] == "archive")
        .expect("the table");
    let external: Vec<_> = archive["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|c| c["external"].as_bool())
        .collect();
    assert_eq!(
        external,
        [Some(false), Some(true), Some(false)],
        "{archive}"
    );
}
