//! The same findings in other places: `check -m leftovers`, the head of `status`, the live screen; and `pgguard log`.

use crate::common::{self, Database, pgguard};
use crate::databases;
use serde_json::Value;

fn check(database: &Database, more: &[&str]) -> common::Outcome {
    let url = database.url();
    let words = ["check", "-d", &url, "-m", "leftovers", "--no-history"];
    pgguard(words.iter().chain(more))
}

#[test]
fn check_and_status_tell_what_the_doctor_tells() {
    for (major, database) in databases() {
        let url = database.url();
        let status = || pgguard(["status", "-d", &url, "--no-history"]);
        database.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
        let quiet = check(&database, &[]);
        assert_eq!(quiet.status, 0, "{major}: {quiet}");
        assert!(!status().stdout.contains("pgguard doctor"), "{major}");
        let twice = database
            .session()
            .try_exec("CREATE UNIQUE INDEX CONCURRENTLY twice ON t (a)");
        twice.expect_err("not unique");
        database.sql("ALTER TABLE t ADD CONSTRAINT c CHECK (a < 9) NOT VALID");
        let found = check(&database, &["-vv"]);
        assert_eq!(found.status, 1, "{major}: {found}");
        for part in [
            "1 finding: index public.twice on public.t is not valid",
            "left_behind=1;0;;0",
            "notes=1",
            "DROP INDEX CONCURRENTLY public.twice;",
        ] {
            assert!(found.stdout.contains(part), "{major}: {part}: {found}");
        }
        let critical = check(&database, &["-c", "0"]);
        assert_eq!(critical.status, 2, "{major}: {critical}");
        let head = status();
        let second = head.stdout.lines().nth(1).expect("a second line");
        assert_eq!(second, "1 finding: pgguard doctor", "{major}: {head}");
        let json = pgguard(["status", "-d", &url, "--no-history", "--format", "json"]).json();
        assert_eq!(json["summary"]["findings"], 1, "{major}");
        database.sql("DROP INDEX twice");
        assert_eq!(
            check(&database, &[]).status,
            0,
            "{major}: a note is no alarm"
        );
        database.sql(
            "CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 1)",
        );
        assert_eq!(check(&database, &[]).status, 1, "{major}: its row is read");
        let unasked = status();
        assert!(
            !unasked.stdout.contains("finding"),
            "{major}: of a tool's table only its lock is told: {unasked}"
        );
    }
}

#[test]
fn what_is_hidden_is_unknown_and_never_ok() {
    let database = common::database();
    database.sql("CREATE ROLE sees_little LOGIN");
    let mut other = database.session_named("other");
    other.exec("SELECT 1");
    let url = database.url_as("sees_little");
    let told = pgguard(["check", "-d", &url, "-m", "leftovers", "--no-history"]);
    assert_eq!(told.status, 3, "{told}");
    assert!(
        told.stdout.contains("GRANT pg_monitor TO sees_little"),
        "{told}"
    );
}

#[test]
fn the_log_tells_kills_and_backups_the_newest_first() {
    let database = Database::shop(common::server());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    let history = file.to_str().expect("UTF-8");
    let ask = |more: &[&str]| {
        let words = ["log", "--history", history];
        pgguard(words.iter().chain(more))
    };
    let empty = ask(&[]);
    assert_eq!(empty.status, 0, "{empty}");
    assert!(empty.stdout.starts_with("nothing yet in "), "{empty}");

    let url = database.url();
    let dump = database.server.bin("pg_dump");
    let dumped = folder.path().join("dump");
    let recorded = pgguard([
        "backups".as_ref(),
        "record".as_ref(),
        "--history".as_ref(),
        history.as_ref(),
        "-d".as_ref(),
        url.as_ref(),
        "--".as_ref(),
        dump.as_os_str(),
        "-Fc".as_ref(),
        "-f".as_ref(),
        dumped.as_os_str(),
        url.as_ref(),
    ] as [&std::ffi::OsStr; 12]);
    assert_eq!(recorded.status, 0, "{recorded}");
    let mut idle = database.session_named("idler");
    idle.exec("BEGIN; SELECT 1");
    let status = pgguard([
        "status",
        "--all",
        "-d",
        &url,
        "--no-history",
        "--format",
        "json",
    ])
    .json();
    let sessions = status["sessions"].as_array().expect("sessions");
    let session = sessions
        .iter()
        .find(|s| s["pid"] == idle.pid())
        .expect("it is there");
    let identity = session["identity"]
        .as_str()
        .expect("an identity")
        .to_owned();
    let pid = idle.pid().to_string();
    let killed = pgguard([
        "kill",
        &pid,
        "--yes",
        &identity,
        "--terminate",
        "-d",
        &url,
        "--history",
        history,
    ]);
    assert_eq!(killed.status, 0, "{killed}");

    let document = ask(&["--format", "json"]).json();
    let events = document["events"].as_array().expect("events");
    let kinds: Vec<&str> = events.iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["kill", "backup"], "{document}");
    let what = events[0]["what"].as_str().expect("a text");
    assert!(
        what.contains(&format!("pid {pid}")) && what.contains("application idler"),
        "{what}"
    );
    assert_eq!(events[0]["result"], "gone");
    assert_eq!(events[0]["database"], Value::from(database.name.clone()));
    let text = ask(&["--only", "backup"]);
    assert!(
        text.stdout.contains("pg_dump by postgres") && !text.stdout.contains("idler"),
        "{text}"
    );
    let none = ask(&["--since", "1ms"]);
    assert!(none.stdout.starts_with("nothing yet"), "{none}");
    assert_eq!(
        ask(&["--last", "1", "--format", "json"]).json()["events"]
            .as_array()
            .expect("events")
            .len(),
        1
    );
    std::fs::write(&file, "no history").expect("written");
    assert_eq!(ask(&[]).status, 2);
}
