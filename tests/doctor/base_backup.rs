//! A base backup whose client takes no data.

use crate::common::{self, Database, until};
use crate::{Told, later};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgguard::test_support::throwaway::Options;
use std::process::{Command, Stdio};

const SENT: &str = "SELECT coalesce(max(backup_streamed), 0) FROM pg_stat_progress_basebackup";

#[test]
fn a_base_backup_that_sends_nothing_from_one_look_to_another_is_found() {
    std::thread::scope(|scope| {
        for major in common::majors() {
            scope.spawn(move || stopped_on(major));
        }
    });
}

fn stopped_on(major: u32) {
    let server = common::own_server(
        &Options::major(major)
            .setting("wal_level", "replica")
            .setting("max_wal_senders", "4"),
    );
    let database = Database::empty(server);
    // More than the kernel keeps for a client that does not read.
    database
        .sql("CREATE TABLE t AS SELECT repeat(md5(n::text), 60) FROM generate_series(1, 30000) n");
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let target = folder.path().join("base");
    let mut backup = Command::new(server.bin("pg_basebackup"))
        .args([
            "--wal-method=none",
            "--checkpoint=fast",
            "--max-rate=2M",
            "-D",
        ])
        .arg(&target)
        .envs(server.env())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let pid = Pid::from_raw(i32::try_from(backup.id()).expect("a pid"));
    until("it sends", || database.sql(SENT) != "0");
    Told::of(&database, &[]).assert_nothing(&format!("{major}: it works"));
    kill(pid, Signal::SIGSTOP).expect("stopped");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event = 'ClientWrite'";
    until("the walsender waits for its client", || {
        let before = database.sql(SENT);
        std::thread::sleep(std::time::Duration::from_millis(500));
        database.sql(waits) == "1" && database.sql(SENT) == before
    });
    let told = Told::of(&database, &[]);
    assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
    assert_eq!(told.kinds(), ["leaked_backup"], "{major}: {}", told.outcome);
    let finding = told.of_kind("leaked_backup")[0];
    assert_eq!(finding["certainty"], "possible", "{major}: {finding}");
    let proof = finding["proof"].to_string();
    assert!(
        proof.contains("it has sent nothing for"),
        "{major}: {proof}"
    );
    let sure = later(&database, 120);
    assert_eq!(
        sure.of_kind("leaked_backup")[0]["certainty"],
        "likely",
        "{major}"
    );
    let command = finding["command"].as_str().expect("a command");
    let walsender =
        database.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'");
    assert_eq!(command, format!("pgguard kill {walsender}"), "{major}");
    kill(pid, Signal::SIGCONT).expect("continued");
    let then = database.sql(SENT);
    until("it sends again", || database.sql(SENT) != then);
    Told::of(&database, &[]).assert_nothing(&format!("{major}: it works again"));
    backup.kill().expect("killed");
    backup.wait().expect("gone");
}
