//! The throw-away server: it starts, it is the one asked for, and it is gone afterwards whatever
//! happens to the program that owns it.

use crate::common::{self, Dump, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgguard::test_support::throwaway::{Binaries, Options, Server};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn start() -> Server {
    Server::start(&Options::default()).unwrap()
}

/// The postmaster's pid and the folder: what must be gone.
fn traces(server: &Server) -> (i32, PathBuf) {
    let lock_file = std::fs::read_to_string(server.data_dir().join("postmaster.pid")).unwrap();
    let pid = lock_file.lines().next().unwrap().parse().unwrap();
    (pid, server.socket_dir().to_path_buf())
}

fn lives(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

fn until_gone(pid: i32, folder: &Path) {
    until("the server is gone", || !lives(pid));
    until("its folder is gone", || !folder.exists());
}

#[test]
fn a_server_answers_through_its_socket_and_over_tcp() {
    let server = common::server();
    server.create_database("a \"strange\" näme").unwrap();
    for url in [
        server.url("a \"strange\" näme"),
        server.tcp_url("a \"strange\" näme"),
    ] {
        let output = Command::new(server.bin("psql"))
            .args(["-XAt", "-c", "SELECT current_database()", "-d", &url])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim(), "a \"strange\" näme", "{output:?}");
    }
}

#[test]
fn tcp_asks_for_the_password() {
    let server = common::server();
    let url = server
        .tcp_url("postgres")
        .replace(server.password(), "wrong");
    let output = server
        .command("psql")
        .args(["-XAt", "-c", "SELECT 1", "-d", &url])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!server.log().contains(server.password()));
}

#[test]
fn only_its_account_can_enter_the_folder_of_its_socket() {
    use std::os::unix::fs::PermissionsExt;
    let server = common::server();
    let mode = server.socket_dir().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn several_servers_live_side_by_side() {
    let (one, two) = (start(), start());
    for server in [&one, &two] {
        server.create_database("mine").unwrap();
    }
    assert_ne!(one.port(), two.port());
    drop(one);
    assert_eq!(two.sql("mine", "SELECT 1").unwrap(), "1");
}

#[test]
fn every_installed_major_version_can_be_chosen() {
    for major in common::majors() {
        let server = Server::start(&Options::major(major)).unwrap();
        let number = server.sql("postgres", "SHOW server_version_num").unwrap();
        assert_eq!(number.parse::<u32>().unwrap() / 10_000, major);
        assert_eq!(server.major(), major);
        let dump = server
            .command("pg_dump")
            .args(["-d", "postgres"])
            .output()
            .unwrap();
        assert!(dump.status.success(), "{dump:?}");
    }
}

#[test]
fn a_version_that_is_not_installed_is_refused_with_the_way_out() {
    let error = Server::start(&Options::major(3)).unwrap_err().to_string();
    assert!(error.contains("Postgres 3 server"), "{error}");
    assert!(error.contains("apt-get install postgresql"), "{error}");
}

#[test]
fn settings_and_encodings_are_as_asked() {
    let options = Options::default()
        .initdb("--encoding=SQL_ASCII")
        .setting("search_path", "it's, \"odd\"")
        .setting("deadlock_timeout", "250ms");
    let server = Server::start(&options).unwrap();
    assert_eq!(
        server.sql("postgres", "SHOW server_encoding").unwrap(),
        "SQL_ASCII"
    );
    assert_eq!(
        server.sql("postgres", "SHOW search_path").unwrap(),
        "it's, \"odd\""
    );
    assert_eq!(
        server.sql("postgres", "SHOW deadlock_timeout").unwrap(),
        "250ms"
    );
}

#[test]
fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let options = Options::default().setting("shared_buffers", "rather many");
    let error = Server::start(&options).unwrap_err().to_string();
    assert!(error.contains("shared_buffers"), "{error}");
}

#[test]
fn a_dropped_server_is_gone_at_once() {
    let server = start();
    let (pid, folder) = traces(&server);
    drop(server);
    assert!(!lives(pid));
    assert!(!folder.exists());
}

