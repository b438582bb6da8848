//! The command behind pgbouncer: it gets a name and no settings, makes way as always, and nobody else who comes through
//! the pooler is ever signalled.

use crate::common::{self, Pooler, Session};
use crate::stage::Stage;

const ADD: &str = "ALTER TABLE orders ADD COLUMN total int";

/// psql through the pooler, and the flags that have pgguard look the same way.
fn through(stage: &Stage, way: &str, sql: &str) -> Vec<String> {
    let psql = stage.shop.server.bin("psql").display().to_string();
    [&*psql, "-X", "-v", "ON_ERROR_STOP=1", "-d", way, "-c", sql]
        .map(str::to_owned)
        .to_vec()
}

/// Another client of the pooler.
fn client(stage: &Stage, pooler: &Pooler) -> Session {
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{}",
        pooler.port(),
        stage.shop.name
    );
    Session::connect(stage.shop.server, &url, "web")
}

#[test]
fn behind_a_pooler_that_refuses_settings_it_says_so_and_runs_without() {
    for mode in ["transaction", "session"] {
        let stage = Stage::new();
        let Some(pooler) = Pooler::start(stage.shop.server, &format!("pool_mode = {mode}")) else {
            return;
        };
        let way = pooler.way_to(&stage.shop.name);
        let flags = ["-d", &*way, "--lock-timeout", "5s"];
        let ran = stage.run(&flags, &through(&stage, &way, ADD));
        assert_eq!(ran.status, 0, "{mode}: {ran}");
        assert!(
            ran.stderr.contains("a name and no settings"),
            "{mode}: {ran}"
        );
        assert!(
            ran.stderr.contains("applied: the schema has changed"),
            "{mode}: {ran}"
        );
        assert!(stage.has_column("total"), "{mode}");
        // Said before it starts, and not when the command fails.
        let said = ran
            .stderr
            .find("no settings")
            .zip(ran.stderr.find("started: "));
        assert!(
            said.is_some_and(|(note, start)| note < start),
            "{mode}: {ran}"
        );
    }
}

#[test]
fn behind_a_pooler_it_makes_way_and_signals_nobody_else() {
    for major in common::majors() {
        let stage = Stage::of_major(major);
        let Some(pooler) = Pooler::start(
            stage.shop.server,
            "default_pool_size = 4\nignore_startup_parameters = extra_float_digits",
        ) else {
            return;
        };
        let way = pooler.way_to(&stage.shop.name);
        let holder = stage.holder();
        // A client whose session the run may get next, or had before.
        let mut busy = client(&stage, &pooler);
        busy.exec("BEGIN; SELECT 1");
        let mut run = stage.start(&["--no-gate", "-d", &way], &through(&stage, &way, ADD));
        let own = stage.until_run_waits();
        let mut reader = client(&stage, &pooler);
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(
            reader.join().as_deref(),
            Ok("1"),
            "{major}: {}",
            stage.out()
        );
        assert_ne!(run.wait(), 0, "{major}");
        let out = stage.out();
        assert!(
            out.contains(&format!("cancelled pid {own}")),
            "{major}: {out}"
        );
        assert!(out.contains("not applied"), "{major}: {out}");
        busy.exec("COMMIT");
        assert!(holder.is_there(), "{major}");
    }
}

#[test]
fn a_run_that_is_killed_behind_a_pooler_leaves_nothing_in_the_queue() {
    let stage = Stage::new();
    let Some(pooler) = Pooler::start(stage.shop.server, "") else {
        return;
    };
    let way = pooler.way_to(&stage.shop.name);
    let holder = stage.holder();
    let mut run = stage.start(
        &["--no-gate", "--max-queue", "1h", "-d", &way],
        &through(&stage, &way, ADD),
    );
    stage.until_run_waits();
    run.signal(nix::sys::signal::Signal::SIGKILL);
    run.wait();
    common::until("its statement has left the queue", || {
        stage.shop.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") == "0"
    });
    assert!(holder.is_there() && !stage.has_column("total"));
}
