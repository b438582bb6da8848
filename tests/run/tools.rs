//! Real migration tools under `pgguard run`: stopped while they wait they leave nothing in the queue, and run again they
//! are applied and recorded.

use crate::common::{self, Address, LaidOut, Project};
use crate::stage::{Stage, Started};
use nix::sys::signal::Signal;
use std::process::Command;

/// A project on a stage's database; its configuration has the server's address.
fn project_on(stage: &Stage, project: &Project) -> LaidOut {
    project.laid_out("one", &Address::of(&stage.shop))
}

/// pgguard run with these flags on it. Nothing in the environment leads to the server.
fn run(stage: &Stage, project: &LaidOut, flags: &[&str]) -> Command {
    let url = stage.shop.url();
    let mut command = stage.command([&["run", "-d", &url], flags].concat());
    project.with_command(&mut command);
    command.env_remove("DATABASE_URL");
    command
}

#[test]
fn stopped_while_it_waits_a_tool_leaves_nothing_and_run_again_it_is_applied() {
    for project in common::projects() {
        let name = project.name;
        let stage = Stage::new();
        let there = project_on(&stage, project);
        let holder = stage.holder();
        let flags = ["--no-gate", "--max-queue", "1h"];
        let mut waits = Started::of(run(&stage, &there, &flags), &stage.path("out"));
        stage.until_run_waits();
        let mut reader = stage.shop.session();
        reader.start("SELECT count(*) FROM orders");
        reader.until_waiting();
        waits.signal(Signal::SIGTERM);
        assert_eq!(waits.wait(), 143, "{name}: {}", stage.out());
        assert_eq!(reader.join().as_deref(), Ok("1"), "{name}");
        stage.until_no_session();
        assert!(!stage.has_column("total"), "{name}");
        let told = &stage.runs()[0];
        let out = stage.out();
        let is_recorded = told["facts"]["recorded"] != serde_json::json!([]);
        if is_recorded {
            assert_eq!(told["result"], "half_applied", "{name}: {out}");
        } else {
            // Its first run may have made the tool's own tables: nothing is applied by that.
            assert_eq!(told["result"], "not_applied", "{name}: {out}");
            let tables = "SELECT count(*) > 1 FROM pg_class WHERE relkind = 'r' AND oid >= 16384";
            let is_told = out.contains("the schema is as before; only the tool's own table");
            assert_eq!(stage.shop.sql(tables) == "t", is_told, "{name}: {out}");
        }
        holder.close();
        reader.close();
        let ran = common::run_with_input(run(&stage, &there, &[]), "");
        assert_eq!(ran.status, 0, "{name}: {ran}");
        assert!(stage.has_column("total"), "{name}");
        let told = &stage.runs()[0];
        assert_eq!(told["result"], "applied", "{name}: {ran}");
        let recorded = told["facts"]["recorded"].as_array().expect("rows");
        assert!(!recorded.is_empty(), "{name}: {told}");
        let ran = common::run_with_input(run(&stage, &there, &[]), "");
        let nothing = ran.status == 0 && ran.stderr.contains("nothing to do");
        assert!(nothing, "{name}: {ran}");
    }
}

#[test]
fn a_tool_that_makes_way_is_tried_again() {
    for project in common::projects() {
        let name = project.name;
        let stage = Stage::new();
        let there = project_on(&stage, project);
        let holder = stage.holder();
        let flags = ["--no-gate", "--tries", "5"];
        let mut tries = Started::of(run(&stage, &there, &flags), &stage.path("out"));
        stage.until_run_waits();
        let mut reader = stage.shop.session();
        reader.start("SELECT count(*) FROM orders");
        assert_eq!(reader.join().as_deref(), Ok("1"), "{name}");
        // Sequelize runs each statement by itself: what came before the one that waited is done.
        if name == "sequelize" {
            stage.until_said("it is not tried again");
            assert_ne!(tries.wait(), 0, "{name}");
            continue;
        }
        stage.until_said("it is tried again");
        holder.close();
        assert_eq!(tries.wait(), 0, "{name}: {}", stage.out());
        assert!(stage.has_column("total"), "{name}");
    }
}

#[test]
fn a_migration_that_fails_after_an_applied_one_is_told_as_not_applied() {
    for project in common::projects() {
        let name = project.name;
        let stage = Stage::new();
        let ran = common::run_with_input(run(&stage, &project_on(&stage, project), &[]), "");
        assert_eq!(ran.status, 0, "{name}: {ran}");
        let next = project.laid_out("fails", &Address::of(&stage.shop));
        let ran = common::run_with_input(run(&stage, &next, &["--no-gate"]), "");
        assert_ne!(ran.status, 0, "{name}: {ran}");
        let told = &stage.runs()[0];
        assert_eq!(told["result"], "not_applied", "{name}: {ran}\n{told}");
    }
}

/// A run by asyncpg, which takes neither PGAPPNAME nor PGOPTIONS; `None`: it is not installed.
#[cfg(target_os = "linux")]
fn started_by_asyncpg(stage: &Stage, flags: &[&str]) -> Option<Started> {
    let tools = common::migration_tools()?;
    stage.file(
        "migrate.py",
        "import asyncio, asyncpg, sys\nasync def main():\n    c = await asyncpg.connect(sys.argv[1])\n    await c.execute('ALTER TABLE orders ADD COLUMN total int')\nasyncio.run(main())\n",
    );
    let url = stage.shop.server.tcp_url(&stage.shop.name);
    let mut words = vec!["run", "--no-gate"];
    words.extend(flags);
    words.extend(["--", "python3", "migrate.py", &*url]);
    let mut command = stage.command(words);
    command
        .current_dir(stage.folder.path())
        .env("PYTHONPATH", tools.join("python"))
        .env("DATABASE_URL", &url);
    let run = Started::of(command, &stage.path("out"));
    stage.until_said("known by its connection");
    Some(run)
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_takes_no_name_is_known_by_its_connection() {
    let stage = Stage::new();
    let holder = stage.holder();
    let Some(mut run) = started_by_asyncpg(&stage, &[]) else {
        return;
    };
    let mut reader = stage.shop.session();
    reader.start("SELECT count(*) FROM orders");
    assert_eq!(reader.join().as_deref(), Ok("1"));
    assert_eq!(run.wait(), 1, "{}", stage.out());
    assert!(stage.out().contains("cancelled pid"), "{}", stage.out());
    assert!(holder.is_there() && !stage.has_column("total"));
}

/// pgguard and its command are killed while such a driver's statement waits: the guard knows the session all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_of_a_driver_that_takes_no_name_leaves_nothing_in_the_queue() {
    let stage = Stage::new();
    let holder = stage.holder();
    let Some(mut run) = started_by_asyncpg(&stage, &["--max-queue", "1h"]) else {
        return;
    };
    stage.until_said("waits for ACCESS EXCLUSIVE");
    run.signal(Signal::SIGKILL);
    run.wait();
    common::until("its statement has left the queue", || {
        stage.shop.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") == "0"
    });
    assert!(holder.is_there() && !stage.has_column("total"));
}
