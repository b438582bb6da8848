//! One look at real servers: what is there is seen, whatever its bytes.

use crate::common::{self, Database, Dump, database, shop, until};
use pgguard::model::{BackendState, Lock, LockMode, LockTarget, Oid, RelationKind, Snapshot, Work};
use pgguard::test_support::postgres::connect::{Connection, Environment, Flags, Target};
use pgguard::test_support::postgres::{snapshot, tables};
use std::time::Duration;

/// Looks, and asks something more of the same session.
fn look_and<T>(
    url: &str,
    more: impl AsyncFnOnce(&mut Connection, &Snapshot) -> T,
) -> (Snapshot, T) {
    let flags = Flags {
        dbname: Some(url.to_owned()),
        ..Flags::default()
    };
    let target = Target::resolve(&flags, &Environment::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = Connection::open(&target, Duration::from_secs(60))
            .await
            .unwrap();
        let snapshot = snapshot::look(&mut connection).await.unwrap();
        let answer = more(&mut connection, &snapshot).await;
        connection.close().await;
        (snapshot, answer)
    })
}

pub fn look_at(url: &str) -> Snapshot {
    look_and(url, async |_, _| ()).0
}

pub fn look(here: &Database) -> Snapshot {
    look_at(&here.url())
}

/// The locks on a table of the own database.
fn locks_on<'a>(snapshot: &'a Snapshot, table: &str) -> Vec<&'a Lock> {
    let (&oid, _) = snapshot
        .relations
        .iter()
        .find(|(_, relation)| relation.name.relation == table)
        .unwrap_or_else(|| panic!("{table} is not locked: {:?}", snapshot.relations));
    snapshot
        .locks
        .iter()
        .filter(|lock| lock.is_on(snapshot.server.datid, oid))
        .collect()
}

#[test]
fn sessions_and_their_locks_are_seen_with_names_and_times() {
    let here = shop();
    let mut holder = here.session_named("the holder");
    holder.begin_and_lock("orders", "ROW EXCLUSIVE");
    let mut waiter = here.session_named("the waiter");
    waiter.start("ALTER TABLE orders ADD COLUMN total int");
    waiter.until_waiting();
    let seen = look(&here);

    let backend = seen.backend(holder.pid()).unwrap();
    assert_eq!(backend.application_name, "the holder");
    assert_eq!(backend.state, Some(BackendState::IdleInTransaction));
    assert_eq!(backend.datname.as_deref(), Some(here.name.as_str()));
    assert_eq!(backend.usename.as_deref(), Some("postgres"));
    assert_eq!(backend.backend_type.as_deref(), Some("client backend"));
    assert_eq!(
        backend.query,
        "BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE"
    );
    assert!(!backend.query_truncated && !backend.masked);
    let times = [
        backend.backend_start,
        backend.xact_start,
        backend.query_start,
    ];
    assert!(
        times.iter().all(|t| t.is_some_and(|t| t <= seen.taken_at)),
        "{backend:?}"
    );
    assert!(
        seen.backend(waiter.pid())
            .unwrap()
            .waits_in("Lock", "relation")
    );

    let mut locks = locks_on(&seen, "orders");
    locks.sort_by_key(|lock| !lock.granted);
    let told: Vec<_> = locks.iter().map(|l| (l.pid, l.mode, l.granted)).collect();
    assert_eq!(
        told,
        [
            (Some(holder.pid()), LockMode::RowExclusive, true),
            (Some(waiter.pid()), LockMode::AccessExclusive, false),
        ]
    );
    assert!(
        locks[1]
            .waitstart
            .is_some_and(|since| since <= seen.taken_at)
    );
    assert!(locks[0].virtualtransaction.contains('/'), "{:?}", locks[0]);
    assert_eq!(seen.server.datname, here.name);
    assert!(seen.backend(seen.server.own_pid).is_some());
}

/// What the server's own view says, in the same order and form as [`told`].
const VIEW: &str = "SELECT concat_ws(' ', locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, \
     objsubid, coalesce(pid::text, '-'), virtualtransaction, mode, granted) FROM pg_locks \
     WHERE pid = ANY ('{$pids}') OR (pid IS NULL AND locktype = 'relation' AND database = $datid)";

