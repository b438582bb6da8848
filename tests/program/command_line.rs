//! What the command line says of itself: help, the man page, completions, and how it refuses.

use crate::common::{pgguard, pgguard_command, pgguard_with_input};
use clap::CommandFactory as _;
use pgguard::cli::Cli;
use std::io::Read as _;
use std::process::{Command, Stdio};

const COMMANDS: [&str; 9] = [
    "status",
    "gate",
    "explain",
    "check",
    "kill",
    "backups",
    "demo",
    "completions",
    "man",
];

#[test]
fn every_command_is_known_here_and_explains_itself() {
    Cli::command().debug_assert();
    let cli = Cli::command();
    let names: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(names, COMMANDS);
    for name in COMMANDS {
        let outcome = pgguard([name, "--help"]);
        // A monitoring plugin's help is no OK.
        let status = if name == "check" { 3 } else { 0 };
        assert_eq!(outcome.status, status, "{name}: {outcome:?}");
        assert!(
            outcome.stdout.contains(&format!("Usage: pgguard {name}")),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn the_man_page_has_every_command() {
    let outcome = pgguard(["man"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for name in COMMANDS.iter().chain(&["backups-record", "backups-init"]) {
        let heading = format!(".TH pgguard-{name} 1");
        assert!(outcome.stdout.contains(&heading), "no {heading}");
    }
}

#[test]
fn completions_are_scripts_of_their_shell() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef pgguard"),
        ("fish", "complete -c pgguard"),
    ] {
        let outcome = pgguard(["completions", shell]);
        assert_eq!(outcome.status, 0);
        assert!(outcome.stdout.contains(sign), "{shell}");
        assert!(outcome.stdout.contains("gate"), "{shell}");
    }
    let script = pgguard(["completions", "bash"]).stdout;
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    for arguments in [&["man"][..], &["completions", "bash"], &["gate", "--help"]] {
        let mut child = pgguard_command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut one = [0];
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut one).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_used_is_named_with_the_way_out() {
    for (arguments, words) in [
        (&["gate", "--wait", "abc"][..], "30s, 5m or 1h30m"),
        (&["gate", "--wiat", "5m"], "--wait"),
        (&["gat"], "gate"),
        (&["gate", "nowhere.sql"], "nowhere.sql"),
        (&["status", "--role", "foo"], "idle_in_transaction"),
        (&["backups", "import", "nowhere.json"], "nowhere.json"),
    ] {
        let outcome = pgguard(arguments);
        assert_eq!(outcome.status, 2, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(words), "{arguments:?}: {outcome:?}");
    }
    let nothing = pgguard_with_input(["gate", "-"], "");
    assert_eq!(nothing.status, 2);
    assert!(nothing.stderr.contains("no SQL statement"), "{nothing:?}");
}
