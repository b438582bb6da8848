//! Twenty-five incidents that did happen to somebody, each played again: what the gate says beforehand,
//! and what the server then does.

use crate::common::{self, Database, Dump, Session, shop, until};
use crate::trial::{Said, agree, at_once, cancel, gate, gate_with, judge, waits};
use chrono::{TimeDelta, Utc};
use pgguard::model::{Answer, ClearsBy, Estimate, LockMode, Pid, RelationName, Role, WaitKind};
use pgguard::test_support::gate::{Policy, before_backup};
use pgguard::test_support::sessions::understand;
use pgguard::test_support::throwaway::Options;
use std::collections::{BTreeMap, BTreeSet};

fn begun(database: &Database, sql: &str) -> Session {
    let mut session = database.session();
    session.exec(sql);
    session
}

fn only(pid: Pid) -> BTreeSet<Pid> {
    [pid].into()
}

fn says(said: &Said, words: &[&str]) {
    let text = said.text();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing:\n{text}");
    }
}

fn role_in_front(said: &Said) -> Role {
    said.first_block().expect("it would wait").waits[0]
        .blocker
        .role
}

fn estimate(minutes: [f64; 3], basis: &str) -> Estimate {
    Estimate {
        phase: "copying".into(),
        started: Utc::now(),
        fraction_done: Some(0.7),
        tables_done: 31,
        tables_total: 44,
        copying: vec![RelationName::new("public", "orders")],
        earliest_s: Some(minutes[0] * 60.0),
        remaining_s: Some(minutes[1] * 60.0),
        latest_s: Some(minutes[2] * 60.0),
        basis: basis.into(),
        ..Estimate::default()
    }
}

/// A dump is copying orders; the migration is about customers.
#[test]
fn incident_1_a_nightly_dump_blocks_a_table_that_it_is_not_copying() {
    let shop = shop();
    let dump = Dump::stalled(&shop);
    let sql = "ALTER TABLE customers ADD COLUMN last_seen timestamptz";
    let mut policy = at_once();
    let when = estimate([9.0, 12.0, 14.0], "14 past runs");
    policy.estimates.insert(dump.pid(), when);
    let said = gate_with(&shop, sql, &policy);
    assert_eq!(said.answer(), Answer::WouldBlock);
    assert_eq!(role_in_front(&said), Role::Backup);
    says(
        &said,
        &[
            "needs ACCESS EXCLUSIVE on public.customers",
            "held by   backup (pg_dump, ",
            "ACCESS SHARE · now copying public.orders, 31 of 44 tables",
            "(in 9–14 min, 14 past runs)",
            "reads and writes of public.customers would queue",
        ],
    );

    let mut migration = shop.session();
    assert_eq!(waits(&mut migration, sql), only(dump.pid()));
    let mut user = shop.session();
    assert_eq!(
        waits(&mut user, "SELECT count(*) FROM customers"),
        only(migration.pid())
    );
}

/// EF Core and flynn lock the table of their own books.
#[test]
fn incident_2_a_dump_holds_the_migration_tools_own_table() {
    let shop = shop();
    shop.sql("CREATE TABLE \"__EFMigrationsHistory\" (id text)");
    let dump = Dump::stalled(&shop);
    let lock = "BEGIN; LOCK TABLE \"__EFMigrationsHistory\" IN ACCESS EXCLUSIVE MODE";
    assert_eq!(agree(&shop, lock).in_front(), only(dump.pid()));

    // The file locks nothing; the tool does.
    let harmless = "CREATE TABLE fresh (id int)";
    assert_eq!(gate(&shop, harmless).answer(), Answer::Clear);
    let policy = Policy {
        tool: Some("efcore".into()),
        ..at_once()
    };
    let said = gate_with(&shop, harmless, &policy);
    assert_eq!(said.in_front(), only(dump.pid()));
    says(&said, &["public.\"__EFMigrationsHistory\""]);
}

