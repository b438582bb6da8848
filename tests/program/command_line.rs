//! What the command line says of itself: help, the man page, completions, and how it refuses.

use crate::common::{self, pgguard, pgguard_command, pgguard_with_input};
use clap::CommandFactory as _;
use pgguard::test_support::cli::Cli;
use std::io::Read as _;
use std::process::{Command, Stdio};

const COMMANDS: [&str; 16] = [
    "status",
    "gate",
    "explain",
    "check",
    "kill",
    "run",
    "backups",
    "rehearse",
    "catalog",
    "doctor",
    "log",
    "tools",
    "demo",
    "completions",
    "man",
    "help",
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

/// Every command, with those below it.
fn paths() -> Vec<String> {
    fn collect(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        for below in command.get_subcommands() {
            collect(below, format!("{path} {}", below.get_name()).trim(), found);
        }
    }
    let mut found = Vec::new();
    collect(&Cli::command(), "", &mut found);
    found
}

#[test]
fn help_fits_on_a_screen_and_has_everything_when_asked() {
    for path in paths() {
        let words = path.split(' ').filter(|word| !word.is_empty());
        let short = pgguard(words.clone().chain(["--help"]));
        let lines: Vec<&str> = short.stdout.lines().collect();
        // The prompt takes one of the 24 lines.
        assert!(
            lines.len() < 24,
            "{path}: {} lines\n{}",
            lines.len(),
            short.stdout
        );
        for line in &lines {
            assert!(line.chars().count() <= 80, "{path}: {line}");
        }
        assert!(!short.stdout.contains("--color"), "{path}: {short}");
        let all = pgguard(words.clone().chain(["--help-all"]));
        assert!(all.stdout.contains("--help-all"), "{path}: {all}");
        assert!(all.stdout.len() > short.stdout.len(), "{path}");
        let helped = pgguard(["help"].into_iter().chain(words));
        assert_eq!(helped.status, 0, "{path}: {helped}");
        assert_eq!(helped.stdout, short.stdout, "{path}");
    }
    let all = pgguard(["gate", "--help-all"]).stdout;
    let headings: Vec<&str> = all
        .lines()
        .filter(|line| line.ends_with(':') && !line.starts_with(' '))
        .collect();
    assert_eq!(
        headings,
        [
            "Arguments:",
            "Options:",
            "Migration:",
            "Judging:",
            "Connection:",
            "Recording:",
            "Rehearsal:",
            "Estimate:",
            "History:",
            "Examples:"
        ]
    );
}

#[test]
fn a_lone_h_is_help_and_a_host_without_a_name_says_what_it_is() {
    let alone = pgguard(["-h"]);
    assert_eq!(
        (alone.status, alone.stdout),
        (0, pgguard(["--help"]).stdout)
    );
    let host = pgguard(["gate", "-h"]);
    assert_eq!(host.status, 2, "{host}");
    assert!(
        host.stderr
            .contains("-h is the host, as in psql; help is --help"),
        "{host}"
    );
    let unknown = pgguard(["help", "gat"]);
    assert_eq!(unknown.status, 2, "{unknown}");
}

#[test]
fn every_command_has_a_man_page_with_all_its_sections() {
    let folder = tempfile::tempdir().unwrap();
    let written = pgguard(["man", "--folder", folder.path().to_str().unwrap()]);
    assert_eq!(written.status, 0, "{written}");
    for path in paths() {
        let words = path.split(' ').filter(|word| !word.is_empty());
        let page = pgguard(["man"].into_iter().chain(words));
        assert_eq!(page.status, 0, "{path}: {page}");
        let name = format!("pgguard {path}").trim().replace(' ', "-");
        let file = std::fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        assert_eq!(file, page.stdout);
        let mut sections = vec!["NAME", "SYNOPSIS", "\"EXIT STATUS\""];
        if ["status", "gate", "explain", "kill", "backups", "demo"].contains(&path.as_str()) {
            sections.extend(["ENVIRONMENT", "EXAMPLES"]);
        }
        if ["status", "gate", "check", "kill", "backups"].contains(&path.as_str()) {
            sections.push("FILES");
        }
        for section in sections {
            let found = file
                .lines()
                .any(|line| line.replace('"', "") == format!(".SH {}", section.replace('"', "")));
            assert!(found, "{path}: no {section} in {file}");
        }
        assert!(file.contains(&format!(".TH {name} 1")), "{path}");
        let Ok(mut groff) = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-Kutf8"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
        else {
            println!("skipped: groff is not installed");
            continue;
        };
        std::io::Write::write_all(&mut groff.stdin.take().unwrap(), file.as_bytes()).unwrap();
        let judged = groff.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&judged.stderr), "", "{path}");
    }
    assert_eq!(pgguard(["man", "nothing"]).status, 2);
}

