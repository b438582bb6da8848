//! The five stories that this tool exists for, each as people tell it, with real servers, a real pg_dump, a real web
//! server and a real terminal. tests/rehearse has the first one with Rails.

use crate::common::{self, Dump, Outcome};
use crate::stage::Stage;
use crate::terminal::Terminal;
use crate::web::Web;
use serde_json::Value;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

/// What somebody types at the shell of the server.
fn types(stage: &Stage, line: &str) -> Outcome {
    common::run_with_input(stage.command(line.split(' ')), "")
}

/// The nightly backup is at the large table, and takes its time.
fn nightly_backup(stage: &Stage) -> Dump {
    stage
        .shop
        .sql("INSERT INTO orders SELECT n, repeat('x', 2000) FROM generate_series(2, 3000) n");
    Dump::stalled_in(&stage.shop, "public.orders")
}

// 1. The deploy that hung.

#[test]
fn the_deploy_that_hung_because_of_the_backup_and_was_waited_for() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let mut backup = nightly_backup(&stage);
        let migration = stage.file("0057_total.sql", &format!("{ADD};"));

        // Who is in the way? Not a riddle in pg_stat_activity any more.
        let status = types(&stage, "status");
        assert!(status.stdout.contains("pg_dump"), "{major}: {status}");
        // May the deploy begin? The rule "not while a backup is in progress", as an exit status.
        let gate = types(&stage, &format!("gate {migration}"));
        assert_eq!(gate.status, 1, "{major}: {gate}");
        assert!(
            gate.stdout.contains(&format!("pid {}", backup.pid())),
            "{major}: {gate}"
        );

        // The deploy waits by itself, and meanwhile nobody hangs: it does not stand in the queue.
        let mut deploy = stage.start(&["--wait", "1h"], &stage.psql(&["-f", &migration]));
        stage.until_said("backup");
        let mut web = stage.shop.session_named("web");
        web.exec("SELECT count(*) FROM orders WHERE id = 1");
        assert!(!stage.has_column("total"), "{major}");
        assert!(backup.finish().success(), "{major}: the backup is whole");
        assert_eq!(deploy.wait(), 0, "{major}: {}", stage.out());
        assert!(stage.has_column("total"), "{major}");
    }
}

#[test]
fn the_deploy_that_hung_because_of_the_backup_which_was_ended() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let mut backup = nightly_backup(&stage);
        let migration = stage.file("0057_total.sql", &format!("{ADD};"));
        // This deploy was begun without asking, and everybody hangs behind it.
        let mut deploy = stage.shop.session_named("deploy");
        deploy.start(ADD);
        deploy.until_waiting();
        let mut web = stage.shop.session_named("web");
        web.start("SELECT count(*) FROM orders WHERE id = 1");
        web.until_waiting();

        // What frees the users first is to end the migration, not the backup.
        let status = types(&stage, "status");
        let first = status
            .stdout
            .find(&format!("pgguard kill {}", deploy.pid()));
        assert!(first.is_some(), "{major}: {status}");
        assert!(status.stdout.contains("OUTAGE"), "{major}: {status}");
        // He decides otherwise. It says what that costs, and ends one session, not the server's all.
        let identity = stage.shop.sql(&format!(
            "SELECT pid || '@' || to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pg_stat_activity WHERE pid = {}",
            backup.pid()
        ));
        let asked = types(&stage, &format!("kill {}", backup.pid()));
        assert_ne!(
            asked.status, 0,
            "{major}: without a yes nothing is ended: {asked}"
        );
        assert!(backup.is_running(), "{major}");
        let ended = types(&stage, &format!("kill {} --yes {identity}", backup.pid()));
        assert_eq!(ended.status, 0, "{major}: {ended}");
        assert_eq!(web.join().as_deref(), Ok("1"), "{major}");
        deploy
            .join()
            .unwrap_or_else(|error| panic!("{major}: {error}"));
        assert!(web.is_there() && deploy.is_there(), "{major}");
        assert!(stage.has_column("total"), "{major}");

        // What ran, and what is left to be done? The gate says that it is there already.
        let gate = types(&stage, &format!("gate {migration}"));
        assert!(
            gate.status == 1 && gate.stdout.contains("already exists"),
            "{major}: {gate}"
        );
        // The backup is told as one that did not end.
        let log = types(&stage, "log");
        assert!(
            log.stdout.contains(&backup.pid().to_string()),
            "{major}: {log}"
        );
    }
}

// 2. The ssh that dropped.

