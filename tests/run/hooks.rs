//! What comes before and after: hooks, the maintenance page, sessions that began before the change.

use crate::stage::{Stage, sh};
use nix::sys::signal::Signal;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

#[test]
fn hooks_are_told_why_and_until_when_and_run_in_their_order() {
    let stage = Stage::new();
    let log = stage.path("log");
    let note = |name: &str| {
        format!(
            "echo {name} \"$PGGUARD_REASON|$REASON|$PGGUARD_RETRY_AFTER|$PGGUARD_RESULT|$PGGUARD_STATUS\" >> {}; \
             [ -n \"$PGGUARD_UNTIL\" ] && [ -n \"$UNTIL\" ]",
            log.display()
        )
    };
    let (before, after, then) = (note("before"), note("after"), note("then"));
    let flags = [
        "--before", &before, "--after", &after, "--then", &then, "--reason", "a column", "--takes",
        "10m",
    ];
    let ran = stage.run(&flags, &stage.psql(&["-c", ADD]));
    assert_eq!(ran.status, 0, "{ran}");
    let lines = std::fs::read_to_string(&log).expect("a log");
    let lines: Vec<String> = lines
        .lines()
        .map(|line| line.replace("|599|", "|600|"))
        .collect();
    assert_eq!(
        lines,
        [
            "before a column|a column|600||",
            "then a column|a column|600||",
            "after a column|a column|600|applied|0"
        ]
    );
}

#[test]
fn a_failing_hook_before_stops_and_one_after_success_is_76() {
    let stage = Stage::new();
    let proof = stage.path("after");
    let touch = format!("touch {}", proof.display());
    let ran = stage.run(
        &["--before", "exit 4", "--after", &touch],
        &stage.psql(&["-c", ADD]),
    );
    assert_eq!(ran.status, 75, "{ran}");
    assert!(proof.exists(), "--after runs once --before was begun");
    assert!(!stage.has_column("total"));
    for flag in ["--then", "--after"] {
        let ran = stage.run(
            &[flag, "echo spoken; exit 4"],
            &stage.psql(&["-c", "SELECT 1"]),
        );
        assert_eq!(ran.status, 76, "{ran}");
        assert!(ran.stdout.contains("spoken"), "{ran}");
    }
    let ran = stage.run(
        &[
            "--after",
            "exit 4",
            "--then",
            &format!("rm {}", proof.display()),
        ],
        &sh("exit 5"),
    );
    assert_eq!(ran.status, 5, "the command's own: {ran}");
    assert!(proof.exists(), "--then is for success");
}

#[test]
fn a_hook_that_hangs_ends_with_the_run() {
    let stage = Stage::new();
    let proof = stage.path("after");
    let touch = format!("touch {}", proof.display());
    let mut run = stage.start(
        &["--before", "echo hangs; sleep 1000", "--after", &touch],
        &sh("exit 0"),
    );
    stage.until_said("hangs\n");
    run.signal(Signal::SIGTERM);
    assert_eq!(run.wait(), 143, "{}", stage.out());
    assert!(proof.exists());
}

#[test]
fn the_page_is_there_while_the_command_runs_and_never_after() {
    let stage = Stage::new();
    let page = stage.path("maintenance.html");
    let file = page.display().to_string();
    let template = stage.file(
        "page.erb",
        "<p><%= reason ? reason : 'x' %>, {{retry_after}} s</p>",
    );
    let flags = |more: &[&'static str]| -> Vec<String> {
        let first = [
            "--no-gate",
            "--maintenance-page",
            &*file,
            "--template",
            &*template,
            "--takes",
            "5m",
            "--reason",
            "<we>",
        ];
        first
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    };
    let as_words = |flags: &[String]| -> Vec<String> { flags.to_vec() };
    let run = |more: &[&'static str], command: &[String]| {
        let flags = as_words(&flags(more));
        stage.run(
            &flags.iter().map(String::as_str).collect::<Vec<_>>(),
            command,
        )
    };
    let show = sh(&format!("cat {file}"));
    let ran = run(&[], &show);
    assert!(
        ran.stdout == "<p>&lt;we&gt;, 300 s</p>" || ran.stdout == "<p>&lt;we&gt;, 299 s</p>",
        "{ran}"
    );
    assert!(!page.exists());
    let failed = run(&[], &sh("exit 9"));
    assert_eq!(failed.status, 9, "{failed}");
    assert!(!page.exists());
    let flags = flags(&[]);
    let mut started = stage.start(
        &flags.iter().map(String::as_str).collect::<Vec<_>>(),
        &sh("echo up; sleep 1000"),
    );
    stage.until_said("up\n");
    assert!(page.exists());
    started.signal(Signal::SIGTERM);
    assert_eq!(started.wait(), 143, "{}", stage.out());
    assert!(!page.exists());
    // Somebody's own page stays.
    std::fs::write(&page, "theirs").expect("written");
    let ran = run(&[], &show);
    assert_eq!((ran.status, &*ran.stdout), (0, "theirs"), "{ran}");
    assert!(page.exists());
}

#[test]
fn sessions_that_began_before_the_change_are_told() {
    let stage = Stage::new();
    let old = stage.shop.session_named("worker.1");
    let ran = stage.run(&["--settle", "1s"], &stage.psql(&["-c", ADD]));
    assert_eq!(ran.status, 0, "{ran}");
    assert!(
        ran.stderr.contains("\"worker.1\" (local), 1 session, up "),
        "{ran}"
    );
    assert!(ran.stderr.contains("began before this change"), "{ran}");
    old.close();
    let ran = stage.run(
        &["--settle", "30s"],
        &stage.psql(&["-c", "ALTER TABLE orders ADD COLUMN b int"]),
    );
    assert!(
        ran.stderr.contains("no session began before this change"),
        "{ran}"
    );
}

#[test]
fn events_are_json_a_line_each_and_hold_what_the_command_wrote() {
    let stage = Stage::new();
    let summary = stage.path("summary.md");
    let command = stage.psql(&["-c", "SELECT 'a' || chr(27) || E'b'"]);
    let flags = ["run", "--format", "json", "--"].map(str::to_owned);
    let mut pgguard = stage.command(flags.iter().chain(&command));
    pgguard.env("GITHUB_STEP_SUMMARY", &summary);
    let ran = crate::common::run_with_input(pgguard, "");
    assert_eq!(ran.status, 0, "{ran}");
    let events: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.first(), Some(&"begun"));
    assert_eq!(names.last(), Some(&"end"));
    assert_eq!(events.last().expect("an end")["exit_status"], 0);
    assert!(
        names.contains(&"output") && names.contains(&"started"),
        "{names:?}"
    );
    assert!(!ran.stdout.contains('\u{1b}'));
    let table = std::fs::read_to_string(summary).expect("a summary");
    assert!(table.contains("| result | nothing to do"), "{table}");
}
