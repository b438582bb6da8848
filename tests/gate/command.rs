//! `pgguard gate` and `pgguard explain` as a pipeline runs them: exit statuses, forms, several servers,
//! waiting, recordings.

use crate::common::{Database, Dump, Outcome, pgguard, pgguard_command, pgguard_with_input, shop};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;

const ADD_COLUMN: &str = "ALTER TABLE orders ADD COLUMN remark text;\n";
const PLAIN_INDEX: &str = "CREATE INDEX orders_by_id ON orders (id);\n";

fn gate(database: &Database, sql: &str, more: &[&str]) -> Outcome {
    let url = database.url();
    let arguments = ["gate", "-d", &url, "-"]
        .into_iter()
        .chain(more.iter().copied());
    pgguard_with_input(arguments, sql)
}

#[test]
fn a_running_dump_blocks_an_alter_and_not_a_plain_index() {
    let shop = shop();
    let dump = Dump::stalled(&shop);

    let alter = gate(&shop, ADD_COLUMN, &[]);
    assert_eq!(alter.status, 1, "{alter}");
    assert!(alter.stdout.contains("backup (pg_dump"), "{alter}");
    assert!(alter.stdout.contains(&dump.pid().to_string()), "{alter}");

    let index = gate(&shop, PLAIN_INDEX, &[]);
    assert_eq!(index.status, 0, "{index}");

    let surprise = gate(&shop, "CREATE INDEX CONCURRENTLY i ON orders (id);", &[]);
    assert_eq!(surprise.status, 1, "{surprise}");
}

/// Others see the parent and the child as they were: what Postgres would refuse by that, it runs.
#[test]
fn a_refusal_is_a_doubt_where_the_asking_session_has_changes_that_nobody_sees() {
    let database = crate::common::database();
    database.sql("CREATE TABLE p (id int); CREATE TABLE c () INHERITS (p)");
    let sql = "ALTER TABLE c ALTER COLUMN id TYPE bigint;";
    let mut asking = database.session();
    asking.exec("BEGIN");
    let pid = asking.pid().to_string();
    let before = gate(&database, sql, &["--asking", &pid]);
    assert_eq!(before.status, 1, "{before}");
    asking.exec("ALTER TABLE c NO INHERIT p");
    let after = gate(&database, sql, &["--asking", &pid]);
    assert_eq!(after.status, 2, "{after}");
    assert!(after.stdout.contains("ask before it begins"), "{after}");
    let allowed = gate(&database, sql, &["--asking", &pid, "--allow", "failing"]);
    assert_eq!(allowed.status, 0, "{allowed}");
    asking.exec(sql);
    asking.exec("ROLLBACK");
}

#[test]
fn a_role_that_the_session_has_set_before_is_told_to_the_gate() {
    let shop = shop();
    shop.sql("CREATE ROLE nobody");
    let mut reader = shop.session();
    reader.exec("BEGIN; SELECT FROM orders");
    let mut asking = shop.session();
    asking.exec("SET ROLE nobody");
    let pid = asking.pid().to_string();

    // Its last message tells.
    let seen = gate(&shop, ADD_COLUMN, &["--asking", &pid]);
    assert_eq!(seen.status, 0, "{seen}");
    let back = gate(
        &shop,
        &format!("RESET ROLE; {ADD_COLUMN}"),
        &["--asking", &pid],
    );
    assert_eq!(back.status, 1, "{back}");
    asking.exec("SELECT 1");
    let untold = gate(&shop, ADD_COLUMN, &["--asking", &pid]);
    assert_eq!(untold.status, 1, "{untold}");
    let told = gate(&shop, ADD_COLUMN, &["--asking", &pid, "--role", "nobody"]);
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("role nobody may not touch"), "{told}");
    let refused = asking.try_exec(ADD_COLUMN).unwrap_err();
    assert!(refused.contains("must be owner"), "{refused}");
    // Rights that it has given and not committed are not seen.
    asking.exec("RESET ROLE; BEGIN; GRANT TRUNCATE ON orders TO nobody");
    asking.exec("SET ROLE nobody");
    let unseen = gate(
        &shop,
        "TRUNCATE orders",
        &["--asking", &pid, "--role", "nobody"],
    );
    assert_eq!(unseen.status, 1, "{unseen}");
    asking.exec("ROLLBACK");
    // Nobody acts in a role that he may not set.
    shop.sql("CREATE ROLE stranger LOGIN");
    let mut stranger = shop.session_as("stranger");
    stranger.try_exec("SET ROLE nobody").unwrap_err();
    let pid = stranger.pid().to_string();
    let not_acting = gate(&shop, ADD_COLUMN, &["--asking", &pid]);
    assert_eq!(not_acting.status, 1, "{not_acting}");
    stranger.close();
    shop.sql("DROP ROLE nobody, stranger");
}

