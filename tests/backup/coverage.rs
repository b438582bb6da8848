//! What is a backup of the database, and what is said of one that waits, or that somebody may end (cases/ops/15).

use crate::common::{self, Database, Dump, Outcome, pgguard, until};
use crate::past_runs::{Place, database, database_on, status, until_gone, watched_dump};
use pgguard::test_support::throwaway::{Options, Server};
use std::process::Stdio;

fn missing(database: &Database, place: &Place) -> Outcome {
    let only = format!("--only-database={}", database.name);
    let url = database.url();
    let mode = "backup-missing";
    pgguard(["check", "-d", &url, "-m", mode, &only, &place.flag()])
}

/// A dump with these arguments, looked at once and after its end.
fn dump(database: &Database, place: &Place, arguments: &[&str]) {
    let mut dump = Dump::stalled_with(database, arguments);
    status(database, place);
    assert!(dump.finish().success());
    until_gone(database, dump.pid());
    status(database, place);
}

#[test]
fn a_dump_of_some_tables_is_no_backup_of_the_database() {
    for major in common::majors() {
        let (database, place) = (database_on(common::server_of(major)), Place::new());
        for selected in [["-t", "a"], ["--table", "b"]] {
            dump(&database, &place, &selected);
            let told = missing(&database, &place);
            assert_eq!(told.status, 3, "{major}: {told}");
            assert!(told.stdout.contains("1 of 4 tables"), "{major}: {told}");
        }
        // A log that is left out on purpose.
        for left_out in ["--exclude-table=b", "--exclude-table-data=b"] {
            dump(&database, &place, &[left_out]);
            let told = missing(&database, &place);
            assert_eq!(told.status, 0, "{major} {left_out}: {told}");
            assert!(
                told.stdout.contains("3 of 4 tables"),
                "{major} {left_out}: {told}"
            );
        }
        watched_dump(&database, || {
            status(&database, &place);
        });
        let told = missing(&database, &place);
        assert_eq!(told.status, 0, "{major}: {told}");
        assert!(!told.stdout.contains("of 4 tables"), "{major}: {told}");
    }
}

#[test]
fn a_recorded_command_that_dumps_no_rows_is_no_run() {
    let (database, place) = (database(), Place::new());
    let record = |arguments: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x").display().to_string();
        let url = database.url();
        let program = database.server.bin("pg_dump").display().to_string();
        let flag = place.flag();
        let mut words = vec![
            "backups", "record", "-d", &url, &flag, "--", &program, "-d", &url,
        ];
        words.extend(["-f", &file]);
        words.extend(arguments);
        let told = pgguard(words);
        assert_eq!(told.status, 0, "{told}");
    };
    record(&["--schema-only"]);
    record(&["-s"]);
    let complete = || place.runs(&database).len();
    assert_eq!(complete(), 0, "{:?}", place.runs(&database));
    record(&[]);
    assert_eq!(complete(), 1, "{:?}", place.runs(&database));
}

/// The command names its database, by a URL too: a dump of another one that begins with it is not its own.
#[test]
fn a_recorded_dump_is_not_taken_for_one_of_another_database_that_begins_with_it() {
    let (database, other, place) = (database(), database(), Place::new());
    let url = database.url();
    let program = database.server.bin("pg_dump").display().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x").display().to_string();
    for _ in 0..2 {
        let before = place.runs(&database).len();
        let _other = Dump::stalled(&other);
        let told = pgguard([
            "backups",
            "record",
            "-d",
            &url,
            &place.flag(),
            "--",
            &program,
            "-d",
            &url,
            "-f",
            &file,
        ]);
        assert_eq!(told.status, 0, "{told}");
        let runs = place.runs(&database);
        assert_eq!(runs.len(), before + 1, "{told} {runs:?}");
        assert!(place.runs(&other).is_empty(), "{told}");
    }
}

/// The running backups of a database, as `backups` tells them.
fn running(database: &Database, place: &Place) -> Vec<serde_json::Value> {
    let url = database.url();
    let told = pgguard(["backups", "-d", &url, "--format=json", &place.flag()]);
    let all = told.json()["running"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    all.into_iter()
        .filter(|backup| backup["database"] == database.name.as_str())
        .collect()
}

#[test]
fn a_dump_that_waits_for_a_lock_says_for_whom() {
    let (database, place) = (database(), Place::new());
    let mut holder = database.session();
    holder.begin_and_lock("b", "ACCESS EXCLUSIVE");
    let mut child = database
        .server
        .command("pg_dump")
        .args(["-d", &database.name])
        .stdout(Stdio::null())
        .spawn()
        .expect("pg_dump starts");
    let expected = format!("behind pid {}", holder.pid());
    until("it says for whom it waits", || {
        running(&database, &place).iter().any(|backup| {
            backup["estimate"]["unknown"]
                .to_string()
                .contains(&expected)
        })
    });
    holder.exec("ROLLBACK");
    assert!(child.wait().expect("pg_dump ends").success());
}

#[test]
fn who_may_end_a_dump_sees_both_prices_first() {
    let (database, place) = (database(), Place::new());
    watched_dump(&database, || {
        status(&database, &place);
    });
    let dump = Dump::stalled_in(&database, "public.b");
    let (url, pid) = (database.url(), dump.pid().to_string());
    let told = pgguard(["kill", &pid, "-d", &url, &place.flag()]);
    assert_ne!(told.status, 0, "nobody confirmed it: {told}");
    let flat = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "or wait",
        "Ending it loses",
        "a new run takes about",
        "the last complete one ended",
    ] {
        assert!(flat.contains(part), "{part}: {told}");
    }
    drop(dump);
}

#[test]
fn a_pg_dumpall_says_at_which_database_it_is() {
    let server: &'static Server = common::own_server(&Options::major(common::server().major()));
    let (database, place) = (database_on(server), Place::new());
    let mut child = server
        .command("pg_dumpall")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pg_dumpall starts");
    // template1, postgres and its own: nobody reads, so it stalls in the one that has rows.
    until("it is at the last database", || {
        running(&database, &place)
            .iter()
            .any(|backup| backup["estimate"]["databases"] == serde_json::json!([3, 3]))
    });
    let _ = child.kill();
    let _ = child.wait();
}
