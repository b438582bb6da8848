//! Locks that are gone once the statement ends, and statements that no transaction may hold: judged by
//! what they wait for. One session holds a lock, in every mode, or a snapshot; the statement is started;
//! the server says whether it waits, what for, and what it has by then. All of that is in its footprint,
//! and whatever its footprint says is waited for.

use crate::common::{self, Database, Session, until};
use crate::oracle::{cut, relations, runtime};
use pgguard::model::{LockMode, Oid, Statement, WaitPhase};
use pgguard::test_support::migration::footprint;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;

const SCHEMA: &str = "
DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;
CREATE TABLE referenced (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, v int REFERENCES referenced, w text);
CREATE INDEX t_v ON t (v);
ALTER TABLE t CLUSTER ON t_pkey;
INSERT INTO referenced SELECT generate_series(1, 5);
INSERT INTO t SELECT n, n, 'w' FROM generate_series(1, 5) n;
CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2);
CREATE INDEX p_id ON p (id);
CREATE MATERIALIZED VIEW m AS SELECT id, w FROM t;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE TYPE mood AS ENUM ('good');
CREATE TABLE row_type (a int);
CREATE TABLE other (a int);
INSERT INTO other VALUES (1);
";

/// A statement, and the relations that somebody holds while it is started.
const FORMS: [(&str, &[&str]); 24] = [
    (
        "CREATE INDEX CONCURRENTLY x ON t (w)",
        &["t", "t_v", "referenced"],
    ),
    (
        "CREATE UNIQUE INDEX CONCURRENTLY x ON t (id) WHERE v > 0",
        &["t"],
    ),
    ("DROP INDEX CONCURRENTLY t_v", &["t", "t_v"]),
    ("REINDEX INDEX CONCURRENTLY t_v", &["t", "t_v"]),
    ("REINDEX TABLE CONCURRENTLY t", &["t", "t_v"]),
    ("REINDEX INDEX t_v", &["t", "t_v"]),
    ("REINDEX TABLE t", &["t", "t_v"]),
    ("REINDEX TABLE p", &["p", "p_1"]),
    ("VACUUM t", &["t", "t_v"]),
    ("VACUUM (ANALYZE) t", &["t"]),
    ("VACUUM FULL t", &["t", "t_v", "referenced"]),
    ("VACUUM (SKIP_LOCKED) t", &["t"]),
    ("ANALYZE t", &["t", "t_v"]),
    ("ANALYZE p", &["p", "p_1"]),
    ("CLUSTER t", &["t", "t_v"]),
    (
        "ALTER TABLE p DETACH PARTITION p_1 CONCURRENTLY",
        &["p", "p_1", "p_2"],
    ),
    ("ALTER TYPE mood ADD VALUE 'bad'", &["t"]),
    (
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        &["m", "m_id", "t"],
    ),
    (
        "INSERT INTO t VALUES (9, NULL, 'x')",
        &["t", "t_v", "referenced"],
    ),
    ("DROP TRIGGER IF EXISTS missing ON t", &["t"]),
    ("CREATE TYPE made AS (a row_type)", &["row_type"]),
    ("ALTER TABLE t ALTER w SET STORAGE EXTERNAL", &["t", "t_v"]),
    ("GRANT SELECT ON t TO CURRENT_USER", &["t"]),
    ("COPY t (id, v, w) TO STDOUT", &["t", "t_v"]),
];

const MODES: [LockMode; 8] = [
    LockMode::AccessShare,
    LockMode::RowShare,
    LockMode::RowExclusive,
    LockMode::ShareUpdateExclusive,
    LockMode::Share,
    LockMode::ShareRowExclusive,
    LockMode::Exclusive,
    LockMode::AccessExclusive,
];