#[test]
fn without_a_migration_any_dumped_table_is_in_the_way() {
    let shop = shop();
    let url = shop.url();
    let calm = pgguard(["gate", "-d", &url]);
    assert_eq!(calm.status, 0, "{calm}");

    let _dump = Dump::stalled(&shop);
    let strict = pgguard(["gate", "-d", &url]);
    assert_eq!(strict.status, 1, "{strict}");
}

#[test]
fn the_gate_turns_green_when_the_dump_has_gone() {
    let shop = shop();
    let mut dump = Dump::stalled(&shop);
    let url = shop.url();
    let mut waiting = pgguard_command()
        .args([
            "gate",
            "-d",
            &url,
            "--wait",
            "60s",
            "--interval",
            "200ms",
            "--stable",
            "2",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgguard starts");
    {
        use std::io::Write;
        let mut input = waiting.stdin.take().expect("a pipe");
        input.write_all(ADD_COLUMN.as_bytes()).expect("it reads");
    }
    // It has looked at least once when it says that it waits.
    let mut said = String::new();
    {
        use std::io::{BufRead, BufReader};
        let log = waiting.stderr.as_mut().expect("a pipe");
        BufReader::new(log).read_line(&mut said).expect("a line");
    }
    assert!(said.contains("waiting: backup"), "{said}");
    dump.kill();
    let done = waiting.wait_with_output().expect("it ends");
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
}

#[test]
fn waiting_ends_with_would_block_when_the_time_is_over() {
    let shop = shop();
    let _dump = Dump::stalled(&shop);
    let waited = gate(&shop, ADD_COLUMN, &["--wait", "1s", "--interval", "200ms"]);
    assert_eq!(waited.status, 1, "{waited}");
}

#[test]
fn a_signal_ends_the_wait_at_once_and_is_no_green_light() {
    let shop = shop();
    let _dump = Dump::stalled(&shop);
    let url = shop.url();
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut waiting = pgguard_command()
            .args(["gate", "-d", &url, "--wait", "10m", "--interval", "100ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pgguard starts");
        {
            use std::io::{BufRead, BufReader};
            let log = waiting.stderr.as_mut().expect("a pipe");
            BufReader::new(log)
                .read_line(&mut String::new())
                .expect("a line");
        }
        let pid = i32::try_from(waiting.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it still waits");
        assert_eq!(waiting.wait().expect("it ends").code(), Some(status));
    }
}

#[test]
fn what_cannot_be_known_is_never_green() {
    let shop = shop();
    let cases = [
        (
            "DO $$ BEGIN EXECUTE current_setting('app.sql', true); END $$;",
            "an opaque block",
        ),
        ("ALTER TABEL orders ADD x int;", "no SQL"),
        ("\\i other.sql\n", "a psql command"),
    ];
    for (sql, what) in cases {
        let answer = gate(&shop, sql, &[]);
        assert_eq!(answer.status, 2, "{what}: {answer}");
    }
    let allowed = gate(&shop, cases[0].0, &["--allow-opaque"]);
    assert_eq!(allowed.status, 0, "{allowed}");
}

#[test]
fn bad_usage_and_empty_input_exit_with_two() {
    let shop = shop();
    let url = shop.url();
    for arguments in [
        vec!["gate", "-d", &url, "no-such-file.sql"],
        vec!["gate", "-d", &url, "--no-such-flag"],
        vec!["gate", "-d", &url, "--wait", "soon"],
        vec!["gate", "-d", "postgresql://127.0.0.1:1/none"],
        vec!["gate", "-d", "no://such/scheme"],
        vec!["explain", "-d", &url],
    ] {
        let refused = pgguard(&arguments);
        assert_eq!(refused.status, 2, "{arguments:?}: {refused}");
    }
    let empty = gate(&shop, "-- nothing here\n", &[]);
    assert_eq!(empty.status, 2, "{empty}");
}

#[test]
fn every_form_tells_the_same_answer() {
    let shop = shop();
    let _dump = Dump::stalled(&shop);
    for (form, sign) in [
        ("json", "\"verdict\": \"would_block\""),
        ("github", "::error "),
        ("junit", "<failure"),
        ("sarif", "\"level\": \"error\""),
        ("gitlab", "\"check_name\""),
        ("markdown", "### pgguard: WOULD BLOCK"),
    ] {
        let told = gate(&shop, ADD_COLUMN, &["--format", form]);
        assert_eq!(told.status, 1, "{told}");
        assert!(told.stdout.contains(sign), "{form}: {told}");
    }
}

#[test]
fn several_servers_give_one_verdict_each_and_one_over_all() {
    let busy = shop();
    let calm = shop();
    let _dump = Dump::stalled(&busy);
    let (busy_flag, calm_flag) = (
        format!("busy={}", busy.url()),
        format!("calm={}", calm.url()),
    );
    let both = [
        "gate", "--target", &busy_flag, "--target", &calm_flag, "--format", "json", "-",
    ];
    let told = pgguard_with_input(both, ADD_COLUMN);
    assert_eq!(told.status, 1, "{told}");
    let document = told.json();
    assert_eq!(document["verdict"], "would_block");
    assert_eq!(document["targets"][0]["verdict"], "would_block");
    assert_eq!(document["targets"][1]["verdict"], "clear");

    let gone = [
        "gate",
        "--target",
        &calm_flag,
        "--target",
        "gone=postgresql://127.0.0.1:1/x",
        "-",
    ];
    let told = pgguard_with_input(gone, ADD_COLUMN);
    assert_eq!(
        told.status, 2,
        "one that cannot be reached is no green light: {told}"
    );
}

#[test]
fn a_recording_gives_the_same_verdict_without_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("incident.json");
    let file = file.to_str().expect("a path of text");
    let live = {
        let shop = shop();
        let _dump = Dump::stalled(&shop);
        gate(&shop, ADD_COLUMN, &["--record", file])
    };
    let again = pgguard_with_input(["gate", "--replay", file, "-"], ADD_COLUMN);
    assert_eq!((again.status, &again.stdout), (live.status, &live.stdout));
}

#[test]
fn a_recording_knows_which_migrations_were_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let migrations = folder.path().join("migrations");
    std::fs::create_dir(&migrations).expect("a folder");
    for (name, sql) in [
        (
            "20260101000000_first.sql",
            "ALTER TABLE items ADD COLUMN remark text;",
        ),
        (
            "20260102000000_second.sql",
            "ALTER TABLE orders ADD COLUMN remark text;",
        ),
    ] {
        let text = format!("-- migrate:up\n{sql}\n\n-- migrate:down\n");
        std::fs::write(migrations.join(name), text).expect("a file");
    }
    let migrations = migrations.to_str().expect("a path of text");
    let file = folder.path().join("incident.json");
    let file = file.to_str().expect("a path of text");
    let live = {
        let shop = shop();
        shop.sql(
            "CREATE TABLE items (a int); \
             CREATE TABLE schema_migrations (version varchar PRIMARY KEY); \
             INSERT INTO schema_migrations VALUES ('20260101000000')",
        );
        // Only the migration that is applied already would wait.
        let mut reader = shop.session();
        reader.begin_and_lock("items", "ACCESS SHARE");
        let url = shop.url();
        let with = ["gate", "-d", &url, "--patience", "0s"];
        let all = pgguard(with.into_iter().chain(["--all", migrations]));
        assert_eq!(all.status, 1, "{all}");
        pgguard(with.into_iter().chain(["--record", file, migrations]))
    };
    assert_eq!(live.status, 0, "{live}");
    let again = pgguard(["gate", "--replay", file, "--patience", "0s", migrations]);
    assert_eq!((again.status, &again.stdout), (live.status, &live.stdout));
}

#[test]
fn before_a_backup_the_question_is_turned_round() {
    let shop = shop();
    let url = shop.url();
    let ask = ["gate", "-d", &url, "--before", "backup"];
    let calm = pgguard(ask);
    assert_eq!(calm.status, 0, "{calm}");

    let mut migration = shop.session();
    migration.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let refused = pgguard(ask.into_iter().chain(["--patience", "0s"]));
    assert_eq!(refused.status, 1, "{refused}");
}

#[test]
fn explain_lists_the_parent_of_a_dropped_foreign_key() {
    let shop = shop();
    shop.sql(
        "CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE child (p int CONSTRAINT child_p REFERENCES parent)",
    );
    let url = shop.url();
    let told = pgguard_with_input(
        ["explain", "-d", &url, "--format", "json", "-"],
        "ALTER TABLE child DROP CONSTRAINT child_p;",
    );
    assert_eq!(told.status, 0, "{told}");
    let document = told.json();
    let locks = document["statements"][0]["locks"]
        .as_array()
        .expect("a list");
    let parent = locks.iter().find(|lock| lock["relation"] == "parent");
    let parent = parent.expect("the parent is listed");
    assert_eq!(parent["mode"], "ACCESS EXCLUSIVE");
    assert_eq!(parent["named"], false);
}
