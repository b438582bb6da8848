//! A program that runs a migration is killed, and what it had sent goes on waiting in the server.

use crate::common::{Database, pgguard, until};
use crate::{Told, databases};
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// psql at a statement that waits for a lock.
fn psql(database: &Database, url: &str, more: &[&str]) -> Child {
    let mut command = Command::new(database.server.bin("psql"));
    command.args(["-X", "-d", url]).args(more);
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.spawn().expect("psql starts")
}

fn waiting(database: &Database) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let found = database.sql(sql);
    found
        .lines()
        .map(|pid| pid.parse().expect("a pid"))
        .collect()
}

/// Ends a session as the doctor says.
fn kill(database: &Database, finding: &Value) {
    let identity = finding["identity"].as_str().expect("an identity");
    let command = finding["command"].as_str().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let url = database.url();
    let more = ["--yes", identity, "-d", &url, "--no-history"];
    let ended = pgguard(words.iter().chain(&more));
    assert_eq!(ended.status, 0, "{command}: {ended}");
}

fn text<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().expect("a text")
}

#[test]
fn a_waiting_alter_whose_client_was_killed_is_a_zombie_and_others_are_not() {
    const ALTER: [&str; 2] = ["-c", "ALTER TABLE t ADD x int"];
    for (major, database) in databases() {
        database.sql("CREATE TABLE t (a int)");
        let urls = [database.server.tcp_url(&database.name), database.url()];
        for (url, proof) in urls.iter().zip(["CLOSE_WAIT", "unix socket is shut down"]) {
            if proof.contains("unix") && !nix::unistd::Uid::effective().is_root() {
                println!("skipped: only root sees whose unix socket it is");
                continue;
            }
            for (more, end) in [(&[][..], "is committed"), (&["-1"], "rolled back")] {
                let mut holder = database.session_named("holder");
                holder.exec("BEGIN; SELECT count(*) FROM t");
                let mut child = psql(&database, url, &[more, &ALTER].concat());
                until("it waits", || waiting(&database).len() == 1);
                let told = Told::of(&database, &[]);
                told.assert_nothing(&format!("{major}: its client waits with it"));
                child.kill().expect("killed");
                child.wait().expect("gone");
                let mut reader = database.session_named("reader");
                reader.start("SELECT count(*) FROM t");
                reader.until_waiting();
                let told = Told::of(&database, &[]);
                assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
                assert_eq!(told.kinds(), ["zombie"], "{major}: {}", told.outcome);
                let zombie = told.of_kind("zombie")[0];
                assert_eq!(text(zombie, "certainty"), "certain", "{major}: {zombie}");
                assert_eq!(text(zombie, "harm"), "blocks", "{major}: {zombie}");
                assert!(
                    zombie["proof"][0]
                        .as_str()
                        .unwrap_or_default()
                        .contains(proof),
                    "{major}: {zombie}"
                );
                let cost = text(zombie, "cost");
                assert!(
                    cost.contains("1 session waits behind it") && cost.contains(end),
                    "{major}: {cost}"
                );
                kill(&database, zombie);
                reader.join().expect("free");
                holder.exec("ROLLBACK");
                Told::of(&database, &[]).assert_nothing(&format!("{major}: after the kill"));
            }
        }
    }
}

#[test]
fn an_index_build_whose_client_was_killed_is_to_be_left_alone() {
    for (major, database) in databases() {
        database.sql("CREATE TABLE t (a int)");
        let mut holder = database.session_named("holder");
        holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t");
        let url = database.server.tcp_url(&database.name);
        let mut child = psql(
            &database,
            &url,
            &["-c", "CREATE INDEX CONCURRENTLY t_a ON t (a)"],
        );
        until("it waits", || waiting(&database).len() == 1);
        child.kill().expect("killed");
        child.wait().expect("gone");
        let told = Told::of(&database, &[]);
        assert_eq!(
            told.kinds(),
            ["zombie"],
            "{major}: it is being built: {}",
            told.outcome
        );
        let advice = text(told.of_kind("zombie")[0], "advice");
        assert!(advice.starts_with("let it finish"), "{major}: {advice}");
        holder.exec("ROLLBACK");
        until("it is valid", || {
            database.sql("SELECT indisvalid FROM pg_index WHERE indrelid = 't'::regclass") == "t"
        });
        until("it has ended", || {
            Told::of(&database, &[]).kinds().is_empty()
        });
    }
}