/// A large set of migrations; the second one has to wait for somebody.
fn large_set(stage: &Stage) -> String {
    stage.file(
        "all.sql",
        &format!(
            "CREATE TABLE first (id int);\n\\echo the first one is done\n{ADD};\nCREATE TABLE last (id int);\n\\echo all done\n"
        ),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn the_ssh_that_dropped_while_a_large_set_of_migrations_ran() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let holder = stage.holder();
        let all = large_set(&stage);
        let command = stage.psql(&["-f", &all]);
        let words = ["run", "--no-gate", "--max-queue", "1h", "--"].map(str::to_owned);
        let run = stage.command(words.iter().chain(&command));
        let Some(mut ssh) = Terminal::open(&run) else {
            return;
        };
        ssh.until_said("the first one is done");
        stage.until_run_waits();
        ssh.close();

        // Is it still running? One command tells, from another terminal.
        let log = stage.runs()[0]["facts"]["log"]
            .as_str()
            .expect("a log")
            .to_owned();
        common::until("it has noticed", || {
            std::fs::read_to_string(&log)
                .unwrap_or_default()
                .contains("the terminal is gone")
        });
        let run = &stage.runs()[0];
        assert_eq!(run["result"], "running", "{major}: {run}");
        assert_eq!(
            types(&stage, "doctor").status,
            0,
            "{major}: nothing is left behind"
        );
        // Can it be done twice? Who tries is told.
        let twice = stage.run(&["--no-gate"], &command);
        assert_eq!(twice.status, 75, "{major}: {twice}");
        assert!(twice.stderr.contains("already running"), "{major}: {twice}");

        // Was it completed? He comes back, sees all of it, and gets its exit status.
        holder.close();
        let back = types(&stage, "run --attach");
        assert_eq!(back.status, 0, "{major}: {back}");
        for words in [
            "the first one is done",
            "all done",
            "applied: the schema has changed",
        ] {
            assert!(back.stdout.contains(words), "{major}: {back}");
        }
        let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('first', 'last')";
        assert_eq!(stage.shop.sql(tables), "2", "{major}");
        assert!(stage.has_column("total"), "{major}");
        assert_eq!(types(&stage, "doctor").status, 0, "{major}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_ssh_that_dropped_without_pgguard_and_what_the_doctor_says() {
    if !nix::unistd::Uid::effective().is_root() {
        return println!("skipped: only root sees whose unix socket it is");
    }
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let holder = stage.holder();
        let all = large_set(&stage);
        let psql = stage.psql(&["-f", &all]);
        let mut plain = std::process::Command::new(&psql[0]);
        plain.args(&psql[1..]);
        let Some(mut ssh) = Terminal::open(&plain) else {
            return;
        };
        ssh.until_said("the first one is done");
        let waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        common::until("it waits", || !stage.shop.sql(waiting).is_empty());
        ssh.close();
        drop(ssh);

        // The client is gone; its ALTER stands in the queue, and the shop hangs behind it.
        let zombie = stage.shop.sql(waiting);
        let mut web = stage.shop.session_named("web");
        web.start("SELECT count(*) FROM orders");
        web.until_waiting();
        let told = types(&stage, &format!("doctor --migrations {all} --format json"));
        assert_eq!(told.status, 1, "{major}: {told}");
        let findings = told.json()["findings"].clone();
        assert_eq!(findings[0]["kind"], "zombie", "{major}: {told}");
        assert_eq!(
            findings[0]["command"],
            format!("pgguard kill {zombie}"),
            "{major}: {told}"
        );
        // Half done: the first statement is, the others are not.
        let half = findings
            .as_array()
            .expect("a list")
            .iter()
            .find(|f| f["kind"] == "half_applied");
        assert!(
            half.is_some_and(|half| half["what"]
                .as_str()
                .is_some_and(|w| w.contains("1 is done"))),
            "{major}: {told}"
        );
        let identity = findings[0]["identity"].as_str().expect("an identity");
        let ended = types(&stage, &format!("kill {zombie} --yes {identity}"));
        assert_eq!(ended.status, 0, "{major}: {ended}");
        assert_eq!(web.join().as_deref(), Ok("1"), "{major}");
        assert!(holder.is_there() && !stage.has_column("total"), "{major}");
    }
}

// 3. The maintenance page.

#[test]
fn the_maintenance_page_is_up_exactly_while_the_migration_needs_it() {
    let stage = Stage::new();
    let Some(web) = Web::start(&stage) else {
        return;
    };
    let page = stage
        .path("public/system/maintenance.html")
        .display()
        .to_string();
    let template = stage.file(
        "page.html.erb",
        "<h1><%= reason %></h1> back in {{retry_after}} s, at <%= deadline %>",
    );
    let mut other = stage.shop.session();
    let go = stage.path("go");
    let wait = format!("\\! while [ ! -e {} ]; do sleep 0.05; done\n", go.display());
    let flags = [
        "--wait",
        "1h",
        "--maintenance-page",
        &page,
        "--template",
        &template,
        "--reason",
        "New totals",
        "--takes",
        "61s",
    ];
    for (script, status, is_there) in [
        (format!("BEGIN;\n{ADD};\n{wait}COMMIT;\n"), 0, true),
        // The deploy fails and is rolled back: the shop is open again.
        (
            format!("BEGIN;\n{wait}ALTER TABLE orders DROP COLUMN total;\nSELECT 1/0;\nCOMMIT;\n"),
            3,
            true,
        ),
    ] {
        let _ = std::fs::remove_file(&go);
        let _ = std::fs::remove_file(stage.path("out"));
        let migration = stage.file("0057.sql", &script);
        other.exec("BEGIN; SELECT count(*) FROM orders");
        let named = stage.file(
            "gate.sql",
            "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'x';",
        );
        let flags = [&flags[..], &["--gate", &named]].concat();
        let mut deploy = stage.start(&flags, &stage.psql(&["-f", &migration]));
        // While it waits for its turn nobody is sent away.
        stage.until_said("is in the way");
        web.until("200", "the shop");
        other.exec("COMMIT");
        // Then the page is up, says why and until when, and the time moves before it passes.
        web.until("503", "<h1>New totals</h1> back in");
        let seconds = || {
            let answer = web.get().unwrap_or_default();
            let (_, after) = answer.split_once("back in ")?;
            after.split(' ').next()?.parse::<i64>().ok()
        };
        common::until("its time moves on", || {
            seconds().is_some_and(|seconds| seconds > 100)
        });
        std::fs::write(&go, "").expect("written");
        assert_eq!(deploy.wait(), status, "{}", stage.out());
        web.until("200", "the shop");
        assert_eq!(stage.has_column("total"), is_there, "{}", stage.out());
    }
    let run = &stage.runs()[0];
    assert_eq!(run["result"], "not_applied", "{run}");
}

// 4. The processes that never noticed.

#[test]
fn the_processes_that_never_noticed_are_named_and_restarted() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        // Three processes, up since before the deploy, know the columns of their boot.
        let mut web = stage.shop.session_named("web.1");
        let mut stuck = stage.shop.session_named("worker.1");
        for process in [&mut web, &mut stuck] {
            process.exec("PREPARE shown AS SELECT * FROM orders; EXECUTE shown");
        }
        // One command migrates and restarts; the restart reaches web.1, and not the stuck one.
        let restarted = stage.path("restarted");
        let then = format!("touch {}; sleep 1", restarted.display());
        let flags = ["--no-gate", "--then", &then, "--settle", "3s"];
        let mut deploy = stage.start(&flags, &stage.psql(&["-c", ADD]));
        common::until("the restart begins", || restarted.exists());
        web.close();
        let mut web = stage.shop.session_named("web.1");
        web.exec("PREPARE shown AS SELECT * FROM orders; EXECUTE shown");
        assert_eq!(deploy.wait(), 0, "{major}: {}", stage.out());
        let out = stage.out();
        assert!(
            out.contains("\"worker.1\" (local), 1 session, up"),
            "{major}: {out}"
        );
        assert!(!out.contains("\"web.1\" (local)"), "{major}: {out}");

        // Hours later: who still lives in the old schema? And it is true: its query fails.
        let told = types(&stage, "doctor --format json");
        let findings: Value = told.json()["findings"].clone();
        let older: Vec<&str> = findings
            .as_array()
            .expect("a list")
            .iter()
            .filter(|f| f["kind"] == "older_sessions")
            .filter_map(|f| f["what"].as_str())
            .collect();
        assert_eq!((told.status, older.len()), (1, 1), "{major}: {told}");
        assert!(
            older[0].contains("the application \"worker.1\" on the server's host"),
            "{major}: {told}"
        );
        let error = stuck
            .try_exec("EXECUTE shown")
            .expect_err("it has the old plan");
        assert!(
            error.contains("cached plan must not change result type"),
            "{major}: {error}"
        );
        stuck.close();
        let _stuck = stage.shop.session_named("worker.1");
        assert_eq!(
            types(&stage, "doctor").status,
            0,
            "{major}: all are restarted"
        );
    }
}

