//! The wait graph equals `pg_blocking_pids()`, on real servers.

use crate::common::{self, Database, Dump, Session, until};
use crate::look::Observer;
use pgguard::model::Pid;
use pgguard::test_support::sessions::Party;
use pgguard::test_support::sessions::{WaitGraph, understand};
use pgguard::test_support::throwaway::Options;
use std::collections::{BTreeMap, BTreeSet};

/// A generator that needs no crate and repeats itself with its seed (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

type Blockers = BTreeMap<Pid, BTreeSet<Pid>>;

/// What Postgres says: for each waiter, the pids in front of it (0: a prepared transaction), each once.
fn oracle(observer: &mut Session) -> Blockers {
    let rows = observer.query_text(
        "SELECT pid, unnest(pg_blocking_pids(pid)) FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) w",
    );
    let mut found = Blockers::new();
    for row in rows.lines() {
        let (pid, blocker) = row.split_once('|').expect("two columns");
        let blocker = blocker.parse().expect("a pid");
        found
            .entry(pid.parse().expect("a pid"))
            .or_default()
            .insert(blocker);
    }
    found
}

/// What the graph says, in the same form.
fn ours(graph: &WaitGraph) -> Blockers {
    graph
        .waiters()
        .map(|waiter| {
            let front = graph.blockers_of(waiter.pid);
            (
                waiter.pid,
                front
                    .into_iter()
                    .map(|party| party.pid().unwrap_or(0))
                    .collect(),
            )
        })
        .collect()
}

/// Ours and Postgres's answer of a moment in which nothing moved.
fn both(session: &mut Session, observer: &mut Observer) -> (Blockers, Blockers) {
    let mut answer = None;
    until("nothing moves", || {
        let before = oracle(session);
        let graph = WaitGraph::of(&observer.look());
        // `waitstart` is set a moment after the wait has begun.
        let settled = graph.waiters().all(|waiter| waiter.since.is_some());
        let still = settled && oracle(session) == before;
        answer = still.then(|| (ours(&graph), before));
        still
    });
    answer.expect("just set")
}

const MODES: [&str; 8] = [
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
];

/// One of the ways to take a lock.
fn step(dice: &mut Dice) -> String {
    let table = ["a", "b"][dice.below(2)];
    match dice.below(8) {
        0..=4 => format!("LOCK TABLE {table} IN {} MODE", MODES[dice.below(8)]),
        5 => format!("SELECT pg_advisory_xact_lock({})", dice.below(2)),
        6 => format!("SELECT pg_advisory_xact_lock_shared({})", dice.below(2)),
        _ => format!("UPDATE {table} SET v = v + 1 WHERE id = {}", dice.below(2)),
    }
}

/// A session and whether it was last seen waiting.
struct Actor {
    session: Session,
    waits: bool,
}

impl Actor {
    /// Does a step, and comes back once it is granted, refused, or waits.
    fn act(&mut self, observer: &mut Session, sql: &str) {
        self.session.start(sql);
        let pid = self.session.pid();
        let mut seen = String::new();
        until(sql, || {
            seen = observer.query_text(&format!(
                "SELECT CASE WHEN wait_event_type = 'Lock' THEN 'waits' WHEN state <> 'active' THEN 'done' END \
                 FROM pg_stat_activity WHERE pid = {pid} AND query = '{}'",
                sql.replace('\'', "''")
            ));
            !seen.is_empty()
        });
        self.waits = seen == "waits";
        if !self.waits {
            self.end_statement();
        }
    }

    /// Takes the answer; after an error (a deadlock found at once) it begins anew.
    fn end_statement(&mut self) {
        if self.session.join().is_err() {
            self.session.exec("ROLLBACK; BEGIN");
        }
        self.waits = false;
    }
}

/// Plays random steps on eight sessions, comparing after each. Gives how many waits were compared.
fn play(seed: u64) -> usize {
    let database = common::database();
    database.sql(
        "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (0, 0), (1, 0);
         CREATE TABLE b (id int PRIMARY KEY, v int); INSERT INTO b VALUES (0, 0), (1, 0)",
    );
    let mut session = database.session();
    let mut observer = Observer::of(&database);
    let mut dice = Dice(seed);
    let mut actors: Vec<Actor> = (0..8)
        .map(|_| Actor {
            session: database.session(),
            waits: false,
        })
        .collect();
    for actor in &mut actors {
        // A deadlock may stand: the graph must survive it, and so must its tree.
        actor.session.exec("SET deadlock_timeout = '1h'; BEGIN");
    }
    let mut compared = 0;
    let mut before = Blockers::new();
    for number in 0..40 {
        let actor = dice.below(actors.len());
        let sql = format!("{} -- step {number}", step(&mut dice));
        let actor = &mut actors[actor];
        if actor.waits && before.contains_key(&actor.session.pid()) {
            continue;
        }
        if actor.waits {
            actor.end_statement();
        }
        if dice.below(8) == 0 {
            actor.session.exec("COMMIT; BEGIN");
        }
        actor.act(&mut session, &sql);
        let (ours, theirs) = both(&mut session, &mut observer);
        assert_eq!(ours, theirs, "seed {seed}, after {sql}");
        compared += theirs.len();
        before = theirs;
    }
    // The server has other tests' sessions too: nobody stands twice, whoever it is.
    let mut shown = Vec::new();
    for node in WaitGraph::of(&observer.look()).forest() {
        list(&node, &mut shown);
    }
    let distinct: std::collections::BTreeSet<&Party> = shown.iter().collect();
    assert_eq!(
        distinct.len(),
        shown.len(),
        "seed {seed}: somebody stands twice"
    );
    session.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    compared
}