/// The client of a dump is gone; its session is idle in a transaction for days.
#[test]
fn incident_3_a_leaked_dump_is_not_waited_for() {
    let shop = shop();
    let mut dump = shop.session_named("pg_dump");
    dump.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    dump.exec("LOCK TABLE customers, orders, order_items, products IN ACCESS SHARE MODE");
    dump.exec("SELECT last_value, is_called FROM customers_id_seq");
    let sql = "ALTER TABLE customers ADD COLUMN extra int";
    let now = agree(&shop, sql);
    assert_eq!(now.in_front(), only(dump.pid()));

    let mut later = now.snapshot.clone();
    for backend in later.backends.iter_mut().filter(|b| b.pid == dump.pid()) {
        for time in [
            &mut backend.xact_start,
            &mut backend.state_change,
            &mut backend.query_start,
        ] {
            *time = time.map(|t| t - TimeDelta::days(5));
        }
    }
    let said = judge(&now.footprint, later, &Policy::default());
    assert_eq!(said.answer(), Answer::WouldBlock);
    says(&said, &["5 d 0 h", &format!("pgguard kill {}", dump.pid())]);
    assert!(!said.text().contains("gate --wait"), "{}", said.text());
}

/// pg_repack works beside readers, and swaps its table under ACCESS EXCLUSIVE at the end.
#[test]
fn incident_4_a_dump_and_pg_repack_stay_apart_both_ways() {
    let shop = shop();
    let mut repack = shop.session_named("pg_repack");
    repack.exec(
        "BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE; SELECT pg_advisory_lock(16185446, 1)",
    );
    let look = gate(&shop, "SELECT 1").snapshot;
    let (_, verdict) = before_backup(&look, &understand(&look), &at_once());
    assert_eq!(verdict.answer, Answer::WouldBlock);
    let wait = &verdict.statements[0].waits[0];
    assert_eq!(
        (wait.kind, wait.blocker.pid),
        (WaitKind::HoldsUp, Some(repack.pid()))
    );

    // The swap begins: now the dump would wait.
    repack.exec("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE");
    let look = gate(&shop, "SELECT 1").snapshot;
    let (_, verdict) = before_backup(&look, &understand(&look), &at_once());
    let wait = &verdict.statements[0].waits[0];
    assert_eq!(
        (wait.kind, wait.blocker.pid),
        (WaitKind::Lock, Some(repack.pid()))
    );
    let mut dump = shop.session();
    assert_eq!(
        waits(&mut dump, "BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE"),
        only(repack.pid())
    );
    cancel(&mut dump, &shop);
    repack.close();

    let look = gate(&shop, "SELECT 1").snapshot;
    let (_, verdict) = before_backup(&look, &understand(&look), &at_once());
    assert_eq!(verdict.answer, Answer::Clear);

    // And the other way: the swap during a dump.
    let dump = Dump::stalled(&shop);
    let swap = agree(
        &shop,
        "BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE",
    );
    assert_eq!(swap.in_front(), only(dump.pid()));
}

/// A worker of a parallel dump locks its next table with NOWAIT, and fails behind a waiting ALTER.
#[test]
fn incident_5_an_alter_would_end_a_parallel_dump() {
    let shop = shop();
    shop.sql("CREATE TABLE tiny (id int)");
    let mut dump = Dump::stalled_parallel(&shop, 2);
    let sql = "ALTER TABLE tiny ADD COLUMN extra int";
    let said = gate(&shop, sql);
    assert_eq!(said.in_front(), only(dump.pid()));
    says(&said, &["it would end the running dump", "a worker of pid"]);

    let mut migration = shop.session();
    assert_eq!(waits(&mut migration, sql), only(dump.pid()));
    let status = dump.finish();
    assert!(!status.success(), "the dump should have failed: {status}");
    migration
        .join()
        .expect("the ALTER goes on once the dump is dead");
}

/// A foreign key locks the table that it refers to as well.
#[test]
fn incident_6_a_foreign_key_meets_writers_of_the_parent_and_not_readers() {
    let shop = shop();
    shop.sql("CREATE TABLE visits (customer_id bigint)");
    let sql = "ALTER TABLE visits ADD FOREIGN KEY (customer_id) REFERENCES customers";
    let reader = begun(&shop, "BEGIN; SELECT FROM customers");
    let writer = begun(
        &shop,
        "BEGIN; UPDATE customers SET joined = now() WHERE id = 1",
    );
    let said = agree(&shop, sql);
    assert_eq!(said.in_front(), only(writer.pid()));
    says(
        &said,
        &["needs SHARE ROW EXCLUSIVE on public.customers", "writes"],
    );
    writer.close();
    assert_eq!(agree(&shop, sql).answer(), Answer::Clear);
    reader.close();
}

