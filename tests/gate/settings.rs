//! What the session has set decides what a statement locks, and only as long as it is set.

use crate::common;
use crate::trial::gate;
use pgguard::model::Answer;

const KEYS: &str = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent); INSERT INTO parent VALUES (1)";
const TWO: &str = "CREATE SCHEMA app; CREATE TABLE public.t (a int); CREATE TABLE app.t (a int)";

/// What is set up, what another session has locked, what the migration is, and whether it waits.
const CASES: &[(&str, &str, &str, bool)] = &[
    // A1, A2: whether foreign keys are looked at.
    (
        KEYS,
        "parent",
        "begin; set local session_replication_role = replica; commit; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "set session_replication_role = replica; discard all; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "set session_replication_role = replica; reset all; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "begin; set session_replication_role = replica; rollback; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "set session_replication_role = replica; reset session_replication_role; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "select set_config('session_replication_role', 'replica', true); insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "begin; savepoint s; set session_replication_role = replica; rollback to s; insert into child values (1)",
        true,
    ),
    (
        KEYS,
        "parent",
        "set session_replication_role = replica; insert into child values (1)",
        false,
    ),
    (
        KEYS,
        "parent",
        "select set_config('session_replication_role', 'replica', false); insert into child values (1)",
        false,
    ),
    // A3: which table a name means.
    (
        TWO,
        "public.t",
        "set search_path = app; discard all; alter table t add z int",
        true,
    ),
    (
        TWO,
        "public.t",
        "set search_path = app; reset all; alter table t add z int",
        true,
    ),
    (
        TWO,
        "public.t",
        "begin; set search_path = app; rollback; alter table t add z int",
        true,
    ),
    (
        TWO,
        "public.t",
        "begin; set local search_path = app; commit; alter table t add z int",
        true,
    ),
    (
        TWO,
        "public.t",
        "set local search_path = app; alter table t add z int",
        true,
    ),
    (
        TWO,
        "public.t",
        "begin; savepoint s; set search_path = app; rollback to s; alter table t add z int",
        true,
    ),
    (
        TWO,
        "app.t",
        "select set_config('search_path', 'APP', false); alter table t add z int",
        true,
    ),
    (
        TWO,
        "app.t",
        "begin; set local search_path = public; set search_path = app; commit; alter table t add z int",
        true,
    ),
    (
        TWO,
        "app.t",
        "set search_path = 'APP'; alter table public.t add z int",
        false,
    ),
    (
        TWO,
        "public.t",
        "set search_path = app; alter table t add z int",
        false,
    ),
];

#[test]
fn a_setting_counts_as_long_as_it_is_set() {
    for (setup, locked, sql, waits) in CASES {
        let database = common::database();
        database.sql(setup);
        let mut holder = database.session();
        holder.exec("BEGIN");
        holder.exec(&format!("LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE"));
        let said = gate(&database, sql);
        let expected = if *waits {
            Answer::WouldBlock
        } else {
            Answer::Clear
        };
        assert_eq!(said.verdict.answer, expected, "{sql}\n{}", said.text());
        let mut runner = database.session();
        let statements: Vec<&str> = sql.split("; ").collect();
        let (last, first) = statements.split_last().unwrap();
        first.iter().for_each(|statement| runner.exec(statement));
        if *waits {
            runner.start(last);
            runner.until_waiting();
            holder.exec("ROLLBACK");
            runner.join().expect("it goes on");
        } else {
            runner.exec(last);
        }
    }
}

#[test]
fn a_value_that_only_the_server_knows_is_a_doubt() {
    for sql in [
        "select set_config('search_path', current_setting('x.y', true), false); alter table t add z int",
        "select set_config('sea' || 'rch_path', 'app', false); alter table t add z int",
    ] {
        let database = common::database();
        database.sql(TWO);
        assert_eq!(
            gate(&database, sql).verdict.answer,
            Answer::CannotTell,
            "{sql}"
        );
    }
}
