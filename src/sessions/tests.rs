//! Who is who and who waits behind whom, on snapshots made by hand.

use super::Party;
use super::scene::{DATABASE, Scene};
use super::waits::WaitGraph;
use super::{Sessions, understand};
use crate::model::BackendState::{Active, Idle, IdleInTransaction, IdleInTransactionAborted};
use crate::model::LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, Share, ShareUpdateExclusive,
};
use crate::model::{Backend, Certainty, LockTarget, Pid, Role, Session, Work};
use chrono::TimeDelta;

const USERS: u32 = 16_400;
const ORDERS: u32 = 16_401;

fn shop() -> Scene {
    Scene::new().table(USERS, "users").table(ORDERS, "orders")
}

fn session(sessions: &Sessions, pid: Pid) -> &Session {
    sessions
        .of(pid)
        .unwrap_or_else(|| panic!("pid {pid} is in no session"))
}

fn role(scene: Scene, pid: Pid) -> (Role, Certainty, Option<String>) {
    let sessions = understand(&scene.0);
    let found = session(&sessions, pid);
    (found.role, found.certainty, found.detail.clone())
}

fn dumps(backend: &mut Backend) {
    backend.backend_xmin = Some(919);
    backend.application_name = "pg_dump".into();
}

const COPY: &str = "COPY public.users (id, email) TO stdout;";

fn serial_dump() -> Scene {
    shop()
        .client(10, Active, COPY)
        .with(dumps)
        .reads_catalogs(10)
        .holds(10, AccessShare, USERS)
        .holds(10, AccessShare, ORDERS)
}

fn parallel_dump() -> Scene {
    shop()
        .client(20, IdleInTransaction, "SELECT last_value FROM s")
        .with(dumps)
        .reads_catalogs(20)
        .holds(20, AccessShare, USERS)
        .holds(20, AccessShare, ORDERS)
        .client(21, Active, COPY)
        .with(dumps)
        .holds(21, AccessShare, USERS)
        .client(22, IdleInTransaction, "COPY public.orders (id) TO stdout;")
        .with(dumps)
        .holds(22, AccessShare, ORDERS)
}

#[test]
fn a_serial_dump_is_a_backup_for_certain() {
    let sessions = understand(&serial_dump().0);
    let found = session(&sessions, 10);
    assert_eq!(
        (found.role, found.certainty),
        (Role::Backup, Certainty::Certain)
    );
    let backup = found.backup.as_ref().expect("backup");
    assert_eq!(backup.tables, [USERS, ORDERS]);
    assert!(backup.blocks_ddl && !backup.leaked);
}

#[test]
fn a_dump_under_another_name_is_still_one() {
    let renamed = serial_dump().with(|backend| backend.application_name = "nightly".into());
    assert_eq!(role(renamed, 10).0, Role::Backup);
}

#[test]
fn a_name_alone_does_not_make_a_backup_of_a_writer() {
    let scene = shop()
        .client(11, IdleInTransaction, "UPDATE users SET id = 1")
        .with(|backend| {
            dumps(backend);
            backend.backend_xid = Some(920);
        })
        .holds(11, RowExclusive, USERS);
    assert_eq!(role(scene, 11).0, Role::IdleInTransaction);
}

#[test]
fn a_parallel_dump_is_one_backup_led_by_its_idle_leader() {
    let sessions = understand(&parallel_dump().0);
    assert_eq!(sessions.len(), 1);
    let found = session(&sessions, 22);
    assert_eq!(found.members, [20, 21, 22]);
    assert_eq!(
        found.backup.as_ref().map(|b| (b.workers, b.leaked)),
        Some((2, false))
    );
}

#[test]
fn two_serial_dumps_under_one_snapshot_stay_two() {
    let scene = serial_dump()
        .client(12, Active, COPY)
        .with(dumps)
        .reads_catalogs(12)
        .holds(12, AccessShare, USERS);
    assert_eq!(understand(&scene.0).len(), 2);
}