/// Not the size of the table is the risk but the oldest transaction on it.
#[test]
fn incident_7_a_small_table_under_ordinary_traffic() {
    let shop = shop();
    let mut report = shop.session_named("report");
    report.exec("BEGIN; SELECT FROM products");
    let said = agree(&shop, "ALTER TABLE products ADD COLUMN colour text");
    assert_eq!(said.in_front(), only(report.pid()));
    says(&said, &["(report, pid", "ACCESS SHARE"]);
}

/// Each pod runs ADD COLUMN IF NOT EXISTS at its start; a reader has leaked.
#[test]
fn incident_8_many_pods_queue_with_the_same_statement_although_the_column_is_there() {
    let shop = shop();
    let leaked = begun(&shop, "BEGIN; SELECT FROM customers");
    let sql = "ALTER TABLE customers ADD COLUMN IF NOT EXISTS email text";
    let mut pods = [shop.session(), shop.session()];
    let mut expected = only(leaked.pid());
    for pod in &mut pods {
        assert_eq!(waits(pod, sql), expected);
        expected.insert(pod.pid());
    }
    let said = agree(&shop, sql);
    assert_eq!(said.in_front(), expected);
    says(
        &said,
        &[
            "idle in transaction",
            "last statement: BEGIN; SELECT FROM customers",
            "waits for ACCESS EXCLUSIVE",
            // Only just idle: cases/ops/01.
            &format!("wait until pid {} is done", leaked.pid()),
        ],
    );
}

/// An application took ACCESS EXCLUSIVE and vanished; everybody waits.
#[test]
fn incident_9_an_abandoned_exclusive_lock_blocks_readers_and_us() {
    let shop = shop();
    let abandoned = begun(&shop, "BEGIN; LOCK TABLE orders");
    let mut readers = [shop.session(), shop.session(), shop.session()];
    for reader in &mut readers {
        assert_eq!(
            waits(reader, "SELECT FROM orders LIMIT 1"),
            only(abandoned.pid())
        );
    }
    let said = agree(&shop, "CREATE INDEX ON orders (status)");
    assert_eq!(said.in_front(), only(abandoned.pid()));
    says(&said, &["ACCESS EXCLUSIVE", "idle in transaction"]);
}

/// A server whose autovacuum is slow enough to be met at work.
fn autovacuuming(extra: &[(&str, &str)]) -> Database {
    let options = Options::major(common::server().major())
        .setting("autovacuum_naptime", "1s")
        .setting("autovacuum_vacuum_cost_delay", "100ms")
        .setting("autovacuum_vacuum_cost_limit", "1");
    let options = extra
        .iter()
        .fold(options, |o, (name, value)| o.setting(name, value));
    Database::empty(common::own_server(&options))
}

fn autovacuum_of(database: &Database, table: &str) -> Pid {
    let query = format!(
        "SELECT a.pid FROM pg_stat_activity a JOIN pg_stat_progress_vacuum p USING (pid) \
         WHERE backend_type = 'autovacuum worker' AND p.relid = '{table}'::regclass"
    );
    let mut pid = String::new();
    until("autovacuum is at work", || {
        pid = database.sql(&query);
        !pid.is_empty()
    });
    pid.parse().expect("a pid")
}

/// An ordinary one gives way after deadlock_timeout, unless the migration gives up before.
#[test]
fn incident_10_an_ordinary_autovacuum_gives_way() {
    let database = autovacuuming(&[]);
    database.sql(
        "CREATE TABLE pipelines (id int, note text) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1, autovacuum_enabled = off);
         INSERT INTO pipelines SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n;
         DELETE FROM pipelines WHERE id % 2 = 0;
         ALTER TABLE pipelines SET (autovacuum_enabled = on)",
    );
    let worker = autovacuum_of(&database, "pipelines");
    let sql = "ALTER TABLE pipelines ADD COLUMN extra int";
    let hasty = format!("SET lock_timeout = '200ms'; {sql}");
    let said = gate(&database, &hasty);
    assert_eq!(said.in_front(), only(worker), "{}", said.text());
    let error = database
        .session()
        .try_exec(&hasty)
        .expect_err("it gives up");
    assert!(error.contains("lock timeout"), "{error}");

    let worker = autovacuum_of(&database, "pipelines");
    let said = gate(&database, sql);
    assert_eq!(said.answer(), Answer::Clear, "{}", said.text());
    let wait = &said.verdict.statements[0].waits[0];
    assert_eq!(
        (wait.blocker.pid, wait.clears_by),
        (Some(worker), Some(ClearsBy::Autovacuum))
    );
    says(&said, &["CLEAR", "gives way after deadlock_timeout"]);
    database.session().exec(sql);
    assert!(database.server.log().contains("canceling autovacuum task"));
}

