//! Sessions that began before the last schema change.

use crate::Told;
use crate::common::{self, Database};
use pgguard::throwaway::Options;

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
        for quiet in [
            "ANALYZE t",
            "CREATE INDEX ON t (a)",
            "VACUUM FULL t",
            "GRANT SELECT ON t TO public",
            "CREATE TABLE new (a int)",
        ] {
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
