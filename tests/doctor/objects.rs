//! Objects that pg_repack and pgroll make for the time of their work, when that did not end.

use crate::common::{self, Database, until};
use crate::{Told, databases};
use std::path::Path;
use std::process::{Command, Stdio};

/// pg_repack comes with the packages of one major.
const PROGRAM: &str = "/usr/lib/postgresql/15/bin/pg_repack";

#[test]
fn a_killed_pg_repack_is_found_and_its_own_function_clears_up() {
    if !Path::new(PROGRAM).exists() || !common::majors().contains(&15) {
        println!("skipped: there is no {PROGRAM} (./dev setup)");
        return;
    }
    let database = Database::empty(common::server_of(15));
    database.sql(
        "CREATE EXTENSION pg_repack; CREATE TABLE other (a int); CREATE TABLE t (id int PRIMARY KEY, a text); \
         INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) n",
    );
    for at_swap in [true, false] {
        // It waits for transactions that are older than its trigger, or for the table itself.
        let mut holder = database.session_named("holder");
        holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other");
        let more: &[&str] = if at_swap {
            &["--table", "t"]
        } else {
            &["--table", "t", "--only-indexes"]
        };
        let mut repack = Command::new(PROGRAM)
            .args([
                "-d",
                &database.name,
                "--no-kill-backend",
                "--wait-timeout=3600",
            ])
            .args(more)
            .envs(database.server.env())
            .env("PGDATABASE", &database.name)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let begun = match at_swap {
            true => "SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger'",
            false => "SELECT count(*) FROM pg_class WHERE relname ~ '^index_[0-9]+$'",
        };
        until("it is at its work", || database.sql(begun) == "1");
        Told::of(&database, &[]).assert_nothing("while it works");
        repack.kill().expect("killed");
        repack.wait().expect("gone");
        holder.exec("ROLLBACK");
        holder.close();
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_repack'";
        until("its sessions are gone", || database.sql(sessions) == "0");
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 1, "{}", told.outcome);
        assert_eq!(told.kinds(), ["tool_objects"], "{}", told.outcome);
        let finding = told.of_kind("tool_objects")[0].clone();
        let what = finding["what"].as_str().expect("a text");
        assert!(what.contains("pg_repack of public.t did not end"), "{what}");
        if at_swap {
            assert!(what.contains("repack_trigger"), "{what}");
            database.sql("INSERT INTO t VALUES (1000, 'y')");
        }
        for command in finding["command"]
            .as_str()
            .expect("a command")
            .split_inclusive(';')
        {
            database.sql(command);
        }
        Told::of(&database, &[]).assert_nothing("cleared up");
    }
}

#[test]
fn left_overs_of_pg_repack_are_told_on_every_major_and_a_running_one_is_left() {
    for (major, database) in databases() {
        database.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA repack");
        let oid = database.sql("SELECT 't'::regclass::oid");
        database.sql(&format!(
            "CREATE TYPE repack.pk_{oid} AS (id int); CREATE TABLE repack.log_{oid} (id bigserial PRIMARY KEY, pk repack.pk_{oid}, row t); \
             CREATE TABLE repack.table_{oid} AS SELECT * FROM t; \
             CREATE FUNCTION repack.repack_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER repack_trigger AFTER INSERT OR DELETE OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION repack.repack_trigger('id')"
        ));
        // Sessions of another database work on other tables.
        let elsewhere = Database::empty(database.server);
        let mut busy = elsewhere.session_named("pg_repack");
        busy.exec(&format!("SELECT pg_advisory_lock(16185446, {oid})"));
        let told = Told::of(&database, &[]);
        assert_eq!(told.kinds(), ["tool_objects"], "{major}: {}", told.outcome);
        busy.close();
        let finding = told.of_kind("tool_objects")[0];
        assert_eq!(
            finding["command"],
            format!("SET lock_timeout = '2s'; SELECT repack.repack_drop({oid}, 4);"),
            "{major}"
        );
        assert_eq!(finding["harm"], "stops_migrations", "{major}");
        let mut works = database.session_named("worker");
        works.exec(&format!("SELECT pg_advisory_lock(16185446, {oid})"));
        Told::of(&database, &[]).assert_nothing(&format!("{major}: somebody has its lock"));
        works.close();
        // A table that only has such a name, in another schema, and a log of a table that is gone.
        database.sql("DROP TABLE t CASCADE");
        Told::of(&database, &[]).assert_nothing(&format!("{major}: its table is gone"));
    }
}

/// As pgroll's source makes them (`pkg/migrations`, `pkg/backfill`): a column in two forms, with the triggers that fill them.
const PGROLL: &str = "CREATE TABLE t (id int PRIMARY KEY, name text); \
    ALTER TABLE t ADD _pgroll_new_name text, ADD _pgroll_needs_backfill boolean DEFAULT true, \
    ADD CONSTRAINT _pgroll_check_not_null_name CHECK (_pgroll_new_name IS NOT NULL) NOT VALID; \
    CREATE FUNCTION _pgroll_trigger_t_name() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
    CREATE TRIGGER _pgroll_trigger_t_name BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION _pgroll_trigger_t_name()";

#[test]
fn what_pgroll_left_on_a_table_is_found_once_its_own_books_do_not_have_it() {
    for (major, database) in databases() {
        database.sql(PGROLL);
        database.sql(
            "CREATE SCHEMA pgroll; CREATE TABLE pgroll.migrations (schema name, name text, migration jsonb, \
             created_at timestamptz DEFAULT now(), parent text, done boolean); \
             INSERT INTO pgroll.migrations (schema, name, done) VALUES ('public', '01_name', false)",
        );
        let told = Told::of(&database, &[]);
        let kinds = told.kinds();
        assert!(
            kinds.contains(&"unfinished_migration"),
            "{major}: {}",
            told.outcome
        );
        assert!(
            !kinds.contains(&"tool_objects"),
            "{major}: {}",
            told.outcome
        );
        database.sql("UPDATE pgroll.migrations SET done = true");
        let told = Told::of(&database, &[]);
        assert!(
            told.kinds().contains(&"tool_objects"),
            "{major}: {}",
            told.outcome
        );
        let finding = told.of_kind("tool_objects")[0];
        let what = finding["what"].as_str().expect("a text");
        assert!(what.contains("_pgroll_new_name"), "{what}");
        for command in finding["command"].as_str().expect("a command").lines() {
            database.sql(command);
        }
        Told::of(&database, &[]).assert_nothing(&format!("{major}: after the command"));
    }
}
