//! What stays in the catalogs: invalid indexes, partitions half detached, what is disabled or never checked.

use crate::common::{Database, Session, until};
use crate::{Told, databases};

/// A statement that runs CONCURRENTLY and waits for an old transaction, and that transaction.
fn stuck(database: &Database, sql: &str) -> (Session, Session) {
    let mut holder = database.session_named("holder");
    holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t");
    let mut runner = database.session_named("runner");
    runner.start(sql);
    runner.until_waiting();
    (runner, holder)
}

fn cancel(database: &Database, mut session: Session) {
    database.sql(&format!("SELECT pg_cancel_backend({})", session.pid()));
    session.join().expect_err("it was cancelled");
    session.close();
}

fn names(told: &Told, kind: &str) -> Vec<String> {
    let found = told.of_kind(kind);
    let name = |f: &&serde_json::Value| f["relation"].as_str().unwrap_or_default().to_owned();
    found.iter().map(name).collect()
}

/// Runs the commands that the doctor gives, and asks again.
fn healed(database: &Database, told: &Told) -> Told {
    for command in told.sql() {
        database.sql(&command);
    }
    Told::of(database, &[])
}

#[test]
fn an_index_that_nobody_builds_any_more_is_found_and_dropped() {
    for (major, database) in databases() {
        database.sql("CREATE TABLE t (a int, b text); INSERT INTO t SELECT i % 2 FROM generate_series(1, 9) i");
        Told::of(&database, &[]).assert_nothing("at first");
        let (runner, mut holder) = stuck(&database, "CREATE INDEX CONCURRENTLY building ON t (a)");
        Told::of(&database, &[]).assert_nothing("while it is built");
        cancel(&database, runner);
        holder.exec("ROLLBACK");
        let duplicates = database
            .session()
            .try_exec("CREATE UNIQUE INDEX CONCURRENTLY twice ON t (a)");
        duplicates.expect_err("not unique");
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
        assert_eq!(
            names(&told, "invalid_index"),
            ["building", "twice"],
            "{major}"
        );
        let (runner, mut holder) = stuck(&database, "DROP INDEX CONCURRENTLY twice");
        let dropping = Told::of(&database, &[]);
        assert_eq!(names(&dropping, "invalid_index"), ["building"], "{major}");
        cancel(&database, runner);
        holder.exec("ROLLBACK");
        let told = Told::of(&database, &[]);
        assert_eq!(
            names(&told, "invalid_index"),
            ["building", "twice"],
            "{major}"
        );
        healed(&database, &told).assert_nothing("after the DROP INDEX");
    }
}

#[test]
fn what_reindex_leaves_is_found_on_tables_and_their_toast_tables() {
    for (major, database) in databases() {
        database.sql("CREATE TABLE t (a int, b text); CREATE INDEX t_a ON t (a); INSERT INTO t VALUES (1, 'x')");
        let (runner, mut holder) = stuck(&database, "REINDEX TABLE CONCURRENTLY t");
        Told::of(&database, &[]).assert_nothing("while it is built");
        cancel(&database, runner);
        holder.exec("ROLLBACK");
        let told = Told::of(&database, &[]);
        let found = names(&told, "invalid_index");
        assert_eq!(found.len(), 2, "{major}: {found:?}");
        assert!(
            found.iter().all(|name| name.ends_with("_ccnew")),
            "{major}: {found:?}"
        );
        healed(&database, &told).assert_nothing("after the DROP INDEX");
        let old = until_old_is_left(&database);
        let found = names(&old, "invalid_index");
        assert_eq!(found, ["t_a_ccold"], "{major}");
        healed(&database, &old).assert_nothing("after the DROP INDEX");
    }
}

/// A REINDEX that is cancelled after the new index took the old one's place.
fn until_old_is_left(database: &Database) -> Told {
    let mut writer = database.session_named("writer");
    let mut runner = database.session_named("runner");
    // A transaction that began before the swap and has the index open keeps the old one.
    writer.exec("BEGIN; UPDATE t SET a = a");
    runner.start("REINDEX INDEX CONCURRENTLY t_a");
    runner.until_waiting();
    let mut second = database.session_named("second");
    second.exec("BEGIN; INSERT INTO t VALUES (2)");
    writer.exec("COMMIT");
    until("it waits for the second", || {
        runner.blocked_by() == [second.pid()]
    });
    let phase = "SELECT phase FROM pg_stat_progress_create_index";
    let mut third = database.session_named("third");
    third.exec("BEGIN; INSERT INTO t VALUES (3)");
    second.exec("COMMIT");
    until("it waits for the third", || {
        runner.blocked_by() == [third.pid()] || database.sql(phase).contains("dead")
    });
    let mut fourth = third;
    while !database.sql(phase).contains("before marking dead") {
        let mut next = database.session_named("next");
        next.exec("BEGIN; INSERT INTO t VALUES (4)");
        fourth.exec("COMMIT");
        until("it waits for the next", || {
            runner.blocked_by() == [next.pid()]
        });
        fourth = next;
    }
    cancel(database, runner);
    fourth.exec("COMMIT");
    Told::of(database, &[])
}

