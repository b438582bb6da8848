//! The gate on trial: what it says of a migration, and what the server then does with it.

#![allow(dead_code, reason = "every test binary uses a part of it")]

use super::common::{Database, Session, until};
use chrono::TimeDelta;
use pgguard::model::{
    Answer, Footprint, LockMode, Pid, Snapshot, StatementVerdict, Verdict, Wait, WaitKind,
};
use pgguard::test_support::gate::{Policy, decide};
use pgguard::test_support::migration::footprint::{self, reach};
use pgguard::test_support::migration::statement::{Script, statements};
use pgguard::test_support::postgres::catalog;
use pgguard::test_support::postgres::connect::{Connection, Flags, Target};
use pgguard::test_support::postgres::snapshot::{changed_rows, look};
use pgguard::test_support::sessions::understand;
use std::collections::BTreeSet;
use std::time::Duration;

/// The gate's word on a migration, with what it was said of.
pub struct Said {
    pub footprint: Footprint,
    pub snapshot: Snapshot,
    pub verdict: Verdict,
}

impl Said {
    pub fn answer(&self) -> Answer {
        self.verdict.answer
    }

    /// The statement that would wait first.
    pub fn first_block(&self) -> Option<&StatementVerdict> {
        self.verdict.statements.iter().find(|s| s.blocks())
    }

    /// Whom the first wait that counts is for; 0: a prepared transaction.
    pub fn in_front(&self) -> BTreeSet<Pid> {
        let Some(first) = self.first_wait() else {
            return BTreeSet::new();
        };
        let queued = |kind| matches!(kind, WaitKind::Lock | WaitKind::Queue);
        self.waits()
            // One statement may ask for a relation twice, more strongly the second time.
            .filter(|wait| wait.oid == first.oid && wait.mode == first.mode)
            .filter(|wait| queued(wait.kind) == queued(first.kind))
            .map(|wait| wait.blocker.pid.unwrap_or(0))
            .collect()
    }

    /// Whether the first wait is for transactions to end, one after the other.
    pub fn one_by_one(&self) -> bool {
        self.first_wait().is_some_and(is_for_an_end)
    }

    /// The waits that count of the statement that would wait first.
    fn waits(&self) -> impl Iterator<Item = &Wait> {
        let waits = self.first_block().into_iter().flat_map(|s| &s.waits);
        waits.filter(|wait| wait.counts)
    }

    /// The first of them. What a concurrent form asks for in ACCESS EXCLUSIVE comes after the transactions
    /// that it waits for, although the report names it before.
    fn first_wait(&self) -> Option<&Wait> {
        let first = self.waits().next()?;
        let comes_last = first.mode == Some(LockMode::AccessExclusive);
        let end = self.waits().find(|wait| comes_last && is_for_an_end(wait));
        Some(end.unwrap_or(first))
    }

    /// All the texts of the report.
    pub fn text(&self) -> String {
        pgguard::test_support::report::gate_text(
            &pgguard::test_support::report::GateView {
                footprint: &self.footprint,
                verdict: &self.verdict,
                database: &self.snapshot.server.datname,
                taken_at: self.snapshot.taken_at,
                zone: chrono::FixedOffset::east_opt(0).expect("UTC"),
                of_catalog: false,
                status: None,
                forecast: None,
            },
            pgguard::test_support::report::page::Page::PLAIN,
        )
    }
}

fn is_for_an_end(wait: &Wait) -> bool {
    matches!(wait.kind, WaitKind::Lockers | WaitKind::Snapshot)
}

/// The scene stands still while it is judged: everybody counts at once.
pub fn at_once() -> Policy {
    Policy {
        patience: TimeDelta::zero(),
        ..Policy::default()
    }
}

/// Asks the gate about SQL that runs statement by statement.
pub fn gate(database: &Database, sql: &str) -> Said {
    gate_with(database, sql, &at_once())
}

/// Asks the gate.
pub fn gate_with(database: &Database, sql: &str, policy: &Policy) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop");
    runtime.block_on(async {
        let mut connection = observer(&database.url()).await;
        let said = ask(&mut connection, sql, policy).await;
        connection.close().await;
        said
    })
}

