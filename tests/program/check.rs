//! `pgguard check` as a monitoring system calls it, against real servers.

use crate::common::{self, Dump, Outcome, Session, pgguard, pgguard_command, server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;

/// Whatever happens, a plugin says one line on standard output, nothing elsewhere, and exits with 0 to 3.
fn is_one_line(outcome: &Outcome) {
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    assert!(outcome.stdout.starts_with("PGGUARD "), "{outcome}");
    assert!(outcome.stderr.is_empty(), "{outcome}");
    assert!((0..=3).contains(&outcome.status), "{outcome}");
    let pipes = outcome.stdout.matches('|').count();
    assert!(pipes <= 1, "{outcome}");
    assert!(outcome.stdout.len() < 4096, "{outcome}");
}

fn check(url: &str, arguments: &[&str]) -> Outcome {
    let outcome = pgguard(["check", "-d", url].iter().chain(arguments));
    is_one_line(&outcome);
    outcome
}

#[test]
fn every_mode_that_needs_nothing_else_is_quiet_on_a_quiet_server() {
    let shop = common::shop();
    for mode in [
        "lock-wait",
        "blocked",
        "idle-in-transaction",
        "oldest-transaction",
        "prepared-transactions",
        "backup-running",
        "backup-overtime",
        "zombie-migrations",
        "leftovers",
        "connection",
    ] {
        let quiet = check(&shop.url(), &["-m", mode, "--only-database", &shop.name]);
        assert_eq!(quiet.status, 0, "{quiet}");
        let name = format!("PGGUARD {} OK - ", mode.to_uppercase());
        assert!(quiet.stdout.starts_with(&name), "{quiet}");
        assert!(quiet.stdout.contains(" | "), "{quiet}");
    }
}

#[test]
fn a_lock_wait_names_who_waits_for_what_and_who_is_at_the_head() {
    let shop = common::shop();
    let dump = Dump::stalled(&shop);
    let mut migration = shop.session_named("deploy");
    migration.start("ALTER TABLE orders ADD COLUMN extra int");
    migration.until_waiting();
    let mut reader = shop.session_named("web");
    reader.start("SELECT count(*) FROM orders");
    reader.until_waiting();

    let only = ["--only-database", &shop.name];
    let late = check(&shop.url(), &[&["-c", "0"][..], &only].concat());
    assert_eq!(late.status, 2, "{late}");
    for part in [
        "2 sessions wait".to_owned(),
        format!("pid {}", migration.pid()),
        "ACCESS EXCLUSIVE on public.orders".to_owned(),
        format!("backup pg_dump, pid {}", dump.pid()),
        "application deploy".to_owned(),
    ] {
        assert!(late.stdout.contains(&part), "{part} in {late}");
    }
    assert!(late.stdout.contains(" | longest_wait="), "{late}");
    assert!(late.stdout.contains(";;0;0 waiting=2;;;0"), "{late}");

    let by_count = check(
        &shop.url(),
        &[
            &["-m", "blocked", "-w", "1", "-c", "5", "--for", "0s"][..],
            &only,
        ]
        .concat(),
    );
    assert_eq!(by_count.status, 1, "{by_count}");
    assert!(by_count.stdout.contains("blocked=2;1;5;0"), "{by_count}");
    // Nobody has waited for an hour.
    let patient = check(
        &shop.url(),
        &[&["-m", "blocked", "--for", "1h"][..], &only].concat(),
    );
    assert_eq!(patient.status, 0, "{patient}");
    let without = check(
        &shop.url(),
        &[
            &[
                "-c",
                "0",
                "--exclude-role",
                "migration",
                "--exclude-role",
                "application",
            ][..],
            &only,
        ]
        .concat(),
    );
    assert_eq!(without.status, 0, "{without}");
}

#[test]
fn a_dump_that_pauses_is_no_idle_transaction() {
    let shop = common::shop();
    let dump = Dump::stalled_parallel(&shop, 2);
    assert_eq!(dump.pids().len(), 3);
    let only = ["--only-database", shop.name.as_str()];
    let idle = check(
        &shop.url(),
        &[&["-m", "idle-in-transaction", "-c", "0"][..], &only].concat(),
    );
    assert_eq!(idle.status, 0, "{idle}");
    let running = check(
        &shop.url(),
        &[&["-m", "backup-running", "-w", "0"][..], &only].concat(),
    );
    assert_eq!(running.status, 1, "{running}");
    assert!(running.stdout.contains("1 backup running"), "{running}");
    let overtime = check(
        &shop.url(),
        &[&["-m", "backup-overtime"][..], &only].concat(),
    );
    assert_eq!(overtime.status, 3, "{overtime}");
    assert!(
        overtime.stdout.contains("no complete past run"),
        "{overtime}"
    );
}

#[test]
fn an_idle_transaction_is_judged_by_its_time_in_that_state_and_named() {
    let shop = common::shop();
    let mut leaked = shop.session_named("billing");
    leaked.begin_and_lock("orders", "ROW EXCLUSIVE");
    let only = ["--only-database", shop.name.as_str()];
    let idle = check(
        &shop.url(),
        &[&["-m", "idle-in-transaction", "-c", "0"][..], &only].concat(),
    );
    assert_eq!(idle.status, 2, "{idle}");
    assert!(idle.stdout.contains("application billing"), "{idle}");
    assert!(
        idle.stdout.contains(&format!("pid {}", leaked.pid())),
        "{idle}"
    );
    let patient = check(
        &shop.url(),
        &[&["-m", "idle-in-transaction", "-c", "1h"][..], &only].concat(),
    );
    assert_eq!(patient.status, 0, "{patient}");
    leaked.exec("ROLLBACK");
}

#[test]
fn a_prepared_transaction_is_the_oldest_although_it_has_no_process() {
    let shop = common::shop();
    let mut coordinator = shop.session();
    coordinator
        .exec("BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'order | 7'");
    let only = ["--only-database", shop.name.as_str()];
    let oldest = check(
        &shop.url(),
        &[&["-m", "oldest-transaction", "-w", "0"][..], &only].concat(),
    );
    assert_eq!(oldest.status, 1, "{oldest}");
    assert!(
        oldest.stdout.contains("prepared transaction \"order ¦ 7\""),
        "{oldest}"
    );
    let left = check(
        &shop.url(),
        &[&["-m", "prepared-transactions", "-c", "0"][..], &only].concat(),
    );
    assert_eq!(left.status, 2, "{left}");
    assert!(
        left.stdout.contains("1 prepared transaction open for"),
        "{left}"
    );
    assert!(left.stdout.contains("\"order ¦ 7\""), "{left}");
    coordinator.exec("ROLLBACK PREPARED 'order | 7'");
}

#[test]
fn a_query_full_of_pipes_adds_no_figures_and_no_lines() {
    let shop = common::shop();
    let mut odd = shop.session_named("a|b");
    odd.exec("BEGIN; SELECT 'x | y=1'\n || '\u{1b}[31m' || 'ü' -- | z=2;;;\n");
    let only = ["--only-database", shop.name.as_str()];
    let idle = check(
        &shop.url(),
        &[&["-m", "idle-in-transaction", "-c", "0"][..], &only].concat(),
    );
    assert_eq!(idle.status, 2, "{idle}");
    assert!(idle.stdout.contains("x ¦ y=1"), "{idle}");
    assert!(!idle.stdout.contains('\u{1b}'), "{idle}");
    odd.exec("ROLLBACK");
}

#[test]
fn hidden_sessions_are_unknown_with_the_grant_and_never_ok() {
    let shop = common::shop();
    let role = format!("watcher_{}", shop.name);
    shop.sql(&format!("CREATE ROLE {role} LOGIN"));
    let mut somebody = shop.session();
    somebody.exec("BEGIN; SELECT 1");
    let url = shop.url_as(&role);
    let only = ["--only-database", shop.name.as_str()];
    for mode in [
        "idle-in-transaction",
        "oldest-transaction",
        "zombie-migrations",
        "backup-running",
    ] {
        let blind = check(&url, &[&["-m", mode, "-c", "1h"][..], &only].concat());
        assert_eq!(blind.status, 3, "{blind}");
        let grant = format!("GRANT pg_monitor TO {role}");
        assert!(blind.stdout.contains(&grant), "{blind}");
    }
    // pg_locks hides nothing: who waits, and how long, is known to everybody.
    let waits = check(&url, &[&["-m", "lock-wait"][..], &only].concat());
    assert_eq!(waits.status, 0, "{waits}");
    shop.sql(&format!("GRANT pg_read_all_stats TO {role}"));
    let sees = check(
        &url,
        &[&["-m", "idle-in-transaction", "-c", "0"][..], &only].concat(),
    );
    assert_eq!(sees.status, 2, "{sees}");
    somebody.exec("ROLLBACK");
    // Roles are the server's, so that other tests would see it.
    shop.sql(&format!("REVOKE pg_read_all_stats FROM {role}"));
}

#[test]
fn a_migration_that_stands_still_with_its_lock_is_a_zombie() {
    let shop = common::shop();
    let mut zombie = shop.session_named("psql");
    zombie.exec("BEGIN; ALTER TABLE orders ADD COLUMN extra int");
    let only = ["--only-database", shop.name.as_str()];
    let found = check(
        &shop.url(),
        &[&["-m", "zombie-migrations", "-w", "0"][..], &only].concat(),
    );
    assert_eq!(found.status, 1, "{found}");
    let names_it = format!("pid {}, user", zombie.pid());
    assert!(found.stdout.contains(&names_it), "{found}");
    // It has done nothing for a moment: it may be at work.
    assert!(!found.stdout.contains("pgguard kill"), "{found}");
    zombie.exec("ROLLBACK");
}

#[test]
fn bad_usage_help_and_version_are_unknown_and_say_so_on_standard_output() {
    for arguments in [
        &["--nonsense"][..],
        &["-w", "5:1"],
        &["-w"],
        &["-t", "0"],
        &["-m", "everything"],
        &["positional"],
        &["-p", "no-port"],
        &["-d", "postgres:///?no_such_keyword=1"],
    ] {
        let wrong = pgguard(["check"].iter().chain(arguments));
        is_one_line(&wrong);
        assert_eq!(wrong.status, 3, "{wrong}");
        assert!(wrong.stdout.contains("UNKNOWN - "), "{wrong}");
    }
    for arguments in [["-h"], ["--help"], ["-V"], ["--version"]] {
        let said = pgguard(["check"].iter().chain(&arguments));
        assert_eq!(said.status, 3, "{said}");
        assert!(said.stderr.is_empty() && !said.stdout.is_empty(), "{said}");
    }
}

#[test]
fn a_server_that_is_down_is_critical_for_the_connection_and_unknown_for_the_rest() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its number").port().to_string();
    drop(free);
    let on = |arguments: &[&str]| {
        let outcome = pgguard(
            ["check", "-H", "127.0.0.1", "-p", &port]
                .iter()
                .chain(arguments),
        );
        is_one_line(&outcome);
        outcome
    };
    assert_eq!(on(&[]).status, 3);
    assert_eq!(on(&["-m", "connection"]).status, 2);
    assert_eq!(
        on(&["-m", "connection", "--connect-fail", "unknown"]).status,
        3
    );
    let critical = on(&["--connect-fail", "critical"]);
    assert_eq!(critical.status, 2);
    assert!(critical.stdout.contains("cannot connect to"), "{critical}");
}

