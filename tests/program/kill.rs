//! `pgguard kill` on real servers: exactly the one that was named goes, and it says so only once it is gone.

use crate::common::{
    self, Database, Dump, Outcome, Session, pgguard, pgguard_command, server, until,
};
use nix::pty::openpty;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

fn kill(shop: &Database, arguments: &[&str]) -> Outcome {
    pgguard(["kill", "-d", &shop.url()].iter().chain(arguments))
}

/// What `--yes` has to name: read from the server, not from pgguard.
fn identity(pid: i32) -> String {
    let start = server()
        .sql(
            "postgres",
            &format!(
                "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
                 FROM pg_stat_activity WHERE pid = {pid}"
            ),
        )
        .expect("pg_stat_activity");
    assert!(!start.is_empty(), "pid {pid} is there");
    format!("{pid}@{start}")
}

fn locks_of(pid: i32) -> String {
    server()
        .sql(
            "postgres",
            &format!("SELECT count(*) FROM pg_locks WHERE pid = {pid}"),
        )
        .expect("pg_locks")
}

fn is_active(session: &Session) {
    until("it runs", || session.is_active());
}

#[test]
fn an_idle_transaction_is_terminated_and_gone_when_it_says_so() {
    let shop = common::shop();
    let mut leaked = shop.session_named("billing");
    leaked.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let mut waiting = shop.session();
    waiting.start("SELECT count(*) FROM orders");
    waiting.until_waiting();
    let pid = leaked.pid().to_string();
    let killed = kill(&shop, &[&pid, "--yes", &identity(leaked.pid())]);
    assert_eq!(killed.status, 0, "{killed}");
    assert!(!leaked.is_there());
    assert_eq!(locks_of(leaked.pid()), "0");
    for part in [
        "idle in transaction",
        "application billing",
        "ACCESS EXCLUSIVE on public.orders",
        &format!("pid {}", waiting.pid()),
        &format!("gone: pid {pid}"),
        &identity_line(&killed),
    ] {
        assert!(killed.stdout.contains(part), "{part} in {killed}");
    }
    assert!(killed.stderr.contains("terminate the session"), "{killed}");
    assert!(!killed.stderr.contains("cancel"), "{killed}");
    assert_eq!(waiting.join().as_deref(), Ok("5000"), "the waiter goes on");
}

fn identity_line(outcome: &Outcome) -> String {
    let line = outcome
        .stdout
        .lines()
        .find(|l| l.trim().starts_with("identity"));
    line.unwrap_or_else(|| panic!("no identity in {outcome}"))
        .to_owned()
}

#[test]
fn a_running_statement_is_cancelled_and_the_connection_stays() {
    let shop = common::shop();
    let mut busy = shop.session();
    busy.exec("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE");
    busy.start("SELECT pg_sleep(1000)");
    is_active(&busy);
    let pid = busy.pid().to_string();
    let killed = kill(&shop, &[&pid, "--yes", &identity(busy.pid())]);
    assert_eq!(killed.status, 0, "{killed}");
    assert!(killed.stdout.contains("its connection stays"), "{killed}");
    assert_eq!(
        busy.join().expect_err("it was cancelled"),
        "canceling statement due to user request"
    );
    assert!(busy.is_there());
    assert_eq!(locks_of(busy.pid()), "0");
}

#[test]
fn a_cancel_that_does_nothing_is_followed_by_a_terminate_and_both_are_announced() {
    let shop = common::shop();
    let mut deaf = shop.session();
    deaf.start(
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); \
         EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    );
    is_active(&deaf);
    let pid = deaf.pid().to_string();
    let killed = kill(&shop, &[&pid, "--yes", &identity(deaf.pid())]);
    assert_eq!(killed.status, 0, "{killed}");
    assert!(killed.stderr.contains("cancel its statement"), "{killed}");
    assert!(
        killed
            .stderr
            .contains("did nothing for 3 s: terminate the session"),
        "{killed}"
    );
    assert!(!deaf.is_there());
}

