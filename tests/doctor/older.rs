//! Sessions that began before the last schema change.

use crate::Told;
use crate::common::{self, Database};
use pgguard::test_support::throwaway::Options;

/// What changes no column of `t`.
const QUIET: [&str; 5] = [
    "ANALYZE t",
    "CREATE INDEX ON t (a)",
    "VACUUM FULL t",
    "GRANT SELECT ON t TO public",
    "CREATE TABLE new (a int)",
];

#[test]
fn sessions_that_began_before_the_change_are_named_by_application_and_host() {
    for major in common::majors() {
        let options = Options::major(major)
            .setting("track_commit_timestamp", "on")
            .setting("autovacuum", "off");
        let database = Database::empty(common::own_server(&options));
        database.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
        let mut old: Vec<_> = (0..2).map(|_| database.session_named("web.1")).collect();
        let mut worker = database.session_named("worker.1");
        for session in old.iter_mut().chain([&mut worker]) {
            session.exec("SELECT * FROM t");
        }
        Told::of(&database, &[]).assert_nothing(&format!("{major}: nothing has changed since"));
        for quiet in QUIET {
            database.sql(quiet);
            Told::of(&database, &[]).assert_nothing(&format!("{major}: {quiet} changes no column"));
        }
        for change in [
            "ALTER TABLE t ADD COLUMN b int",
            "ALTER TABLE t RENAME COLUMN b TO c",
            "ALTER TABLE t DROP COLUMN c",
        ] {
            database.sql(change);
            let new = database.session_named("web.1");
            let told = Told::of(&database, &[]);
            assert_eq!(
                told.outcome.status, 1,
                "{major}: {change}: {}",
                told.outcome
            );
            let found = told.of_kind("older_sessions");
            let begins = |f: &&serde_json::Value| {
                let what = f["what"].as_str().unwrap_or_default();
                what.split(" on the server's host")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            let mut what: Vec<String> = found.iter().map(begins).collect();
            what.sort_unstable();
            let expected = [
                "1 session of the application \"worker.1\"",
                "2 sessions of the application \"web.1\"",
            ];
            assert_eq!(what, expected, "{major}: {change}: {}", told.outcome);
            assert!(
                told.outcome.stdout.contains("public.t"),
                "{major}: {change}"
            );
            assert!(!told.outcome.stdout.contains("stale"));
            new.close();
            let again = |session: common::Session| {
                session.close();
                let mut session = database.session_named("web.1");
                session.exec("SELECT * FROM t");
                session
            };
            old = old.into_iter().map(again).collect();
            worker.close();
            worker = database.session_named("worker.1");
            Told::of(&database, &[]).assert_nothing(&format!("{major}: after the restart"));
        }
    }
}

#[test]
fn without_commit_times_a_version_table_tells_or_the_answer_says_that_nothing_does() {
    let database = common::database();
    database.sql("CREATE TABLE t (a int)");
    let mut web = database.session_named("web");
    web.exec("SELECT * FROM t");
    database.sql("ALTER TABLE t ADD COLUMN b int");
    let told = Told::of(&database, &[]);
    told.assert_nothing("it is unknown");
    assert!(
        told.document["notes"]
            .to_string()
            .contains("track_commit_timestamp = on")
    );
    database.sql(
        "CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, \
         applied timestamptz NOT NULL); INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0001_b', now())",
    );
    let told = Told::of(&database, &[]);
    assert_eq!(told.kinds(), ["older_sessions"], "{}", told.outcome);
    let finding = told.of_kind("older_sessions")[0];
    assert_eq!(finding["certainty"], "possible");
    assert!(
        finding["proof"]
            .to_string()
            .contains("public.django_migrations says"),
        "{finding}"
    );
    web.close();
    Told::of(&database, &[]).assert_nothing("it is gone");
}

/// What the doctor says with a history of its own; the looks of other commands are kept there too.
fn told_with(history: &std::path::Path, database: &Database) -> Told {
    let place = history.display().to_string();
    let url = database.url();
    let words = [
        "doctor",
        "--history",
        &place,
        "-d",
        &url,
        "--format",
        "json",
    ];
    let outcome = common::pgguard(words);
    let document = outcome.json();
    Told { outcome, document }
}

#[test]
fn looks_before_and_after_tell_when_the_schema_changed() {
    std::thread::scope(|scope| {
        for major in common::majors() {
            scope.spawn(move || looks_of(major));
        }
    });
}

fn looks_of(major: u32) {
    let database = Database::empty(common::server_of(major));
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history");
    let ask = || told_with(&history, &database);
    database.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ADD first int");
    let mut old = database.session_named("web");
    old.exec("SELECT * FROM t");
    let told = ask();
    told.assert_nothing(&format!(
        "{major}: when it changed before the first look is unknown"
    ));
    assert!(
        told.document["notes"]
            .to_string()
            .contains("looks of pgguard"),
        "{major}"
    );
    for quiet in QUIET {
        database.sql(quiet);
        ask().assert_nothing(&format!("{major}: {quiet} changes no column"));
    }
    // Any command that looks will do. Lines are 10 seconds apart: this one is a part of the first.
    database.sql("ALTER TABLE t ADD b int");
    let mut new = database.session_named("new");
    new.exec("SELECT * FROM t");
    let told = ask();
    assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
    let found = told.of_kind("older_sessions");
    let what: Vec<&str> = found.iter().filter_map(|f| f["what"].as_str()).collect();
    let began = |name: &str, how: &str| {
        let begins = |text: &&&str| text.contains(name) && text.contains(how);
        what.iter().filter(begins).count() == 1
    };
    assert!(
        began("application web ", "host began before"),
        "{major}: {what:?}"
    );
    assert!(
        began("application new ", "may have begun before"),
        "{major}: {what:?}"
    );
    let proof = found[0]["proof"].to_string();
    assert!(
        proof.contains("columns of public.t changed between"),
        "{major}: {proof}"
    );
    old.close();
    new.close();
    // A look that was kept on both sides: who began after it is no older one.
    let kept = folder.path().join("history.looks");
    let before = looks_kept(&kept);
    common::until("a later look is kept", || {
        ask();
        looks_kept(&kept) > before
    });
    let mut later = database.session_named("later");
    later.exec("SELECT * FROM t");
    ask().assert_nothing(&format!("{major}: it began after the change"));
}

/// How many looks noted when the transactions of a schema's rows were.
fn looks_kept(folder: &std::path::Path) -> usize {
    let servers = std::fs::read_dir(folder).into_iter().flatten().flatten();
    servers
        .map(|server| {
            let lines = std::fs::read_to_string(server.path().join("transactions.txt"));
            lines.unwrap_or_default().lines().count()
        })
        .sum()
}