/// A server that takes the connection and never says a word.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("its number")
        .port()
        .to_string();
    (listener, port)
}

#[test]
fn a_server_that_does_not_answer_is_unknown_at_the_deadline() {
    let (_listener, port) = mute();
    let arguments = ["check", "-H", "127.0.0.1", "-p", &port, "-t", "1"];
    let late = pgguard(arguments);
    is_one_line(&late);
    assert_eq!(late.status, 3, "{late}");
    assert!(
        late.stdout.contains("timed out after 1 s while connecting"),
        "{late}"
    );
}

#[test]
fn a_monitoring_system_that_loses_its_patience_still_gets_a_line() {
    let (listener, port) = mute();
    let mut child = pgguard_command()
        .args(["check", "-H", "127.0.0.1", "-p", &port, "-t", "60"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgguard starts");
    let (mut stream, _) = listener.accept().expect("it connects");
    // It has begun to speak: its handlers are in place.
    stream.read_exact(&mut [0; 8]).expect("its greeting");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("a signal");
    let mut said = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("text");
    let status = child.wait().expect("it ends").code();
    assert_eq!(status, Some(3), "{said}");
    assert_eq!(
        said,
        "PGGUARD UNKNOWN - stopped by SIGTERM while connecting\n"
    );
}

#[test]
fn an_output_that_nobody_reads_is_unknown() {
    let mut child = pgguard_command()
        .args(["check", "-d", &server().url("postgres")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgguard starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stderr.is_empty());
}

#[test]
fn open_metrics_tell_every_family_in_every_run() {
    let shop = common::shop();
    let _dump = Dump::stalled(&shop);
    let metrics = pgguard(["check", "-d", &shop.url(), "--format", "openmetrics"]);
    assert_eq!(metrics.status, 0, "{metrics}");
    for part in [
        "pgguard_up 1\n".to_owned(),
        format!("pgguard_waiting_sessions{{database=\"{}\"}} 0\n", shop.name),
        format!(
            "pgguard_sessions{{database=\"{}\",role=\"backup\"}} 1\n",
            shop.name
        ),
        format!(
            "pgguard_backup_running_seconds{{database=\"{}\",tool=\"pg_dump\"}} ",
            shop.name
        ),
    ] {
        assert!(metrics.stdout.contains(&part), "{part} in {metrics}");
    }
    assert!(metrics.stdout.ends_with("# EOF\n"), "{metrics}");
    let (_listener, port) = mute();
    let down = pgguard([
        "check",
        "-H",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "1",
        "--format",
        "openmetrics",
    ]);
    assert_eq!(down.status, 3, "{down}");
    assert!(down.stdout.contains("pgguard_up 0\n"), "{down}");
}

#[test]
fn a_check_leaves_no_session_behind() {
    let shop = common::shop();
    check(&shop.url(), &[]);
    let mut look: Session = shop.session();
    common::until("pgguard's session is gone", || {
        look.query_text(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'pgguard%'",
            shop.name
        )) == "0"
    });
}

#[test]
fn a_migration_that_would_block_now_is_critical_and_a_doubt_is_unknown() {
    let shop = common::shop();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let alter = write("1.sql", "ALTER TABLE orders ADD COLUMN extra int;");
    let opaque = write(
        "2.sql",
        "DO $$ BEGIN EXECUTE current_setting('app.sql', true); END $$;",
    );
    let mode = |file: &str| check(&shop.url(), &["-m", "migration", "--migration", file]);
    assert_eq!(mode(&alter).status, 0);
    let doubt = mode(&opaque);
    assert_eq!(doubt.status, 3, "{doubt}");
    let dump = Dump::stalled(&shop);
    let blocked = mode(&alter);
    assert_eq!(blocked.status, 2, "{blocked}");
    assert!(
        blocked
            .stdout
            .contains(&format!("backup, pid {}", dump.pid())),
        "{blocked}"
    );
    let none = check(&shop.url(), &["-m", "migration"]);
    assert_eq!(none.status, 3, "{none}");
}