#[test]
fn what_is_still_there_is_not_called_gone() {
    let shop = common::shop();
    let mut deaf = shop.session();
    deaf.start(
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); \
         EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    );
    is_active(&deaf);
    let pid = deaf.pid().to_string();
    let killed = kill(
        &shop,
        &[
            &pid,
            "--yes",
            &identity(deaf.pid()),
            "--cancel",
            "--wait",
            "1s",
        ],
    );
    assert_eq!(killed.status, 1, "{killed}");
    assert!(killed.stdout.contains("still there"), "{killed}");
    assert!(deaf.is_there());
    shop.sql(&format!("SELECT pg_terminate_backend({pid})"));
}

#[test]
fn a_stalled_dump_is_terminated_at_once_and_said_to_be_run_again() {
    let shop = common::shop();
    let mut dump = Dump::stalled(&shop);
    let pid = dump.pid().to_string();
    let killed = kill(&shop, &[&pid, "--yes", &identity(dump.pid())]);
    assert_eq!(killed.status, 0, "{killed}");
    assert!(killed.stdout.contains("must be run again"), "{killed}");
    assert!(killed.stderr.contains("terminate the session"), "{killed}");
    assert!(!killed.stderr.contains("cancel"), "{killed}");
    assert_eq!(locks_of(dump.pid()), "0");
    assert!(!dump.finish().success(), "pg_dump says that it failed");
}

#[test]
fn a_worker_of_a_parallel_dump_stands_for_its_leader_and_all_of_them_go() {
    let shop = common::shop();
    let mut dump = Dump::stalled_parallel(&shop, 2);
    let worker = dump.pids()[2].to_string();
    let killed = kill(&shop, &[&worker, "--yes", &identity(dump.pid())]);
    assert!(
        killed.stdout.contains("its leader is the one to end"),
        "{killed}"
    );
    assert_eq!(killed.status, 0, "{killed}");
    for &pid in dump.pids() {
        assert_eq!(locks_of(pid), "0", "{killed}");
    }
    // Had only the leader gone, its workers would have finished, and pg_dump with them.
    assert!(!dump.finish().success());
}

#[test]
fn without_a_terminal_and_without_a_name_nothing_is_done() {
    let shop = common::shop();
    let mut idle = shop.session();
    idle.begin_and_lock("orders", "ROW EXCLUSIVE");
    let pid = idle.pid().to_string();
    let asked = kill(&shop, &[&pid]);
    assert_eq!(asked.status, 2, "{asked}");
    let name = format!("--yes {}", identity(idle.pid()));
    assert!(asked.stderr.contains(&name), "{asked}");
    let other = identity(idle.pid()).replace('@', "@1");
    let wrong = kill(&shop, &[&pid, "--yes", &other]);
    assert_eq!(wrong.status, 1, "{wrong}");
    assert!(idle.is_there());
    assert_ne!(locks_of(idle.pid()), "0");
    let nobody = kill(&shop, &["1", "--yes", "1@2026-01-01T00:00:00.000000Z"]);
    assert_eq!(nobody.status, 1, "{nobody}");
    idle.exec("ROLLBACK");
}

#[test]
fn processes_of_the_server_are_left_alone() {
    let shop = common::shop();
    let pid = shop.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    let refused = kill(
        &shop,
        &[&pid, "--yes", &identity(pid.parse().expect("a pid"))],
    );
    assert_eq!(refused.status, 2, "{refused}");
    assert!(
        refused.stderr.contains("process of the server itself"),
        "{refused}"
    );
}

#[test]
fn a_refusal_of_the_server_names_the_grant_that_is_missing() {
    let shop = common::shop();
    let (duty, app) = (format!("duty_{}", shop.name), format!("app_{}", shop.name));
    shop.sql(&format!(
        "CREATE ROLE {duty} LOGIN; CREATE ROLE {app} LOGIN"
    ));
    let mut session = shop.session_as(&app);
    session.exec("BEGIN; SELECT 1");
    let mut superuser = shop.session();
    superuser.exec("BEGIN; SELECT 1");
    let by_duty = |session: &Session| {
        let pid = session.pid().to_string();
        let arguments = [
            "kill",
            "-d",
            &shop.url_as(&duty),
            &pid,
            "--yes",
            &identity(session.pid()),
        ];
        pgguard(arguments)
    };
    let says = |outcome: &Outcome, what: &str| {
        assert_eq!(outcome.status, 2, "{outcome}");
        assert!(outcome.stderr.contains(what), "{what} in {outcome}");
    };
    says(&by_duty(&session), &format!("GRANT pg_monitor TO {duty}"));
    shop.sql(&format!("GRANT pg_monitor TO {duty}"));
    says(
        &by_duty(&session),
        &format!("GRANT pg_signal_backend TO {duty}"),
    );
    shop.sql(&format!("GRANT pg_signal_backend TO {duty}"));
    says(&by_duty(&superuser), "connect as a superuser");
    assert!(session.is_there() && superuser.is_there());
    let allowed = by_duty(&session);
    assert_eq!(allowed.status, 0, "{allowed}");
    assert!(!session.is_there());
    superuser.exec("ROLLBACK");
}