#[test]
fn random_locks_of_eight_sessions_give_the_blockers_that_postgres_gives() {
    let compared: usize = (1..=10).map(play).sum();
    println!("{compared} waits compared");
    assert!(
        compared > 200,
        "only {compared} waits: the scenes are too tame"
    );
}

#[test]
fn the_deploy_is_a_tree_with_the_dump_at_its_root() {
    let shop = common::shop();
    shop.sql(
        "CREATE TABLE bulky AS SELECT repeat('x', 900) AS body FROM generate_series(1, 20000)",
    );
    let mut observer = Observer::of(&shop);
    let dump = Dump::stalled(&shop);
    let mut migration = shop.session();
    migration.start("ALTER TABLE bulky ADD COLUMN total int");
    migration.until_waiting();
    let mut readers = [shop.session(), shop.session()];
    for reader in &mut readers {
        reader.start("SELECT count(*) FROM bulky");
        reader.until_waiting();
    }

    let snapshot = observer.look();
    let sessions = understand(&snapshot);
    let graph = WaitGraph::between_sessions(&snapshot, &sessions);
    let root = Party::Pid(dump.pid());
    assert!(graph.roots().contains(&root));
    assert_eq!(graph.count_behind(&root), 3);
    assert_eq!(graph.blockers_of(migration.pid()), BTreeSet::from([&root]));
    let alter = Party::Pid(migration.pid());
    for reader in &readers {
        assert_eq!(graph.blockers_of(reader.pid()), BTreeSet::from([&alter]));
        assert_eq!(reader.blocked_by(), [migration.pid()]);
    }
}

#[test]
fn a_prepared_transaction_is_named_where_postgres_says_pid_0() {
    let server = common::own_server(&Options::default().setting("max_prepared_transactions", "5"));
    let database = Database::empty(server);
    database.sql("CREATE TABLE a (id int); BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'two ''phase'");
    let mut waiter = database.session();
    waiter.start("BEGIN; LOCK TABLE a");
    waiter.until_waiting();
    assert_eq!(waiter.blocked_by(), [0]);
    let graph = WaitGraph::of(&Observer::of(&database).look());
    assert_eq!(graph.roots(), [Party::Prepared("two 'phase".into())]);
    assert_eq!(
        graph.waiters().map(|waiter| waiter.pid).collect::<Vec<_>>(),
        [waiter.pid()]
    );
}

#[test]
fn an_index_build_that_waits_for_an_old_snapshot_waits_behind_its_owner() {
    let database = common::database();
    database.sql("CREATE TABLE a (id int); CREATE TABLE b (id int)");
    let mut reader = database.session();
    reader.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM b");
    let mut build = database.session();
    build.start("CREATE INDEX CONCURRENTLY i ON a (id)");
    build.until_waiting();
    let (ours, theirs) = both(&mut database.session(), &mut Observer::of(&database));
    assert_eq!(ours, theirs);
    assert_eq!(
        ours.get(&build.pid()),
        Some(&BTreeSet::from([reader.pid()]))
    );
    reader.exec("COMMIT");
    build.join().expect("the index is built");
}

#[test]
fn the_workers_of_a_parallel_dump_are_one_blocker() {
    let database = common::database();
    let dump = Dump::stalled_parallel(&database, 2);
    let mut migration = database.session();
    migration.start("ALTER TABLE bulk_1 ADD COLUMN total int");
    migration.until_waiting();
    assert!(migration.blocked_by().len() > 1, "leader and worker");
    let snapshot = Observer::of(&database).look();
    let graph = WaitGraph::between_sessions(&snapshot, &understand(&snapshot));
    let leader = Party::Pid(dump.pid());
    assert_eq!(
        graph.blockers_of(migration.pid()),
        BTreeSet::from([&leader])
    );
}

/// Everybody in a tree.
fn list(node: &pgguard::test_support::sessions::waits::Node, into: &mut Vec<Party>) {
    into.push(node.party.clone());
    for below in &node.below {
        list(below, into);
    }
}