#[test]
fn a_dump_that_has_not_moved_for_long_is_leaked_and_one_with_a_busy_worker_is_not() {
    let stale = |scene: Scene| {
        let mut scene = scene;
        for backend in &mut scene.0.backends {
            backend.state_change = Some(scene.0.taken_at - TimeDelta::days(5));
        }
        scene
    };
    let leaked = |scene: &Scene, pid| {
        session(&understand(&scene.0), pid)
            .backup
            .as_ref()
            .map(|backup| backup.leaked)
    };
    assert_eq!(leaked(&stale(parallel_dump()), 20), Some(false));
    let mut idle = stale(parallel_dump());
    idle.0.backends[1].state = Some(IdleInTransaction);
    assert_eq!(leaked(&idle, 20), Some(true));
}

#[test]
fn a_masked_dump_is_recognised_by_its_locks() {
    let scene = serial_dump().with(|backend| {
        backend.masked = true;
        backend.state = None;
        backend.backend_type = None;
        backend.xact_start = None;
        backend.query = String::new();
    });
    assert_eq!(role(scene, 10).0, Role::Backup);
}

#[test]
fn exports_are_no_backups() {
    for query in [
        "COPY users TO STDOUT ",
        "COPY (SELECT * FROM users) TO STDOUT",
    ] {
        let scene = shop()
            .client(13, Active, query)
            .with(|backend| backend.backend_xmin = Some(919))
            .holds(13, AccessShare, USERS);
        assert_eq!(
            role(scene, 13),
            (
                Role::Application,
                Certainty::Likely,
                Some("data export (COPY)".into())
            ),
            "{query}"
        );
    }
}

#[test]
fn a_walsender_that_copies_is_a_subscriptions_first_copy() {
    let scene = shop()
        .client(14, Active, "COPY public.users (id) TO STDOUT")
        .with(|backend| {
            backend.backend_type = Some("walsender".into());
            backend.backend_xmin = Some(919);
        })
        .holds(14, AccessShare, USERS);
    assert_eq!(role(scene, 14).0, Role::Replication);
}

#[test]
fn a_base_backup_and_its_wal_stream_are_one_that_blocks_nothing() {
    let walsender = |backend: &mut Backend| {
        backend.backend_type = Some("walsender".into());
        backend.datid = None;
        backend.application_name = "pg_basebackup".into();
    };
    let scene = shop()
        .client(15, Active, "BASE_BACKUP ( LABEL 'x' )")
        .with(walsender)
        .progress(
            15,
            Work::Basebackup {
                phase: None,
                backup_total: None,
                backup_streamed: None,
            },
        )
        .client(
            16,
            Active,
            "START_REPLICATION SLOT \"pg_basebackup_16\" 0/1",
        )
        .with(walsender);
    let sessions = understand(&scene.0);
    let found = session(&sessions, 16);
    assert_eq!((found.pid, found.members.len()), (15, 2));
    assert_eq!(found.backup.as_ref().map(|b| b.blocks_ddl), Some(false));
}

#[test]
fn pgbackrest_is_known_by_its_advisory_lock() {
    let key = LockTarget::Advisory {
        database: DATABASE,
        classid: 2_873_148,
        objid: 2_290_436_513,
        objsubid: 1,
    };
    let scene = shop()
        .client(17, Idle, "")
        .lock_on(key, Some(17), Exclusive, None);
    assert_eq!(
        role(scene, 17),
        (Role::Backup, Certainty::Certain, Some("pgBackRest".into()))
    );
}

#[test]
fn schema_changes_are_migrations_also_while_their_transaction_idles() {
    let scene = shop()
        .client(18, Active, "-- 0057\nALTER TABLE users ADD x int")
        .client(19, IdleInTransaction, "ALTER TABLE users ADD y int")
        .holds(19, AccessExclusive, USERS);
    assert_eq!(
        role(shop().client(18, Idle, "ALTER TABLE users ADD x int"), 18).0,
        Role::Idle
    );
    let sessions = understand(&scene.0);
    assert_eq!(
        session(&sessions, 18).detail.as_deref(),
        Some("ALTER TABLE")
    );
    assert_eq!(session(&sessions, 19).role, Role::Migration);
}