#[test]
fn a_server_is_gone_after_a_panic() {
    let server = start();
    let (pid, folder) = traces(&server);
    let panicked = std::thread::spawn(move || {
        let _owned = server;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    until_gone(pid, &folder);
}

#[test]
fn a_server_is_gone_after_its_owner_was_killed() {
    survives_nothing(Signal::SIGKILL);
}

#[test]
fn a_server_is_gone_after_its_owner_was_interrupted() {
    survives_nothing(Signal::SIGINT);
    survives_nothing(Signal::SIGTERM);
    survives_nothing(Signal::SIGHUP);
}

/// Lets a process own a server in which a client is busy, sends the signal to its whole process
/// group, as a terminal does, and looks at what is left.
fn survives_nothing(signal: Signal) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "throwaway::owns_a_server_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let output = BufReader::new(owner.stdout.take().unwrap());
    let traces = output.lines().map_while(Result::ok).find_map(|line| {
        let (pid, folder) = line.split_once("owned: ")?.1.split_once(' ')?;
        Some((pid.parse::<i32>().ok()?, PathBuf::from(folder)))
    });
    let (pid, folder) = traces.expect("the owner names its server");
    assert!(lives(pid) && folder.exists());
    let group = i32::try_from(owner.id()).unwrap();
    nix::sys::signal::killpg(Pid::from_raw(group), signal).unwrap();
    owner.wait().unwrap();
    until_gone(pid, &folder);
}

/// Not a test: the process that [`survives_nothing`] kills.
#[test]
#[ignore = "run by other tests"]
fn owns_a_server_until_killed() {
    let server = start();
    let (pid, folder) = traces(&server);
    let mut busy = server.command("psql");
    busy.args(["-XAt", "-c", "SELECT pg_sleep(600)"])
        .stdout(Stdio::null());
    let mut busy = busy.stderr(Stdio::null()).process_group(0).spawn().unwrap();
    until("its client is busy", || {
        server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%600%' AND state = 'active'").unwrap() != "0"
    });
    println!("\nowned: {pid} {}", folder.display());
    let _ = busy.wait();
}

#[test]
fn what_is_asked_for_by_name_is_used_or_refused() {
    let found = Binaries::find(None).unwrap();
    let options = Options {
        bin: Some(found.folder().to_path_buf()),
        ..Options::default()
    };
    assert_eq!(Server::start(&options).unwrap().major(), found.major());
    let options = Options {
        bin: Some("/nonexistent".into()),
        ..Options::default()
    };
    let error = Server::start(&options).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/postgres"), "{error}");
}

// The actors that other tests rely on.

#[test]
fn an_alter_waits_behind_a_stalled_dump_and_readers_behind_the_alter() {
    let shop = common::shop();
    let mut dump = Dump::stalled(&shop);
    let mut migration = shop.session_named("migration");
    migration.start("ALTER TABLE orders ADD COLUMN total int");
    migration.until_waiting();
    assert_eq!(migration.blocked_by(), [dump.pid()]);
    let mut reader = shop.session();
    reader.start("SELECT count(*) FROM orders");
    reader.until_waiting();
    assert_eq!(reader.blocked_by(), [migration.pid()]);

    assert!(dump.is_running());
    assert!(dump.finish().success());
    migration.join().unwrap();
    assert_eq!(reader.join().unwrap(), "5000");
}

#[test]
fn a_dump_stalls_in_the_table_that_a_test_names() {
    let shop = common::shop();
    shop.sql("INSERT INTO products (name, price) SELECT repeat('long ', 200), 1 FROM generate_series(1, 5000)");
    let dump = Dump::stalled_in(&shop, "public.products");
    let copies = format!(
        "SELECT query FROM pg_stat_activity WHERE pid = {}",
        dump.pid()
    );
    assert!(shop.sql(&copies).starts_with("COPY public.products ("));
}

#[test]
fn a_killed_dump_lets_the_queue_go_on() {
    let shop = common::shop();
    let mut dump = Dump::stalled(&shop);
    let mut migration = shop.session();
    migration.start("ALTER TABLE orders ADD COLUMN total int");
    migration.until_waiting();
    assert!(!dump.kill().success());
    migration.join().unwrap();
}

#[test]
fn a_parallel_dump_stalls_with_a_leader_and_its_workers() {
    let shop = common::shop();
    let mut dump = Dump::stalled_parallel(&shop, 2);
    assert_eq!(dump.pids().len(), 3);
    let idle_leader = format!(
        "SELECT state FROM pg_stat_activity WHERE pid = {}",
        dump.pid()
    );
    assert_eq!(shop.sql(&idle_leader), "idle in transaction");
    assert!(dump.finish().success());
}

#[test]
fn a_session_tells_what_it_does() {
    let shop = common::shop();
    let mut holder = shop.session();
    holder.begin_and_lock("orders", "SHARE");
    let mut writer = shop.session();
    writer.start("UPDATE orders SET status = 'sent' WHERE id = 1");
    writer.until_waiting();
    assert!(writer.is_active() && !holder.is_waiting());
    holder.exec("COMMIT");
    writer.join().unwrap();
    assert_eq!(
        writer.query_text("SELECT id, NULL, status FROM orders WHERE id = 1"),
        "1||sent"
    );
    let error = writer.try_exec("SELECT nothing").unwrap_err();
    assert_eq!(error, "column \"nothing\" does not exist");
    writer.close();
}