fn told(lock: &Lock) -> String {
    let target = match &lock.target {
        LockTarget::Relation { database, relation } => format!("relation {database} {relation}"),
        LockTarget::VirtualXid { virtualxid } => format!("virtualxid {virtualxid}"),
        LockTarget::TransactionId { transactionid } => format!("transactionid {transactionid}"),
        LockTarget::Advisory {
            database,
            classid,
            objid,
            objsubid,
        } => {
            format!("advisory {database} {classid} {objid} {objsubid}")
        }
        LockTarget::Object {
            database,
            classid,
            objid,
        } => format!("object {database} {classid} {objid} 0"),
        LockTarget::Tuple {
            database,
            relation,
            page,
            tuple,
        } => format!("tuple {database} {relation} {page} {tuple}"),
        other => format!("{other:?}"),
    };
    let pid = lock.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let granted = if lock.granted { "t" } else { "f" };
    format!(
        "{target} {pid} {} {} {granted}",
        lock.virtualtransaction,
        lock.mode.pg_locks_name()
    )
}

#[test]
fn the_locks_are_those_of_the_view_row_for_row() {
    let here = shop();
    let mut one = here.session();
    one.exec("SELECT pg_advisory_lock(7), pg_advisory_lock(1, -2)");
    one.exec("BEGIN; SELECT pg_advisory_xact_lock(9); LOCK TABLE orders; CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)");
    let mut two = here.session();
    two.exec("BEGIN; LOCK TABLE customers IN ROW EXCLUSIVE MODE; SELECT txid_current(); LOCK TABLE pg_database IN ACCESS SHARE MODE");
    let mut between_transactions = here.session();
    between_transactions.exec("SELECT pg_advisory_lock(11)");
    let mut prepared = here.session();
    prepared.exec("BEGIN; LOCK TABLE products; PREPARE TRANSACTION 'rows'");
    let mut waiter = here.session();
    waiter.start("SELECT count(*) FROM orders");
    waiter.until_waiting();
    // Three who want one row: the first has it, the second waits for the first, the third for the second.
    let mut writers = [here.session(), here.session(), here.session()];
    writers[0].exec("BEGIN; DELETE FROM order_items WHERE ctid = '(0,1)'");
    for writer in &mut writers[1..] {
        writer.start("DELETE FROM order_items WHERE ctid = '(0,1)'");
        writer.until_waiting();
    }

    let seen = look(&here);
    let datid = seen.server.datid;
    let [first, second, third] = &writers;
    let pids = [
        &one,
        &two,
        &between_transactions,
        &waiter,
        first,
        second,
        third,
    ]
    .map(common::Session::pid);
    let mut ours: Vec<String> = seen
        .locks
        .iter()
        .filter(|lock| match lock.pid {
            Some(pid) => pids.contains(&pid),
            // Other tests prepare transactions, too.
            None => lock
                .relation()
                .is_some_and(|(database, _)| database == datid),
        })
        .map(told)
        .collect();
    let list = pids.map(|pid| pid.to_string()).join(",");
    let view = here.sql(
        &VIEW
            .replace("$pids", &list)
            .replace("$datid", &datid.to_string()),
    );
    let mut theirs: Vec<&str> = view.lines().collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    here.sql("ROLLBACK PREPARED 'rows'");
    assert_eq!(ours, theirs);
    for kind in [
        "relation",
        "tuple",
        "transactionid",
        "virtualxid",
        "advisory",
        "object",
    ] {
        assert!(
            ours.iter().any(|lock| lock.starts_with(kind)),
            "{kind}: {ours:?}"
        );
    }
}

#[test]
fn a_prepared_transaction_has_locks_and_no_process() {
    let here = shop();
    let mut session = here.session();
    session.exec("BEGIN; LOCK TABLE products; PREPARE TRANSACTION 'forgotten'");
    let seen = look(&here);
    here.sql("ROLLBACK PREPARED 'forgotten'");
    let locks = locks_on(&seen, "products");
    assert_eq!(locks.len(), 1, "{locks:?}");
    assert_eq!(locks[0].pid, None);
    let prepared = seen.prepared_of(locks[0]).unwrap();
    assert_eq!(
        (
            prepared.gid.as_str(),
            prepared.owner.as_str(),
            &prepared.database
        ),
        ("forgotten", "postgres", &here.name)
    );
    assert!(prepared.prepared <= seen.taken_at);
}