#[test]
fn rails_two_connections_are_one_migration_led_by_the_one_that_changes_the_schema() {
    let key = LockTarget::Advisory {
        database: DATABASE,
        classid: 699_726_430,
        objid: 1_544_910_575,
        objsubid: 1,
    };
    let in_app_rails = |backend: &mut Backend| backend.datname = Some("app_rails".into());
    let scene = shop()
        .client(30, Active, "ALTER TABLE \"users\" ADD \"x\" integer")
        .with(in_app_rails)
        .client(31, Idle, "SELECT pg_try_advisory_lock(3005302134541743855)")
        .with(in_app_rails)
        .lock_on(key, Some(31), Exclusive, None);
    let sessions = understand(&scene.0);
    let found = session(&sessions, 31);
    assert_eq!((found.pid, found.role), (30, Role::Migration));
    assert_eq!(
        found.detail.as_deref(),
        Some("ALTER TABLE, Rails (advisory lock)")
    );
}

#[test]
fn states_make_the_role_where_nothing_else_does() {
    let scene = shop()
        .client(40, Active, "SELECT 1")
        .client(41, Idle, "SELECT 1")
        .client(42, IdleInTransaction, "SELECT 1")
        .holds(42, AccessExclusive, USERS)
        .client(43, IdleInTransactionAborted, "SELECT 1/0")
        .client(44, Active, "vacuum users")
        .client(
            45,
            Active,
            "autovacuum: VACUUM public.users (to prevent wraparound)",
        )
        .with(|backend| backend.backend_type = Some("autovacuum worker".into()))
        .client(46, Idle, "SELECT * FROM pg_stat_activity")
        .with(|backend| backend.application_name = "postgres_exporter".into())
        .client(1, Active, "")
        .client(47, Active, "")
        .with(|backend| {
            backend.masked = true;
            backend.state = None;
            backend.backend_type = None;
        });
    let sessions = understand(&scene.0);
    let roles: Vec<(Pid, Role, Option<&str>)> = sessions
        .iter()
        .map(|s| (s.pid, s.role, s.detail.as_deref()))
        .collect();
    assert_eq!(
        roles,
        [
            (1, Role::Monitoring, Some("pgguard")),
            (40, Role::Application, None),
            (41, Role::Idle, None),
            (
                42,
                Role::IdleInTransaction,
                Some("holds ACCESS EXCLUSIVE on public.users")
            ),
            (43, Role::IdleInTransaction, Some("after an error")),
            (44, Role::Maintenance, Some("VACUUM")),
            (
                45,
                Role::Maintenance,
                Some("autovacuum to prevent wraparound")
            ),
            (46, Role::Monitoring, Some("postgres_exporter")),
            (47, Role::Masked, Some("hidden from the role that looks")),
        ]
    );
}

fn blockers(graph: &WaitGraph, pid: Pid) -> Vec<Party> {
    graph.blockers_of(pid).into_iter().cloned().collect()
}

#[test]
fn readers_wait_behind_the_alter_that_waits_behind_the_dump() {
    let scene = serial_dump()
        .client(50, Active, "ALTER TABLE users ADD x int")
        .waits(50, AccessExclusive, USERS, 60)
        .client(51, Active, "SELECT * FROM users")
        .waits(51, AccessShare, USERS, 30)
        .client(52, Active, "SELECT * FROM users")
        .waits(52, AccessShare, USERS, 20);
    let graph = WaitGraph::of(&scene.0);
    assert_eq!(blockers(&graph, 50), [Party::Pid(10)]);
    assert_eq!(blockers(&graph, 51), [Party::Pid(50)]);
    assert_eq!(graph.roots(), [Party::Pid(10)]);
    assert_eq!(graph.waiters_behind(10), 3);
    assert_eq!(graph.waiters_behind(50), 2);
    let forest = graph.forest();
    assert_eq!(forest.len(), 1);
    assert_eq!(forest[0].below[0].party, Party::Pid(50));
    assert_eq!(forest[0].below[0].below.len(), 2);
}

