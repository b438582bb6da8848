//! Ordinary days that go wrong: a full disk, a damaged history, a server that restarts, two runs at the same time, a command
//! that leaves its work to others, one that is stopped. Each ends with a true answer.

use crate::common::{self, Database};
use crate::stage::{Stage, Started, pid_in, sh};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

/// A small disk of its own, gone when dropped; `None`: only root can have one.
struct Disk(PathBuf);

impl Disk {
    fn small(path: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(&path)
            .output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            println!("skipped: no disk can be mounted here");
            return None;
        }
        Some(Self(path))
    }

    fn fill(&self) {
        // The write fails once all is taken: what was written by then stays.
        let _ = std::fs::write(self.0.join("filler"), vec![b'x'; 1 << 20]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A run whose history and logs are there.
fn on_disk(stage: &Stage, disk: &Path, command: &[String]) -> Command {
    let mut run = stage.command(["run", "--no-gate", "--"]);
    run.args(command)
        .env("PGGUARD_HISTORY", disk.join("history"))
        .env("XDG_STATE_HOME", disk.join("state"));
    run
}

#[test]
fn a_full_disk_under_history_and_log_does_not_hold_the_migration_up() {
    for fills_first in [true, false] {
        let stage = Stage::new();
        let Some(disk) = Disk::small(stage.path("disk")) else {
            return;
        };
        let page = stage.path("page.html");
        let psql = stage.psql(&["-c", ADD]).join("' '");
        let go = stage.path("go");
        let line = format!(
            "echo ready; while [ ! -e {} ]; do sleep 0.05; done; head -c 600000 /dev/zero | tr '\\0' x; '{psql}'",
            go.display()
        );
        if fills_first {
            disk.fill();
        }
        let mut command = on_disk(&stage, &disk.0, &sh(&line));
        command.env("TMPDIR", stage.folder.path());
        let mut run = Started::of(command, &stage.path("out"));
        stage.until_said("ready");
        disk.fill();
        std::fs::write(&go, "").expect("written");
        assert_eq!(run.wait(), 0, "{}", stage.out());
        let out = stage.out();
        assert!(out.contains("applied: the schema has changed"), "{out}");
        assert!(
            out.contains("note: "),
            "that something is not kept is said: {out}"
        );
        assert!(stage.has_column("total") && !page.exists());
    }
}

#[test]
fn a_history_that_cannot_be_read_is_a_note_and_stays_as_it_is() {
    let stage = Stage::new();
    for (nth, history) in ["no history at all, whatever it was", ""]
        .iter()
        .enumerate()
    {
        let place = match history.is_empty() {
            true => "postgres://nobody@127.0.0.1:1/gone".to_owned(),
            false => stage.file("history", history),
        };
        let add = format!("ALTER TABLE orders ADD COLUMN c{nth} int");
        let flags = ["--history", &*place];
        let ran = stage.run(&flags, &stage.psql(&["-c", &add]));
        assert_eq!(ran.status, 0, "{ran}");
        assert!(
            ran.stderr.contains("applied: the schema has changed"),
            "{ran}"
        );
        assert!(ran.stderr.contains("note: "), "{ran}");
        assert!(stage.has_column(&format!("c{nth}")));
    }
    let kept = std::fs::read_to_string(stage.path("history")).expect("the file");
    assert_eq!(kept, "no history at all, whatever it was");
}

/// A server of its own, with the shop's table; and how it is started once more.
fn restarted(server: &pgguard::test_support::throwaway::Server) {
    let data = server.data_dir().display().to_string();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&data).expect("a folder"));
    let mut command = Command::new(server.bin("pg_ctl"));
    let done = std::os::unix::process::CommandExt::uid(&mut command, owner)
        .args([
            "restart",
            "-w",
            "-m",
            "immediate",
            "-D",
            &data,
            "-l",
            "/dev/null",
        ])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(done.expect("pg_ctl runs").success());
}

#[test]
fn a_server_that_restarts_in_the_middle_is_asked_for_the_end_all_the_same() {
    use pgguard::test_support::throwaway::Options;
    for major in common::majors() {
        // Between two statements, and under one that waits.
        for waits in [false, true] {
            // What was committed has to outlive the crash.
            let options = Options::major(major).setting("synchronous_commit", "on");
            let server = common::own_server(&options);
            let shop = Database::empty(server);
            let stage = Stage::new();
            shop.sql("CREATE TABLE orders (id int)");
            let psql = format!(
                "'{}' -X -v ON_ERROR_STOP=1 '{}'",
                server.bin("psql").display(),
                shop.url()
            );
            let go = stage.path("go");
            let line = format!(
                "{psql} -c 'CREATE TABLE first (id int)'; echo ready; while [ ! -e {} ]; do sleep 0.05; done; {psql} -c '{ADD}'",
                go.display()
            );
            let mut command = stage.command(["run", "--no-gate", "--max-queue", "1h", "--"]);
            command.args(sh(&line)).env("DATABASE_URL", shop.url());
            let mut run = Started::of(command, &stage.path("out"));
            stage.until_said("ready");
            if waits {
                let mut holder = shop.session_named("holder");
                holder.exec("BEGIN; SELECT count(*) FROM orders");
                std::fs::write(&go, "").expect("written");
                common::until("it waits", || {
                    shop.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                        == "1"
                });
                restarted(server);
                drop(holder);
            } else {
                restarted(server);
                std::fs::write(&go, "").expect("written");
            }
            let status = run.wait();
            let out = stage.out();
            let told = &stage.runs()[0];
            let (expected, result) = if waits {
                (false, "half_applied")
            } else {
                (true, "applied")
            };
            assert_eq!(status == 0, expected, "{major}: {out}");
            assert_eq!(told["result"], result, "{major}: {out}");
            let has = shop.sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'total'");
            assert_eq!(has == "1", expected, "{major}: {out}");
        }
    }
}