#[test]
fn a_prepared_transaction_is_rolled_back_from_any_database() {
    let shop = common::shop();
    let elsewhere = common::database();
    let mut coordinator = shop.session();
    let gid = format!("it's {} \\ 7", shop.name);
    let literal = gid.replace('\'', "''");
    coordinator.exec(&format!(
        "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION '{literal}'"
    ));
    let shown = kill(&elsewhere, &["--prepared", &gid]);
    assert_eq!(shown.status, 2, "{shown}");
    let another = kill(
        &elsewhere,
        &[
            "--prepared",
            &gid,
            "--yes",
            &format!("{gid}@2001-01-01T00:00:00Z"),
        ],
    );
    assert_eq!(another.status, 1, "{another}");
    let prepared = shop.sql(&format!(
        "SELECT to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
         FROM pg_prepared_xacts WHERE gid = '{literal}'"
    ));
    let name = format!("{gid}@{prepared}");
    let rolled_back = kill(&elsewhere, &["--prepared", &gid, "--yes", &name]);
    assert_eq!(rolled_back.status, 0, "{rolled_back}");
    assert_eq!(
        shop.sql(&format!(
            "SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{literal}'"
        )),
        "0"
    );
    let again = kill(&elsewhere, &["--prepared", &gid, "--yes", &name]);
    assert_eq!(again.status, 1, "{again}");
}

#[test]
fn only_the_true_roots_in_the_way_of_a_migration_go() {
    let shop = common::shop();
    let mut root = shop.session_named("root");
    root.begin_and_lock("orders", "ROW EXCLUSIVE");
    let mut queued = shop.session_named("queued");
    queued.start("ALTER TABLE orders ADD COLUMN queued int");
    queued.until_waiting();
    let mut bystander = shop.session_named("bystander");
    bystander.begin_and_lock("customers", "ROW EXCLUSIVE");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("1.sql");
    std::fs::write(&file, "ALTER TABLE orders ADD COLUMN extra int;").expect("a file");
    let file = file.display().to_string();
    let ids = [&root, &queued, &bystander].map(|s| identity(s.pid()));
    let killed = kill(
        &shop,
        &[
            "--yes",
            &ids[0],
            "--yes",
            &ids[1],
            "--yes",
            &ids[2],
            "--blocking",
            &file,
        ],
    );
    assert_eq!(killed.status, 0, "{killed}");
    assert!(!root.is_there(), "{killed}");
    assert!(bystander.is_there(), "{killed}");
    // It only waited, and goes on.
    queued.join().expect("it was let in");
    let clear = kill(&shop, &["--blocking", &file, "--yes", &ids[2]]);
    assert_eq!(clear.status, 0, "{clear}");
    assert!(clear.stdout.contains("nobody is in the way"), "{clear}");
    bystander.exec("ROLLBACK");
}

#[test]
fn the_waiting_migration_is_named_as_the_better_one_to_end() {
    let shop = common::shop();
    let dump = Dump::stalled(&shop);
    let mut migration = shop.session();
    migration.start("ALTER TABLE orders ADD COLUMN extra int");
    migration.until_waiting();
    let mut reader = shop.session();
    reader.start("SELECT count(*) FROM orders");
    reader.until_waiting();
    let asked = kill(&shop, &[&dump.pid().to_string()]);
    let advice = format!("pgguard kill {}", migration.pid());
    assert!(asked.stdout.contains(&advice), "{asked}");
    assert!(
        asked.stdout.contains("1 session goes on at once"),
        "{asked}"
    );
    let pid = migration.pid().to_string();
    let killed = kill(&shop, &[&pid, "--yes", &identity(migration.pid())]);
    assert_eq!(killed.status, 0, "{killed}");
    assert_eq!(reader.join().as_deref(), Ok("5000"));
    assert!(migration.join().is_err());
}