#[test]
fn the_members_of_a_dump_are_one_blocker() {
    let scene = parallel_dump()
        .client(50, Active, "ALTER TABLE users ADD x int")
        .waits(50, AccessExclusive, USERS, 60);
    assert_eq!(
        blockers(&WaitGraph::of(&scene.0), 50),
        [Party::Pid(20), Party::Pid(21)]
    );
    let sessions = understand(&scene.0);
    let folded = WaitGraph::between_sessions(&scene.0, &sessions);
    assert_eq!(blockers(&folded, 50), [Party::Pid(20)]);
}

#[test]
fn who_holds_a_lock_already_is_put_before_those_that_must_wait_for_it() {
    let scene = shop()
        .holds(60, AccessShare, USERS)
        .holds(61, RowExclusive, USERS)
        .waits(62, AccessExclusive, USERS, 60)
        .waits(60, Share, USERS, 30)
        .waits(63, AccessShare, USERS, 10);
    let graph = WaitGraph::of(&scene.0);
    assert_eq!(blockers(&graph, 60), [Party::Pid(61)]);
    assert_eq!(blockers(&graph, 62), [Party::Pid(60), Party::Pid(61)]);
    assert_eq!(blockers(&graph, 63), [Party::Pid(62)]);
}

#[test]
fn a_prepared_transaction_is_a_root_without_a_pid() {
    let scene = shop()
        .prepared("two-phase", RowExclusive, USERS)
        .waits(70, Share, USERS, 5)
        .waits(71, ShareUpdateExclusive, ORDERS, 5)
        .holds(72, AccessExclusive, ORDERS);
    let graph = WaitGraph::of(&scene.0);
    assert_eq!(
        graph.roots(),
        [Party::Pid(72), Party::Prepared("two-phase".into())]
    );
}

#[test]
fn a_cycle_is_shown_once_and_ends() {
    let scene = shop()
        .holds(80, AccessExclusive, USERS)
        .holds(81, AccessExclusive, ORDERS)
        .waits(80, AccessShare, ORDERS, 1)
        .waits(81, AccessShare, USERS, 1)
        .waits(82, AccessShare, USERS, 1);
    let graph = WaitGraph::of(&scene.0);
    assert!(graph.roots().is_empty());
    let forest = graph.forest();
    assert_eq!(forest.len(), 1);
    assert_eq!(forest[0].count_below(), 2);
    assert_eq!(graph.waiters_behind(80), 2);
}

#[test]
fn parallel_workers_never_block_their_leader() {
    let scene = shop()
        .client(90, Active, "SELECT")
        .holds(90, AccessExclusive, USERS)
        .client(91, Active, "SELECT")
        .with(|backend| {
            backend.leader_pid = Some(90);
            backend.backend_type = Some("parallel worker".into());
        })
        .waits(91, AccessShare, USERS, 1);
    assert!(WaitGraph::of(&scene.0).roots().is_empty());
    assert_eq!(understand(&scene.0).len(), 1);
}

#[test]
fn a_backup_of_files_is_named_by_its_program() {
    let wal_g = "select timeline, lsn, pg_walfile_name_offset(lsn), pg_is_in_recovery() from pg_backup_start($1, $2)";
    let probackup = "SELECT pg_catalog.pg_backup_start($1, $2)";
    for (name, user, query, tool, certainty) in [
        (
            "pgBackRest [backup]",
            "app",
            "select pg_backup_start('x')",
            "pgBackRest",
            Certainty::Likely,
        ),
        (
            "barman",
            "app",
            "SELECT pg_backup_start('x')",
            "Barman",
            Certainty::Likely,
        ),
        ("", "app", wal_g, "WAL-G", Certainty::Likely),
        ("", "app", probackup, "pg_probackup", Certainty::Likely),
        (
            "",
            "cloudsqladmin",
            probackup,
            "low-level backup API",
            Certainty::Possible,
        ),
        (
            "psql",
            "app",
            "select pg_backup_start('x')",
            "low-level backup API",
            Certainty::Possible,
        ),
    ] {
        let scene = Scene::new().client(10, Idle, query).with(|b| {
            b.application_name = name.into();
            b.usename = Some(user.into());
        });
        let expected = (Role::Backup, certainty, Some(tool.to_owned()));
        assert_eq!(role(scene, 10), expected, "{name} {query}");
    }
}
