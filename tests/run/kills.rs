//! Parts are killed at random moments: no page is left standing, no session of others is signalled, nothing of the run's
//! own stays in the queue.

use crate::common;
use crate::stage::{Stage, Started, sh};
use crate::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

/// How often; `PGGUARD_KILLS` says otherwise.
fn rounds() -> u64 {
    std::env::var("PGGUARD_KILLS").map_or(12, |n| n.parse().expect("a number"))
}

/// Which parts are killed, all at once.
#[derive(Debug, Clone, Copy)]
struct Kill {
    pgguard: bool,
    guard: bool,
    command: bool,
}

/// The children of a process, and the first words of their command lines.
fn children(of: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent: i32 = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()?;
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            (parent == of).then_some((pid, line))
        })
        .collect()
}

fn kill_parts(run: &Started, what: Kill) {
    let below = children(run.pid);
    let is_guard = |line: &str| line.contains("__guard");
    let mut pids = Vec::new();
    if what.pgguard {
        pids.push(run.pid);
    }
    let wanted = below.iter().filter(|(_, line)| {
        if is_guard(line) {
            what.guard
        } else {
            what.command
        }
    });
    pids.extend(wanted.map(|(pid, _)| *pid));
    for pid in pids {
        // It may have ended a moment ago.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_killed_whenever_nothing_is_left_standing() {
    let stage = Stage::new();
    let page = stage.path("page.html");
    let psql = stage
        .psql(&["-c", "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x'"])
        .join("' '");
    let command = sh(&format!("exec '{psql}'"));
    let flags = [
        "--no-gate",
        "--max-queue",
        "700ms",
        "--maintenance-page",
        page.to_str().expect("a path"),
    ];
    let mut dice = 88_172_645_463_325_252_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    for round in 0..rounds() {
        let mut holder = stage.holder();
        let mut run = stage.start(&flags, &command);
        let mut reader = stage.shop.session_named("web");
        std::thread::sleep(Duration::from_millis(roll(1500)));
        reader.start("SELECT count(*) FROM orders");
        std::thread::sleep(Duration::from_millis(roll(1200)));
        let parts = 1 + roll(7);
        let what = Kill {
            pgguard: parts & 1 != 0,
            guard: parts & 2 != 0,
            command: parts & 4 != 0,
        };
        kill_parts(&run, what);
        let about = format!("round {round}, {what:?}, {}", stage.out());
        run.wait();
        stage.until_no_session();
        assert_eq!(reader.join().as_deref(), Ok("1"), "{about}");
        assert!(holder.is_there() && reader.is_there(), "{about}");
        holder.exec("COMMIT");
        if what.pgguard {
            // The guard, or the next run.
            common::until("the page is gone", || {
                stage.runs().is_empty() || !page.exists()
            });
        }
        assert!(!page.exists(), "{about}");
        fs::remove_file(stage.path("out")).expect("removed");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_real_terminal_that_closes_does_not_end_it() {
    let stage = Stage::new();
    let go = stage.path("go");
    let script = format!(
        "printf 'before the hang'; echo up; while [ ! -e {} ]; do sleep 0.05; done; echo after it; exit 4",
        go.display()
    );
    let pgguard = stage.command(["run", "--no-gate", "--", "sh", "-c", &*script]);
    let Some(mut terminal) = Terminal::open(&pgguard) else {
        return;
    };
    terminal.until_said("before the hangup");
    terminal.close();
    let log = || {
        let runs = stage.runs();
        let log = runs
            .first()
            .and_then(|run| run["facts"]["log"].as_str().map(str::to_owned));
        log.map_or_else(String::new, |log| {
            fs::read_to_string(log).unwrap_or_default()
        })
    };
    common::until("the log says that the terminal is gone", || {
        log().contains("the terminal is gone")
    });
    fs::write(&go, "").expect("written");
    let attached = common::run_with_input(stage.command(["run", "--attach"]), "");
    assert_eq!(attached.status, 4, "{attached}");
    assert!(attached.stdout.contains("after it\n"), "{attached}");
}