/// Runs kill on a terminal and gives this answer to its question.
fn on_a_terminal(shop: &Database, pid: i32, answer: &str) -> (i32, String) {
    let pty = openpty(None, None).expect("a terminal");
    let end = || Stdio::from(pty.slave.try_clone().expect("its end"));
    let mut child = pgguard_command()
        .args(["kill", "-d", &shop.url(), &pid.to_string()])
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .expect("pgguard starts");
    drop(pty.slave);
    let mut terminal = File::from(pty.master);
    let mut said = String::new();
    let mut byte = [0];
    while !said.ends_with("[y/N] ") && !said.ends_with("to do it: ") {
        terminal.read_exact(&mut byte).expect("it asks");
        said.push(char::from(byte[0]));
    }
    terminal
        .write_all(format!("{answer}\n").as_bytes())
        .expect("an answer");
    // The terminal is closed, with an error on Linux, once nobody has its other end.
    let mut rest = Vec::new();
    let _ = terminal.read_to_end(&mut rest);
    said.push_str(&String::from_utf8_lossy(&rest));
    (child.wait().expect("it ends").code().unwrap_or(-1), said)
}

#[test]
fn a_person_is_asked_and_a_backup_is_not_ended_by_reflex() {
    let shop = common::shop();
    let mut idle = shop.session();
    idle.begin_and_lock("orders", "ROW EXCLUSIVE");
    let (status, said) = on_a_terminal(&shop, idle.pid(), "");
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("nothing was done") && idle.is_there(),
        "{said}"
    );
    let (status, said) = on_a_terminal(&shop, idle.pid(), "y");
    assert_eq!(status, 0, "{said}");
    assert!(!idle.is_there(), "{said}");

    let mut dump = Dump::stalled(&shop);
    for reflex in ["y", "yes", "Y", "backup"] {
        let (status, said) = on_a_terminal(&shop, dump.pid(), reflex);
        assert_eq!(status, 1, "{said}");
        assert!(dump.is_running(), "{said}");
    }
    let (status, said) = on_a_terminal(&shop, dump.pid(), &format!("end backup {}", dump.pid()));
    assert_eq!(status, 0, "{said}");
    assert!(!dump.finish().success());
}

#[test]
fn a_kill_leaves_a_line_that_says_who_whom_why_and_what_became_of_it() {
    let shop = common::shop();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.sqlite");
    let history = format!("--history={}", file.display());
    let mut leaked = shop.session_named("billing");
    leaked.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let mut waiting = shop.session();
    waiting.start("SELECT count(*) FROM orders");
    waiting.until_waiting();
    let pid = leaked.pid().to_string();
    let another = kill(&shop, &[&pid, &history, "--yes", "1@2026-01-01T00:00:00Z"]);
    assert_eq!(another.status, 1, "{another}");
    assert!(!file.exists(), "nothing was done");
    let killed = kill(&shop, &[&pid, &history, "--yes", &identity(leaked.pid())]);
    assert_eq!(killed.status, 0, "{killed}");

    shop.sql("BEGIN; CREATE TABLE held (x int); PREPARE TRANSACTION 'orphan'");
    let prepared = shop.sql("SELECT 'orphan@' || to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pg_prepared_xacts WHERE database = current_database()");
    let rolled = kill(
        &shop,
        &["--prepared", "orphan", &history, "--yes", &prepared],
    );
    assert_eq!(rolled.status, 0, "{rolled}");

    let notes = pgguard::test_support::commands::block_on(async {
        pgguard::test_support::history::History::open(file.to_str())
            .await?
            .signals()
            .await
    })
    .expect("the history is read");
    let [second, first] = notes.as_slice() else {
        panic!("{notes:?}");
    };
    assert_eq!(first.pid, Some(leaked.pid()));
    assert_eq!(first.application_name, "billing");
    assert_eq!(first.kind, "application");
    assert_eq!(first.deed, "terminate the session");
    assert_eq!(first.outcome, "gone");
    assert!(first.why.starts_with("it blocked 1 session"), "{first:?}");
    assert!(first.asked_by.contains(", as role "), "{first:?}");
    assert_eq!(
        (second.gid.as_deref(), second.outcome.as_str()),
        (Some("orphan"), "gone")
    );
}
