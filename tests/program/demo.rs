//! The demo: it tells its story to the end, and leaves nothing behind, however it ends.

use crate::common::{self, Outcome, pgguard_command, until};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The demo, with a folder for all its temporary files.
fn demo() -> (Command, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    // For root, the server runs as somebody else.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let mut command = pgguard_command();
    command
        .arg("demo")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    (command, folder)
}

fn is_empty(folder: &TempDir) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

#[test]
fn the_demo_tells_its_story_to_the_end_and_leaves_nothing() {
    let (mut command, folder) = demo();
    let output = command.output().unwrap();
    let outcome = Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert_eq!(outcome.status, 0, "{outcome}");
    let shown: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| line.starts_with("$ pgguard") || line.starts_with("(exit status"))
        .map(|line| line.split(',').next().unwrap_or(line))
        .collect();
    let story = [
        "$ pgguard status",
        "(exit status 0",
        "$ pgguard gate 0001_add_order_total.sql",
        "(exit status 1",
        "$ pgguard gate 0002_index_order_status.sql",
        "(exit status 0",
        "$ pgguard gate 0003_index_order_placed.sql",
        "(exit status 1",
        "$ pgguard status",
        "(exit status 0",
        "$ pgguard gate --wait 30s --interval 1s 0001_add_order_total.sql",
        "(exit status 0",
    ];
    assert_eq!(shown, story, "{outcome}");
    assert!(is_empty(&folder));
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let (mut command, folder) = demo();
        let mut demo = command
            .process_group(0)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
        // In the middle of it: the backup runs, the first answer is there.
        let in_the_middle = lines
            .map_while(Result::ok)
            .any(|line| line.starts_with("WOULD BLOCK"));
        assert!(in_the_middle && !is_empty(&folder));
        killpg(Pid::from_raw(i32::try_from(demo.id()).unwrap()), signal).unwrap();
        demo.wait().unwrap();
        until("the demo's folder is gone", || is_empty(&folder));
    }
}

#[test]
fn a_version_that_is_not_there_is_refused_with_the_way_out() {
    let outcome = common::pgguard(["demo", "--pg", "3"]);
    assert_eq!(outcome.status, 2, "{outcome}");
    assert!(
        outcome.stderr.contains("apt-get install postgresql"),
        "{outcome}"
    );
}

/// cases/safety/11: a process of the server's account puts links wherever it can, while root runs the demo.
#[test]
fn roots_demo_follows_no_link_of_the_servers_account() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only for root does the server run as another account");
        return;
    }
    let account = nix::unistd::User::from_name("nobody")
        .unwrap()
        .expect("nobody");
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "keep me").unwrap();
    let (mut command, folder) = demo();
    let links = "while (1) { for my $d (glob \"$ARGV[0]/pgguard-*\") { for my $n (qw(settings.conf pg_hba.conf log ended \
                 history.sqlite history.sqlite-wal history.sqlite-journal 0001_add_order_total.sql \
                 0002_index_order_status.sql 0003_index_order_placed.sql)) { symlink($ARGV[1], \"$d/$n\"); } } }";
    let mut attacker = Command::new("perl")
        .args(["-e", links])
        .arg(folder.path())
        .arg(&victim)
        .current_dir("/")
        .uid(account.uid.as_raw())
        .gid(account.gid.as_raw())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("perl");
    // Whether it ends well is the attacker's choice: the folder is its own.
    let _ = command.env("PGGUARD_PG_USER", "nobody").output().unwrap();
    attacker.kill().unwrap();
    attacker.wait().unwrap();
    let found = victim.metadata().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "keep me");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&found), 0);
}
