//! The command under watch: it waits its turn, makes way for others, and is never started twice where that is not safe.

use crate::common;
use crate::stage::{Stage, pid_in, sh};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

#[test]
fn a_migration_is_run_and_its_end_is_told_from_the_server() {
    let stage = Stage::new();
    let ran = stage.run(
        &["--gate", &stage.file("a.sql", ADD)],
        &stage.psql(&["-c", ADD]),
    );
    assert_eq!(ran.status, 0, "{ran}");
    assert_eq!(ran.stdout, "ALTER TABLE\n", "its output is its own");
    assert!(
        ran.stderr.contains("applied: the schema has changed"),
        "{ran}"
    );
    assert!(stage.has_column("total"));
    let run = &stage.runs()[0];
    assert_eq!(
        (&run["result"], &run["exit_status"]),
        (&"applied".into(), &0.into())
    );
    let again = stage.run(&[], &stage.psql(&["-c", "SELECT 1"]));
    assert!(again.stderr.contains("nothing to do"), "{again}");
}

#[test]
fn its_sessions_bear_its_name_and_begin_with_settings_of_ours_after_the_users() {
    let stage = Stage::new();
    let show = "SELECT current_setting('application_name'), current_setting('work_mem'), \
                current_setting('lock_timeout'), current_setting('client_connection_check_interval')";
    let command = stage.psql(&["-Atc", show]);
    let flags = ["run", "--lock-timeout", "3s", "--"].map(str::to_owned);
    let mut pgguard = stage.command(flags.iter().chain(&command));
    pgguard
        .env("PGAPPNAME", "deploy")
        .env("PGOPTIONS", "-c work_mem=5MB");
    let ran = common::run_with_input(pgguard, "");
    assert_eq!(ran.status, 0, "{ran}");
    assert!(ran.stdout.starts_with("deploy pgguard:2"), "{ran}");
    assert!(ran.stdout.trim_end().ends_with("|5MB|3s|2s"), "{ran}");
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_started() {
    let stage = Stage::new();
    let holder = stage.holder();
    let proof = stage.path("started");
    let command = sh(&format!("touch {}", proof.display()));
    for flags in [vec!["--gate", &*stage.file("a.sql", ADD)], vec![]] {
        let ran = stage.run(&flags, &command);
        assert_eq!(ran.status, 75, "{ran}");
        assert!(
            ran.stderr.contains(&format!("pid {}", holder.pid())),
            "{ran}"
        );
        assert!(!proof.exists());
    }
    assert_eq!(stage.runs()[0]["result"], "not_started");
    let ran = stage.run(&["--no-gate"], &command);
    assert_eq!(ran.status, 0, "{ran}");
    assert!(proof.exists());
}

#[test]
fn it_waits_for_a_holder_that_leaves() {
    let stage = Stage::new();
    let holder = stage.holder();
    let mut run = stage.start(&["--wait", "60s"], &stage.psql(&["-c", ADD]));
    stage.until_said("is in the way");
    assert!(!stage.has_column("total"));
    holder.close();
    assert_eq!(run.wait(), 0, "{}", stage.out());
    assert!(stage.has_column("total"));
}

#[test]
fn when_users_queue_behind_it_it_makes_way_and_nobody_else_is_signalled() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let holder = stage.holder();
        let mut run = stage.start(&["--no-gate"], &stage.psql(&["-c", ADD]));
        let own = stage.until_run_waits();
        let mut reader = stage.shop.session_named("web");
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(
            reader.join().as_deref(),
            Ok("1"),
            "{major}: the reader is free"
        );
        assert_ne!(run.wait(), 0, "{major}");
        let out = stage.out();
        assert!(
            out.contains(&format!("cancelled pid {own}")),
            "{major}: {out}"
        );
        assert!(
            out.contains("in the way was") && out.contains(&format!("pid {}", holder.pid())),
            "{major}: {out}"
        );
        assert!(out.contains("not applied"), "{major}: {out}");
        assert!(holder.is_there() && reader.is_there(), "{major}");
        let run = &stage.runs()[0];
        assert_eq!(run["result"], "not_applied", "{major}");
        assert_eq!(run["facts"]["cancels"], 1, "{major}");
        assert_eq!(run["facts"]["waits"][0]["pid"], holder.pid(), "{major}");
    }
}