#[test]
fn two_runs_of_one_command_on_two_databases_do_not_take_each_other_for_the_same() {
    let stage = Stage::new();
    let other = common::database();
    other.sql("CREATE TABLE orders (id int)");
    let psql = stage.shop.server.bin("psql");
    let command = sh(&format!(
        "'{}' -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -c '{ADD}'",
        psql.display()
    ));
    let mut holders = [
        stage.shop.session_named("holder"),
        other.session_named("holder"),
    ];
    for holder in &mut holders {
        holder.exec("BEGIN; SELECT count(*) FROM orders");
    }
    let mut runs = [&stage.shop, &other].map(|database| {
        let mut run = stage.command(["run", "--no-gate", "--max-queue", "1h", "--"]);
        run.args(&command).env("DATABASE_URL", database.url());
        Started::of(run, &stage.path(&format!("out-{}", database.name)))
    });
    for database in [&stage.shop, &other] {
        common::until("it waits", || {
            database.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgguard:%' AND wait_event_type = 'Lock' \
                 AND datname = current_database()",
            ) == "1"
        });
    }
    // One is asked to stop: the other is not touched.
    runs[1].signal(Signal::SIGTERM);
    assert_eq!(runs[1].wait(), 143);
    assert!(!runs[0].is_over());
    for holder in holders {
        assert!(holder.is_there());
        holder.close();
    }
    assert_eq!(runs[0].wait(), 0);
    let results: Vec<_> = stage
        .runs()
        .iter()
        .map(|run| (run["database"].clone(), run["result"].clone()))
        .collect();
    assert!(
        results.contains(&(stage.shop.name.clone().into(), "applied".into())),
        "{results:?}"
    );
    assert!(
        results.contains(&(other.name.clone().into(), "not_applied".into())),
        "{results:?}"
    );
}

#[test]
fn a_command_that_leaves_its_work_to_another_process_is_told_as_of_now() {
    for status in [0, 3] {
        let stage = Stage::new();
        let holder = stage.holder();
        let psql = stage.psql(&["-c", ADD]).join("' '");
        let go = stage.path("go");
        let line = format!(
            "setsid '{psql}' >/dev/null 2>&1 </dev/null & while [ ! -e {} ]; do sleep 0.05; done; exit {status}",
            go.display()
        );
        let mut run = stage.start(&["--no-gate", "--max-queue", "1h"], &sh(&line));
        stage.until_run_waits();
        std::fs::write(&go, "").expect("written");
        assert_eq!(run.wait(), status, "{}", stage.out());
        let out = stage.out();
        if status == 0 {
            assert!(
                out.contains("it is left alone, and what follows is as of now"),
                "{out}"
            );
            assert_eq!(stage.sessions(), "1", "{out}");
        } else {
            assert!(out.contains("not applied"), "{out}");
            stage.until_no_session();
        }
        assert!(holder.is_there());
        holder.close();
        stage.until_no_session();
        assert_eq!(stage.has_column("total"), status == 0, "{out}");
    }
}

#[test]
fn a_command_that_is_stopped_is_told_makes_way_and_can_be_ended() {
    let stage = Stage::new();
    let holder = stage.holder();
    let pid = stage.path("pid");
    let psql = stage.psql(&["-c", ADD]).join("' '");
    let command = sh(&format!("echo $$ > {}; exec '{psql}'", pid.display()));
    let mut run = stage.start(&["--no-gate"], &command);
    stage.until_run_waits();
    kill(Pid::from_raw(pid_in(&pid)), Signal::SIGSTOP).expect("stopped");
    #[cfg(target_os = "linux")]
    stage.until_said("the command's process is stopped (SIGSTOP)");
    let mut reader = stage.shop.session();
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(
        reader.join().as_deref(),
        Ok("1"),
        "who queues behind it is freed"
    );
    assert!(!run.is_over());
    run.signal(Signal::SIGTERM);
    assert_eq!(run.wait(), 143, "{}", stage.out());
    assert!(stage.out().contains("not applied"), "{}", stage.out());
    stage.until_no_session();
    assert!(holder.is_there());
}