#[test]
fn a_detach_that_did_not_end_is_found_and_finished() {
    for (major, database) in databases() {
        database.sql(
            "CREATE TABLE t (a int) PARTITION BY RANGE (a); CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1) TO (9)",
        );
        let (runner, mut holder) =
            stuck(&database, "ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY");
        Told::of(&database, &[]).assert_nothing("while it is detached");
        cancel(&database, runner);
        holder.exec("ROLLBACK");
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
        assert_eq!(names(&told, "detach_pending"), ["t_1"], "{major}");
        healed(&database, &told).assert_nothing("after FINALIZE");
    }
}

#[test]
fn what_is_disabled_is_found_and_what_is_not_valid_is_a_note() {
    for (major, database) in databases() {
        database.sql(
            "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE \"My t\" (a int REFERENCES p); \
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER \"one\" BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f(); \
             CREATE TRIGGER two BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION f(); \
             CREATE RULE silent AS ON DELETE TO p DO NOTHING; \
             ALTER TABLE p DISABLE TRIGGER one; ALTER TABLE p DISABLE TRIGGER two; \
             ALTER TABLE p DISABLE RULE silent; ALTER TABLE \"My t\" DISABLE TRIGGER ALL",
        );
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
        let found: Vec<&str> = told
            .of_kind("disabled")
            .iter()
            .filter_map(|f| f["what"].as_str())
            .collect();
        let expected = [
            "foreign key \"My t_a_fkey\" of public.\"My t\" is disabled",
            "rule silent of public.p is disabled",
            "triggers one, two of public.p are disabled",
        ];
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{major}");
        healed(&database, &told).assert_nothing("after ENABLE");

        database.sql("ALTER TABLE p ADD CONSTRAINT small CHECK (a < 9) NOT VALID");
        let told = Told::of(&database, &[]);
        assert_eq!(
            told.outcome.status, 0,
            "{major}: a note is no finding: {}",
            told.outcome
        );
        assert_eq!(told.kinds(), ["not_valid_constraint"], "{major}");
        healed(&database, &told).assert_nothing("after VALIDATE");
        if major >= 18 {
            database.sql("ALTER TABLE p ADD CONSTRAINT loose CHECK (a < 7) NOT ENFORCED");
            Told::of(&database, &[]).assert_nothing("NOT ENFORCED is meant so");
        }
    }
}

#[test]
fn a_prepared_transaction_is_left_behind_after_a_minute() {
    for major in crate::common::majors() {
        let options = pgguard::test_support::throwaway::Options::major(major)
            .setting("max_prepared_transactions", "5");
        let database = Database::empty(crate::common::own_server(&options));
        database.sql("CREATE TABLE t (a int)");
        let mut preparing = database.session();
        preparing.exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'it''s'");
        Told::of(&database, &[]).assert_nothing("its coordinator may still come");
        let told = crate::later(&database, 90);
        assert_eq!(
            told.kinds(),
            ["prepared_transaction"],
            "{major}: {}",
            told.outcome
        );
        let finding = told.of_kind("prepared_transaction")[0];
        let proof = finding["proof"].to_string();
        assert!(
            proof.contains("ACCESS EXCLUSIVE on public.t"),
            "{major}: {proof}"
        );
        assert_eq!(
            finding["command"], "pgguard kill --prepared 'it'\\''s'",
            "{major}"
        );
        database.sql("ROLLBACK PREPARED 'it''s'");
        crate::later(&database, 90).assert_nothing("after ROLLBACK PREPARED");
    }
}

#[test]
fn a_slot_that_nobody_uses_is_found_by_a_backups_name_and_is_a_note_otherwise() {
    for major in crate::common::majors() {
        let server =
            crate::common::own_server(&pgguard::test_support::throwaway::Options::major(major));
        let database = Database::empty(server);
        let make = |name: &str| {
            database.sql(&format!(
                "SELECT pg_create_physical_replication_slot('{name}', true)"
            ))
        };
        make("standby_1");
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 0, "{major}: {}", told.outcome);
        assert_eq!(told.kinds(), ["replication_slot"], "{major}");
        make("barman");
        let told = Told::of(&database, &[]);
        assert_eq!(told.outcome.status, 1, "{major}: {}", told.outcome);
        assert_eq!(told.kinds(), ["replication_slot"; 2], "{major}");
        let finding = told.of_kind("replication_slot")[0];
        assert_eq!(
            finding["command"], "SELECT pg_drop_replication_slot('barman');",
            "{major}"
        );
        assert!(
            finding["cost"]
                .as_str()
                .unwrap_or_default()
                .contains("WAL since its restart_lsn is kept")
        );
        healed(&database, &told).assert_nothing("after the drop");
        if major == 14 {
            database.sql("SELECT pg_start_backup('x', true)");
            let told = Told::of(&database, &[]);
            assert_eq!(told.kinds(), ["leaked_backup"], "{}", told.outcome);
            healed(&database, &told).assert_nothing("after pg_stop_backup");
        }
    }
}