// 5. To know before pressing the button.

#[test]
fn what_is_said_before_the_button_is_pressed_is_what_happens_then() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let migration = stage.file("0057.sql", &format!("{ADD};"));
        let digest = "SELECT md5(string_agg(c::text, ',' ORDER BY oid)) FROM pg_class c";
        let before = stage.shop.sql(digest);
        // What does it lock?
        let explain = types(&stage, &format!("explain {migration}"));
        assert!(
            explain.stdout.contains("ACCESS EXCLUSIVE") && explain.stdout.contains("orders"),
            "{major}: {explain}"
        );
        for (name, sql) in [
            (
                "a transaction that was left open",
                "BEGIN; SELECT count(*) FROM orders",
            ),
            ("a writer", "BEGIN; UPDATE orders SET note = 'b'"),
            ("nobody", "SELECT 1"),
        ] {
            let mut other = stage.shop.session_named("report");
            other.exec(sql);
            let gate = types(&stage, &format!("gate {migration} --patience 0s"));
            let blocks = gate.status == 1;
            assert!(gate.status < 2, "{major}: {name}: {gate}");
            if blocks {
                assert!(
                    gate.stdout.contains(&format!("pid {}", other.pid())),
                    "{major}: {name}: {gate}"
                );
            }
            assert_eq!(
                stage.shop.sql(digest),
                before,
                "{major}: asking changes nothing"
            );
            // The button, in a transaction that is taken back.
            let mut deploy = stage.shop.session_named("deploy");
            deploy.exec("BEGIN; SET lock_timeout = '1s'");
            let pressed = deploy.try_exec(ADD);
            assert_eq!(
                pressed.is_err(),
                blocks,
                "{major}: {name}: {gate} {pressed:?}"
            );
            deploy.exec("ROLLBACK");
            other.close();
        }
    }
}