#[test]
fn it_is_tried_again_once_the_holder_has_gone() {
    let stage = Stage::new();
    let holder = stage.holder();
    let file = stage.file("a.sql", &format!("{ADD};"));
    // The gate lets it through, and then the holder stays.
    let flags = ["--no-gate", "--wait", "60s", "--tries", "3"];
    let mut run = stage.start(&flags, &stage.psql(&["-f", &file]));
    stage.until_run_waits();
    let mut reader = stage.shop.session_named("web");
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(reader.join().as_deref(), Ok("1"));
    stage.until_said("it is tried again");
    holder.close();
    assert_eq!(run.wait(), 0, "{}", stage.out());
    assert!(stage.has_column("total"));
    assert_eq!(stage.runs()[0]["tries"], 2);
}

#[test]
fn what_could_happen_twice_is_not_tried_again() {
    for (script, why) in [
        (
            "UPDATE orders SET note = note || 'x'; ALTER TABLE orders ADD COLUMN total int;",
            "written rows",
        ),
        (
            "CREATE TABLE first (id int); ALTER TABLE orders ADD COLUMN total int;",
            "the schema has changed",
        ),
    ] {
        let stage = Stage::new();
        let holder = stage.holder();
        let file = stage.file("a.sql", script);
        let mut run = stage.start(&["--no-gate", "--tries", "3"], &stage.psql(&["-f", &file]));
        stage.until_run_waits();
        let mut reader = stage.shop.session_named("web");
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(reader.join().as_deref(), Ok("1"));
        assert_ne!(run.wait(), 0);
        let out = stage.out();
        assert!(
            out.contains("it is not tried again") && out.contains(why),
            "{out}"
        );
        assert_eq!(stage.runs()[0]["tries"], 1);
        holder.close();
    }
}