#[test]
fn a_role_without_rights_sees_that_rows_are_masked() {
    let here = shop();
    here.sql("CREATE ROLE plain LOGIN; CREATE ROLE reader LOGIN IN ROLE pg_read_all_stats");
    let mut other = here.session_named("someone else");
    other.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    // A client can write the marker, too: that row has a state.
    let mut liar = here.session_named("liar");
    liar.exec("SELECT 1 AS \"<insufficient privilege>\"");

    let seen = look_at(&here.url_as("plain"));
    assert!(!seen.server.sees_all);
    assert!(seen.masked_rows() >= 2);
    let masked = seen.backend(other.pid()).unwrap();
    assert!(masked.masked && masked.state.is_none() && masked.backend_start.is_none());
    assert_eq!(masked.application_name, "someone else");
    assert_eq!(locks_on(&seen, "orders")[0].pid, Some(other.pid()));
    assert!(!seen.backend(seen.server.own_pid).unwrap().masked);

    for seen in [look_at(&here.url_as("reader")), look(&here)] {
        assert!(seen.server.sees_all);
        assert_eq!(seen.masked_rows(), 0);
    }
    drop((other, liar));
    here.sql("DROP ROLE plain, reader");
}

#[test]
fn parallel_workers_name_their_leader() {
    let here = database();
    here.sql("CREATE TABLE t AS SELECT generate_series(1, 20000) AS id; ALTER TABLE t SET (parallel_workers = 2); ANALYZE t");
    here.sql(
        "CREATE FUNCTION slow(int) RETURNS int PARALLEL SAFE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END'",
    );
    let mut leader = here.session();
    leader.exec("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2");
    leader.start("SELECT count(slow(id)) FROM t");
    // A worker shows up before it has opened its relations, so the lock is part of what is waited for.
    let mut seen = None;
    until("a parallel worker and its leader lock the table", || {
        let now = look(&here);
        let holders: Vec<_> = locks_on(&now, "t").iter().filter_map(|l| l.pid).collect();
        let worker = now.backends.iter().find(|b| {
            b.leader_pid == Some(leader.pid())
                && b.backend_type.as_deref() == Some("parallel worker")
                && holders.contains(&b.pid)
        });
        seen = worker.map(|b| b.lock_group());
        seen.is_some() && holders.contains(&leader.pid())
    });
    assert_eq!(seen, Some(leader.pid()));
    here.sql(&format!("SELECT pg_terminate_backend({})", leader.pid()));
}

#[test]
fn a_stalled_dump_is_seen_in_copy_with_what_it_locked() {
    let here = shop();
    let dump = Dump::stalled(&here);
    let seen = look(&here);
    let copy = seen.progress_of(dump.pid()).next().unwrap();
    let Work::Copy {
        relid,
        direction,
        kind,
        bytes_processed,
        tuples_processed,
    } = copy
    else {
        panic!("{copy:?}");
    };
    assert_eq!(
        (direction.as_deref(), kind.as_deref()),
        (Some("COPY TO"), Some("PIPE"))
    );
    assert!(bytes_processed.is_some_and(|b| b > 0) && tuples_processed.is_some_and(|t| t > 0));
    let table = &seen.relations[&relid.unwrap()];
    assert_eq!(table.kind, RelationKind::Table);
    for name in ["customers", "products", "orders", "order_items"] {
        let locks = locks_on(&seen, name);
        assert!(
            locks
                .iter()
                .any(|l| l.pid == Some(dump.pid()) && l.mode == LockMode::AccessShare),
            "{name}"
        );
    }
    assert!(seen.backend(dump.pid()).unwrap().backend_xmin.is_some());
}

#[test]
fn locks_in_another_database_are_not_mistaken_for_the_own_ones() {
    let (here, there) = (shop(), shop());
    // A copy keeps the oids.
    let mut elsewhere = there.session();
    elsewhere.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let seen = look(&here);
    let theirs: Vec<_> = seen
        .locks
        .iter()
        .filter(|l| l.pid == Some(elsewhere.pid()))
        .collect();
    assert!(!theirs.is_empty());
    for lock in theirs {
        if let LockTarget::Relation { database, .. } = lock.target {
            assert_ne!(database, seen.server.datid, "{lock:?}");
        }
    }
}