/// One that prevents wraparound never gives way.
#[test]
fn incident_10_an_autovacuum_that_prevents_wraparound_does_not_give_way() {
    let database = autovacuuming(&[("autovacuum_freeze_max_age", "100000")]);
    database.sql(
        // Ordinary ones stay away; this kind does not ask.
        "CREATE TABLE pipelines (id int, note text) WITH (autovacuum_enabled = off);
         INSERT INTO pipelines SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n;
         CREATE TABLE burnt (id int);",
    );
    // Every subtransaction that writes takes an id.
    database.sql(
        "DO $$ BEGIN FOR i IN 1..110000 LOOP
           BEGIN INSERT INTO burnt VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END;
         END LOOP; END $$",
    );
    let worker = autovacuum_of(&database, "pipelines");
    let sql = "ALTER TABLE pipelines ADD COLUMN extra int";
    let said = gate(&database, sql);
    assert_eq!(said.in_front(), only(worker), "{}", said.text());
    says(&said, &["to prevent wraparound", "does not give way"]);
    assert!(!said.text().contains("pgguard kill"), "{}", said.text());
    // Longer than deadlock_timeout, after which an ordinary one would be gone.
    let error = database
        .session()
        .try_exec(&format!("SET lock_timeout = '2s'; {sql}"))
        .expect_err("it gives up");
    assert!(error.contains("lock timeout"), "{error}");
}

/// Two long queries on other tables; an index on a small one; a lock_timeout that leaves an invalid index.
#[test]
fn incident_11_long_queries_elsewhere_block_a_concurrent_build_and_leave_an_invalid_index() {
    let shop = shop();
    let mut backfills = [shop.session(), shop.session()];
    for backfill in &mut backfills {
        backfill.start("SELECT pg_sleep(3600) FROM orders");
        until("it runs", || backfill.is_active());
    }
    let sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS products_name ON products (name)";
    let said = gate(&shop, sql);
    assert_eq!(said.answer(), Answer::WouldBlock);
    assert_eq!(
        said.in_front(),
        backfills.iter().map(Session::pid).collect()
    );
    says(
        &said,
        &[
            "waits for every older snapshot of",
            "runs: SELECT pg_sleep(3600) FROM orders",
        ],
    );

    let mut deploy = shop.session();
    deploy.exec("SET lock_timeout = '300ms'");
    deploy.try_exec(sql).expect_err("it gives up");
    assert_eq!(
        shop.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'products_name'::regclass"),
        "f"
    );
    // The next try would find the name taken, do nothing and report success.
    let again = gate(&shop, sql);
    says(&again, &["invalid", "products_name"]);
}

/// A second replica waits for the migration lock, in a statement with a snapshot.
#[test]
fn incident_12_another_replica_that_waits_for_the_migration_lock_blocks_the_build() {
    let shop = shop();
    let mut first = begun(
        &shop,
        "SET deadlock_timeout = '1h'; SELECT pg_advisory_lock(72707369)",
    );
    let mut second = begun(&shop, "SET deadlock_timeout = '1h'");
    assert_eq!(
        waits(&mut second, "SELECT pg_advisory_lock(72707369)"),
        only(first.pid())
    );
    let sql = "CREATE INDEX CONCURRENTLY products_name ON products (name)";
    let policy = Policy {
        asking: Some(first.pid()),
        ..at_once()
    };
    let said = gate_with(&shop, sql, &policy);
    assert_eq!(said.in_front(), only(second.pid()));
    assert_eq!(role_in_front(&said), Role::Migration);
    says(&said, &["Prisma"]);
    // The two wait for each other, until deadlock_timeout would end one.
    assert_eq!(waits(&mut first, sql), only(second.pid()));
}

