//! A real server as the judge of footprints: what is predicted for a statement just before it runs is
//! compared with the rows of `pg_locks` once it has run.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use pgguard::model::{LockMode, Oid, Statement};
use pgguard::test_support::migration::footprint;
use pgguard::test_support::migration::statement::{Script, SourceStatement, statements};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use std::collections::{BTreeMap, BTreeSet};

/// A relation and a mode.
pub type Held = (String, LockMode);

/// How a prediction fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The same set of locks.
    Exact,
    /// Not the same, and said to be opaque.
    Opaque {
        /// Locked, not predicted.
        missed: BTreeSet<Held>,
        /// Predicted, not locked.
        extra: BTreeSet<Held>,
    },
    /// Not the same.
    Wrong {
        /// Locked, not predicted.
        missed: BTreeSet<Held>,
        /// Predicted, not locked.
        extra: BTreeSet<Held>,
    },
}

/// One thread is enough.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop")
}

/// A session of the superuser.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connects")
}

/// Runs one statement.
///
/// # Errors
/// What the server said, if it refused.
pub async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection);
    done.await.map(drop)
}

/// Cuts a text into statements, each by itself.
pub fn cut(text: &str) -> Vec<SourceStatement> {
    statements(&[Script::psql("-", text)])
}

/// What pgguard predicts for one statement now, as the `looker` sees the catalog.
pub async fn predicted(looker: &mut PgConnection, statement: &SourceStatement) -> Statement {
    let reach = footprint::reach(std::slice::from_ref(statement));
    let catalog = pgguard::test_support::postgres::catalog::load(
        looker,
        &reach,
        &pgguard::test_support::postgres::connect::limits_that_keep_the_path(
            std::time::Duration::from_secs(60),
        ),
    )
    .await
    .expect("the catalog loads");
    let mut inside = statement.clone();
    inside.in_block = true;
    footprint::of(&[inside], catalog, 0).statements.remove(0)
}

/// What pgguard predicts for a file as a whole, before its first statement.
pub async fn whole(looker: &mut PgConnection, statements: &[SourceStatement]) -> Vec<Statement> {
    let reach = footprint::reach(statements);
    let limits = pgguard::test_support::postgres::connect::limits_that_keep_the_path(
        std::time::Duration::from_secs(60),
    );
    let catalog = pgguard::test_support::postgres::catalog::load(looker, &reach, &limits);
    let catalog = catalog.await.expect("the catalog loads");
    footprint::of(statements, catalog, 0).statements
}

/// Every user relation by oid.
pub async fn relations(connection: &mut PgConnection) -> BTreeMap<Oid, String> {
    let rows = sqlx::query(
        "SELECT c.oid::int8, n.nspname || '.' || c.relname FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384",
    )
    .fetch_all(connection)
    .await
    .expect("pg_class reads");
    rows.iter()
        .map(|r| (u32::try_from(r.get::<i64, _>(0)).unwrap(), r.get(1)))
        .collect()
}

/// Runs one statement in a transaction of its own and says what it holds at the end.
///
/// # Errors
/// What the server said, if it refused.
pub async fn locked(
    runner: &mut PgConnection,
    sql: &str,
    before: &BTreeMap<Oid, String>,
    commit: bool,
) -> Result<BTreeSet<Held>, String> {
    Ok(named(&locked_oids(runner, sql, commit).await?, before))
}

/// Those that were there before, by name.
pub fn named(held: &BTreeSet<(Oid, LockMode)>, before: &BTreeMap<Oid, String>) -> BTreeSet<Held> {
    held.iter()
        .filter_map(|(oid, mode)| Some((before.get(oid)?.clone(), *mode)))
        .collect()
}

/// The same by oid.
///
/// # Errors
/// What the server said, if it refused.
pub async fn locked_oids(
    runner: &mut PgConnection,
    sql: &str,
    commit: bool,
) -> Result<BTreeSet<(Oid, LockMode)>, String> {
    let mut transaction = runner.begin().await.map_err(|e| e.to_string())?;
    if let Err(e) = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut *transaction)
        .await
    {
        transaction.rollback().await.map_err(|e| e.to_string())?;
        return Err(e.to_string());
    }
    let rows = sqlx::query(
        "SELECT relation::int8, mode FROM pg_locks WHERE locktype = 'relation' AND pid = pg_backend_pid() \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted",
    )
    .persistent(false)
    .fetch_all(&mut *transaction)
    .await
    .map_err(|e| e.to_string())?;
    let held = rows
        .iter()
        .filter_map(|r| {
            let oid = u32::try_from(r.get::<i64, _>(0)).ok()?;
            Some((oid, LockMode::from_pg_locks(&r.get::<String, _>(1))?))
        })
        .collect();
    if commit {
        transaction.commit().await.map_err(|e| e.to_string())?;
    } else {
        transaction.rollback().await.map_err(|e| e.to_string())?;
    }
    Ok(held)
}

/// The kept locks of a prediction, on relations that were there before.
pub fn kept(statement: &Statement, before: &BTreeMap<Oid, String>) -> BTreeSet<Held> {
    locks(statement, before, true)
}

fn locks(
    statement: &Statement,
    before: &BTreeMap<Oid, String>,
    with_possible: bool,
) -> BTreeSet<Held> {
    statement
        .locks
        .iter()
        .filter(|l| !l.transient && (with_possible || !l.possible))
        .filter_map(|l| Some((before.get(&l.oid?)?.clone(), l.mode)))
        .collect()
}

/// Compares.
pub fn judge(
    statement: &Statement,
    held: &BTreeSet<Held>,
    before: &BTreeMap<Oid, String>,
) -> Outcome {
    let predicted = kept(statement, before);
    let missed: BTreeSet<Held> = held.difference(&predicted).cloned().collect();
    // What is said to be possible need not come.
    let certain: BTreeSet<Held> = locks(statement, before, false);
    let extra: BTreeSet<Held> = certain.difference(held).cloned().collect();
    if missed.is_empty() && extra.is_empty() {
        Outcome::Exact
    } else if statement.opaque.is_some() {
        Outcome::Opaque { missed, extra }
    } else {
        Outcome::Wrong { missed, extra }
    }
}

/// A set of locks in few characters.
pub fn brief(held: &BTreeSet<Held>) -> String {
    let letters = |m: LockMode| ["AS", "RS", "RX", "SUE", "S", "SRX", "X", "AX"][m as usize - 1];
    held.iter()
        .map(|(name, mode)| format!("{}:{}", name.trim_start_matches("public."), letters(*mode)))
        .collect::<Vec<_>>()
        .join(" ")
}