#[test]
fn sizes_and_kinds_come_from_the_catalog_without_touching_the_relation() {
    let here = database();
    here.sql(
        "CREATE TABLE big (id int PRIMARY KEY, body text);
         INSERT INTO big SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n; ANALYZE big;
         CREATE TABLE parted (id int) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9)",
    );
    let mut holder = here.session();
    // ACCESS EXCLUSIVE: whatever opens a relation would wait here, and fail.
    holder.exec("BEGIN; LOCK TABLE big, parted; REINDEX TABLE big");
    let seen = look(&here);
    let named = |name: &str| {
        seen.relations
            .values()
            .find(|r| r.name.relation == name)
            .unwrap()
    };
    assert_eq!(
        (named("big").tuples, named("big").kind),
        (1000.0, RelationKind::Table)
    );
    let pages: i64 = here
        .sql("SELECT relpages FROM pg_class WHERE relname = 'big'")
        .parse()
        .unwrap();
    assert!(pages > 0);
    assert_eq!(named("big").bytes, pages * 8192);
    assert_eq!(named("big_pkey").kind, RelationKind::Index);
    assert_eq!(named("parted").kind, RelationKind::PartitionedTable);
    assert!(named("part").is_partition);
    assert!(!named("big").is_partition);
}

#[test]
fn the_servers_own_processes_have_no_database() {
    let here = database();
    let seen = look(&here);
    let writer = seen
        .backends
        .iter()
        .find(|b| b.backend_type.as_deref() == Some("checkpointer"))
        .unwrap();
    assert_eq!(
        (writer.datid, &writer.datname, writer.state),
        (None, &None, None)
    );
    assert!(!writer.masked && !writer.is_client());
}

#[test]
fn a_look_takes_no_lock_on_a_users_relation() {
    let here = shop();
    let mut holder = here.session();
    holder.begin_and_lock("orders", "ACCESS EXCLUSIVE");
    let seen = look(&here);
    let own = seen.server.own_pid;
    for lock in seen.locks.iter().filter(|l| l.pid == Some(own)) {
        if let LockTarget::Relation { relation, .. } = lock.target {
            assert!(relation < 16384, "{lock:?}");
        }
        assert!(lock.granted, "{lock:?}");
    }
}

#[test]
fn of_more_than_a_thousand_tables_the_largest_are_read_closely_and_the_others_as_far_as_they_matter()
 {
    let here = database();
    for part in 0..5 {
        here.sql(&format!(
            "DO $$ BEGIN FOR i IN {part} * 200 + 1 .. {part} * 200 + 200 LOOP \
             EXECUTE format('CREATE TABLE empty_%s (id int)', i); END LOOP; END $$"
        ));
    }
    here.sql(
        "DO $$ BEGIN FOR i IN 1..100 LOOP \
         EXECUTE format('CREATE TABLE large_%s (id int) WITH (autovacuum_enabled = off)', i); \
         EXECUTE format('INSERT INTO large_%s SELECT generate_series(1, 1000)', i); END LOOP; END $$",
    );
    here.sql("CREATE TABLE wide (body text); ALTER TABLE wide ALTER body SET STORAGE EXTERNAL");
    here.sql("INSERT INTO wide VALUES (repeat('x', 2000000))");
    here.sql("ANALYZE");
    here.sql("VACUUM ANALYZE wide");
    here.sql("CREATE TABLE fresh (id int) WITH (autovacuum_enabled = off)");
    here.sql("INSERT INTO fresh SELECT generate_series(1, 7)");
    let live = "SELECT pg_stat_get_live_tuples('fresh'::regclass)";
    until("the rows are counted", || here.sql(live) == "7");

    let mut reader = here.session();
    reader.exec(
        "BEGIN; DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' \
         LOOP EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', t); END LOOP; END $$",
    );
    let (seen, facts) = look_and(&here.url(), async |connection, look| {
        let mine = look
            .relations
            .iter()
            .filter(|(_, r)| r.name.schema == "public");
        let mut oids: Vec<Oid> = mine.map(|(oid, _)| *oid).collect();
        oids.push(1); // One that is no table, or no longer there.
        tables::facts(connection, &oids, &look.relations)
            .await
            .unwrap()
    });
    assert_eq!(
        facts.tables.len(),
        1102,
        "of {} relations",
        seen.relations.len()
    );
    let closely = facts.tables.iter().filter(|t| !t.columns.is_empty());
    assert!(closely.clone().all(|t| t.relation.starts_with("large_")));
    assert_eq!(closely.count(), 100);
    let of = |name: &str| facts.tables.iter().find(|t| t.relation == name).unwrap();
    assert_eq!((of("large_7").tuples, of("empty_7").tuples), (1000.0, 0.0));
    assert_eq!(of("fresh").live_tuples, 7.0);
    assert!(of("fresh").tuples < 0.0);
    assert!(of("wide").toast_pages > 200.0, "{:?}", of("wide"));
}