/// Flyway's own other connection sits in a transaction with a snapshot.
#[test]
fn incident_13_the_tools_own_idle_transaction_blocks_the_build() {
    let shop = shop();
    let mut keeper = shop.session_named("PostgreSQL JDBC Driver");
    keeper.exec("BEGIN; SELECT pg_try_advisory_xact_lock(77433833903597); DECLARE c CURSOR FOR SELECT 1; FETCH c");
    let said = agree(
        &shop,
        "CREATE INDEX CONCURRENTLY products_name ON products (name)",
    );
    assert_eq!(said.in_front(), only(keeper.pid()));
    assert_eq!(role_in_front(&said), Role::Migration);
    says(&said, &["Flyway"]);
}

/// Dropping a child takes ACCESS EXCLUSIVE on the busy parent.
#[test]
fn incident_14_dropping_a_child_locks_the_parent() {
    let shop = shop();
    let reader = begun(&shop, "BEGIN; SELECT FROM orders LIMIT 1");
    for sql in [
        "DROP TABLE order_items",
        "ALTER TABLE order_items DROP CONSTRAINT order_items_order_id_fkey",
    ] {
        let said = agree(&shop, sql);
        assert_eq!(said.in_front(), only(reader.pid()), "{sql}");
        says(&said, &["needs ACCESS EXCLUSIVE on public.orders"]);
    }
}