/// Rails' `disable_ddl_transaction!` and its like: the tool's habit is one transaction, this migration has none.
#[test]
fn a_migration_without_its_tools_transaction_is_not_tried_again() {
    for (in_block, status) in [(true, 0), (false, 1)] {
        let stage = Stage::new();
        let holder = stage.holder();
        let mut steps = vec!["UPDATE orders SET note = note || 'x'", ADD];
        if in_block {
            steps.insert(0, "BEGIN");
            steps.push("COMMIT");
        }
        let words: Vec<&str> = steps.iter().flat_map(|step| ["-c", step]).collect();
        let psql = stage.psql(&words).join("' '");
        std::fs::create_dir(stage.path("bin")).expect("a folder");
        let rails = stage.file(
            "bin/rails",
            &format!(
                "#!/bin/sh\nexec '{}'\n",
                psql.replace("note || 'x'", "note || $$x$$")
            ),
        );
        std::fs::set_permissions(&rails, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("made a program");
        let flags = ["--no-gate", "--wait", "60s", "--tries", "3"];
        let mut run = stage.start(&flags, &[rails, "db:migrate".to_owned()]);
        stage.until_run_waits();
        let mut reader = stage.shop.session_named("web");
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(reader.join().as_deref(), Ok("1"));
        stage.until_said(if in_block {
            "it is tried again"
        } else {
            "it is not tried again"
        });
        holder.close();
        assert_eq!(run.wait(), status, "{}", stage.out());
        assert_eq!(stage.shop.sql("SELECT note FROM orders"), "ax", "once");
    }
}

#[test]
fn a_lock_timeout_is_a_reason_to_try_again() {
    let stage = Stage::new();
    let holder = stage.holder();
    let file = stage.file("a.sql", &format!("{ADD};"));
    let flags = ["--no-gate", "--lock-timeout", "300ms", "--tries", "50"];
    let mut run = stage.start(&flags, &stage.psql(&["-1f", &file]));
    stage.until_said("it is tried again");
    holder.close();
    assert_eq!(run.wait(), 0, "{}", stage.out());
    assert!(stage.has_column("total"));
}

#[test]
fn a_part_that_is_done_is_told() {
    let stage = Stage::new();
    let file = stage.file(
        "a.sql",
        "ALTER TABLE orders ADD COLUMN total int; SELECT 1/0;",
    );
    let ran = stage.run(&["--no-gate"], &stage.psql(&["-f", &file]));
    assert_eq!(ran.status, 3, "psql's own: {ran}");
    assert!(ran.stderr.contains("half applied"), "{ran}");
    assert!(
        ran.stderr.contains("of its 2 statements 1 is done"),
        "{ran}"
    );
    assert_eq!(stage.runs()[0]["result"], "half_applied");
    let ran = stage.run(&["--no-gate"], &stage.psql(&["-c", "SELECT 1/0"]));
    assert!(ran.stderr.contains("not applied"), "{ran}");
}

#[test]
fn a_success_that_the_command_claims_after_it_was_cancelled_is_none() {
    let stage = Stage::new();
    let holder = stage.holder();
    let mut command = stage.psql(&["-c", ADD, "-c", "SELECT 1"]);
    command.retain(|word| word != "-v" && word != "ON_ERROR_STOP=1");
    let mut run = stage.start(&["--no-gate"], &command);
    stage.until_run_waits();
    let mut reader = stage.shop.session_named("web");
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(reader.join().as_deref(), Ok("1"));
    assert_eq!(run.wait(), 1, "{}", stage.out());
    assert_eq!(stage.runs()[0]["result"], "not_applied");
    drop(holder);
}

#[test]
fn an_invalid_index_is_named_and_not_tried_again() {
    let stage = Stage::new();
    let mut holder = stage.shop.session();
    holder.exec("BEGIN; UPDATE orders SET note = 'b'");
    let build = "CREATE INDEX CONCURRENTLY by_note ON orders (note)";
    let mut run = stage.start(
        &["--no-gate", "--tries", "3", "--repeat-is-safe"],
        &stage.psql(&["-c", build]),
    );
    stage.until_run_waits();
    let mut other = stage.shop.session();
    other.start("ALTER TABLE orders ADD COLUMN x int");
    assert_ne!(run.wait(), 0);
    let out = stage.out();
    assert!(
        out.contains("DROP INDEX CONCURRENTLY public.by_note"),
        "{out}"
    );
    assert_eq!(stage.runs()[0]["result"], "half_applied");
    holder.exec("ROLLBACK");
    other.join().expect("nobody has signalled it");
}

#[test]
fn a_second_run_of_the_same_command_is_not_started() {
    let stage = Stage::new();
    let holder = stage.holder();
    let command = stage.psql(&["-c", ADD]);
    let mut first = stage.start(&["--no-gate"], &command);
    stage.until_run_waits();
    let second = stage.run(&["--no-gate"], &command);
    assert_eq!(second.status, 75, "{second}");
    assert!(second.stderr.contains("already running"), "{second}");
    // Without the history it is seen in the server.
    let second = stage.run(&["--no-gate", "--no-history"], &command);
    assert_eq!(second.status, 75, "{second}");
    holder.close();
    assert_eq!(first.wait(), 0, "{}", stage.out());
}

#[test]
fn a_tool_that_has_its_lock_is_already_running() {
    let stage = Stage::new();
    let mut other = stage.shop.session();
    other.exec(&format!(
        "SELECT pg_advisory_lock({})",
        2_053_462_845_i64
            * i64::from(pgguard::test_support::tools::crc32(
                stage.shop.name.as_bytes()
            ))
    ));
    let command = ["bin/rails", "db:migrate"].map(str::to_owned);
    let ran = stage.run(&["--no-gate"], &command);
    assert_eq!(ran.status, 75, "{ran}");
    let who = format!("Rails's lock is held, pid {}", other.pid());
    assert!(ran.stderr.contains(&who), "{ran}");
}

#[test]
fn a_command_that_is_not_there_and_a_server_that_is_not() {
    let stage = Stage::new();
    let ran = stage.run(&[], &["no-such-command".to_owned()]);
    assert_eq!(ran.status, 127, "{ran}");
    let ran = stage.run(&["-h", "127.0.0.1", "-p", "1"], &sh("exit 0"));
    assert_eq!(ran.status, 75, "{ran}");
    assert_eq!(stage.run(&["--tries", "0"], &sh("exit 0")).status, 2);
}

#[test]
fn its_input_and_its_status_are_its_own() {
    let stage = Stage::new();
    let words = [
        "run",
        "--no-gate",
        "--",
        "sh",
        "-c",
        "cat; echo err >&2; exit 7",
    ];
    let ran = common::run_with_input(stage.command(words), "in");
    assert_eq!((ran.status, &*ran.stdout), (7, "in"));
    assert!(ran.stderr.contains("err\n"), "{ran}");
    let ran = stage.run(&["--no-gate"], &sh("kill -9 $$"));
    assert_eq!(ran.status, 137, "{ran}");
}

#[test]
fn a_command_that_dies_leaves_no_session_behind() {
    let stage = Stage::new();
    let holder = stage.holder();
    let pid = stage.path("pid");
    let psql = stage.psql(&["-c", ADD]).join("' '");
    let command = sh(&format!("echo $$ > {}; exec '{psql}'", pid.display()));
    let mut run = stage.start(&["--no-gate", "--max-queue", "1h"], &command);
    stage.until_run_waits();
    kill(Pid::from_raw(pid_in(&pid)), Signal::SIGKILL).expect("killed");
    assert_eq!(run.wait(), 137, "{}", stage.out());
    stage.until_no_session();
    assert!(stage.out().contains("not applied"), "{}", stage.out());
    assert!(!stage.has_column("total"));
    assert!(holder.is_there());
}

#[test]
fn what_runs_on_in_the_background_after_success_is_left_alone() {
    let stage = Stage::new();
    let psql = stage.psql(&["-c", "SELECT pg_sleep(600)"]).join("' '");
    let command = sh(&format!("'{psql}' >/dev/null 2>&1 & sleep 1; exit 0"));
    let ran = stage.run(&["--no-gate"], &command);
    assert_eq!(ran.status, 0, "{ran}");
    assert_eq!(stage.sessions(), "1");
    stage.shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()");
}

#[test]
fn a_password_in_the_command_is_neither_shown_nor_kept() {
    let stage = Stage::new();
    let all = "true postgres://app:geheim@db/shop --db-password=geheim --password geheim -W geheim app:geheim@db \
               'jdbc:postgresql://db/shop?user=a&password=geheim'";
    let line = format!("PGPASSWORD=geheim {all}");
    let words: Vec<String> = all
        .replace('\'', "")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    for command in [words, sh(&line)] {
        let hooks = [
            "--no-gate",
            "--before",
            &line,
            "--then",
            &line,
            "--after",
            &line,
        ];
        let summary = stage.path("summary.md");
        let mut run = stage.command([&["run"], &hooks[..], &["--"]].concat());
        run.args(&command).env("GITHUB_STEP_SUMMARY", &summary);
        let ran = common::run_with_input(run, "");
        assert_eq!(ran.status, 0, "{ran}");
        let kept = &stage.runs()[0];
        let log =
            std::fs::read_to_string(kept["facts"]["log"].as_str().expect("a log")).expect("read");
        let told = common::run_with_input(stage.command(["log"]), "").stdout;
        let list = common::run_with_input(stage.command(["run", "--list"]), "").stdout;
        let summary = std::fs::read_to_string(&summary).expect("a summary");
        for text in [&ran.stderr, &kept.to_string(), &log, &told, &list, &summary] {
            assert!(text.contains("postgres://app:***@db/shop"), "{text}");
            assert!(!text.contains("geheim"), "{text}");
        }
    }
    for place in ["history", "state"] {
        let found = std::process::Command::new("grep")
            .arg("-rlaF")
            .arg("geheim")
            .arg(stage.path(place))
            .output();
        let found = found.expect("grep runs").stdout;
        assert!(found.is_empty(), "{}", String::from_utf8_lossy(&found));
    }
}
