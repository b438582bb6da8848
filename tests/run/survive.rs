//! What the run outlives, and how it ends when it is asked to.

use crate::common;
use crate::stage::{Stage, pid_in, sh};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

#[test]
fn asked_to_stop_it_cancels_its_sessions_and_then_ends_the_command() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let stage = Stage::new();
        let holder = stage.holder();
        let mut run = stage.start(
            &["--no-gate", "--max-queue", "1h"],
            &stage.psql(&["-c", ADD]),
        );
        stage.until_run_waits();
        let mut reader = stage.shop.session();
        reader.start("SELECT count(*) FROM orders");
        reader.until_waiting();
        run.signal(signal);
        assert_eq!(run.wait(), status, "{}", stage.out());
        assert_eq!(reader.join().as_deref(), Ok("1"));
        stage.until_no_session();
        assert!(stage.out().contains("not applied"), "{}", stage.out());
        assert!(holder.is_there());
    }
}

#[test]
fn a_command_that_does_not_answer_is_ended_at_the_second_signal() {
    let stage = Stage::new();
    let command = sh("trap '' INT TERM; echo ready; while true; do sleep 0.1; done");
    let mut run = stage.start(&["--no-gate"], &command);
    stage.until_said("ready");
    run.signal(Signal::SIGTERM);
    stage.until_said("SIGTERM: ending the command");
    assert!(!run.is_over());
    run.signal(Signal::SIGTERM);
    assert_eq!(run.wait(), 143, "{}", stage.out());
}

#[test]
fn asked_to_stop_before_the_command_nothing_is_started() {
    let stage = Stage::new();
    let holder = stage.holder();
    let proof = stage.path("started");
    let mut run = stage.start(
        &["--wait", "1h"],
        &sh(&format!("touch {}", proof.display())),
    );
    stage.until_said("is in the way");
    run.signal(Signal::SIGTERM);
    assert_eq!(run.wait(), 143, "{}", stage.out());
    assert!(!proof.exists());
    drop(holder);
}

#[test]
fn a_terminal_that_hangs_up_does_not_end_it_and_attach_shows_it_whole() {
    let stage = Stage::new();
    let (go, after) = (stage.path("go"), "and after it");
    let command = sh(&format!(
        "echo before the hangup; while [ ! -e {} ]; do sleep 0.05; done; echo {after}; exit 3",
        go.display()
    ));
    let mut run = stage.start(&["--no-gate"], &command);
    stage.until_said("before the hangup");
    run.signal(Signal::SIGHUP);
    common::until("the log says it", || {
        // A history that is slow to answer has none yet.
        let runs = stage.runs();
        let log = runs
            .first()
            .and_then(|run| run["facts"]["log"].as_str())
            .map(str::to_owned);
        log.is_some_and(|log| {
            std::fs::read_to_string(log)
                .unwrap_or_default()
                .contains("the terminal is gone")
        })
    });
    std::fs::write(&go, "").expect("written");
    let attached = common::run_with_input(stage.command(["run", "--attach"]), "");
    assert_eq!(attached.status, 3, "the status is the run's: {attached}");
    assert!(attached.stdout.contains("before the hangup"), "{attached}");
    assert!(attached.stdout.contains(after), "{attached}");
    assert_eq!(run.wait(), 3);
    assert!(
        !stage.out().contains("\nand after it\n"),
        "after it only the log is written"
    );
}

#[test]
fn it_can_be_started_in_the_background() {
    let stage = Stage::new();
    let command = stage.psql(&["-c", ADD]);
    let flags = ["run", "--detach", "--"].map(str::to_owned);
    let started = common::run_with_input(stage.command(flags.iter().chain(&command)), "");
    assert_eq!(started.status, 0, "{started}");
    let name = started.stdout.trim();
    let attached = common::run_with_input(stage.command(["run", "--attach", name]), "");
    assert_eq!(attached.status, 0, "{attached}");
    assert!(
        attached.stdout.contains("applied: the schema has changed"),
        "{attached}"
    );
    assert!(stage.has_column("total"));
}

#[test]
fn killed_itself_its_guard_cancels_its_sessions_and_ends_the_command() {
    let stage = Stage::new();
    let holder = stage.holder();
    let (pid, page) = (stage.path("pid"), stage.path("page.html"));
    let psql = stage.psql(&["-c", ADD]).join("' '");
    let command = sh(&format!("echo $$ > {}; exec '{psql}'", pid.display()));
    let flags = [
        "--no-gate",
        "--max-queue",
        "1h",
        "--maintenance-page",
        page.to_str().expect("a path"),
    ];
    let mut run = stage.start(&flags, &command);
    stage.until_run_waits();
    assert!(page.exists());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.wait(), -1);
    stage.until_no_session();
    let child = Pid::from_raw(pid_in(&pid));
    common::until("the command is gone", || kill(child, None).is_err());
    common::until("the page is gone", || !page.exists());
    common::until("the history says so", || {
        stage.runs()[0]["result"] == "unknown"
    });
    assert!(holder.is_there());
    assert!(!stage.has_column("total"));
}

#[test]
fn a_run_that_loses_its_server_says_that_nothing_is_known() {
    use pgguard::test_support::throwaway::Options;
    let server = common::own_server(&Options::major(
        common::server()
            .version()
            .split('.')
            .next()
            .unwrap_or("15")
            .parse()
            .unwrap_or(15),
    ));
    server
        .sql("postgres", "CREATE DATABASE lost")
        .expect("created");
    let stage = Stage::new();
    let mut command = stage.command([
        "run",
        "--no-gate",
        "--",
        "sh",
        "-c",
        "echo ready; while [ ! -e go ]; do sleep 0.05; done",
    ]);
    command
        .env("DATABASE_URL", server.url("lost"))
        .current_dir(stage.folder.path());
    let mut run = crate::stage::Started::of(command, &stage.path("out"));
    stage.until_said("ready");
    let pid = std::fs::read_to_string(server.data_dir().join("postmaster.pid"))
        .expect("the server's pid");
    let pid = pid.lines().next().and_then(|line| line.parse().ok());
    // SIGQUIT: an immediate shutdown.
    kill(Pid::from_raw(pid.expect("a pid")), Signal::SIGQUIT).expect("the server is there");
    std::fs::write(stage.path("go"), "").expect("written");
    run.wait();
    let out = stage.out();
    assert!(out.contains("what it left is unknown"), "{out}");
    assert_eq!(stage.runs()[0]["result"], "unknown");
}

#[test]
fn attach_needs_no_history_and_never_says_0_of_a_run_that_was_killed() {
    let stage = Stage::new();
    let mut run = stage.start(
        &["--no-gate", "--no-history"],
        &sh("echo ready; sleep 1; exit 5"),
    );
    stage.until_said("ready");
    let name = stage
        .out()
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("pgguard: run ").map(str::to_owned));
    let name = name.expect("its name");
    let attach = || common::run_with_input(stage.command(["run", "--attach", &*name]), "");
    let attached = attach();
    assert_eq!(attached.status, 5, "{attached}");
    assert!(attached.stdout.contains("ready"), "{attached}");
    assert_eq!(run.wait(), 5);
    assert_eq!(attach().status, 5, "and afterwards");
    let mut killed = stage.start(&["--no-gate"], &sh("echo goes on; sleep 1000"));
    stage.until_said("goes on");
    killed.signal(Signal::SIGKILL);
    killed.wait();
    let attached = common::run_with_input(stage.command(["run", "--attach"]), "");
    assert_eq!(attached.status, 2, "{attached}");
    assert!(attached.stderr.contains("pgguard doctor"), "{attached}");
}