/// A new partition locks the default one.
#[test]
fn incident_15_a_new_partition_waits_for_readers_of_the_default_one() {
    let shop = shop();
    shop.sql(
        "CREATE TABLE events (day date) PARTITION BY RANGE (day);
         CREATE TABLE events_rest PARTITION OF events DEFAULT;",
    );
    let reader = begun(&shop, "BEGIN; SELECT FROM events");
    let sql = "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')";
    let said = agree(&shop, sql);
    assert_eq!(said.in_front(), only(reader.pid()));
    says(&said, &["public.events_rest"]);
    reader.close();

    // Attaching locks the parent less, and the default partition just as much.
    shop.sql("CREATE TABLE loose (LIKE events)");
    let reader = begun(&shop, "BEGIN; SELECT FROM events_rest");
    let said = agree(
        &shop,
        "ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    );
    assert_eq!(said.in_front(), only(reader.pid()));
    says(&said, &["needs ACCESS EXCLUSIVE on public.events_rest"]);
}

/// One transaction alters A, then waits for B: A is unusable meanwhile.
#[test]
fn incident_16_a_lock_is_held_while_the_next_one_is_waited_for() {
    let shop = shop();
    let holder = begun(&shop, "BEGIN; SELECT FROM products");
    let first = "ALTER TABLE customers ADD COLUMN a int";
    let second = "ALTER TABLE products ADD COLUMN a int";
    let said = gate(&shop, &format!("BEGIN;\n{first};\n{second};\nCOMMIT;"));
    assert_eq!(said.in_front(), only(holder.pid()));
    says(
        &said,
        &[
            "migration.sql:3",
            "meanwhile it holds ACCESS EXCLUSIVE on public.customers (line 2)",
        ],
    );
    let mut migration = begun(&shop, "BEGIN");
    migration.exec(first);
    assert_eq!(waits(&mut migration, second), only(holder.pid()));
    let mut user = shop.session();
    assert_eq!(
        waits(&mut user, "SELECT FROM customers LIMIT 1"),
        only(migration.pid())
    );
}

/// A statement_timeout and no lock_timeout: the stall lasts as long as the statement may.
#[test]
fn incident_17_without_a_lock_timeout_the_statement_timeout_is_the_stall() {
    let shop = shop();
    let reader = begun(&shop, "BEGIN; SELECT FROM customers");
    let sql = "ALTER TABLE customers ADD COLUMN extra int";
    let said = gate(&shop, &format!("SET statement_timeout = '5min';\n{sql}"));
    assert_eq!(said.in_front(), only(reader.pid()));
    says(
        &said,
        &["5 min of statement_timeout are up to 5 min of stalled readers and writers"],
    );
    let said = gate(&shop, &format!("SET lock_timeout = 0;\n{sql}"));
    says(&said, &["no lock_timeout: it would wait without end"]);
    assert_eq!(waits(&mut shop.session(), sql), only(reader.pid()));
}

/// Not only backups have a history: a job that always takes two hours and a half.
#[test]
fn incident_18_a_long_job_ends_when_its_past_runs_say() {
    let shop = shop();
    let mut collector = shop.session_named("collector");
    collector.exec("BEGIN; INSERT INTO products (name, price) VALUES ('x', 1)");
    let mut policy = at_once();
    let when = estimate([60.0, 90.0, 100.0], "9 past runs of collector");
    policy.estimates.insert(collector.pid(), when);
    let sql = "ALTER TABLE products ADD COLUMN extra int";
    let said = gate_with(&shop, sql, &policy);
    assert_eq!(said.in_front(), only(collector.pid()));
    says(&said, &["(in 60–100 min, 9 past runs of collector)"]);
    assert_eq!(waits(&mut shop.session(), sql), only(collector.pid()));
}

/// A framework's checks see its own operations; the gate reads the SQL, whatever wrote it.
#[test]
fn incident_19_raw_sql_is_read_like_any_other() {
    let shop = shop();
    let reader = begun(&shop, "BEGIN; SELECT FROM orders LIMIT 1");
    let said = agree(
        &shop,
        "/* RunSQL */ ALTER TABLE\n  \"public\".orders\n ADD COLUMN extra int, ALTER COLUMN status SET DEFAULT 'new'",
    );
    assert_eq!(said.in_front(), only(reader.pid()));
}

/// A select, an ALTER behind it, readers behind the ALTER: a newcomer waits for all that conflict.
#[test]
fn incident_20_root_and_middle_are_told_apart() {
    let shop = shop();
    let mut root = shop.session();
    root.start("SELECT pg_sleep(3600) FROM orders");
    until("it has the lock", || root.is_active());
    let mut middle = shop.session();
    assert_eq!(
        waits(
            &mut middle,
            "ALTER TABLE orders ADD CONSTRAINT placed CHECK (placed IS NOT NULL)"
        ),
        only(root.pid())
    );
    let mut readers = [shop.session(), shop.session()];
    for reader in &mut readers {
        assert_eq!(
            waits(reader, "SELECT FROM orders LIMIT 1"),
            only(middle.pid())
        );
    }
    let said = agree(&shop, "CREATE INDEX ON orders (status)");
    assert_eq!(said.in_front(), only(middle.pid()));
    let wait = &said.first_block().expect("it would wait").waits[0];
    assert_eq!(
        (wait.kind, wait.blocker.role),
        (WaitKind::Queue, Role::Migration)
    );
    says(&said, &["this schema change only waits itself"]);
    let everybody = agree(&shop, "ALTER TABLE orders ADD COLUMN extra int");
    assert_eq!(everybody.in_front().len(), 4);
}

/// A session lock that a pooler left on a server connection: idle, and held.
#[test]
fn incident_21_a_stranded_migration_lock_blocks_every_later_run() {
    let shop = shop();
    let mut stranded = shop.session_named("pgbouncer");
    stranded.exec("SELECT pg_advisory_lock(72707369)");
    let policy = Policy {
        tool: Some("prisma".into()),
        ..at_once()
    };
    let said = gate_with(&shop, "ALTER TABLE orders ADD COLUMN extra int", &policy);
    assert_eq!(said.in_front(), only(stranded.pid()));
    says(
        &said,
        &[
            "pgbouncer",
            "advisory lock 72707369 (Prisma's migration lock)",
        ],
    );
    let mut next = shop.session();
    assert_eq!(
        waits(&mut next, "SELECT pg_advisory_lock(72707369)"),
        only(stranded.pid())
    );
}

/// The application locks the two tables in the other order.
#[test]
fn incident_22_the_opposite_order_of_two_tables_is_a_deadlock() {
    let shop = shop();
    let mut app = begun(&shop, "BEGIN; SELECT FROM orders LIMIT 1");
    let swap = "BEGIN;\nALTER TABLE customers ADD COLUMN a int;\nALTER TABLE orders ADD COLUMN a int;\nCOMMIT;";
    let said = gate(&shop, swap);
    assert_eq!(said.in_front(), only(app.pid()));
    says(
        &said,
        &["meanwhile it holds ACCESS EXCLUSIVE on public.customers (line 2)"],
    );

    let mut migration = begun(&shop, "BEGIN; ALTER TABLE customers ADD COLUMN a int");
    assert_eq!(
        waits(&mut migration, "ALTER TABLE orders ADD COLUMN a int"),
        only(app.pid())
    );
    // Whoever looks first, deadlock_timeout after its wait began, gives up.
    let app = app.try_exec("SELECT FROM customers LIMIT 1");
    let error = app
        .err()
        .unwrap_or_else(|| migration.join().expect_err("one must die"));
    assert!(error.contains("deadlock"), "{error}");
}

/// An application that locks a table in its normal work meets the backup.
#[test]
fn incident_23_lock_table_meets_the_backup_in_its_default_mode_only() {
    let shop = shop();
    let dump = Dump::stalled(&shop);
    let said = agree(&shop, "BEGIN; LOCK TABLE products");
    assert_eq!(said.in_front(), only(dump.pid()));
    assert_eq!(role_in_front(&said), Role::Backup);
    let said = agree(&shop, "BEGIN; LOCK TABLE products IN EXCLUSIVE MODE");
    assert_eq!(said.answer(), Answer::Clear);
}

/// Two prepared transactions: no process to see, no pid to kill.
#[test]
fn incident_24_prepared_transactions_are_named_by_their_gids() {
    let options = Options::major(common::server().major())
        .setting("autovacuum", "off")
        .setting("max_prepared_transactions", "5");
    let database = Database::empty(common::own_server(&options));
    database.sql("CREATE TABLE moves (id int)");
    let mut app = database.session();
    for gid in ["first", "second"] {
        app.exec("BEGIN; INSERT INTO moves VALUES (1)");
        app.exec(&format!("PREPARE TRANSACTION '{gid}'"));
    }
    let said = agree(&database, "ALTER TABLE moves ADD COLUMN extra int");
    assert_eq!(said.in_front(), only(0));
    says(
        &said,
        &[
            "prepared transaction ('first', user ",
            "prepared transaction ('second', user ",
            "ROLLBACK PREPARED 'first'",
            "ROLLBACK PREPARED 'second'",
        ],
    );
    assert!(!said.text().contains("pid 0"), "{}", said.text());
}

/// The wait is the block: a longer lock_timeout is a longer stall.
#[test]
fn incident_25_a_longer_lock_timeout_is_a_longer_stall() {
    let shop = shop();
    let traffic = begun(&shop, "BEGIN; SELECT FROM orders LIMIT 1");
    let sql = "ALTER TABLE orders ADD COLUMN extra int";
    let said = gate(&shop, &format!("SET lock_timeout = '60s';\n{sql}"));
    assert_eq!(said.in_front(), only(traffic.pid()));
    assert_eq!(said.verdict.statements[1].lock_timeout_ms, Some(60_000));
    says(
        &said,
        &["60 s of lock_timeout are up to 60 s of stalled readers and writers"],
    );
    let mut migration = begun(&shop, "SET lock_timeout = '60s'");
    assert_eq!(waits(&mut migration, sql), only(traffic.pid()));
    let mut reader = shop.session();
    assert_eq!(
        waits(&mut reader, "SELECT FROM orders LIMIT 1"),
        only(migration.pid())
    );
}

/// The modes of the blocker and of the request are told as SQL writes them.
#[test]
fn json_tells_the_same_as_the_text() {
    let shop = shop();
    let reader = begun(&shop, "BEGIN; SELECT FROM orders LIMIT 1");
    let said = gate(&shop, "ALTER TABLE orders ADD COLUMN extra int");
    let json = pgguard::test_support::report::gate_json(&pgguard::test_support::report::GateView {
        footprint: &said.footprint,
        verdict: &said.verdict,
        database: "shop",
        taken_at: said.snapshot.taken_at,
        zone: chrono::FixedOffset::east_opt(0).expect("UTC"),
        of_catalog: false,
        status: None,
        forecast: None,
    });
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let wait = &json["statements"][0]["waits"][0];
    assert_eq!(json["verdict"], "would_block");
    assert_eq!(wait["kind"], "lock");
    assert_eq!(wait["mode"], LockMode::AccessExclusive.sql());
    assert_eq!(wait["blocker"]["pid"], reader.pid());
    assert_eq!(wait["blocker"]["mode"], "ACCESS SHARE");
    assert_eq!(wait["blocker"]["role"], "application");
    let _: BTreeMap<String, serde_json::Value> = serde_json::from_value(json).expect("an object");
}
