//! "Already running": whatever shows that a migration is running, `run` does not start a second one, and `gate` and
//! `status` say so.

use crate::common;
use crate::stage::Stage;
use serde_json::Value;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

/// What `gate` and `status` say of migrations that run: JSON and text of each.
fn told(stage: &Stage) -> [(Value, String); 2] {
    let file = stage.file("any.sql", "CREATE TABLE made_by_the_gate (id int);");
    let words = [vec!["gate", &*file], vec!["status"]];
    words.map(|words| {
        let text = common::run_with_input(stage.command(&words), "").stdout;
        let all: Vec<&str> = words.into_iter().chain(["--format", "json"]).collect();
        let json = common::run_with_input(stage.command(&all), "").json();
        let running = match all.first() {
            Some(&"gate") => json["running"].clone(),
            _ => json["summary"]["running"].clone(),
        };
        (running, text)
    })
}

/// Both say it, by this sign; and a run of this command is not started.
fn assert_told(stage: &Stage, known_by: &str, words: &str, command: &[&str]) {
    for (running, text) in told(stage) {
        let found = running.as_array().expect("a list");
        let one = found.iter().find(|one| one["known_by"] == known_by);
        assert!(one.is_some(), "{known_by}: {running}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{words}: {text}");
    }
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    // bun's program is a project's own.
    let flags: &[&str] = match command[0].contains("bun") {
        true => &["--no-gate", "--tool", "bun"],
        false => &["--no-gate"],
    };
    let ran = stage.run(flags, &command);
    assert_eq!(ran.status, 75, "{known_by}: {ran}");
    assert!(
        ran.stderr.contains("already running: "),
        "{known_by}: {ran}"
    );
}

fn assert_not_told(stage: &Stage) {
    for (running, text) in told(stage) {
        assert_eq!(running, serde_json::json!([]));
        assert!(!text.contains("running"), "{text}");
    }
}

/// A tool's table with its lock row, the command that would run it, and what the row says.
const ROWS: &[(&str, &[&str], &str)] = &[
    (
        "CREATE TABLE databasechangeloglock (id int, locked bool, lockgranted timestamp, lockedby text); \
         INSERT INTO databasechangeloglock VALUES (1, true, now(), 'runner7 (10.0.0.7)')",
        &["liquibase", "update"],
        "Liquibase's lock is held, public.databasechangeloglock says: locked by runner7",
    ),
    (
        "CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 1)",
        &["npx", "knex", "migrate:latest"],
        "Knex's lock is held",
    ),
    (
        "CREATE TABLE yoyo_lock (locked int, ctime timestamp, pid int); INSERT INTO yoyo_lock VALUES (1, now(), 4711)",
        &["yoyo", "apply", "--batch"],
        "yoyo's lock is held, public.yoyo_lock says: locked by the process 4711",
    ),
    (
        "CREATE TABLE goose_lock (lock_id bigint, locked bool, locked_by text, lease_expires_at timestamptz); \
         INSERT INTO goose_lock VALUES (1, true, 'runner7', now() + interval '1 minute')",
        &["goose", "up"],
        "goose's lock is held",
    ),
    (
        "CREATE TABLE bun_migration_locks (id int, table_name text); INSERT INTO bun_migration_locks VALUES (1, 'bun_migrations')",
        &["./bun-db", "migrate"],
        "bun's lock is held",
    ),
];

#[test]
fn a_lock_row_of_the_tool_says_that_it_runs() {
    for major in common::majors() {
        for (table, command, words) in ROWS {
            let stage = Stage::of_major(major);
            assert_not_told(&stage);
            stage.shop.sql(table);
            let words = format!("a migration may be running: {words}");
            assert_told(&stage, "lock_row", &words, command);
            // Another tool has nothing to do with it.
            let ran = stage.run(&["--no-gate"], &stage.psql(&["-c", "SELECT 1"]));
            assert_eq!(ran.status, 0, "{ran}");
        }
    }
}

#[test]
fn a_lock_row_that_nobody_has_or_whose_lease_is_over_says_nothing() {
    let stage = Stage::new();
    stage.shop.sql(
        "CREATE TABLE databasechangeloglock (id int, locked bool, lockgranted timestamp, lockedby text); \
         INSERT INTO databasechangeloglock VALUES (1, false, NULL, NULL); \
         CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 0); \
         CREATE TABLE goose_lock (lock_id bigint, locked bool, locked_by text, lease_expires_at timestamptz); \
         INSERT INTO goose_lock VALUES (1, true, 'runner7', now() - interval '1 minute')",
    );
    assert_not_told(&stage);
    // Nobody waits for a table that is kept from readers, and nothing of it is said.
    let mut tool = stage.shop.session();
    tool.exec("BEGIN; LOCK TABLE knex_migrations_lock");
    let status = common::run_with_input(stage.command(["status"]), "");
    assert_eq!(status.status, 0, "{status}");
}