#[test]
fn a_statement_waits_for_what_its_footprint_says_and_for_nothing_else() {
    let majors = common::majors();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let at_work: Vec<_> = majors
            .iter()
            .map(|&major| scope.spawn(move || probe_all(major)))
            .collect();
        at_work
            .into_iter()
            .flat_map(|thread| thread.join().expect("every probe ends"))
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every form behind every hold on one version.
fn probe_all(major: u32) -> Vec<String> {
    let database = Database::empty(common::server_of(major));
    let mut wrong = Vec::new();
    for (sql, held) in FORMS {
        let snapshot = Hold {
            sql: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT a FROM other".to_owned(),
            what: None,
        };
        let all = held.iter().flat_map(holds).chain([snapshot]);
        for hold in all {
            wrong.extend(
                probe(&database, sql, &hold)
                    .map(|what| format!("Postgres {major}: {sql}, behind {}: {what}", hold.sql)),
            );
        }
    }
    wrong
}

/// What somebody has in an open transaction.
struct Hold {
    sql: String,
    /// A lock; `None`: a snapshot.
    what: Option<(&'static str, LockMode)>,
}

/// Every way to hold a relation; an index only as DDL does it.
fn holds(relation: &&'static str) -> Vec<Hold> {
    match *relation {
        "t_v" | "m_id" => vec![
            Hold {
                // COMMENT leaves the index's row of pg_class alone: ANALYZE would wait for that row.
                sql: format!("BEGIN; COMMENT ON INDEX {relation} IS 'x'"),
                what: Some((relation, LockMode::ShareUpdateExclusive)),
            },
            Hold {
                sql: format!("BEGIN; ALTER INDEX {relation} SET TABLESPACE pg_default"),
                what: Some((relation, LockMode::AccessExclusive)),
            },
        ],
        // LOCK TABLE takes no materialized view.
        "m" => vec![
            Hold {
                sql: "BEGIN; SELECT FROM m".to_owned(),
                what: Some(("m", LockMode::AccessShare)),
            },
            Hold {
                sql: "BEGIN; COMMENT ON MATERIALIZED VIEW m IS 'x'".to_owned(),
                what: Some(("m", LockMode::ShareUpdateExclusive)),
            },
        ],
        _ => MODES
            .iter()
            .map(|&mode| Hold {
                sql: format!("BEGIN; LOCK TABLE ONLY {relation} IN {mode} MODE"),
                what: Some((relation, mode)),
            })
            .collect(),
    }
}

/// Starts the statement behind a hold; says what was not as its footprint has it.
fn probe(database: &Database, sql: &str, hold: &Hold) -> Option<String> {
    let mut looker = database.session();
    looker.exec(SCHEMA);
    let (said, before) = runtime().block_on(predicted(database, sql));
    let mut holder = database.session();
    holder.exec(&hold.sql);
    let mut runner = database.session();
    runner.start(sql);
    let mut answer = None;
    until("it waits or is done", || {
        answer = runner.poll();
        answer.is_some() || runner.is_waiting()
    });
    let waits = answer.is_none();
    let wrong = if waits != expected(&said, hold) {
        let how = match &answer {
            None => format!("it waits: {}", parked(&mut looker, &runner)),
            Some(answer) => format!("it does not wait: {answer:?}"),
        };
        Some(how)
    } else if waits {
        unexpected(&mut looker, &runner, &said, &before)
    } else {
        None
    };
    holder.exec("ROLLBACK");
    if waits {
        let _ = runner.join();
    }
    wrong
}

async fn predicted(database: &Database, sql: &str) -> (Statement, BTreeMap<Oid, String>) {
    let mut connection = PgConnection::connect(&database.url())
        .await
        .expect("connects");
    let statement = cut(sql).remove(0);
    let reach = footprint::reach(std::slice::from_ref(&statement));
    let catalog = pgguard::test_support::postgres::catalog::load(
        &mut connection,
        &reach,
        &pgguard::test_support::postgres::connect::limits_that_keep_the_path(
            std::time::Duration::from_secs(60),
        ),
    )
    .await
    .expect("the catalog loads");
    let before = relations(&mut connection).await;
    (
        footprint::of(&[statement], catalog, 0).statements.remove(0),
        before,
    )
}

/// Whether the footprint has it wait behind a hold.
fn expected(said: &Statement, hold: &Hold) -> bool {
    let Some((relation, mode)) = hold.what else {
        return said.phases.contains(&WaitPhase::Snapshots);
    };
    let by_lock = said
        .locks
        .iter()
        .any(|l| l.name.relation == relation && !l.nowait && l.mode.conflicts_with(mode));
    let by_phase = said.phases.iter().any(|phase| match phase {
        WaitPhase::Lockers {
            name, mode: waited, ..
        }
        | WaitPhase::ThenLock {
            name, mode: waited, ..
        } => name.relation == relation && waited.conflicts_with(mode),
        WaitPhase::Snapshots | WaitPhase::SafeSnapshot | WaitPhase::Transactions => false,
    });
    by_lock || by_phase
}

/// The relation locks that a session has or waits for, as `relation|mode|granted`.
fn parked(looker: &mut Session, runner: &Session) -> String {
    looker.query_text(&format!(
        "SELECT coalesce(relation::text, locktype), mode, granted FROM pg_locks \
         WHERE pid = {} AND (relation >= 16384 OR NOT granted) ORDER BY 1, 2",
        runner.pid()
    ))
}

/// What a waiting session has or waits for without its footprint having it.
fn unexpected(
    looker: &mut Session,
    runner: &Session,
    said: &Statement,
    before: &BTreeMap<Oid, String>,
) -> Option<String> {
    let rows = parked(looker, runner);
    let strange: Vec<&str> = rows
        .lines()
        .filter(|row| {
            let mut cells = row.split('|');
            let (what, mode) = (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            );
            match what.parse::<Oid>() {
                Ok(oid) => before.get(&oid).is_some_and(|name| {
                    LockMode::from_pg_locks(mode).is_some_and(|mode| !has(said, name, mode))
                }),
                // A transaction: only what waits for lockers or snapshots does that.
                Err(_) => said.phases.is_empty(),
            }
        })
        .collect();
    (!strange.is_empty()).then(|| {
        let name = |row: &str| {
            row.split('|')
                .next()
                .and_then(|oid| before.get(&oid.parse().ok()?))
                .cloned()
                .unwrap_or_default()
        };
        strange
            .iter()
            .map(|row| format!("has or awaits {} ({row})", name(row)))
            .collect::<Vec<_>>()
            .join("; ")
    })
}

fn has(said: &Statement, name: &str, mode: LockMode) -> bool {
    // TOAST tables have no name that a schema could keep.
    name.starts_with("pg_toast.")
        || said
            .locks
            .iter()
            .any(|l| l.mode == mode && format!("{}.{}", l.name.schema, l.name.relation) == name)
        || said.phases.iter().any(|p| matches!(p, WaitPhase::ThenLock { name: n, mode: m, .. } if *m == mode && format!("{}.{}", n.schema, n.relation) == name))
}