/// Asks the gate on an open connection.
pub async fn ask(connection: &mut Connection, sql: &str, policy: &Policy) -> Said {
    let script = Script::psql("migration.sql", sql);
    let statements = statements(&[script]);
    let session = connection.session().expect("an open session");
    let catalog = catalog::load(
        session,
        &reach(&statements),
        &pgguard::test_support::postgres::connect::limits_that_keep_the_path(
            std::time::Duration::from_secs(60),
        ),
    )
    .await
    .expect("the catalog can be read");
    let mut snapshot = look(connection).await.expect("a look");
    let footprint = footprint::of(&statements, catalog, snapshot.server.version_num);
    snapshot.changed_rows = changed_rows(connection, &snapshot, &footprint.relations())
        .await
        .expect("the catalogs can be read");
    let verdict = decide(&footprint, &snapshot, &understand(&snapshot), policy);
    Said {
        footprint,
        snapshot,
        verdict,
    }
}

/// A connection as pgguard itself opens it.
pub async fn observer(url: &str) -> Connection {
    let flags = Flags {
        dbname: Some(url.into()),
        ..Flags::default()
    };
    let target = Target::from_flags(&flags).expect("a URL");
    Connection::open(&target, Duration::from_secs(60))
        .await
        .expect("a connection")
}

/// The gate's word on the same migration and another snapshot: what a look would have said had the scene
/// lasted for longer than a test can.
pub fn judge(footprint: &Footprint, snapshot: Snapshot, policy: &Policy) -> Said {
    let verdict = decide(footprint, &snapshot, &understand(&snapshot), policy);
    Said {
        footprint: footprint.clone(),
        snapshot,
        verdict,
    }
}

/// What the server did with a statement.
#[derive(Debug)]
pub enum Did {
    /// It ran, or failed, without a wait.
    Ran(Result<String, String>),
    /// It waits for these; 0: a prepared transaction.
    Waited(BTreeSet<Pid>),
}

/// Runs a statement until it either waits for a lock or is over.
pub fn run(session: &mut Session, statement: &str) -> Did {
    session.start(statement);
    let mut over = None;
    let mut waits = false;
    until("the statement waits or is over", || {
        waits = session.is_waiting();
        over = session.poll();
        waits || over.is_some()
    });
    if let Some(answer) = over {
        return Did::Ran(answer);
    }
    let behind = session.blocked_by().into_iter().collect();
    Did::Waited(behind)
}

/// Runs a statement that must wait, and leaves it waiting: behind whom.
pub fn waits(session: &mut Session, statement: &str) -> BTreeSet<Pid> {
    match run(session, statement) {
        Did::Waited(behind) => behind,
        Did::Ran(answer) => panic!("{statement} did not wait: {answer:?}"),
    }
}

/// Lets a statement that waits go.
pub fn cancel(session: &mut Session, database: &Database) {
    database.sql(&format!("SELECT pg_cancel_backend({})", session.pid()));
    let _ = session.join();
}

/// Asks the gate about one statement, runs it, and compares.
///
/// # Panics
/// They disagree.
pub fn agree(database: &Database, sql: &str) -> Said {
    let said = gate(database, sql);
    let mut session = database.session();
    let did = run(&mut session, sql);
    if matches!(did, Did::Waited(_)) {
        cancel(&mut session, database);
    }
    session.close();
    compare(&said, sql, &did);
    said
}

/// Compares what the gate said with what the server did.
pub fn compare(said: &Said, sql: &str, did: &Did) {
    let context = || format!("{sql}\n{}{:#?}", said.text(), said.footprint);
    match did {
        // What the server refuses may be foretold; what it runs may not be refused.
        Did::Ran(Err(_)) if said.answer() == Answer::WouldFail => {}
        Did::Ran(_) => assert_eq!(
            said.answer(),
            Answer::Clear,
            "it did not wait: {}",
            context()
        ),
        Did::Waited(behind) => {
            assert_eq!(
                said.answer(),
                Answer::WouldBlock,
                "it waited: {}",
                context()
            );
            if said.one_by_one() {
                assert!(
                    behind.is_subset(&said.in_front()),
                    "{behind:?}: {}",
                    context()
                );
            } else {
                assert_eq!(&said.in_front(), behind, "{}", context());
            }
        }
    }
}