#[test]
fn a_tools_lock_on_its_table_says_that_it_runs() {
    for (table, lock, command, owner) in [
        (
            "CREATE TABLE schema_migrations (version bigint, inserted_at timestamp)",
            "LOCK TABLE schema_migrations IN SHARE UPDATE EXCLUSIVE MODE",
            ["mix", "ecto.migrate"],
            "Ecto has SHARE UPDATE EXCLUSIVE on public.schema_migrations",
        ),
        (
            "CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 0)",
            "UPDATE knex_migrations_lock SET is_locked = 1",
            ["knex", "migrate:latest"],
            "Knex has ROW EXCLUSIVE on public.knex_migrations_lock",
        ),
    ] {
        let stage = Stage::new();
        stage.shop.sql(table);
        let mut tool = stage.shop.session();
        tool.exec(&format!("BEGIN; {lock}"));
        assert_told(&stage, "table_lock", owner, &command);
        tool.exec("COMMIT");
    }
}

#[test]
fn an_advisory_lock_of_the_tool_says_that_it_runs() {
    let stage = Stage::new();
    let mut tool = stage.shop.session();
    tool.exec("SELECT pg_advisory_lock(72707369)");
    let words = format!("Prisma's lock is held, pid {}", tool.pid());
    assert_told(
        &stage,
        "advisory_lock",
        &words,
        &["npx", "prisma", "migrate", "deploy"],
    );
}

#[test]
fn the_same_statement_in_another_session_is_the_same_migration() {
    let stage = Stage::new();
    let holder = stage.holder();
    let mut by_hand = stage.shop.session_named("psql");
    by_hand.start(&format!("-- 0057, by hand\n{ADD} ;"));
    by_hand.until_waiting();
    let file = stage.file("0057.sql", &format!("BEGIN;\n{ADD};\nCOMMIT;"));
    let gate = common::run_with_input(stage.command(["gate", &*file, "--format", "json"]), "");
    assert_eq!(gate.json()["running"][0]["known_by"], "statement", "{gate}");
    assert_eq!(gate.json()["running"][0]["pid"], by_hand.pid(), "{gate}");
    let same = stage.psql(&["-f", &file]);
    let named = vec!["./migrate.sh".to_owned()];
    for (flags, command) in [
        (vec!["--no-gate"], &same),
        (vec!["--no-gate"], &stage.psql(&["-c", ADD])),
        (vec!["--gate", &*file, "--wait", "0s"], &named),
    ] {
        let ran = stage.run(&flags, command);
        assert_eq!(ran.status, 75, "{flags:?}: {ran}");
    }
    assert!(
        stage
            .run(&["--no-gate"], &same)
            .stderr
            .contains("the same statement, pid")
    );
    drop(holder);
    by_hand.join().expect("nobody has signalled it");
}

#[test]
fn a_run_is_seen_by_its_name_and_in_the_history() {
    let stage = Stage::new();
    let holder = stage.holder();
    let mut run = stage.start(
        &["--no-gate", "--max-queue", "1h"],
        &stage.psql(&["-c", ADD]),
    );
    stage.until_run_waits();
    for (running, text) in told(&stage) {
        assert_eq!(running[0]["known_by"], "history", "{running}");
        assert_eq!(running.as_array().map(Vec::len), Some(1), "{running}");
        assert!(text.contains("a migration is running"), "{text}");
    }
    let words = ["status", "--no-history", "--format", "json"];
    let status = common::run_with_input(stage.command(words), "").json();
    assert_eq!(
        status["summary"]["running"][0]["known_by"], "name",
        "{status}"
    );
    holder.close();
    assert_eq!(run.wait(), 0, "{}", stage.out());
    assert_not_told(&stage);
}

#[test]
fn what_ends_a_tools_lock_is_not_kept_from_it() {
    let stage = Stage::new();
    stage.shop.sql("CREATE TABLE knex_migrations_lock (index int, is_locked int); INSERT INTO knex_migrations_lock VALUES (1, 1)");
    for (command, status) in [
        ("migrate:unlock", 0),
        ("migrate:latest", 75),
        ("migrate:rollback", 75),
    ] {
        let knex = stage.file("knex", "#!/bin/sh\nexit 0\n");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&knex, mode).expect("made a program");
        let ran = stage.run(&["--no-gate"], &[knex, command.to_owned()]);
        assert_eq!(ran.status, status, "{command}: {ran}");
    }
}