/// What a shell offers after these words.
fn offered(shell: &str, file: &str, line: &str) -> Option<String> {
    let script = match shell {
        "fish" => format!("source {file}; complete -C '{line}'"),
        "bash" => {
            let words: Vec<&str> = line.split(' ').collect();
            let count = words.len() - 1;
            format!(
                "source {file}; COMP_WORDS=({} \"{}\"); COMP_CWORD={count}; COMP_LINE='{line}'; \
                 _pgguard pgguard '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                words[..count].join(" "),
                words[count],
                words[count],
                words[count - 1]
            )
        }
        _ => format!(
            "zmodload zsh/zpty; zpty z env TERM=dumb PS1= zsh -f -i; \
             zpty -w z 'unset zle_bracketed_paste; LISTMAX=0; autoload -U compinit; compinit -u -D; \
             source {file}; compdef _pgguard pgguard; print rea\"\"dy'; \
             out=; until [[ $out = *ready* ]]; do zpty -r z part || exit 1; out+=$part; done; \
             zpty -w -n z $'{line}\\t\\t'; sleep 2; zpty -w -n z $'\\C-u'; zpty -w z 'print do\"\"ne'; \
             out=; until [[ $out = *done* ]]; do zpty -r z part || break; out+=$part; done; print -r -- $out"
        ),
    };
    let output = Command::new("timeout")
        .args(["60", shell, "-c", &script])
        .stdin(Stdio::null())
        .output();
    let output = output.expect("timeout");
    if output.status.code() == Some(127) {
        println!("skipped: {shell} is not installed");
        return None;
    }
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "{shell}: {line}"
    );
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn shells_complete_commands_options_and_their_values() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let file = folder.path().join(shell);
        let file = file.to_str().unwrap();
        let script = pgguard(["completions", shell]);
        assert_eq!(script.status, 0);
        std::fs::write(file, script.stdout).unwrap();
        for (line, values) in [
            ("pgguard ", &["gate", "backups", "check", "help"][..]),
            ("pgguard gate --tool ", &["flyway", "goose", "liquibase"]),
            (
                "pgguard status --role ",
                &["idle_in_transaction", "migration"],
            ),
            (
                "pgguard check --mode ",
                &["lock-wait", "zombie-migrations", "connection"],
            ),
            ("pgguard check --exclude-role ", &["backup", "masked"]),
            ("pgguard gate --format ", &["gitlab", "junit"]),
            ("pgguard gate --he", &["--help", "--help-all"]),
            ("pgguard backups re", &["record"]),
        ] {
            // A terminal of its own and seconds a line: its values are enough.
            if shell == "zsh" && !line.contains(" --") {
                continue;
            }
            let Some(offered) = offered(shell, file, line) else {
                continue;
            };
            for value in values {
                assert!(
                    offered.contains(value),
                    "{shell}: {line}: no {value} in {offered}"
                );
            }
        }
    }
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

#[test]
fn a_migration_may_stand_behind_two_dashes() {
    let shop = common::shop();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("-odd.sql");
    std::fs::write(&file, "ALTER TABLE orders ADD COLUMN a int;\n").expect("written");
    let mut command = common::pgguard_command();
    command.current_dir(folder.path()).args([
        "gate",
        "--no-history",
        "-d",
        &shop.url(),
        "--",
        "-odd.sql",
    ]);
    let told = common::run_with_input(command, "");
    assert_eq!(told.status, 0, "{told}");
    assert!(told.stdout.contains("this statement"), "{told}");
}
